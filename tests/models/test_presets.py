"""Networks by name: their parameters are counted as the sources count them."""

from __future__ import annotations

import pytest
import torch

from ft_s2a.errors import ConfigError
from ft_s2a.models import Basenji2, Basenji2Config, build, named, parse_config

PRIME_TO_DEBUG = (2, 2, 3, 5, 8, 11, 17, 26, 38, 58, 86)


def empty(config: Basenji2Config) -> torch.nn.Module:
    with torch.device("meta"):
        return build(config)


def counts(name: str, *heads: str) -> dict[str, int]:
    """Trained and moving values of trunk and heads."""
    config = named(name)
    if heads:
        config = config.with_heads([head for head in config.heads if head.name in heads])
    network = empty(config)
    sizes = {"trunk": 0, "heads": 0, "moving": 0}
    for tensor_name, parameter in network.named_parameters():
        sizes["heads" if tensor_name.startswith("heads.") else "trunk"] += parameter.numel()
    for tensor_name, buffer in network.named_buffers():
        sizes["moving"] += buffer.numel() if "running" in tensor_name else 0
    return sizes


def test_the_published_network() -> None:
    human, mouse = (counts("basenji2-kelley2020", head) for head in ("human", "mouse"))
    assert sum(human.values()) == 30_123_584  # as Keras counts
    assert human["trunk"] + human["heads"] == 30_088_228
    assert human["trunk"] + human["moving"] == 21_957_503
    assert human["heads"] == 8_166_081
    assert sum(mouse.values()) == 24_482_794


@pytest.mark.parametrize("name", ["basenji2-prime", "basenji2-double-prime"])
def test_the_research_variants(name: str) -> None:
    sizes = counts(name)
    assert sizes["trunk"] == 21_927_604
    assert sizes["trunk"] + sizes["heads"] == 32_618_976


def test_the_variants_differ_where_they_are_said_to() -> None:
    published, prime, double = (
        named(f"basenji2-{name}").model_dump() for name in ("kelley2020", "prime", "double-prime")
    )
    assert {key for key in prime if prime[key] != double[key]} == {
        "dilations",
        "residual_activation",
    }
    assert {key for key in prime if prime[key] != published[key]} == {
        "block", "residual_activation", "gelu", "tower_channels", "dilations", "conv_bias",
        "norm_eps", "norm_variance", "initialisation",
    }  # fmt: skip
    assert prime["norm_momentum"] == published["norm_momentum"] == 0.1
    assert published["dilations"] == (1, 2, 3, 4, 6, 9, 14, 21, 32, 48, 72)


def test_dilations_follow_their_rules() -> None:
    """Growth by 1.5, rounded at each step (published), or the rounded power."""
    rounded, value = [], 1.0
    for _ in range(11):
        rounded.append(round(value))
        value = round(1.5 * value)
    powers = [round(1.5**i) for i in range(12)]
    assert list(named("basenji2-kelley2020").dilations) == rounded
    assert list(named("basenji2-prime").dilations) == powers[:11]
    assert list(named("basenji2-double-prime").dilations) == powers[1:] == list(PRIME_TO_DEBUG)
    debug = named("basenji2-prime").model_copy(update={"dilations": PRIME_TO_DEBUG})
    assert sum(p.numel() for p in empty(debug).parameters()) == 32_618_976


@pytest.mark.parametrize("name", ["kelley2020", "prime", "double-prime"])
def test_geometry_heads_and_round_trip(name: str) -> None:
    config = named(f"basenji2-{name}")
    assert (config.input_length, config.bin_size, config.geometry.output_bins) == (
        131_072,
        128,
        896,
    )
    assert {head.name: head.tracks for head in config.heads} == {"human": 5313, "mouse": 1643}
    assert parse_config(config.model_dump(mode="json")) == config
    assert isinstance(empty(config), Basenji2)


def test_an_unknown_name_is_met_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="'basenji2-prim'; did you mean 'basenji2-prime"):
        named("basenji2-prim")
    with pytest.raises(ConfigError, match="known: basenji2-kelley2020, basenji2-prime"):
        named("borzoi")
