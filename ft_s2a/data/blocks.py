"""Blocks of a genome: contigs cut at gaps, long ones halved, each for one split or fold."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ft_s2a.conventions.progress import track as progress
from ft_s2a.conventions.randomness import generator
from ft_s2a.errors import ContigError, DataError
from ft_s2a.genome.contigs import check_contig, same_contig
from ft_s2a.genome.fasta import Genome
from ft_s2a.genome.regions import bed_rows
from ft_s2a.geometry import Interval, subtract

_log = logging.getLogger(__name__)

# Runs of N from here on are gaps: 100 bp is what assemblies write for a gap of unknown length.
SHORTEST_GAP = 100

# Bases read at a time.
_STEP = 1 << 22


@dataclass(frozen=True, order=True)
class Block:
    """A piece of a genome that goes to one split as a whole."""

    genome: str
    interval: Interval

    def __len__(self) -> int:
        return len(self.interval)


def read_gaps(
    path: str | Path, sizes: Mapping[str, int], *, of: str, what: str = "gap"
) -> list[Interval]:
    """Read a BED file of assembly gaps; rows on contigs that the genome lacks are left out.

    Parameters
    ----------
    path : str or Path
        BED, plain or gzip; only the first three columns count.
    sizes : mapping of str to int
        Contig lengths of the genome.
    of : str
        The genome's file, for messages.
    what : str
        What the rows are, for messages.

    Returns
    -------
    list of Interval
        In file order; may be empty.

    Raises
    ------
    FormatError, ContigError
        Naming file and row: a contig that the genome knows under another name (chr1 and 1), a gap
        past a contig's end, or no contig of the genome at all.
    """
    gaps: list[Interval] = []
    foreign: list[tuple[int, str]] = []
    for number, fields in bed_rows(path):
        chrom, start, end = fields[0], int(fields[1]), int(fields[2])
        where = f"{path}, row {number}"
        if chrom not in sizes:
            if same_contig(chrom, sizes) is not None:
                check_contig(chrom, sizes, where=where, of=of)
            foreign.append((number, chrom))
            continue
        if end > sizes[chrom]:
            raise ContigError(
                f"the {what} {chrom}:{start}-{end} reaches past the end of {chrom!r}, which has "
                f"{sizes[chrom]:,} bp in {of}",
                where=where,
                remedy="use a file of the same assembly",
            )
        gaps.append(Interval(chrom, start, end))
    if foreign:
        number, chrom = foreign[0]
        if not gaps:
            check_contig(chrom, sizes, where=f"{path}, row {number}", of=of)
        _log.info("%s: %d rows on contigs that %s lacks are left out", path, len(foreign), of)
    return gaps


def find_gaps(source: str | Path, genome: Genome) -> list[Interval]:
    """Read gaps from a BED file (:func:`read_gaps`), or find them: ``auto``.

    Parameters
    ----------
    source : str or Path
        BED file, or ``auto`` for the runs of N in the FASTA (:func:`runs_of_n`).
    genome : Genome

    Returns
    -------
    list of Interval
    """
    if str(source) == "auto":
        return runs_of_n(genome)
    return read_gaps(source, genome.sizes, of=str(genome.path))


def runs_of_n(genome: Genome, shortest: int = SHORTEST_GAP) -> list[Interval]:
    r"""Find the runs of N (n) of at least `shortest` bp, in the order of the contigs.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "toy.fa"
    >>> _ = path.write_text(">a\nNNACGTnnnNAR\n")
    >>> [str(i) for i in runs_of_n(Genome(path), shortest=3)]
    ['a:6-10']
    """
    found: list[Interval] = []
    for chrom, length in progress(genome.sizes.items(), "looking for gaps", unit="contigs"):
        edges: list[NDArray[np.int64]] = []
        inside = False
        for start in range(0, length, _STEP):
            letters = np.frombuffer(
                genome.letters(chrom, start, min(start + _STEP, length)), dtype=np.uint8
            )
            is_n = (letters | 0x20) == ord("n")
            changed = np.flatnonzero(np.diff(is_n, prepend=inside))
            edges.append(changed + start)
            inside = bool(is_n[-1])
        # Runs begin and end in turn; the last may end with the contig.
        bounds = np.concatenate([*edges, [length] if inside else []]).astype(np.int64)
        runs = bounds.reshape(-1, 2)
        long_runs = runs[runs[:, 1] - runs[:, 0] >= shortest].tolist()
        found += [Interval(chrom, left, right) for left, right in long_runs]
    return found


def cut_at_gaps(intervals: Iterable[Interval], gaps: Iterable[Interval]) -> list[Interval]:
    """Take the gaps out of intervals, whose order is kept.

    Examples
    --------
    >>> pieces = cut_at_gaps([Interval("b", 0, 9), Interval("a", 0, 9)], [Interval("b", 3, 5)])
    >>> [str(i) for i in pieces]
    ['b:0-3', 'b:5-9', 'a:0-9']
    """
    of_contig: dict[str, list[Interval]] = {}
    for gap in gaps:
        of_contig.setdefault(gap.chrom, []).append(gap)
    return [piece for i in intervals for piece in subtract(i, of_contig.get(i.chrom, ()))]


def make_blocks(
    sizes: Mapping[str, int],
    gaps: Iterable[Interval] = (),
    *,
    shortest: int = 131_072,
    longest: int = 786_432,
    of: str = "the genome",
) -> list[Interval]:
    """Cut contigs at gaps, leave short pieces out and halve long ones until none is too long.

    Parameters
    ----------
    sizes : mapping of str to int
        Contig lengths.
    gaps : iterable of Interval
    shortest : int
        Pieces between gaps below this (bp) are left out: the input of a network does not fit.
    longest : int
        Blocks above this (bp) are halved.
    of : str
        What `sizes` belongs to, for messages.

    Returns
    -------
    list of Interval
        In the order of `sizes`, then by start.

    Raises
    ------
    DataError
        When no piece is long enough, or halving makes blocks below `shortest`.

    Examples
    --------
    >>> blocks = make_blocks({"a": 90, "b": 5}, [Interval("a", 30, 40)], shortest=10, longest=25)
    >>> [str(i) for i in blocks]
    ['a:0-15', 'a:15-30', 'a:40-65', 'a:65-90']
    """
    if shortest < 1 or longest < 2 * shortest:
        raise DataError(
            f"blocks of {shortest:,} to {longest:,} bp cannot be made by halving",
            expected="a shortest of 1 or more, and a longest of at least twice that",
        )
    pieces = cut_at_gaps((Interval(c, 0, n) for c, n in sizes.items()), gaps)
    kept = [piece for piece in pieces if len(piece) >= shortest]
    if not kept:
        most = max((len(piece) for piece in pieces), default=0)
        raise DataError(
            f"no contig is long enough: the longest piece without a gap has {most:,} bp",
            where=of,
            expected=f"at least {shortest:,} bp",
            remedy="lower --shortest (to the input length that the network needs)",
        )
    left_out = sum(map(len, pieces)) - sum(map(len, kept))
    if left_out:
        _log.info(
            "%s: %d pieces below %d bp are left out (%d bp of %d without gaps)",
            of, len(pieces) - len(kept), shortest, left_out, sum(map(len, pieces)),
        )  # fmt: skip
    return [block for piece in kept for block in _halve(piece, longest)]


def _halve(piece: Interval, longest: int) -> list[Interval]:
    if len(piece) <= longest:
        return [piece]
    middle = piece.start + len(piece) // 2
    left = Interval(piece.chrom, piece.start, middle)
    return _halve(left, longest) + _halve(Interval(piece.chrom, middle, piece.end), longest)


def divide(
    lengths: Sequence[int],
    shares: Mapping[str, float],
    *,
    rest: str = "train",
    skip: float = 0.2,
    seed: int = 0,
    purpose: str = "divide",
) -> list[str]:
    """Give each unit (block, or connected blocks) to a split, long ones first.

    The published rule: drawn with probabilities proportional to what each split still lacks; a
    unit that exceeds `skip` times what a split lacks is not for that split.  What a split then
    still lacks is moved to it from `rest`, the longest unit that fits first.  So no split exceeds
    its share, and each lacks less than the shortest unit of `rest`.

    Parameters
    ----------
    lengths : sequence of int
        bp of each unit.
    shares : mapping of str to float
        Split -> wanted fraction of all bp; the others are for `rest`.
    rest : str
        Split of all that is left.
    skip : float
        Published: 0.2 for one genome, 0.5 for connected genomes.
    seed, purpose : int, str
        Of the draws.

    Returns
    -------
    list of str
        A split for each unit.

    Examples
    --------
    >>> divide([10] * 10, {"valid": 0.1, "test": 0.2}).count("test")
    2
    """
    names = [rest, *shares]
    total = sum(lengths)
    aims = np.array([0.0, *(share * total for share in shares.values())])
    aims[0] = total - aims.sum()
    got = np.zeros(len(names))
    chosen = np.zeros(len(lengths), dtype=np.int64)
    random = generator(seed, purpose)
    order = _long_first(lengths, random)
    for index in order:
        lacks = np.maximum(aims - got, 0.0)
        lacks[1:][lengths[index] > skip * lacks[1:]] = 0.0
        lacks[0] = max(lacks[0], 1.0)
        chosen[index] = _draw(lacks, random)
        got[chosen[index]] += lengths[index]
    for index in order:
        # What is left over in `rest` is what the others lack: it never falls below its aim.
        lacks = aims - got
        most = 1 + int(np.argmax(lacks[1:])) if shares else 0
        if chosen[index] == 0 and most and lengths[index] < lacks[most] + 0.5:
            chosen[index] = most
            got[0] -= lengths[index]
            got[most] += lengths[index]
    return [names[i] for i in chosen]


def divide_into_folds(
    lengths: Sequence[int], folds: int, *, seed: int = 0, purpose: str = "folds"
) -> list[str]:
    """Give each unit to a fold, long ones first, so that the folds get about equal numbers of bp.

    Drawn with probabilities proportional to what each fold still lacks, among the folds that have
    room for the unit; without any, the emptiest fold takes it.  So no fold is further from its
    aim than the longest unit.

    Parameters
    ----------
    lengths : sequence of int
        bp of each unit.
    folds : int
        Number of folds.
    seed, purpose : int, str
        Of the draws.

    Returns
    -------
    list of str
        ``fold0``, ``fold1``, ... for each unit.

    Examples
    --------
    >>> sorted(divide_into_folds([5, 5, 5, 5], 2))
    ['fold0', 'fold0', 'fold1', 'fold1']
    """
    aim = -(-sum(lengths) // folds)
    got = np.zeros(folds)
    chosen = [""] * len(lengths)
    random = generator(seed, purpose)
    for index in _long_first(lengths, random):
        lacks = aim - got
        room = np.where(lacks >= lengths[index], lacks, 0.0)
        fold = _draw(room, random) if room.any() else int(np.argmax(lacks))
        chosen[index] = f"fold{fold}"
        got[fold] += lengths[index]
    return chosen


def _long_first(lengths: Sequence[int], random: np.random.Generator) -> list[int]:
    """Order by length, those of one length at random: not always the first contig's."""
    return [int(i) for i in np.lexsort((random.permutation(len(lengths)), -np.array(lengths)))]


def _draw(weights: NDArray[np.float64], random: np.random.Generator) -> int:
    edges = np.cumsum(weights)
    drawn = int(np.searchsorted(edges, random.random() * edges[-1], side="right"))
    return min(drawn, int(np.flatnonzero(weights)[-1]))
