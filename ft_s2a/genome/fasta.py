"""A genome in a FASTA file: plain, bgzip, or plain gzip (unpacked once into the cache)."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ft_s2a.errors import FormatError, GeometryError, require_file
from ft_s2a.genome import sequence
from ft_s2a.genome.contigs import check_contig
from ft_s2a.genome.faidx import open_faidx, prepare

if TYPE_CHECKING:
    from pyfaidx import Faidx


class Genome:
    r"""Random access to the sequence of a FASTA file.

    Opening reads the index only (``.fai``); a missing index is built in the cache, never beside
    the FASTA.  Objects can be sent to other processes: each opens the file for itself.

    Parameters
    ----------
    fasta : str or Path
        Plain FASTA, bgzip (``.gz`` with blocks) or plain gzip.

    Attributes
    ----------
    path : Path
        The file that was named.
    sizes : dict of str to int
        Contig lengths in bp, in file order; contigs without bases are left out.

    Raises
    ------
    MissingFileError, FormatError
        When it is missing, empty, no FASTA, cut off, or has lines of unequal length or two
        contigs of one name.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "toy.fa"
    >>> _ = path.write_text(">a\nACGTN\nacgt\n")
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
        self._plain, self._index = prepare(self.path.resolve())
        self._handle: Faidx | None = None
        self._pid = -1
        self.sizes: dict[str, int] = {
            name: int(record.rlen) for name, record in self._file().index.items() if record.rlen > 0
        }
        if not self.sizes:
            raise FormatError("holds no base", where=self.path, expected="contigs with sequence")

    def _file(self) -> Faidx:
        # A handle shared with a forked worker would share its file position.
        if self._handle is None or self._pid != os.getpid():
            self._handle = open_faidx(self._plain, self._index, self.path)
            self._pid = os.getpid()
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
        """Bases of ``[start, end)`` as written in the file, N beyond the contig's ends.

        Raises
        ------
        ContigError
            When the contig is unknown.
        FormatError
            When the file holds something that is no IUPAC letter.
        """
        left, right, inside = self._fetch(chrom, start, end)
        _check_letters(inside, sequence.foreign_letter(inside), chrom, self.path)
        return b"N" * (left - start) + inside + b"N" * (end - right)

    def codes(self, chrom: str, start: int, end: int) -> NDArray[np.uint8]:
        """Codes A0 C1 G2 T3 N4 of ``[start, end)``, uint8 [end - start].

        N and any other IUPAC letter are 4; so is what lies past the contig's ends.

        Raises
        ------
        ContigError
            When the contig is unknown.
        FormatError
            When the file holds something that is no IUPAC letter.
        """
        left, right, inside = self._fetch(chrom, start, end)
        found = sequence.strict_codes(inside)
        if len(found) and found.max() > sequence.N_CODE:
            _check_letters(inside, sequence.foreign_letter(inside), chrom, self.path)
        if len(found) == end - start:
            return found
        codes = np.full(end - start, sequence.N_CODE, dtype=np.uint8)
        codes[left - start : right - start] = found
        return codes

    def one_hot(self, chrom: str, start: int, end: int) -> NDArray[np.float32]:
        """One-hot rows (order ACGT) of ``[start, end)``, float32 [end - start, 4]."""
        return sequence.one_hot(self.codes(chrom, start, end))

    def checksum(self, chrom: str) -> str:
        """MD5 of the contig's upper-case letters (the M5 of SAM headers, hexadecimal)."""
        length = check_contig(chrom, self.sizes, where=self.path, of="this FASTA")
        digest = hashlib.md5(usedforsecurity=False)
        step = 1 << 22
        for start in range(0, length, step):
            digest.update(self.letters(chrom, start, min(start + step, length)).upper())
        return digest.hexdigest()

    def _fetch(self, chrom: str, start: int, end: int) -> tuple[int, int, bytes]:
        """Give the part of ``[start, end)`` that lies in the contig, and its letters."""
        length = check_contig(chrom, self.sizes, where=self.path, of="this FASTA")
        if end < start:
            raise GeometryError(f"the region {chrom}:{start}-{end} ends before it starts")
        left = min(max(0, start), end)
        right = max(min(end, length), left)
        if right == left:
            return left, left, b""
        try:
            inside = self._file().fetch(chrom, left + 1, right).encode()
        except (ValueError, OSError) as error:  # not UTF-8, or a damaged block
            raise FormatError(
                f"{chrom}:{left}-{right} cannot be read ({error})",
                where=self.path,
                remedy="the file may be damaged: fetch it again",
            ) from error
        if len(inside) != right - left:
            raise FormatError(
                f"{chrom}:{left}-{right} gave {len(inside):,} of {right - left:,} bases",
                where=self.path,
                remedy="the file changed while it was open, or is damaged: open it again",
            )
        return left, right, inside


def _check_letters(letters: bytes, foreign: str | None, chrom: str, path: Path) -> None:
    if foreign is not None:
        at = letters.index(foreign.encode("latin-1"))
        raise FormatError(
            f"contig {chrom!r} holds {foreign!r} in ...{letters[max(0, at - 5) : at + 6]!r}",
            where=path,
            expected="IUPAC nucleotide letters",
        )
