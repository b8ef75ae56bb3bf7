"""``train``: a recipe and training sets become a run folder."""

from __future__ import annotations

import logging
import os
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric
from lightning.fabric.strategies.ddp import DDPStrategy

from ft_s2a.conventions.randomness import draw_seed
from ft_s2a.errors import ConfigError, FtS2aError
from ft_s2a.models.builder import build
from ft_s2a.models.enformer import Enformer
from ft_s2a.models.freezing import freeze
from ft_s2a.training.estimate import step_memory
from ft_s2a.training.folder import check_folder, save_best, start_folder, write_results
from ft_s2a.training.loop import Outcome, TrainingLoop, columns_of
from ft_s2a.training.recipe import Recipe
from ft_s2a.training.sets import Paths, fit_crop, open_sets, run_key, with_heads

_log = logging.getLogger(__name__)

_PRECISIONS = {"float32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}


def train(
    recipe: Recipe,
    data: Paths,
    out: str | Path,
    *,
    fasta: Paths | None = None,
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
    data : path, or mapping of head to path
        Training set with a train and a valid split, or one for each head, as in
        ``{"human": "human.zarr", "mouse": "mouse.zarr"}``; the head of a mapping replaces the one
        that the set's tracks name.  Sequences are checked by checksum.
    out : str or Path
        Run folder: ``config.json``, ``weights.safetensors`` (best by validation),
        ``metrics.parquet``, ``curves.png/.svg``, ``recipe.yaml``, ``tracks.tsv``, ``splits.bed``,
        ``provenance.json``; and ``resume.pt`` until the run has finished.  ``metrics.parquet``
        and the weights are up to date after each validation.  With several heads
        ``weights.safetensors`` is the best by the mean over them,
        ``weights.<head>.safetensors`` the trunk and that head where that head was best, and
        there is a ``splits.<head>.bed`` for each.
    fasta : path, or mapping of head to path, optional
        Genomes that are not where the sets were built.
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

        sets = {"human": "human.zarr", "mouse": "mouse.zarr"}
        train(load_recipe("basenji2-kelley2020"), sets, "runs/kelley2020")
    """
    if resume and overwrite:
        raise FtS2aError("--resume and --overwrite exclude each other", remedy="choose one")
    folder = Path(out)
    check_folder(folder, resume=resume, overwrite=overwrite)
    recipe = fit_crop(recipe, data)
    sets = open_sets(recipe, data, fasta)
    recipe = with_heads(recipe, sets)
    key = run_key(recipe, sets)
    fabric = _fabric(recipe, accelerator, devices)
    torch.manual_seed(draw_seed(recipe.seed, "weights"))
    network = build(recipe.model)
    if isinstance(network, Enformer):
        network.checkpoint = recipe.checkpointing
    frozen = freeze(network, recipe.frozen)
    if fabric.is_global_zero:
        if frozen:
            _log.info("frozen: %s", ", ".join(frozen))
        if (expected := step_memory(recipe, ranks=fabric.world_size)) is not None:
            _log.info("a training step takes about %s", expected)
    try:
        loop = TrainingLoop(
            fabric,
            network,
            sets,
            recipe,
            folder=folder,
            key=key,
            workers=default_workers() if workers is None else workers,
            save_best=partial(save_best, folder),
        )
        if resume:
            _log.info("resuming at step %d of %d", loop.resume(), loop.steps)
        elif fabric.is_global_zero:
            start_folder(folder, recipe, sets)
        fabric.barrier()
        outcome = loop.run(max_minutes=max_minutes)
    except torch.cuda.OutOfMemoryError as error:
        raise FtS2aError(
            f"the device ran out of memory ({str(error).splitlines()[0]})",
            remedy="use a smaller batch_size (with accumulate), precision: bf16, or (of an "
            "enformer) checkpointing: tower; `ft-s2a train RECIPE --estimate` says what they save",
        ) from error
    if fabric.is_global_zero:
        write_results(
            folder,
            recipe,
            sets,
            columns_of(sets),
            outcome.progress,
            outcome=outcome.reason,
            key=key,
            parameters=sum(p.numel() for p in network.parameters()),
        )
    fabric.barrier()
    return outcome


def default_workers() -> int:
    """Reading processes: all cores but one, at most 8."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(0, min(8, cores - 1))


def _fabric(recipe: Recipe, accelerator: str, devices: int | str) -> Fabric:
    """Launch Fabric; what it refuses is bad input."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that fp16 becomes bf16 on a CPU: refused below
            options: dict[str, Any] = {
                "accelerator": accelerator,
                "devices": devices,
                "precision": _PRECISIONS[recipe.precision],
            }
            fabric = Fabric(**options)
            if len(recipe.model.heads) > 1 and isinstance(fabric.strategy, DDPStrategy):
                # A step leaves heads out, for whose gradients the ranks would wait.
                fabric = Fabric(**options, strategy=DDPStrategy(find_unused_parameters=True))
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
