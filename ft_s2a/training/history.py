"""Metrics of a run, one row per validation, and the curves drawn from them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ft_s2a.conventions.atomic import atomic_path

Row = dict[str, float]


def write_metrics(path: Path, rows: Sequence[Row]) -> None:
    """Write ``metrics.parquet``: step, lr, losses, mean r and ``pearson.<track>``."""
    import pandas as pd

    with atomic_path(path, overwrite=True) as temporary:
        pd.DataFrame(list(rows)).to_parquet(temporary, index=False)


def draw_curves(folder: Path, rows: Sequence[Row], tracks: Sequence[Any], best: int) -> list[Path]:
    """Draw losses and r per track against the step, as ``curves.png`` and ``curves.svg``."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    steps = [row["step"] for row in rows]
    left.plot(steps, [r["train_loss"] for r in rows], color="#888888", label="training (weighted)")
    left.plot(steps, [r["valid_loss"] for r in rows], color="#4477aa", label="validation")
    left.set_ylabel("Poisson loss")
    for track in tracks:
        values = [row.get(f"pearson.{track.name}", np.nan) for row in rows]
        right.plot(steps, values, color=track.color, alpha=0.8, label=track.name)
    right.plot(steps, [r["pearson"] for r in rows], color="black", linewidth=2, label="mean")
    right.axvline(best, color="black", linestyle=":", linewidth=1)
    right.set_ylabel("validation Pearson r")
    right.set_title(f"best mean r {max(r['pearson'] for r in rows):.3f} at step {best}", fontsize=9)
    if len(tracks) <= 12:
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
