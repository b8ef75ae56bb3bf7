"""The baseline of an evaluation: what k-mer counts alone predict, fitted on regions of its own.

Nothing of it is learned from the regions that are scored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ft_s2a.errors import ConfigError, DataError
from ft_s2a.evaluation.binning import Grid
from ft_s2a.evaluation.kmer_ridge import ALPHAS, DEFAULT_ALPHA, FLANK, KmerRidge, fit_kmer_ridge
from ft_s2a.evaluation.kmers import GenomeCounts
from ft_s2a.evaluation.pairing import Pair
from ft_s2a.evaluation.regions import (
    Regions,
    contigs_of,
    parse_regions,
    refuse_overlaps,
    refuse_shared,
)
from ft_s2a.genome.bigwig import BigWig
from ft_s2a.genome.contigs import check_sizes
from ft_s2a.genome.fasta import Genome

Floats = NDArray[np.float64]

# Observed values and predictions of several tracks that are held at once.
_GROUP_BYTES = 1 << 28


def parse_baseline(name: str) -> int:
    """Read a baseline's name, ``kmer2`` to ``kmer6``, and give k.

    Six-letter words make 20,480 features: about 7 GB of memory and minutes per fit.

    Examples
    --------
    >>> parse_baseline("kmer4")
    4
    """
    found = re.fullmatch(r"kmer([2-6])", name)
    if found is None:
        raise ConfigError(f"no baseline {name!r}", expected="kmer2, kmer3, kmer4, kmer5 or kmer6")
    return int(found.group(1))


@dataclass(frozen=True)
class Baseline:
    """Everything that the baseline is fitted on.

    Parameters
    ----------
    name : str
        ``kmer4`` and the like: the `model` of its rows.
    k : int
        Length of the k-mers.
    genome : Genome
        Sequence.
    train : Grid
        Bins it is fitted on.
    valid : Grid or None
        Bins its penalty is chosen by.
    """

    name: str
    k: int
    genome: Genome
    train: Grid
    valid: Grid | None

    def describe(self, alphas: dict[str, float]) -> dict[str, Any]:
        """What was fitted, for the record."""
        return {
            "name": self.name,
            "model": "ridge of ln(1 + observed) on standardised stranded k-mer counts",
            "flank_bins": FLANK,
            "train": [str(region) for region in self.train.regions],
            "train_bins": len(self.train),
            "valid": None if self.valid is None else [str(r) for r in self.valid.regions],
            "alphas": [DEFAULT_ALPHA] if self.valid is None else list(ALPHAS),
            "alpha": alphas,
        }


def plan_baseline(
    name: str,
    *,
    fasta: str | Path | None,
    train: Regions,
    valid: Regions,
    scored: Grid,
    pairs: Sequence[Pair],
) -> Baseline:
    """Check what a baseline needs.

    Parameters
    ----------
    name : str
        ``kmer2`` to ``kmer6``.
    fasta : str or Path or None
        Genome.
    train, valid : regions
        Where it is fitted; where its penalty is chosen (may be empty).
    scored : Grid
        Bins that are scored: none of them may be trained on.
    pairs : sequence of Pair
        Tracks; their observed files must have the training contigs.
    """
    k = parse_baseline(name)
    if fasta is None:
        raise ConfigError(f"the baseline {name} needs the genome", remedy="name it with --fasta")
    if not train:
        raise ConfigError(
            f"the baseline {name} has no training regions",
            expected="regions that are not scored",
            remedy="name them with --train (a BED file, contigs or CHROM:START-END)",
        )
    genome = Genome(fasta)
    fitted = parse_regions(train, genome.sizes, of=str(fasta))
    chosen = parse_regions(valid, genome.sizes, of=str(fasta)) if valid else []
    refuse_overlaps(fitted, where="the training regions")
    refuse_overlaps(chosen, where="the validation regions")
    refuse_shared(scored.regions, fitted, names=("scored", "trained on"))
    refuse_shared(scored.regions, chosen, names=("scored", "validated on"))
    refuse_shared(chosen, fitted, names=("validated on", "trained on"))
    needed = contigs_of([*scored.regions, *fitted, *chosen])
    for path in dict.fromkeys(pair.observed.file for pair in pairs):
        with BigWig(path) as opened:
            check_sizes(opened.sizes, genome.sizes, where=path, of=str(genome.path), contigs=needed)
    return Baseline(
        name,
        k,
        genome,
        Grid(tuple(fitted), scored.bin_size),
        Grid(tuple(chosen), scored.bin_size) if chosen else None,
    )


def predict_baseline(
    plan: Baseline, pairs: Sequence[Pair], scored: Grid
) -> Iterator[tuple[Floats, float]]:
    """Fit and predict, track by track: (float64 [bins] in observed units, penalty).

    Tracks are fitted in groups, so that memory does not grow with their number.
    """
    bins = len(scored) + len(plan.train) + (len(plan.valid) if plan.valid else 0)
    size = max(1, _GROUP_BYTES // (8 * bins))
    for first in range(0, len(pairs), size):
        group = pairs[first : first + size]
        ridge = _fit(plan, group)
        predicted = ridge.predict(GenomeCounts(plan.genome, scored))
        for column, alpha in enumerate(ridge.alpha):
            yield predicted[:, column], alpha


def _fit(plan: Baseline, pairs: Sequence[Pair]) -> KmerRidge:
    parts: list[tuple[GenomeCounts, Floats]] = []
    for name, grid in (("training", plan.train), ("validation", plan.valid)):
        if grid is None:
            continue
        values = np.empty((len(grid), len(pairs)), dtype=np.float64)
        for column, pair in enumerate(pairs):
            with BigWig(pair.observed.file) as opened:
                values[:, column] = grid.read(opened, missing=pair.missing)
            _check_values(values[:, column], pair, name)
        parts.append((GenomeCounts(plan.genome, grid), values))
    return fit_kmer_ridge(parts[0], k=plan.k, valid=parts[1] if len(parts) > 1 else None)


def _check_values(values: Floats, pair: Pair, part: str) -> None:
    if np.isnan(values).all():
        raise DataError(
            f"track {pair.track!r} has no observed value in the {part} regions",
            where=pair.observed.file,
            remedy=f"name other {part} regions, or leave the track out with --tracks",
        )
    if (values <= -1).any():
        raise DataError(
            f"track {pair.track!r} has values of -1 or less in the {part} regions, "
            "which have no ln(1 + x)",
            where=pair.observed.file,
            expected="a signal of 0 or more",
            remedy="leave the track out with --tracks",
        )
