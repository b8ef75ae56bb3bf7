"""The only home of coordinate arithmetic: intervals, bins, windows, TSS.

Everything inside the package is 0-based and half-open; other conventions are converted here, at
the edge.  All quantities are base pairs unless a name says ``bins``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ft_s2a.errors import ContigError, GeometryError


@dataclass(frozen=True, order=True)
class Interval:
    """A piece of a contig, 0-based half-open: ``[start, end)``.

    `start` may be negative and `end` may lie past the contig: such bases read as N.

    Parameters
    ----------
    chrom : str
        Contig.
    start, end : int
        First base, and the one behind the last.
    name : str
        Column 4 of a BED file, ``.`` when it has none.
    strand : {'+', '-', '.'}
        Column 6 of a BED file, ``.`` when it has none.

    Examples
    --------
    >>> region = Interval("II", 100, 200)
    >>> len(region), region.centre, str(region)
    (100, 150, 'II:100-200')
    """

    chrom: str
    start: int
    end: int
    name: str = "."
    strand: str = "."

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise GeometryError(
                f"the interval {self.chrom}:{self.start}-{self.end} holds no base",
                expected="start < end (0-based, half-open)",
            )
        if self.strand not in ("+", "-", "."):
            raise GeometryError(
                f"strand {self.strand!r} of {self.chrom}:{self.start}-{self.end}",
                expected="'+', '-' or '.'",
            )

    def __len__(self) -> int:
        return self.end - self.start

    def __str__(self) -> str:
        return f"{self.chrom}:{self.start}-{self.end}"

    @property
    def centre(self) -> int:
        """The middle base (the right one of two)."""
        return (self.start + self.end) // 2

    def contains(self, other: Interval) -> bool:
        """Whether `other` lies wholly inside."""
        return self.chrom == other.chrom and self.start <= other.start and other.end <= self.end

    def overlaps(self, other: Interval) -> bool:
        """Whether at least one base is shared."""
        return self.chrom == other.chrom and self.start < other.end and other.start < self.end

    def clip(self, length: int) -> Interval:
        """Cut to ``[0, length)`` of a contig of `length` bp.

        Raises
        ------
        ContigError
            When nothing is left.
        """
        start, end = max(0, self.start), min(length, self.end)
        if end <= start:
            raise ContigError(
                f"{self} lies outside its contig", expected=f"positions in 0-{length}"
            )
        return Interval(self.chrom, start, end, self.name, self.strand)


@dataclass(frozen=True)
class Geometry:
    """How a network's input maps to its output bins.

    Parameters
    ----------
    input_length : int
        Input window in bp; a multiple of `bin_size`.
    bin_size : int
        Bases per output bin.
    crop_bins : int
        Bins dropped at each side of the output.

    Examples
    --------
    >>> basenji2 = Geometry(131_072, 128, 64)
    >>> basenji2.output_bins, basenji2.output_length
    (896, 114688)
    >>> basenji2.target_interval(0)
    (8192, 122880)
    >>> basenji2.bin_of(9000, grid_start=8192)
    6
    """

    input_length: int
    bin_size: int
    crop_bins: int

    def __post_init__(self) -> None:
        if self.bin_size < 1 or self.input_length < 1 or self.crop_bins < 0:
            raise GeometryError(
                f"input length {self.input_length}, bin size {self.bin_size}, "
                f"crop {self.crop_bins} bins",
                expected="positive lengths and a crop of 0 or more bins",
            )
        if self.input_length % self.bin_size:
            lower = self.input_length // self.bin_size * self.bin_size
            raise GeometryError(
                f"input length {self.input_length} is not a multiple of bin size {self.bin_size}",
                remedy=f"use {max(lower, self.bin_size)} or {lower + self.bin_size}",
            )
        if self.output_bins < 1:
            raise GeometryError(
                f"{self.input_bins} bins cropped by {self.crop_bins} at each side leave none",
                expected=f"a crop of at most {(self.input_bins - 1) // 2} bins",
            )

    @property
    def input_bins(self) -> int:
        """Bins of the whole input."""
        return self.input_length // self.bin_size

    @property
    def output_bins(self) -> int:
        """Bins of the output: ``input_length / bin_size - 2 * crop_bins``."""
        return self.input_bins - 2 * self.crop_bins

    @property
    def output_length(self) -> int:
        """Length of the output in bp."""
        return self.output_bins * self.bin_size

    @property
    def crop(self) -> int:
        """Length cropped at each side in bp."""
        return self.crop_bins * self.bin_size

    def target_interval(self, input_start: int) -> tuple[int, int]:
        """Interval ``(start, end)`` of the output of the input window that starts there."""
        start = input_start + self.crop
        return start, start + self.output_length

    def input_interval(self, target_start: int) -> tuple[int, int]:
        """Input window ``(start, end)`` whose first output bin starts at `target_start`."""
        start = target_start - self.crop
        return start, start + self.input_length

    def bin_of(self, position: int, grid_start: int) -> int:
        """Bin of a base on the grid that starts at `grid_start`; negative before it."""
        return (position - grid_start) // self.bin_size

    def bin_interval(self, index: int, grid_start: int) -> tuple[int, int]:
        """Interval of bin `index` of the grid that starts at `grid_start`."""
        start = grid_start + index * self.bin_size
        return start, start + self.bin_size

    def tile(self, start: int, end: int) -> list[int]:
        """Cover ``[start, end)`` with abutting outputs, one grid anchored at `start`.

        The last window may extend past `end`; its surplus bins are to be dropped.

        Returns
        -------
        list of int
            Target starts: the outputs are ``[t, t + output_length)``.

        Raises
        ------
        GeometryError
            When the region holds no base.

        Examples
        --------
        >>> Geometry(512, 128, 1).tile(0, 600)
        [0, 256, 512]
        """
        if end <= start:
            raise GeometryError(f"the region {start}-{end} holds no base")
        return list(range(start, end, self.output_length))

    def centred_on(self, position: int) -> int:
        """Target start that puts `position` at the first base of bin ``output_bins // 2``."""
        return position - (self.output_bins // 2) * self.bin_size

    def bins_covering(self, start: int, end: int) -> int:
        """Bins of a grid anchored at `start` that cover ``[start, end)``; see `count_bins`."""
        return count_bins(start, end, self.bin_size)


def count_bins(start: int, end: int, bin_size: int) -> int:
    """Bins of a grid anchored at `start` that cover ``[start, end)``; the last may be partial.

    Raises
    ------
    GeometryError
        When `end` lies before `start`, or `bin_size` is not positive.

    Examples
    --------
    >>> count_bins(100, 400, 128)
    3
    """
    _check_grid(start, end, bin_size)
    return -(-(end - start) // bin_size)


def bin_edges(start: int, end: int, bin_size: int) -> Iterator[tuple[int, int]]:
    """Give the bins of ``[start, end)``; the last keeps its true span.

    Examples
    --------
    >>> list(bin_edges(0, 300, 128))
    [(0, 128), (128, 256), (256, 300)]
    """
    _check_grid(start, end, bin_size)
    for left in range(start, end, bin_size):
        yield left, min(left + bin_size, end)


def _check_grid(start: int, end: int, bin_size: int) -> None:
    if bin_size < 1:
        raise GeometryError(f"a bin size of {bin_size}", expected="1 bp or more")
    if end < start:
        raise GeometryError(f"the region {start}-{end} ends before it starts")


def from_one_based(start: int, end: int) -> tuple[int, int]:
    """Convert a 1-based closed interval (GFF, GTF, locus strings) to 0-based half-open.

    Examples
    --------
    >>> from_one_based(1, 10)
    (0, 10)
    """
    return start - 1, end


def to_one_based(start: int, end: int) -> tuple[int, int]:
    """Convert a 0-based half-open interval to 1-based closed (locus strings, GFF).

    Examples
    --------
    >>> to_one_based(0, 10)
    (1, 10)
    """
    return start + 1, end


def parse_locus(text: str) -> tuple[str, int | None, int | None]:
    """Read ``chrom`` or ``chrom:start-end`` written 0-based half-open.

    Commas in numbers are allowed.  The contig's name may hold a colon when a span follows.

    Returns
    -------
    tuple
        Contig, start and end; the last two are None for a whole contig.

    Raises
    ------
    GeometryError
        When the text is neither.

    Examples
    --------
    >>> parse_locus("XVI:853,000-948066")
    ('XVI', 853000, 948066)
    >>> parse_locus("II")
    ('II', None, None)
    """
    chrom, colon, span = text.rpartition(":")
    if not colon:
        return text, None, None
    left, dash, right = span.replace(",", "").replace("_", "").partition("-")
    if not (dash and chrom and re.fullmatch(r"[0-9]+", left) and re.fullmatch(r"[0-9]+", right)):
        raise GeometryError(
            f"cannot read the region {text!r}", expected="CHROM or CHROM:START-END (0-based)"
        )
    if int(right) <= int(left):
        raise GeometryError(f"the region {text!r} holds no base", expected="START < END")
    return chrom, int(left), int(right)


def format_locus(interval: Interval) -> str:
    """Write the locus as genome browsers read it: 1-based, closed, no commas.

    Examples
    --------
    >>> format_locus(Interval("II", 0, 100))
    'II:1-100'
    """
    start, end = to_one_based(max(0, interval.start), interval.end)
    return f"{interval.chrom}:{start}-{end}"


def tss_of(start: int, end: int, strand: str) -> int:
    """Transcription start site of a feature: ``start`` on +, ``end - 1`` on - (0-based).

    Raises
    ------
    GeometryError
        Without a strand.

    Examples
    --------
    >>> tss_of(100, 200, "+"), tss_of(100, 200, "-")
    (100, 199)
    """
    if strand == "+":
        return start
    if strand == "-":
        return end - 1
    raise GeometryError(f"strand {strand!r} has no start site", expected="'+' or '-'")


def merge(intervals: Iterable[Interval]) -> list[Interval]:
    """Join intervals that overlap or touch; sorted by contig name and start.

    Names and strands are dropped.

    Examples
    --------
    >>> merge([Interval("a", 5, 9), Interval("a", 0, 5), Interval("b", 0, 1)])
    [Interval(chrom='a', start=0, end=9, name='.', strand='.'), \
Interval(chrom='b', start=0, end=1, name='.', strand='.')]
    """
    joined: list[Interval] = []
    for interval in sorted(intervals, key=lambda i: (i.chrom, i.start, i.end)):
        last = joined[-1] if joined else None
        if last is not None and last.chrom == interval.chrom and interval.start <= last.end:
            joined[-1] = Interval(last.chrom, last.start, max(last.end, interval.end))
        else:
            joined.append(Interval(interval.chrom, interval.start, interval.end))
    return joined


def subtract(interval: Interval, taken: Iterable[Interval]) -> list[Interval]:
    """What is left of `interval` outside the intervals in `taken`, in order; maybe nothing.

    Names and strands are dropped.

    Examples
    --------
    >>> [str(i) for i in subtract(Interval("a", 0, 10), [Interval("a", 3, 5)])]
    ['a:0-3', 'a:5-10']
    """
    left: list[Interval] = []
    position = interval.start
    for other in merge([t for t in taken if t.overlaps(interval)]):
        if other.start > position:
            left.append(Interval(interval.chrom, position, other.start))
        position = max(position, other.end)
    if position < interval.end:
        left.append(Interval(interval.chrom, position, interval.end))
    return left
