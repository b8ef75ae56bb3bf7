"""The two unit spaces, against numbers worked out by hand and against each other."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ft_s2a.errors import TrackError
from ft_s2a.tracks.table import TrackTable
from ft_s2a.tracks.track import Track
from ft_s2a.tracks.units import bins_to_observed, to_observed, to_target

steady = settings(deadline=None, derandomize=True, max_examples=300)
inf, nan = math.inf, math.nan
SQUASHES = ["none", "sqrt", "log1p", "pow0.75"]


def target(pooled: float, **fields: Any) -> float:
    return float(to_target(np.array([pooled]), [Track("a", **fields)])[0])


def observed(value: float, bin_size: int = 128, **fields: Any) -> float:
    return float(to_observed(np.array([value]), [Track("a", **fields)], bin_size)[0])


@pytest.mark.parametrize(
    ("pooled", "fields", "wanted"),
    [
        (9.0, {}, 9.0),
        (9.0, {"scale": 4.0}, 36.0),
        (9.0, {"squash": "sqrt"}, 3.0),
        (math.e - 1, {"squash": "log1p"}, 1.0),
        (15.0, {"squash": "pow0.75"}, 7.0),  # 16^(3/4) - 1
        (9.0, {"scale": 4.0, "squash": "sqrt"}, 6.0),  # scale before squash
        (9.0, {"scale": 4.0, "clip": 32.0}, 32.0),  # scale before clip
        (40.0, {"clip": 32.0, "squash": "sqrt"}, math.sqrt(32.0)),  # clip before squash
        (40.0, {"clip_soft": 32.0}, 34.0),  # 32 - 1 + sqrt(40 - 32 + 1)
        (32.0, {"clip_soft": 32.0}, 32.0),  # without a jump
        (16.0, {"clip_soft": 32.0, "scale": 2.5}, 34.0),
        (40.0, {"clip_soft": 32.0, "squash": "sqrt"}, math.sqrt(34.0)),
        (100.0, {"clip": 40.0, "clip_soft": 32.0}, 34.0),  # clip before the soft clip
        (100.0, {"clip": 20.0, "clip_soft": 32.0}, 20.0),
        (-4.0, {}, -4.0),
        (-4.0, {"squash": "sqrt"}, 0.0),
        (-4.0, {"squash": "log1p"}, 0.0),
        (0.0, {"squash": "pow0.75", "clip": 5.0, "clip_soft": 2.0}, 0.0),
    ],
)
def test_by_hand(pooled: float, fields: dict[str, Any], wanted: float) -> None:
    assert target(pooled, **fields) == pytest.approx(wanted, rel=1e-15)


@pytest.mark.parametrize(
    ("value", "fields", "wanted"),
    [
        (6.0, {"squash": "sqrt", "scale": 4.0}, 9.0),
        (6.0, {"squash": "sqrt", "scale": 4.0, "sum_stat": "sum"}, 9.0 / 128),
        (34.0, {"clip_soft": 32.0}, 40.0),
        (34.0, {"clip_soft": 32.0, "clip": 36.0}, 36.0),
        (7.0, {"squash": "pow0.75"}, 15.0),
        (1.0, {"squash": "log1p"}, math.e - 1),
        (100.0, {"clip": 32.0, "scale": 2.0}, 16.0),  # what was clipped stays clipped
        (-1.0, {"squash": "sqrt"}, 0.0),
        (-1.0, {}, -1.0),
    ],
)
def test_back_by_hand(value: float, fields: dict[str, Any], wanted: float) -> None:
    assert observed(value, **fields) == pytest.approx(wanted, rel=1e-14)


def test_partial_bins_have_their_own_length() -> None:
    track = Track("a", sum_stat="sum")
    lengths = np.array([[128], [44]])
    found = to_observed(np.array([[256.0], [88.0]]), [track], lengths)
    assert found.tolist() == [[2.0], [2.0]]


@pytest.mark.parametrize(("stat", "wanted"), [("sum", [2.0, 4.0]), ("mean", [8.0, 8.0])])
def test_bins_of_a_contigs_end(stat: str, wanted: list[float]) -> None:
    """Bins of 4 bp from base 10 of a contig that ends at 16: 4 bases, 2, none, none."""
    track = Track("a", sum_stat=stat)  # type: ignore[arg-type]
    found = bins_to_observed(np.full(4, 8.0), track, start=10, end=16, bin_size=4)
    np.testing.assert_array_equal(found, [*wanted, nan, nan])


tracks = st.builds(
    Track,
    name=st.just("a"),
    scale=st.floats(1e-3, 1e3),
    clip=st.floats(0.1, 1e5) | st.just(inf),
    clip_soft=st.floats(0.1, 1e5) | st.just(inf),
    squash=st.sampled_from(SQUASHES),
    sum_stat=st.sampled_from(["mean", "sum"]),
)


@steady
@given(tracks, st.floats(0, 1e6), st.integers(1, 200))
def test_there_and_back(track: Track, value: float, bin_size: int) -> None:
    """Pooled, to target units, back to signal per base: as before, but for what was clipped."""
    pooled = value * bin_size if track.sum_stat == "sum" else value
    moved = to_target(np.array([pooled]), [track])
    back = float(to_observed(moved, [track], bin_size)[0])
    limit = track.clip / track.scale / (bin_size if track.sum_stat == "sum" else 1)
    assert back == pytest.approx(min(value, limit), rel=1e-9, abs=1e-9)


@steady
@given(tracks, st.floats(0, 300), st.integers(1, 200))
def test_back_and_there(track: Track, value: float, bin_size: int) -> None:
    """A network's output comes back from a bigWig as it was, unless it lies past the clip."""
    highest = float(to_target(np.array([inf]), [track])[0])
    assume(value < 0.999 * highest)
    base = to_observed(np.array([value]), [track], bin_size)
    assume(np.isfinite(base).all())
    pooled = base * bin_size if track.sum_stat == "sum" else base
    assert float(to_target(pooled, [track])[0]) == pytest.approx(value, rel=1e-9, abs=1e-9)


