"""The last clip of the later published scripts: at a quantile of a whole track's targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ft_s2a.data.quantiles import UpperQuantile
from ft_s2a.tracks.track import Track

_FRACTION = 0.9999999
_TRANSFORMS = ("basenji2025", "hound", "hound-old")


class Extremes:
    """Cuts targets at plus and minus a quantile of their track; false when no track has that.

    All windows are shown to :meth:`update` first; then, after :meth:`settle`, each is cut.  What
    is kept between is a few values per track.

    Parameters
    ----------
    tracks : sequence of Track
    number : int
        Targets per track, of all windows together.
    """

    def __init__(self, tracks: Sequence[Track], number: int) -> None:
        self._columns = [i for i, t in enumerate(tracks) if t.transform in _TRANSFORMS]
        self._upper = UpperQuantile(len(self._columns), number, _FRACTION)
        self._limits = np.full(len(tracks), np.inf)

    def __bool__(self) -> bool:
        return bool(self._columns)

    def update(self, values: NDArray[np.floating[Any]]) -> None:
        """Take in the targets [bins, T] of a window."""
        if self._columns:
            self._upper.update(values[:, self._columns])

    def settle(self) -> None:
        """Set the limits, when all windows were shown."""
        if self._columns:
            self._limits[self._columns] = self._upper.limits()

    def cut(self, values: NDArray[Any]) -> NDArray[Any]:
        """Targets [bins, T] of a window with extremes cut; the same array without any."""
        highest = self._limits.astype(values.dtype)
        if not (np.abs(values) > highest).any():
            return values
        return np.asarray(np.clip(values, -highest, highest))
