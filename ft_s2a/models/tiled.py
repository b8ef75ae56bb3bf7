"""The trunk on a CPU in float32: a stream of short blocks of rows that stay in its caches.

Rows are [positions, channels].  Each layer of the tower has a buffer for the rows that it will
need; whenever the layer before has filled it, the layer computes a block, and its output goes
straight into the next buffer.  So no activation of the whole length is ever in memory.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from ft_s2a.models.config import Basenji2Config
from ft_s2a.models.folding import Activation, Affine, FoldedBasenji2
from ft_s2a.models.winograd import TAPS, TILE, TiledConvolution

_LEAST_CHANNELS = 128  # of narrower networks, the direct convolutions are as fast
_BLOCK = 512 * TILE  # rows that a layer of the tower takes at once
_STEM_BLOCK = 1024  # rows that the stem gives at once; at most _BLOCK


def worth_tiling(config: Basenji2Config) -> bool:
    """Whether :class:`TiledTrunk` computes these kernels, and is faster (with MKL's products)."""
    return (
        torch.backends.mkl.is_available()  # type: ignore[no-untyped-call]
        and config.stem_channels >= _LEAST_CHANNELS
        and config.tower_kernel in TAPS
        and config.dilated_kernel in TAPS
    )


def padded(x: Tensor, *dims: int) -> Tensor:
    """Fill up dimensions with zeros to multiples of 16, so that rows of products are aligned."""
    for dim in dims:
        shape = list(x.shape)
        shape[dim] = -shape[dim] % 16
        x = torch.cat([x, x.new_zeros(shape)], dim)
    return x


class TiledTrunk(nn.Module):
    """One-hot rows [L, 4] to cropped bins [bins, channels]; without derivatives."""

    weight: Tensor
    bias: Tensor

    def __init__(
        self, config: Basenji2Config, folded: FoldedBasenji2, activation: Activation
    ) -> None:
        super().__init__()
        self._config = config
        self._activation = activation
        pre = config.block == "gelu_conv_norm"
        last = len(folded.tower)
        # In the published order the next layer's GELU follows the pooling; the residual blocks
        # have their own.
        poolings = [
            _Pooling(activation, before=not pre, after=pre and i < last) for i in range(last + 1)
        ]
        self.stem = _Stem(folded.stem, poolings[0])
        self.tower = nn.ModuleList(
            _Pooled(layer, pooling)
            for layer, pooling in zip(folded.tower, poolings[1:], strict=True)
        )
        self.dilated = nn.ModuleList(
            _Residual(wide, back, config, activation) for wide, back in folded.dilated
        )
        self.register_buffer("weight", _kernel(folded.final)[0].float())
        self.register_buffer("bias", padded(folded.final.bias, 0).float())

    def forward(self, one_hot: Tensor) -> Tensor:
        """Compute the trunk for one window."""
        config, act = self._config, self._activation
        bins = len(one_hot) // config.bin_size
        stream = _Stream(torch.empty(bins, len(self.weight)))
        sink: _Sink = stream
        for depth in range(len(self.tower), 0, -1):
            layer: _Pooled = self.tower[depth - 1]  # type: ignore[assignment]
            sink = _Inlet(layer, len(one_hot) >> depth, sink)
        pre = config.block == "gelu_conv_norm"
        self.stem(act.overwrite(one_hot * act.scale) if pre else one_hot, sink)
        x = stream.rows
        for block in self.dilated:
            block(x)
        x = x[config.crop_bins : bins - config.crop_bins]
        if pre:
            x = act(x)
        x = act.overwrite(torch.addmm(self.bias, x, self.weight))
        return x[:, : config.final_channels] / act.scale


class _Sink(Protocol):
    """Where a layer's output goes."""

    def room(self, count: int) -> Tensor:
        """Where the next `count` rows must be written."""

    def take(self, count: int) -> None:
        """Accept the rows that were written there."""


class _Stream:
    """The rows of the residual blocks."""

    def __init__(self, rows: Tensor) -> None:
        self.rows = rows
        self._filled = 0

    def room(self, count: int) -> Tensor:
        return self.rows[self._filled : self._filled + count]

    def take(self, count: int) -> None:
        self._filled += count


class _Inlet:
    """The rows that a layer of the tower will need, of one window.

    Parameters
    ----------
    length : int
        Rows that will come; zeros are set before and behind them.
    sink : _Sink
        Where the layer's output goes.
    """

    def __init__(self, layer: _Pooled, length: int, sink: _Sink) -> None:
        self._layer = layer
        self._sink = sink
        self._rows = torch.empty(2 * _BLOCK + 3 * layer.margin + TILE, layer.inputs)
        self._rows[: layer.margin] = 0
        self._filled = layer.margin
        self._awaited = length

    def room(self, count: int) -> Tensor:
        return self._rows[self._filled : self._filled + count]

    def take(self, count: int) -> None:
        margin = self._layer.margin
        self._filled += count
        self._awaited -= count
        while self._filled >= _BLOCK + 2 * margin:
            self._run(_BLOCK)
        if not self._awaited:
            self._rows[self._filled : self._filled + TILE + margin] = 0
            self._run(self._filled - margin)

    def _run(self, count: int) -> None:
        """Compute the next `count` rows of the convolution, and keep what later ones need."""
        pairs = count // 2
        self._layer(self._rows, self._sink.room(pairs))
        kept = self._rows[count : self._filled]
        self._rows[: len(kept)] = kept.clone()
        self._filled -= count
        self._sink.take(pairs)


class _Pooling(nn.Module):
    """Bias, GELU before or after, and maximum of pairs."""

    def __init__(self, activation: Activation, *, before: bool, after: bool) -> None:
        super().__init__()
        self._activation = activation
        self._before = before
        self._after = after

    def forward(self, pairs: Tensor, bias: Tensor, out: Tensor) -> None:
        """Pool `pairs` [n, 2, channels], which are overwritten, into `out` [n, channels]."""
        if self._before:
            self._activation.overwrite(pairs.add_(bias))
            torch.maximum(pairs[:, 0], pairs[:, 1], out=out)
        else:
            torch.maximum(pairs[:, 0], pairs[:, 1], out=out).add_(bias)
        if self._after:
            self._activation.overwrite(out)


class _Stem(nn.Module):
    """The first convolution, as one product of each pair's whole neighbourhood."""

    weight: Tensor
    bias: Tensor

    def __init__(self, layer: Affine, pooling: _Pooling) -> None:
        super().__init__()
        self._pooling = pooling
        kernel = padded(layer.weight.permute(2, 1, 0), 2)
        taps, inputs, outputs = kernel.shape
        pair = kernel.new_zeros(taps + 1, inputs, 2, outputs)
        pair[:-1, :, 0] = pair[1:, :, 1] = kernel
        self.register_buffer("weight", pair.flatten(0, 1).flatten(1).float())
        self.register_buffer("bias", padded(layer.bias, 0).float())

    def forward(self, rows: Tensor, sink: _Sink) -> None:
        width, outputs = len(self.weight), len(self.bias)
        length, inputs = rows.shape
        half = (width // inputs - 1) // 2
        framed = nn.functional.pad(rows, (0, 0, half, half)).contiguous()  # for its strides
        around = framed.as_strided((length // 2, width), (2 * inputs, 1))
        for first in range(0, len(around), _STEM_BLOCK):
            part = around[first : first + _STEM_BLOCK]
            pairs = torch.mm(part.contiguous(), self.weight).view(-1, 2, outputs)
            self._pooling(pairs, self.bias, sink.room(len(part)))
            sink.take(len(part))


class _Pooled(nn.Module):
    """A layer of the tower."""

    bias: Tensor

    def __init__(self, layer: Affine, pooling: _Pooling) -> None:
        super().__init__()
        kernel = _kernel(layer)
        self.margin = len(kernel) // 2
        self.inputs = kernel.shape[1]
        self._pooling = pooling
        self._convolution = TiledConvolution(kernel)
        self.register_buffer("bias", padded(layer.bias, 0).float())

    def forward(self, rows: Tensor, out: Tensor) -> None:
        """Fill `out` from twice as many convolved rows; `rows` begin half a kernel before."""
        tiles = -(-2 * len(out) // TILE)
        convolved = self._convolution(rows[: tiles * TILE + 2 * self.margin])
        pairs = convolved[: 2 * len(out)].view(len(out), 2, -1)
        self._pooling(pairs, self.bias, out)


class _Residual(nn.Module):
    """A dilated block, which changes the stream in place."""

    wide_bias: Tensor
    back: Tensor
    back_bias: Tensor

    def __init__(
        self, wide: Affine, back: Affine, config: Basenji2Config, activation: Activation
    ) -> None:
        super().__init__()
        self._pre = config.block == "gelu_conv_norm"
        self._residual = config.residual_activation
        self._activation = activation
        self._dilation = wide.dilation
        kernel = _kernel(wide)
        self._half = len(kernel) // 2
        self.wide = TiledConvolution(kernel)
        self.register_buffer("wide_bias", padded(wide.bias, 0).float())
        self.register_buffer("back", _kernel(back)[0].float())
        self.register_buffer("back_bias", padded(back.bias, 0).float())

    def forward(self, stream: Tensor) -> None:
        act, dilation, half = self._activation, self._dilation, self._half
        # Every d-th row is a sequence of its own, convolved without dilation: all of them stand
        # one after the other, with zeros between them.
        length, channels = stream.shape
        whole, rest = divmod(length, dilation)
        each = -(-(whole + (rest > 0) + half) // TILE) * TILE
        rows = stream.new_zeros(dilation * each + 2 * half, channels)
        ours = rows[half : half + dilation * each].view(dilation, each, channels)
        theirs = stream[: whole * dilation].view(whole, dilation, channels).transpose(0, 1)
        ours[:, :whole] = theirs
        ours[:rest, whole] = stream[whole * dilation :]
        if self._pre:
            act.overwrite(rows)
        inner = act.overwrite(self.wide(rows).add_(self.wide_bias))
        change = torch.addmm(self.back_bias, inner, self.back).view(dilation, each, channels)
        if self._residual == "before_add":
            act.overwrite(change)
        theirs += change[:, :whole]
        stream[whole * dilation :] += change[:rest, whole]
        if self._residual == "after_add":
            act.overwrite(stream)


def _kernel(layer: Affine) -> Tensor:
    """Weights [taps, inputs, outputs], padded."""
    return padded(layer.weight.permute(2, 1, 0), 1, 2)
