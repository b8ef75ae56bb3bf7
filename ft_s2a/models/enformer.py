"""Enformer: convolution tower, transformer, linear heads.

Source: Avsec 2021 (doi 10.1038/s41592-021-01252-x); the same function of its weights as
lucidrains/enformer-pytorch 0.8.12 and with the same initialisation, computed in other steps.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from ft_s2a.models.attention import RelativeAttention
from ft_s2a.models.checkpointing import Checkpoint, run_stage
from ft_s2a.models.enformer_config import EnformerConfig
from ft_s2a.models.network import Network, make_heads
from ft_s2a.models.pooling import PairPool
from ft_s2a.models.positions import framed_features
from ft_s2a.models.projections import ProjectionCache

_SLOPE = 1.702  # of the GELU, x * sigmoid(1.702 x)
_LONGEST = 2  # levels that are checkpointed in two parts: what one of them keeps is the peak


class Enformer(Network):
    """The network described by an :class:`EnformerConfig`.

    Parameters
    ----------
    config : EnformerConfig
    checkpoint : {'none', 'tower', 'all'}
        What is computed again in the backward pass instead of being kept: nothing, stem and tower
        (where most of the memory goes), or the transformer too.  Outputs, gradients and running
        statistics are the same.  Kept as `checkpoint`, and may be changed at any time.

    Examples
    --------
    >>> from ft_s2a.models import HeadConfig
    >>> config = EnformerConfig(
    ...     input_length=1024, target_bins=4, dim=24, depth=1, attention_heads=2, key_size=4,
    ...     dim_divisible_by=4, heads=(HeadConfig(name="tracks", tracks=3),),
    ... )
    >>> Enformer(config).eval()(torch.zeros(2, 1024, 4), "tracks").shape
    torch.Size([2, 4, 3])
    """

    config: EnformerConfig

    def __init__(self, config: EnformerConfig, *, checkpoint: Checkpoint = "none") -> None:
        super().__init__(config)
        self.checkpoint: Checkpoint = checkpoint
        half = config.dim // 2
        widths = (half, *config.tower_channels)
        self.stem = _Level(config, nn.Conv1d(4, half, 15, padding=7), half)
        self.tower = nn.ModuleList(
            _Level(config, _PreActivated(config, before, after, 5), after)
            for before, after in pairwise(widths)
        )
        self.transformer = nn.ModuleList(_Block(config) for _ in range(config.depth))
        self.final = _Final(config) if config.final_pointwise else None
        self.heads = make_heads(config.heads, config.channels, "torch")
        self._projections = ProjectionCache()

    def trunk(self, one_hot: Tensor) -> Tensor:
        """Compute :meth:`embed` for an input that was checked."""
        bins = one_hot.shape[1] // self.config.bin_size
        positions = self._positions(bins)
        x = one_hot.transpose(1, 2)
        again = self.checkpoint != "none"
        for index, level in enumerate((self.stem, *self.tower)):
            x = run_stage(level, x, again and index < _LONGEST, again=again)
        x = x.transpose(1, 2)
        for block, position in zip(self.transformer, positions, strict=True):
            x = run_stage(block, x, position, again=self.checkpoint == "all")
        kept = self.config.target_bins
        if kept is not None:
            left = (bins - kept) // 2
            x = x[:, left : left + kept]
        if self.final is not None:
            x = run_stage(self.final, x, again=self.checkpoint == "all")
        return x

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _positions(self, bins: int) -> list[Tensor]:
        """Each block's position features, or what it makes of them where that stays the same."""
        attentions: list[RelativeAttention] = [block.attention for block in self.transformer]  # type: ignore[misc]
        weights = [attention.to_rel_k.weight for attention in attentions]
        features = framed_features(bins, self.config.value_size, self.config.gamma, weights[0])
        if (
            any(attention.training for attention in attentions)
            or (torch.is_grad_enabled() and any(weight.requires_grad for weight in weights))
            or any(torch._C._functorch.is_functorch_wrapped_tensor(weight) for weight in weights)
        ):
            return [features] * len(attentions)
        return self._projections.get(attentions, features)


