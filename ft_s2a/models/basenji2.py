"""Basenji2: convolution tower, dilated residual blocks, linear heads.

Source: Kelley 2020 (doi 10.1371/journal.pcbi.1008050); order of layers, initialisation and
hyper-parameters as in calico/basenji 24403ec, ``manuscripts/cross2020``.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from ft_s2a.models.config import Basenji2Config
from ft_s2a.models.layers import BatchNorm, Gelu, convolution
from ft_s2a.models.network import Network, make_heads


class Basenji2(Network):
    """The network described by a :class:`Basenji2Config`.

    Examples
    --------
    >>> import torch
    >>> from ft_s2a.models import HeadConfig
    >>> config = Basenji2Config(
    ...     input_length=512, crop_bins=1, stem_channels=4, tower_channels=(4,) * 6,
    ...     dilations=(1,), dilated_channels=2, final_channels=8,
    ...     heads=(HeadConfig(name="tracks", tracks=3),),
    ... )
    >>> Basenji2(config).eval()(torch.zeros(2, 512, 4), "tracks").shape
    torch.Size([2, 2, 3])
    """

    config: Basenji2Config

    def __init__(self, config: Basenji2Config) -> None:
        super().__init__(config)
        widths = (config.stem_channels, *config.tower_channels)
        channels = widths[-1]
        self.stem = _pooled(config, 4, config.stem_channels, config.stem_kernel)
        self.tower = nn.Sequential(
            *(
                _pooled(config, before, after, config.tower_kernel)
                for before, after in pairwise(widths)
            )
        )
        self.dilated = nn.Sequential(
            *(_Residual(config, channels, dilation) for dilation in config.dilations)
        )
        self.final = _final(config, channels)
        self.heads = make_heads(config.heads, config.final_channels, config.initialisation)

    def trunk(self, one_hot: Tensor) -> Tensor:
        """Compute :meth:`embed` for an input that was checked."""
        x = self.dilated(self.tower(self.stem(one_hot.transpose(1, 2))))
        crop = self.config.crop_bins
        x = x[:, :, crop : x.shape[2] - crop]
        result: Tensor = self.final(x).transpose(1, 2)
        return result


def _norm(config: Basenji2Config, channels: int, *, zero: bool = False) -> BatchNorm:
    layer = BatchNorm(
        channels,
        eps=config.norm_eps,
        momentum=config.norm_momentum,
        variance=config.norm_variance,
    )
    if zero:
        nn.init.zeros_(layer.weight)
    return layer


def _block(
    config: Basenji2Config,
    inputs: int,
    outputs: int,
    kernel: int,
    *,
    dilation: int = 1,
    zero: bool = False,
) -> list[nn.Module]:
    """Activation, convolution and norm in the config's order."""
    conv = convolution(
        inputs,
        outputs,
        kernel,
        dilation=dilation,
        bias=config.conv_bias,
        initialisation=config.initialisation,
    )
    norm = _norm(config, outputs, zero=zero)
    gelu = Gelu(config.gelu)
    return [gelu, conv, norm] if config.block == "gelu_conv_norm" else [conv, norm, gelu]


def _pooled(config: Basenji2Config, inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(*_block(config, inputs, outputs, kernel), nn.MaxPool1d(2))


def _final(config: Basenji2Config, channels: int) -> nn.Sequential:
    dropout = nn.Dropout(config.final_dropout)
    layers = _block(config, channels, config.final_channels, 1)
    if config.block == "gelu_conv_norm":
        return nn.Sequential(*layers, dropout, Gelu(config.gelu))
    conv, norm, gelu = layers
    return nn.Sequential(conv, norm, dropout, gelu)


class _Residual(nn.Module):
    """Dilated convolution, pointwise convolution, dropout, residual connection."""

    def __init__(self, config: Basenji2Config, channels: int, dilation: int) -> None:
        super().__init__()
        inner = config.dilated_channels
        wide = _block(config, channels, inner, config.dilated_kernel, dilation=dilation)
        dropout: nn.Module = nn.Dropout(config.dilated_dropout)
        pre_activation = config.block == "gelu_conv_norm"
        # Zero gamma on the way back to the residual stream: each block starts as the identity.
        zero = pre_activation and config.initialisation == "keras"
        back = _block(config, inner, channels, 1, zero=zero)
        if not pre_activation:
            back = back[:-1]
            if config.residual_activation == "before_add":
                dropout = nn.Sequential(dropout, Gelu(config.gelu))
        self.body = nn.Sequential(*wide, *back, dropout)
        self.after: nn.Module = (
            Gelu(config.gelu) if config.residual_activation == "after_add" else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.after(x + self.body(x))
        return result
