"""Keep a trunk, or its first stages, as it is while the rest is trained."""

from __future__ import annotations

from ft_s2a.errors import ConfigError, near_miss
from ft_s2a.models.network import Network

_ROWS = ("tower", "dilated", "transformer")  # parts whose own parts are stages


def stages(network: Network) -> list[str]:
    """Name the parts of a network's trunk, in the order in which a sequence passes them.

    Examples
    --------
    >>> from ft_s2a.models import Basenji2Config, build
    >>> stages(build(Basenji2Config(tower_channels=(4, 4), dilations=(1,))))
    ['stem', 'tower.0', 'tower.1', 'dilated.0', 'final']
    """
    found: list[str] = []
    for name, part in network.named_children():
        if name in _ROWS:
            found += [f"{name}.{row}" for row, _ in part.named_children()]
        elif name != "heads":
            found.append(name)
    return found


def freeze(network: Network, upto: str | None = "trunk") -> list[str]:
    """Freeze the trunk up to a stage (inclusive); heads are trained in any case.

    Frozen stages get no gradients, and stay in evaluation mode (no dropout, running statistics of
    the norms used and kept) through every later ``network.train()``.

    Parameters
    ----------
    network : Network
        Changed in place.  What was frozen before and is not now is trained again.
    upto : str, optional
        A stage's name (see :func:`stages`), ``tower``, ``transformer`` or ``dilated`` for all of
        such a row, ``trunk`` for everything but the heads; None freezes nothing.

    Returns
    -------
    list of str
        Names of the frozen stages.

    Raises
    ------
    ConfigError
        When there is no such stage.

    Examples
    --------
    >>> from ft_s2a.models import Basenji2Config, build
    >>> network = build(Basenji2Config(tower_channels=(4, 4), dilations=(1,)))
    >>> freeze(network, "tower.0")
    ['stem', 'tower.0']
    >>> network.train().tower[0].training, network.tower[1].training
    (False, True)
    """
    known = stages(network)
    if upto is None:
        count = 0
    elif upto == "trunk":
        count = len(known)
    else:
        matching = [i for i, name in enumerate(known) if f"{name}.".startswith(f"{upto}.")]
        if not matching:
            raise ConfigError(
                f"no stage {upto!r} to freeze", remedy=near_miss(upto, ["trunk", *known])
            )
        count = matching[-1] + 1
    for index, name in enumerate(known):
        network.get_submodule(name).requires_grad_(index >= count)
    network.frozen = tuple(known[:count])
    network.train(network.training)
    return known[:count]
