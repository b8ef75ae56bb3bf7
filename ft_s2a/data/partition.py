"""Split one or more genomes by blocks, homologous sequence kept together."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ft_s2a.data import blocks as blocking
from ft_s2a.data.blocks import SHORTEST_GAP, Block
from ft_s2a.data.homology import Aligned, connect, crossing, read_aligned
from ft_s2a.data.splits import SPLITS, Splits
from ft_s2a.errors import DataError, near_miss
from ft_s2a.genome.fasta import Genome
from ft_s2a.genome.lengths import contig_lengths, is_fasta
from ft_s2a.geometry import Interval, merge

_log = logging.getLogger(__name__)

# Published: how much of what a split lacks one unit may take.
_SKIP, _SKIP_CONNECTED = 0.2, 0.5


@dataclass(frozen=True)
class Partition:
    """What :func:`split_genomes` found.

    Attributes
    ----------
    splits : dict of str to dict
        Genome -> split or fold -> intervals, in the order of the genome's contigs; neighbouring
        blocks of one split are joined.
    blocks, components : int
        Number of blocks, and of units (connected blocks) that were given to splits.
    largest : float
        Share of the largest unit in all bp that are split together.
    crossing : int
        Aligned pairs, of those named, whose sides touch two splits.
    """

    splits: dict[str, Splits]
    blocks: int
    components: int
    largest: float
    crossing: int

    def rows(self) -> list[dict[str, object]]:
        """One row for each genome and split: intervals, bp, share of the genome's split bp."""
        rows: list[dict[str, object]] = []
        for genome, splits in self.splits.items():
            lengths = {name: sum(map(len, kept)) for name, kept in splits.items()}
            rows += [
                {
                    "genome": genome,
                    "split": name,
                    "intervals": len(splits[name]),
                    "bp": length,
                    "share": length / sum(lengths.values()),
                }
                for name, length in lengths.items()
            ]
        return rows


def split_genomes(
    genomes: Mapping[str, str | Path],
    *,
    gaps: Mapping[str, str | Path] | None = None,
    connected: str | Path | None = None,
    folds: int | None = None,
    valid: float = 0.1,
    test: float = 0.1,
    shortest: int = 131_072,
    longest: int = 786_432,
    min_gap: int = SHORTEST_GAP,
    min_aligned: int = 100_000,
    min_overlap: int = 1,
    seed: int = 1,
) -> Partition:
    """Give blocks of genomes to train, valid and test, or to folds.

    Contigs are cut at gaps, pieces below `shortest` left out, long ones halved; blocks that an
    aligned pair of intervals connects go together.  Without `connected`, each genome is split on
    its own.

    Parameters
    ----------
    genomes : mapping of str to path
        Name -> FASTA, chrom.sizes, .fai or bigWig.
    gaps : mapping of str to path, optional
        Genome -> BED of gaps.  A genome without one has the gaps that are runs of N in its FASTA.
    connected : path, optional
        Table of aligned intervals, see :func:`ft_s2a.data.homology.read_aligned`.
    folds : int, optional
        Number of folds, instead of train, valid and test.
    valid, test : float
        Fractions of all bp.
    shortest, longest : int
        Bounds of a block in bp.
    min_gap : int
        Shortest run of N (bp) that is a gap; 0 for none.
    min_aligned, min_overlap : int
        See :func:`ft_s2a.data.homology.connect`.
    seed : int

    Returns
    -------
    Partition

    Raises
    ------
    FtS2aError
        Naming file and row, or the option that cannot be.

    Examples
    --------
    ::

        split_genomes({"human": "hg38.fa", "mouse": "mm10.fa"}, connected="aligned.tsv", folds=8)
    """
    shares = _check(folds, valid, test, seed, min_gap, min_aligned, min_overlap)
    gaps = {} if gaps is None else gaps
    for name in gaps:
        if name not in genomes:
            raise DataError(
                f"gaps of genome {name!r}, which --genome does not name",
                where="--gaps",
                remedy=near_miss(name, genomes),
            )
    sizes = {name: contig_lengths(path) for name, path in genomes.items()}
    # Before the sequence is gone through: a mistake is told at once.
    pairs = [] if connected is None else read_aligned(connected, sizes)
    blocks: list[Block] = []
    for name, path in genomes.items():
        found = _gaps(name, path, sizes[name], gaps.get(name), min_gap)
        made = blocking.make_blocks(
            sizes[name], found, shortest=shortest, longest=longest, of=str(path)
        )
        blocks += [Block(name, interval) for interval in made]
    units = connect(blocks, pairs, min_aligned=min_aligned, min_overlap=min_overlap)
    together = [list(genomes)] if connected is not None else [[name] for name in genomes]
    labels = [""] * len(blocks)
    largest = 0.0
    for group in together:
        chosen = [unit for unit in units if blocks[unit[0]].genome in group]
        lengths = [sum(len(blocks[index]) for index in unit) for unit in chosen]
        assigned = _assign(lengths, shares, folds, seed, group, connected is not None)
        for unit, label in zip(chosen, assigned, strict=True):
            for index in unit:
                labels[index] = label
        largest = max(largest, max(lengths) / sum(lengths))
    crossed = _report(blocks, units, labels, pairs, largest, shares, folds)
    splits = {name: _joined(name, blocks, labels, sizes[name]) for name in genomes}
    return Partition(splits, len(blocks), len(units), largest, crossed)


