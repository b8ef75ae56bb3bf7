from __future__ import annotations

import pytest
import torch

from ft_s2a.models import Basenji2Config, HeadConfig, build, named
from ft_s2a.models.counting import count_parameters

SMALL = Basenji2Config(
    input_length=512,
    crop_bins=1,
    stem_channels=5,
    stem_kernel=7,
    tower_channels=(6, 7, 8),
    dilations=(1, 2, 4),
    dilated_channels=3,
    final_channels=9,
    heads=(HeadConfig(name="one", tracks=2), HeadConfig(name="two", tracks=3)),
)


@pytest.mark.parametrize(
    "config",
    [
        SMALL,
        SMALL.with_heads(()),
        SMALL.model_copy(update={"conv_bias": True}),
        SMALL.model_copy(update={"dilations": (), "tower_channels": (6,)}),
        named("basenji2-kelley2020"),
        named("basenji2-prime"),
        named("basenji2-double-prime"),
    ],
)
def test_counts_are_those_of_the_network(config: Basenji2Config) -> None:
    with torch.device("meta"):
        network = build(config)
    counted = count_parameters(config)
    assert counted.trained == sum(p.numel() for p in network.parameters())
    assert counted.statistics == sum(
        b.numel() for name, b in network.named_buffers() if "running" in name
    )
    assert counted.total == counted.trained + counted.statistics


def test_published_counts() -> None:
    """Kelley 2020 as Keras counts, and its trunk without heads."""
    config = named("basenji2-kelley2020")
    human, mouse = (config.with_heads((head,)) for head in config.heads)
    assert count_parameters(human).total == 30_123_584
    assert count_parameters(human).trained == 30_088_228
    assert count_parameters(mouse).total == 24_482_794
    assert count_parameters(config.with_heads(())).total == 21_957_503
