"""The network against an independent forward pass in float64 numpy."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import erf, expit

from ft_s2a.errors import ConfigError, GeometryError
from ft_s2a.models import Basenji2Config, HeadConfig, Network, build
from ft_s2a.models.layers import Gelu, TrackHead, convolution, one_hot

Array = NDArray[np.float64]
State = dict[str, Array]


def tiny(**changes: Any) -> Basenji2Config:
    settings: dict[str, Any] = {
        "input_length": 512,
        "crop_bins": 3,
        "stem_channels": 5,
        "stem_kernel": 7,
        "tower_channels": (6, 7),
        "dilations": (1, 2, 4),
        "dilated_channels": 4,
        "final_channels": 9,
        "heads": (HeadConfig(name="a", tracks=3), HeadConfig(name="b", tracks=2)),
    }
    return Basenji2Config(**{**settings, **changes})


def randomise(network: torch.nn.Module, seed: int = 3) -> torch.nn.Module:
    """Give every tensor values that a mistake would show in (norms are the identity when fresh)."""
    random = np.random.default_rng(seed)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if "running_var" in name:
                tensor.copy_(torch.from_numpy(random.uniform(0.4, 1.6, tensor.shape)))
            elif tensor.is_floating_point():
                scale = 0.6 if tensor.ndim == 1 else (2 / tensor[0].numel()) ** 0.5
                tensor.copy_(torch.from_numpy(random.normal(0.2, scale, tensor.shape)))
    return network.eval()


def input_batch(length: int = 512, batch: int = 2) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 5, (batch, length)).astype(np.uint8)


# --- the independent forward pass: arrays are [batch, length, channels] ---


def gelu(x: Array, form: str) -> Array:
    if form == "sigmoid":
        return x * expit(1.702 * x)
    if form == "tanh":
        return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * (1 + erf(x / np.sqrt(2)))


def convolve(x: Array, kernel: Array, dilation: int = 1) -> Array:
    """Same-padded; `kernel` is torch's [out, in, width]."""
    width = kernel.shape[2]
    half = dilation * (width // 2)
    padded = np.pad(x, ((0, 0), (half, half), (0, 0)))
    length = x.shape[1]
    taps = [
        padded[:, k * dilation : k * dilation + length] @ kernel[:, :, k].T for k in range(width)
    ]
    return np.sum(taps, axis=0)


def norm(x: Array, state: State, prefix: str, eps: float) -> Array:
    gain = state[f"{prefix}.weight"] / np.sqrt(state[f"{prefix}.running_var"] + eps)
    return (x - state[f"{prefix}.running_mean"]) * gain + state[f"{prefix}.bias"]


def pool(x: Array) -> Array:
    return np.maximum(x[:, 0::2], x[:, 1::2])


def published_forward(state: State, config: Basenji2Config, x: Array, head: str) -> Array:
    """Pre-activation order: GELU, convolution, norm (, add), pool; crop; GELU; Dense, softplus."""

    def block(x: Array, prefix: str, first: int, dilation: int = 1) -> Array:
        x = convolve(gelu(x, config.gelu), state[f"{prefix}.{first + 1}.weight"], dilation)
        return norm(x, state, f"{prefix}.{first + 2}", config.norm_eps)

    x = pool(block(x, "stem", 0))
    for i in range(len(config.tower_channels)):
        x = pool(block(x, f"tower.{i}", 0))
    for i, dilation in enumerate(config.dilations):
        inner = block(x, f"dilated.{i}.body", 0, dilation)
        x = x + block(inner, f"dilated.{i}.body", 3)
    x = x[:, config.crop_bins : x.shape[1] - config.crop_bins]
    x = gelu(block(x, "final", 0), config.gelu)
    y = x @ state[f"heads.{head}.linear.weight"].T + state[f"heads.{head}.linear.bias"]
    return np.logaddexp(0, y)


@pytest.mark.parametrize("form", ["sigmoid", "tanh", "erf"])
def test_forward_is_the_published_order_of_layers(
    form: Literal["sigmoid", "tanh", "erf"],
) -> None:
    config = tiny(gelu=form)
    network = randomise(build(config))
    codes = input_batch()
    state = {k: v.double().numpy() for k, v in network.state_dict().items()}
    rows = np.concatenate([np.eye(4), np.zeros((1, 4))])[codes]
    expected = published_forward(state, config, rows, "a")
    with torch.no_grad():
        found = network(one_hot(torch.from_numpy(codes)), "a").numpy()
    assert found.shape == (2, 512 // 8 - 6, 3)
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-5)
    other = published_forward(state, tiny(gelu="erf" if form != "erf" else "sigmoid"), rows, "a")
    assert np.abs(other - expected).max() > 1e-4  # the test can tell the forms apart


@pytest.mark.parametrize("activation", ["none", "before_add", "after_add"])
def test_the_plain_block_order(activation: str) -> None:
    config = tiny(block="conv_norm_gelu", residual_activation=activation, gelu="erf")
    network = randomise(build(config))
    state = {k: v.double().numpy() for k, v in network.state_dict().items()}
    codes = input_batch()
    x = np.concatenate([np.eye(4), np.zeros((1, 4))])[codes]

    def block(x: Array, prefix: str, first: int, dilation: int = 1) -> Array:
        x = convolve(x, state[f"{prefix}.{first}.weight"], dilation)
        return norm(x, state, f"{prefix}.{first + 1}", config.norm_eps)

    x = pool(gelu(block(x, "stem", 0), "erf"))
    for i in range(2):
        x = pool(gelu(block(x, f"tower.{i}", 0), "erf"))
    for i, dilation in enumerate(config.dilations):
        inner = gelu(block(x, f"dilated.{i}.body", 0, dilation), "erf")
        back = block(inner, f"dilated.{i}.body", 3)
        if activation == "before_add":
            back = gelu(back, "erf")
        x = x + back
        if activation == "after_add":
            x = gelu(x, "erf")
    x = gelu(block(x[:, 3:-3], "final", 0), "erf")
    y = x @ state["heads.b.linear.weight"].T + state["heads.b.linear.bias"]
    with torch.no_grad():
        found = network(one_hot(torch.from_numpy(codes)), "b").numpy()
    np.testing.assert_allclose(found, np.logaddexp(0, y), rtol=2e-5, atol=2e-5)


def test_only_the_asked_head_is_evaluated() -> None:
    network = build(tiny()).eval()

    def fail(*_: object) -> None:
        raise AssertionError("the other head was evaluated")

    network.heads["b"].register_forward_hook(fail)
    x = one_hot(torch.from_numpy(input_batch()))
    assert network(x, "a").shape[2] == 3
    with pytest.raises(AssertionError, match="other head"):
        network(x, "b")
    with pytest.raises(ConfigError, match="no head 'c'"):
        network(x, "c")
    with pytest.raises(ConfigError, match="no head 'A'; did you mean 'a'"):
        network(x, "A")


def test_a_subset_of_tracks_equals_the_columns_of_all() -> None:
    network = randomise(build(tiny()))
    x = one_hot(torch.from_numpy(input_batch()))
    with torch.no_grad():
        every = network(x, "a")
        some = network(x, "a", torch.tensor([2, 0]))
        widths: list[int] = []
        network.heads["a"].linear.register_forward_hook(lambda *_: widths.append(1))
        network(x, "a", torch.tensor([1]))
    torch.testing.assert_close(some, every[:, :, [2, 0]])
    assert not widths  # the whole product was not computed


def test_embed_is_what_enters_the_heads() -> None:
    network = randomise(build(tiny()))
    x = one_hot(torch.from_numpy(input_batch()))
    with torch.no_grad():
        trunk = network.embed(x)
        assert trunk.shape == (2, 58, 9)
        torch.testing.assert_close(network.heads["a"](trunk), network(x, "a"))


def test_the_crop_takes_bins_off_both_sides() -> None:
    cropped, whole = randomise(build(tiny())), randomise(build(tiny(crop_bins=0)))
    whole.load_state_dict(cropped.state_dict())
    x = one_hot(torch.from_numpy(input_batch()))
    with torch.no_grad():
        torch.testing.assert_close(cropped(x, "a"), whole(x, "a")[:, 3:-3])


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((4,), "shape"),
        ((2, 512), "shape"),
        ((2, 4, 512), "shape"),
        ((2, 510, 4), "510 bp; expected a multiple of 8"),
        ((2, 48, 4), "48 bp"),
    ],
)
def test_inputs_of_another_shape_are_explained(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(GeometryError, match=message):
        build(tiny())(torch.zeros(shape), "a")


def test_other_lengths_than_the_config_says_are_welcome() -> None:
    assert build(tiny()).eval()(torch.zeros(1, 1024, 4), "a").shape == (1, 122, 3)


def test_each_residual_block_starts_as_the_identity() -> None:
    network = build(tiny()).eval()
    x = torch.randn(2, 7, 20, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(network.dilated(x), x)
    gammas = [block.body[5].weight for block in network.dilated]
    assert all(not gamma.any() for gamma in gammas)
    other = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm1d)]
    assert sum(bool((m.weight == 1).all()) for m in other) == len(other) - len(gammas)
    assert all(m.eps == 1e-3 and m.momentum == 0.1 for m in other)


