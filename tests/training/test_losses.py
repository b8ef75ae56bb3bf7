from __future__ import annotations

import numpy as np
import pytest
import torch

from ft_s2a.training.losses import poisson


def reference(p: np.ndarray, y: np.ndarray, weights: np.ndarray) -> float:
    """Keras' Poisson loss in float64, mean over known values."""
    p, y = p.astype(np.float64), y.astype(np.float64)
    terms = (p - y * np.log(p + 1e-7)) * weights
    return float(np.nanmean(terms))


@pytest.mark.parametrize("weights", [None, [0.5, 2.0, 0.25]])
def test_poisson_is_kerass_formula_over_known_bins(weights: list[float] | None) -> None:
    random = np.random.default_rng(0)
    p = random.gamma(1.0, 2.0, (2, 50, 3)).astype(np.float32)
    y = random.poisson(2.0, (2, 50, 3)).astype(np.float32)
    p[0, 0, 0] = 0.0
    y[random.random(y.shape) < 0.3] = np.nan
    given = None if weights is None else torch.tensor(weights)
    found = poisson(torch.from_numpy(p), torch.from_numpy(y), given)
    wanted = reference(p, y, np.ones(3) if weights is None else np.array(weights))
    assert found.item() == pytest.approx(wanted, rel=1e-6)


def test_unknown_bins_have_no_gradient_and_known_ones_the_right_one() -> None:
    p = torch.tensor([[[2.0], [3.0], [0.5]]], requires_grad=True)
    y = torch.tensor([[[1.0], [float("nan")], [0.0]]])
    poisson(p, y).backward()
    assert p.grad is not None
    np.testing.assert_allclose(p.grad.ravel(), [(1 - 1 / 2) / 2, 0, 0.5], rtol=1e-6)


def test_a_batch_without_any_known_bin_is_zero_with_zero_gradients() -> None:
    p = torch.ones(1, 4, 2, requires_grad=True)
    loss = poisson(p, torch.full((1, 4, 2), float("nan")))
    loss.backward()
    assert loss.item() == 0
    assert p.grad is not None
    assert not p.grad.any()


def test_half_precision_predictions_are_summed_in_float32() -> None:
    p = torch.full((1, 30_000, 4), 1.5, dtype=torch.bfloat16)
    y = torch.ones(1, 30_000, 4)
    loss = poisson(p, y)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(1.5 - np.log(1.5), rel=1e-5)
