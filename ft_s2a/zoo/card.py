"""What an entry's makers say about it, and what is kept from an entry that is replaced."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ft_s2a.conventions.atomic import refuse_existing
from ft_s2a.entries import Entry, read_entry
from ft_s2a.entries.schema import ENTRY_FILE, Author
from ft_s2a.errors import FtS2aError, OutputExistsError

_log = logging.getLogger(__name__)

UNSTATED = "unstated"


def check_target(entry_dir: str | Path, *, overwrite: bool) -> tuple[Path, Entry | None]:
    """Check where an entry is to be made; also gives the entry that it replaces.

    Raises
    ------
    OutputExistsError
        When something is there, and is no entry or may not be overwritten.
    """
    target = refuse_existing(entry_dir, overwrite=overwrite)
    if (target / ENTRY_FILE).is_file():
        try:
            return target, read_entry(target)
        except FtS2aError as error:
            _log.warning("nothing is kept of the entry that is replaced: %s", error)
            return target, None
    if target.is_file() or (target.is_dir() and any(target.iterdir())):
        raise OutputExistsError(
            "is no entry; nothing in it is removed", where=target, remedy="name another folder"
        )
    return target, None


def card_fields(
    target: Path,
    old: Entry | None,
    *,
    default_summary: str,
    name: str | None,
    summary: str | None,
    species: str | None,
    assembly: str | None,
    license: str | None,
    authors: Sequence[str] | None,
    citation: str | None,
    version: str | None,
    limitations: Sequence[str] | None,
    validation: str | None,
) -> dict[str, Any]:
    """Fields of an entry that people state: as given, else from `old`, else a default.

    Names of `authors` become authors; the name's default is the last two parts of `target`.
    """
    given = {
        "name": name or "/".join(target.absolute().parts[-2:]),
        "version": version,
        "summary": summary,
        "species": species,
        "assembly": assembly,
        "license": license,
        "citation": citation,
        "authors": None if authors is None else tuple(Author(name=a) for a in authors),
        "limitations": None if limitations is None else tuple(limitations),
        "validation": validation,
    }
    return {
        "version": "0.1.0",
        "summary": default_summary,
        "species": UNSTATED,
        "assembly": UNSTATED,
        "license": UNSTATED,
        **{key: getattr(old, key) for key in given if old is not None},
        **{key: value for key, value in given.items() if value is not None},
    }
