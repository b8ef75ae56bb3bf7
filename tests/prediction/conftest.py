from __future__ import annotations

import math

import pytest


@pytest.fixture(scope="session")
def model() -> object:
    """A random network of 24 bins of 16 bp (4 cropped at each side) and tracks of all kinds."""
    import numpy as np
    import torch

    from ft_s2a.loading import SequenceModel
    from ft_s2a.models import Basenji2Config, HeadConfig, build
    from ft_s2a.tracks import Track, TrackTable

    table = TrackTable(
        (
            Track("plain", units="counts"),
            Track("x.fwd", strand_pair="x.rev", squash="sqrt", scale=2.0),
            Track("x.rev", strand_pair="x.fwd", squash="sqrt", scale=2.0),
            Track("total", sum_stat="sum", squash="log1p", scale=0.5, clip=2.0),
            Track("y.rev", strand_pair="y.fwd"),
            Track("y.fwd", strand_pair="y.rev"),
        )
    )
    assert math.isinf(table[0].clip)
    config = Basenji2Config(
        input_length=512, crop_bins=4, stem_channels=6, stem_kernel=7, tower_channels=(6, 6, 6),
        dilations=(1,), dilated_channels=4, final_channels=8,
        heads=(HeadConfig(name="tracks", tracks=6),),
    )  # fmt: skip
    network = build(config)
    random = np.random.default_rng(4)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if "running_var" in name:
                tensor.copy_(torch.from_numpy(random.uniform(0.5, 1.5, tensor.shape)))
            elif tensor.is_floating_point():
                scale = 0.5 if tensor.ndim == 1 else 1.5 * (2 / tensor[0].numel()) ** 0.5
                tensor.copy_(torch.from_numpy(random.normal(0, scale, tensor.shape)))
    return SequenceModel(network.eval(), table, "toy/random", "1.0", "rc")
