"""``train``: a recipe and a training set become a run folder."""

from __future__ import annotations

import json
import logging
import os
import platform
import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric

from ft_s2a import __version__
from ft_s2a.checkpoint.files import save_weights
from ft_s2a.conventions.atomic import refuse_existing, write_text
from ft_s2a.conventions.hashing import sha256_json
from ft_s2a.conventions.randomness import draw_seed
from ft_s2a.data.dataset import TrackDataset
from ft_s2a.data.splits import Splits, splits_to_bed
from ft_s2a.errors import DataError, FtS2aError, MissingFileError, OutputExistsError
from ft_s2a.geometry import Interval
from ft_s2a.models.basenji2 import Basenji2
from ft_s2a.models.builder import build
from ft_s2a.models.config import HeadConfig
from ft_s2a.training.history import draw_curves, write_metrics
from ft_s2a.training.loop import Outcome, TrainingLoop, head_of_data
from ft_s2a.training.recipe import Recipe, recipe_to_yaml
from ft_s2a.training.state import STATE_NAME

_log = logging.getLogger(__name__)

_PRECISIONS = {"float32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}
_PACKAGES = ("torch", "lightning", "numpy", "zarr", "pandas", "pyBigWig", "pyfaidx", "safetensors")


def train(
    recipe: Recipe,
    data: str | Path,
    out: str | Path,
    *,
    fasta: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    workers: int | None = None,
    accelerator: str = "auto",
    devices: int | str = "auto",
    max_minutes: float | None = None,
) -> Outcome:
    """Train a network and write a run folder.

    Parameters
    ----------
    recipe : Recipe
    data : str or Path
        Training set with a train and a valid split.
    out : str or Path
        Run folder: ``config.json``, ``weights.safetensors`` (best by validation),
        ``metrics.parquet``, ``curves.png/.svg``, ``recipe.yaml``, ``tracks.tsv``, ``splits.bed``,
        ``provenance.json``; and ``resume.pt`` until the run has finished.
    fasta : str or Path, optional
        The genome, when it is not where the set was built.
    resume, overwrite : bool
        Go on with an interrupted run, or start anew; they exclude each other.  A resumed run gives
        the same weights as an uninterrupted one.
    workers : int, optional
        Reading processes; the default leaves one core to the network.
    accelerator, devices
        As in Lightning Fabric.
    max_minutes : float, optional
        Stop in good order after this time.

    Returns
    -------
    Outcome

    Raises
    ------
    FtS2aError
        Naming what is wrong with recipe, data or folder.

    Examples
    --------
    ::

        outcome = train(load_recipe("yeast-basenji2"), "yeast.zarr", "runs/yeast")
    """
    if resume and overwrite:
        raise FtS2aError("--resume and --overwrite exclude each other", remedy="choose one")
    folder = Path(out)
    dataset = TrackDataset(data, fasta=fasta, geometry=recipe.model.geometry)
    for split in ("train", "valid"):
        if not len(dataset.indices(split)):
            raise DataError(f"the set has no {split} window", where=data)
    head = head_of_data(dataset)
    config = recipe.model.with_heads([HeadConfig(name=head, tracks=len(dataset.tracks))])
    recipe = recipe.model_copy(update={"model": config})
    key = sha256_json({"recipe": recipe.model_dump(mode="json"), "data": dataset.checksum})
    _prepare_folder(folder, resume=resume, overwrite=overwrite)
    fabric = Fabric(
        accelerator=accelerator,
        devices=devices if accelerator != "cpu" else 1,
        precision=_PRECISIONS[recipe.precision],  # type: ignore[arg-type]
    )
    fabric.launch()
    torch.manual_seed(draw_seed(recipe.seed, "weights"))
    network = build(config)
    loop = TrainingLoop(
        fabric,
        network,
        dataset,
        recipe,
        folder=folder,
        key=key,
        workers=default_workers() if workers is None else workers,
        save_best=lambda best: _save_best(folder, best),
    )
    if resume:
        _log.info("resuming at step %d of %d", loop.resume(), recipe.steps)
    else:
        _write_inputs(folder, recipe, dataset)
    outcome = loop.run(max_minutes=max_minutes)
    _write_results(folder, dataset, recipe, outcome, key)
    return outcome


def default_workers() -> int:
    """Reading processes: all cores but one, at most 8."""
    return max(0, min(8, len(os.sched_getaffinity(0)) - 1))


def _prepare_folder(folder: Path, *, resume: bool, overwrite: bool) -> None:
    state = folder / STATE_NAME
    if resume:
        if not state.exists():
            raise MissingFileError(
                "holds no interrupted run", where=folder, remedy="train without --resume"
            )
        return
    if state.exists() and not overwrite:
        raise OutputExistsError(
            "holds an interrupted run",
            where=folder,
            remedy="go on with --resume, or start anew with --overwrite",
        )
    refuse_existing(folder, overwrite=overwrite)
    if folder.exists() and any(folder.iterdir()):
        if not (folder / "recipe.yaml").exists():
            raise OutputExistsError(
                "is no run folder; nothing in it is removed", where=folder, remedy="name another"
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)


def _save_best(folder: Path, network: Basenji2) -> None:
    save_weights(folder / "weights.safetensors", network, overwrite=True)


def _write_inputs(folder: Path, recipe: Recipe, data: TrackDataset) -> None:
    splits: Splits = {}
    for chrom, start, end, name in data.header.splits:
        splits.setdefault(name, []).append(Interval(chrom, start, end))
    write_text(folder / "recipe.yaml", recipe_to_yaml(recipe), overwrite=True)
    write_text(folder / "config.json", recipe.model.model_dump_json(indent=1), overwrite=True)
    write_text(folder / "splits.bed", splits_to_bed(splits), overwrite=True)
    data.tracks.write(folder / "tracks.tsv", without=("file",), overwrite=True)


def _write_results(
    folder: Path, data: TrackDataset, recipe: Recipe, outcome: Outcome, key: str
) -> None:
    progress = outcome.progress
    if progress.rows:
        write_metrics(folder / "metrics.parquet", progress.rows)
        draw_curves(folder, progress.rows, data.tracks.tracks, progress.best_step)
    best = next((r for r in progress.rows if r["step"] == progress.best_step), {})
    provenance: dict[str, Any] = {
        "schema_version": 1,
        "outcome": outcome.reason,
        "steps": progress.step,
        "best_step": progress.best_step,
        "valid": {k: v for k, v in best.items() if k.startswith(("pearson", "valid_loss"))},
        "seed": recipe.seed,
        "key": key,
        "data": {
            "name": data.path.name,
            "checksum": data.checksum,
            "contigs": {k: v.model_dump() for k, v in data.header.contigs.items()},
            "provenance": data.header.provenance,
            "windows": data.windows["split"].value_counts().to_dict(),
        },
        "versions": {
            "ft_s2a": __version__,
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in _PACKAGES},
        },
        "parameters": sum(p.numel() for p in build(recipe.model).parameters()),
        "seconds": round(progress.seconds, 1),
    }
    write_text(folder / "provenance.json", json.dumps(provenance, indent=1) + "\n", overwrite=True)
    if outcome.reason in ("finished", "patience"):
        (folder / STATE_NAME).unlink(missing_ok=True)
