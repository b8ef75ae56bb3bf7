"""The two unit spaces and the way between them; nothing else knows the formulas.

*Observed units*: signal per base, as in the observed bigWig.
*Target units*: what a network is trained on (see :class:`ft_s2a.tracks.Track`).

Orders, with p the pooled bases of a bin, c = `clip_soft`:

* ``plain``: scale; at most `clip`; c - 1 + sqrt(y - c + 1) above c; squash.
* ``basenji2020``: squash; c + sqrt(y - c) above c; into [0, `clip`]; scale.
* ``hound-old``: the same, but into [-`clip`, `clip`].
* ``basenji2025``, ``hound``: scale; squash; c - 1 + sqrt(y - c + 1) above c; into
  [-`clip`, `clip`].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ft_s2a.errors import TrackError
from ft_s2a.tracks.track import Track

Floats = NDArray[np.floating[Any]]
_F = TypeVar("_F", bound=np.floating[Any])


@dataclass(frozen=True)
class Order:
    """In which order a transform applies a track's numbers.

    Parameters
    ----------
    scale_first : bool
        Scale before everything else, or after it.
    squash_first : bool
        Squash before the thresholds (the soft one then comes first), or after them.
    offset : float
        The soft clip is c - offset + sqrt(y - c + offset).
    low : float
        Lowest value, as a multiple of `clip` where that is finite.
    """

    scale_first: bool
    squash_first: bool
    offset: float
    low: float


_HOUND = Order(scale_first=True, squash_first=True, offset=1.0, low=-1.0)
ORDERS = {
    "plain": Order(scale_first=True, squash_first=False, offset=1.0, low=-np.inf),
    "basenji2020": Order(scale_first=False, squash_first=True, offset=0.0, low=0.0),
    "basenji2025": _HOUND,
    "hound": _HOUND,
    "hound-old": Order(scale_first=False, squash_first=True, offset=0.0, low=-1.0),
}


@dataclass(frozen=True, eq=False)
class Columns:
    """The numbers of T tracks as arrays [T]; a track table keeps its own.

    `groups` lists the orders with the places of their tracks: a slice when one order has all.
    """

    scale: NDArray[np.float64]
    clip: NDArray[np.float64]
    soft: NDArray[np.float64]
    is_sum: NDArray[np.bool_]
    squash: NDArray[np.str_]
    groups: tuple[tuple[Order, slice | NDArray[np.intp]], ...]

    @classmethod
    def of(cls, tracks: Sequence[Track]) -> Columns:
        """Collect the numbers of `tracks`.

        Raises
        ------
        TrackError
            When a scale is still automatic.
        """
        scale = np.array([track.scale for track in tracks], dtype=np.float64)
        if np.isnan(scale).any():
            name = tracks[int(np.flatnonzero(np.isnan(scale))[0])].name
            raise TrackError(
                f"the scale of track {name!r} is 'auto'",
                expected="a number: building a training set sets it",
            )
        orders = [ORDERS[track.transform] for track in tracks]
        groups: dict[Order, list[int]] = {}
        for place, order in enumerate(orders):
            groups.setdefault(order, []).append(place)
        return cls(
            scale=scale,
            clip=np.array([track.clip for track in tracks], dtype=np.float64),
            soft=np.array([track.clip_soft for track in tracks], dtype=np.float64),
            is_sum=np.array([track.sum_stat == "sum" for track in tracks], dtype=bool),
            squash=np.array([track.squash for track in tracks], dtype=np.str_),
            groups=tuple(
                (order, slice(None) if len(groups) == 1 else np.array(places))
                for order, places in groups.items()
            ),
        )

    def __len__(self) -> int:
        return len(self.scale)


def to_target(pooled: Floats, tracks: Sequence[Track]) -> NDArray[np.float64]:
    """Bring pooled bins into target units.

    Parameters
    ----------
    pooled : float array [..., T]
        The bases of each bin, pooled by each track's `sum_stat`.  NaN stays NaN.
    tracks : sequence of Track
        T tracks; a :class:`ft_s2a.tracks.TrackTable` is looked through once only.

    Returns
    -------
    float64 array [..., T]

    Examples
    --------
    >>> to_target(np.array([[8.0]]), [Track("a", scale=2.0, squash="sqrt")]).tolist()
    [[4.0]]
    >>> cage = Track("a", scale=2.0, clip=32.0, transform="basenji2020")
    >>> to_target(np.array([[8.0], [100.0]]), [cage]).tolist()
    [[16.0], [64.0]]
    """
    return transform_pooled(np.array(pooled, dtype=np.float64), columns_of(pooled, tracks))


def to_observed(
    target: Floats, tracks: Sequence[Track], bin_size: int | NDArray[np.integer[Any]]
) -> NDArray[np.float64]:
    """Bring target units back to signal per base.

    What was clipped stays clipped.  Values below zero (a network cannot be trusted to give none)
    are taken as zero where the squash cannot be inverted.

    Parameters
    ----------
    target : float array [..., T]
        Target units.
    tracks : sequence of Track
        T tracks.
    bin_size : int or int array [..., 1]
        Bases per bin: a sum is divided by it.  The highest base of a bin (`sum_stat` max) comes
        back as that base.

    Returns
    -------
    float64 array [..., T]
        NaN stays NaN.

    Examples
    --------
    >>> track = Track("a", sum_stat="sum", scale=2.0, squash="sqrt")
    >>> to_observed(np.array([[4.0]]), [track], 128).tolist()
    [[0.0625]]
    """
    columns = columns_of(target, tracks)
    values = np.array(target, dtype=np.float64)
    for order, places in columns.groups:
        _apply(values, places, lambda y, at, order=order: _invert(y, order, columns, at))
    size = np.asarray(bin_size, dtype=np.float64)
    if columns.is_sum.all():
        values /= size
    elif columns.is_sum.any():
        values /= np.where(columns.is_sum, size, 1.0)
    return values


def transform_pooled(pooled: NDArray[_F], columns: Columns, *, scaled: bool = False) -> NDArray[_F]:
    """Bring pooled bins [..., T] into target units, in place and in their own precision.

    `scaled` says that the bases were scaled before they were pooled, as the published scripts do
    where the scale comes first.
    """
    for order, places in columns.groups:
        _apply(
            pooled,
            places,
            lambda y, at, order=order: _transform(
                y, order, columns, at, scaled=scaled and order.scale_first
            ),
        )
    return pooled


def bins_to_observed(
    target: Floats, track: Track, *, start: int, end: int, bin_size: int
) -> NDArray[np.float64]:
    """Bring one track's bins of a grid back to signal per base.

    Parameters
    ----------
    target : float array [bins]
        Target units; bin ``i`` begins at ``start + i * bin_size``.
    track : Track
    start, end : int
        The grid's first base, and where its bases end: a contig's last bin may be shorter than
        the others, and its sum is over the bases that it has.
    bin_size : int

    Returns
    -------
    float64 array [bins]
        NaN for bins that lie wholly beyond `end`.

    Examples
    --------
    >>> track = Track("a", sum_stat="sum")
    >>> bins_to_observed(np.array([8.0, 8.0]), track, start=0, end=6, bin_size=4).tolist()
    [2.0, 4.0]
    """
    ends = start + bin_size * np.arange(1, len(target) + 1)
    bases = bin_size - np.clip(ends - end, 0, bin_size)
    values = to_observed(target[:, None], [track], np.maximum(bases, 1)[:, None])[:, 0]
    return np.where(bases > 0, values, np.nan)


_SQUASH: dict[str, Any] = {
    "sqrt": lambda y: np.sqrt(np.maximum(y, 0.0)),
    "log1p": lambda y: np.log1p(np.maximum(y, 0.0)),
    "pow0.75": lambda y: np.maximum(1.0 + y, 0.0) ** 0.75 - 1.0,
    "sqrt1p": lambda y: np.sqrt(np.maximum(1.0 + y, 0.0)) - 1.0,
    "pow0.75-bare": lambda y: np.maximum(y, 0.0) ** 0.75,
    "peak": lambda y: np.clip(np.sqrt(np.maximum(y * 4.0, 0.0)), 0.0, 1.0),
}
_UNSQUASH: dict[str, Any] = {
    "sqrt": lambda y: np.square(np.maximum(y, 0.0)),
    "log1p": lambda y: np.expm1(np.maximum(y, 0.0)),
    "pow0.75": lambda y: (1.0 + np.maximum(y, 0.0)) ** (4.0 / 3.0) - 1.0,
    "sqrt1p": lambda y: np.square(1.0 + np.maximum(y, 0.0)) - 1.0,
    "pow0.75-bare": lambda y: np.maximum(y, 0.0) ** (4.0 / 3.0),
    "peak": lambda y: np.square(np.clip(y, 0.0, 1.0)) / 4.0,
}


def _apply(values: NDArray[_F], places: slice | NDArray[np.intp], function: Any) -> None:
    """Change the columns `places` in place; all of them without a copy."""
    if isinstance(places, slice):
        function(values, places)
        return
    part = values[..., places]
    function(part, places)
    values[..., places] = part


def _transform(
    values: NDArray[_F],
    order: Order,
    columns: Columns,
    places: slice | NDArray[np.intp],
    *,
    scaled: bool,
) -> None:
    scale = columns.scale[places].astype(values.dtype)
    squash = columns.squash[places]
    if order.scale_first and not scaled:
        values *= scale
    if order.squash_first:
        _per_squash(values, squash, _SQUASH)
        _soften(values, columns.soft[places], order.offset)
        _cut(values, columns.clip[places], order.low)
    else:
        _cut(values, columns.clip[places], order.low)
        _soften(values, columns.soft[places], order.offset)
        _per_squash(values, squash, _SQUASH)
    if not order.scale_first:
        values *= scale


def _invert(
    values: NDArray[np.float64],
    order: Order,
    columns: Columns,
    places: slice | NDArray[np.intp],
) -> None:
    scale, clip, soft = columns.scale[places], columns.clip[places], columns.soft[places]
    if not order.scale_first:
        values /= scale
    if order.squash_first:
        _cut(values, clip, order.low)
        _harden(values, soft, order.offset)
        _per_squash(values, columns.squash[places], _UNSQUASH)
    else:
        _per_squash(values, columns.squash[places], _UNSQUASH)
        _harden(values, soft, order.offset)
        _cut(values, clip, order.low)
    if order.scale_first:
        values /= scale


def _cut(values: NDArray[_F], clip: NDArray[np.float64], low: float) -> None:
    finite = np.isfinite(clip)
    if not finite.any():
        return
    if np.isfinite(low):
        lowest = np.where(finite, low * np.where(finite, clip, 0.0), -np.inf)
        np.maximum(values, lowest.astype(values.dtype), out=values)
    np.minimum(values, clip.astype(values.dtype), out=values)


def _soften(values: NDArray[_F], soft: NDArray[np.float64], offset: float) -> None:
    if not np.isfinite(soft).any():
        return
    limit = soft.astype(values.dtype)
    with np.errstate(invalid="ignore"):  # infinite values of tracks without a soft clip
        above = values > limit
        base = np.where(np.isfinite(limit), limit, 0)
        bent = np.maximum(values - base, 0) + values.dtype.type(offset)
        np.sqrt(bent, out=bent)
        bent += np.where(np.isfinite(soft), soft - offset, 0.0).astype(values.dtype)
    np.copyto(values, bent, where=above)


def _harden(values: NDArray[np.float64], soft: NDArray[np.float64], offset: float) -> None:
    if not np.isfinite(soft).any():
        return
    base = np.where(np.isfinite(soft), soft, 0.0) - offset
    above = values > soft
    with np.errstate(over="ignore"):
        np.copyto(values, np.square(values - base) + base, where=above)


def _per_squash(values: NDArray[_F], squash: NDArray[np.str_], functions: dict[str, Any]) -> None:
    for kind in np.unique(squash).tolist():
        if kind == "none":
            continue
        columns = squash == kind
        with np.errstate(over="ignore"):  # an absurd prediction becomes infinite, and is left out
            if columns.all():
                values[...] = functions[kind](values)
            else:
                values[..., columns] = functions[kind](values[..., columns])


def columns_of(values: Floats, tracks: Sequence[Track]) -> Columns:
    """Give the numbers of `tracks`, and check that `values` [..., T] has their number."""
    if values.shape[-1] != len(tracks):
        raise TrackError(
            f"an array of {values.shape[-1]} tracks", expected=f"the {len(tracks)} of the table"
        )
    kept = getattr(tracks, "columns", None)
    return kept if isinstance(kept, Columns) else Columns.of(tracks)
