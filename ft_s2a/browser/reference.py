"""What the tracks lie on: contigs, their sequence if there is one, and where to look first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ft_s2a.browser.pairs import TrackPair
from ft_s2a.genome import BigWig, Genome, check_sizes, read_sizes, resolve_regions
from ft_s2a.geometry import Interval
from ft_s2a.tracks import TrackFile

_FIRST_LOOK = 100_000
_SCAN = 1 << 20


@dataclass(frozen=True)
class Reference:
    """Contigs in genome order; `genome` is None when only their lengths are known."""

    sizes: Mapping[str, int]
    name: str
    genome: Genome | None = None


def open_reference(
    pairs: Sequence[TrackPair],
    *,
    fasta: str | Path | None = None,
    sizes: str | Path | None = None,
) -> Reference:
    """Take the contigs from a FASTA, a sizes file, or else the first bigWig.

    Raises
    ------
    ContigError
        When a bigWig belongs to another assembly or names its contigs otherwise.
    """
    files = [file for pair in pairs for file in pair.files]
    if fasta is not None:
        genome = Genome(fasta)
        reference = Reference(genome.sizes, genome.path.name, genome)
    elif sizes is not None:
        reference = Reference(read_sizes(sizes), Path(sizes).name)
    else:
        with BigWig(files[0].file) as first:
            reference = Reference(first.sizes, files[0].file.name)
    check_files(files, reference)
    return reference


def check_files(files: Iterable[TrackFile], reference: Reference) -> None:
    """Check that the contigs of each bigWig are those of the reference."""
    for file in files:
        with BigWig(file.file) as bigwig:
            check_sizes(bigwig.sizes, reference.sizes, where=file.file, of=reference.name)


def resolve_locus(locus: str, reference: Reference) -> Interval:
    """Read ``CHROM`` or ``CHROM:START-END`` (0-based half-open) and check that it is there."""
    return resolve_regions(reference.sizes, loci=[locus], of=reference.name)[0]


def first_locus(pairs: Sequence[TrackPair], reference: Reference) -> Interval:
    """Find where the first track begins to have data: up to 100 kb from there."""
    with BigWig(pairs[0].files[-1].file) as bigwig:
        for chrom, length in reference.sizes.items():
            if chrom not in bigwig.sizes:
                continue
            for start in range(0, length, _SCAN):
                known = np.isfinite(bigwig.values(chrom, start, min(start + _SCAN, length)))
                if known.any():
                    found = start + int(known.argmax())
                    left = max(0, min(found, length - _FIRST_LOOK))
                    return Interval(chrom, left, min(left + _FIRST_LOOK, length))
    chrom, length = next(iter(reference.sizes.items()))
    return Interval(chrom, 0, min(_FIRST_LOOK, length))
