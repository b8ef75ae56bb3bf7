"""How many numbers a network holds, from its config alone (torch-free)."""

from __future__ import annotations

from dataclasses import dataclass

from ft_s2a.models.config import ModelConfig


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
