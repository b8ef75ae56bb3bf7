from __future__ import annotations

from typing import Any

import pytest
import torch

from ft_s2a.errors import ConfigError, GeometryError
from ft_s2a.models import EnformerConfig, HeadConfig, build, named, parse_config
from ft_s2a.models.config import first_difference
from ft_s2a.models.counting import count_parameters

HEADS = (HeadConfig(name="human", tracks=5313), HeadConfig(name="mouse", tracks=1643))
SMALL_HEADS = (HeadConfig(name="human", tracks=12), HeadConfig(name="mouse", tracks=7))


def test_the_default_is_the_published_geometry() -> None:
    config = EnformerConfig(heads=HEADS)
    assert (config.bin_size, config.crop_bins, config.geometry.output_bins) == (128, 320, 896)
    assert config.tower_channels == (768, 896, 1024, 1152, 1280, 1536)
    assert (config.value_size, config.channels, config.tracks_of("mouse")) == (192, 3072, 1643)


def test_widths_are_rounded_to_even_multiples() -> None:
    config = EnformerConfig(dim=384, attention_heads=4, input_length=32_768, target_bins=128)
    assert config.tower_channels == (256, 256, 256, 256, 384, 384)  # 1.5 becomes 2


@pytest.mark.parametrize(
    ("config", "parameters"),
    [
        (named("enformer"), 251_221_292),
        (named("mediumenf"), 140_770_604),
        (named("smallenf"), 93_546_284),
        (EnformerConfig(depth=5, heads=HEADS), 156_179_756),
        (EnformerConfig(dim=384, depth=3, attention_heads=4, heads=SMALL_HEADS), 7_307_667),
    ],
    ids=["enformer", "mediumenf", "smallenf", "depth 5", "fixture"],
)
def test_parameters_of_known_networks(config: EnformerConfig, parameters: int) -> None:
    with torch.device("meta"):
        network = build(config)
    assert sum(p.numel() for p in network.parameters()) == parameters
    counted = count_parameters(config)
    assert counted.trained == parameters
    moving = sum(b.numel() for name, b in network.named_buffers() if "running" in name)
    assert counted.statistics == moving


def test_named_networks_differ_as_they_should() -> None:
    medium, small = named("mediumenf"), named("smallenf")
    assert first_difference(medium, small) == (
        "feed_forward is False in the file and True in the config"
    )
    assert (medium.channels, named("enformer").channels) == (1536, 3072)
    assert (medium.gamma, named("enformer").gamma) == ("torch", "tensorflow")


def test_a_json_round_trip_gives_the_same_config() -> None:
    config = EnformerConfig(heads=HEADS, gamma="tensorflow", target_bins=None)
    assert parse_config(config.model_dump(mode="json")) == config


def test_heads_and_crop_can_be_changed() -> None:
    config = EnformerConfig(depth=2).with_heads(HEADS)
    assert (config.heads, config.depth) == (HEADS, 2)
    assert config.with_crop(0).target_bins == 1536
    assert config.with_crop(320) == config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dim": 1535}, "f: dim is 1535; the stem needs half of it"),
        ({"dim": 1538}, "f: dim 1538 cannot be divided by 8 heads"),
        ({"dim": 1600}, "f: dim 1600 over 8 attention heads leaves 200 position features; a mult"),
        ({"dim": 192}, "f: dim 192 is not a multiple of dim_divisible_by (128), to which"),
        ({"input_length": 196_609}, "f: input length 196609 is not a multiple of bin size 128"),
        ({"target_bins": 1537}, "f: 1537 target bins, but 196608 bp are only 1536 bins; expected"),
        ({"target_bins": 0}, "f: target_bins is 0"),
        ({"depth": 0}, "f: depth is 0"),
        ({"dropout": 1.0}, "f: dropout is 1.0"),
        ({"gamma": "keras"}, "f: gamma is 'keras'"),
        ({"crop_bins": 320}, "f: unknown field 'crop_bins'"),
        ({"heads": [{"name": "a", "tracks": 1}] * 2}, "f: two heads have the same name"),
        ({"architecture": "enfromer"}, "f: architecture is 'enfromer'; did you mean 'enformer'?"),
    ],
)
def test_a_mistake_is_named_with_its_field(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config({"architecture": "enformer", **change}, where="f")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert "{" not in str(caught.value)


def test_other_widths_work_with_another_rounding() -> None:
    config = EnformerConfig(dim=192, dim_divisible_by=64)
    assert config.tower_channels == (128, 128, 128, 128, 192, 192)


def test_an_odd_crop_has_no_symmetric_geometry() -> None:
    config = EnformerConfig(input_length=32_768, target_bins=127)
    assert (config.crop_bins, config.least_bins) == (64, 127)
    with pytest.raises(GeometryError, match="127 of 256 bins cannot be their centre; expected 128"):
        _ = config.geometry


def test_a_missing_head_is_named_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="no head 'humann'; did you mean 'human'"):
        EnformerConfig(heads=HEADS).tracks_of("humann")
