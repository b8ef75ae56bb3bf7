"""Configs of the networks: everything needed to build one, nothing else (torch-free).

Sources: Basenji2 is Kelley 2020 (doi 10.1371/journal.pcbi.1008050), calico/basenji
``manuscripts/cross2020``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ft_s2a.conventions.validation import describe
from ft_s2a.errors import ConfigError, GeometryError, near_miss
from ft_s2a.geometry import Geometry


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class HeadConfig(_Frozen):
    """One output head: its name and number of tracks."""

    name: str = Field(min_length=1, pattern=r"^[A-Za-z0-9_-]+$")
    tracks: int = Field(ge=1)


class Basenji2Config(_Frozen):
    """A Basenji2-like network: convolution tower, dilated residual blocks, linear heads.

    The defaults are the published human network without its tracks.  Widths are channels,
    kernels and dilations in positions of their layer's input.

    Parameters
    ----------
    input_length : int
        Input window in bp.
    crop_bins : int
        Bins dropped at each side before the heads.
    block : {'gelu_conv_norm', 'conv_norm_gelu'}
        Order inside a block: the published pre-activation order, or the plain one.
    residual_activation : {'none', 'before_add', 'after_add'}
        Extra GELU at the residual connection (only with ``conv_norm_gelu``).
    gelu : {'sigmoid', 'tanh', 'erf'}
        ``x * sigmoid(1.702 x)`` (2020 release), the tanh form, or the exact one.
    norm_variance : {'biased', 'unbiased'}
        What the norms' running variance averages: Keras' (divided by n), or PyTorch's (by n - 1).
        Matters in training only.
    initialisation : {'keras', 'torch'}
        Fresh weights: truncated He-normal ones and, with ``gelu_conv_norm``, residual blocks that
        start as the identity; or PyTorch's defaults.  Matters in training only.
    heads : tuple of HeadConfig
        May be empty in a recipe: training takes them from the track tables.

    Examples
    --------
    >>> config = Basenji2Config(heads=(HeadConfig(name="human", tracks=5313),))
    >>> config.geometry.output_bins
    896
    """

    schema_version: Literal[1] = 1
    architecture: Literal["basenji2"] = "basenji2"
    input_length: int = Field(default=131_072, ge=1)
    crop_bins: int = Field(default=64, ge=0)
    block: Literal["gelu_conv_norm", "conv_norm_gelu"] = "gelu_conv_norm"
    residual_activation: Literal["none", "before_add", "after_add"] = "none"
    gelu: Literal["sigmoid", "tanh", "erf"] = "sigmoid"
    stem_channels: int = Field(default=288, ge=1)
    stem_kernel: int = Field(default=15, ge=1)
    tower_channels: tuple[int, ...] = (339, 399, 470, 554, 652, 768)
    tower_kernel: int = Field(default=5, ge=1)
    dilations: tuple[int, ...] = (1, 2, 3, 4, 6, 9, 14, 21, 32, 48, 72)
    dilated_channels: int = Field(default=384, ge=1)
    dilated_kernel: int = Field(default=3, ge=1)
    dilated_dropout: float = Field(default=0.3, ge=0, lt=1)
    final_channels: int = Field(default=1536, ge=1)
    final_dropout: float = Field(default=0.05, ge=0, lt=1)
    conv_bias: bool = False
    norm_eps: float = Field(default=1e-3, gt=0)
    norm_momentum: float = Field(
        default=0.1, gt=0, le=1, description="PyTorch's sense: weight of the new batch."
    )
    norm_variance: Literal["biased", "unbiased"] = "biased"
    initialisation: Literal["keras", "torch"] = "keras"
    heads: tuple[HeadConfig, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Basenji2Config:
        for name in ("stem_kernel", "tower_kernel", "dilated_kernel"):
            if getattr(self, name) % 2 == 0:
                raise ValueError(f"{name} is {getattr(self, name)}; an odd kernel is needed")
        for name in ("tower_channels", "dilations"):
            if any(value < 1 for value in getattr(self, name)):
                raise ValueError(f"{name} must be positive")
        if self.block == "gelu_conv_norm" and self.residual_activation != "none":
            raise ValueError("residual_activation needs block: conv_norm_gelu")
        names = [head.name for head in self.heads]
        if len(set(names)) != len(names):
            raise ValueError(f"two heads have the same name: {names}")
        _ = self.geometry
        return self

    @property
    def bin_size(self) -> int:
        """Bases per output bin: each of stem and tower halves the length."""
        return int(2 ** (1 + len(self.tower_channels)))

    @property
    def geometry(self) -> Geometry:
        """Input length, bin size and crop."""
        return Geometry(self.input_length, self.bin_size, self.crop_bins)

    def with_heads(self, heads: Sequence[HeadConfig]) -> Basenji2Config:
        """Return the same network with other heads."""
        return Basenji2Config.model_validate({**self.model_dump(), "heads": tuple(heads)})

    def tracks_of(self, head: str) -> int:
        """Return the number of tracks of a head."""
        return head_of(self, head).tracks


# A union on `architecture` as soon as there is a second network.
ModelConfig = Basenji2Config

_ARCHITECTURES: dict[str, type[ModelConfig]] = {"basenji2": Basenji2Config}


def head_of(config: ModelConfig, name: str) -> HeadConfig:
    """Find a head by name, or raise ConfigError with the known ones."""
    for head in config.heads:
        if head.name == name:
            return head
    raise ConfigError(f"no head {name!r}", remedy=near_miss(name, [h.name for h in config.heads]))


def parse_config(document: Mapping[str, Any], *, where: str | None = None) -> ModelConfig:
    """Validate a config read from YAML or JSON.

    Raises
    ------
    ConfigError
        Naming the field that is wrong.
    """
    architecture = document.get("architecture")
    if architecture not in _ARCHITECTURES:
        raise ConfigError(
            f"architecture is {architecture!r}",
            where=where,
            remedy=near_miss(str(architecture), _ARCHITECTURES),
        )
    try:
        return _ARCHITECTURES[str(architecture)].model_validate(dict(document))
    except ValidationError as error:
        raise ConfigError(describe(error), where=where) from error
    except GeometryError as error:
        raise ConfigError(error.what, where=where, remedy=error.remedy) from error


def first_difference(ours: ModelConfig, theirs: ModelConfig) -> str | None:
    """Name the first field in which two configs differ, with both values."""
    left, right = ours.model_dump(), theirs.model_dump()
    for key in {**left, **right}:
        if left.get(key) != right.get(key):
            return f"{key} is {right.get(key)!r} in the file and {left.get(key)!r} in the config"
    return None
