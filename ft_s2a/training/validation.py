"""Validation: loss and Pearson's r per track over every bin of a split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ft_s2a.errors import DataError
from ft_s2a.evaluation.moments import Moments
from ft_s2a.models.layers import one_hot
from ft_s2a.training.losses import poisson


@dataclass(frozen=True)
class Scores:
    """Loss (mean over known bins, unweighted) and r per track; r is NaN for a constant track."""

    loss: float
    pearson: NDArray[np.float64]

    @property
    def mean_pearson(self) -> float:
        """Mean r of the tracks that have one; NaN when every track is constant."""
        known = self.pearson[np.isfinite(self.pearson)]
        return float(known.mean()) if len(known) else float("nan")

    @property
    def constant_tracks(self) -> int:
        """Tracks without an r, because the predicted or the observed does not vary."""
        return int((~np.isfinite(self.pearson)).sum())


@torch.no_grad()
def validate(
    network: nn.Module,
    loader: DataLoader[Any],
    head: str,
    *,
    transform: str,
    device: torch.device,
    autocast: Any,
) -> Scores:
    """Score a network in evaluation mode; its mode is restored.

    Parameters
    ----------
    network : nn.Module
        On `device`.
    loader : DataLoader
        Gives codes uint8 [B, L] and targets float32 [B, bins, T] with NaN where unknown.
    transform : {'target', 'log1p'}
        Correlate target units, or ln(1 + target units).
    autocast : callable
        Gives the context in which the network runs.

    Returns
    -------
    Scores
        They do not depend on how the bins were batched.

    Raises
    ------
    DataError
        When no bin is known.
    """
    training = network.training
    network.eval()
    moments: Moments | None = None
    total, bins = 0.0, 0
    for codes, targets in loader:
        with autocast():
            predicted: Tensor = network(one_hot(codes.to(device)), head)
        predicted = predicted.float().cpu()
        known = int(torch.isfinite(targets).sum())
        total += float(poisson(predicted, targets)) * known
        bins += known
        left, right = (t.numpy().reshape(-1, t.shape[-1]) for t in (predicted, targets))
        if transform == "log1p":
            left, right = np.log1p(left), np.log1p(right)
        moments = moments or Moments(left.shape[1])
        moments.update(left, right)
    network.train(training)
    if moments is None or not bins:
        raise DataError("no bin of the valid split is known", remedy="name another valid split")
    return Scores(total / bins, moments.pearson())
