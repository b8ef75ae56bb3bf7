"""Configs of networks that have a name, full size with all their heads (torch-free).

Sources: ``basenji2-kelley2020`` is calico/basenji 24403ec, ``manuscripts/cross2020``; the other two
are the networks of the original research code (Katharina782/FT_S2A), whose checkpoints looked
alike although the networks differ.
"""

from __future__ import annotations

from ft_s2a.errors import ConfigError, near_miss
from ft_s2a.models.config import Basenji2Config, HeadConfig, ModelConfig

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
}


def named(name: str) -> ModelConfig:
    """Config of a known network with the heads ``human`` (5,313 tracks) and ``mouse`` (1,643).

    Parameters
    ----------
    name : str
        ``basenji2-kelley2020``: the published network.  ``basenji2-prime``: Basenji2', GELU before
        the residual connection, dilations of its trained checkpoint (the later "debug" run is the
        same with the dilations of the next).  ``basenji2-double-prime``: Basenji2'', GELU after it.

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
    """
    try:
        return _NAMED[name]
    except KeyError:
        raise ConfigError(f"no network {name!r}", remedy=near_miss(name, _NAMED)) from None