def _check(
    folds: int | None,
    valid: float,
    test: float,
    seed: int,
    min_gap: int,
    min_aligned: int,
    min_overlap: int,
) -> dict[str, float]:
    """Give the fractions by split after checking what can be checked without a file."""
    if seed < 0 or min_gap < 0 or min_aligned < 0 or min_overlap < 1:
        raise DataError(
            f"seed {seed}, min-gap {min_gap}, min-aligned {min_aligned}, min-overlap {min_overlap}",
            expected="0 or more, and an overlap of 1 bp or more",
        )
    if folds is not None:
        if folds < 2:
            raise DataError(f"--folds {folds}", expected="2 or more")
        return {}
    shares = {"valid": valid, "test": test}
    for name, share in shares.items():
        if not 0 <= share < 1:
            raise DataError(f"--{name} {share:g}", expected="a fraction from 0 to below 1")
    if not 0 < valid + test < 1:
        raise DataError(
            f"--valid {valid:g} and --test {test:g}",
            expected="fractions that leave some for training, not both 0",
        )
    return {name: share for name, share in shares.items() if share > 0}


def _gaps(
    name: str, path: str | Path, sizes: Mapping[str, int], bed: str | Path | None, min_gap: int
) -> list[Interval]:
    if bed is not None:
        found = blocking.read_gaps(bed, sizes, of=str(path))
        _log.info("%s: %d gaps in %s", name, len(found), bed)
        return found
    if not min_gap:
        return []
    if not is_fasta(path):
        _log.info(
            "%s: gaps are not known, since %s holds no sequence (see --gaps)", name, Path(path).name
        )
        return []
    found = blocking.runs_of_n(Genome(path), min_gap)
    _log.info("%s: %d gaps (runs of at least %d N in the FASTA)", name, len(found), min_gap)
    return found


def _assign(
    lengths: Sequence[int],
    shares: Mapping[str, float],
    folds: int | None,
    seed: int,
    group: Sequence[str],
    is_connected: bool,
) -> list[str]:
    purpose = "split " + " ".join(group)
    if folds is not None:
        wanted = [f"fold{index}" for index in range(folds)]
        labels = blocking.divide_into_folds(lengths, folds, seed=seed, purpose=purpose)
    else:
        wanted = ["train", *shares]
        skip = _SKIP_CONNECTED if is_connected else _SKIP
        labels = blocking.divide(lengths, shares, skip=skip, seed=seed, purpose=purpose)
    for name in wanted:
        if name not in labels:
            share = 1 / folds if folds is not None else shares.get(name, 0.0)
            what = "connected blocks" if is_connected else "blocks"
            raise DataError(
                f"{' and '.join(group)}: nothing is left for {name}: of {len(lengths)} {what} the "
                f"smallest has {min(lengths):,} bp, and {name} may have "
                f"{share * sum(lengths):,.0f} bp",
                remedy="lower --longest (and --shortest), or ask for larger or fewer splits",
            )
    return labels


def _report(
    blocks: Sequence[Block],
    units: Sequence[Sequence[int]],
    labels: Sequence[str],
    pairs: Sequence[Aligned],
    largest: float,
    shares: Mapping[str, float],
    folds: int | None,
) -> int:
    what = "connected component" if pairs else "block"
    among = f" in {len(units)} connected components" if pairs else ""
    _log.info(
        "%d blocks%s; the largest %s holds %.3g %% of the bp",
        len(blocks), among, what, 100 * largest,
    )  # fmt: skip
    smallest_share = 1 / folds if folds is not None else min(shares.values())
    if largest > smallest_share:
        _log.warning(
            "the largest %s holds %.3g %% of the bp, more than a split is to have (%.3g %%): the "
            "shares may be missed; %s",
            what, 100 * largest, 100 * smallest_share,
            "a higher --min-overlap or --min-aligned connects less" if pairs
            else "a lower --longest makes smaller blocks",
        )  # fmt: skip
    crossed, length = crossing(pairs, blocks, labels)
    if crossed:
        _log.info(
            "%d of %d aligned pairs (%d bp) touch two splits: they are below --min-aligned or "
            "--min-overlap", crossed, len(pairs), length,
        )  # fmt: skip
    return crossed


def _joined(
    genome: str, blocks: Sequence[Block], labels: Sequence[str], sizes: Mapping[str, int]
) -> Splits:
    order = {chrom: index for index, chrom in enumerate(sizes)}
    kept: Splits = {}
    for block, label in zip(blocks, labels, strict=True):
        if block.genome == genome:
            kept.setdefault(label, []).append(block.interval)
    # train, valid, test; or fold0 to fold9, fold10, ...
    names = sorted(kept, key=lambda n: SPLITS.index(n) if n in SPLITS else int(n[len("fold") :]))
    return {
        name: sorted(merge(kept[name]), key=lambda i: (order[i.chrom], i.start)) for name in names
    }
