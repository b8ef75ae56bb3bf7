"""Targets from bigWigs as the published scripts make them.

These are ``basenji_data_read.py`` of 2020 and of 2025, and ``hound_data_read.py``.  Precision is
part of the definition: bases are read as float16; the scripts of 2020 and 2025 stay there until
the bases of a bin are summed, in float32, which the later ones turn to at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ft_s2a.data.extremes import Extremes
from ft_s2a.data.quantiles import quantile
from ft_s2a.data.unmappable import Finish
from ft_s2a.data.windows import Window
from ft_s2a.errors import DataError, TrackError
from ft_s2a.genome.bigwig import BigWig
from ft_s2a.genome.contigs import check_contig
from ft_s2a.genome.regions import read_bed
from ft_s2a.geometry import Geometry, Interval
from ft_s2a.tracks.table import TrackTable
from ft_s2a.tracks.track import Track
from ft_s2a.tracks.units import ORDERS, Columns, transform_pooled

# Bases around a blacklisted interval that go with it.
_MARGIN = 20

_HALF = np.finfo(np.float16)


@dataclass(frozen=True)
class _Script:
    """What a script does before it pools.

    The baseline is a `quantile` of the bases that were read: those of the whole input, crop
    included, or only the target's; 0 for less than `least_bins` bins.  Blacklisted bases become
    the baseline, or are cut at it.  Results may be `bounded` by the range of float16.
    """

    quantile: float
    whole_input: bool
    cuts: bool
    least_bins: int
    dtype: type[np.floating[Any]]
    bounded: bool


_SCRIPTS = {
    "basenji2020": _Script(0.1, True, False, 0, np.float16, False),
    "basenji2025": _Script(0.5, False, True, 8, np.float16, True),
    "hound": _Script(0.5, False, True, 8, np.float32, True),
    "hound-old": _Script(0.5, False, True, 8, np.float32, True),
}


class Blacklist:
    """Blacklisted intervals with the published margin of 20 bp.

    Parameters
    ----------
    intervals : iterable of Interval
    """

    def __init__(self, intervals: Iterable[Interval] = ()) -> None:
        spans: dict[str, list[tuple[int, int]]] = {}
        for i in intervals:
            spans.setdefault(i.chrom, []).append((max(0, i.start - _MARGIN), i.end + _MARGIN))
        self._spans = {chrom: np.array(sorted(found)) for chrom, found in spans.items()}

    @classmethod
    def from_bed(cls, path: str | Path) -> Blacklist:
        """Read the intervals of a BED file."""
        return cls(read_bed(path))

    def slices(self, chrom: str, start: int, end: int) -> list[slice]:
        """Slices of the bases ``[start, end)`` that the scripts treat as blacklisted.

        An interval that begins before the window gives a negative first index, which counts from
        the window's end: mostly an empty slice.  The published sets were made so.
        """
        if chrom not in self._spans:
            return []
        spans = self._spans[chrom]
        hits = spans[(spans[:, 0] < end) & (spans[:, 1] > start)] - start
        return [slice(first, last) for first, last in hits.tolist()]


def published_bins(
    file: BigWig,
    window: Window,
    track: Track,
    columns: Columns,
    geometry: Geometry,
    *,
    blacklist: Blacklist | None = None,
    interpolate: bool = False,
) -> NDArray[np.float32]:
    """Target units of one window and track, without what needs the whole track.

    Parameters
    ----------
    file : BigWig
    window : Window
    track : Track
        With a published `transform`.
    columns : Columns
        The numbers of this one track.
    geometry : Geometry
    blacklist : Blacklist, optional
    interpolate : bool
        Fill bases without a value by interpolation (zero beyond the ends), not by the baseline.

    Returns
    -------
    float32 array [bins]
        NaN for bins wholly beyond the contig; of a bin partly beyond, the bases that it has count.
    """
    script = _SCRIPTS[track.transform]
    margin = geometry.crop if script.whole_input else 0
    start, end = window.start - margin, window.end + margin
    length = check_contig(window.chrom, file.sizes, where=file.path, of="this bigWig")
    inside = slice(max(0, -start), max(0, min(end, length) - start))
    with np.errstate(over="ignore", invalid="ignore"):  # beyond float16: infinite
        bases: NDArray[Any] = file.values(window.chrom, start, end).astype(np.float16)
        bases = bases.astype(script.dtype)
        if interpolate:
            bases[inside] = known = _interpolated(bases[inside])
            if known.dtype != bases.dtype:  # the scripts go on in float64 where they filled
                bases = bases.astype(known.dtype)
                bases[inside] = known
        missing = np.isnan(bases)
        places = [] if blacklist is None else blacklist.slices(window.chrom, start, end)
        # A quantile of bases of which one is missing is none, and then the baseline is 0.
        is_whole = not missing[inside].any()
        baseline = _baseline(bases[inside], script, geometry) if places and is_whole else 0.0
        for place in places:
            bases[place] = (
                np.clip(bases[place], bases.dtype.type(-baseline), bases.dtype.type(baseline))
                if script.cuts
                else baseline
            )
        bases[missing] = baseline
        bases[: inside.start] = bases[inside.stop :] = 0
        cut = bases[margin : len(bases) - margin]
        if ORDERS[track.transform].scale_first:
            cut = cut * cut.dtype.type(track.scale)
        pooled = _pool(cut.reshape(-1, geometry.bin_size), track.sum_stat)
        left = np.clip(inside.start - margin, 0, len(cut))
        right = np.clip(inside.stop - margin, 0, len(cut))
        if right - left < len(cut):
            pooled = _of_its_bases(pooled, int(left), int(right), geometry.bin_size, track.sum_stat)
        values = transform_pooled(pooled[:, None], columns, scaled=True)[:, 0]
    if script.bounded:
        values = np.clip(values, values.dtype.type(_HALF.min), values.dtype.type(_HALF.max))
    return values.astype(np.float32)


def read_published(
    file: BigWig | str | Path,
    windows: Sequence[Window | Interval],
    track: Track,
    geometry: Geometry,
    *,
    transform: str | None = None,
    blacklist: Blacklist | str | Path | None = None,
    unmappable: NDArray[np.bool_] | None = None,
    unmappable_clip: float = 1.0,
    interpolate: bool = False,
    decimals: int | None = None,
    dtype: str = "float16",
) -> NDArray[Any]:
    """Read a track's targets as a published script does.

    Parameters
    ----------
    file : BigWig, str or Path
    windows : sequence of Window or Interval
        Target intervals (without the crop), each as long as the geometry's output.
    track : Track
        Its numbers.
    geometry : Geometry
    transform : str, optional
        Instead of the track's own: ``basenji2020``, ``basenji2025``, ``hound``, ``hound-old``.
    blacklist : Blacklist, str or Path, optional
        A BED file.
    unmappable : bool array [windows, bins], optional
    unmappable_clip : float
        Bins of that mask are cut at this quantile of their window.
    interpolate : bool
        See :func:`published_bins`.
    decimals : int, optional
        Round to these.
    dtype : {'float16', 'float32'}
        float16 is what the scripts write.

    Returns
    -------
    float array [windows, bins]

    Raises
    ------
    FtS2aError
        Naming file, contig or track.
    """
    chosen = with_transform(track, transform)
    if chosen.transform == "plain":
        raise TrackError(
            f"track {track.name!r} names no published transform",
            expected=" or ".join(_SCRIPTS),
        )
    columns = Columns.of([chosen])
    regions = (
        blacklist
        if isinstance(blacklist, Blacklist) or blacklist is None
        else Blacklist.from_bed(blacklist)
    )
    values = np.empty((len(windows), geometry.output_bins), dtype=dtype)
    opened = file if isinstance(file, BigWig) else BigWig(file)
    extremes = Extremes([chosen], values.size)
    for row, window in enumerate(windows):
        if window.end - window.start != geometry.output_length:
            raise DataError(
                f"a window of {window.end - window.start:,} bp at {window.chrom}:{window.start}",
                expected=f"the {geometry.output_length:,} bp of the targets",
            )
        with np.errstate(over="ignore"):
            values[row] = published_bins(
                opened,
                Window(window.chrom, window.start, window.end, ""),
                chosen,
                columns,
                geometry,
                blacklist=regions,
                interpolate=interpolate,
            )
        extremes.update(values[row][:, None])
    extremes.settle()
    finish = Finish(unmappable, unmappable_clip, decimals)
    for row in range(len(values)):
        values[row] = finish(row, extremes.cut(values[row][:, None]))[:, 0]
    return values


def with_transform(track: Track, transform: str | None) -> Track:
    """Give a track another transform; None leaves it."""
    return track if transform is None else dataclasses.replace(track, transform=transform)  # type: ignore[arg-type]


def _baseline(bases: NDArray[Any], script: _Script, geometry: Geometry) -> float:
    if not len(bases) or geometry.output_bins < script.least_bins:
        return 0.0
    return float(np.nan_to_num(quantile(bases, script.quantile)))


def _interpolated(bases: NDArray[Any]) -> NDArray[Any]:
    missing = np.isnan(bases)
    if not missing.any():
        return bases
    padded = np.zeros(len(bases) + 2)
    padded[1:-1] = bases
    known = ~np.isnan(padded)
    places = np.arange(len(padded))
    padded[~known] = np.interp(places[~known], places[known], padded[known])
    return padded[1:-1]


def _pool(bases: NDArray[Any], stat: str) -> NDArray[Any]:
    if stat == "max":
        return np.asarray(bases.max(axis=1))
    if stat == "sum":
        return np.asarray(bases.sum(axis=1, dtype=np.float32))
    return np.asarray(bases.mean(axis=1, dtype=np.float32))


def _of_its_bases(
    pooled: NDArray[Any], left: int, right: int, bin_size: int, stat: str
) -> NDArray[Any]:
    """Bins at a contig's end: NaN without a base, and means over the bases that they have."""
    edges = np.clip(np.arange(len(pooled) + 1) * bin_size, left, right)
    bases = np.diff(edges)
    if stat == "mean":
        pooled = pooled * (bin_size / np.maximum(bases, 1)).astype(pooled.dtype)
    return np.where(bases > 0, pooled, pooled.dtype.type(np.nan))


def check_published(table: TrackTable, *, where: str | Path | None) -> None:
    """Refuse fields that a published transform has no place for.

    Raises
    ------
    TrackError
        Naming the track.
    """
    for track in table:
        if track.transform == "plain":
            continue
        if np.isnan(track.scale):
            raise TrackError(
                f"the scale of track {track.name!r} is 'auto'",
                where=where,
                expected=f"a number with the transform {track.transform!r}",
            )
        if track.missing == "nan":
            raise TrackError(
                f"track {track.name!r}: missing is 'nan'",
                where=where,
                expected=f"zero: the transform {track.transform!r} fills bases without a value",
            )
