"""Metrics of a run, one row per validation, and the curves drawn from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ft_s2a.conventions.atomic import atomic_path

Row = dict[str, float]
METRICS_NAME = "metrics.parquet"

# More lines than this in one picture cannot be told apart.
_MOST_LINES = 40


@dataclass(frozen=True)
class Columns:
    """A head's columns in the metrics.

    Parameters
    ----------
    prefix : str
        Before each name: empty in a run of one head, else ``<head>.``
    tracks : sequence of Track
        The head's.

    Examples
    --------
    >>> Columns("human.", ()).name("pearson")
    'human.pearson'
    """

    prefix: str
    tracks: Sequence[Any]

    def name(self, column: str) -> str:
        """Full name of a column."""
        return self.prefix + column

    def row(
        self,
        *,
        train_loss: float,
        valid_loss: float,
        pearson: float,
        constant_tracks: int,
        per_track: NDArray[np.float64],
    ) -> Row:
        """Make the head's part of a row."""
        values = {
            "train_loss": train_loss,
            "valid_loss": valid_loss,
            "pearson": pearson,
            "constant_tracks": constant_tracks,
        }
        for track, r in zip(self.tracks, per_track, strict=True):
            values[f"pearson.{track.name}"] = float(r)
        return {self.name(column): value for column, value in values.items()}

    def own(self, row: Row) -> Row:
        """Inverse of :meth:`row`, with what belongs to no head where there is one head only."""
        return {
            name.removeprefix(self.prefix): value
            for name, value in row.items()
            if name.startswith(self.prefix)
        }


def write_metrics(path: Path, rows: Sequence[Row]) -> None:
    """Write ``metrics.parquet``: one row per validation.

    Columns: step, lr, train_loss (mean since the row before, weighted), valid_loss, pearson (mean
    over tracks that have an r), constant_tracks (those that have none), ``pearson.<track>``.  With
    several heads those from train_loss on are each head's, ``<head>.train_loss`` and so on, and
    pearson is the mean over the heads.
    """
    import pandas as pd

    with atomic_path(path, overwrite=True) as temporary:
        pd.DataFrame(list(rows)).to_parquet(temporary, index=False)


def draw_curves(
    folder: Path, rows: Sequence[Row], heads: Sequence[tuple[Columns, int]]
) -> list[Path]:
    """Draw losses and r per track against the step, as ``curves.png`` and ``curves.svg``.

    Parameters
    ----------
    folder : Path
        Run folder.
    rows : sequence of Row
        At least one, as in :func:`write_metrics`.
    heads : sequence of (Columns, int)
        Each head in a line of its own: its columns, and the step of the weights that were kept.
        Tracks are drawn in their colors; of more than 40 the range is drawn instead.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6 * len(heads)), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(heads), 2, squeeze=False)
    for (left, right), (columns, best) in zip(panels, heads, strict=True):
        _draw_losses(left, rows, columns)
        _draw_pearson(right, rows, columns, best)
        for axes in (left, right):
            if best in [row["step"] for row in rows]:
                axes.axvline(best, color="black", linestyle=":", linewidth=1)
            axes.set_xlabel("step")
            axes.spines[["top", "right"]].set_visible(False)
    written = []
    for suffix in ("png", "svg"):
        target = folder / f"curves.{suffix}"
        with atomic_path(target, overwrite=True) as temporary:
            figure.savefig(temporary, dpi=150)
        written.append(target)
    return written


def _style(rows: Sequence[Row]) -> dict[str, Any]:
    marker = "o" if len(rows) < 3 else None  # a line of one point is invisible
    return {"marker": marker, "markersize": 4}


def _draw_losses(axes: Any, rows: Sequence[Row], columns: Columns) -> None:
    steps = [row["step"] for row in rows]
    for column, color, label in (
        ("train_loss", "#888888", "training (weighted, augmented)"),
        ("valid_loss", "#4477aa", "validation"),
    ):
        values = [row[columns.name(column)] for row in rows]
        axes.plot(steps, values, color=color, label=label, **_style(rows))
    axes.set_ylabel("Poisson loss")
    if columns.prefix:
        axes.set_title(columns.prefix.removesuffix("."), fontsize=9)
    axes.legend(frameon=False, fontsize=8)


def _draw_pearson(axes: Any, rows: Sequence[Row], columns: Columns, best: int) -> None:
    steps, tracks = [row["step"] for row in rows], columns.tracks
    values = np.array(
        [[row[columns.name(f"pearson.{track.name}")] for track in tracks] for row in rows]
    )
    if len(tracks) <= _MOST_LINES:
        for track, line in zip(tracks, values.T, strict=True):
            axes.plot(steps, line, color=track.color, alpha=0.8, label=track.name, **_style(rows))
    else:
        known = np.where(np.isfinite(values).any(axis=1, keepdims=True), values, 0.0)
        low, high = np.nanpercentile(known, [5, 95], axis=1)
        label = f"5-95 % of {len(tracks):,} tracks"
        axes.fill_between(steps, low, high, color="#4477aa", alpha=0.3, label=label)
    means = [row[columns.name("pearson")] for row in rows]
    axes.plot(steps, means, color="black", linewidth=2, label="mean", **_style(rows))
    axes.set_ylabel("validation Pearson r")
    kept = dict(zip(steps, means, strict=True)).get(best)
    if kept is not None:
        axes.set_title(f"weights kept: step {best:,}, mean r {kept:.3f}", fontsize=9)
    if len(tracks) <= 12 or len(tracks) > _MOST_LINES:
        axes.legend(frameon=False, fontsize=7)
