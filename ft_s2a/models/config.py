"""Configs of the networks: everything needed to build one, nothing else (torch-free).

Sources: Basenji2 is Kelley 2020 (doi 10.1371/journal.pcbi.1008050), calico/basenji
``manuscripts/cross2020``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, ValidationError, model_validator

from ft_s2a.conventions.validation import describe
from ft_s2a.errors import ConfigError, GeometryError, near_miss
from ft_s2a.geometry import Geometry
from ft_s2a.models.config_base import HeadConfig as HeadConfig
from ft_s2a.models.config_base import NetworkConfig, check_head_names, find_head
from ft_s2a.models.enformer_config import EnformerConfig


class Basenji2Config(NetworkConfig):
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
        check_head_names(self.heads)
        _ = self.geometry
        return self

    @property
    def bin_size(self) -> int:
        """Bases per output bin: each of stem and tower halves the length."""
        return int(2 ** (1 + len(self.tower_channels)))

    @property
    def least_bins(self) -> int:
        """Bins of the shortest input that the network takes."""
        return 2 * self.crop_bins + 1

    @property
    def geometry(self) -> Geometry:
        """Input length, bin size and crop."""
        return Geometry(self.input_length, self.bin_size, self.crop_bins)

    def with_heads(self, heads: Sequence[HeadConfig]) -> Basenji2Config:
        """Return the same network with other heads."""
        return Basenji2Config.model_validate({**self.model_dump(), "heads": tuple(heads)})

    def with_crop(self, bins: int) -> Basenji2Config:
        """Return the same network with another number of bins cropped at each side."""
        return Basenji2Config.model_validate({**self.model_dump(), "crop_bins": bins})

    def tracks_of(self, head: str) -> int:
        """Return the number of tracks of a head."""
        return head_of(self, head).tracks


ModelConfig = Annotated[Basenji2Config | EnformerConfig, Field(discriminator="architecture")]

Config = TypeVar("Config", Basenji2Config, EnformerConfig)

_ARCHITECTURES = ("basenji2", "enformer")


def head_of(config: ModelConfig, name: str) -> HeadConfig:
    """Find a head by name, or raise ConfigError with the known ones."""
    return find_head(config.heads, name)


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
    if architecture == "basenji2":
        return validate_config(Basenji2Config, document, where=where)
    return validate_config(EnformerConfig, document, where=where)


def validate_config(
    kind: type[Config], document: Mapping[str, Any], *, where: str | None = None
) -> Config:
    """Validate a config of a known architecture; see :func:`parse_config`."""
    try:
        return kind.model_validate(dict(document))
    except ValidationError as error:
        raise ConfigError(describe(error), where=where) from error
    except GeometryError as error:
        raise ConfigError(
            error.what, where=where, expected=error.expected, remedy=error.remedy
        ) from error


def first_difference(ours: ModelConfig, theirs: ModelConfig) -> str | None:
    """Name the first field in which two configs differ, with both values."""
    left, right = ours.model_dump(), theirs.model_dump()
    for key in {**left, **right}:
        if left.get(key) != right.get(key):
            return f"{key} is {right.get(key)!r} in the file and {left.get(key)!r} in the config"
    return None
