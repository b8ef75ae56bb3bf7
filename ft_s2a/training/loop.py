"""The training loop: forward, loss, clip, step, average, validate, save.

Built on Lightning Fabric, so that devices, precision and ``torch.distributed`` launchers
(torchrun, SLURM, LSF) are Lightning's, while each step stays a pure function of (seed, step).
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import Tensor
from torch.utils.data import DataLoader

from ft_s2a.conventions import progress as shown
from ft_s2a.conventions.randomness import draw_seed
from ft_s2a.data.dataset import TrackDataset
from ft_s2a.errors import ConfigError, DataError
from ft_s2a.models.layers import one_hot
from ft_s2a.models.network import Network
from ft_s2a.training import items
from ft_s2a.training.ema import Ema
from ft_s2a.training.history import METRICS_NAME, write_metrics
from ft_s2a.training.losses import poisson
from ft_s2a.training.optimizers import (
    clip_gradients,
    learning_rate,
    make_optimizer,
    set_learning_rate,
)
from ft_s2a.training.recipe import Recipe
from ft_s2a.training.state import STATE_NAME, Progress, load_state, save_state
from ft_s2a.training.stopping import leave_signals_to_parent, stop_signal
from ft_s2a.training.validation import Scores, validate

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """Why the loop ended: ``finished``, ``patience``, ``time`` or ``interrupted``.

    After the last two the state is kept, and the run can be resumed.
    """

    reason: str
    progress: Progress


class TrainingLoop:
    """One run: network, data and recipe brought together.

    With several ranks, each computes the gradient of its slice of the batch and they are averaged;
    norms see the rank's slice.  Rank 0 validates and writes, and what it finds decides for all.

    Parameters
    ----------
    fabric : Fabric
        Launched.
    network : Network
        Fresh weights.
    data : TrackDataset
        With a train and a valid split.
    recipe : Recipe
    folder : Path
        The resume state is kept here, and ``metrics.parquet``.
    key : str
        Hash of recipe and data set, to refuse the state of another run.
    workers : int
        Processes that read examples; the result does not depend on it.
    save_best : callable
        Called with the (averaged) network whenever validation improves.
    """

    def __init__(
        self,
        fabric: Fabric,
        network: Network,
        data: TrackDataset,
        recipe: Recipe,
        *,
        folder: Path,
        key: str,
        workers: int,
        save_best: Callable[[Network], None],
    ) -> None:
        if recipe.batch_size % fabric.world_size:
            raise ConfigError(
                f"batch_size {recipe.batch_size} cannot be divided among {fabric.world_size} ranks",
                expected=f"a multiple of {fabric.world_size}",
            )
        self._fabric = fabric
        self._recipe = recipe
        self._data = data
        self._folder = folder
        self._state_file = folder / STATE_NAME
        self._key = key
        self._workers = workers
        self._save_best = save_best
        self._head = head_of_data(data)
        self._raw = network.to(fabric.device)
        self._average = Ema(self._raw, recipe.ema_decay) if recipe.ema_decay else None
        self._optimizer: Any
        self._network, self._optimizer = fabric.setup(
            self._raw, make_optimizer(self._raw, recipe.optimizer)
        )
        self._weights = track_weights(data, recipe).to(fabric.device)
        self._validation = self._loader(items.EvaluationItems(data, "valid"))
        self._progress = Progress()

    def resume(self) -> int:
        """Restore the state that an interrupted run left; returns the step reached.

        Raises
        ------
        ConfigError, FormatError
            When the state is of another run, or damaged.
        """
        self._progress, parts = load_state(self._state_file, key=self._key)
        self._raw.load_state_dict(parts["network"])
        self._optimizer.load_state_dict(parts["optimizer"])
        self._fabric.strategy.precision.load_state_dict(parts["precision"])
        if self._average is not None:
            self._average.load_state_dict(parts["average"])
        return self._progress.step

    def run(self, *, max_minutes: float | None = None) -> Outcome:
        """Train until the recipe's end, the patience, the time or Ctrl-C.

        Time and Ctrl-C change nothing that a resumed run would not do as well; only a run that is
        out of time before its first validation makes one then, to have weights.
        """
        recipe, progress = self._recipe, self._progress
        clock = time.monotonic() - progress.seconds
        deadline = math.inf if max_minutes is None else time.monotonic() + 60 * max_minutes
        self._network.train()
        with stop_signal() as stopped, self._bar() as bar:
            batches = self._batches()
            while progress.step < recipe.steps:
                if self._out_of_patience():  # also when a run ended so is resumed
                    return Outcome("patience", progress)
                loss, stop, late = self._agreed(
                    self._step(batches), stopped.is_set(), time.monotonic() > deadline
                )
                if not math.isfinite(loss):
                    raise DataError(
                        f"the loss is {loss} at step {progress.step}",
                        remedy="lower the learning rate, clip gradients, or look at the targets' "
                        "maxima with 'ft-s2a data show'",
                    )
                progress.loss_sum += loss
                progress.loss_steps += 1
                progress.step += 1
                progress.seconds = time.monotonic() - clock
                last = progress.step == recipe.steps
                if last or progress.step % recipe.validation.every_steps == 0:
                    self._validate()
                bar.advance(note=self._note(loss))
                if stop and not last:
                    self._save()
                    return Outcome("interrupted", progress)
                if late and not last:
                    if not progress.rows:
                        self._validate()
                    self._save()
                    return Outcome("time", progress)
        return Outcome("finished", progress)

    def _bar(self) -> AbstractContextManager[shown.Bar]:
        if not self._fabric.is_global_zero:
            return nullcontext(shown.Bar(None, 0))
        done = self._progress.step
        return shown.bar("training", self._recipe.steps, unit="steps", done=done)

    def _out_of_patience(self) -> bool:
        patience = self._recipe.validation.patience
        return patience is not None and self._progress.unimproved > patience

    def _agreed(self, loss: float, stop: bool, late: bool) -> tuple[float, bool, bool]:
        """Mean loss of the ranks, and what any of them was told: they must leave together."""
        if self._fabric.world_size == 1:
            return loss, stop, late
        told = torch.tensor([loss, stop, late], dtype=torch.float32, device=self._fabric.device)
        mean: Any = self._fabric.all_reduce(told, reduce_op="mean")
        return float(mean[0]), bool(mean[1] > 0), bool(mean[2] > 0)

    def _step(self, batches: Iterator[tuple[Tensor, Tensor]]) -> float:
        """One optimizer step; dropout depends on (seed, step, rank) alone."""
        recipe, step, fabric = self._recipe, self._progress.step, self._fabric
        torch.manual_seed(draw_seed(recipe.seed, "dropout", step, fabric.global_rank))
        set_learning_rate(self._optimizer, learning_rate(recipe.optimizer, step, recipe.steps))
        self._optimizer.zero_grad(set_to_none=True)
        total = 0.0
        for part in range(recipe.accumulate):
            codes, targets = next(batches)
            codes, targets = codes.to(fabric.device), targets.to(fabric.device)
            joined = part == recipe.accumulate - 1
            with fabric.no_backward_sync(self._network, enabled=not joined):
                predicted = self._network(one_hot(codes), self._head)
                loss = poisson(predicted, targets, self._weights) / recipe.accumulate
                fabric.backward(loss)
            total += float(loss.detach())
        if recipe.clipping.kind != "none":
            # fp16 gradients are scaled up; their norm is meant without.
            fabric.strategy.precision.unscale_gradients(self._optimizer.optimizer)
            clip_gradients(self._raw, recipe.clipping)
        self._optimizer.step()
        if self._average is not None:
            self._average.update(self._raw)
        return total

    def _validate(self) -> None:
        """Score the (averaged) network, keep it when it is the best, and save the state."""
        progress, recipe = self._progress, self._recipe
        scores = self._scores()
        row = {
            "step": progress.step,
            "lr": learning_rate(recipe.optimizer, progress.step - 1, recipe.steps),
            "train_loss": progress.loss_sum / max(1, progress.loss_steps),
            "valid_loss": scores.loss,
            "pearson": scores.mean_pearson,
            "constant_tracks": scores.constant_tracks,
        }
        for name, r in zip(self._data.tracks.names, scores.pearson, strict=True):
            row[f"pearson.{name}"] = float(r)
        progress.rows.append(row)
        progress.loss_sum, progress.loss_steps = 0.0, 0
        # A network that predicts constants has no r, and is better than none.
        r = -1.0 if math.isnan(scores.mean_pearson) else scores.mean_pearson
        if r > progress.best or recipe.validation.keep == "last":
            progress.best, progress.best_step, progress.unimproved = r, progress.step, 0
        else:
            progress.unimproved += 1
        if self._fabric.is_global_zero:
            _log.info(
                "step %d of %d: training loss %.4f, validation loss %.4f, r %.4f%s%s",
                progress.step,
                recipe.steps,
                row["train_loss"],
                scores.loss,
                scores.mean_pearson,
                " (kept)" if progress.best_step == progress.step else "",
                f", {scores.constant_tracks} constant tracks" if scores.constant_tracks else "",
            )
            if progress.best_step == progress.step:
                self._save_best(self._evaluated)
            write_metrics(self._folder / METRICS_NAME, progress.rows)
        self._save()

    @property
    def _evaluated(self) -> Network:
        return self._raw if self._average is None else self._average.network

    def _scores(self) -> Scores:
        fabric, scores = self._fabric, None
        if fabric.is_global_zero:
            scores = validate(
                self._evaluated,
                self._validation,
                self._head,
                transform=self._recipe.validation.transform,
                device=fabric.device,
                autocast=fabric.autocast,
            )
        found = fabric.broadcast(scores)
        assert found is not None
        return found

    def _save(self) -> None:
        if self._fabric.is_global_zero:
            parts = {
                "network": self._raw.state_dict(),
                "optimizer": self._optimizer.state_dict(),
                "precision": self._fabric.strategy.precision.state_dict(),
            }
            if self._average is not None:
                parts["average"] = self._average.state_dict()
            save_state(self._state_file, key=self._key, progress=self._progress, parts=parts)
        self._fabric.barrier()

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        recipe, fabric = self._recipe, self._fabric
        sampler = items.StepSampler(
            self._data.indices("train"),
            batch_size=recipe.batch_size,
            steps=recipe.steps * recipe.accumulate,
            first_step=self._progress.step * recipe.accumulate,
            seed=recipe.seed,
            rank=fabric.global_rank,
            ranks=fabric.world_size,
        )
        examples = items.TrainingItems(self._data, recipe.augmentation, recipe.seed)
        return iter(self._loader(examples, batch_sampler=sampler))

    def _loader(self, examples: Any, **options: Any) -> DataLoader[Any]:
        if "batch_sampler" not in options:
            options["batch_size"] = self._recipe.batch_size
        return DataLoader(
            examples,
            num_workers=self._workers,
            collate_fn=items.collate,
            pin_memory=self._fabric.device.type == "cuda",
            worker_init_fn=leave_signals_to_parent,
            **options,
        )

    def _note(self, loss: float) -> str:
        rows = self._progress.rows
        r = f"  r {rows[-1]['pearson']:.3f}" if rows else ""
        return f"loss {loss:.3f}{r}"


def head_of_data(data: TrackDataset) -> str:
    """Return the head that a data set trains: its tracks must name one."""
    heads = data.tracks.heads
    if len(heads) != 1:
        raise DataError(
            f"the tracks name {len(heads)} heads ({', '.join(heads)})",
            where=data.path,
            expected="one head per data set",
        )
    return heads[0]


def track_weights(data: TrackDataset, recipe: Recipe) -> Tensor:
    """Loss weights, mean 1: all equal, or 1 / null Poisson deviance of the training bins."""
    if recipe.track_weights == "none":
        return torch.ones(len(data.tracks))
    deviances = [s.null_deviance for s in data.header.statistics]
    for track, deviance in zip(data.tracks, deviances, strict=True):
        if not deviance > 0:
            raise DataError(
                f"track {track.name!r} is constant over the training bins",
                where=data.path,
                remedy="leave it out, or use track_weights: none",
            )
    weights = 1.0 / torch.tensor(deviances, dtype=torch.float64)
    return (weights / weights.mean()).float()
