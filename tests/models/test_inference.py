"""The fast form: the same function as the network, for every config, with gradients."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ft_s2a.errors import ConfigError, GeometryError
from ft_s2a.models import (
    Basenji2,
    Basenji2Config,
    HeadConfig,
    build,
    for_inference,
    load_keras_basenji2,
    tiled,
)
from ft_s2a.models.layers import one_hot
from ft_s2a.models.winograd import TAPS, TILE, TiledConvolution, minimal_filter

BIN = 8
# torch uses what it calls deprecated, in its compiler and in forward derivatives.
own_warnings = pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")
VARIANTS: list[dict[str, Any]] = [
    {"block": "gelu_conv_norm"},
    {"block": "conv_norm_gelu"},
    {"block": "conv_norm_gelu", "residual_activation": "before_add"},
    {"block": "conv_norm_gelu", "residual_activation": "after_add"},
]


def make(**changes: Any) -> Basenji2:
    """A small network whose norms do something."""
    settings: dict[str, Any] = {
        "input_length": 512, "crop_bins": 3, "stem_channels": 5, "stem_kernel": 7,
        "tower_channels": (6, 19), "dilations": (1, 2, 5, 70), "dilated_channels": 4,
        "final_channels": 9,
        "heads": (HeadConfig(name="a", tracks=3), HeadConfig(name="b", tracks=2)),
    }  # fmt: skip
    network = build(Basenji2Config(**{**settings, **changes}))
    random = np.random.default_rng(3)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if "running_var" in name:
                tensor.copy_(torch.from_numpy(random.uniform(0.4, 1.6, tensor.shape)))
            elif tensor.is_floating_point():
                mean, scale = (0.3, 0.4) if tensor.ndim == 1 else (0, tensor[0].numel() ** -0.5)
                tensor.copy_(torch.from_numpy(random.normal(mean, scale, tensor.shape)))
    return network.eval()


def letters(length: int = 512, batch: int = 2) -> Tensor:
    codes = np.random.default_rng(1).integers(0, 5, (batch, length)).astype(np.uint8)
    return one_hot(torch.from_numpy(codes))


def exact(network: Basenji2, x: Tensor, head: str) -> Tensor:
    with torch.no_grad():
        result: Tensor = copy.deepcopy(network).double()(x.double(), head)
    return result


def error(found: Tensor, expected: Tensor) -> float:
    """Largest difference over the range."""
    return float((found - expected).abs().max() / (expected.max() - expected.min()))


@pytest.fixture
def tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tile narrow networks too, in blocks that a short window has many of."""
    if not torch.backends.mkl.is_available():
        pytest.skip("this torch has no MKL, so nothing is tiled")
    monkeypatch.setattr(tiled, "_LEAST_CHANNELS", 1)
    monkeypatch.setattr(tiled, "_BLOCK", 3 * TILE)
    monkeypatch.setattr(tiled, "_STEM_BLOCK", 7)


