"""How commands report: tables on stdout, ``--json`` as one object, errors as one line."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import pandas as pd

JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object instead of a table.")
]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace an existing output.")]


def show(
    schema: str,
    rows: pd.DataFrame | Sequence[dict[str, Any]],
    *,
    files: Sequence[str | Path] = (),
    as_json: bool = False,
    title: str | None = None,
) -> None:
    """Print a result to stdout.

    Parameters
    ----------
    schema : str
        Name of the result's form, for programs.
    rows : DataFrame or sequence of dict
        The table.
    files : sequence of path
        What was written.
    as_json : bool
        One object ``{schema, rows, files}`` instead of a table.
    """
    records = _records(rows)
    if as_json:
        document = {"schema": schema, "rows": records, "files": [str(f) for f in files]}
        typer.echo(json.dumps(document, indent=1, default=str))
        return
    if title:
        typer.echo(title)
    if records:
        typer.echo(format_table(records))
    for file in files:
        typer.echo(str(file))


def format_table(records: Sequence[dict[str, Any]]) -> str:
    """Align records in columns; numbers to the right."""
    columns = list(records[0])
    cells = [[_cell(r.get(c)) for c in columns] for r in records]
    right = [all(_is_number(r.get(c)) for r in records) for c in columns]
    widths = [max(len(c), *(len(row[i]) for row in cells)) for i, c in enumerate(columns)]
    lines = []
    for row in [columns, *cells]:
        padded = [
            text.rjust(width) if to_right else text.ljust(width)
            for text, width, to_right in zip(row, widths, right, strict=True)
        ]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def _records(rows: pd.DataFrame | Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    listed: Any = rows.to_dict(orient="records") if hasattr(rows, "to_dict") else rows
    return [{str(k): _plain(v) for k, v in row.items()} for row in listed]


def _plain(value: Any) -> Any:
    item = value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value
    # JSON has no NaN.
    return None if isinstance(item, float) and not math.isfinite(item) else item


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e-3 or abs(value) >= 1e5 else f"{value:.4f}"
    if isinstance(value, (list, tuple)):
        return ",".join(str(v) for v in value)
    return str(value)
