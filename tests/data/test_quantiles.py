"""Quantiles against numpy's in float64, and the streaming one against the plain one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ft_s2a.data.extremes import Extremes
from ft_s2a.data.quantiles import UpperQuantile, quantile
from ft_s2a.tracks import Track


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.25, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("number", [1, 2, 7, 5000])
def test_as_numpy_in_float64(fraction: float, number: int) -> None:
    values = np.random.default_rng(number).gamma(1.0, 3.0, size=(number, 3))
    np.testing.assert_allclose(
        quantile(values, fraction), np.quantile(values, fraction, axis=0), rtol=1e-14
    )


def test_float16_is_not_looked_up_in_float16() -> None:
    """5,001 values: a place of 4,875.975 is no number of float16."""
    values = np.arange(5001).astype(np.float16) / np.float16(8)
    wanted = np.quantile(values.astype(np.float64), 0.975)
    assert float(quantile(values, 0.975)) == pytest.approx(wanted, abs=0.25)
    assert float(quantile(values.astype(np.float32), 0.975)) == pytest.approx(wanted, rel=1e-7)


def test_nan_stays_in_its_column() -> None:
    values = np.array([[1.0, 1.0], [np.nan, 3.0]])
    np.testing.assert_array_equal(quantile(values, 0.5), [np.nan, 2.0])


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    st.integers(1, 12), st.integers(1, 9), st.floats(0.5, 1.0), st.integers(0, 2**31), st.booleans()
)
def test_pieces_give_what_the_whole_gives(
    pieces: int, bins: int, fraction: float, seed: int, missing: bool
) -> None:
    random = np.random.default_rng(seed)
    values = np.round(random.gamma(1.0, 3.0, size=(pieces, bins, 2)), 1).astype(np.float32)
    if missing:
        values[:, : bins // 2, 0] = np.nan
    upper = UpperQuantile(2, pieces * bins, fraction)
    for piece in values:
        upper.update(piece)
    for column, limit in enumerate(upper.limits()):
        known = values[..., column][~np.isnan(values[..., column])].astype(np.float64)
        assert limit == pytest.approx(np.quantile(known, fraction), rel=1e-6)


def test_memory_is_that_of_the_highest_values() -> None:
    """Ten million values of a track: the two around the quantile are kept."""
    upper = UpperQuantile(3, 10_000_000, 0.9999999)
    assert upper._best.size == 3 * 2


def test_extremes_are_cut_where_the_transform_says() -> None:
    tracks = [Track("a"), Track("b", transform="hound"), Track("c", transform="basenji2020")]
    random = np.random.default_rng(0)
    windows = random.gamma(1.0, 3.0, size=(4, 5, 3)).astype(np.float16)
    windows[2, 3] = 1000.0
    extremes = Extremes(tracks, 20)
    assert extremes
    for window in windows:
        extremes.update(window)
    extremes.settle()
    exact = np.quantile(windows[..., 1].astype(np.float64), 0.9999999)
    cut = np.stack([extremes.cut(window) for window in windows])
    assert cut.dtype == np.float16
    assert cut[2, 3].tolist() == [1000.0, float(np.float16(exact)), 1000.0]
    window = windows[0]
    assert extremes.cut(window) is window


def test_few_windows_are_cut_between_their_highest_values() -> None:
    """Twelve million values: the quantile lies between the second and the third highest."""
    upper = UpperQuantile(1, 12_000_001, 0.9999999)
    rest = np.zeros((3_999_999, 1))
    for highest in (8.0, 4.0, 2.0):
        upper.update(rest)
        upper.update(np.array([[highest]]))
    upper.update(np.zeros((1, 1)))
    # Place 12,000,000 * 0.9999999 = 11,999,998.8 of 0 ... 12,000,000.
    assert upper.limits()[0] == pytest.approx(2.0 + 0.8 * 2.0, rel=1e-6)


def test_tracks_without_extremes() -> None:
    extremes = Extremes([Track("a")], 20)
    assert not extremes
    values = np.full((5, 1), 9.0)
    extremes.update(values)
    extremes.settle()
    assert extremes.cut(values) is values
