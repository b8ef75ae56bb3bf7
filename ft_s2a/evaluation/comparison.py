"""Both sides of an evaluation, checked and read: the same bins, the same units."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ft_s2a.errors import ConfigError, DataError, TrackError, near_miss
from ft_s2a.evaluation.binning import Grid
from ft_s2a.evaluation.pairing import Pair, check_assemblies, missing_rules, pair_tracks
from ft_s2a.evaluation.regions import Regions, contigs_of, parse_regions, refuse_overlaps
from ft_s2a.genome.bigwig import BigWig
from ft_s2a.tracks.table import Track, TrackTable, read_tracks
from ft_s2a.tracks.units import to_target

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """Pairs of files and the bins they are compared on.

    Parameters
    ----------
    pairs : tuple of Pair
        The tracks.
    grid : Grid
        The bins.
    targets : TrackTable or None
        How both sides are brought into target units; None leaves observed units.
    """

    pairs: tuple[Pair, ...]
    grid: Grid
    targets: TrackTable | None = None

    @property
    def units(self) -> str:
        """``observed`` or ``target``."""
        return "observed" if self.targets is None else "target"

    def read(self, pair: Pair) -> tuple[Floats, Floats]:
        """Read the predicted and the observed side, float64 [bins] each, observed units.

        Bins are NaN where nothing was predicted, and where the observed is missing by the rule of
        its track.

        Raises
        ------
        DataError
            When a side has no value at all.
        """
        sides = []
        for file, missing, name in (
            (pair.predicted.file, pair.missing_predicted, "predicted"),
            (pair.observed.file, pair.missing, "observed"),
        ):
            with BigWig(file) as opened:
                values = self.grid.read(opened, missing=missing)
            if np.isnan(values).all():
                raise DataError(
                    f"track {pair.track!r} has no {name} value in the regions",
                    where=file,
                    remedy="predict these regions first, or score others"
                    if name == "predicted"
                    else "score other regions, or leave the track out with --tracks",
                )
            sides.append(values)
        return sides[0], sides[1]

    def in_units(self, values: Floats, pair: Pair) -> Floats:
        """Bring bin means per base, [bins], into the units of this comparison."""
        if self.targets is None:
            return values
        track = _row(self.targets, pair.track)
        pooled = values * self.grid.widths() if track.sum_stat == "sum" else values
        return to_target(pooled[:, None], [track])[:, 0]


def prepare(
    predicted: str | Path,
    observed: str | Path,
    *,
    regions: Regions,
    tracks: str | None = None,
    bin_size: int | None = None,
    transform: str | Path | None = None,
) -> Comparison:
    """Pair the files of both sides and check that they can be compared on `regions`.

    Parameters are those of :func:`ft_s2a.evaluation.correlate_positions`.
    """
    pairs = pair_tracks(predicted, observed, tracks=tracks)
    targets = None if transform is None else _targets(pairs, transform)
    if targets is not None and not missing_rules(observed):
        pairs = [dataclasses.replace(p, missing=_row(targets, p.track).missing) for p in pairs]
    reference = pairs[0].predicted.file
    with BigWig(reference) as opened:
        sizes = opened.sizes
    chosen = parse_regions(regions, sizes, of=str(reference))
    refuse_overlaps(chosen, where="the regions to score")
    check_assemblies(pairs, contigs_of(chosen))
    size = bin_size if bin_size is not None else _common_grid(pairs, predicted)
    return Comparison(tuple(pairs), Grid(tuple(chosen), size), targets)


def _targets(pairs: Sequence[Pair], path: str | Path) -> TrackTable:
    table = read_tracks(path)
    for pair in pairs:
        if pair.track not in table.names:
            raise TrackError(
                f"no track {pair.track!r}, which is to be brought into target units",
                where=path,
                remedy=near_miss(pair.track, table.names),
            )
    rows = [_row(table, pair.track) for pair in pairs]
    unset = [row.name for row in rows if np.isnan(row.scale)]
    if unset:
        raise TrackError(
            f"the scale of {unset[0]!r} is 'auto'",
            where=path,
            expected="the scale that was used, as in the table of a data set or an entry",
        )
    # Only what is compared: a strand partner beyond it is of no concern here.
    return TrackTable(tuple(dataclasses.replace(row, strand_pair="") for row in rows))


def _row(table: TrackTable, name: str) -> Track:
    return cast(Track, table[table.index(name)])


def _common_grid(pairs: Sequence[Pair], where: str | Path) -> int:
    grids = sorted({pair.predicted.grid for pair in pairs} - {0})
    if len(grids) == 1:
        return grids[0]
    what = (
        f"the predicted files have bins of {', '.join(map(str, grids))} bp"
        if grids
        else "nothing tells the bin size of the predicted files"
    )
    raise ConfigError(what, where=where, remedy="name the bin size to compare at with --bin-size")
