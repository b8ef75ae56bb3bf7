"""Write and read a network's weights: safetensors whose header holds the config."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from ft_s2a.conventions.atomic import atomic_path
from ft_s2a.errors import ConfigError, FormatError, require_file
from ft_s2a.models.config import ModelConfig, first_difference, parse_config

if TYPE_CHECKING:
    from ft_s2a.models.network import Network

_CONFIG_KEY = "ft_s2a_config"


def save_weights(path: str | Path, network: Network, *, overwrite: bool = False) -> Path:
    """Write the state of `network` (parameters and running statistics), in its type.

    Examples
    --------
    >>> import tempfile
    >>> from ft_s2a.models import Basenji2Config, HeadConfig, build
    >>> config = Basenji2Config(stem_channels=2, tower_channels=(2,) * 6, dilations=(1,),
    ...     dilated_channels=2, final_channels=2, heads=(HeadConfig(name="tracks", tracks=1),))
    >>> path = save_weights(tempfile.mkdtemp() + "/weights.safetensors", build(config))
    >>> load_weights(path).config == config
    True
    """
    from safetensors.torch import save

    state = {
        name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()
    }
    metadata = {_CONFIG_KEY: network.config.model_dump_json()}
    with atomic_path(path, overwrite=overwrite) as temporary:
        # Not save_file, whose files only their owner may read.
        temporary.write_bytes(save(state, metadata=metadata))
    return Path(path)


def read_config(path: str | Path) -> ModelConfig:
    """Read the config that a weights file states (its header only).

    Raises
    ------
    MissingFileError, FormatError, ConfigError
        Naming the file.
    """
    found = require_file(path, "weights file")
    metadata = _metadata(found)
    try:
        document = json.loads(metadata[_CONFIG_KEY])
    except (KeyError, json.JSONDecodeError):
        raise FormatError(
            "states no config", where=found, expected="a weights file written by ft_s2a"
        ) from None
    return parse_config(document, where=str(found))


def load_weights(path: str | Path, config: ModelConfig | None = None) -> Network:
    """Build the network and load its weights; it comes back in evaluation mode.

    Parameters
    ----------
    path : str or Path
        A file written by :func:`save_weights`.
    config : ModelConfig, optional
        Config that the caller expects.

    Raises
    ------
    ConfigError
        When the file states another config: names the first difference.
    FormatError
        When the file is damaged or its tensors do not fit.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from ft_s2a.models.builder import build

    stated = read_config(path)
    if config is not None and stated != config:
        raise ConfigError(
            f"the weights belong to another network: {first_difference(config, stated)}",
            where=path,
        )
    with torch.device("meta"):  # no random weights: they would take seconds and move torch's seed
        network = build(stated)
    try:
        state = load_file(str(path))
    except SafetensorError as error:
        raise FormatError(f"is no complete weights file ({error})", where=path) from error
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in state.items()}
    for name in sorted({*expected, *found}):
        if expected.get(name) != found.get(name):
            raise FormatError(
                f"tensor {name!r} has shape {found.get(name)}",
                where=path,
                expected=f"shape {expected.get(name)}",
            )
    if unsaved := {name for name, _ in network.named_buffers()} - set(found):
        raise NotImplementedError(f"{sorted(unsaved)} are no weights and would stay empty")
    network.to_empty(device="cpu").load_state_dict(state)
    return network.eval()


def _metadata(path: Path) -> dict[str, str]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="numpy") as handle:
            return dict(handle.metadata() or {})
    except (SafetensorError, OSError) as error:  # the latter for a folder
        raise FormatError(
            f"is no complete safetensors file ({error})", where=path, remedy="fetch it again"
        ) from error
