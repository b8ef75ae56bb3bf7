"""TFRecord files: framing, checksums, messages, and everything that can be wrong with them."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import pytest

from ft_s2a.data.tfrecord import example, features, masked_crc, read_records, write_records
from ft_s2a.errors import FormatError, MissingFileError

MESSAGES = [example({"target": bytes([i]) * 5000, "sequence": b"ab"}) for i in range(4)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_records(tmp_path / "a.tfr", MESSAGES)
    return tmp_path / "a.tfr"


def refused(path: Path) -> str:
    with pytest.raises(FormatError) as caught:
        list(read_records(path))
    assert str(path) in str(caught.value)
    return str(caught.value)


def repack(path: Path, change: bytes, at: int) -> None:
    """Change inflated bytes and compress them again."""
    plain = bytearray(zlib.decompress(path.read_bytes()))
    plain[at : at + len(change)] = change
    path.write_bytes(zlib.compress(bytes(plain)))


def test_what_is_written_is_read(path: Path) -> None:
    assert list(read_records(path)) == MESSAGES
    assert list(read_records(path, first=3)) == MESSAGES[3:]
    assert list(read_records(path, first=9)) == []


def test_the_framing_is_the_documented_one(path: Path) -> None:
    """Length, masked CRC-32C of it, message, masked CRC-32C of it; computed bit by bit here."""

    def crc(data: bytes) -> int:
        value = 0xFFFFFFFF
        for byte in data:
            value ^= byte
            for _ in range(8):
                value = value >> 1 ^ 0x82F63B78 * (value & 1)
        value ^= 0xFFFFFFFF
        return ((value >> 15) | (value << 17 & 0xFFFFFFFF)) + 0xA282EAD8 & 0xFFFFFFFF

    assert masked_crc(b"123456789") == crc(b"123456789")
    wanted = b""
    for message in MESSAGES:
        length = struct.pack("<Q", len(message))
        wanted += length + struct.pack("<I", crc(length)) + message
        wanted += struct.pack("<I", crc(message))
    assert zlib.decompress(path.read_bytes()) == wanted


def test_features_of_a_message() -> None:
    found = features(example({"sequence": b"\x00\x01", "target": b"", "umap": b"\x01" * 200}))
    assert {k: bytes(v) for k, v in found.items()} == {
        "sequence": b"\x00\x01",
        "target": b"",
        "umap": b"\x01" * 200,
    }


def test_features_of_other_types_are_passed_over() -> None:
    """A float list (field 2), an integer list (field 3), unknown fields of each kind."""
    floats = b"\x0a\x01f\x12\x08\x12\x06\x0a\x04\x00\x00\x80\x3f"
    integers = b"\x0a\x01i\x12\x05\x1a\x03\x0a\x01\x07"
    inner = b"\x0a" + bytes([len(floats)]) + floats + b"\x0a" + bytes([len(integers)]) + integers
    unknown = b"\x50\x96\x01" + b"\x59" + bytes(8) + b"\x5d" + bytes(4)
    kept = example({"target": b"xyz"})
    assert {k: bytes(v) for k, v in features(unknown + kept).items()} == {"target": b"xyz"}
    assert features(b"\x0a" + bytes([len(inner)]) + inner) == {}


@pytest.mark.parametrize(
    "message", [b"\x0a\x05ab", b"\x0a", b"\x0b\x00", b"\xff" * 12, b"\x59\x00"]
)
def test_what_is_no_message(message: bytes) -> None:
    with pytest.raises(ValueError, match=r"field|number"):
        features(message)


@pytest.mark.parametrize("content", [b"", zlib.compress(b"")])
def test_a_file_without_records(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tfr").write_bytes(content)
    assert list(read_records(tmp_path / "a.tfr")) == []


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"b\.tfr: no such TFRecord file"):
        list(read_records(tmp_path / "b.tfr"))
    assert "is a folder" in refused(tmp_path)


@pytest.mark.parametrize("left", [1, 2, 7, 30, 60, -5, -1])
def test_a_file_that_is_cut_off(path: Path, left: int) -> None:
    path.write_bytes(path.read_bytes()[:left])
    assert "is cut off in record" in refused(path) or "no zlib stream" in refused(path)


@pytest.mark.parametrize("left", [5, 12, 100, -2, -4000])
def test_a_stream_that_ends_inside_a_record(path: Path, left: int) -> None:
    plain = zlib.decompress(path.read_bytes())
    path.write_bytes(zlib.compress(plain[:left]))
    number = 4 if left < 0 else 1
    assert f"is cut off in record {number}" in refused(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (gzip.compress(b"x" * 99, mtime=0), "is compressed with gzip"),
        (b"(\xb5/\xfd" + bytes(20), "is no zlib stream"),
        (b"chr1\t0\t100\n", "is no zlib stream"),
    ],
)
def test_other_compressions(path: Path, content: bytes, said: str) -> None:
    path.write_bytes(content)
    message = refused(path)
    assert said in message
    assert "expected a TFRecord file with ZLIB compression" in message


def test_no_compression(path: Path) -> None:
    path.write_bytes(zlib.decompress(path.read_bytes()))
    assert "is not compressed" in refused(path)


def test_damaged_records(path: Path) -> None:
    size = len(MESSAGES[0]) + 16
    intact = path.read_bytes()
    for at, said in (
        (size + 3, "record 2: the checksum of its length is wrong"),
        (size + 40, "record 2: its checksum is wrong"),
        (2 * size - 2, "record 2: its checksum is wrong"),
    ):
        path.write_bytes(intact)
        repack(path, b"\x77", at)
        assert said in refused(path)


def test_damaged_compression(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[40] ^= 0xFF
    path.write_bytes(bytes(raw))
    message = refused(path)
    assert "record 1" in message
    write_records(path, MESSAGES)
    intact = path.read_bytes()
    path.write_bytes(intact[:-1] + bytes([intact[-1] ^ 1]))  # zlib's own checksum, at the end
    assert "cannot be inflated in record" in refused(path)


def test_bytes_behind_the_stream(path: Path) -> None:
    path.write_bytes(path.read_bytes() * 2)
    assert "goes on behind the compressed stream of its 4 records" in refused(path)
