"""Regions: BED files and ``chrom:start-end`` strings, checked against a genome's contigs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ft_s2a.conventions.text import text_lines
from ft_s2a.errors import ContigError, FormatError
from ft_s2a.genome.contigs import check_contig
from ft_s2a.geometry import Interval, parse_locus


def open_text(path: str | Path) -> list[str]:
    """Lines of a text file, plain or gzip; see :func:`ft_s2a.conventions.text.text_lines`."""
    return [line for _, line in text_lines(path)]


def read_bed(
    path: str | Path, sizes: Mapping[str, int] | None = None, *, of: str = "the genome"
) -> list[Interval]:
    r"""Read a BED file of three or more columns; comments and browser lines are skipped.

    Parameters
    ----------
    path : str or Path
        BED, tab or blank separated, plain or gzip.
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

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.bed"
    >>> _ = path.write_text("II\t100\t200\tYBL001C\t0\t-\n")
    >>> read_bed(path)
    [Interval(chrom='II', start=100, end=200, name='YBL001C', strand='-')]
    """
    intervals: list[Interval] = []
    for number, fields in bed_rows(path):
        strand = fields[5] if len(fields) > 5 and fields[5] in ("+", "-") else "."
        name = fields[3] if len(fields) > 3 and fields[3] else "."
        interval = Interval(fields[0], int(fields[1]), int(fields[2]), name, strand)
        if sizes is not None:
            _check_inside(interval, sizes, where=f"{path}, row {number}", of=of)
        intervals.append(interval)
    if not intervals:
        raise FormatError("holds no region", where=path, expected="at least one BED row")
    return intervals


def bed_rows(path: str | Path) -> Iterator[tuple[int, list[str]]]:
    """Give the rows of a BED file as fields, after checking the first three.

    Yields
    ------
    tuple of (int, list of str)
        Row, counted from 1, and its fields; ``int(fields[1]) < int(fields[2])``.

    Raises
    ------
    FormatError
        Naming file and row.
    """
    for number, line in text_lines(path, "BED file"):
        if not line.strip() or line.startswith("#") or re.match(r"(track|browser)(\s|$)", line):
            continue
        fields = [f.strip() for f in line.split("\t")] if "\t" in line else line.split()
        if len(fields) < 3 or not fields[0] or not (_integer(fields[1]) and _integer(fields[2])):
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
        yield number, fields


def resolve_regions(
    sizes: Mapping[str, int],
    *,
    bed: str | Path | None = None,
    chroms: Sequence[str] = (),
    loci: Sequence[str] = (),
    of: str = "the genome",
) -> list[Interval]:
    """Collect regions from a BED file, contig names and loci; all contigs when nothing is named.

    Parameters
    ----------
    sizes : mapping of str to int
        Contig lengths.
    bed : str or Path, optional
        BED file.
    chroms, loci : sequence of str
        Contigs and ``chrom:start-end`` (0-based half-open).
    of : str
        What `sizes` belongs to, for messages.

    Returns
    -------
    list of Interval
        Rows of the BED file first, in the order given.

    Raises
    ------
    FormatError, ContigError, GeometryError
        Naming the file and row, or the text.

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
    return re.fullmatch(r"-?[0-9]+", text) is not None
