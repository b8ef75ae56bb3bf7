"""What an evaluation leaves behind: a folder that appears whole or not at all."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ft_s2a.conventions.atomic import atomic_path, refuse_existing
from ft_s2a.errors import OutputExistsError

if TYPE_CHECKING:
    import pandas as pd

    from ft_s2a.evaluation.plots import Panel

SCHEMA = "ft_s2a.evaluate.positions/1"
TABLE_NAME = "positions.tsv"
JSON_NAME = "positions.json"


def check_out_dir(folder: str | Path, inputs: Sequence[str | Path], *, overwrite: bool) -> Path:
    """Check an output folder before any work is done.

    Replacing a folder removes all that is in it, so only one that an earlier evaluation wrote is
    replaced, and none that holds an input.

    Raises
    ------
    OutputExistsError
    """
    target = refuse_existing(folder, overwrite=overwrite)
    resolved = target.resolve()
    for path in inputs:
        if Path(path).resolve().is_relative_to(resolved):
            raise OutputExistsError(
                f"holds the input {path}", where=target, remedy="choose another output folder"
            )
    if target.is_file():
        raise OutputExistsError("is a file", where=target, expected="the name of a folder")
    if target.is_dir() and any(target.iterdir()) and not (target / JSON_NAME).exists():
        raise OutputExistsError(
            f"is no earlier evaluation (no {JSON_NAME}), so it is not replaced",
            where=target,
            remedy="choose another output folder",
        )
    return target


def write_outputs(
    folder: str | Path,
    rows: pd.DataFrame,
    panels: Sequence[Panel],
    description: Mapping[str, Any],
    *,
    units: str,
    overwrite: bool = False,
) -> list[Path]:
    """Write table, JSON and pictures, all at once.

    Parameters
    ----------
    folder : str or Path
        Output folder; made under a temporary name and renamed.
    rows : DataFrame
        One row per model and track.
    panels : sequence of Panel
        Tracks to draw.
    description : mapping
        Parameters and inputs, for the JSON file.

    Returns
    -------
    list of Path
        The files.
    """
    from ft_s2a.evaluation.plots import write_scatter

    with atomic_path(folder, overwrite=overwrite) as temporary:
        temporary.mkdir()
        rows.to_csv(temporary / TABLE_NAME, sep="\t", index=False, float_format="%.8g")
        document = {
            "schema": SCHEMA,
            "versions": _versions(),
            **description,
            "summary": summarise(rows),
            "rows": rows.to_dict(orient="records"),
        }
        text = json.dumps(_plain(document), indent=1, allow_nan=False)
        (temporary / JSON_NAME).write_text(text + "\n", encoding="utf-8")
        write_scatter(panels, temporary, units=units)
    return list_outputs(folder)


def list_outputs(folder: str | Path) -> list[Path]:
    """Files of an evaluation's folder, the table first."""
    found = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    return sorted(found, key=lambda path: (path.name != TABLE_NAME, path.name != JSON_NAME))


def summarise(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Mean correlations per model over the tracks that have one, and how many have none."""
    summary = []
    for model, part in rows.groupby("model", sort=False):
        entry: dict[str, Any] = {"model": model, "tracks": len(part)}
        for column in ("pearson_log1p", "pearson", "spearman"):
            entry[f"mean_{column}"] = float(part[column].mean())
            entry[f"without_{column}"] = int(part[column].isna().sum())
        summary.append(entry)
    return summary


def _versions() -> dict[str, str]:
    from ft_s2a import __version__

    found = {name: metadata.version(name) for name in ("numpy", "scipy", "pandas", "pyBigWig")}
    return {"ft_s2a": __version__, "python": platform.python_version(), **found}


def _plain(value: Any) -> Any:
    """Values that JSON has: no NaN, no numpy types, no paths."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    item = value.item() if hasattr(value, "item") else value
    return None if isinstance(item, float) and not math.isfinite(item) else item
