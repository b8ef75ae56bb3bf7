"""Position features against their definition in float64, and when they are computed."""

from __future__ import annotations

import copy
import pickle
from typing import Any, Literal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import gammaln, xlogy

from ft_s2a.errors import ConfigError
from ft_s2a.models import Enformer, EnformerConfig, HeadConfig, positions
from ft_s2a.models.attention import RelativeAttention, shifted
from ft_s2a.models.positions import framed_features, position_features
from ft_s2a.models.projections import ProjectionCache

Form = Literal["torch", "tensorflow"]


def exact(bins: int, features: int, form: Form) -> NDArray[np.float64]:
    """The definition in float64, row by row of distances 1 - bins ... bins - 1."""
    count = features // 6
    signed = np.arange(1 - bins, bins)
    d = np.abs(signed).astype(np.float64)[:, None]
    half_life = 2 ** np.linspace(3, np.log2(bins), count)
    decay = np.exp(-np.log(2) * d / half_life)
    mask = (2.0 ** np.arange(1, count + 1) - 1 > d).astype(np.float64)
    mean, spread = np.linspace(bins / count, bins, count), bins / (2 * count)
    shape, rate = (mean / spread) ** 2, mean / spread**2
    density = np.exp(xlogy(shape - 1, d) - rate * d - gammaln(shape) + shape * np.log(rate)) + 1e-8
    density /= density.max(axis=1 if form == "torch" else 0, keepdims=True)
    half = np.concatenate([decay, mask, density], axis=1)
    return np.concatenate([half, np.sign(signed)[:, None] * half], axis=1)


