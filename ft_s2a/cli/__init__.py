"""The command line ``ft-s2a``."""

from __future__ import annotations

from ft_s2a.cli.app import main

__all__ = ["main"]
