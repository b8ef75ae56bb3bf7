"""Weights as safetensors that state their config; importers of published weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ft_s2a.conventions.lazy import attach

if TYPE_CHECKING:
    from ft_s2a.checkpoint.files import load_weights as load_weights
    from ft_s2a.checkpoint.files import read_config as read_config
    from ft_s2a.checkpoint.files import save_weights as save_weights
    from ft_s2a.checkpoint.keras import load_keras_basenji2 as load_keras_basenji2
    from ft_s2a.checkpoint.lucidrains import load_lucidrains_enformer as load_lucidrains_enformer

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "load_keras_basenji2": "keras",
        "load_lucidrains_enformer": "lucidrains",
        "load_weights": "files",
        "read_config": "files",
        "save_weights": "files",
    },
)