@pytest.mark.usefixtures("tiles")
@pytest.mark.parametrize("gelu", ["sigmoid", "tanh", "erf"])
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(
    "kernels",
    [
        {},
        {"conv_bias": True, "tower_kernel": 3, "dilated_kernel": 5},
        {"tower_channels": (), "crop_bins": 0},
        {"stem_kernel": 1},
    ],
)
def test_outputs_are_the_networks(
    variant: dict[str, Any], gelu: str, kernels: dict[str, Any]
) -> None:
    network = make(**variant, gelu=gelu, **kernels)
    fast: Any = for_inference(network)
    assert fast.config is network.config
    for length in (7 * BIN, 512, 61 * BIN):
        x = letters(length)
        for head in ("a", "b"):
            expected = exact(network, x, head)
            found = fast(x, head)
            assert found.dtype == torch.float32
            assert error(found, expected) < 5e-6
            direct = fast.heads[head](fast.direct(x))
            assert error(direct, expected) < 5e-6
        assert not torch.equal(fast.embed(x), fast.direct(x))  # two ways, indeed
        torch.testing.assert_close(fast.embed(x), network.embed(x), rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("changes", [{"tower_kernel": 7}, {"dilated_kernel": 1}, {}])
def test_other_kernels_and_narrow_networks_are_not_tiled(changes: dict[str, Any]) -> None:
    network = make(**changes)
    fast: Any = for_inference(network)
    assert fast.tiled is None
    x = letters()
    assert error(fast(x, "a"), exact(network, x, "a")) < 5e-6


@pytest.mark.usefixtures("tiles")
@pytest.mark.parametrize("stem_kernel", [1, 15])
def test_the_letters_may_lie_in_memory_in_any_order(stem_kernel: int) -> None:
    for variant in VARIANTS:
        fast = for_inference(make(**variant, stem_kernel=stem_kernel))
        x = letters(batch=2)
        turned = x.transpose(1, 2).contiguous().transpose(1, 2)  # as attribution methods give it
        assert torch.equal(fast(turned, "a"), fast(x, "a"))


@pytest.mark.usefixtures("tiles")
def test_each_window_is_computed_alone() -> None:
    fast = for_inference(make())
    x = letters(batch=3)
    assert torch.equal(fast(x, "a")[1:2], fast(x[1:2], "a"))
    assert fast(x[:0], "a").shape == (0, *fast(x, "a").shape[1:])


@own_warnings
@pytest.mark.usefixtures("tiles")
def test_gradients_are_the_networks() -> None:
    network = make()
    fast = for_inference(network)
    x = letters()
    x[:, 100:300] = 0  # equal neighbours: the maximum of a pair has two arguments
    gradients = []
    for form in (network, fast):
        rows = x.clone().requires_grad_(True)
        form(rows, "a")[:, 5:9, 1].sum().backward()
        gradients.append(rows.grad)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-3, atol=1e-6)
    assert gradients[0].abs().max() > 1e-3
    of_func = torch.func.grad(lambda rows: fast(rows, "a")[:, 5:9, 1].sum())(x)
    torch.testing.assert_close(of_func, gradients[0], rtol=1e-3, atol=1e-6)
    _, along = torch.func.jvp(lambda rows: fast(rows, "a").sum(), (x,), (torch.ones_like(x),))
    _, theirs = torch.func.jvp(lambda rows: network(rows, "a").sum(), (x,), (torch.ones_like(x),))
    torch.testing.assert_close(along, theirs, rtol=1e-3, atol=1e-4)


@pytest.mark.usefixtures("tiles")
def test_the_network_is_neither_changed_nor_shared() -> None:
    network = make()
    before = copy.deepcopy(network.state_dict())
    fast = for_inference(network)
    x = letters()
    expected = fast(x, "a").clone()
    torch.testing.assert_close(network.state_dict(), before, rtol=0, atol=0)
    assert all(p.requires_grad for p in network.parameters())
    assert not any(p.requires_grad for p in fast.parameters())
    with torch.no_grad():
        for tensor in network.state_dict().values():
            tensor.zero_()
    assert torch.equal(fast(x, "a"), expected)


@pytest.mark.usefixtures("tiles")
def test_the_input_stays_as_it_is() -> None:
    fast, x = for_inference(make()), letters()
    before = x.clone()
    fast(x, "a")
    assert torch.equal(x, before)
    assert torch.equal(fast(x.double(), "a"), fast(x, "a"))
    wide = torch.cat([x, x], dim=2)[:, :, :4]  # not contiguous
    assert torch.equal(fast(wide, "a"), fast(x, "a"))


def test_tracks_are_cut_before_the_product() -> None:
    network = make()
    fast, x = for_inference(network), letters()
    every = network(x, "a")
    for tracks in ([2, 0], [-1], []):
        found = fast(x, "a", torch.tensor(tracks, dtype=torch.int64))
        torch.testing.assert_close(found, every[:, :, tracks])
    with pytest.raises(IndexError):
        fast(x, "a", torch.tensor([3]))


