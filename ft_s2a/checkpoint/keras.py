"""Import the weights of a Basenji2 that calico/basenji saved with Keras (HDF5, .h5).

Both layouts are read: a full model (weights in the group ``model_weights``, the attribute
``model_config``) and ``save_weights`` (the layers at the root).  Layers correspond by their order,
since the numbers in their names count all layers that the saving process ever made.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ft_s2a.checkpoint.keras_graph import config_from_keras
from ft_s2a.errors import ConfigError, FormatError, require_file
from ft_s2a.models.basenji2 import Basenji2
from ft_s2a.models.config import (
    Basenji2Config,
    HeadConfig,
    first_difference,
    head_of,
    validate_config,
)

# Not stated by a file, or about training only: the caller's config may differ.
_FREE = (
    "input_length", "gelu", "dilated_dropout", "final_dropout", "norm_momentum", "norm_variance",
    "initialisation", "heads",
)  # fmt: skip

_KINDS: dict[str, dict[str, str]] = {  # Keras' names of a layer's weights, and ours
    "convolution": {"kernel": "weight", "bias": "bias"},
    "norm": {
        "gamma": "weight",
        "beta": "bias",
        "moving_mean": "running_mean",
        "moving_variance": "running_var",
    },
    "dense": {"kernel": "weight", "bias": "bias"},
}


def load_keras_basenji2(
    path: str | Path, config: Basenji2Config | None = None, *, head: str = "human"
) -> Basenji2:
    """Load a Basenji2 that Keras saved, such as the published ``model_human.h5``.

    Parameters
    ----------
    path : str or Path
        HDF5 file: a full model, or weights only.  Optimizer states are ignored.
    config : Basenji2Config, optional
        What the file holds.  A full model describes itself, apart from the form of GELU: without a
        config, that is ``sigmoid``, as in the code of the published networks, unless the norms'
        gammas start as in later code (then ``tanh``).  A config may differ from a full model in the
        form of GELU, the input length, and in what matters in training only.
    head : str
        Name of the result's head, of which such a file has one.  Of a config with several heads
        this one is used, and the others are left out of the result.

    Returns
    -------
    Basenji2
        In evaluation mode, float32, on the CPU; calls as ``network(one_hot [B, L, 4], head)``.

    Raises
    ------
    MissingFileError, FormatError
        Naming the layer that is missing, damaged or of another shape.
    ConfigError
        When weights only come without a config, or a full model is another than the config.

    Examples
    --------
    ::

        human = load_keras_basenji2("model_human.h5")
        mouse = load_keras_basenji2("model_mouse.h5", head="mouse")
    """
    import h5py

    found = require_file(path, "weights file")
    if config is not None and config.heads:
        config = config.with_heads([head_of(config, head)])
    if not found.is_file() or not h5py.is_hdf5(found):
        raise FormatError("is no HDF5 file", where=found, expected="a model saved by Keras (.h5)")
    try:
        with h5py.File(found, "r") as file:
            stated = _stated_config(file, head, found)
            layers = list(_layers(file, found))
    except (OSError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise FormatError(
            f"is a damaged HDF5 file ({error})", where=found, remedy="fetch it again"
        ) from error
    return _fill(_agreed(config, stated, layers, head, found), layers, found)


@dataclass(frozen=True)
class _Weights:
    """A layer's weights by Keras' names."""

    name: str
    kind: str
    arrays: dict[str, NDArray[np.float32]]


def _agreed(
    config: Basenji2Config | None,
    stated: Basenji2Config | None,
    layers: list[_Weights],
    head: str,
    path: Path,
) -> Basenji2Config:
    """Config to build, from the caller's and the file's own."""
    if config is None:
        if stated is None:
            raise ConfigError(
                "holds weights only, which do not say what network they are of",
                where=path,
                remedy='give its config, such as ft_s2a.models.named("basenji2-kelley2020")',
            )
        return stated
    if not config.heads:
        last = layers[-1] if layers else None
        if last is None or last.kind != "dense":
            raise FormatError("has no head", where=path, expected="a dense layer as the last")
        heads = [HeadConfig(name=head, tracks=last.arrays["kernel"].shape[1]).model_dump()]
        config = _with_heads(config, heads, path)
    if stated is not None:
        same = {name: getattr(config, name) for name in _FREE}
        theirs = stated.model_copy(update=same)
        if difference := first_difference(config, theirs):
            raise ConfigError(f"is another network: {difference}", where=path)
    return config


def _with_heads(config: Basenji2Config, heads: list[dict[str, Any]], path: Path) -> Basenji2Config:
    document = {**config.model_dump(), "heads": heads}
    return validate_config(Basenji2Config, document, where=str(path))


def _stated_config(file: Any, head: str, path: Path) -> Basenji2Config | None:
    text = file.attrs.get("model_config")
    if text is None:
        return None
    try:
        document = json.loads(text)
    except (ValueError, TypeError) as error:
        raise FormatError(f"its model_config is no JSON ({error})", where=path) from error
    return config_from_keras(document, head=head, where=str(path))


def _layers(file: Any, path: Path) -> Iterator[_Weights]:
    """Layers that have weights, in the network's order."""
    group = file.get("model_weights", file)
    names = _texts(group, "layer_names")
    if not names:
        raise FormatError(
            "holds no Keras layers", where=path, expected="a model saved by Keras (layer_names)"
        )
    for name in names:
        arrays = {}
        for weight in _texts(group[name], "weight_names"):
            short = weight.rpartition("/")[2].partition(":")[0]
            arrays[short] = _array(group[name][weight], f"{short} of layer {name!r}", path)
        if arrays:
            yield _Weights(name, _kind(name, arrays, path), arrays)