@steady
@given(tracks, st.floats(0, 1e6), st.floats(0, 1e6))
def test_more_signal_is_never_less(track: Track, one: float, other: float) -> None:
    low, high = sorted([one, other])
    moved = to_target(np.array([[low], [high]]), [track])
    assert moved[0, 0] <= moved[1, 0]
    back = to_observed(np.array([[low], [high]]), [track], 128)
    assert back[0, 0] <= back[1, 0] or np.isinf(back).any()


def test_tracks_keep_to_their_columns() -> None:
    table = [
        Track("a", squash="sqrt"),
        Track("b", scale=10.0, clip=5.0, sum_stat="sum"),
        Track("c", clip_soft=8.0),
        Track("d", squash="log1p", scale=2.0),
        Track("e"),
    ]
    pooled = np.random.default_rng(0).gamma(1.0, 10.0, size=(3, 7, 5))
    moved = to_target(pooled, table)
    back = to_observed(moved, table, 128)
    for column, track in enumerate(table):
        alone = to_target(pooled[..., [column]], [track])
        np.testing.assert_array_equal(moved[..., [column]], alone)
        np.testing.assert_array_equal(back[..., [column]], to_observed(alone, [track], 128))


@pytest.mark.parametrize("squash", SQUASHES)
@pytest.mark.parametrize("soft", [inf, 4.0])
def test_nothing_stays_nothing(squash: str, soft: float) -> None:
    fields: dict[str, Any] = {"squash": squash, "clip": 9.0, "clip_soft": soft}
    assert math.isnan(target(nan, **fields))
    assert math.isnan(observed(nan, **fields))


@pytest.mark.parametrize("squash", SQUASHES)
def test_absurd_predictions_become_infinite(squash: str) -> None:
    """Without a warning; the writer of bigWigs leaves them out."""
    assert observed(1e300, squash=squash) == (1e300 if squash == "none" else inf)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_results_are_float64_and_new(kind: type[np.floating[Any]]) -> None:
    given_values: NDArray[np.floating[Any]] = np.ones((4, 1), dtype=kind)
    for result in (
        to_target(given_values, [Track("a")]),
        to_observed(given_values, [Track("a")], 128),
    ):
        assert result.dtype == np.float64
        assert not np.shares_memory(result, given_values)
    assert (given_values == 1).all()


def test_what_does_not_fit() -> None:
    with pytest.raises(TrackError, match=re.escape("an array of 2 tracks; expected the 1 of")):
        to_target(np.ones((3, 2)), [Track("a")])
    with pytest.raises(TrackError, match="the scale of track 'b' is 'auto'"):
        to_target(np.ones((3, 2)), [Track("a"), Track("b", scale=nan)])
    with pytest.raises(TrackError, match="the scale of track 'b' is 'auto'"):
        to_observed(np.ones((3, 2)), [Track("a"), Track("b", scale=nan)], 128)


