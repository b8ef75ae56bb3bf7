"""Predicted against observed: bigWigs in, tables and pictures out; no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ft_s2a.conventions.lazy import attach

if TYPE_CHECKING:
    from ft_s2a.evaluation.correlation import pearson_per_track as pearson_per_track
    from ft_s2a.evaluation.correlation import r2_per_track as r2_per_track
    from ft_s2a.evaluation.correlation import spearman_per_track as spearman_per_track
    from ft_s2a.evaluation.moments import Moments as Moments
    from ft_s2a.evaluation.positions import correlate_positions as correlate_positions

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Moments": "moments",
        "correlate_positions": "positions",
        "pearson_per_track": "correlation",
        "r2_per_track": "correlation",
        "spearman_per_track": "correlation",
    },
)
