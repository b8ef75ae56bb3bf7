"""Configs of networks that have a name, full size with all their heads (torch-free).

Sources: ``basenji2-kelley2020`` is calico/basenji 24403ec, ``manuscripts/cross2020``; ``enformer``
is Avsec 2021 (doi 10.1038/s41592-021-01252-x).  The others are the networks of the original
research code (Katharina782/FT_S2A), of which two had checkpoints that looked alike although the
networks differ.
"""

from __future__ import annotations

from ft_s2a.errors import ConfigError, near_miss
from ft_s2a.models.config import Basenji2Config, HeadConfig, ModelConfig
from ft_s2a.models.enformer_config import EnformerConfig

_HEADS = (HeadConfig(name="human", tracks=5313), HeadConfig(name="mouse", tracks=1643))

_PRIME = Basenji2Config(
    block="conv_norm_gelu",
    residual_activation="before_add",
    gelu="erf",
    tower_channels=(339, 399, 470, 553, 651, 768),
    dilations=(1, 2, 2, 3, 5, 8, 11, 17, 26, 38, 58),
    conv_bias=True,
    norm_eps=1e-5,
    # PyTorch's sense.  The research code gave Keras' 0.9, so that its running statistics were
    # those of about one batch; a network trained here does not inherit that.
    norm_momentum=0.1,
    norm_variance="unbiased",
    initialisation="torch",
    heads=_HEADS,
)

_NAMED: dict[str, ModelConfig] = {
    "basenji2-kelley2020": Basenji2Config(heads=_HEADS),
    "basenji2-prime": _PRIME,
    "basenji2-double-prime": Basenji2Config.model_validate(
        {
            **_PRIME.model_dump(),
            "residual_activation": "after_add",
            "dilations": (2, 2, 3, 5, 8, 11, 17, 26, 38, 58, 86),
        }
    ),
    "enformer": EnformerConfig(gamma="tensorflow", heads=_HEADS),
    "mediumenf": EnformerConfig(depth=5, final_pointwise=False, heads=_HEADS),
    "smallenf": EnformerConfig(depth=5, final_pointwise=False, feed_forward=False, heads=_HEADS),
}


def named(name: str) -> ModelConfig:
    """Config of a known network with the heads ``human`` (5,313 tracks) and ``mouse`` (1,643).

    Parameters
    ----------
    name : str
        ``basenji2-kelley2020``: the published network.  ``basenji2-prime``: Basenji2', GELU before
        the residual connection, dilations of its trained checkpoint (the later "debug" run is the
        same with the dilations of the next).  ``basenji2-double-prime``: Basenji2'', GELU after it.
        ``enformer``: the published network, with TensorFlow's position features.  ``mediumenf``:
        five blocks, no final pointwise layer.  ``smallenf``: the same without feed-forward layers.

    Raises
    ------
    ConfigError
        When there is no such network.

    Examples
    --------
    >>> named("basenji2-kelley2020").tracks_of("mouse")
    1643
    >>> named("basenji2-double-prime").residual_activation
    'after_add'
    >>> named("smallenf").depth
    5
    """
    try:
        return _NAMED[name]
    except KeyError:
        raise ConfigError(f"no network {name!r}", remedy=near_miss(name, _NAMED)) from None
