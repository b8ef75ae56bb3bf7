"""State of a run: what an exact resume needs, written atomically, read without pickles' code."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ft_s2a.conventions.atomic import atomic_path
from ft_s2a.errors import ConfigError, FormatError
from ft_s2a.training.history import Row

STATE_NAME = "resume.pt"


@dataclass
class Progress:
    """How far a run is."""

    step: int = 0
    seconds: float = 0.0
    loss_sum: float = 0.0
    loss_steps: int = 0
    best: float = float("-inf")
    best_step: int = 0
    unimproved: int = 0
    rows: list[Row] = field(default_factory=list)


def save_state(path: Path, *, key: str, progress: Progress, parts: dict[str, Any]) -> None:
    """Write progress and the state dicts in `parts`; `key` says which run they belong to."""
    with atomic_path(path, overwrite=True) as temporary:
        torch.save({"key": key, "progress": vars(progress), "parts": parts}, temporary)


def load_state(path: Path, *, key: str) -> tuple[Progress, dict[str, Any]]:
    """Read a state written by :func:`save_state`.

    Raises
    ------
    ConfigError
        When it belongs to another recipe or data set.
    FormatError
        When it cannot be read.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        theirs, progress, parts = state["key"], Progress(**state["progress"]), state["parts"]
    except Exception as error:  # torch raises many kinds for a damaged file
        raise FormatError(
            f"cannot be read ({type(error).__name__})", where=path, remedy="train with --overwrite"
        ) from error
    if theirs != key:
        raise ConfigError(
            "the run was started with another recipe, seed or data set",
            where=path.parent,
            remedy="repeat the same command, or train anew with --overwrite",
        )
    return progress, parts
