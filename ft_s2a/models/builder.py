"""From a config to a network."""

from __future__ import annotations

from ft_s2a.models.basenji2 import Basenji2
from ft_s2a.models.config import ModelConfig


def build(config: ModelConfig) -> Basenji2:
    """Build the network that a config describes, with fresh weights (torch's global seed).

    Examples
    --------
    >>> from ft_s2a.models import Basenji2Config, HeadConfig
    >>> heads = (HeadConfig(name="tracks", tracks=1),)
    >>> network = build(Basenji2Config(stem_channels=4, tower_channels=(4,) * 6, heads=heads))
    >>> sum(p.numel() for p in network.heads.parameters())
    1537
    """
    return Basenji2(config)
