"""The network against an independent forward pass in float64 numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import expit, softmax

from ft_s2a.errors import ConfigError, GeometryError
from ft_s2a.models import Enformer, EnformerConfig, HeadConfig, build
from ft_s2a.models.attention import RelativeAttention
from ft_s2a.models.layers import one_hot
from ft_s2a.models.pooling import PairPool
from ft_s2a.models.positions import position_features

Array = NDArray[np.float64]
State = dict[str, Array]


def tiny(**changes: Any) -> EnformerConfig:
    settings: dict[str, Any] = {
        "input_length": 256,
        "target_bins": 11,
        "dim": 24,
        "depth": 2,
        "attention_heads": 2,
        "key_size": 5,
        "downsamples": 4,
        "dim_divisible_by": 4,
        "heads": (HeadConfig(name="a", tracks=3), HeadConfig(name="b", tracks=2)),
    }
    return EnformerConfig(**{**settings, **changes})


def randomise(network: Enformer, seed: int = 3) -> Enformer:
    """Give every tensor values that a mistake would show in (much is the identity when fresh)."""
    random = np.random.default_rng(seed)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if "running_var" in name:
                tensor.copy_(torch.from_numpy(random.uniform(0.4, 1.6, tensor.shape)))
            elif tensor.is_floating_point():
                scale = 0.6 if tensor.ndim == 1 else (2 / tensor[0].numel()) ** 0.5
                tensor.copy_(torch.from_numpy(random.normal(0.1, scale, tensor.shape)))
    return network.eval()


def codes(length: int = 256, batch: int = 2) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 5, (batch, length)).astype(np.uint8)


def dna(length: int = 256, batch: int = 2) -> torch.Tensor:
    return one_hot(torch.from_numpy(codes(length, batch)))


def state_of(network: torch.nn.Module) -> State:
    return {name: tensor.double().numpy() for name, tensor in network.state_dict().items()}


# --- the independent forward pass: arrays are [batch, length, channels] ---


def gelu(x: Array) -> Array:
    return x * expit(1.702 * x)


def convolve(x: Array, kernel: Array, bias: Array) -> Array:
    half = kernel.shape[2] // 2
    padded = np.pad(x, ((0, 0), (half, half), (0, 0)))
    taps = (padded[:, k : k + x.shape[1]] @ kernel[:, :, k].T for k in range(kernel.shape[2]))
    return np.sum(list(taps), axis=0) + bias


def batch_norm(x: Array, state: State, name: str) -> Array:
    gain = state[f"{name}.weight"] / np.sqrt(state[f"{name}.running_var"] + 1e-5)
    return (x - state[f"{name}.running_mean"]) * gain + state[f"{name}.bias"]


def layer_norm(x: Array, state: State, name: str) -> Array:
    centred = x - x.mean(axis=-1, keepdims=True)
    scaled = centred / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)
    return scaled * state[f"{name}.weight"] + state[f"{name}.bias"]


def block(x: Array, state: State, name: str) -> Array:
    x = gelu(batch_norm(x, state, f"{name}.norm"))
    return convolve(x, state[f"{name}.conv.weight"], state[f"{name}.conv.bias"])


def pool(x: Array, weight: Array) -> Array:
    """Softmax over pairs; what a last odd position is paired with has no weight."""
    logits = x @ weight.T
    if x.shape[1] % 2:
        x = np.pad(x, ((0, 0), (0, 1), (0, 0)))
        logits = np.pad(logits, ((0, 0), (0, 1), (0, 0)), constant_values=-np.inf)
    pairs = (x.shape[0], x.shape[1] // 2, 2, x.shape[2])
    return np.sum(x.reshape(pairs) * softmax(logits.reshape(pairs), axis=2), axis=2)


def attend(x: Array, state: State, name: str, heads: int, features: Array) -> Array:
    batch, length, _ = x.shape

    def split(weight: str, values: Array) -> Array:
        rows = values @ state[f"{name}.{weight}.weight"].T
        return rows.reshape(*rows.shape[:-1], heads, -1)

    q, k, v = (split(w, x) for w in ("to_q", "to_k", "to_v"))
    q = q / np.sqrt(q.shape[-1])
    r = split("to_rel_k", features)  # of distances 1 - length ... length - 1
    distance = np.arange(length)[None, :] - np.arange(length)[:, None]
    content = np.einsum("bihk,bjhk->bhij", q + state[f"{name}.content_bias"], k)
    relative = np.einsum(
        "bihk,ijhk->bhij", q + state[f"{name}.position_bias"], r[distance + length - 1]
    )
    weights = softmax(content + relative, axis=-1)
    out = np.einsum("bhij,bjhv->bihv", weights, v).reshape(batch, length, -1)
    return out @ state[f"{name}.to_out.weight"].T + state[f"{name}.to_out.bias"]


def published_trunk(state: State, config: EnformerConfig, x: Array) -> Array:
    x = convolve(x, state["stem.first.weight"], state["stem.first.bias"])
    for i in range(config.downsamples):
        name = "stem" if i == 0 else f"tower.{i - 1}"
        x = x if i == 0 else block(x, state, f"{name}.first")
        x = pool(x + block(x, state, f"{name}.residual"), state[f"{name}.pool.weight"])
    features = position_features(x.shape[1], config.value_size, config.gamma).double().numpy()
    for i in range(config.depth):
        name = f"transformer.{i}"
        normed = layer_norm(x, state, f"{name}.norm")
        x = x + attend(normed, state, f"{name}.attention", config.attention_heads, features)
        if config.feed_forward:
            y = layer_norm(x, state, f"{name}.feed_forward.0")
            for linear in (1, 4):
                y = y @ state[f"{name}.feed_forward.{linear}.weight"].T
                y = y + state[f"{name}.feed_forward.{linear}.bias"]
                y = np.maximum(y, 0) if linear == 1 else y
            x = x + y
    if config.target_bins is not None:
        left = (x.shape[1] - config.target_bins) // 2
        x = x[:, left : left + config.target_bins]
    if config.final_pointwise:
        x = gelu(batch_norm(x, state, "final.norm"))
        x = gelu(x @ state["final.linear.weight"].T + state["final.linear.bias"])
    return x


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"gamma": "tensorflow"},
        {"feed_forward": False},
        {"final_pointwise": False},
        {"feed_forward": False, "final_pointwise": False, "target_bins": 10},
        {"target_bins": None},
        {"downsamples": 2},
        {"attention_heads": 1, "key_size": 8, "depth": 1},
        {"attention_heads": 4, "input_length": 16, "target_bins": 1},
    ],
    ids=str,
)
def test_forward_is_the_published_function(changes: dict[str, Any]) -> None:
    config = tiny(**changes)
    network = randomise(build(config))  # type: ignore[arg-type]
    rows = np.concatenate([np.eye(4), np.zeros((1, 4))])[codes(config.input_length)]
    state = state_of(network)
    expected = published_trunk(state, config, rows)
    weight, bias = state["heads.a.linear.weight"], state["heads.a.linear.bias"]
    x = dna(config.input_length)
    with torch.no_grad():
        embedded, found = network.embed(x).numpy(), network(x, "a").numpy()
    assert embedded.shape == expected.shape
    np.testing.assert_allclose(embedded, expected, rtol=1e-4, atol=2e-5)
    np.testing.assert_allclose(found, np.logaddexp(0, expected @ weight.T + bias), rtol=1e-4)


def test_in_float64_it_is_exact() -> None:
    network = randomise(build(tiny())).double()  # type: ignore[arg-type]
    rows = np.concatenate([np.eye(4), np.zeros((1, 4))])[codes()]
    with torch.no_grad():
        found = network.embed(dna().double()).numpy()
    expected = published_trunk(state_of(network), tiny(), rows)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("bins", [1, 2, 15, 16])
def test_the_centre_is_kept_whatever_is_left_over(bins: int) -> None:
    whole, cropped = (randomise(build(tiny(target_bins=n))) for n in (None, bins))  # type: ignore[arg-type]
    with torch.no_grad():
        every, some = whole.embed(dna()), cropped.embed(dna())
    left = (16 - bins) // 2
    assert some.shape[1] == bins
    torch.testing.assert_close(some, every[:, left : left + bins], rtol=1e-4, atol=5e-5)


@pytest.mark.parametrize("length", [1, 2, 5, 8])
def test_pooling_of_even_and_odd_lengths(length: int) -> None:
    random = np.random.default_rng(length)
    layer = PairPool(3)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(random.normal(size=(3, 3))))
    x = random.normal(size=(2, length, 3))
    found = layer(torch.from_numpy(x).float().transpose(1, 2)).transpose(1, 2)
    expected = pool(x, layer.weight.detach().double().numpy())
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-5, atol=1e-6)


def test_pooling_of_distant_logits_neither_overflows_nor_stops_learning() -> None:
    layer = PairPool(1)
    x = torch.tensor([[[3e4, -3e4, -3e4, 3e4]]], requires_grad=True)
    found = layer(x)
    assert found.tolist() == [[[3e4, 3e4]]]
    found.sum().backward()
    assert torch.isfinite(x.grad).all()


def test_the_fused_attention_is_the_same() -> None:
    """What is computed on GPUs and in half precision, in float64 on this machine."""
    torch.manual_seed(0)
    attention = RelativeAttention(12, heads=2, key_size=4, value_size=6, features=6).double()
    torch.nn.init.normal_(attention.to_out.weight)
    x, features = torch.randn(3, 7, 12).double(), position_features(7, 6).double()
    keys = attention.project(torch.nn.functional.pad(features, (0, 0, 1, 1)))
    state = {f"x.{name}": value.numpy() for name, value in attention.state_dict().items()}
    expected = attend(x.numpy(), state, "x", 2, features.numpy())
    np.testing.assert_allclose(attention(x, keys).detach().numpy(), expected, atol=1e-12)
    single = attention.float()(x.float(), keys.float())
    np.testing.assert_allclose(single.detach().numpy(), expected, atol=1e-5)


def test_only_the_asked_head_is_evaluated() -> None:
    network = build(tiny()).eval()

    def fail(*_: object) -> None:
        raise AssertionError("the other head was evaluated")

    network.heads["b"].register_forward_hook(fail)
    assert network(dna(), "a").shape == (2, 11, 3)
    with pytest.raises(ConfigError, match="no head 'c'"):
        network(dna(), "c")


def test_a_subset_of_tracks_equals_the_columns_of_all() -> None:
    network = randomise(build(tiny()))  # type: ignore[arg-type]
    with torch.no_grad():
        every = network(dna(), "a")
        some = network(dna(), "a", torch.tensor([2, 0]))
    torch.testing.assert_close(some, every[:, :, [2, 0]])


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((256, 4), "shape"),
        ((2, 4, 256), "shape"),
        ((2, 250, 4), "250 bp; expected a multiple of 16"),
        ((2, 160, 4), "160 bp; expected a multiple of 16 bp of at least 11 bins"),
    ],
)
def test_inputs_of_another_shape_are_explained(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(GeometryError, match=message):
        build(tiny())(torch.zeros(shape), "a")


def test_other_lengths_than_the_config_says_keep_the_target() -> None:
    network = build(tiny()).eval()
    for length in (176, 512, 208):
        assert network(torch.zeros(1, length, 4), "a").shape == (1, 11, 3)


def test_a_fresh_network_starts_as_the_reference_does() -> None:
    torch.manual_seed(0)
    network = build(tiny(dim=96, dim_divisible_by=16, key_size=64))
    assert isinstance(network, Enformer)
    for level in (network.stem, *network.tower):
        weight = level.pool.weight
        assert torch.equal(weight, 2 * torch.eye(len(weight)))
    for block in network.transformer:
        assert not block.attention.to_out.weight.any()
        assert not block.attention.to_out.bias.any()
        assert block.attention.content_bias.std().item() == pytest.approx(1, abs=0.2)
        assert block.attention.position_bias.std().item() == pytest.approx(1, abs=0.2)
    for layer, inputs in (
        (network.tower[0].first.conv, 48 * 5),
        (network.transformer[0].attention.to_q, 96),
        (network.transformer[0].feed_forward[1], 96),
        (network.final.linear, 96),
        (network.heads["a"].linear, 192),
    ):
        bound = inputs**-0.5
        assert 0.9 * bound < layer.weight.abs().max() <= bound
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm1d)]
    assert len(norms) == 1 + 2 * 3 + 1
    assert all(m.eps == 1e-5 and m.momentum == 0.1 and (m.weight == 1).all() for m in norms)


def test_dropout_rates_are_where_they_belong() -> None:
    config = tiny(dropout=0.4, attention_dropout=0.05, position_dropout=0.01)
    network = build(config)
    assert isinstance(network, Enformer)
    block = network.transformer[0]
    assert (block.attention.dropout.p, block.attention.position_dropout.p) == (0.05, 0.01)
    assert [m.p for m in block.feed_forward if isinstance(m, torch.nn.Dropout)] == [0.4, 0.4]
    assert block.dropout.p == 0.4
    assert network.final.dropout.p == pytest.approx(0.05)


def test_dropout_acts_in_training_only() -> None:
    network = randomise(build(tiny(target_bins=None)))  # type: ignore[arg-type]
    with torch.no_grad():
        torch.testing.assert_close(network(dna(), "a"), network(dna(), "a"))
        network.transformer.train()
        assert not torch.equal(network(dna(), "a"), network(dna(), "a"))


def test_training_follows_torchs_norms() -> None:
    """Running statistics after a step are those of plain torch layers."""
    network = randomise(build(tiny(dropout=0, attention_dropout=0, position_dropout=0)))  # type: ignore[arg-type]
    norm = network.stem.residual.norm
    twin = torch.nn.BatchNorm1d(norm.num_features)
    twin.load_state_dict(norm.state_dict())
    network.train()
    x = dna()
    with torch.no_grad():
        twin(network.stem.first(x.transpose(1, 2)))
        network(x, "a")
    torch.testing.assert_close(norm.state_dict(), twin.state_dict())
    assert norm.num_batches_tracked == 1
