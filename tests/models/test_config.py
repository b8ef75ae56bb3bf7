from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from ft_s2a.errors import ConfigError, FtS2aError, GeometryError
from ft_s2a.models import Basenji2Config, HeadConfig, parse_config
from ft_s2a.models.config import first_difference, head_of

HEADS = (HeadConfig(name="human", tracks=5313), HeadConfig(name="mouse", tracks=1643))


def test_the_default_is_the_published_geometry() -> None:
    config = Basenji2Config(heads=HEADS)
    assert (config.bin_size, config.geometry.output_bins) == (128, 896)
    assert config.geometry.output_length == 114_688
    assert config.tracks_of("mouse") == 1643


def test_a_json_round_trip_gives_the_same_config() -> None:
    config = Basenji2Config(heads=HEADS, gelu="tanh", dilations=(1, 2))
    assert parse_config(config.model_dump(mode="json")) == config


def test_with_heads_changes_nothing_else() -> None:
    config = Basenji2Config(stem_channels=7)
    changed = config.with_heads(HEADS)
    assert changed.heads == HEADS
    assert changed.with_heads(()) == config


def test_configs_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Basenji2Config().stem_channels = 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stem_kernel": 4}, "f: stem_kernel is 4; an odd kernel is needed"),
        ({"tower_kernel": 2}, "f: tower_kernel is 2; an odd kernel is needed"),
        ({"dilated_kernel": 6}, "f: dilated_kernel is 6; an odd kernel is needed"),
        ({"widths": [1]}, "f: unknown field 'widths'"),
        ({"input_length": 1000}, "f: input length 1000 is not a multiple of bin size 128; use 896"),
        ({"crop_bins": 512}, "f: 1024 bins cropped by 512 at each side leave none"),
        ({"dilations": [1, 0]}, "f: dilations must be positive"),
        ({"tower_channels": [0]}, "f: tower_channels must be positive"),
        ({"residual_activation": "after_add"}, "f: residual_activation needs block"),
        ({"heads": [{"name": "a b", "tracks": 1}]}, "f: heads.0.name is 'a b'"),
        ({"heads": [{"name": "a", "tracks": 0}]}, "f: heads.0.tracks is 0"),
        ({"heads": [{"name": "a", "tracks": 1}] * 2}, "f: two heads have the same name"),
        ({"gelu": "relu"}, "f: gelu is 'relu'"),
        ({"initialisation": "keras2"}, "f: initialisation is 'keras2'"),
        ({"norm_variance": "none"}, "f: norm_variance is 'none'"),
        ({"norm_eps": "small"}, "f: norm_eps is 'small'"),
        ({"dilated_dropout": 1.0}, "f: dilated_dropout is 1.0"),
        ({"schema_version": 2}, "f: schema_version is 2"),
        ({"architecture": "basenij2"}, "f: architecture is 'basenij2'; did you mean 'basenji2'?"),
        ({"architecture": None}, "f: architecture is None; known: basenji2"),
    ],
)
def test_a_mistake_is_named_with_its_field(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config({"architecture": "basenji2", **change}, where="f")
    assert str(caught.value).startswith(message)
    assert "{" not in str(caught.value)  # no dump of the whole document


def test_geometry_is_checked_when_built_in_python() -> None:
    with pytest.raises(GeometryError, match="not a multiple"):
        Basenji2Config(input_length=130)


def test_a_missing_head_is_named_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="no head 'humann'; did you mean 'human'"):
        head_of(Basenji2Config(heads=HEADS), "humann")


def test_the_first_difference_gives_both_values() -> None:
    ours, theirs = Basenji2Config(gelu="tanh"), Basenji2Config(gelu="erf", stem_channels=5)
    assert first_difference(ours, theirs) == "gelu is 'erf' in the file and 'tanh' in the config"
    assert first_difference(ours, ours) is None


def test_a_head_may_not_take_a_name_of_torch() -> None:
    from ft_s2a.models import build

    config = Basenji2Config(
        stem_channels=1, tower_channels=(1,) * 6, heads=(HeadConfig(name="train", tracks=1),)
    )
    with pytest.raises(FtS2aError, match="cannot be called 'train'"):
        build(config)
