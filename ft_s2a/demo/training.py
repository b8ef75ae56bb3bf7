"""Train the demo's entry anew: one run per seed, the best by validation becomes the entry."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ft_s2a.data import from_bigwigs
from ft_s2a.demo.sources import DemoData
from ft_s2a.errors import FtS2aError
from ft_s2a.evaluation import correlate_positions
from ft_s2a.genome import Genome, resolve_regions
from ft_s2a.loading import load_model
from ft_s2a.prediction import predict_tracks
from ft_s2a.training import load_recipe, train
from ft_s2a.zoo import package

_log = logging.getLogger(__name__)


def train_entry(
    data: DemoData, folder: Path, *, seeds: Sequence[int], workers: int | None = None
) -> tuple[Path, list[dict[str, Any]]]:
    """Train, score each run once on the test regions, and package the best by validation.

    Returns
    -------
    entry : Path
        Folder of the entry.
    rows : list of dict
        One row per run: seed, best step, validation r, test r per track.
    """
    dataset = from_bigwigs(
        data.fasta,
        data.tracks,
        folder / "train.zarr",
        split=data.split,
        train_starts="random",
        coverage=data.coverage,
    )
    recipe = load_recipe(data.recipe)
    runs: list[tuple[float, Path]] = []
    rows: list[dict[str, Any]] = []
    for seed in seeds:
        run = folder / "runs" / f"seed{seed}"
        chosen = recipe.model_copy(update={"seed": seed})
        outcome = train(chosen, dataset.path, run, fasta=data.fasta, workers=workers)
        if outcome.reason == "interrupted":
            raise KeyboardInterrupt
        scores = _score(data, run)
        runs.append((outcome.progress.best, run))
        rows.append(
            {
                "seed": seed,
                "best_step": outcome.progress.best_step,
                "minutes": round(outcome.progress.seconds / 60, 1),
                "valid": outcome.progress.best,
                **scores,
            }
        )
    best = max(runs, key=lambda pair: pair[0])[1]
    entry = folder / "zoo" / data.entry
    package(
        best,
        entry,
        name=data.entry,
        version="0.1.0",
        authors=["The ft_s2a authors"],
        scores=best / "test" / "positions.json",
        validation="trained and tested by `ft-s2a demo --train`",
        **asdict(data.card),
    )
    (folder / "runs" / "runs.json").write_text(json.dumps(rows, indent=1) + "\n")
    return entry, rows


def _score(data: DemoData, run: Path) -> dict[str, float]:
    """Score a finished run on the test regions: the only look at them."""
    genome = Genome(data.fasta)
    regions = resolve_regions(genome.sizes, loci=data.test)
    predict_tracks(load_model(run), genome, regions, out_dir=run / "predicted")
    table = correlate_positions(
        run / "predicted", data.tracks, regions=list(data.test), out_dir=run / "test"
    )
    if table["pearson_log1p"].isna().all():
        raise FtS2aError("every track is constant over the test regions", where=run)
    return dict(zip(table["track"], table["pearson_log1p"], strict=True))
