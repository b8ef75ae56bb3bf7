"""``page.json``: what a page shows; igv.js is configured from it, and the server trusts it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ft_s2a.errors import FormatError

MANIFEST_NAME = "page.json"


class Page(BaseModel):
    """A page: igv.js's configuration, its tracks, and the data files.

    Attributes
    ----------
    igv : dict
        First argument of ``igv.createBrowser``.
    tracks : tuple of dict
        One configuration per pair, in the order of the page's table.
    shown : tuple of bool
        Whether each of them is shown at first.
    linked : tuple of str
        Paths inside the folder that are links to files elsewhere.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    made_by: str
    igv_version: str
    entry: str
    igv: dict[str, Any]
    tracks: tuple[dict[str, Any], ...]
    shown: tuple[bool, ...]
    linked: tuple[str, ...] = ()


def read_page(folder: str | Path) -> Page:
    """Read ``page.json`` of a page folder."""
    path = Path(folder) / MANIFEST_NAME
    try:
        return Page.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise FormatError(
            f"{place}: {first['msg']}" if place else first["msg"],
            where=path,
            remedy="make the page again with `ft-s2a browse page`",
        ) from error


def read_linked(folder: Path) -> frozenset[str]:
    """Links to files elsewhere that may be served; none without a ``page.json``."""
    if not (folder / MANIFEST_NAME).is_file():
        return frozenset()
    return frozenset(read_page(folder).linked)
