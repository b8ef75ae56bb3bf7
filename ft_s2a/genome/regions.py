"""Regions: BED files and ``chrom:start-end`` strings, checked against a genome's contigs."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path

from ft_s2a.errors import ContigError, FormatError, require_file
from ft_s2a.genome.contigs import check_contig
from ft_s2a.geometry import Interval, parse_locus


def open_text(path: str | Path) -> list[str]:
    """Lines of a text file, unpacked when its name ends in .gz."""
    found = require_file(path)
    try:
        raw = gzip.decompress(found.read_bytes()) if found.suffix == ".gz" else found.read_bytes()
        return raw.decode("utf-8").splitlines()
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError, IsADirectoryError) as error:
        raise FormatError(f"cannot be read as text ({error})", where=found) from error


def read_bed(
    path: str | Path, sizes: Mapping[str, int] | None = None, *, of: str = "the genome"
) -> list[Interval]:
    """Read a BED file of three or more columns; comments and browser lines are skipped.

    Parameters
    ----------
    path : str or Path
        BED, tab or blank separated, optionally ``.gz``.
    sizes : mapping of str to int, optional
        Contig lengths to check against: unknown contigs and ends past a contig are errors.
    of : str
        What `sizes` belongs to, for messages.

    Returns
    -------
    list of Interval
        In file order; column 4 is the name, column 6 the strand where present.

    Raises
    ------
    FormatError, ContigError
        Naming file and row.
    """
    intervals: list[Interval] = []
    for number, line in enumerate(open_text(path), start=1):
        if not line.strip() or line.startswith(("#", "track", "browser")):
            continue
        fields = line.split("\t") if "\t" in line else line.split()
        if len(fields) < 3 or not _integer(fields[1]) or not _integer(fields[2]):
            raise FormatError(
                f"row {number} is {line[:60]!r}",
                where=path,
                expected="contig, start and end, tab separated (BED, 0-based half-open)",
            )
        start, end = int(fields[1]), int(fields[2])
        if start < 0 or end <= start:
            raise FormatError(
                f"row {number}: {fields[0]}:{start}-{end} holds no base",
                where=path,
                expected="0 <= start < end",
            )
        strand = fields[5] if len(fields) > 5 and fields[5] in ("+", "-") else "."
        name = fields[3] if len(fields) > 3 and fields[3] else "."
        interval = Interval(fields[0], start, end, name, strand)
        if sizes is not None:
            _check_inside(interval, sizes, where=f"{path}, row {number}", of=of)
        intervals.append(interval)
    if not intervals:
        raise FormatError("holds no region", where=path, expected="at least one BED row")
    return intervals


def resolve_regions(
    sizes: Mapping[str, int],
    *,
    bed: str | Path | None = None,
    chroms: Sequence[str] = (),
    loci: Sequence[str] = (),
    of: str = "the genome",
) -> list[Interval]:
    """Collect regions from a BED file, contig names and loci; all contigs when nothing is named.

    Examples
    --------
    >>> [str(r) for r in resolve_regions({"I": 10, "II": 20}, chroms=["II"])]
    ['II:0-20']
    """
    regions: list[Interval] = []
    if bed is not None:
        regions += read_bed(bed, sizes, of=of)
    for text in (*chroms, *loci):
        whole = text in sizes
        chrom, start, end = (text, None, None) if whole else parse_locus(text)
        length = check_contig(chrom, sizes, where=f"region {text!r}", of=of)
        if start is None or end is None:
            regions.append(Interval(chrom, 0, length))
        else:
            interval = Interval(chrom, start, end)
            _check_inside(interval, sizes, where=f"region {text!r}", of=of)
            regions.append(interval)
    if bed is None and not chroms and not loci:
        regions = [Interval(name, 0, length) for name, length in sizes.items()]
    return regions


def _check_inside(
    interval: Interval, sizes: Mapping[str, int], *, where: str | Path, of: str
) -> None:
    length = check_contig(interval.chrom, sizes, where=where, of=of)
    if interval.end > length:
        raise ContigError(
            f"{interval} reaches past the end of {interval.chrom!r}, which has {length:,} bp in "
            f"{of}",
            where=where,
            remedy="cut the region, or use the assembly it was made for",
        )


def _integer(text: str) -> bool:
    bare = text.strip()
    return bare.removeprefix("-").isdigit()
