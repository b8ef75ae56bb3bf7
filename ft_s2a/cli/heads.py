"""Options that may be given once for each head: ``--data human=H.zarr --data mouse=M.zarr``."""

from __future__ import annotations

import re
from pathlib import Path

from ft_s2a.errors import ConfigError


def by_head(values: list[str], option: str) -> str | dict[str, str | Path]:
    """Read ``HEAD=PATH`` of an option that may be repeated; a lone path needs no head.

    Raises
    ------
    ConfigError
        When several are given and one names no head, or two name the same.

    Examples
    --------
    >>> by_head(["human=H.zarr", "mouse=M.zarr"], "--data")
    {'human': 'H.zarr', 'mouse': 'M.zarr'}
    >>> by_head(["yeast.zarr"], "--data")
    'yeast.zarr'
    """
    found: dict[str, str | Path] = {}
    for value in values:
        # A path may hold a "=" itself; a head is a plain word.
        match = re.fullmatch(r"([A-Za-z0-9_-]+)=(.+)", value)
        if match is None or Path(value).exists():
            if len(values) == 1:
                return value
            raise ConfigError(
                f"{option} {value} names no head",
                expected=f"{option} HEAD=PATH for each of several",
            )
        head, path = match.groups()
        if head in found:
            raise ConfigError(f"{option} names the head {head!r} twice", expected="one per head")
        found[head] = path
    return found
