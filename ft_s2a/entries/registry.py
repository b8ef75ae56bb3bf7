"""Where entries are looked for, and finding one by its name."""

from __future__ import annotations

import fnmatch
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from ft_s2a.entries.schema import ENTRY_FILE, Entry, Score, read_entry
from ft_s2a.errors import FtS2aError, MissingFileError, near_miss

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger(__name__)

COLUMNS = (
    "name",
    "species",
    "architecture",
    "input_length",
    "bins",
    "tracks",
    "size",
    "licence",
    "scores",
)


def roots() -> list[Path]:
    """Folders that hold ``group/entry`` folders, in the order in which they are searched.

    The paths in ``FT_S2A_ZOO`` (separated as in PATH), the entries installed with the package,
    and ``model_zoo/`` beside the package (a checkout).

    Raises
    ------
    MissingFileError
        When ``FT_S2A_ZOO`` names a folder that does not exist.
    """
    found = []
    for text in filter(None, os.environ.get("FT_S2A_ZOO", "").split(os.pathsep)):
        folder = Path(text).expanduser()
        if not folder.is_dir():
            raise MissingFileError(
                "no such folder, but FT_S2A_ZOO names it",
                where=folder,
                remedy="correct or unset FT_S2A_ZOO",
            )
        found.append(folder)
    package = Path(__file__).resolve().parents[1]
    beside = [package / "_entries", package.parent / "model_zoo"]
    return found + [folder for folder in beside if folder.is_dir()]


def entry_folders() -> dict[str, Path]:
    """Names of all entries and their folders; the first root that has a name wins."""
    folders: dict[str, Path] = {}
    for root in roots():
        for file in sorted(root.rglob(ENTRY_FILE)):
            name = file.parent.relative_to(root).as_posix()
            if not any(part.startswith(".") for part in file.parent.relative_to(root).parts):
                folders.setdefault(name, file.parent)
    return folders


def find_entry(name_or_path: str | Path) -> Entry:
    """Find an entry by its name (``group/entry``), or by the path of its folder.

    A name is looked up first; a path that starts with ``.`` or ``/`` is always a path.

    Raises
    ------
    MissingFileError
        When there is none; the closest name is suggested.
    ConfigError
        When its ``entry.yaml`` is not valid.

    Examples
    --------
    >>> find_entry("yeast/basenji3")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
        ...
    ft_s2a.errors.MissingFileError: no entry 'yeast/basenji3'
    """
    return read_entry(find_folder(name_or_path))


def find_folder(name_or_path: str | Path) -> Path:
    """Find where an entry is, without reading it; see :func:`find_entry`."""
    text = str(name_or_path)
    if isinstance(name_or_path, str) and not text.startswith((".", "/", "~")):
        folder = entry_folders().get(text.rstrip("/"))
        if folder is not None:
            return folder
    path = Path(text).expanduser()
    if path.exists():
        return path
    if text.startswith((".", "/", "~")):
        raise MissingFileError("no such entry folder", where=path, remedy="check the path")
    raise MissingFileError(f"no entry {text!r}", remedy=near_miss(text, entry_folders()))


def list_models(pattern: str | None = None) -> pd.DataFrame:
    """List the entries of the zoo.

    Parameters
    ----------
    pattern : str, optional
        Part of a name, or a wildcard (``yeast/*``).

    Returns
    -------
    DataFrame
        Columns name, species, architecture, input_length (bp), bins (of the output), tracks,
        size (of the weights, bytes), licence, scores (each metric's median over the tracks).

    Raises
    ------
    MissingFileError
        When nothing matches `pattern`.

    Examples
    --------
    >>> list(list_models().columns)[:3]
    ['name', 'species', 'architecture']
    """
    import pandas as pd

    folders = entry_folders()
    rows = [_row(name, entry) for name, entry in _read_all(folders, pattern)]
    if pattern is not None and not rows:
        raise MissingFileError(f"no entry matches {pattern!r}", remedy=near_miss(pattern, folders))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def summarise(scores: tuple[Score, ...]) -> str:
    """One line of scores: the median over tracks of each metric on each set of regions.

    Examples
    --------
    >>> summarise((Score(metric="pearson", on="test", track="a", value=0.8),
    ...            Score(metric="pearson", on="test", track="b", value=0.6)))
    'pearson 0.70 on test'
    """
    groups: dict[tuple[str, str, str], list[float]] = {}
    for score in scores:
        groups.setdefault((score.metric, score.units, score.on), []).append(score.value)
    return "; ".join(
        f"{metric}{f' of {units}' if units else ''} {median(values):.2f} on {on}"
        for (metric, units, on), values in groups.items()
    )


def _read_all(folders: dict[str, Path], pattern: str | None) -> Iterator[tuple[str, Entry]]:
    for name, folder in sorted(folders.items()):
        if pattern is not None and pattern not in name and not fnmatch.fnmatchcase(name, pattern):
            continue
        try:
            yield name, read_entry(folder)
        except FtS2aError as error:
            # One broken entry must not hide the others.
            _log.warning("skipped: %s", error)


def _row(name: str, entry: Entry) -> dict[str, object]:
    return {
        "name": name,
        "species": entry.species,
        "architecture": entry.model.architecture,
        "input_length": entry.model.input_length,
        "bins": entry.model.geometry.output_bins,
        "tracks": entry.track_count,
        "size": weights_bytes(entry),
        "licence": entry.license,
        "scores": summarise(entry.scores),
    }


def weights_bytes(entry: Entry) -> int | None:
    """Size of the weights in bytes: as recorded, or of the file; None when neither is known."""
    if entry.weights.bytes is not None:
        return entry.weights.bytes
    if entry.weights.file is not None:
        file = entry.folder / entry.weights.file
        return file.stat().st_size if file.is_file() else None
    return None
