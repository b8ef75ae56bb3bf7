"""Load a trained model: a network with its geometry and its tracks."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
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
from ft_s2a.models.inference import for_inference
from ft_s2a.models.network import Network
from ft_s2a.tracks.table import TrackTable, read_tracks

Precision = Literal["float32", "bf16"]
_DTYPES = {"float32": torch.float32, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class SequenceModel:
    """A network in evaluation mode, its geometry and the tracks it predicts.

    Made by :func:`load_model`.

    Parameters
    ----------
    network : Network
        With all its layers, in float32.  It does not compute the predictions: `fast` does.
    table : TrackTable
        Tracks of all heads, in order.
    name, version : str
        Of the entry, or the run folder's name and ``run``.
    ensemble : {'none', 'rc'}
        What `predict` averages by default.
    precision : {'float32', 'bf16'}
    compile : bool

    Attributes
    ----------
    fast : Network
        The copy of `network` that computes, made with the object by
        :func:`ft_s2a.models.for_inference`.  Later changes of `network` do not reach it.
    """

    network: Network
    table: TrackTable
    name: str
    version: str = "run"
    ensemble: Literal["none", "rc"] = "rc"
    precision: Precision = "float32"
    compile: bool = False
    fast: Network = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        dtype = _DTYPES[self.precision]
        fast = for_inference(self.network, dtype=dtype, compile=self.compile)
        object.__setattr__(self, "fast", fast)  # frozen for everybody else

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
        output: Tensor = self.fast(one_hot.to(self.device), self.head(head), tracks)
        return output

    def embed(self, one_hot: Tensor) -> Tensor:
        """Trunk output that enters the heads, [B, bins, channels]."""
        return self.fast.embed(one_hot.to(self.device)).float()

    def for_head(
        self, head: str | None = None, tracks: Tensor | None = None, *, channels_first: bool = True
    ) -> nn.Module:
        """One head as a plain module: one-hot in, [B, bins, tracks] out.

        Where a gradient with respect to the input is asked for, the layers of `network` compute, so
        that attribution methods can hook them; otherwise `fast` does.

        Parameters
        ----------
        channels_first : bool
            Take [B, 4, L] (as most attribution tools give it) instead of [B, L, 4].
        """
        return _HeadModule(self, self.head(head), tracks, channels_first)


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
        if torch.is_grad_enabled() and one_hot.requires_grad:
            output: Tensor = self.network(rows.to(self._model.device), self._head, self._tracks)
            return output
        return self._model(rows, self._head, self._tracks)


def load_model(
    entry: str | Path,
    *,
    device: str | torch.device = "cpu",
    precision: Precision = "float32",
    compile: bool = False,
) -> SequenceModel:
    """Load a model of the zoo, of an entry's folder, or of a run folder.

    Weights that are not there are fetched (by hash) into the cache.

    Parameters
    ----------
    entry : str or Path
        Name (``yeast/basenji2``), or path of an entry or a run folder.
    device : str or torch.device
    precision : {'float32', 'bf16'}
        bf16 computes everything in bfloat16; outputs differ at the third digit.  It pays on GPUs,
        and on CPUs with AMX or AVX512-BF16.
    compile : bool
        Compile with ``torch.compile``: on GPUs and in bf16, for some minutes at the first call,
        which pays for thousands of windows.  See :func:`ft_s2a.models.for_inference`.

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
    if precision not in _DTYPES:
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
    return SequenceModel(network, table, name, version, ensemble, precision, compile)  # type: ignore[arg-type]


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
