"""Contig lengths from whatever file states them."""

from __future__ import annotations

from pathlib import Path

from ft_s2a.errors import FormatError, require_file
from ft_s2a.genome.bigwig import BigWig
from ft_s2a.genome.contigs import read_sizes
from ft_s2a.genome.fasta import Genome

_BIGWIG = (".bw", ".bigwig")


def contig_lengths(path: str | Path) -> dict[str, int]:
    r"""Read contig names and lengths, in file order.

    Parameters
    ----------
    path : str or Path
        ``chrom.sizes`` or ``.fai``; or a FASTA (plain, bgzip or gzip), or a bigWig.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "toy.fa"
    >>> _ = path.write_text(">a\nACGTN\n>b\nAC\n")
    >>> contig_lengths(path)
    {'a': 5, 'b': 2}
    """
    found = require_file(path, "chromosome sizes file")
    if found.suffix.lower() in _BIGWIG:
        with BigWig(found) as opened:
            return dict(opened.sizes)
    if is_fasta(found):
        return dict(Genome(found).sizes)
    return read_sizes(found)


def is_fasta(path: str | Path) -> bool:
    """Whether a file is FASTA, and not one that states lengths only."""
    found = require_file(path, "chromosome sizes file")
    if found.is_dir():
        raise FormatError("is a folder", where=found, expected="a FASTA, chrom.sizes or bigWig")
    if found.suffix.lower() in _BIGWIG:
        return False
    with open(found, "rb") as handle:
        head = handle.read(2)
    return head[:1] == b">" or head == b"\x1f\x8b"
