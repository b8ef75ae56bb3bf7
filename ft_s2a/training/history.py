"""Metrics of a run, one row per validation, and the curves drawn from them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ft_s2a.conventions.atomic import atomic_path

Row = dict[str, float]
METRICS_NAME = "metrics.parquet"

# More lines than this in one picture cannot be told apart.
_MOST_LINES = 40


def write_metrics(path: Path, rows: Sequence[Row]) -> None:
    """Write ``metrics.parquet``: one row per validation.

    Columns: step, lr, train_loss (mean since the row before, weighted), valid_loss, pearson (mean
    over tracks that have an r), constant_tracks (those that have none), ``pearson.<track>``.
    """
    import pandas as pd

    with atomic_path(path, overwrite=True) as temporary:
        pd.DataFrame(list(rows)).to_parquet(temporary, index=False)


def draw_curves(folder: Path, rows: Sequence[Row], tracks: Sequence[Any], best: int) -> list[Path]:
    """Draw losses and r per track against the step, as ``curves.png`` and ``curves.svg``.

    Parameters
    ----------
    folder : Path
        Run folder.
    rows : sequence of Row
        At least one, as in :func:`write_metrics`.
    tracks : sequence of Track
        Whose r are drawn, each in its color; of more than 40 the range is drawn instead.
    best : int
        Step of the weights that were kept.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    steps = [row["step"] for row in rows]
    marker = "o" if len(rows) < 3 else None  # a line of one point is invisible
    style = {"marker": marker, "markersize": 4}
    for column, color, label in (
        ("train_loss", "#888888", "training (weighted, augmented)"),
        ("valid_loss", "#4477aa", "validation"),
    ):
        left.plot(steps, [row[column] for row in rows], color=color, label=label, **style)
    left.set_ylabel("Poisson loss")
    values = np.array([[row[f"pearson.{track.name}"] for track in tracks] for row in rows])
    if len(tracks) <= _MOST_LINES:
        for track, line in zip(tracks, values.T, strict=True):
            right.plot(steps, line, color=track.color, alpha=0.8, label=track.name, **style)
    else:
        known = np.where(np.isfinite(values).any(axis=1, keepdims=True), values, 0.0)
        low, high = np.nanpercentile(known, [5, 95], axis=1)
        label = f"5-95 % of {len(tracks):,} tracks"
        right.fill_between(steps, low, high, color="#4477aa", alpha=0.3, label=label)
    means = [row["pearson"] for row in rows]
    right.plot(steps, means, color="black", linewidth=2, label="mean", **style)
    right.set_ylabel("validation Pearson r")
    kept = {row["step"]: row["pearson"] for row in rows}.get(best)
    if kept is not None:
        for axes in (left, right):
            axes.axvline(best, color="black", linestyle=":", linewidth=1)
        right.set_title(f"weights kept: step {best:,}, mean r {kept:.3f}", fontsize=9)
    if len(tracks) <= 12 or len(tracks) > _MOST_LINES:
        right.legend(frameon=False, fontsize=7)
    left.legend(frameon=False, fontsize=8)
    for axes in (left, right):
        axes.set_xlabel("step")
        axes.spines[["top", "right"]].set_visible(False)
    written = []
    for suffix in ("png", "svg"):
        target = folder / f"curves.{suffix}"
        with atomic_path(target, overwrite=True) as temporary:
            figure.savefig(temporary, dpi=150)
        written.append(target)
    return written
