"""Where igv.js comes from.  It is neither committed nor fetched by a page.

In this order: the file that ``FT_S2A_IGV_JS`` names, the cache (filled by :func:`setup`), the
older igv.js that the igv-notebook package carries.  Versions and hashes were measured; igv.js and
igv-notebook are under the MIT licence.
"""

from __future__ import annotations

import importlib.metadata
import os
from dataclasses import dataclass
from pathlib import Path

from ft_s2a.conventions.atomic import write_bytes
from ft_s2a.conventions.cache import cache_dir
from ft_s2a.conventions.hashing import sha256_file
from ft_s2a.errors import ChecksumError, MissingFileError

VERSION = "3.8.10"
SHA256 = "87b991ae2a720978172e269dd5127c495e56df5af31144dff19c83124e2f5744"
LICENCE_SHA256 = "fd69572836ffc3e7e17d19177bcd55c62c74c5c8a3db0d7a5f867759d7f9d443"
NOTEBOOK_VERSION = "3.1.4"
NOTEBOOK_SHA256 = "4eafc7aabe92cf95f42dabee837796dcca1936131a835e024d1f3e6187e5099e"
PUBLIC_ADDRESS = f"https://cdn.jsdelivr.net/npm/igv@{VERSION}"

_SCRIPT, _LICENCE = "igv.min.js", "LICENSE"
# What is fetched: name in the cache, path inside the npm package, sha256.
_FILES = ((_SCRIPT, f"dist/{_SCRIPT}", SHA256), (_LICENCE, _LICENCE, LICENCE_SHA256))


@dataclass(frozen=True)
class IgvScript:
    """An igv.js that can be copied into a page.

    `version` is "unknown" for a file that ``FT_S2A_IGV_JS`` names; `licence` is the notice that
    has to travel with the script, where it lies beside it.
    """

    path: Path
    version: str
    source: str
    licence: Path | None = None


def cache_folder() -> Path:
    """Folder of the cached igv.js."""
    return cache_dir() / "igv" / VERSION


def find_igv() -> IgvScript:
    """Find igv.js without any request.

    Raises
    ------
    ChecksumError
        When the cached file, or the one of igv-notebook, has another SHA-256 than recorded.
    MissingFileError
        When there is none; names the ways to get one.
    """
    named = os.environ.get("FT_S2A_IGV_JS")
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            raise MissingFileError(
                "no such file", where=path, remedy="correct or unset FT_S2A_IGV_JS"
            )
        known = {SHA256: VERSION, NOTEBOOK_SHA256: NOTEBOOK_VERSION}
        version = known.get(sha256_file(path), "unknown")
        return IgvScript(path, version, "FT_S2A_IGV_JS", _beside(path))
    cached = cache_folder() / _SCRIPT
    if cached.exists():
        _check(cached, SHA256, "run `ft-s2a browse setup` again")
        return IgvScript(cached, VERSION, "cache", _beside(cached))
    carried = _notebook_script()
    if carried is not None:
        path, licence = carried
        _check(path, NOTEBOOK_SHA256, "install igv-notebook 0.6.2, or run `ft-s2a browse setup`")
        return IgvScript(path, NOTEBOOK_VERSION, "igv-notebook", licence)
    raise MissingFileError(
        "there is no igv.js",
        where=cached,
        remedy="run `ft-s2a browse setup` (needs the network once), install ft_s2a[browser], or "
        "let FT_S2A_IGV_JS name an igv.min.js",
    )


def setup() -> IgvScript:
    """Fetch igv.js into the cache; does nothing when the right file is there.

    A mirror (``FT_S2A_MIRROR``) is asked first, for ``igv/<version>/igv.min.js``.  Hashes are
    checked either way.

    Raises
    ------
    FtS2aError
        When no address answers.
    ChecksumError
        When what came has another hash.
    """
    from ft_s2a.entries.download import Source, fetch

    folder = cache_folder()
    for name, member, sha256 in _FILES:
        target = folder / name
        if target.is_file() and sha256_file(target) == sha256:
            continue
        source = Source(f"igv/{VERSION}/{name}", f"{PUBLIC_ADDRESS}/{member}", sha256)
        write_bytes(target, fetch(source).read_bytes(), overwrite=True)
    return IgvScript(folder / _SCRIPT, VERSION, "cache", folder / _LICENCE)


def _check(path: Path, sha256: str, remedy: str) -> None:
    found = sha256_file(path)
    if found != sha256:
        raise ChecksumError(
            f"igv.js has sha256 {found[:12]}...", where=path, expected=f"{sha256[:12]}...",
            remedy=remedy,
        )  # fmt: skip


def _beside(script: Path) -> Path | None:
    # In the cache the licence lies beside the script, in the npm package one folder up.
    places = (script.with_name(_LICENCE), script.parent.parent / _LICENCE)
    return next((p for p in places if p.is_file() and sha256_file(p) == LICENCE_SHA256), None)


def _notebook_script() -> tuple[Path, Path | None] | None:
    """The igv.js of igv-notebook and its licence, found without importing that package."""
    try:
        files = importlib.metadata.files("igv-notebook") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    by_name = {f.name: Path(str(f.locate())) for f in files}
    script = by_name.get("igv.iife.js")
    if script is None or not script.is_file():
        return None
    licence = by_name.get("LICENSE.md")
    return script, licence if licence is not None and licence.is_file() else None
