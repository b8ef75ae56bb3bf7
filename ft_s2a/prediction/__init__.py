"""Prediction: windows to tracks, averaged over strands and shifts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ft_s2a.conventions.lazy import attach

if TYPE_CHECKING:
    from ft_s2a.prediction.ensemble import predict_codes as predict_codes
    from ft_s2a.prediction.genome_wide import predict_tracks as predict_tracks

__getattr__, __dir__, __all__ = attach(
    __name__, {"predict_codes": "ensemble", "predict_tracks": "genome_wide"}
)
