"""Import the weights of an Enformer that enformer-pytorch (or code derived from it) saved."""

from __future__ import annotations

import math
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor

from ft_s2a.conventions.hashing import sha256_file
from ft_s2a.conventions.validation import describe
from ft_s2a.errors import ConfigError, FormatError, require_file
from ft_s2a.models.config_base import HeadConfig, find_head
from ft_s2a.models.enformer import Enformer
from ft_s2a.models.enformer_config import EnformerConfig

# The published weights, converted from TensorFlow's: EleutherAI/enformer-official-rough, affe571.
# Nothing in them says that they need TensorFlow's position features.
_OFFICIAL_BYTES = 1_005_149_571
_OFFICIAL_SHA256 = "99b09d602e195d89c7d4debe144bb2f43907ba0d74006e97098e99d9171c439c"

# Read off the shapes, so a config must agree.
_SHAPES = (
    "dim", "depth", "attention_heads", "key_size", "downsamples", "tower_channels",
    "feed_forward", "final_pointwise",
)  # fmt: skip

# The same tensors once more, as parts of one sequence.
_TRUNK = {"1": "stem", "2": "conv_tower", "4": "transformer", "6": "final_pointwise"}

# Our names and those in the file; the first that matches counts.
_NAMES = [
    (re.compile(ours), theirs)
    for ours, theirs in (
        (r"stem\.first\.", "stem.0."),
        (r"stem\.residual\.norm\.", "stem.1.fn.0."),
        (r"stem\.residual\.conv\.", "stem.1.fn.2."),
        (r"stem\.pool\.", "stem.2.to_attn_logits."),
        (r"tower\.(\d+)\.first\.norm\.", r"conv_tower.\1.0.0."),
        (r"tower\.(\d+)\.first\.conv\.", r"conv_tower.\1.0.2."),
        (r"tower\.(\d+)\.residual\.norm\.", r"conv_tower.\1.1.fn.0."),
        (r"tower\.(\d+)\.residual\.conv\.", r"conv_tower.\1.1.fn.2."),
        (r"tower\.(\d+)\.pool\.", r"conv_tower.\1.2.to_attn_logits."),
        (r"transformer\.(\d+)\.norm\.", r"transformer.\1.0.fn.0."),
        (r"transformer\.(\d+)\.attention\.content_bias", r"transformer.\1.0.fn.1.rel_content_bias"),
        (r"transformer\.(\d+)\.attention\.position_bias", r"transformer.\1.0.fn.1.rel_pos_bias"),
        (r"transformer\.(\d+)\.attention\.", r"transformer.\1.0.fn.1."),
        (r"transformer\.(\d+)\.feed_forward\.", r"transformer.\1.1.fn."),
        (r"final\.norm\.", "final_pointwise.1.0."),
        (r"final\.linear\.", "final_pointwise.1.2."),
        (r"heads\.([^.]+)\.linear\.", r"_heads.\1.0."),
    )
]  # fmt: skip


