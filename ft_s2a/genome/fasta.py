"""A genome in a FASTA file: plain, bgzip, or plain gzip (unpacked once into the cache)."""

from __future__ import annotations

import gzip
import hashlib
import logging
import os
import shutil
import zlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ft_s2a.conventions.atomic import atomic_path
from ft_s2a.conventions.cache import cache_dir
from ft_s2a.errors import FormatError, FtS2aError, require_file
from ft_s2a.genome import sequence
from ft_s2a.genome.contigs import check_contig

if TYPE_CHECKING:
    from pyfaidx import Faidx

_log = logging.getLogger(__name__)


class Genome:
    """Random access to the sequence of a FASTA file.

    Opening reads the index only (``.fai``); a missing index is built in the cache, never beside
    the FASTA.  Objects can be sent to other processes: each opens the file for itself.

    Parameters
    ----------
    fasta : str or Path
        Plain FASTA, bgzip (``.gz`` with blocks) or plain gzip.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "toy.fa"
    >>> _ = path.write_text(">a\\nACGTN\\nacgt\\n")
    >>> genome = Genome(path)
    >>> genome.sizes
    {'a': 9}
    >>> genome.codes("a", -2, 3).tolist()
    [4, 4, 0, 1, 2]
    """

    def __init__(self, fasta: str | Path) -> None:
        self.path = require_file(fasta, "FASTA file")
        if self.path.is_dir():
            raise FormatError("is a folder", where=self.path, expected="a FASTA file")
        self._plain, self._index = _prepare(self.path.resolve())
        self._handle: Faidx | None = None
        self._pid = -1
        self.sizes: dict[str, int] = {
            name: int(record.rlen) for name, record in self._file().index.items()
        }
        if not self.sizes:
            raise FormatError("holds no contig", where=self.path, expected="'>' header lines")

    def _file(self) -> Faidx:
        # A handle shared with a forked worker would share its file position.
        if self._handle is None or self._pid != os.getpid():
            self._handle, self._pid = _open(self._plain, self._index, self.path), os.getpid()
        return self._handle

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_handle": None, "_pid": -1}

    def __repr__(self) -> str:
        return f"Genome({str(self.path)!r}, {len(self.sizes)} contigs)"

    @property
    def indexed_fasta(self) -> tuple[Path, Path]:
        """The FASTA that is read (unpacked if it was gzip) and its ``.fai`` index."""
        return self._plain, self._index

    def letters(self, chrom: str, start: int, end: int) -> bytes:
        """Bases of ``[start, end)`` as written in the file, N beyond the contig's ends."""
        length = check_contig(chrom, self.sizes, where="request", of=str(self.path))
        left, right = max(0, start), min(end, length)
        if right <= left:
            return b"N" * max(0, end - start)
        text: str = self._file().fetch(chrom, left + 1, right)
        inside = text.encode("ascii", "replace")
        if len(inside) != right - left:
            raise FormatError(
                f"contig {chrom!r} gave {len(inside)} of {right - left} bases at {left}-{right}",
                where=self.path,
                remedy="the index does not fit the file: delete the .fai and try again",
            )
        foreign = sequence.foreign_letter(inside)
        if foreign is not None:
            raise FormatError(
                f"contig {chrom!r} holds {foreign!r} in {left}-{right}",
                where=self.path,
                expected="IUPAC nucleotide letters",
            )
        return b"N" * (left - start) + inside + b"N" * (end - right)

    def codes(self, chrom: str, start: int, end: int) -> NDArray[np.uint8]:
        """Codes A0 C1 G2 T3 N4 of ``[start, end)``, uint8 [end - start].

        N and any other IUPAC letter are 4; so is what lies past the contig's ends.

        Raises
        ------
        ContigError
            When the contig is unknown.
        """
        return sequence.encode(self.letters(chrom, start, end))

    def one_hot(self, chrom: str, start: int, end: int) -> NDArray[np.float32]:
        """One-hot rows (order ACGT) of ``[start, end)``, float32 [end - start, 4]."""
        return sequence.one_hot(self.codes(chrom, start, end))

    def checksum(self, chrom: str) -> str:
        """MD5 of the contig's upper-case letters (the M5 of SAM headers, hexadecimal)."""
        length = check_contig(chrom, self.sizes, where="request", of=str(self.path))
        digest = hashlib.md5(usedforsecurity=False)
        step = 1 << 22
        for start in range(0, length, step):
            digest.update(self.letters(chrom, start, min(start + step, length)).upper())
        return digest.hexdigest()


def _open(plain: Path, index: Path, shown: Path) -> Faidx:
    from pyfaidx import Faidx, FastaIndexingError, FetchError, IndexNotFoundError

    try:
        return Faidx(
            str(plain),
            indexname=str(index),
            gzi_indexname=str(index.with_suffix(".gzi")),
            as_raw=True,
        )
    except (FastaIndexingError, FetchError, IndexNotFoundError, ValueError, OSError) as error:
        raise FormatError(
            f"cannot be read as FASTA ({' '.join(str(error).split())[:160]})",
            where=shown,
            expected="FASTA with unique contig names and lines of equal length",
        ) from error


@lru_cache(maxsize=64)
def _key(path: Path, size: int, modified: int) -> str:
    return hashlib.sha256(f"{path}|{size}|{modified}".encode()).hexdigest()[:16]


def _prepare(path: Path) -> tuple[Path, Path]:
    """Give the file to read and the place of its index."""
    status = path.stat()
    folder = cache_dir() / "fasta" / _key(path, status.st_size, status.st_mtime_ns)
    with open(path, "rb") as handle:
        head = handle.read(18)
    if not head:
        raise FormatError("is empty", where=path, expected="FASTA")
    if head[:2] == b"\x1f\x8b" and not _is_bgzip(head):
        plain = folder / path.name.removesuffix(".gz")
        if not plain.exists():
            _log.info("unpacking %s into the cache (plain gzip has no random access)", path.name)
            _unpack(path, plain)
        return plain, plain.with_name(plain.name + ".fai")
    if head[:1] != b">" and not _is_bgzip(head):
        raise FormatError("does not start with '>'", where=path, expected="a FASTA file")
    beside = path.with_name(path.name + ".fai")
    if not _is_bgzip(head) and beside.exists() and beside.stat().st_mtime_ns >= status.st_mtime_ns:
        return path, beside
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FtS2aError(
            f"the cache folder cannot be made ({error.strerror})",
            where=folder,
            remedy="set FT_S2A_CACHE to a folder that you can write to",
        ) from error
    return path, folder / (path.name + ".fai")


def _is_bgzip(head: bytes) -> bool:
    return head[:4] == b"\x1f\x8b\x08\x04" and head[12:14] == b"BC"


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