def _texts(group: Any, attribute: str) -> list[str]:
    """A list of names; Keras splits long ones over ``<attribute>0``, ``<attribute>1``, ..."""
    parts = [attribute] if attribute in group.attrs else []
    while f"{attribute}{len(parts)}" in group.attrs:
        parts.append(f"{attribute}{len(parts)}")
    values = [value for part in parts for value in group.attrs[part]]
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]


def _array(dataset: Any, what: str, path: Path) -> NDArray[np.float32]:
    values = np.asarray(dataset[()])
    if values.dtype.kind != "f":
        raise FormatError(f"{what} is of type {values.dtype}", where=path, expected="numbers")
    if not np.isfinite(values).all():
        raise FormatError(
            f"{what} holds NaN or infinite values", where=path, expected="finite weights"
        )
    if what.startswith("moving_variance") and (values < 0).any():
        raise FormatError(f"{what} is negative", where=path, expected="variances of 0 or more")
    return values.astype(np.float32)


def _kind(name: str, arrays: dict[str, NDArray[np.float32]], path: Path) -> str:
    have = set(arrays)
    if have == set(_KINDS["norm"]):
        return "norm"
    if "kernel" in have and have <= {"kernel", "bias"}:
        kind = {3: "convolution", 2: "dense"}.get(arrays["kernel"].ndim)
        if kind is not None:
            return kind
    raise FormatError(
        f"layer {name!r} holds {', '.join(sorted(have))}",
        where=path,
        expected="the convolutions, batch norms and dense head of a Basenji2",
    )


def _fill(config: Basenji2Config, layers: list[_Weights], path: Path) -> Basenji2:
    """Build the network and copy the weights, layer by layer."""
    import torch
    from torch import nn

    with torch.device("meta"):  # no random weights: they would take seconds and move torch's seed
        network = Basenji2(config)
    kinds = {nn.Conv1d: "convolution", nn.BatchNorm1d: "norm", nn.Linear: "dense"}
    modules = [
        (name, kind, module)
        for name, module in network.named_modules()
        for class_, kind in kinds.items()
        if isinstance(module, class_)
    ]
    state: dict[str, torch.Tensor] = {}
    for i, (ours, kind, module) in enumerate(modules):
        if i >= len(layers):
            raise FormatError(
                f"has {len(layers)} layers with weights, and nothing for {ours!r}",
                where=path,
                expected=f"{len(modules)} for this config",
            )
        layer = layers[i]
        if layer.kind != kind:
            raise FormatError(
                f"layer {layer.name!r} is a {layer.kind}", where=path, expected=f"a {kind} ({ours})"
            )
        expected = {
            theirs: tuple(getattr(module, mine).shape[::-1])  # Keras: [width, in, out]
            for theirs, mine in _KINDS[kind].items()
            if getattr(module, mine) is not None
        }
        shapes = {name: values.shape for name, values in layer.arrays.items()}
        for name in dict.fromkeys([*expected, *shapes]):
            if shapes.get(name) != expected.get(name):
                raise FormatError(
                    f"{name} of layer {layer.name!r} has shape {shapes.get(name)}",
                    where=path,
                    expected=f"{expected.get(name)} ({ours} of the config)",
                )
            values = np.ascontiguousarray(layer.arrays[name].T)
            state[f"{ours}.{_KINDS[kind][name]}"] = torch.from_numpy(values)
        if kind == "norm":
            state[f"{ours}.num_batches_tracked"] = torch.tensor(0)
    if len(layers) > len(modules):
        raise FormatError(
            f"has {len(layers)} layers with weights, one of them {layers[len(modules)].name!r}",
            where=path,
            expected=f"{len(modules)} for this config",
        )
    network.to_empty(device="cpu").load_state_dict(state)
    return network.eval()