def load_lucidrains_enformer(
    state_dict_or_path: Mapping[str, Tensor] | str | Path,
    config: EnformerConfig | None = None,
    *,
    target_bins: int | None = None,
) -> Enformer:
    """Load an Enformer that enformer-pytorch saved, such as the published weights.

    Parameters
    ----------
    state_dict_or_path : mapping or str or Path
        A state dict, or a file of one (``pytorch_model.bin``, which is read without running
        anything in it, or safetensors).  Each tensor of the trunk may stand under two names, and
        all names may begin with ``module.``.
    config : EnformerConfig, optional
        What the state holds.  Without one, all that the shapes tell is read off them, and the
        position features are enformer-pytorch's, unless the file is the published one (known by
        its hash), which has TensorFlow's.  With one, heads that it does not name are left out.
    target_bins : int, optional
        Bins of the output; by default those of the config, or 896.

    Returns
    -------
    Enformer
        In evaluation mode, float32, on the CPU; calls as ``network(one_hot [B, L, 4], head)``.

    Raises
    ------
    MissingFileError, FormatError
        Naming the tensor that is missing, not a number, or of another shape.
    ConfigError
        When the state is of another network than the config: names the first difference.

    Examples
    --------
    ::

        enformer = load_lucidrains_enformer("pytorch_model.bin")
        small = load_lucidrains_enformer(peer.state_dict(), target_bins=128)
    """
    where: Path | None = None
    if isinstance(state_dict_or_path, Mapping):
        state = _tensors(state_dict_or_path, None, copy=True)
    else:
        where = require_file(state_dict_or_path, "weights file")
        state = _tensors(_read(where), where, copy=False)
    stated = _config_of(state, where)
    if config is None:
        if where is not None and _is_official(where):
            stated = stated.model_copy(update={"gamma": "tensorflow"})
        config = stated
    else:
        config = config if config.heads else config.with_heads(stated.heads)
        _check(config, stated, where)
    if target_bins is not None:
        # Of an input long enough, since the weights do not know theirs.
        length = max(config.input_length, target_bins * config.bin_size)
        config = EnformerConfig.model_validate(
            {**config.model_dump(), "target_bins": target_bins, "input_length": length}
        )
    with torch.device("meta"):  # no random weights: they would take seconds and move torch's seed
        network = Enformer(config)
    _fill(network, state, where)
    return network.eval()


def _read(path: Path) -> Any:
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(str(path))
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise FormatError(
            "is no state dict, or holds more than tensors, which is not run",
            where=path,
            expected="a state dict saved by torch.save",
        ) from None
    except (EOFError, OSError, RuntimeError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
        raise FormatError(
            f"is no complete weights file ({reason})", where=path, remedy="fetch it again"
        ) from error
    except Exception as error:
        # safetensors' own error is no subclass of any of the above.
        if type(error).__name__ != "SafetensorError":
            raise
        raise FormatError(
            f"is no complete safetensors file ({error})", where=path, remedy="fetch it again"
        ) from error


def _tensors(found: Any, where: Path | None, *, copy: bool) -> dict[str, Tensor]:
    """Give each tensor one name, that of enformer-pytorch outside of `_trunk`."""
    if isinstance(found, Mapping) and isinstance(found.get("state_dict"), Mapping):
        found = found["state_dict"]
    if not isinstance(found, Mapping) or not all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in found.items()
    ):
        raise FormatError(
            "is no state dict" if where else f"a {type(found).__name__} is no state dict",
            where=where,
            expected="names and tensors of an Enformer",
        )
    state: dict[str, Tensor] = {}
    for name, tensor in found.items():
        plain = re.sub(r"^(module\.)+", "", name)
        twin = re.match(r"_trunk\.(\d+)\.", plain)
        if twin and twin[1] in _TRUNK:
            plain = f"{_TRUNK[twin[1]]}.{plain[twin.end() :]}"
        other = state.get(plain)
        if other is None:
            state[plain] = tensor
        elif other.data_ptr() != tensor.data_ptr() and not torch.equal(other, tensor):
            raise FormatError(f"tensor {plain!r} stands there twice, and differs", where=where)
    for name, tensor in state.items():
        if tensor.is_meta:  # shapes only
            continue
        if tensor.is_floating_point():
            if not torch.isfinite(tensor).all():
                raise FormatError(f"tensor {name!r} holds NaN or infinity", where=where)
            state[name] = tensor.detach().to("cpu", torch.float32, copy=copy).contiguous()
        else:
            state[name] = tensor.detach().to("cpu", copy=copy)
    return state


