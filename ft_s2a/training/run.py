"""``train``: a recipe and a training set become a run folder."""

from __future__ import annotations

import json
import logging
import math
import os
import platform
import warnings
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
from ft_s2a.errors import (
    ConfigError,
    DataError,
    FtS2aError,
    MissingFileError,
    OutputExistsError,
)
from ft_s2a.geometry import Interval
from ft_s2a.models.builder import build
from ft_s2a.models.config import HeadConfig
from ft_s2a.models.network import Network
from ft_s2a.training.history import METRICS_NAME, draw_curves, write_metrics
from ft_s2a.training.loop import Outcome, TrainingLoop, head_of_data
from ft_s2a.training.recipe import Recipe, recipe_to_yaml
from ft_s2a.training.state import STATE_NAME

_log = logging.getLogger(__name__)

_PRECISIONS = {"float32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}
# What a run writes, and so what --overwrite removes.
_INPUTS = ("recipe.yaml", "config.json", "splits.bed", "tracks.tsv")
_WEIGHTS = "weights.safetensors"
_RESULTS = (_WEIGHTS, METRICS_NAME, "curves.png", "curves.svg", "provenance.json", STATE_NAME)
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
        Training set with a train and a valid split.  Its sequence is checked by checksum.
    out : str or Path
        Run folder: ``config.json``, ``weights.safetensors`` (best by validation),
        ``metrics.parquet``, ``curves.png/.svg``, ``recipe.yaml``, ``tracks.tsv``, ``splits.bed``,
        ``provenance.json``; and ``resume.pt`` until the run has finished.  ``metrics.parquet``
        and the weights are up to date after each validation.
    fasta : str or Path, optional
        The genome, when it is not where the set was built.
    resume, overwrite : bool
        Go on with an interrupted run, or start anew (what a run wrote is removed, nothing else);
        they exclude each other.  A resumed run gives the same weights as an uninterrupted one, to
        the last bit where the device's arithmetic repeats itself, as that of a CPU does.
    workers : int, optional
        Reading processes; the default leaves one core to the network.
    accelerator, devices
        As in Lightning Fabric; the default is every GPU that can be seen, or the CPU.
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
    _check_folder(folder, resume=resume, overwrite=overwrite)
    dataset = TrackDataset(data, fasta=fasta, geometry=recipe.model.geometry, check_sequence=True)
    for split in ("train", "valid"):
        if not len(dataset.indices(split)):
            raise DataError(f"the set has no {split} window", where=data)
    recipe = _with_heads(recipe, dataset)
    key = sha256_json({"recipe": recipe.model_dump(mode="json"), "data": dataset.checksum})
    fabric = _fabric(recipe, accelerator, devices)
    torch.manual_seed(draw_seed(recipe.seed, "weights"))
    network = build(recipe.model)
    try:
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
        elif fabric.is_global_zero:
            _start(folder, recipe, dataset)
        fabric.barrier()
        outcome = loop.run(max_minutes=max_minutes)
    except torch.cuda.OutOfMemoryError as error:
        raise FtS2aError(
            f"the device ran out of memory ({str(error).splitlines()[0]})",
            remedy="use a smaller batch_size (with accumulate), or precision: bf16",
        ) from error
    if fabric.is_global_zero:
        _write_results(folder, dataset, recipe, outcome, key, network)
    fabric.barrier()
    return outcome


def default_workers() -> int:
    """Reading processes: all cores but one, at most 8."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(0, min(8, cores - 1))


def _with_heads(recipe: Recipe, data: TrackDataset) -> Recipe:
    """Give the recipe's network the data's head, unless it names another."""
    heads = (HeadConfig(name=head_of_data(data), tracks=len(data.tracks)),)
    if recipe.model.heads not in ((), heads):
        named, found = (
            ", ".join(f"{head.name} of {head.tracks} tracks" for head in some)
            for some in (recipe.model.heads, heads)
        )
        raise ConfigError(
            f"the recipe's network has the heads {named}; the training set has {found}",
            where=data.path,
            remedy="leave `heads` out of the recipe, or use the training set it was made for",
        )
    return recipe.model_copy(update={"model": recipe.model.with_heads(heads)})


def _fabric(recipe: Recipe, accelerator: str, devices: int | str) -> Fabric:
    """Launch Fabric; what it refuses is bad input."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that fp16 becomes bf16 on a CPU: refused below
            fabric = Fabric(
                accelerator=accelerator,
                devices=devices,
                precision=_PRECISIONS[recipe.precision],  # type: ignore[arg-type]
            )
        fabric.launch()
    except (ValueError, TypeError, RuntimeError) as error:  # RuntimeError: no such device
        raise ConfigError(
            f"accelerator {accelerator!r} with devices {devices!r} cannot be used "
            f"({' '.join(str(error).split())})",
            remedy="use --accelerator cpu, or install a torch for the device",
        ) from error
    if recipe.precision == "fp16" and fabric.device.type != "cuda":
        raise ConfigError(
            "precision fp16 needs a CUDA device", remedy="use bf16 or float32 in the recipe"
        )
    return fabric


def _check_folder(folder: Path, *, resume: bool, overwrite: bool) -> None:
    """Refuse an output before any work; nothing is changed."""
    state = folder / STATE_NAME
    if folder.exists() and not folder.is_dir():
        raise OutputExistsError("is a file", where=folder, expected="a run folder to make")
    if resume:
        if not state.exists():
            done = (folder / "provenance.json").exists()
            begun = all((folder / name).exists() for name in _INPUTS) and not done
            raise MissingFileError(
                "holds no state to resume from" + (": the run has ended" if done else ""),
                where=folder,
                remedy="start anew with --overwrite" if begun or done else "leave out --resume",
            )
        return
    if state.exists() and not overwrite:
        raise OutputExistsError(
            "holds an interrupted run",
            where=folder,
            remedy="go on with --resume, or start anew with --overwrite",
        )
    refuse_existing(folder, overwrite=overwrite)
    used = folder.exists() and any(folder.iterdir())
    if used and not all((folder / name).exists() for name in _INPUTS):
        raise OutputExistsError(
            "is no run folder; nothing in it is removed", where=folder, remedy="name another"
        )


def _save_best(folder: Path, network: Network) -> None:
    save_weights(folder / _WEIGHTS, network, overwrite=True)


def _start(folder: Path, recipe: Recipe, data: TrackDataset) -> None:
    """Make the run folder (or empty it of an old run), and write what is known before training."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FtS2aError(
            f"the run folder cannot be made ({error.strerror})", where=folder
        ) from error
    for name in _RESULTS:
        (folder / name).unlink(missing_ok=True)
    splits: Splits = {}
    for chrom, start, end, name in data.header.splits:
        splits.setdefault(name, []).append(Interval(chrom, start, end))
    write_text(folder / "recipe.yaml", recipe_to_yaml(recipe), overwrite=True)
    write_text(folder / "config.json", recipe.model.model_dump_json(indent=1), overwrite=True)
    write_text(folder / "splits.bed", splits_to_bed(splits), overwrite=True)
    data.tracks.write(folder / "tracks.tsv", without=("file",), overwrite=True)


def _write_results(
    folder: Path,
    data: TrackDataset,
    recipe: Recipe,
    outcome: Outcome,
    key: str,
    network: Network,
) -> None:
    progress = outcome.progress
    if progress.rows:
        write_metrics(folder / METRICS_NAME, progress.rows)
        draw_curves(folder, progress.rows, data.tracks.tracks, progress.best_step)
    best = next((r for r in progress.rows if r["step"] == progress.best_step), {})
    provenance: dict[str, Any] = {
        "schema_version": 1,
        "outcome": outcome.reason,
        "steps": progress.step,
        "best_step": progress.best_step,
        "valid": {
            name: value if math.isfinite(value) else None
            for name, value in best.items()
            if name.startswith(("pearson", "valid_loss"))
        },
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
        "parameters": sum(p.numel() for p in network.parameters()),
        "seconds": round(progress.seconds, 1),
    }
    write_text(folder / "provenance.json", json.dumps(provenance, indent=1) + "\n", overwrite=True)
    if outcome.reason in ("finished", "patience"):
        (folder / STATE_NAME).unlink(missing_ok=True)