class _PreActivated(nn.Module):
    """Norm, GELU, convolution of the same length."""

    def __init__(self, config: EnformerConfig, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(inputs, eps=config.norm_eps, momentum=config.norm_momentum)
        self.conv = nn.Conv1d(inputs, outputs, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.conv.weight / _SLOPE
        return functional.conv1d(
            _norm_gelu(self.norm, x), weight, self.conv.bias, padding=self.conv.padding[0]
        )


class _Level(nn.Module):
    """A first layer, a residual pointwise layer, and pooling."""

    def __init__(self, config: EnformerConfig, first: nn.Module, channels: int) -> None:
        super().__init__()
        self.first = first
        self.residual = _PreActivated(config, channels, channels, 1)
        self.pool = PairPool(channels)

    def forward(self, x: Tensor, in_parts: bool = False) -> Tensor:
        x = self.first(x)
        x = run_stage(self.residual, x, again=in_parts).add_(x)
        result: Tensor = self.pool(x)
        return result


class _Block(nn.Module):
    """Attention and, where the config says so, a feed-forward layer; both residual."""

    def __init__(self, config: EnformerConfig) -> None:
        super().__init__()
        dim = config.dim
        self.norm = nn.LayerNorm(dim)
        self.attention = RelativeAttention(
            dim,
            heads=config.attention_heads,
            key_size=config.key_size,
            value_size=config.value_size,
            features=config.value_size,
            dropout=config.attention_dropout,
            position_dropout=config.position_dropout,
        )
        self.dropout = nn.Dropout(config.dropout)
        self.feed_forward = (
            nn.Sequential(
                nn.LayerNorm(dim),
                nn.Linear(dim, 2 * dim),
                nn.Dropout(config.dropout),
                nn.ReLU(),
                nn.Linear(2 * dim, dim),
                nn.Dropout(config.dropout),
            )
            if config.feed_forward
            else None
        )

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        """Transform [B, n, dim]; `positions` are features, or already the attention's keys."""
        keys = positions if positions.ndim == 3 else self.attention.project(positions)
        x = x + self.dropout(self.attention(self.norm(x), keys))
        return x if self.feed_forward is None else x + self.feed_forward(x)


class _Final(nn.Module):
    """Norm, GELU, pointwise layer, dropout, GELU on [B, bins, dim]."""

    def __init__(self, config: EnformerConfig) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(config.dim, eps=config.norm_eps, momentum=config.norm_momentum)
        self.linear = nn.Linear(config.dim, config.channels)
        self.dropout = nn.Dropout(config.dropout / 8)

    def forward(self, x: Tensor) -> Tensor:
        rows = _norm_gelu(self.norm, x.flatten(0, 1))
        scaled = functional.linear(rows, self.linear.weight, _SLOPE * self.linear.bias)
        return functional.silu(self.dropout(scaled)).div(_SLOPE).view(*x.shape[:2], -1)


def _norm_gelu(norm: nn.Module, x: Tensor) -> Tensor:
    """GELU of the norm of [B, channels, L] or [n, channels], times 1.702.

    In these units GELU is SiLU: one pass over the memory instead of three, and one tensor kept for
    the backward pass instead of two.  The factor costs nothing in the norm and in the next weights.
    """
    if isinstance(norm, nn.BatchNorm1d):
        if norm.training and norm.num_batches_tracked is not None:
            norm.num_batches_tracked.add_(1)
        y = functional.batch_norm(
            x,
            norm.running_mean,
            norm.running_var,
            norm.weight * _SLOPE,
            norm.bias * _SLOPE,
            norm.training,
            norm.momentum or 0.0,
            norm.eps,
        )
    else:  # what torch makes of it for training on several devices
        y = norm(x) * _SLOPE
    return functional.silu(y, inplace=not y.requires_grad)
