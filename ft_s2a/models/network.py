"""What all networks have in common: a trunk, heads on it, and what they take and give."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from torch import Tensor, nn

from ft_s2a.errors import ConfigError, GeometryError
from ft_s2a.models.config import HeadConfig, ModelConfig, head_of
from ft_s2a.models.layers import Initialisation, TrackHead


class Network(nn.Module):
    """Base of the networks: DNA through a trunk into one of several heads.

    A subclass sets `heads` (see :func:`make_heads`) and defines :meth:`trunk`.

    Parameters
    ----------
    config : ModelConfig
        Kept as `config`.
    """

    heads: nn.ModuleDict
    frozen: tuple[str, ...] = ()  # stages that stay in evaluation mode; see `freeze`

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config

    def train(self, mode: bool = True) -> Self:
        """Switch to training or evaluation mode; frozen stages stay in evaluation mode."""
        super().train(mode)
        for name in self.frozen:
            self.get_submodule(name).eval()
        return self

    def trunk(self, one_hot: Tensor) -> Tensor:
        """Compute :meth:`embed` for an input that was checked."""
        raise NotImplementedError

    def embed(self, one_hot: Tensor) -> Tensor:
        """Trunk output that enters the heads.

        Parameters
        ----------
        one_hot : float tensor [B, L, 4]
            DNA, order ACGT; N is an all-zero row.  L is a multiple of the bin size.

        Returns
        -------
        float tensor [B, bins, channels]
            Cropped bins.

        Raises
        ------
        GeometryError
            When the shape is another, or the crop leaves no bin.
        """
        if one_hot.ndim != 3 or one_hot.shape[2] != 4:
            raise GeometryError(
                f"the input has shape {tuple(one_hot.shape)}", expected="[batch, length, 4]"
            )
        length, bin_size, least = one_hot.shape[1], self.config.bin_size, self.config.least_bins
        if length % bin_size or length // bin_size < least:
            raise GeometryError(
                f"an input of {length} bp",
                expected=f"a multiple of {bin_size} bp of at least {least} bins "
                f"({least * bin_size} bp)",
            )
        return self.trunk(one_hot)

    def forward(self, one_hot: Tensor, head: str, tracks: Tensor | None = None) -> Tensor:
        """Predict one head in target units.

        Parameters
        ----------
        one_hot : float tensor [B, L, 4]
        head : str
            Name of the head; no other head is evaluated.
        tracks : int64 tensor, optional
            Indices of the tracks wanted; only their rows of the head are multiplied.

        Returns
        -------
        float tensor [B, bins, tracks]

        Raises
        ------
        ConfigError
            When there is no such head.
        """
        if head not in self.heads:
            head_of(self.config, head)  # explains it
        result: Tensor = self.heads[head](self.embed(one_hot), tracks)
        return result


def make_heads(
    heads: Iterable[HeadConfig], channels: int, initialisation: Initialisation
) -> nn.ModuleDict:
    """Fresh heads by name, each from `channels` to its tracks.

    Raises
    ------
    ConfigError
        When torch cannot call a module so.
    """
    modules = nn.ModuleDict()
    for head in heads:
        try:
            modules[head.name] = TrackHead(channels, head.tracks, initialisation)
        except KeyError:  # torch keeps "train", "type", "items", ... for itself
            raise ConfigError(
                f"a head cannot be called {head.name!r}", remedy="choose another name"
            ) from None
    return modules
