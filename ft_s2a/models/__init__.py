"""Pure networks and their configs; no files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ft_s2a.conventions.lazy import attach

if TYPE_CHECKING:
    from ft_s2a.checkpoint.keras import load_keras_basenji2 as load_keras_basenji2
    from ft_s2a.checkpoint.lucidrains import load_lucidrains_enformer as load_lucidrains_enformer
    from ft_s2a.models.basenji2 import Basenji2 as Basenji2
    from ft_s2a.models.builder import build as build
    from ft_s2a.models.config import Basenji2Config as Basenji2Config
    from ft_s2a.models.config import HeadConfig as HeadConfig
    from ft_s2a.models.config import ModelConfig as ModelConfig
    from ft_s2a.models.config import parse_config as parse_config
    from ft_s2a.models.enformer import Enformer as Enformer
    from ft_s2a.models.enformer_config import EnformerConfig as EnformerConfig
    from ft_s2a.models.freezing import freeze as freeze
    from ft_s2a.models.inference import for_inference as for_inference
    from ft_s2a.models.memory import training_memory as training_memory
    from ft_s2a.models.network import Network as Network
    from ft_s2a.models.presets import named as named

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Basenji2": "basenji2",
        "Basenji2Config": "config",
        "Enformer": "enformer",
        "EnformerConfig": "enformer_config",
        "HeadConfig": "config",
        "ModelConfig": "config",
        "Network": "network",
        "build": "builder",
        "for_inference": "inference",
        "freeze": "freezing",
        "load_keras_basenji2": ".checkpoint.keras",
        "load_lucidrains_enformer": ".checkpoint.lucidrains",
        "named": "presets",
        "parse_config": "config",
        "training_memory": "memory",
    },
)
