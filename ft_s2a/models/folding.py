"""A trained Basenji2 as affine layers: norms folded into the convolutions before them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from ft_s2a.models.basenji2 import Basenji2
from ft_s2a.models.layers import GeluForm


@dataclass(frozen=True)
class Affine:
    """A convolution with the norm that follows it.

    Parameters
    ----------
    weight : float64 tensor [outputs, inputs, taps]
    bias : float64 tensor [outputs]
    dilation : int
    """

    weight: Tensor
    bias: Tensor
    dilation: int = 1


@dataclass(frozen=True)
class FoldedBasenji2:
    """The affine layers of a network; `dilated` holds the two of each residual block."""

    stem: Affine
    tower: tuple[Affine, ...]
    dilated: tuple[tuple[Affine, Affine], ...]
    final: Affine


@dataclass(frozen=True)
class Activation:
    """GELU of values that are all kept multiplied by `scale`.

    ``x * sigmoid(1.702 x)`` takes three passes over the memory; in units of 1 / 1.702 it is SiLU,
    which takes one.  Affine layers keep to such units when their biases are multiplied by `scale`.
    """

    form: GeluForm

    @property
    def scale(self) -> float:
        """What values are multiplied by."""
        return 1.702 if self.form == "sigmoid" else 1.0

    def __call__(self, x: Tensor) -> Tensor:
        """Apply element-wise."""
        if self.form == "sigmoid":
            return functional.silu(x)
        return functional.gelu(x, approximate="tanh" if self.form == "tanh" else "none")

    def overwrite(self, x: Tensor) -> Tensor:
        """Apply in place."""
        if self.form == "sigmoid":
            return functional.silu(x, inplace=True)
        result: Tensor = torch.ops.aten.gelu_(
            x, approximate="tanh" if self.form == "tanh" else "none"
        )
        return result


@torch.no_grad()
def fold(network: Basenji2, scale: float = 1.0) -> FoldedBasenji2:
    """Fold the running statistics of the norms into weights and biases; the network stays.

    Parameters
    ----------
    network : Basenji2
    scale : float
        Unit of all values inside (see :class:`Activation`): biases are multiplied by it, and so are
        the weights of a stem that takes the one-hot letters as they are.
    """
    stem = _affine(network.stem, scale)
    if network.config.block == "conv_norm_gelu":
        stem = [replace(stem[0], weight=stem[0].weight * scale)]
    tower = [_affine(block, scale) for block in network.tower]
    dilated = [_affine(block, scale) for block in network.dilated]
    final = _affine(network.final, scale)
    return FoldedBasenji2(
        stem[0], tuple(t[0] for t in tower), tuple((a, b) for a, b in dilated), final[0]
    )


def _affine(block: nn.Module, scale: float) -> list[Affine]:
    """Layers of a block, which alternate: a convolution, its norm, ..."""
    layers = [m for m in block.modules() if isinstance(m, (nn.Conv1d, nn.BatchNorm1d))]
    found = []
    for conv, norm in zip(layers[::2], layers[1::2], strict=True):
        assert isinstance(conv, nn.Conv1d)
        assert isinstance(norm, nn.BatchNorm1d)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        gain = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
        bias = norm.bias.double() - gain * norm.running_mean.double()
        if conv.bias is not None:
            bias = bias + gain * conv.bias.double()
        weight = conv.weight.double() * gain[:, None, None]
        found.append(Affine(weight, bias * scale, int(conv.dilation[0])))
    return found