@pytest.mark.parametrize("block", ["gelu_conv_norm", "conv_norm_gelu"])
def test_torchs_initialisation_is_left_alone(block: str) -> None:
    torch.manual_seed(0)
    network = build(tiny(initialisation="torch", block=block, conv_bias=True, stem_channels=400))
    layers = [m for m in network.modules() if isinstance(m, torch.nn.Conv1d | torch.nn.Linear)]
    for layer in layers:  # torch: uniform within 1 / sqrt(fan in), weights and biases
        bound = layer.weight[0].numel() ** -0.5
        assert layer.bias is not None
        assert 0.5 * bound < layer.weight.abs().max().item() <= bound * (1 + 1e-6)
        assert 0 < layer.bias.abs().max().item() <= bound * (1 + 1e-6)
    assert network.stem[block == "gelu_conv_norm"].weight.std().item() == pytest.approx(
        (4 * 7 * 3) ** -0.5, rel=0.02
    )
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm1d)]
    assert all(bool((m.weight == 1).all()) for m in norms)


def test_keras_initialisation_of_the_plain_order_zeroes_no_gamma() -> None:
    network = build(tiny(block="conv_norm_gelu"))
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm1d)]
    assert all(bool((m.weight == 1).all()) for m in norms)


def test_norms_follow_the_config() -> None:
    settings = {"norm_eps": 1e-5, "norm_momentum": 0.3}
    for variance in ("biased", "unbiased"):
        network = build(tiny(norm_variance=variance, **settings))
        norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm1d)]
        assert len(norms) == 1 + 2 + 2 * 3 + 1
        for m in norms:
            assert (m.eps, m.momentum, m.variance) == (1e-5, 0.3, variance)