def _config_of(state: Mapping[str, Tensor], where: Path | None) -> EnformerConfig:
    """Read the config off the shapes."""

    def shape(name: str, axes: int) -> tuple[int, ...]:
        if name not in state:
            raise FormatError(
                f"has no tensor {name!r}" if where else f"the state dict has no tensor {name!r}",
                where=where,
                expected="the state dict of an enformer-pytorch Enformer",
            )
        found = tuple(state[name].shape)
        if len(found) != axes:
            raise FormatError(
                f"tensor {name!r} has shape {found}", where=where, expected=f"{axes} axes"
            )
        return found

    def count(part: str) -> int:
        names = (re.match(rf"{part}\.(\d+)\.", name) for name in state)
        return max((int(match[1]) + 1 for match in names if match), default=0)

    attention = "transformer.0.0.fn.1."
    _, heads, _, key_size = shape(f"{attention}rel_content_bias", 4)
    dim = shape(f"{attention}to_out.weight", 2)[0]
    levels = count("conv_tower")
    widths = tuple(shape(f"conv_tower.{i}.0.2.weight", 3)[0] for i in range(levels))
    names = (re.fullmatch(r"_heads\.([^.]+)\.0\.weight", name) for name in state)
    settings: dict[str, Any] = {
        "input_length": 2 ** (levels + 1) * 1536,
        "dim": dim,
        "depth": count("transformer"),
        "attention_heads": heads,
        "key_size": key_size,
        "downsamples": levels + 1,
        "feed_forward": "transformer.0.1.fn.1.weight" in state,
        "final_pointwise": "final_pointwise.1.2.weight" in state,
        "heads": [
            HeadConfig(name=match[1], tracks=shape(match[0], 2)[0]) for match in names if match
        ],
    }
    try:
        # What the widths were rounded to: as a rule 128.
        for step in (128, 64, 32, 16, 8, 4, 2, 1, math.gcd(*widths)):
            if dim % step == 0:
                config = EnformerConfig.model_validate({**settings, "dim_divisible_by": step})
                if config.tower_channels == widths:
                    return config
    except ValidationError as error:
        raise FormatError(f"no Enformer has these shapes: {describe(error)}", where=where) from None
    raise FormatError(
        f"the tower's widths are {', '.join(map(str, widths))}",
        where=where,
        expected="those of an Enformer",
    )


def _is_official(path: Path) -> bool:
    return path.stat().st_size == _OFFICIAL_BYTES and sha256_file(path) == _OFFICIAL_SHA256


def _check(config: EnformerConfig, stated: EnformerConfig, where: Path | None) -> None:
    """Refuse a config that the shapes contradict."""
    for name in _SHAPES:
        ours, theirs = getattr(config, name), getattr(stated, name)
        if ours != theirs:
            raise ConfigError(
                f"the weights belong to another network: {name} is {theirs} in them and {ours} "
                "in the config",
                where=where,
            )
    for head in config.heads:
        tracks = find_head(stated.heads, head.name).tracks
        if tracks != head.tracks:
            raise ConfigError(
                f"the head {head.name!r} has {tracks} tracks in the weights and {head.tracks} in "
                "the config",
                where=where,
            )


def _fill(network: Enformer, state: dict[str, Tensor], where: Path | None) -> None:
    """Give the network its tensors."""
    ours: dict[str, Tensor] = {}
    for name, empty in network.state_dict().items():
        theirs = _theirs(name)
        tensor = state.pop(theirs, None)
        if tensor is None and name.endswith("num_batches_tracked"):
            tensor = torch.zeros((), dtype=torch.long)
        if tensor is None:
            raise FormatError(
                f"has no tensor {theirs!r}" if where else f"the state dict lacks {theirs!r}",
                where=where,
                expected=f"shape {tuple(empty.shape)}",
            )
        if _true_axes(tensor) != _true_axes(empty):
            raise FormatError(
                f"tensor {theirs!r} has shape {tuple(tensor.shape)}",
                where=where,
                expected=f"{tuple(empty.shape)}, apart from axes of 1",
            )
        ours[name] = tensor.reshape(empty.shape)
    unused = [name for name in state if not name.startswith("_heads.")]
    if unused:
        raise FormatError(
            f"tensor {unused[0]!r} is no part of this network", where=where, expected="an Enformer"
        )
    network.load_state_dict(ours, assign=True)


def _theirs(name: str) -> str:
    for pattern, theirs in _NAMES:
        if match := pattern.match(name):
            return match.expand(theirs) + name[match.end() :]
    raise KeyError(name)


def _true_axes(tensor: Tensor) -> list[int]:
    return [size for size in tensor.shape if size != 1]
