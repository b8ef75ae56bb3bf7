"""Read a Basenji2Config out of the ``model_config`` that Keras stores in a full model's h5.

Written from the format alone: a functional model is a list of layers with their settings and the
names of the layers that feed them.  calico/basenji's ``conv_block`` (24403ec) makes the layers
GELU, Conv1D, BatchNormalization, Dropout, Add, MaxPooling1D; the last three may be missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ft_s2a.errors import FormatError
from ft_s2a.models.config import Basenji2Config, validate_config

# Act in training only; the 2020 code always puts a shift (by nothing) into the graph.
_AUGMENTATION = frozenset({"StochasticReverseComplement", "StochasticShift", "SwitchReverse"})
_NORMS = frozenset({"BatchNormalization", "SyncBatchNormalization"})


def config_from_keras(document: Mapping[str, Any], *, head: str, where: str) -> Basenji2Config:
    """Config of the network that a ``model_config`` describes.

    The file does not say which GELU it was trained with, since that is code, not settings
    (calico/basenji changed it in 5d99992, April 2022).  A norm that starts with other gammas than
    ones gives away code later than October 2021 (aba1de3) and hence ``tanh``; everything else, such
    as the published networks of 2020, is taken to be ``sigmoid``.

    Parameters
    ----------
    document : mapping
        The parsed JSON.
    head : str
        Name for the head.
    where : str
        The file, for messages.

    Raises
    ------
    FormatError
        Naming the layer that a Basenji2 has not, or has otherwise.
    ConfigError
        When the settings do not go together.
    """
    try:
        parser = _Parser(_layers(document, where), where)
        settings = {**parser.settings(), "heads": [{"name": head, "tracks": parser.tracks()}]}
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise FormatError(
            f"its model_config is incomplete ({type(error).__name__}: {error})",
            where=where,
            expected="the description of a functional Keras model",
        ) from error
    return validate_config(Basenji2Config, settings, where=where)


@dataclass(frozen=True)
class _Layer:
    name: str
    kind: str
    settings: Mapping[str, Any]
    inputs: tuple[str, ...]


@dataclass
class _Block:
    """GELU, convolution and norm, with what follows them."""

    convolution: _Layer
    norm: _Layer
    dropout: float = 0.0
    skip: str | None = None
    pooled: bool = False
    output: str = ""

    @property
    def channels(self) -> int:
        return int(self.convolution.settings["filters"])

    @property
    def kernel(self) -> int:
        return _single(self.convolution.settings["kernel_size"])

    @property
    def dilation(self) -> int:
        return _single(self.convolution.settings.get("dilation_rate", 1))


def _layers(document: Mapping[str, Any], where: str) -> list[_Layer]:
    """Layers in order, each checked to be fed by the one before it."""
    layers = [
        _Layer(
            str(layer["name"]),
            str(layer["class_name"]).rpartition(">")[2],  # after the package of a registered class
            layer["config"],
            tuple(dict.fromkeys(_sources(layer["inbound_nodes"]))),
        )
        for layer in document["config"]["layers"]
    ]
    for before, layer in pairwise(layers):
        if before.name not in layer.inputs and layer.kind != "InputLayer":
            raise FormatError(
                f"layer {layer.name!r} ({layer.kind}) is fed by {', '.join(layer.inputs) or '-'}",
                where=where,
                expected=f"a Basenji2, where it would be {before.name}",
            )
    return layers


def _sources(node: object) -> Iterator[str]:
    """Names of the layers in ``inbound_nodes``: [name, node, tensor, ...], in Keras 3 in dicts."""
    match node:
        case {"keras_history": [str(name), *_]} | [str(name), int(), int(), *_]:
            yield name
        case dict():
            for value in node.values():
                yield from _sources(value)
        case list():
            for value in node:
                yield from _sources(value)


class _Parser:
    """One pass over the layers, from the input to the head."""

    def __init__(self, layers: Sequence[_Layer], where: str) -> None:
        self._layers = [layer for layer in layers if layer.kind not in _AUGMENTATION]
        self._where = where
        self._next = 0
        self.input = self._take("InputLayer")
        self.blocks: list[_Block] = []
        self.crop, self._cropped_after = 0, -1
        self._gelus = [self._take("GELU")]
        while (block := self._block()) is not None:
            self.blocks.append(block)
            self._gelus.append(self._take("GELU"))
        self.dense = self._take("Dense")
        if self._next < len(self._layers):
            self._refuse(self._layers[self._next], "nothing after the head")

    def settings(self) -> dict[str, Any]:
        """Fields of the config but the heads."""
        blocks = self.blocks
        pooled = next((i for i, block in enumerate(blocks) if not block.pooled), len(blocks))
        if not 0 < pooled < len(blocks):
            raise FormatError(
                f"has {pooled} pooled blocks of convolutions and {len(blocks) - pooled} others",
                where=self._where,
                expected="a Basenji2: a stem, a tower, dilated blocks and a last one",
            )
        stem, tower = blocks[0], blocks[1:pooled]
        pairs, final = blocks[pooled:-1], blocks[-1]
        for block in (stem, *tower, *pairs[::2]):
            self._expect(block.dropout == 0, block, "no dropout after it")
        for block in (stem, *tower, *pairs[1::2], final):
            self._expect(block.dilation == 1, block, "a dilation of 1")
        for block in (stem, *tower, *pairs[::2], final):
            self._expect(block.skip is None, block, "no residual connection after it")
        self._expect(final.kernel == 1, final, "a kernel of 1")
        self._dilated(pairs, before=(stem, *tower)[-1])
        dilations = [block.dilation for block in pairs[::2]]
        if self._cropped_after not in (-1, len(blocks) - 2):
            self._expect(False, blocks[self._cropped_after], "the crop before the last block")
        return {
            "architecture": "basenji2",
            "input_length": self._input_length(),
            "crop_bins": self.crop,
            "gelu": self._gelu(stem),
            "stem_channels": stem.channels,
            "stem_kernel": stem.kernel,
            "tower_channels": [block.channels for block in tower],
            **self._same("tower_kernel", [(block, block.kernel) for block in tower]),
            "dilations": dilations,
            **self._same("dilated_channels", [(block, block.channels) for block in pairs[::2]]),
            **self._same("dilated_kernel", [(block, block.kernel) for block in pairs[::2]]),
            **self._same("dilated_dropout", [(block, block.dropout) for block in pairs[1::2]]),
            "final_channels": final.channels,
            "final_dropout": final.dropout,
            **self._same("conv_bias", [(b, b.convolution.settings["use_bias"]) for b in blocks]),
            **self._same("norm_eps", [(b, b.norm.settings["epsilon"]) for b in blocks]),
            **self._same(
                "norm_momentum",  # Keras keeps 0.9 of the old, which PyTorch calls 0.1
                [(b, round(1 - b.norm.settings["momentum"], 12)) for b in blocks],
            ),
        }

    def tracks(self) -> int:
        """Tracks of the head."""
        settings = self.dense.settings
        if settings["activation"] != "softplus" or not settings["use_bias"]:
            self._refuse(self.dense, "softplus and a bias")
        return int(settings["units"])

    def _dilated(self, pairs: Sequence[_Block], *, before: _Block) -> None:
        """Check that each two blocks return to the stream that they left."""
        stream = before
        for i, block in enumerate(pairs):
            if i % 2 == 0:
                self._expect(i + 1 < len(pairs), block, "a residual connection after the next")
                continue
            self._expect(block.kernel == 1, block, "a kernel of 1")
            self._expect(block.skip == stream.output, block, "a residual connection after it")
            self._expect(block.channels == stream.channels, block, f"{stream.channels} channels")
            stream = block

    def _block(self) -> _Block | None:
        """Convolution, norm and what follows, up to the next GELU; None before the head."""
        if self._kind() == "Dense":
            return None
        convolution = self._take("Conv1D")
        for key, wanted in (("padding", "same"), ("activation", "linear"), ("groups", 1)):
            if convolution.settings.get(key, wanted) != wanted:
                self._refuse(convolution, f"{key} {wanted}")
        if _single(convolution.settings.get("strides", 1)) != 1:
            self._refuse(convolution, "strides 1")
        block = _Block(convolution, self._take(*_NORMS))
        last = block.norm
        while self._kind() in {"Dropout", "Add", "MaxPooling1D", "Cropping1D"}:
            last = self._take("Dropout", "Add", "MaxPooling1D", "Cropping1D")
            self._after(block, last)
            if last.kind != "Cropping1D":
                block.output = last.name
        block.output = block.output or block.norm.name
        return block

    def _after(self, block: _Block, layer: _Layer) -> None:
        """Note a layer that follows a norm, in the order in which a Basenji2 has them."""
        if layer.kind == "Dropout":
            if block.dropout or block.skip or block.pooled:
                self._refuse(layer, "dropout right after a norm only")
            block.dropout = float(layer.settings["rate"])
        elif layer.kind == "Add":
            before = block.output or block.norm.name
            skips = [name for name in layer.inputs if name != before]
            if block.pooled or block.skip or len(skips) != 1:
                self._refuse(layer, "a residual connection before pooling")
            block.skip = skips[0]
        elif layer.kind == "MaxPooling1D":
            sizes = [_single(layer.settings[key]) for key in ("pool_size", "strides")]
            if block.pooled or block.skip or sizes != [2, 2]:
                self._refuse(layer, "one pooling of 2")
            block.pooled = True
        else:
            sides = layer.settings["cropping"]
            left, right = (sides, sides) if isinstance(sides, int) else sides
            if self.crop or left != right:
                self._refuse(layer, "one crop, the same at both sides")
            self.crop, self._cropped_after = int(left), len(self.blocks)

    def _gelu(self, stem: _Block) -> str:
        stated = {gelu.settings.get("approximate") for gelu in self._gelus} - {None}
        if stated:
            return "tanh" if stated == {True} else "erf"
        gamma = stem.norm.settings.get("gamma_initializer")
        kind = gamma.get("class_name") if isinstance(gamma, dict) else gamma
        return "sigmoid" if str(kind).lower() == "ones" else "tanh"

    def _input_length(self) -> int:
        settings = self.input.settings
        shape = list(settings.get("batch_input_shape") or settings.get("batch_shape") or ())
        if len(shape) != 3 or shape[2] != 4 or not isinstance(shape[1], int):
            self._refuse(self.input, "a shape of [batch, length, 4]")
        return int(shape[1])

    def _same(self, field: str, values: Sequence[tuple[_Block, Any]]) -> dict[str, Any]:
        """One value for all blocks; none where there are none."""
        for block, value in values:
            if value != values[0][1]:
                name = block.convolution.name
                raise FormatError(
                    f"{field} is {value} at layer {name!r} and {values[0][1]} before",
                    where=self._where,
                    expected="the same in all blocks",
                )
        return {field: values[0][1]} if values else {}

    def _kind(self) -> str:
        return self._layers[self._next].kind if self._next < len(self._layers) else "end"

    def _take(self, *kinds: str) -> _Layer:
        expected = " or ".join(sorted(kinds))
        if self._next == len(self._layers):
            raise FormatError(
                f"ends after layer {self._layers[-1].name!r}" if self._layers else "has no layers",
                where=self._where,
                expected=f"a Basenji2, with {expected} there",
            )
        layer = self._layers[self._next]
        if layer.kind not in kinds:
            self._refuse(layer, expected)
        self._next += 1
        return layer

    def _expect(self, good: bool, block: _Block, expected: str) -> None:
        if not good:
            self._refuse(block.convolution, expected)

    def _refuse(self, layer: _Layer, expected: str) -> None:
        raise FormatError(
            f"layer {layer.name!r} ({layer.kind}) is not that of a Basenji2",
            where=self._where,
            expected=expected,
        )


def _single(value: Any) -> int:
    """One number, which Keras writes as a list of one."""
    return int(value if isinstance(value, int) else value[0])
