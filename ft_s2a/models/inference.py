"""Fast inference: the same function of the sequence, computed in fewer and cheaper steps."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from ft_s2a.errors import ConfigError
from ft_s2a.models.basenji2 import Basenji2
from ft_s2a.models.config import Basenji2Config
from ft_s2a.models.folding import Activation, Affine, FoldedBasenji2, fold
from ft_s2a.models.layers import TrackHead
from ft_s2a.models.network import Network
from ft_s2a.models.tiled import TiledTrunk, padded, worth_tiling

_DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64)


def for_inference(
    network: Network, *, dtype: torch.dtype = torch.float32, compile: bool = False
) -> Network:
    """Copy a trained network into a form that computes its outputs faster.

    The norms are folded into the convolutions, and everything is computed in one dtype.  On CPUs,
    float32 convolutions of wide networks are computed in tiles, with half of the multiplications
    (Winograd), unless a gradient with respect to the input is asked for.  Outputs differ from the
    network's own by rounding: some 1e-6 of their range in float32.

    The copy takes nothing from the network later on: change the network, and make a new one.
    Networks other than Basenji2 have no such form yet; they compute as they are, half the width in
    autocast.

    Parameters
    ----------
    network : Network
        Trained, on its device.
    dtype : torch.dtype
        Of weights and activations; outputs are float32 (float64 for float64).  bfloat16 pays on
        GPUs, and on CPUs with AMX or AVX512-BF16; on others it is slower than float32.
    compile : bool
        Compile what is not computed in tiles with ``torch.compile``.  The first call for a shape
        then takes up to some minutes, which pays for thousands of windows.  Where there is no
        compiler, there is one warning.

    Returns
    -------
    Network
        With the `config`, `embed` and `forward` of the network; no parameters to train.

    Examples
    --------
    >>> from ft_s2a.models import Basenji2Config, HeadConfig, build
    >>> config = Basenji2Config(
    ...     input_length=512, crop_bins=1, stem_channels=4, tower_channels=(4,) * 6,
    ...     dilations=(1,), dilated_channels=2, final_channels=8,
    ...     heads=(HeadConfig(name="tracks", tracks=3),),
    ... )
    >>> for_inference(build(config))(torch.zeros(2, 512, 4), "tracks").shape
    torch.Size([2, 2, 3])
    """
    if dtype not in _DTYPES:
        raise ConfigError(f"dtype is {dtype}", expected=", ".join(str(d) for d in _DTYPES))
    if isinstance(network, Basenji2):
        return _FastBasenji2(network, dtype, compile)
    return _AsItIs(network, dtype, compile)


class _FastBasenji2(Network):
    """What :func:`for_inference` makes."""

    config: Basenji2Config

    def __init__(self, network: Basenji2, dtype: torch.dtype, compile: bool) -> None:
        super().__init__(network.config)
        activation = Activation(network.config.gelu)
        folded = fold(network, activation.scale)
        self.direct = _DirectTrunk(network.config, folded, activation, dtype)
        device = next(network.parameters()).device
        tiled = device.type == "cpu" and dtype == torch.float32 and worth_tiling(network.config)
        self.tiled = TiledTrunk(network.config, folded, activation) if tiled else None
        self._direct: Callable[[Tensor], Tensor] = (
            _Compiled(self.direct) if compile else self.direct
        )
        self.heads = nn.ModuleDict(
            {name: _FastHead(head, dtype) for name, head in network.heads.items()}  # type: ignore[arg-type]
        )
        self.eval()

    def trunk(self, one_hot: Tensor) -> Tensor:
        """Compute :meth:`embed` for an input that was checked."""
        apart = len(one_hot) > 0 and one_hot.device.type == "cpu" and not _tracked(one_hot)
        if self.tiled is not None and apart:
            return torch.stack([self.tiled(rows) for rows in one_hot.float()])
        return self._direct(one_hot)


class _AsItIs(Network):
    """Any other network: its own layers, not copied, and autocast for dtypes of half the width."""

    def __init__(self, network: Network, dtype: torch.dtype, compile: bool) -> None:
        super().__init__(network.config)
        self._dtype = dtype
        self.network = network
        self.heads = network.heads
        self._trunk: Callable[[Tensor], Tensor] = network.trunk
        if compile:
            self._trunk = _Compiled(network.trunk)

    def trunk(self, one_hot: Tensor) -> Tensor:
        """Compute :meth:`embed` for an input that was checked."""
        with self._cast(one_hot):
            return self._trunk(one_hot)

    def forward(self, one_hot: Tensor, head: str, tracks: Tensor | None = None) -> Tensor:
        """Predict one head in target units."""
        with self._cast(one_hot):
            output: Tensor = super().forward(one_hot, head, tracks)
        return output.float()

    def _cast(self, one_hot: Tensor) -> torch.autocast:
        half = self._dtype in (torch.bfloat16, torch.float16)
        return torch.autocast(
            one_hot.device.type, dtype=self._dtype if half else None, enabled=half
        )


def _tracked(x: Tensor) -> bool:
    """Whether a derivative may be asked for: of the kind of `backward`, or of `torch.func`."""
    return (
        (torch.is_grad_enabled() and x.requires_grad)
        or torch._C._functorch.is_functorch_wrapped_tensor(x)
        or torch.autograd.forward_ad._current_level >= 0
    )


class _DirectTrunk(nn.Module):
    """Convolutions as they are written, channels last: what GPUs and AMX are built for."""

    def __init__(
        self,
        config: Basenji2Config,
        folded: FoldedBasenji2,
        activation: Activation,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        self._config = config
        self._activation = activation
        self._dtype = dtype
        self.stem = _convolution(folded.stem, dtype)
        self.tower = nn.ModuleList(_convolution(layer, dtype) for layer in folded.tower)
        self.dilated = nn.ModuleList(
            _convolution(layer, dtype) for pair in folded.dilated for layer in pair
        )
        self.final = _convolution(folded.final, dtype)

    def forward(self, one_hot: Tensor) -> Tensor:
        config, act = self._config, self._activation
        before = config.block == "gelu_conv_norm"
        x = one_hot.to(torch.promote_types(one_hot.dtype, self._dtype))
        x = (act(x * act.scale) if before else x).to(self._dtype)
        x = self.stem(x.unsqueeze(1).permute(0, 3, 1, 2))  # [B, 4, 1, L] in memory [B, L, 4]
        x = _halved(x if before else act(x))
        for conv in self.tower:
            x = _halved(conv(act(x)) if before else act(conv(x)))
        for wide, back in zip(self.dilated[::2], self.dilated[1::2], strict=True):
            y = back(act(wide(act(x)))) if before else back(act(wide(x)))
            if config.residual_activation == "before_add":
                y = act(y)
            x = x + y
            if config.residual_activation == "after_add":
                x = act(x)
        x = x[..., config.crop_bins : x.shape[3] - config.crop_bins]
        x = act(self.final(act(x) if before else x))
        return x.squeeze(2).transpose(1, 2) / act.scale


def _halved(x: Tensor) -> Tensor:
    """Maxima of pairs along the length."""
    if torch.is_grad_enabled() and x.requires_grad:  # of equal ones, the gradient is the first's
        return functional.max_pool2d(x, (1, 2))
    return torch.maximum(x[..., 0::2], x[..., 1::2])


def _convolution(layer: Affine, dtype: torch.dtype) -> nn.Conv2d:
    outputs, inputs, taps = layer.weight.shape
    with torch.device(layer.weight.device):
        conv = nn.Conv2d(
            inputs,
            outputs,
            (1, taps),
            dilation=(1, layer.dilation),
            padding=(0, layer.dilation * (taps // 2)),
            dtype=dtype,
        )
    with torch.no_grad():
        conv.weight.copy_(layer.weight.unsqueeze(2))
        assert conv.bias is not None
        conv.bias.copy_(layer.bias)
    conv.weight.data = conv.weight.data.contiguous(memory_format=torch.channels_last)
    return conv.requires_grad_(False)


class _FastHead(nn.Module):
    """A head whose product is in `dtype`, and what follows in float32."""

    weight: Tensor
    bias: Tensor

    def __init__(self, head: TrackHead, dtype: torch.dtype) -> None:
        super().__init__()
        # Some matrix products are a third slower for widths such as 5,313 than for 5,328.
        self.tracks = head.linear.out_features
        self.register_buffer("weight", padded(head.linear.weight.detach(), 0).to(dtype))
        self.register_buffer("bias", padded(head.linear.bias.detach(), 0).to(dtype))

    def forward(self, x: Tensor, tracks: Tensor | None = None) -> Tensor:
        if tracks is None:
            y = functional.linear(x, self.weight, self.bias)[..., : self.tracks]
        else:
            tracks = torch.arange(self.tracks, device=x.device)[tracks]  # -1 is the last track
            y = functional.linear(x, self.weight[tracks], self.bias[tracks])
        return functional.softplus(y if y.dtype == torch.float64 else y.float())


class _Compiled:
    """A function compiled at its first call, or as it is where that cannot be done."""

    def __init__(self, plain: Callable[[Tensor], Tensor]) -> None:
        self._plain = plain
        self._function: Callable[[Tensor], Tensor] | None = None

    def __call__(self, x: Tensor) -> Tensor:
        from torch._dynamo.exc import TorchDynamoException  # seconds, which tiles do without

        if self._function is None:
            # Constant weights are laid out once, for the library's products.
            self._function = torch.compile(self._plain, options={"freezing": True})
        if self._function is not self._plain:
            try:
                return self._function(x)
            except TorchDynamoException as error:
                reason = " ".join(str(error).split("\n\n")[0].split())
                warnings.warn(f"not compiled, and slower for it: {reason}", stacklevel=2)
                self._function = self._plain
        return self._plain(x)
