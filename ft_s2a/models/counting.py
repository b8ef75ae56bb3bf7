"""How many numbers a network holds, from its config alone (torch-free)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from ft_s2a.models.config import ModelConfig
from ft_s2a.models.enformer_config import EnformerConfig


@dataclass(frozen=True)
class Parameters:
    """Parameters that are trained, and running statistics of the norms that are not."""

    trained: int
    statistics: int

    @property
    def total(self) -> int:
        """Both, as Keras counts."""
        return self.trained + self.statistics


def count_parameters(config: ModelConfig) -> Parameters:
    """Count a network's parameters without building it.

    Examples
    --------
    >>> from ft_s2a.models import Basenji2Config, HeadConfig
    >>> human = Basenji2Config(heads=(HeadConfig(name="human", tracks=5313),))
    >>> count_parameters(human)
    Parameters(trained=30088228, statistics=35356)
    """
    if isinstance(config, EnformerConfig):
        return _enformer(config)
    widths = [4, config.stem_channels, *config.tower_channels]
    kernels = [config.stem_kernel] + [config.tower_kernel] * len(config.tower_channels)
    convolutions = list(zip(kernels, widths[:-1], widths[1:], strict=True))
    wide, narrow = widths[-1], config.dilated_channels
    convolutions += len(config.dilations) * [
        (config.dilated_kernel, wide, narrow),
        (1, narrow, wide),
    ]
    convolutions.append((1, wide, config.final_channels))
    outputs = sum(width for _, _, width in convolutions)
    trained = sum(kernel * inputs * width for kernel, inputs, width in convolutions)
    trained += outputs * config.conv_bias + 2 * outputs  # scale and offset of each norm
    trained += sum((config.final_channels + 1) * head.tracks for head in config.heads)
    return Parameters(trained=trained, statistics=2 * outputs)


def _enformer(config: EnformerConfig) -> Parameters:
    dim, half = config.dim, config.dim // 2
    keys, features = config.attention_heads * config.key_size, config.value_size
    normed = [half]  # widths of the norms with running statistics
    trained = (4 * 15 + 1) * half + (half + 1) * half + half * half  # stem: two layers, pooling
    for before, after in pairwise((half, *config.tower_channels)):
        normed += [before, after]
        trained += (5 * before + 1) * after + (after + 1) * after + after * after
    attention = 2 * keys * dim + dim * dim + (dim + 1) * dim + features * keys + 2 * keys
    feed_forward = 2 * dim + (dim + 1) * 2 * dim + (2 * dim + 1) * dim
    trained += config.depth * (2 * dim + attention + feed_forward * config.feed_forward)
    if config.final_pointwise:
        normed.append(dim)
        trained += (dim + 1) * config.channels
    trained += 2 * sum(normed) + sum((config.channels + 1) * head.tracks for head in config.heads)
    return Parameters(trained=trained, statistics=2 * sum(normed))
