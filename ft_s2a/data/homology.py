"""Homologous sequence in one split: blocks that an alignment connects stay together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ft_s2a.conventions.text import tsv_rows
from ft_s2a.data.blocks import Block
from ft_s2a.errors import ContigError, DataError, FormatError, near_miss
from ft_s2a.genome.contigs import check_contig
from ft_s2a.geometry import Interval

COLUMNS = (
    "genome_a", "chrom_a", "start_a", "end_a", "genome_b", "chrom_b", "start_b", "end_b",
)  # fmt: skip

Side = tuple[str, Interval]


@dataclass(frozen=True)
class Aligned:
    """Two homologous intervals, each with the name of its genome."""

    a: Side
    b: Side

    def __len__(self) -> int:
        """Length of the shorter one in bp."""
        return min(len(self.a[1]), len(self.b[1]))


def read_aligned(path: str | Path, genomes: Mapping[str, Mapping[str, int]]) -> list[Aligned]:
    r"""Read the table of aligned intervals.

    Parameters
    ----------
    path : str or Path
        Tab-separated, plain or gzip, with the columns `COLUMNS`; 0-based half-open.
    genomes : mapping of str to mapping
        Contig lengths of each genome.

    Returns
    -------
    list of Aligned
        In file order.

    Raises
    ------
    FormatError, ContigError, DataError
        Naming file and row: an unknown genome or contig, or an interval that holds no base or
        reaches past its contig.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "aligned.tsv"
    >>> _ = path.write_text("\t".join(COLUMNS) + "\nman\tI\t0\t5\tmouse\t1\t3\t9\n")
    >>> len(read_aligned(path, {"man": {"I": 9}, "mouse": {"1": 9}}))
    1
    """
    pairs = []
    for number, row in tsv_rows(path, COLUMNS, COLUMNS, "table of aligned intervals"):
        where = f"{path}, row {number}"
        a, b = (_side(row, letter, genomes, where) for letter in "ab")
        pairs.append(Aligned(a, b))
    return pairs


def _side(
    row: Mapping[str, str], letter: str, genomes: Mapping[str, Mapping[str, int]], where: str
) -> Side:
    genome, chrom = row[f"genome_{letter}"], row[f"chrom_{letter}"]
    if genome not in genomes:
        raise DataError(
            f"genome {genome!r} is not named by --genome",
            where=where,
            remedy=near_miss(genome, genomes),
        )
    length = check_contig(chrom, genomes[genome], where=where, of=f"genome {genome!r}")
    start, end = row[f"start_{letter}"], row[f"end_{letter}"]
    if not (start.isdecimal() and end.isdecimal() and int(start) < int(end)):
        raise FormatError(
            f"start_{letter} {start!r} and end_{letter} {end!r}",
            where=where,
            expected="0 <= start < end (0-based half-open)",
        )
    if int(end) > length:
        raise ContigError(
            f"{chrom}:{start}-{end} reaches past the end of {chrom!r}, which has {length:,} bp in "
            f"genome {genome!r}",
            where=where,
            remedy="use an alignment of the same assemblies",
        )
    return genome, Interval(chrom, int(start), int(end))


def connect(
    blocks: Sequence[Block], pairs: Iterable[Aligned], *, min_aligned: int = 0, min_overlap: int = 1
) -> list[list[int]]:
    """Group blocks so that no pair of aligned intervals has its sides in two groups.

    All blocks that either side of a pair overlaps are connected, if both sides overlap some;
    groups are the connected components.

    Parameters
    ----------
    blocks : sequence of Block
        Blocks that do not overlap, of one or more genomes.
    pairs : iterable of Aligned
    min_aligned : int
        Pairs whose shorter side is below this (bp) do not count.
    min_overlap : int
        Overlaps of a block and an aligned interval below this (bp) do not count.

    Returns
    -------
    list of list of int
        Indices of the blocks of each group, in the order of the groups' first blocks.

    Examples
    --------
    >>> blocks = [Block(g, Interval("1", s, s + 10)) for g in ("man", "mouse") for s in (0, 10)]
    >>> pair = Aligned(("man", Interval("1", 5, 9)), ("mouse", Interval("1", 11, 15)))
    >>> connect(blocks, [pair])
    [[0, 3], [1], [2]]
    """
    parent = list(range(len(blocks)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    finder = BlockFinder(blocks)
    for pair in pairs:
        if len(pair) < min_aligned:
            continue
        left, right = (finder.overlapping(side, min_overlap) for side in (pair.a, pair.b))
        if left and right:
            first, *others = (root(index) for index in (*left, *right))
            for other in others:
                # The smaller index leads: the groups do not depend on the order of the pairs.
                low, high = sorted((root(first), root(other)))
                parent[high] = low
    groups: dict[int, list[int]] = {}
    for index in range(len(blocks)):
        groups.setdefault(root(index), []).append(index)
    return list(groups.values())


class BlockFinder:
    """Finds the blocks that overlap an interval; the blocks do not overlap each other."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        rows: dict[tuple[str, str], list[tuple[int, int, int]]] = {}
        for index, block in enumerate(blocks):
            i = block.interval
            rows.setdefault((block.genome, i.chrom), []).append((i.start, i.end, index))
        self._tables: dict[tuple[str, str], NDArray[np.int64]] = {
            key: np.array(sorted(found), dtype=np.int64).T for key, found in rows.items()
        }

    def overlapping(self, side: Side, min_overlap: int = 1) -> list[int]:
        """Indices of the blocks that share at least `min_overlap` bp with an interval."""
        genome, interval = side
        table = self._tables.get((genome, interval.chrom))
        if table is None:
            return []
        starts, ends, indices = table
        first = int(np.searchsorted(ends, interval.start, side="right"))
        last = int(np.searchsorted(starts, interval.end, side="left"))
        shared = np.minimum(ends[first:last], interval.end) - np.maximum(
            starts[first:last], interval.start
        )
        return [int(i) for i in indices[first:last][shared >= min_overlap]]


def crossing(
    pairs: Iterable[Aligned], blocks: Sequence[Block], splits: Sequence[str]
) -> tuple[int, int]:
    """Count the aligned pairs that touch two splits: how many, and bp of their first sides."""
    finder = BlockFinder(blocks)
    number = length = 0
    for pair in pairs:
        a, b = ({splits[i] for i in finder.overlapping(side)} for side in (pair.a, pair.b))
        if a and b and len(a | b) > 1:
            number += 1
            length += len(pair.a[1])
    return number, length
