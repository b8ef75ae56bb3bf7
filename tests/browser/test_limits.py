from __future__ import annotations

import numpy as np
import pytest

from ft_s2a.browser.limits import quantile_limits
from ft_s2a.browser.pairs import TrackPair
from ft_s2a.errors import FtS2aError
from ft_s2a.genome import write_bigwig
from ft_s2a.tracks import TrackFile


def make(tmp_path, name: str, values: np.ndarray) -> TrackFile:
    path = write_bigwig(
        tmp_path / f"{name}.bw", {"I": 32 * len(values)}, [("I", 0, values)], bin_size=32
    )
    return TrackFile(path, name)


def test_limits_are_the_wider_quantiles_of_the_pair(tmp_path) -> None:
    rng = np.random.default_rng(5)
    first, second = rng.gamma(1, 3, 1000), rng.gamma(1, 5, 1000)
    second[7] = 4245.0  # the outlier that would hide everything else
    second[10:20] = np.nan
    pair = TrackPair("a", make(tmp_path, "p", first), make(tmp_path, "o", second))
    low, high = quantile_limits(pair, {"I": 32_000}, 0.99)
    assert low == 0.0
    expected = max(np.quantile(first, 0.99), np.nanquantile(second, 0.99))
    assert high == pytest.approx(expected, rel=1e-6)
    assert quantile_limits(pair, {"I": 32_000}, 1.0)[1] == pytest.approx(4245.0)


def test_negative_signal_gets_a_lower_limit(tmp_path) -> None:
    values = np.linspace(-10.0, 30.0, 401)
    pair = TrackPair("a", make(tmp_path, "p", values), None)
    low, high = quantile_limits(pair, {"I": 32 * 401}, 0.9)
    assert (low, high) == (pytest.approx(-6.0), pytest.approx(26.0))


def test_nothing_but_zero_gives_a_drawable_range(tmp_path) -> None:
    pair = TrackPair("a", make(tmp_path, "p", np.zeros(10)), None)
    assert quantile_limits(pair, {"I": 320}, 0.99) == (0.0, 1.0)


@pytest.mark.parametrize("quantile", [0.0, 0.5, 1.01, float("nan")])
def test_quantile_out_of_range(tmp_path, quantile: float) -> None:
    pair = TrackPair("a", make(tmp_path, "p", np.ones(10)), None)
    with pytest.raises(FtS2aError, match=r"above 0\.5, at most 1"):
        quantile_limits(pair, {"I": 320}, quantile)