def test_a_sum_over_a_contigs_short_last_bin_is_over_the_bases_it_has() -> None:
    from ft_s2a.tracks.units import bins_to_observed

    track = Track("a", sum_stat="sum", scale=2.0)
    # Bins [100, 110), [110, 120), [120, 123): sums of 20 in target units are 10 observed.
    found = bins_to_observed(np.full(3, 20.0), track, start=100, end=123, bin_size=10)
    assert found == pytest.approx([1.0, 1.0, 10 / 3])
    mean = bins_to_observed(
        np.full(3, 20.0), Track("a", scale=2.0), start=100, end=123, bin_size=10
    )
    assert mean == pytest.approx([10.0, 10.0, 10.0])


# The published orders.  Each case: pooled bases, fields, target units worked out by hand.
PUBLISHED = [
    (40.0, {"transform": "basenji2020", "clip": 32.0, "scale": 2.0}, 64.0),  # clip, then scale
    (20.0, {"transform": "basenji2020", "clip": 32.0, "scale": 2.0}, 40.0),
    (-3.0, {"transform": "basenji2020", "clip": 32.0, "scale": 2.0}, 0.0),
    (-3.0, {"transform": "basenji2020"}, -3.0),  # the lower bound comes with the clip
    (41.0, {"transform": "basenji2020", "clip_soft": 32.0, "scale": 2.0}, 70.0),  # 2 (32 + 3)
    (40.0, {"transform": "basenji2025", "clip": 32.0, "scale": 2.0}, 32.0),  # scale, then clip
    (40.0, {"transform": "hound", "clip": 32.0, "scale": 2.0}, 32.0),
    (-40.0, {"transform": "hound", "clip": 32.0, "scale": 2.0}, -32.0),
    (40.0, {"transform": "hound", "clip_soft": 32.0, "scale": 2.0}, 38.0),  # 31 + sqrt(49)
    (1680.0, {"transform": "hound", "squash": "sqrt1p", "clip_soft": 5.0}, 10.0),  # 40: 4 + 6
    (1680.0, {"transform": "hound", "squash": "sqrt1p", "clip_soft": 5.0, "clip": 9.0}, 9.0),
    (7.5, {"transform": "hound", "squash": "sqrt1p", "scale": 2.0}, 3.0),  # -1 + sqrt(1 + 15)
    (7.5, {"transform": "hound", "squash": "pow0.75", "scale": 2.0}, 7.0),  # -1 + 16^(3/4)
    (16.0, {"transform": "hound-old", "squash": "pow0.75-bare", "scale": 0.5}, 4.0),  # 16^(3/4)
    (256.0, {"transform": "hound-old", "squash": "pow0.75-bare", "clip_soft": 15.0}, 22.0),
    (256.0, {"transform": "hound-old", "squash": "pow0.75-bare", "clip": 32.0, "scale": 2.0}, 64.0),
    (0.09, {"transform": "hound", "squash": "peak"}, 0.6),
    (9.0, {"transform": "hound", "squash": "peak"}, 1.0),
    (7.0, {"transform": "hound", "sum_stat": "max"}, 7.0),
]


@pytest.mark.parametrize(("pooled", "fields", "wanted"), PUBLISHED)
def test_published_orders_by_hand(pooled: float, fields: dict[str, Any], wanted: float) -> None:
    assert target(pooled, **fields) == pytest.approx(wanted, rel=1e-15)


@pytest.mark.parametrize(
    ("value", "fields", "wanted"),
    [
        (64.0, {"transform": "basenji2020", "clip": 32.0, "scale": 2.0}, 32.0),
        (90.0, {"transform": "basenji2020", "clip": 32.0, "scale": 2.0}, 32.0),  # stays clipped
        (70.0, {"transform": "basenji2020", "clip_soft": 32.0, "scale": 2.0}, 41.0),
        (32.0, {"transform": "hound", "clip": 32.0, "scale": 2.0}, 16.0),
        (99.0, {"transform": "hound", "clip": 32.0, "scale": 2.0}, 16.0),
        (10.0, {"transform": "hound", "squash": "sqrt1p", "clip_soft": 5.0}, 1680.0),
        (
            3.0,
            {"transform": "hound", "squash": "sqrt1p", "sum_stat": "sum", "scale": 2.0},
            7.5 / 128,
        ),
        (-1.0, {"transform": "hound", "squash": "sqrt1p"}, 0.0),
        (4.0, {"transform": "hound-old", "squash": "pow0.75-bare", "scale": 0.5}, 16.0),
        (0.6, {"transform": "hound", "squash": "peak"}, 0.09),
        (7.0, {"transform": "hound", "sum_stat": "max"}, 7.0),
    ],
)
def test_published_orders_back_by_hand(value: float, fields: dict[str, Any], wanted: float) -> None:
    assert observed(value, **fields) == pytest.approx(wanted, rel=1e-14)


