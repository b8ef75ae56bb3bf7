"""The run folder: what a run writes, and what it refuses to write over."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from ft_s2a import __version__
from ft_s2a.checkpoint.files import save_weights
from ft_s2a.conventions.atomic import refuse_existing, write_text
from ft_s2a.data.splits import Splits, splits_to_bed
from ft_s2a.errors import FtS2aError, MissingFileError, OutputExistsError
from ft_s2a.geometry import Interval
from ft_s2a.models.builder import build
from ft_s2a.models.config import head_of
from ft_s2a.models.network import Network
from ft_s2a.training.best import Best
from ft_s2a.training.history import METRICS_NAME, Columns, draw_curves, write_metrics
from ft_s2a.training.recipe import Recipe, recipe_to_yaml
from ft_s2a.training.sets import HeadSet, all_tracks
from ft_s2a.training.state import STATE_NAME, Progress

_CONFIG = "config.json"
_WEIGHTS = "weights.safetensors"
_SPLITS = "splits.bed"
# What every run folder holds from its start; --overwrite takes nothing else for one.
_INPUTS = ("recipe.yaml", _CONFIG, "tracks.tsv")
_RESULTS = (_WEIGHTS, METRICS_NAME, "curves.png", "curves.svg", "provenance.json", STATE_NAME)
_PACKAGES = ("torch", "lightning", "numpy", "zarr", "pandas", "pyBigWig", "pyfaidx", "safetensors")


def check_folder(folder: Path, *, resume: bool, overwrite: bool) -> None:
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


def start_folder(folder: Path, recipe: Recipe, sets: Sequence[HeadSet]) -> None:
    """Make the run folder (or empty it of an old run), and write what is known before training."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FtS2aError(
            f"the run folder cannot be made ({error.strerror})", where=folder
        ) from error
    for name in (*_RESULTS, _SPLITS, *_files_of_heads(folder)):
        (folder / name).unlink(missing_ok=True)
    write_text(folder / "recipe.yaml", recipe_to_yaml(recipe), overwrite=True)
    write_text(folder / _CONFIG, recipe.model.model_dump_json(indent=1), overwrite=True)
    for some in sets:
        splits: Splits = {}
        for chrom, start, end, name in some.data.header.splits:
            splits.setdefault(name, []).append(Interval(chrom, start, end))
        file = _SPLITS if len(sets) == 1 else _of_head(_SPLITS, some.head)
        write_text(folder / file, splits_to_bed(splits), overwrite=True)
    all_tracks(sets).write(folder / "tracks.tsv", without=("file",), overwrite=True)


def save_best(folder: Path, network: Network, kept: Sequence[str | None]) -> None:
    """Write the weights that a validation found to be the best so far.

    Parameters
    ----------
    folder : Path
    network : Network
    kept : sequence of str or None
        Heads that got better; None is the mean over all.  A network of one head is one file.
    """
    several = len(network.config.heads) > 1
    for head in kept:
        if head is None:
            save_weights(folder / _WEIGHTS, network, overwrite=True)
        elif several:
            save_weights(
                folder / _of_head(_WEIGHTS, head), only_head(network, head), overwrite=True
            )


def only_head(network: Network, head: str) -> Network:
    """Share the weights of a network, without its other heads."""
    config = network.config.with_heads((head_of(network.config, head),))
    with torch.device("meta"):  # no random weights: they would move torch's seed
        alone = build(config)
    names = set(alone.state_dict())
    state = {name: value for name, value in network.state_dict().items() if name in names}
    alone.load_state_dict(state, assign=True)
    return alone.train(network.training)


def write_results(
    folder: Path,
    recipe: Recipe,
    sets: Sequence[HeadSet],
    columns: Sequence[Columns],
    progress: Progress,
    *,
    outcome: str,
    key: str,
    parameters: int,
) -> None:
    """Write metrics, curves and provenance at the end of a run, and drop a state not needed."""
    bests = [progress.heads[some.head] for some in sets]
    if progress.rows:
        write_metrics(folder / METRICS_NAME, progress.rows)
        steps = [best.step for best in bests]
        draw_curves(folder, progress.rows, list(zip(columns, steps, strict=True)))
    provenance: dict[str, Any] = {
        "schema_version": 1,
        "outcome": outcome,
        "steps": progress.step,
        "best_step": progress.best_step,
        "valid": _valid(progress, progress.whole, Columns("", ())),
    }
    if len(sets) > 1:
        provenance["heads"] = {
            some.head: {"best_step": best.step, "valid": _valid(progress, best, own)}
            for some, best, own in zip(sets, bests, columns, strict=True)
        }
    provenance |= {
        "seed": recipe.seed,
        "key": key,
        "data": _data(sets[0]) if len(sets) == 1 else {some.head: _data(some) for some in sets},
        "versions": {
            "ft_s2a": __version__,
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in _PACKAGES},
        },
        "parameters": parameters,
        "seconds": round(progress.seconds, 1),
    }
    write_text(folder / "provenance.json", json.dumps(provenance, indent=1) + "\n", overwrite=True)
    if outcome in ("finished", "patience"):
        (folder / STATE_NAME).unlink(missing_ok=True)


def _valid(progress: Progress, best: Best, columns: Columns) -> dict[str, float | None]:
    """Losses and r at the best step."""
    row = next((row for row in progress.rows if row["step"] == best.step), {})
    return {
        name: value if math.isfinite(value) else None
        for name, value in columns.own(row).items()
        if any(part in ("valid_loss", "pearson") for part in name.split(".")[:2])
    }


def _data(some: HeadSet) -> dict[str, Any]:
    data = some.data
    return {
        "name": data.path.name,
        "checksum": data.checksum,
        "contigs": {k: v.model_dump() for k, v in data.header.contigs.items()},
        "provenance": data.header.provenance,
        "windows": data.windows["split"].value_counts().to_dict(),
    }


def _of_head(file: str, head: str) -> str:
    stem, suffix = file.split(".")
    return f"{stem}.{head}.{suffix}"


def _files_of_heads(folder: Path) -> Iterator[str]:
    """Files that an earlier run in the folder wrote for its heads."""
    try:
        config = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
        heads = [str(head["name"]) for head in config["heads"]]
    except (OSError, ValueError, KeyError, TypeError):
        return
    for head in heads:
        yield from (_of_head(file, head) for file in (_WEIGHTS, _SPLITS))