def test_mistakes_are_told_as_by_the_network() -> None:
    fast = for_inference(make())
    with pytest.raises(ConfigError, match="no head 'c'"):
        fast(letters(), "c")
    with pytest.raises(GeometryError, match="510 bp"):
        fast(torch.zeros(1, 510, 4), "a")
    with pytest.raises(ConfigError, match=r"dtype is torch.int8; expected torch.float32"):
        for_inference(make(), dtype=torch.int8)


@pytest.mark.parametrize(
    ("dtype", "close"), [(torch.bfloat16, 0.05), (torch.float64, 1e-12), (torch.float16, 0.01)]
)
def test_other_dtypes(dtype: torch.dtype, close: float) -> None:
    network, x = make(), letters()
    fast = for_inference(network, dtype=dtype)
    found, expected = fast(x, "a"), exact(network, x, "a")
    assert found.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert fast.embed(x).dtype == dtype
    assert error(found, expected) < close
    assert not torch.equal(found, found.to(torch.bfloat16).to(found.dtype))  # not rounded again
    rows = x.clone().requires_grad_(True)
    fast(rows, "a").sum().backward()
    assert rows.grad is not None
    assert rows.grad.dtype == torch.float32


@own_warnings
def test_without_a_compiler_there_is_one_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import torch._inductor.config as inductor

    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    network, x = make(), letters()
    fast = for_inference(network, compile=True)
    with inductor.patch({"cpp.cxx": (None, "no-such-compiler")}):
        with pytest.warns(UserWarning, match="not compiled, and slower for it"):
            found = fast(x, "a")
        assert error(found, exact(network, x, "a")) < 5e-6
        fast(x, "a")  # a second warning would be an error


@own_warnings
@pytest.mark.slow
def test_compiled() -> None:
    network, x = make(dilations=(2,)), letters()
    fast = for_inference(network, compile=True)
    with torch.no_grad():
        found = fast(x, "a")
    assert error(found, exact(network, x, "a")) < 5e-6


@pytest.mark.parametrize(("outputs", "taps"), [(2, 3), (4, 3), (2, 5), (4, 5)])
def test_minimal_filters_are_convolutions(outputs: int, taps: int) -> None:
    random = np.random.default_rng(0)
    data, kernel, output = minimal_filter(outputs, taps)
    x, w = random.normal(size=outputs + taps - 1), random.normal(size=taps)
    expected = np.correlate(x, w, mode="valid")
    np.testing.assert_allclose(output @ ((data @ x) * (kernel @ w)), expected, atol=1e-12)
    # Exact in float32, so that only the products round.
    assert np.array_equal(data, data.astype(np.float32))
    assert np.array_equal(output, output.astype(np.float32))


@pytest.mark.parametrize("taps", TAPS)
def test_tiled_convolutions_round_little(taps: int) -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(40 * TILE + taps - 1, 288)).astype(np.float32)
    weight = random.normal(size=(taps, 288, 32)) * (taps * 288) ** -0.5
    expected = sum(rows[k : k + 40 * TILE].astype(np.float64) @ weight[k] for k in range(taps))
    found = TiledConvolution(torch.from_numpy(weight))(torch.from_numpy(rows)).numpy()
    assert np.sqrt(np.mean((found - expected) ** 2)) < 2e-6  # of values with a deviation of 1


@pytest.mark.real_data
@pytest.mark.parametrize("head", ["human", "mouse"])
@pytest.mark.usefixtures("tiles")
def test_parity_with_the_original_code(mirror: Path, head: str) -> None:
    oracles = mirror.parent / "oracles" / "basenji2"
    if not oracles.is_dir():
        pytest.skip(f"oracles: {oracles} is missing")
    path = oracles / f"model_{head}.h5"
    config = load_keras_basenji2(path, head=head).config.model_copy(update={"gelu": "sigmoid"})
    fast: Any = for_inference(load_keras_basenji2(path, config, head=head))
    assert fast.tiled is not None
    codes = torch.from_numpy(np.load(oracles / "input.npz")["seq_index"])
    expected = np.load(oracles / "output_paper2020.npz")
    np.testing.assert_allclose(fast(one_hot(codes), head).numpy(), expected[head], atol=3e-6)
