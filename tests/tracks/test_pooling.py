"""Wide bins from narrow ones."""

from __future__ import annotations

import numpy as np
import pytest

from ft_s2a.errors import TrackError
from ft_s2a.tracks import Track, TrackTable, to_target
from ft_s2a.tracks.pooling import pool_targets


def test_pooled_targets_are_the_targets_of_pooled_bases() -> None:
    """Without clipping, whatever the transform: from bases to wide bins by either way."""
    table = TrackTable(
        (
            Track("mean", scale=2.0, squash="sqrt"),
            Track("sum", sum_stat="sum", scale=0.5, squash="log1p", clip_soft=3.0),
            Track("max", sum_stat="max", transform="basenji2020"),
            Track("cage", sum_stat="sum", scale=0.3, squash="sqrt1p", clip_soft=4.0,
                  transform="hound"),
            Track("old", scale=3.0, clip_soft=2.0, transform="basenji2020"),
        )
    )  # fmt: skip
    bases = np.random.default_rng(0).gamma(0.5, 2.0, (12 * 32, len(table)))

    def binned(size: int) -> np.ndarray:
        grouped = bases.reshape(-1, size, len(table))
        pooled = {"mean": grouped.mean(1), "sum": grouped.sum(1), "max": grouped.max(1)}
        columns = [pooled[track.sum_stat][:, i] for i, track in enumerate(table)]
        return to_target(np.stack(columns, axis=1), table)

    found = pool_targets(binned(32), table, bin_size=32, factor=4)
    np.testing.assert_allclose(found, binned(128), rtol=1e-9)


def test_unknown_bins_stay_unknown_and_bins_must_divide() -> None:
    table = TrackTable((Track("a"),))
    found = pool_targets(np.array([[1.0], [np.nan], [1.0], [3.0]]), table, bin_size=8, factor=2)
    np.testing.assert_array_equal(found, [[np.nan], [2.0]])
    with pytest.raises(TrackError, match="5 bins cannot be pooled by 2"):
        pool_targets(np.ones((5, 1)), table, bin_size=8, factor=2)
