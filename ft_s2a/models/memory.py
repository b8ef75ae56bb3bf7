"""Estimate how much memory a training step takes, before one is run (torch-free)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from ft_s2a.models.counting import count_parameters
from ft_s2a.models.enformer_config import EnformerConfig

_GIB = 2**30


@dataclass(frozen=True)
class TrainingMemory:
    """Bytes of a training step at its peak.

    Parameters
    ----------
    parameters : int
    optimizer : int
        What the optimizer remembers of each parameter.
    activations : int
        Activations, gradients and what the backward pass works on, all at the peak.
    """

    parameters: int
    optimizer: int
    activations: int

    @property
    def total(self) -> int:
        """All of it; libraries take some 0.5 GiB more, and on CPUs copies of long activations."""
        return self.parameters + self.optimizer + self.activations

    def __str__(self) -> str:
        return (
            f"{self.total / _GIB:.1f} GiB: {self.parameters / _GIB:.1f} parameters, "
            f"{self.optimizer / _GIB:.1f} optimizer, {self.activations / _GIB:.1f} activations "
            "and gradients"
        )


@dataclass(frozen=True)
class _Stage:
    """What a part of the network needs, in numbers (not bytes)."""

    inputs: float
    kept: float  # for its backward pass, without its inputs
    worked: float  # besides, while its backward pass runs
    weights: float
    again: bool


def training_memory(
    config: EnformerConfig,
    *,
    batch_size: int = 1,
    checkpoint: Literal["none", "tower", "all"] = "none",
    head: str | None = None,
    optimizer_states: int = 2,
) -> TrainingMemory:
    """Estimate the peak of a training step in float32.

    Parameters
    ----------
    config : EnformerConfig
        Its input length counts.
    batch_size : int
        Windows of a batch on one device.
    checkpoint : {'none', 'tower', 'all'}
        See :class:`ft_s2a.models.Enformer`.
    head : str, optional
        The head that is trained; by default the one with the most tracks.
    optimizer_states : int
        Numbers kept per parameter: 2 for Adam, 1 for SGD with momentum; none in a first step.

    Examples
    --------
    >>> from ft_s2a.models import named
    >>> config = named("smallenf")
    >>> whole, less = (training_memory(config, checkpoint=c) for c in ("none", "tower"))
    >>> less.total < 0.6 * whole.total
    True
    """
    stages = _stages(config, batch_size, checkpoint, head)
    weights = count_parameters(config).total
    peak = 0.0
    kept = 0.0
    for stage in stages:
        kept += stage.inputs + (0 if stage.again else stage.kept)
    gradients = 0.0
    for stage in reversed(stages):
        again = stage.kept if stage.again else 0
        gradients += stage.weights
        peak = max(peak, kept + again + stage.worked + gradients)
        kept -= stage.inputs + (0 if stage.again else stage.kept)
    return TrainingMemory(4 * weights, 4 * optimizer_states * weights, round(4 * peak))


def _stages(config: EnformerConfig, batch: int, checkpoint: str, head: str | None) -> list[_Stage]:
    length, dim = config.input_length, config.dim
    tower, everything = checkpoint != "none", checkpoint == "all"
    stages = []
    widths = (dim // 2, *config.tower_channels)
    wide = batch * length * widths[0]
    # Of a residual layer: its input, the norm's and the GELU's output; of the pooling: two tensors
    # of half the length.  A level in parts keeps the two of norm and GELU for the residual layer's
    # own backward pass only, when those of the pooling are gone.
    split = 1.0 if tower else 0.0
    stages.append(
        _Stage(
            inputs=batch * length * 4,
            kept=(4 - split) * wide + widths[0] ** 2,
            worked=2 * wide,
            weights=(61 + 2 * widths[0]) * widths[0],
            again=tower,
        )
    )
    for index, (before, after) in enumerate(pairwise(widths)):
        length //= 2
        narrow, wide = batch * length * before, batch * length * after
        scaled = 5 * before * after + after * after  # weights in the units of the GELU
        stages.append(
            _Stage(
                inputs=narrow,
                kept=2 * narrow + (4 - (split if index == 0 else 0)) * wide + scaled,
                worked=2 * wide,
                weights=scaled + after * after,
                again=tower,
            )
        )
    bins = length // 2
    stages += [_block(config, batch, bins, everything)] * config.depth
    stages.append(_end(config, batch, bins, head))
    return stages


def _block(config: EnformerConfig, batch: int, bins: int, again: bool) -> _Stage:
    rows, dim = batch * bins, config.dim
    keys = config.attention_heads * config.key_size
    pairs = batch * config.attention_heads * bins**2
    # Dropout keeps what it multiplies with: on GPUs a quarter of this.
    kept = 4 * rows * dim + 3 * rows * keys + 2 * bins * (keys + 2 * config.value_size) + 3 * pairs
    weights = 2 * keys * dim + 2 * dim * dim
    if config.feed_forward:
        kept += 7 * rows * dim
        weights += 4 * dim * dim
    return _Stage(rows * dim, kept, 4 * pairs, weights, again)


def _end(config: EnformerConfig, batch: int, bins: int, head: str | None) -> _Stage:
    """Final layer, head and loss."""
    rows = batch * (config.target_bins or bins)
    if head is not None:
        tracks = config.tracks_of(head)
    else:
        tracks = max((h.tracks for h in config.heads), default=0)
    kept = rows * config.channels + 4.0 * rows * tracks
    weights = config.channels * tracks
    if config.final_pointwise:
        kept += rows * (3 * config.dim + 2 * config.channels)
        weights += config.dim * config.channels
    return _Stage(0, kept, 2.0 * rows * tracks, weights, False)
