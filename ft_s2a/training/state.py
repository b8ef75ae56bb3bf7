"""State of a run: what an exact resume needs, written atomically, read without pickles' code."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from ft_s2a.conventions.atomic import atomic_path
from ft_s2a.errors import ConfigError, FormatError
from ft_s2a.training.best import Best
from ft_s2a.training.history import Row

STATE_NAME = "resume.pt"


@dataclass
class Progress:
    """How far a run is.

    ``losses`` holds the sum and number of each head's training losses since the last validation;
    ``whole`` is the best validation by the mean over the heads, ``heads`` that of each.
    """

    step: int = 0
    seconds: float = 0.0
    losses: dict[str, list[float]] = field(default_factory=dict)
    whole: Best = field(default_factory=Best)
    heads: dict[str, Best] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)

    @property
    def best(self) -> float:
        """Best validation r (the mean over the heads)."""
        return self.whole.score

    @property
    def best_step(self) -> int:
        """Step of it, so of the weights of the whole network; 0 before the first validation."""
        return self.whole.step

    @property
    def unimproved(self) -> int:
        """Validations without a better r: the fewest of all heads."""
        return min((best.unimproved for best in self.heads.values()), default=0)

    def note_loss(self, head: str, loss: float) -> None:
        """Count a training loss of a head."""
        noted = self.losses.setdefault(head, [0.0, 0])
        noted[0] += loss
        noted[1] += 1

    def mean_loss(self, head: str) -> float:
        """Mean training loss of a head since the last validation; NaN without any."""
        total, count = self.losses.get(head, (0.0, 0))
        return total / count if count else float("nan")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Progress:
        """Inverse of ``dataclasses.asdict``."""
        heads = {name: Best(**best) for name, best in values["heads"].items()}
        return cls(**{**values, "whole": Best(**values["whole"]), "heads": heads})


def save_state(path: Path, *, key: str, progress: Progress, parts: dict[str, Any]) -> None:
    """Write progress and the state dicts in `parts`; `key` says which run they belong to."""
    with atomic_path(path, overwrite=True) as temporary:
        torch.save({"key": key, "progress": asdict(progress), "parts": parts}, temporary)


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
        theirs, progress, parts = (
            state["key"],
            Progress.from_dict(state["progress"]),
            state["parts"],
        )
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
