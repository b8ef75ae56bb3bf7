"""Where downloads and derived files of the user are kept."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """Folder of downloads and indices: ``FT_S2A_CACHE``, or pooch's folder for this system.

    Returns
    -------
    Path
        An absolute path; the folder need not exist yet.
    """
    named = os.environ.get("FT_S2A_CACHE")
    if named:
        return Path(named).expanduser().absolute()
    import pooch

    return Path(str(pooch.os_cache("ft_s2a")))


def mirror() -> str | None:
    """Folder or URL tried before the public addresses: ``FT_S2A_MIRROR``, if it is set."""
    return os.environ.get("FT_S2A_MIRROR") or None
