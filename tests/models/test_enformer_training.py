"""What training keeps in memory, and what it leaves as it is."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

from ft_s2a.errors import ConfigError
from ft_s2a.models import (
    Basenji2Config,
    Enformer,
    EnformerConfig,
    HeadConfig,
    build,
    freeze,
    named,
    training_memory,
)
from ft_s2a.models.freezing import stages

Checkpoint = Literal["none", "tower", "all"]


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
        "heads": (HeadConfig(name="a", tracks=3),),
    }
    return EnformerConfig(**{**settings, **changes})


def make(seed: int = 0, **changes: Any) -> Enformer:
    torch.manual_seed(seed)
    network = Enformer(tiny(**changes))
    for block in network.transformer:
        nn.init.normal_(block.attention.to_out.weight, std=0.2)  # else attention has no effect
    return network


def dna(length: int = 256) -> Tensor:
    codes = torch.randint(0, 4, (2, length), generator=torch.Generator().manual_seed(1))
    return nn.functional.one_hot(codes, 4).float()


def step(network: Enformer, checkpoint: Checkpoint, *, steps: int = 2) -> dict[str, Tensor]:
    """Some steps of training, with dropout; everything that they leave behind."""
    network = copy.deepcopy(network).train()
    network.checkpoint = checkpoint
    torch.manual_seed(7)
    x = dna().requires_grad_()
    outputs = []
    for _ in range(steps):
        output = network(x, "a")
        (output - 2 * output.log()).mean().backward()
        outputs.append(output.detach())
    found = {f"gradient of {name}": p.grad for name, p in network.named_parameters()}
    assert all(gradient is not None for gradient in found.values())
    state = network.state_dict()
    random = torch.random.get_rng_state()
    return {**found, **state, "outputs": torch.stack(outputs), "input": x.grad, "random": random}  # type: ignore[dict-item]


@pytest.mark.parametrize("checkpoint", ["tower", "all"])
def test_checkpointing_changes_no_bit(checkpoint: Checkpoint) -> None:
    network = make()
    expected, found = step(network, "none"), step(network, checkpoint)
    assert expected.keys() == found.keys()
    different = [name for name in expected if not torch.equal(expected[name], found[name])]
    assert not different
    assert found["stem.residual.norm.num_batches_tracked"] == 2
    assert found["outputs"][0].ne(found["outputs"][1]).any()  # dropout took part


def test_without_gradients_nothing_is_checkpointed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("checkpointed")

    monkeypatch.setattr("ft_s2a.models.checkpointing.checkpoint", fail)
    network = make().eval()
    network.checkpoint = "all"
    with torch.no_grad():
        network(dna(), "a")
    with pytest.raises(AssertionError, match="checkpointed"):
        network(dna(), "a")


@contextmanager
def kept(found: list[int], weights: set[int]) -> Iterator[None]:
    """Count the bytes of the tensors that autograd keeps; what is shared counts once."""
    storages: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield
    found.append(sum(storages.values()))


def kept_bytes(network: Enformer, checkpoint: Checkpoint) -> int:
    network.checkpoint = checkpoint
    weights = {p.untyped_storage().data_ptr() for p in network.parameters()}
    found: list[int] = []
    with kept(found, weights):
        output = network(dna(network.config.input_length), "a")
        (output - 2 * output.log()).mean()
    return found[0]


def test_the_estimate_knows_what_is_kept() -> None:
    """Of a network in the proportions of the real ones; the estimate is of more than this."""
    config = tiny(
        input_length=4096, dim=96, dim_divisible_by=16, downsamples=5, target_bins=112, key_size=8
    )
    network = Enformer(config).train()
    found = {c: kept_bytes(network, c) for c in ("none", "tower", "all")}
    estimated = {
        c: training_memory(config, batch_size=2, checkpoint=c, optimizer_states=0).activations
        for c in ("none", "tower", "all")
    }
    # Without checkpoints the peak comes when the backward pass begins.
    assert found["none"] < estimated["none"] < 1.25 * found["none"]
    assert found["tower"] < 0.4 * found["none"]
    assert found["all"] < 0.1 * found["none"]
    # With them it comes in the stem, whose activations are there for a while.
    assert estimated["all"] <= estimated["tower"] < 0.6 * estimated["none"]


def test_gelu_keeps_one_tensor() -> None:
    network = make()
    layer, x = network.tower[0].first, torch.randn(2, 12, 64, requires_grad=True)
    found: list[int] = []
    with kept(found, {p.untyped_storage().data_ptr() for p in layer.parameters()}):
        layer(x)
    small = 4 * (sum(p.numel() for p in layer.conv.parameters()) + 8 * 12)
    assert found[0] <= 3 * x.untyped_storage().nbytes() + small  # input, norm, GELU


@pytest.mark.parametrize("name", ["enformer", "mediumenf", "smallenf"])
def test_estimates_of_the_full_sizes(name: str) -> None:
    config = named(name)
    assert isinstance(config, EnformerConfig)
    whole = training_memory(config, optimizer_states=0)
    less = training_memory(config, checkpoint="tower", optimizer_states=0)
    assert less.total < 0.5 * whole.total
    assert training_memory(config, batch_size=2).activations > 1.8 * whole.activations
    assert training_memory(config).optimizer == 2 * whole.parameters
    assert "GiB" in str(whole)
    short = config.model_copy(update={"input_length": 131_072})
    assert training_memory(short, optimizer_states=0).total < 0.75 * whole.total


def test_the_estimate_knows_the_head() -> None:
    config = named("smallenf")
    assert isinstance(config, EnformerConfig)
    human, mouse = (training_memory(config, head=head).total for head in ("human", "mouse"))
    assert mouse < human == training_memory(config).total
    with pytest.raises(ConfigError, match="no head 'rat'"):
        training_memory(config, head="rat")


# --- freezing ---


def modes(network: nn.Module) -> set[str]:
    return {name for name, module in network.named_modules() if name and module.training}


def test_a_frozen_trunk_stays_in_evaluation_mode() -> None:
    network = make()
    assert freeze(network) == stages(network)
    assert modes(network.train()) == {"heads", "heads.a", "heads.a.linear", "tower", "transformer"}
    parent = nn.Sequential(network).train()
    assert not any(m.training for m in network.stem.modules())
    before = copy.deepcopy(network.state_dict())
    outputs = [parent[0](dna(), "a") for _ in range(2)]
    assert torch.equal(*outputs)  # no dropout
    outputs[0].sum().backward()
    torch.testing.assert_close(network.state_dict(), before, rtol=0, atol=0)  # no statistics
    learned = {name for name, p in network.named_parameters() if p.grad is not None}
    assert learned == {"heads.a.linear.weight", "heads.a.linear.bias"}
    assert copy.deepcopy(network).train().stem.training is False


def test_the_first_stages_alone_can_be_frozen() -> None:
    network = make()
    assert stages(network) == [
        "stem", "tower.0", "tower.1", "tower.2", "transformer.0", "transformer.1", "final",
    ]  # fmt: skip
    assert freeze(network, "tower") == ["stem", "tower.0", "tower.1", "tower.2"]
    network.train()
    assert [m.training for m in network.tower] == [False] * 3
    assert all(m.training for m in network.transformer)
    network(dna(), "a").sum().backward()
    assert all(p.grad is None for p in network.tower.parameters())
    assert all(p.grad is not None for p in network.transformer.parameters())
    assert freeze(network, "transformer.0")[-1] == "transformer.0"
    assert freeze(network, None) == []
    assert all(m.training for m in network.train().modules())
    assert all(p.requires_grad for p in network.parameters())


def test_freezing_keeps_the_mode() -> None:
    network = make().eval()
    freeze(network, "stem")
    assert not modes(network)
    network.train()
    freeze(network, "tower.0")
    assert not network.tower[0].training
    assert network.tower[1].training


def test_a_frozen_trunk_and_checkpoints_go_together() -> None:
    network = make()
    freeze(network, "tower.1")
    expected = [step_of(network, c) for c in ("none", "all")]
    assert expected[0].keys() == expected[1].keys()
    assert all(torch.equal(expected[0][name], expected[1][name]) for name in expected[0])


def step_of(network: Enformer, checkpoint: Checkpoint) -> dict[str, Tensor]:
    network = copy.deepcopy(network).train()
    network.checkpoint = checkpoint
    torch.manual_seed(3)
    network(dna(), "a").sum().backward()
    return {name: p.grad for name, p in network.named_parameters() if p.grad is not None}


def test_other_networks_freeze_too() -> None:
    config = Basenji2Config(
        stem_channels=4, tower_channels=(4, 4), dilations=(1, 2), dilated_channels=2,
        final_channels=4, heads=(HeadConfig(name="a", tracks=1),),
    )  # fmt: skip
    network = build(config)
    assert freeze(network, "dilated.0") == ["stem", "tower.0", "tower.1", "dilated.0"]
    assert not network.train().dilated[0].training
    assert network.dilated[1].training


@pytest.mark.parametrize(
    ("upto", "message"),
    [
        ("towr", "no stage 'towr' to freeze"),
        ("tower.9", "did you mean 'tower"),
        ("heads", "no stage 'heads'"),
    ],
)
def test_an_unknown_stage_is_explained(upto: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        freeze(make(), upto)
