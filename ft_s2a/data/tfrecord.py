"""TFRecord files with ZLIB compression, and the messages in them, without TensorFlow.

A file is one zlib stream of records: length (8 bytes, little-endian), its checksum, the message,
its checksum; checksums are masked CRC-32C.  A message is a ``tf.train.Example`` (protocol
buffers): a map from names to lists of byte strings, floats or integers.  Only byte strings matter
here.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO

import google_crc32c

from ft_s2a.errors import FormatError, require_file

_HEAD = struct.Struct("<QI")
_CRC = struct.Struct("<I")
# Compressed bytes read at once.
_BLOCK = 1 << 16
# Bytes passed over at once by what is skipped.
_SKIP = 1 << 20
_REMEDY = "fetch or make it again"


def read_records(path: str | Path, *, first: int = 0) -> Iterator[bytes]:
    """Give the messages of a file, one at a time; memory does not grow with the file.

    Parameters
    ----------
    path : str or Path
        A file without any record may hold an empty zlib stream, or no byte.
    first : int
        Records to pass over (their checksums are not looked at).

    Yields
    ------
    bytes
        The message; its length and checksums are right.

    Raises
    ------
    MissingFileError, FormatError
        Naming file and record (counted from 1): cut off, damaged, or compressed otherwise.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.tfr"
    >>> write_records(path, [example({"target": b"abc"})])
    1
    >>> [bytes(features(record)["target"]) for record in read_records(path)]
    [b'abc']
    """
    found = require_file(path, "TFRecord file")
    if found.is_dir():
        raise FormatError("is a folder", where=found, expected="a TFRecord file")
    with open(found, "rb") as handle:
        start = handle.read(_HEAD.size)
        if not start:
            return
        _check_compression(start, found)
        handle.seek(0)
        stream = _Inflated(handle)
        number = 1
        try:
            while head := stream.read(_HEAD.size):
                if len(head) < _HEAD.size:
                    raise _CutOffError
                length, check = _HEAD.unpack(head)
                if masked_crc(head[:8]) != check:
                    raise _DamagedError("the checksum of its length is wrong")
                if number <= first:
                    stream.skip(length + _CRC.size)
                else:
                    yield _checked(stream.read(length), stream.read(_CRC.size), length)
                number += 1
        except _CutOffError:
            raise FormatError(
                f"is cut off in record {number}", where=found, remedy=_REMEDY
            ) from None
        except _DamagedError as error:
            raise FormatError(
                f"record {number}: {error}", where=found, remedy=f"the file is damaged: {_REMEDY}"
            ) from None
        except zlib.error as error:
            raise FormatError(
                f"cannot be inflated in record {number} ({error})",
                where=found,
                expected="a TFRecord file with ZLIB compression",
                remedy=_REMEDY,
            ) from error
        if stream.goes_on():
            raise FormatError(
                f"goes on behind the compressed stream of its {number - 1} records",
                where=found,
                expected="one zlib stream",
            )


def write_records(path: str | Path, messages: Iterable[bytes], *, level: int = -1) -> int:
    """Write messages to a file (not atomically) and return their number.

    Parameters
    ----------
    path : str or Path
        The file.
    messages : iterable of bytes
    level : int
        Of zlib, 0-9; -1 is zlib's own choice.
    """
    packer = zlib.compressobj(level)
    number = 0
    with open(path, "wb") as handle:
        for message in messages:
            number += 1
            length = len(message).to_bytes(8, "little")
            for piece in (
                length, _CRC.pack(masked_crc(length)), message, _CRC.pack(masked_crc(message)),
            ):  # fmt: skip
                handle.write(packer.compress(piece))
        handle.write(packer.flush())
    return number


def masked_crc(data: bytes) -> int:
    """CRC-32C as TFRecord masks it: rotated, and a constant added.

    Examples
    --------
    >>> hex(masked_crc(b""))
    '0xa282ead8'
    """
    value: int = google_crc32c.value(data)
    return ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF


def features(message: bytes) -> dict[str, memoryview]:
    """Give the features of a message that hold one byte string.

    Raises
    ------
    ValueError
        When it is no ``tf.train.Example``.
    """
    found: dict[str, memoryview] = {}
    for whole in _fields(memoryview(message), 1):  # Example.features
        for entry in _fields(whole, 1):  # Features.feature
            names = list(_fields(entry, 1))
            strings = [
                string
                for feature in _fields(entry, 2)
                for listed in _fields(feature, 1)  # Feature.bytes_list
                for string in _fields(listed, 1)
            ]
            if len(names) == 1 and len(strings) == 1:
                found[str(names[0], "utf-8")] = strings[0]
    return found


def example(strings: Mapping[str, bytes]) -> bytes:
    """Make a message of features that hold one byte string each."""
    entries = (
        _field(1, _field(1, name.encode()), _field(2, _field(1, _field(1, value))))
        for name, value in strings.items()
    )
    return _field(1, *entries)


class _CutOffError(Exception):
    """The file ends inside a record."""


class _DamagedError(Exception):
    """A record is not what its checksum says."""


class _Inflated:
    """The inflated bytes of an open file, as many at a time as are asked for."""

    def __init__(self, handle: IO[bytes]) -> None:
        self._handle = handle
        self._zlib = zlib.decompressobj()

    def read(self, size: int) -> bytes:
        """Give `size` bytes, or fewer where the stream ends."""
        pieces = []
        while size and not self._zlib.eof:
            packed = self._zlib.unconsumed_tail or self._handle.read(_BLOCK)
            piece = self._zlib.decompress(packed, size)
            if not piece and not packed and not self._zlib.eof:
                raise _CutOffError
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def skip(self, size: int) -> None:
        """Pass over `size` bytes."""
        while size:
            piece = self.read(min(size, _SKIP))
            if not piece:
                raise _CutOffError
            size -= len(piece)

    def goes_on(self) -> bool:
        """Whether anything follows the stream."""
        return bool(self._zlib.unused_data or self._handle.read(1))


def _checked(message: bytes, check: bytes, length: int) -> bytes:
    if len(message) < length or len(check) < _CRC.size:
        raise _CutOffError
    if _CRC.unpack(check)[0] != masked_crc(message):
        raise _DamagedError("its checksum is wrong")
    return message


def _check_compression(start: bytes, path: Path) -> None:
    other = None
    if start[:2] == b"\x1f\x8b":
        other = "is compressed with gzip"
    elif len(start) == _HEAD.size and masked_crc(start[:8]) == _HEAD.unpack(start)[1]:
        other = "is not compressed"
    elif start[0] & 0x0F != 8 or int.from_bytes(start[:2], "big") % 31:  # RFC 1950
        other = "is no zlib stream"
    if other:
        raise FormatError(other, where=path, expected="a TFRecord file with ZLIB compression")


def _fields(message: memoryview, wanted: int) -> Iterator[memoryview]:
    """Give the values of the length-delimited fields of number `wanted`."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == 2:
            length, at = _varint(message, at)
            if at + length > len(message):
                raise ValueError("a field is longer than its message")
            if number == wanted:
                yield message[at : at + length]
            at += length
        elif kind == 0:
            at = _varint(message, at)[1]
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        else:
            raise ValueError(f"a field of type {kind}")
    if at > len(message):
        raise ValueError("a field is longer than its message")


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """Give the number that stands at a place, and the place behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise ValueError("a number is cut off")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number of more than 10 bytes")


def _field(number: int, *parts: bytes) -> bytes:
    head = _as_varint(number << 3 | 2) + _as_varint(sum(map(len, parts)))
    return b"".join((head, *parts))


def _as_varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