@pytest.mark.parametrize("form", ["torch", "tensorflow"])
@pytest.mark.parametrize(("bins", "features"), [(1, 6), (2, 12), (33, 18), (256, 96), (1000, 192)])
def test_features_are_those_of_the_definition(bins: int, features: int, form: Form) -> None:
    found = position_features(bins, features, form).numpy()
    expected = exact(bins, features, form)
    assert found.shape == expected.shape == (2 * bins - 1, features)
    assert found.dtype == np.float32
    third = features // 6
    smooth = np.r_[0 : 2 * third, features // 2 : features // 2 + 2 * third]
    np.testing.assert_allclose(found[:, smooth], expected[:, smooth], atol=2e-6)
    # Exponents of thousands in float32: this is what the networks are trained on.
    np.testing.assert_allclose(found, expected, atol=5e-3)
    assert np.abs(found - expected).mean() < 5e-5


def test_the_two_forms_are_two_features() -> None:
    ours, theirs = position_features(256, 96), position_features(256, 96, "tensorflow")
    difference = (ours - theirs).abs().amax(dim=0).reshape(6, 16).amax(dim=1)
    assert (difference[[0, 1, 3, 4]] == 0).all()
    assert (difference[[2, 5]] > 0.9).all()


def test_each_tensorflow_feature_reaches_one() -> None:
    for bins in (100, 896, 1536, 3072):
        gamma = position_features(bins, 192, "tensorflow")[:, 64:96]
        torch.testing.assert_close(gamma.amax(dim=0), torch.ones(32))
        peak = gamma[bins - 1 :].argmax(dim=0)
        mode = torch.arange(1, 33) * bins / 32 - bins / 32 / (4 * torch.arange(1, 33))
        assert (peak - mode).abs().max() <= 1 + bins / 1000  # rounded exponents have plateaus


@pytest.mark.real_data
def test_features_are_those_of_the_port(mirror: Any) -> None:
    path = mirror.parent / "oracles" / "enformer" / "io.pt"
    if not path.is_file():
        pytest.skip(f"oracles: {path} is missing")
    stored = torch.load(path, weights_only=True)
    found = position_features(256, 96)
    torch.testing.assert_close(found, stored["positional_embed"], atol=1e-6, rtol=0)
    found = position_features(1536, 192)[1535 : 1535 + 64]
    torch.testing.assert_close(found, stored["positional_embed_1536"], atol=1e-6, rtol=0)


@pytest.mark.parametrize(("bins", "features"), [(0, 6), (5, 0), (5, 8)])
def test_impossible_tables_are_explained(bins: int, features: int) -> None:
    with pytest.raises(ConfigError, match="position features"):
        position_features(bins, features)


def test_a_table_cannot_be_spoilt_by_its_user() -> None:
    position_features(9, 6).zero_()
    assert position_features(9, 6).any()


def test_features_do_not_depend_on_the_default_device() -> None:
    positions._table.cache_clear()
    positions._placed.cache_clear()
    with torch.device("meta"), torch.inference_mode():
        found = framed_features(11, 6, "torch", torch.zeros(1, device="cpu"))
    assert found.device.type == "cpu"
    assert not found.is_inference()
    torch.testing.assert_close(found[1:-1], position_features(11, 6))
    assert not found[[0, -1]].any()


def test_shifting_is_picking_the_distance_of_each_pair() -> None:
    random = np.random.default_rng(0)
    for batch, length in ((1, 1), (2, 2), (3, 7)):
        by_distance = torch.from_numpy(random.normal(size=(batch, length, 2 * length + 1)))
        found = shifted(by_distance)
        assert found.data_ptr() > by_distance.data_ptr()  # a view
        for i in range(length):
            for j in range(length):
                assert (found[:, i, j] == by_distance[:, i, length + j - i]).all()


# --- when they are computed ---


def tiny(**changes: Any) -> EnformerConfig:
    settings: dict[str, Any] = {
        "input_length": 128,
        "target_bins": None,
        "dim": 24,
        "depth": 2,
        "attention_heads": 2,
        "key_size": 5,
        "downsamples": 3,
        "dim_divisible_by": 4,
        "heads": (HeadConfig(name="a", tracks=3),),
    }
    return EnformerConfig(**{**settings, **changes})


def attending(seed: int = 0) -> Enformer:
    """A network whose attention has an effect, which it has not when fresh."""
    torch.manual_seed(seed)
    network = Enformer(tiny())
    with torch.no_grad():
        for block in network.transformer:
            block.attention.to_out.weight.normal_()
            block.attention.to_rel_k.weight.normal_()
    return network.eval()


def dna(length: int, seed: int = 1) -> torch.Tensor:
    codes = torch.randint(0, 4, (2, length), generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.one_hot(codes, 4).float()


@torch.no_grad()
def test_projections_are_computed_once_per_length() -> None:
    network = attending()
    calls: list[int] = []
    for block in network.transformer:
        block.attention.to_rel_k.register_forward_hook(lambda *_: calls.append(1))
    first = network(dna(128), "a")
    assert len(calls) == 2
    torch.testing.assert_close(network(dna(128), "a"), first, rtol=0, atol=0)
    assert len(calls) == 2
    network(dna(256), "a")
    assert len(calls) == 4
    network(dna(128), "a")
    assert len(calls) == 4


@torch.no_grad()
def test_a_length_after_another_has_its_own_positions() -> None:
    for lengths in ((128, 256, 64), (256, 64, 128, 256)):
        network = attending()
        for length in lengths:
            alone = attending()(dna(length), "a")
            torch.testing.assert_close(network(dna(length), "a"), alone, rtol=0, atol=0)


@torch.no_grad()
def test_changed_weights_change_the_projections() -> None:
    network, other = attending(), attending(seed=5)
    network(dna(128), "a")
    for ours, theirs in zip(network.parameters(), other.parameters(), strict=True):
        ours.data.copy_(theirs.data)  # leaves no trace in the version of the tensor
    torch.testing.assert_close(network(dna(128), "a"), other(dna(128), "a"), rtol=0, atol=0)
    network.load_state_dict(attending().state_dict())
    torch.testing.assert_close(network(dna(128), "a"), attending()(dna(128), "a"), rtol=0, atol=0)


def test_copies_and_pickles_carry_no_cache() -> None:
    network = attending()
    with torch.inference_mode():
        expected = network(dna(128), "a")
    assert network._projections._kept
    for twin in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert not twin._projections._kept
        with torch.no_grad():
            torch.testing.assert_close(twin(dna(128), "a"), expected, rtol=0, atol=0)
    assert not any("position" in name for name, _ in network.named_buffers())


def test_after_inference_mode_gradients_are_possible() -> None:
    network = attending().requires_grad_(False)
    with torch.inference_mode():
        network(dna(128), "a")
    x = dna(128).requires_grad_()
    network(x, "a").sum().backward()
    kept = x.grad.clone()
    fresh = attending()  # its weights ask for gradients: nothing is taken from a cache
    x = dna(128).requires_grad_()
    fresh(x, "a").sum().backward()
    torch.testing.assert_close(kept, x.grad)


@torch.no_grad()
def test_another_dtype_has_its_own_positions() -> None:
    network = attending()
    single = network(dna(128), "a")
    double = network.double()(dna(128).double(), "a")
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), single, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(network.float()(dna(128), "a"), single, rtol=0, atol=0)
    half = network.bfloat16()(dna(128).bfloat16(), "a")
    assert (half.float() - single).abs().max() < 0.1 * single.abs().max()


@torch.no_grad()
def test_autocast_keeps_its_type_to_itself() -> None:
    network = attending()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = network(dna(128), "a")
    assert (half.float() - network(dna(128), "a")).abs().max() < 0.1
    torch.testing.assert_close(network(dna(128), "a"), attending()(dna(128), "a"))


def test_few_lengths_are_kept() -> None:
    attention = RelativeAttention(12, heads=2, key_size=3, value_size=6, features=6)
    cache = ProjectionCache()
    for bins in range(2, 9):
        cache.get([attention], framed_features(bins, 6, "torch", attention.to_rel_k.weight))
    assert [place[0] for place in cache._kept] == [15, 17]