published = st.builds(
    Track,
    name=st.just("a"),
    transform=st.sampled_from(["basenji2020", "basenji2025", "hound", "hound-old"]),
    scale=st.floats(1e-2, 1e2),
    clip=st.floats(0.1, 1e5) | st.just(inf),
    clip_soft=st.floats(0.1, 1e5) | st.just(inf),
    squash=st.sampled_from(["none", "sqrt1p", "pow0.75", "pow0.75-bare"]),
    sum_stat=st.sampled_from(["mean", "sum"]),
)


@steady
@given(published, st.floats(0, 1e6), st.integers(1, 200))
def test_published_there_and_back(track: Track, value: float, bin_size: int) -> None:
    """As before away from the clip, and at the clip what was clipped."""
    size = bin_size if track.sum_stat == "sum" else 1
    moved = to_target(np.array([value * size]), [track])
    back = float(to_observed(moved, [track], bin_size)[0])
    # The clip is in squashed units, before or after the scale.
    unscaled = {"basenji2020": track.scale, "hound-old": track.scale}.get(track.transform, 1.0)
    if moved[0] < (1 - 1e-9) * track.clip * unscaled:
        assert back == pytest.approx(value, rel=1e-8, abs=1e-9)
    else:
        assert moved[0] == pytest.approx(track.clip * unscaled)
        assert back <= value * (1 + 1e-8) + 1e-9
        again = to_target(np.array([back * size]), [track])
        assert again[0] == pytest.approx(moved[0], rel=1e-9)


@steady
@given(published, st.floats(0, 1e6), st.floats(0, 1e6))
def test_published_more_signal_is_never_less(track: Track, one: float, other: float) -> None:
    low, high = sorted([one, other])
    moved = to_target(np.array([[low], [high]]), [track])
    assert moved[0, 0] <= moved[1, 0]
    back = to_observed(np.array([[low], [high]]), [track], 128)
    assert back[0, 0] <= back[1, 0]


def test_tracks_of_all_transforms_keep_to_their_columns() -> None:
    table = [
        Track(f"{transform}.{i}", transform=transform, **fields)  # type: ignore[arg-type]
        for transform in ("plain", "basenji2020", "basenji2025", "hound", "hound-old")
        for i, fields in enumerate(
            [{}, {"scale": 3.0, "clip": 9.0}, {"clip_soft": 4.0, "sum_stat": "sum"}]
        )
    ]
    order = np.random.default_rng(1).permutation(len(table))
    table = [table[i] for i in order]
    pooled = np.random.default_rng(0).gamma(1.0, 10.0, size=(2, 5, len(table)))
    moved = to_target(pooled, TrackTable(tuple(table)))
    back = to_observed(moved, table, 16)
    for column, track in enumerate(table):
        alone = to_target(pooled[..., [column]], [track])
        np.testing.assert_array_equal(moved[..., [column]], alone)
        np.testing.assert_array_equal(back[..., [column]], to_observed(alone, [track], 16))


@pytest.mark.parametrize("transform", ["basenji2020", "basenji2025", "hound", "hound-old"])
def test_published_nothing_stays_nothing(transform: str) -> None:
    fields = {"transform": transform, "clip": 9.0, "clip_soft": 4.0, "squash": "sqrt1p"}
    assert math.isnan(target(nan, **fields))
    assert math.isnan(observed(nan, **fields))


def test_one_plan_serves_a_table() -> None:
    """Thousands of tracks are looked through once, not for every window."""
    table = TrackTable((Track("a"), Track("b", scale=2.0)))
    assert table.columns is table.columns
    np.testing.assert_array_equal(to_target(np.ones((1, 2)), table), [[1.0, 2.0]])
