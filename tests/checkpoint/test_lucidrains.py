"""Weights of enformer-pytorch: its fixtures, its names, and what can be wrong with a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import ft_s2a
from ft_s2a.checkpoint import load_lucidrains_enformer, load_weights, lucidrains, save_weights
from ft_s2a.errors import ConfigError, FormatError, MissingFileError
from ft_s2a.models import Enformer, EnformerConfig, HeadConfig, named

SMALL = EnformerConfig(
    input_length=512,
    target_bins=4,
    dim=24,
    depth=2,
    attention_heads=2,
    key_size=5,
    downsamples=4,
    dim_divisible_by=4,
    heads=(HeadConfig(name="human", tracks=3), HeadConfig(name="mouse", tracks=2)),
)
TWINS = (("stem", "1"), ("conv_tower", "2"), ("transformer", "4"), ("final_pointwise", "6"))


def their_shape(name: str, tensor: Tensor) -> Tensor:
    """Give a tensor the axes of 1 that it has in enformer-pytorch."""
    if name.endswith("to_attn_logits.weight"):
        return tensor[:, :, None, None]
    if name.endswith(("rel_content_bias", "rel_pos_bias")):
        return tensor[None, :, None]
    if name.endswith("final_pointwise.1.2.weight"):
        return tensor[:, :, None]
    return tensor


def state_dict(config: EnformerConfig = SMALL, *, seed: int = 0) -> dict[str, Tensor]:
    """A state as enformer-pytorch has it: random numbers, each of the trunk under two names."""
    torch.manual_seed(seed)
    network = Enformer(config)
    state = {}
    for ours, tensor in network.state_dict().items():
        name = lucidrains._theirs(ours)
        if tensor.is_floating_point():
            tensor = torch.rand_like(tensor) - (0 if "running_var" in name else 0.5)
        state[name] = their_shape(name, tensor)
    for part, number in TWINS:
        twins = {n: t for n, t in state.items() if n.startswith(f"{part}.")}
        state |= {f"_trunk.{number}{name[len(part) :]}": t for name, t in twins.items()}
    return state


def dna(length: int = 512) -> Tensor:
    codes = torch.randint(0, 4, (2, length), generator=torch.Generator().manual_seed(1))
    return torch.nn.functional.one_hot(codes, 4).float()


def written(tmp_path: Path, state: Any, name: str = "pytorch_model.bin") -> Path:
    path = tmp_path / name
    torch.save(state, path)
    return path


def test_the_config_is_read_off_the_shapes() -> None:
    network = load_lucidrains_enformer(state_dict(), target_bins=4)
    expected = {
        **SMALL.model_dump(),
        "input_length": 1536 * 16,
        "dim_divisible_by": network.config.dim_divisible_by,
    }
    assert network.config.model_dump() == expected
    assert network.config.tower_channels == SMALL.tower_channels
    assert not network.training
    assert all(p.requires_grad and p.dtype == torch.float32 for p in network.parameters())


@pytest.mark.parametrize(
    "changes",
    [
        {"final_pointwise": False},
        {"final_pointwise": False, "feed_forward": False},
        {"depth": 1, "attention_heads": 4, "key_size": 8},
        {"downsamples": 6, "dim": 96, "dim_divisible_by": 8},
        {"heads": (HeadConfig(name="tracks-1", tracks=9),)},
        {"heads": ()},
    ],
    ids=str,
)
def test_other_forms_are_recognised(changes: dict[str, Any]) -> None:
    config = EnformerConfig.model_validate({**SMALL.model_dump(), **changes})
    found = load_lucidrains_enformer(state_dict(config), target_bins=4).config
    for name in (*changes, "dim", "tower_channels", "channels"):
        assert getattr(found, name) == getattr(config, name)


def test_names_with_and_without_prefixes_give_the_same(tmp_path: Path) -> None:
    state = state_dict()
    plain = {name: t for name, t in state.items() if not name.startswith("_trunk.")}
    trunk_only = {n: t for n, t in state.items() if n.startswith(("_trunk.", "_heads."))}
    expected = load_lucidrains_enformer(plain, target_bins=4)
    forms: list[Any] = [
        state,
        {f"module.{name}": t for name, t in state.items()},
        trunk_only,
        {"state_dict": plain},
        written(tmp_path, state),
        str(written(tmp_path, {f"module.{name}": t for name, t in plain.items()}, "x.pt")),
    ]
    for form in forms:
        found = load_lucidrains_enformer(form, target_bins=4)
        torch.testing.assert_close(found.state_dict(), expected.state_dict(), rtol=0, atol=0)


def test_safetensors_are_read_too(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    state = {n: t.contiguous() for n, t in state_dict().items() if not n.startswith("_trunk.")}
    save_file(state, str(tmp_path / "model.safetensors"))
    found = load_lucidrains_enformer(tmp_path / "model.safetensors", target_bins=4)
    expected = load_lucidrains_enformer(state, target_bins=4)
    torch.testing.assert_close(found.state_dict(), expected.state_dict(), rtol=0, atol=0)


def test_the_weights_are_the_networks_own() -> None:
    state = state_dict()
    network = load_lucidrains_enformer(state, target_bins=4)
    with torch.no_grad():
        before = network(dna(), "human")
        for tensor in state.values():
            tensor.zero_()
        torch.testing.assert_close(network(dna(), "human"), before, rtol=0, atol=0)


def test_half_precision_is_widened() -> None:
    state = {n: t.half() if t.is_floating_point() else t for n, t in state_dict().items()}
    network = load_lucidrains_enformer(state, target_bins=4)
    assert all(p.dtype == torch.float32 for p in network.parameters())


def test_loading_draws_no_random_number() -> None:
    state = state_dict()
    before = torch.random.get_rng_state()
    load_lucidrains_enformer(state, target_bins=4)
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_config_is_kept_where_shapes_tell_nothing() -> None:
    config = EnformerConfig.model_validate(
        {**SMALL.model_dump(), "gamma": "tensorflow", "dropout": 0.1, "heads": ()}
    )
    network = load_lucidrains_enformer(state_dict(), config)
    assert network.config == config.with_heads(SMALL.heads)
    with torch.no_grad():
        other = load_lucidrains_enformer(state_dict(), SMALL)
        assert not torch.allclose(network(dna(), "human"), other(dna(), "human"), rtol=1e-3)


def test_heads_that_are_not_wanted_are_left_out() -> None:
    human = SMALL.with_heads(SMALL.heads[:1])
    network = load_lucidrains_enformer(state_dict(), human)
    assert list(network.heads) == ["human"]
    with torch.no_grad():
        both = load_lucidrains_enformer(state_dict(), SMALL)
        torch.testing.assert_close(network(dna(), "human"), both(dna(), "human"))


def test_target_bins_win() -> None:
    assert load_lucidrains_enformer(state_dict(), SMALL, target_bins=7).config.target_bins == 7
    long = load_lucidrains_enformer(state_dict(), target_bins=5000)
    assert long.config.input_length == 5000 * 16
    with torch.no_grad():
        odd = load_lucidrains_enformer(state_dict(), target_bins=7)(dna(), "mouse")
    assert odd.shape == (2, 7, 2)


def test_what_was_loaded_can_be_saved_as_ours(tmp_path: Path) -> None:
    network = load_lucidrains_enformer(state_dict(), SMALL)
    path = save_weights(tmp_path / "weights.safetensors", network)
    loaded = load_weights(path, network.config)
    assert isinstance(loaded, Enformer)
    torch.testing.assert_close(loaded.state_dict(), network.state_dict(), rtol=0, atol=0)


def test_the_published_file_has_tensorflows_positions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, state_dict())
    assert load_lucidrains_enformer(path).config.gamma == "torch"
    monkeypatch.setattr(lucidrains, "_OFFICIAL_BYTES", path.stat().st_size)
    assert load_lucidrains_enformer(path).config.gamma == "torch"
    monkeypatch.setattr(lucidrains, "_OFFICIAL_SHA256", lucidrains.sha256_file(path))
    assert load_lucidrains_enformer(path).config.gamma == "tensorflow"
    assert load_lucidrains_enformer(path, SMALL).config.gamma == "torch"


def test_it_is_reexported() -> None:
    assert ft_s2a.models.load_lucidrains_enformer is load_lucidrains_enformer


# --- bad input ---


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"depth": 11}, "the weights belong to another network: depth is 2 in them and 11 in the"),
        ({"key_size": 6}, "key_size is 5 in them and 6"),
        ({"feed_forward": False}, "feed_forward is True in them and False"),
        ({"dim": 48}, "dim is 24 in them and 48"),
        ({"dim_divisible_by": 6}, "tower_channels is"),
        ({"heads": [{"name": "humann", "tracks": 3}]}, "no head 'humann'; did you mean 'human'?"),
        ({"heads": [{"name": "human", "tracks": 4}]}, "'human' has 3 tracks in the weights and 4"),
    ],
    ids=str,
)
def test_another_network_is_named_by_its_difference(config: dict[str, Any], message: str) -> None:
    wanted = EnformerConfig.model_validate({**SMALL.model_dump(), **config})
    with pytest.raises(ConfigError) as caught:
        load_lucidrains_enformer(state_dict(), wanted)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def changed(**changes: Tensor | None) -> dict[str, Any]:
    state = {n: t for n, t in state_dict().items() if not n.startswith("_trunk.")}
    for name, tensor in changes.items():
        if tensor is None:
            del state[name]
        else:
            state[name] = tensor
    return state


NAN = torch.full((24,), float("nan"))
Q = "transformer.1.0.fn.1.to_q.weight"


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (lambda: changed(**{"transformer.0.1.fn.4.bias": NAN}), "fn.4.bias' holds NaN"),
        (lambda: changed(**{Q: None}), f"the state dict lacks {Q!r}; expected shape (10, 24)"),
        (
            lambda: changed(**{Q: torch.ones(10, 23)}),
            f"{Q!r} has shape (10, 23); expected (10, 24)",
        ),
        (lambda: changed(**{"stem.2.extra": torch.ones(1)}), "'stem.2.extra' is no part of"),
        (
            lambda: changed(**{"transformer.0.0.fn.1.rel_content_bias": torch.ones(2, 5)}),
            "has shape (2, 5); expected 4 axes",
        ),
        (lambda: {**changed(), "_trunk.1.0.bias": torch.ones(12)}, "'stem.0.bias' stands there tw"),
        (lambda: changed(**{"conv_tower.1.0.2.weight": torch.ones(7, 5, 5)}), "widths are"),
        (lambda: {"weight": torch.ones(3)}, "has no tensor 'transformer.0.0.fn.1.rel_content"),
        (lambda: {}, "has no tensor"),
        (lambda: {"a": "b"}, "a dict is no state dict"),
    ],
    ids=range(10),
)
def test_a_damaged_state_is_explained(state: Any, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        load_lucidrains_enformer(state(), target_bins=4)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_broken_number_is_found() -> None:
    state = state_dict()
    state["_heads.mouse.0.weight"][1, 3] = float("inf")
    with pytest.raises(FormatError, match=r"'_heads\.mouse\.0\.weight' holds NaN or infinity"):
        load_lucidrains_enformer(state)


def test_bad_files_are_named(tmp_path: Path) -> None:
    path = written(tmp_path, state_dict())
    with pytest.raises(MissingFileError, match="no such weights file"):
        load_lucidrains_enformer(tmp_path / "nowhere.bin")
    content = path.read_bytes()
    for name, data in (
        ("cut.bin", content[: len(content) // 2]),
        ("empty.bin", b""),
        ("page.bin", b"<html>not found</html>"),
        ("cut.safetensors", b"\x40\0\0\0\0\0\0\0{"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(FormatError) as caught:
            load_lucidrains_enformer(tmp_path / name)
        assert str(caught.value).startswith(str(tmp_path / name))
        assert "\n" not in str(caught.value)
    with pytest.raises(FormatError, match="is no state dict"):
        load_lucidrains_enformer(written(tmp_path, [1, 2], "list.bin"))


class _Harmful:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("harmed"),))


def test_nothing_in_a_file_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path, {"a": _Harmful()})
    with pytest.raises(FormatError, match="holds more than tensors, which is not run"):
        load_lucidrains_enformer(path)
    assert not Path("harmed").exists()


# --- fixtures made with enformer-pytorch ---


@pytest.fixture(scope="module")
def oracle(mirror: Path) -> Path:
    folder = mirror.parent / "oracles" / "enformer"
    if not folder.is_dir():
        pytest.skip(f"oracles: {folder} is missing")
    return folder


@pytest.fixture(scope="module")
def tensors(oracle: Path) -> dict[str, Any]:
    return dict(torch.load(oracle / "io.pt", weights_only=True))


@pytest.fixture
def network(oracle: Path) -> Enformer:
    return load_lucidrains_enformer(oracle / "state_dict.pt", target_bins=128)


@pytest.mark.real_data
def test_outputs_and_inner_layers_are_those_of_the_port(
    network: Enformer, tensors: dict[str, Any]
) -> None:
    inner: dict[str, Tensor] = {}
    for name, module in (
        ("stem", network.stem),
        ("conv_tower", network.tower[-1]),
        ("attention_0", network.transformer[0].attention),
        ("transformer", network.transformer[-1]),
    ):
        module.register_forward_hook(
            lambda _module, _inputs, out, name=name: inner.__setitem__(name, out)
        )
    with torch.inference_mode():
        embedded = network.embed(tensors["input"])
        for head in ("human", "mouse"):
            found = network(tensors["input"], head)
            torch.testing.assert_close(found, tensors[head], atol=1e-6, rtol=0)
            exact = tensors[f"{head}_float64"].float()
            torch.testing.assert_close(found, exact, atol=2e-6, rtol=0)
    torch.testing.assert_close(embedded, tensors["embeddings"], atol=1e-5, rtol=0)
    inner["stem"] = inner["stem"][..., :2048]
    inner["crop"] = inner["transformer"][:, 64:-64]
    for name, values in inner.items():
        torch.testing.assert_close(values, tensors[name], atol=1e-5, rtol=0)


@pytest.mark.real_data
@pytest.mark.parametrize("checkpoint", ["none", "all"])
def test_loss_and_gradients_are_those_of_the_port(
    network: Enformer, tensors: dict[str, Any], checkpoint: Any
) -> None:
    network.checkpoint = checkpoint
    x = tensors["input"].clone().requires_grad_()
    found = network(x, "human")
    loss = (found - tensors["target"] * found.clamp(min=1e-20).log()).mean()
    loss.backward()
    assert loss.item() == pytest.approx(float(tensors["loss"]), abs=1e-6)
    scale = tensors["input_grad"].abs().max()
    torch.testing.assert_close(x.grad / scale, tensors["input_grad"] / scale, atol=1e-4, rtol=0)
    norms = dict(tensors["grad_norms"])
    for name, parameter in network.named_parameters():
        if parameter.grad is not None:
            expected = float(norms.pop(lucidrains._theirs(name)))
            assert parameter.grad.norm().item() == pytest.approx(expected, rel=1e-4, abs=1e-9)
    assert not [name for name in norms if "mouse" not in name]


@pytest.mark.real_data
def test_positions_and_attention_matter_to_the_fixture(
    network: Enformer, tensors: dict[str, Any]
) -> None:
    other = network.config.model_copy(update={"gamma": "tensorflow"})
    changed = Enformer(other).eval()
    changed.load_state_dict(network.state_dict())
    with torch.inference_mode():
        found = changed(tensors["input"], "human")
    assert (found - tensors["human"]).abs().max() > 1e-4


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("file", "name"), [("keys_dim1536_depth11.json", "enformer"), ("keys_dim1536_depth5.json", "")]
)
def test_all_names_of_the_full_sizes_are_accepted(oracle: Path, file: str, name: str) -> None:
    shapes = json.loads((oracle / file).read_text())
    state = {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
    network = load_lucidrains_enformer({f"module.{key}": t for key, t in state.items()})
    expected = named("enformer") if name else EnformerConfig(depth=5, heads=named("enformer").heads)
    assert network.config == expected.model_copy(update={"gamma": "torch"})
    theirs = {lucidrains._theirs(key): tuple(t.shape) for key, t in network.state_dict().items()}
    named_once = {key: shape for key, shape in shapes.items() if not key.startswith("_trunk.")}
    assert theirs.keys() == named_once.keys()
    for key, shape in theirs.items():
        assert [n for n in shape if n != 1] == [n for n in named_once[key] if n != 1], key
