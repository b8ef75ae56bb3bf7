"""The index of a FASTA file: where it is kept, how it is built, whether it fits the file.

An index is used where it lies beside the FASTA and fits; otherwise one is built in the cache,
never beside the FASTA (whose folder is often read-only, or shared).
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import logging
import os
import re
import shutil
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ft_s2a.conventions.atomic import atomic_path
from ft_s2a.conventions.cache import cache_dir
from ft_s2a.errors import FormatError, FtS2aError

if TYPE_CHECKING:
    from pyfaidx import Faidx

_log = logging.getLogger(__name__)

_PACKED_NAMES = (".gz", ".bgz", ".bz2", ".zip")
_HEADER = re.compile(rb"\s*>[ \t]*(\S+)[^\n]*\n\Z")
_LINE_BREAK = re.compile(rb"\S\r?\n")
_EXPECTED = "FASTA with unique contig names and lines of equal length"


def prepare(path: Path) -> tuple[Path, Path]:
    """Give the file to read and its index, after building what is missing.

    Parameters
    ----------
    path : Path
        Plain FASTA, bgzip, or plain gzip (unpacked into the cache).

    Returns
    -------
    tuple of Path
        The FASTA with random access, and its ``.fai``; a bgzip file has a ``.gzi`` beside that.

    Raises
    ------
    FormatError
        When it is no FASTA, or one without random access.
    FtS2aError
        When the cache cannot be written to.
    """
    with open(path, "rb") as handle:
        head = handle.read(18)
    if not head:
        raise FormatError("is empty", where=path, expected="FASTA")
    status = path.stat()
    key = f"{path}|{status.st_size}|{status.st_mtime_ns}"
    folder = cache_dir() / "fasta" / hashlib.sha256(key.encode()).hexdigest()[:16]
    plain = path
    bgzip = is_bgzip(head) and path.name.endswith((".gz", ".bgz"))
    if head[:2] == b"\x1f\x8b" and not bgzip:
        plain = folder / path.name.removesuffix(".gz")
        if not plain.exists():
            _make(folder)
            _log.info("unpacking %s into the cache (plain gzip has no random access)", path.name)
            _unpack(path, plain)
    elif not bgzip:
        _check_plain(path, head, path)
        beside = path.with_name(path.name + ".fai")
        if os.access(beside, os.R_OK) and beside.stat().st_mtime_ns >= status.st_mtime_ns:
            fault = misfit(path, beside)
            if fault is None:
                return path, beside
            _log.warning("%s does not fit its FASTA (%s): a new index is made", beside, fault)
    index = folder / (plain.name + ".fai")
    if not index.exists():
        _make(folder)
        _build(plain, index, path)
    return plain, index


def open_faidx(plain: Path, index: Path, shown: Path) -> Faidx:
    """Open an indexed FASTA.

    Parameters
    ----------
    plain, index : Path
        As :func:`prepare` gave them.
    shown : Path
        The user's file, for messages.
    """
    from pyfaidx import Faidx, FastaIndexingError, FetchError, IndexNotFoundError

    try:
        # The index was built and checked before: pyfaidx is not to write one of its own.
        return Faidx(
            str(plain),
            indexname=str(index),
            gzi_indexname=str(index.with_suffix(".gzi")),
            as_raw=True,
            build_index=False,
        )
    except (FastaIndexingError, FetchError, IndexNotFoundError, ValueError, OSError) as error:
        raise _unreadable(error, shown) from error


def is_bgzip(head: bytes) -> bool:
    """Whether a gzip file's first 18 bytes have the extra field of bgzip (SAM specification)."""
    return head[:4] == b"\x1f\x8b\x08\x04" and head[12:14] == b"BC"


