"""From a config to a network."""

from __future__ import annotations

from ft_s2a.models.basenji2 import Basenji2
from ft_s2a.models.config import Basenji2Config, ModelConfig
from ft_s2a.models.enformer import Enformer
from ft_s2a.models.enformer_config import EnformerConfig
from ft_s2a.models.network import Network


def build(config: ModelConfig) -> Network:
    """Build the network that a config describes, with fresh weights (torch's global seed).

    Examples
    --------
    >>> from ft_s2a.models import Basenji2Config, HeadConfig
    >>> heads = (HeadConfig(name="tracks", tracks=1),)
    >>> network = build(Basenji2Config(stem_channels=4, tower_channels=(4,) * 6, heads=heads))
    >>> sum(p.numel() for p in network.heads.parameters())
    1537
    """
    if isinstance(config, Basenji2Config):
        return Basenji2(config)
    if isinstance(config, EnformerConfig):
        return Enformer(config)
    raise TypeError(f"no network belongs to {type(config).__name__}")
