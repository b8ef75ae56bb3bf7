"""Config of an Enformer (torch-free).

Sources: Avsec 2021 (doi 10.1038/s41592-021-01252-x); defaults as in lucidrains/enformer-pytorch
0.8.12.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from pydantic import Field, model_validator

from ft_s2a.errors import GeometryError
from ft_s2a.geometry import Geometry
from ft_s2a.models.config_base import HeadConfig, NetworkConfig, check_head_names, find_head


class EnformerConfig(NetworkConfig):
    """An Enformer-like network: convolution tower, transformer, linear heads.

    The defaults are the published network without its tracks.

    Parameters
    ----------
    input_length : int
        Input window in bp.
    target_bins : int, optional
        Bins of the output, the central ones, whatever the length of the input; of an odd surplus
        the right side loses one more.  None keeps all.
    dim : int
        Channels of the transformer.
    depth : int
        Transformer blocks.
    attention_heads, key_size : int
        Attention heads and the size of their keys; their values and position features have
        ``dim / attention_heads`` entries.
    downsamples : int
        Times that the length is halved: by the stem, and by each level of the tower.
    dim_divisible_by : int
        The tower's widths are rounded to multiples of it.
    feed_forward : bool
        Whether each attention is followed by a feed-forward block.
    final_pointwise : bool
        Whether a layer of twice `dim` channels precedes the heads.
    gamma : {'torch', 'tensorflow'}
        Which of two position features that share a name: divided by the largest of a distance's
        features (enformer-pytorch), or by a feature's largest value over all distances (the
        published TensorFlow network, and weights converted from it).
    dropout : float
        Of the attention's output and the feed-forward blocks; the final layer has an eighth of it.
    attention_dropout, position_dropout : float
        Of the attention's weights and of the position features.
    heads : tuple of HeadConfig
        May be empty in a recipe: training takes them from the track tables.

    Examples
    --------
    >>> config = EnformerConfig(heads=(HeadConfig(name="human", tracks=5313),))
    >>> config.geometry.output_bins, config.tower_channels
    (896, (768, 896, 1024, 1152, 1280, 1536))
    """

    schema_version: Literal[1] = 1
    architecture: Literal["enformer"] = "enformer"
    input_length: int = Field(default=196_608, ge=1)
    target_bins: int | None = Field(default=896, ge=1)
    dim: int = Field(default=1536, ge=2)
    depth: int = Field(default=11, ge=1)
    attention_heads: int = Field(default=8, ge=1)
    key_size: int = Field(default=64, ge=1)
    downsamples: int = Field(default=7, ge=2, le=20)
    dim_divisible_by: int = Field(default=128, ge=1)
    feed_forward: bool = True
    final_pointwise: bool = True
    gamma: Literal["torch", "tensorflow"] = "torch"
    dropout: float = Field(default=0.4, ge=0, lt=1)
    attention_dropout: float = Field(default=0.05, ge=0, lt=1)
    position_dropout: float = Field(default=0.01, ge=0, lt=1)
    norm_eps: float = Field(default=1e-5, gt=0)
    norm_momentum: float = Field(
        default=0.1, gt=0, le=1, description="PyTorch's sense: weight of the new batch."
    )
    heads: tuple[HeadConfig, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> EnformerConfig:
        if self.dim % 2:
            raise ValueError(f"dim is {self.dim}; the stem needs half of it")
        if self.dim % self.attention_heads:
            raise ValueError(f"dim {self.dim} cannot be divided by {self.attention_heads} heads")
        if self.value_size % 6:
            raise ValueError(
                f"dim {self.dim} over {self.attention_heads} attention heads leaves "
                f"{self.value_size} position features; a multiple of 6 is needed"
            )
        if self.tower_channels[-1] != self.dim:
            raise ValueError(
                f"dim {self.dim} is not a multiple of dim_divisible_by ({self.dim_divisible_by}), "
                f"to which the tower's widths are rounded; use {math.gcd(self.dim, 128)}"
            )
        if min(self.tower_channels) < 1:
            raise ValueError(
                f"dim {self.dim} is too small for widths that are multiples of "
                f"{self.dim_divisible_by}"
            )
        check_head_names(self.heads)
        bins = Geometry(self.input_length, self.bin_size, 0).input_bins
        if self.target_bins is not None and self.target_bins > bins:
            raise GeometryError(
                f"{self.target_bins} target bins, but {self.input_length} bp are only {bins} bins",
                expected=f"at most {bins}",
            )
        return self

    @property
    def tower_channels(self) -> tuple[int, ...]:
        """Widths of the tower's levels, a geometric series from ``dim / 2`` to `dim`, rounded."""
        count = self.downsamples - 1
        ratio = math.exp(math.log(2) / (count - 1)) if count > 1 else 1.0
        start = self.dim // 2 if count > 1 else self.dim
        step = self.dim_divisible_by
        return tuple(int(round(start * ratio**i / step) * step) for i in range(count))

    @property
    def value_size(self) -> int:
        """Size of a head's values, and number of position features."""
        return self.dim // self.attention_heads

    @property
    def channels(self) -> int:
        """Channels that enter the heads."""
        return self.dim * 2 if self.final_pointwise else self.dim

    @property
    def bin_size(self) -> int:
        """Bases per output bin: each of stem and tower halves the length."""
        return int(2**self.downsamples)

    @property
    def crop_bins(self) -> int:
        """Bins dropped at the left side; at the right side one more when the surplus is odd."""
        bins = self.input_length // self.bin_size
        return 0 if self.target_bins is None else (bins - self.target_bins) // 2

    @property
    def least_bins(self) -> int:
        """Bins of the shortest input that the network takes."""
        return self.target_bins or 1

    @property
    def geometry(self) -> Geometry:
        """Input length, bin size and crop.

        Raises
        ------
        GeometryError
            When the crop differs between the sides.
        """
        found = Geometry(self.input_length, self.bin_size, self.crop_bins)
        if self.target_bins is not None and found.output_bins != self.target_bins:
            raise GeometryError(
                f"{self.target_bins} of {found.input_bins} bins cannot be their centre",
                expected=f"{found.output_bins} or {self.target_bins - 1} target bins",
            )
        return found

    def with_heads(self, heads: Sequence[HeadConfig]) -> EnformerConfig:
        """Return the same network with other heads."""
        return EnformerConfig.model_validate({**self.model_dump(), "heads": tuple(heads)})

    def with_crop(self, bins: int) -> EnformerConfig:
        """Return the same network with another number of bins cropped at each side."""
        kept = self.input_length // self.bin_size - 2 * bins
        return EnformerConfig.model_validate({**self.model_dump(), "target_bins": kept})

    def tracks_of(self, head: str) -> int:
        """Return the number of tracks of a head."""
        return find_head(self.heads, head).tracks