def misfit(fasta: Path, index: Path) -> str | None:
    """Say why an index does not fit its FASTA, or None when it does.

    Each contig must begin behind its header line, break its first line where the index says, and
    end where only blanks precede the next header or the end of the file.  (An index that is out
    of date would give wrong bases without a word.)
    """
    rows: list[tuple[str, int, int, int, int]] = []
    for line in index.read_text(encoding="utf-8", errors="replace").splitlines():
        fields = line.split("\t")
        if len(fields) < 5 or not all(re.fullmatch(r"[0-9]+", f) for f in fields[1:5]):
            return f"it has the row {line[:40]!r}"
        length, offset, bases, width = map(int, fields[1:5])
        rows.append((fields[0], length, offset, bases, width))
    if not rows:
        return "it is empty"
    with _open(fasta) as handle:
        reached = 0
        for name, length, offset, bases, width in sorted(rows, key=lambda row: row[2]):
            if not 0 < offset - reached <= 1 << 20:
                return f"contig {name!r} is elsewhere"
            handle.seek(reached)
            head = handle.read(offset - reached)
            # Comments may stand before the first contig, nothing between contigs.
            header = _HEADER.search(head) if reached == 0 else _HEADER.fullmatch(head)
            if header is None or header.group(1) != name.encode():
                return f"contig {name!r} is elsewhere"
            full, rest = divmod(length, bases) if bases else (0, 0)
            if length and not rest:
                full, rest = full - 1, bases
            if full and not _LINE_BREAK.fullmatch(
                _read(handle, offset + bases - 1, width - bases + 1)
            ):
                return f"contig {name!r} has lines of another length"
            reached = offset + full * width + rest
            if length and not _read(handle, reached - 1, 1).strip():
                return f"contig {name!r} has another length"
        if handle.read(1 << 10).strip():
            return f"contig {name!r} has another length"
    return None


def _read(handle: IO[bytes], start: int, number: int) -> bytes:
    handle.seek(start)
    return handle.read(max(0, number))


def _open(fasta: Path) -> IO[bytes]:
    with open(fasta, "rb") as handle:
        packed = handle.read(2) == b"\x1f\x8b"
    return gzip.open(fasta, "rb") if packed else open(fasta, "rb")  # type: ignore[return-value]


def _check_plain(path: Path, head: bytes, shown: Path) -> None:
    if head.lstrip()[:1] not in (b">", b";"):
        raise FormatError("does not start with '>'", where=shown, expected="a FASTA file")
    if path.name.lower().endswith(_PACKED_NAMES):
        raise FormatError(
            f"is not compressed, although its name ends in {path.suffix}",
            where=shown,
            remedy="rename it",
        )


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
        reason = "permission denied"
    except OSError as error:
        writable, reason = False, str(error.strerror)
    if not writable:
        raise FtS2aError(
            f"the cache folder cannot be written to ({reason})",
            where=folder,
            remedy="set FT_S2A_CACHE to a folder that you can write to",
        )


def _unpack(packed: Path, plain: Path) -> None:
    try:
        with (
            atomic_path(plain, overwrite=True) as temporary,
            gzip.open(packed, "rb") as source,
            open(temporary, "wb") as target,
        ):
            shutil.copyfileobj(source, target, 1 << 20)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise FormatError(
            f"is not a complete gzip file ({error})", where=packed, remedy="fetch it again"
        ) from error


def _build(plain: Path, index: Path, shown: Path) -> None:
    """Build ``.fai`` (and ``.gzi``) under temporary names: other processes may build them too."""
    from pyfaidx import Faidx

    with open(plain, "rb") as handle:
        head = handle.read(18)
    if not is_bgzip(head):
        _check_plain(plain, head, shown)
    _log.info("indexing %s", shown.name)
    with contextlib.ExitStack() as stack:
        # Left in reverse: the .fai, whose presence says that all is there, comes last.
        fai = stack.enter_context(atomic_path(index, overwrite=True))
        gzi = None
        if is_bgzip(head):
            gzi = stack.enter_context(atomic_path(index.with_suffix(".gzi"), overwrite=True))
        try:
            Faidx(str(plain), indexname=str(fai), gzi_indexname=gzi and str(gzi)).close()
            fault = misfit(plain, fai)
        except FtS2aError:
            raise
        except Exception as error:  # what a damaged file makes pyfaidx raise varies
            raise _unreadable(error, shown) from error
        if fault is not None:
            raise FormatError(f"cannot be read as FASTA ({fault})", where=shown, expected=_EXPECTED)
        # pyfaidx takes an index older than its FASTA for stale, whose clock may be ahead.
        newest = max(fai.stat().st_mtime_ns, plain.stat().st_mtime_ns)
        for file in filter(None, (fai, gzi)):
            os.utime(file, ns=(newest, newest))


def _unreadable(error: Exception, shown: Path) -> FormatError:
    detail = " ".join(str(error).split())[:160] or type(error).__name__
    return FormatError(f"cannot be read as FASTA ({detail})", where=shown, expected=_EXPECTED)
