"""Load a trained model: a network with its geometry and its tracks."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from ft_s2a.checkpoint.files import load_weights
from ft_s2a.checkpoint.formats import load_network
from ft_s2a.entries.download import weights_path
from ft_s2a.entries.registry import find_entry
from ft_s2a.entries.schema import Entry, check_heads
from ft_s2a.errors import ConfigError, FormatError, MissingFileError
from ft_s2a.geometry import Geometry
from ft_s2a.models.config import ModelConfig, head_of, parse_config
from ft_s2a.models.network import Network
from ft_s2a.tracks.table import TrackTable, read_tracks

Precision = Literal["float32", "bf16"]


@dataclass(frozen=True)
class SequenceModel:
    """A network in evaluation mode, its geometry and the tracks it predicts.

    Made by :func:`load_model`.

    Parameters
    ----------
    network : nn.Module
        Calls as ``network(one_hot [B, L, 4], head, tracks=None) -> [B, bins, tracks]``.
    table : TrackTable
        Tracks of all heads, in order.
    name, version : str
        Of the entry, or the run folder's name and ``run``.
    ensemble : {'none', 'rc'}
        What `predict` averages by default.
    precision : {'float32', 'bf16'}
    """

    network: Network
    table: TrackTable
    name: str
    version: str = "run"
    ensemble: Literal["none", "rc"] = "rc"
    precision: Precision = "float32"

    @property
    def config(self) -> ModelConfig:
        """The network's config."""
        return self.network.config

    @property
    def geometry(self) -> Geometry:
        """Input length, bin size and crop."""
        return self.config.geometry

    @property
    def heads(self) -> tuple[str, ...]:
        """Names of the heads."""
        return tuple(head.name for head in self.config.heads)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.network.parameters()).device

    def head(self, name: str | None) -> str:
        """Check a head's name; None is the only head.

        Raises
        ------
        ConfigError
            When the name is unknown, or left out although there are several.
        """
        if name is not None:
            return head_of(self.config, name).name
        if len(self.heads) > 1:
            raise ConfigError(
                f"{self.name} has the heads {', '.join(self.heads)}", remedy="name one (--head)"
            )
        return self.heads[0]

    def tracks(self, head: str | None = None) -> TrackTable:
        """Tracks of a head, in the order of its output."""
        return self.table.for_head(self.head(head))

    def __call__(
        self, one_hot: Tensor, head: str | None = None, tracks: Tensor | None = None
    ) -> Tensor:
        """Raw output of a head, target units.

        Parameters
        ----------
        one_hot : float tensor [B, L, 4]
            DNA, order ACGT; N is an all-zero row.
        head : str, optional
            May be left out when there is one.
        tracks : int64 tensor, optional
            Indices of the wanted tracks.

        Returns
        -------
        float tensor [B, bins, tracks]
        """
        name = self.head(head)
        with self._cast():
            output: Tensor = self.network(one_hot.to(self.device), name, tracks)
        return output.float()

    def embed(self, one_hot: Tensor) -> Tensor:
        """Trunk output that enters the heads, [B, bins, channels]."""
        with self._cast():
            return self.network.embed(one_hot.to(self.device)).float()

    def for_head(
        self, head: str | None = None, tracks: Tensor | None = None, *, channels_first: bool = True
    ) -> nn.Module:
        """One head as a plain module: one-hot in, [B, bins, tracks] out.

        Parameters
        ----------
        channels_first : bool
            Take [B, 4, L] (as most attribution tools give it) instead of [B, L, 4].
        """
        return _HeadModule(self, self.head(head), tracks, channels_first)

    @contextlib.contextmanager
    def _cast(self) -> Iterator[None]:
        if self.precision == "float32":
            yield
        else:
            with torch.autocast(self.device.type, dtype=torch.bfloat16):
                yield


class _HeadModule(nn.Module):
    def __init__(
        self, model: SequenceModel, head: str, tracks: Tensor | None, channels_first: bool
    ) -> None:
        super().__init__()
        self.network = model.network
        self._model = model
        self._head = head
        self._tracks = tracks
        self._channels_first = channels_first

    def forward(self, one_hot: Tensor) -> Tensor:
        rows = one_hot.transpose(1, 2) if self._channels_first else one_hot
        return self._model(rows, self._head, self._tracks)


def load_model(
    entry: str | Path,
    *,
    device: str | torch.device = "cpu",
    precision: Precision = "float32",
) -> SequenceModel:
    """Load a model of the zoo, of an entry's folder, or of a run folder.

    Weights that are not there are fetched (by hash) into the cache.

    Parameters
    ----------
    entry : str or Path
        Name (``yeast/basenji2``), or path of an entry or a run folder.
    device : str or torch.device
    precision : {'float32', 'bf16'}
        bf16 computes in autocast; outputs differ at the third digit.

    Returns
    -------
    SequenceModel

    Raises
    ------
    FtS2aError
        When it is unknown, incomplete, or its hash is wrong.

    Examples
    --------
    ::

        model = ft_s2a.load_model("yeast/basenji2")
        one_hot = torch.from_numpy(ft_s2a.Genome("genome.fa").one_hot("II", 0, 16_384))
        model(one_hot[None])  # [1, 112, 5], target units
    """
    if precision not in ("float32", "bf16"):
        raise ConfigError(f"precision is {precision!r}", expected="float32 or bf16")
    path = Path(entry).expanduser()
    if (path / "config.json").is_file() and not (path / "entry.yaml").is_file():
        network, table = _from_run(path)
        name, version, ensemble = path.resolve().name, "run", "rc"
    else:
        network, table, found = _from_entry(entry)
        name, version, ensemble = found.name, found.version, found.ensemble
    try:
        network = network.to(device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(
            f"device {device!r} cannot be used ({str(error).splitlines()[0]})",
            remedy="use cpu, or install a torch for this device",
        ) from error
    return SequenceModel(network, table, name, version, ensemble, precision)  # type: ignore[arg-type]


def _from_run(folder: Path) -> tuple[Network, TrackTable]:
    try:
        document = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise FormatError(f"is not JSON ({error})", where=folder / "config.json") from error
    if not isinstance(document, dict):
        raise FormatError("is not a config", where=folder / "config.json", expected="an object")
    weights = folder / "weights.safetensors"
    if not weights.is_file():
        raise MissingFileError(
            "the run has no weights yet", where=weights, remedy="train at least to a validation"
        )
    config = parse_config(document, where=str(folder / "config.json"))
    table = read_tracks(folder / "tracks.tsv")
    check_heads(table, config, where=folder / "tracks.tsv")
    return load_weights(weights, config), table


def _from_entry(entry: str | Path) -> tuple[Network, TrackTable, Entry]:
    found = find_entry(entry)
    table = found.read_tracks()
    network = load_network(weights_path(found), found.model, found.weights.format)
    return network, table, found
