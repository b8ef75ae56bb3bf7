"""The whole path once, on simulated or real data: what ``ft-s2a demo`` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ft_s2a.conventions.lazy import attach

if TYPE_CHECKING:
    from ft_s2a.demo.path import DemoResult as DemoResult
    from ft_s2a.demo.path import run_demo as run_demo

__getattr__, __dir__, __all__ = attach(__name__, {"DemoResult": "path", "run_demo": "path"})