def test_dropouts_stand_where_the_sources_have_them() -> None:
    """Before the residual connection's own activation, and between last norm and activation."""
    rates = {"dilated_dropout": 0.3, "final_dropout": 0.05}
    for settings in (
        {},
        {"block": "conv_norm_gelu", "residual_activation": "before_add"},
        {"block": "conv_norm_gelu", "residual_activation": "after_add"},
    ):
        network = build(tiny(**rates, **settings))
        flat = [m for m in network.modules() if not list(m.children())]
        after = [
            (type(a).__name__, b.p, type(c).__name__)
            for a, b, c in zip(flat, flat[1:], flat[2:], strict=False)
            if isinstance(b, torch.nn.Dropout)
        ]
        assert [p for _, p, _ in after] == [0.3] * 3 + [0.05]
        assert {name for name, _, _ in after} == {"BatchNorm"}
        assert after[-1][2] == "Gelu"
        if settings.get("residual_activation") == "before_add":
            assert {name for _, _, name in after} == {"Gelu"}


def test_a_base_network_has_no_trunk() -> None:
    with pytest.raises(NotImplementedError):
        Network(tiny()).embed(torch.zeros(1, 512, 4))


def test_convolutions_start_as_keras_he_normal() -> None:
    torch.manual_seed(0)
    layer = convolution(64, 300, 5, bias=True)
    fan_in = 64 * 5
    weights = layer.weight.detach().numpy()
    # Truncated at two (uncorrected) deviations, corrected to a deviation of sqrt(2 / fan_in).
    assert weights.std() == pytest.approx(np.sqrt(2 / fan_in), rel=0.01)
    bound = 2 * np.sqrt(2 / fan_in) / 0.87962566103423978
    assert 0.99 * bound < np.abs(weights).max() <= bound * (1 + 1e-6)
    assert not layer.bias.detach().any()
    head = TrackHead(1500, 100)
    assert head.linear.weight.detach().std().item() == pytest.approx(np.sqrt(2 / 1500), rel=0.01)
    assert not head.linear.bias.detach().any()


@pytest.mark.parametrize("form", ["sigmoid", "tanh", "erf"])
def test_gelu_forms(form: Literal["sigmoid", "tanh", "erf"]) -> None:
    x = np.linspace(-6, 6, 2001)
    found = Gelu(form)(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found, gelu(x, form), rtol=1e-9, atol=1e-12)


def test_gelu_forms_differ_by_what_was_measured_elsewhere() -> None:
    x = np.linspace(-6, 6, 20_001)
    values = {form: gelu(x, form) for form in ("sigmoid", "tanh", "erf")}
    assert np.abs(values["sigmoid"] - values["tanh"]).max() == pytest.approx(0.0207, abs=1e-4)
    assert np.abs(values["sigmoid"] - values["erf"]).max() == pytest.approx(0.0203, abs=1e-4)


def test_one_hot_keeps_the_order_and_leaves_n_empty() -> None:
    codes = torch.tensor([[3, 4, 0, 1, 2]], dtype=torch.uint8)
    rows = one_hot(codes, torch.float64)
    assert rows.dtype == torch.float64
    expected = np.zeros((1, 5, 4))
    for position, letter in ((0, 3), (2, 0), (3, 1), (4, 2)):
        expected[0, position, letter] = 1
    np.testing.assert_array_equal(rows.numpy(), expected)


def test_dropout_acts_in_training_only() -> None:
    network = randomise(build(tiny(dilated_dropout=0.5, final_dropout=0.5)))
    x = one_hot(torch.from_numpy(input_batch()))
    with torch.no_grad():
        torch.testing.assert_close(network(x, "a"), network(x, "a"))
        network.dilated.train()
        for m in network.modules():
            if isinstance(m, torch.nn.BatchNorm1d):
                m.eval()
        assert not torch.equal(network(x, "a"), network(x, "a"))
