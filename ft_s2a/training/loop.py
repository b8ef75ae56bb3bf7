"""The training loop: forward, loss, clip, step, average, validate, save.

Built on Lightning Fabric, so that devices, precision and ``torch.distributed`` launchers
(torchrun, SLURM, LSF) are Lightning's, while each step stays a pure function of (seed, step).
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
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
from ft_s2a.errors import ConfigError, DataError
from ft_s2a.models.layers import one_hot
from ft_s2a.models.network import Network
from ft_s2a.training import items
from ft_s2a.training.best import Best, mean, rank_of
from ft_s2a.training.ema import Ema
from ft_s2a.training.history import METRICS_NAME, Columns, Row, write_metrics
from ft_s2a.training.losses import poisson
from ft_s2a.training.optimizers import (
    clip_gradients,
    learning_rate,
    make_optimizer,
    set_learning_rate,
)
from ft_s2a.training.order import Order, StepSampler
from ft_s2a.training.recipe import Recipe
from ft_s2a.training.schedule import Schedule
from ft_s2a.training.sets import HeadSet, track_weights
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

    Each batch is of one head; a head that is not in a step's batches does not move in it, and
    neither does its momentum.  With several ranks, each computes the gradient of its slice of the
    batch and they are averaged; norms see the rank's slice.  Rank 0 validates and writes, and what
    it finds decides for all.

    Parameters
    ----------
    fabric : Fabric
        Launched.
    network : Network
        Fresh weights.
    sets : sequence of HeadSet
        One per head.
    recipe : Recipe
    folder : Path
        The resume state is kept here, and ``metrics.parquet``.
    key : str
        Hash of recipe and data set, to refuse the state of another run.
    workers : int
        Processes that read examples; the result does not depend on it.
    save_best : callable
        Called with the (averaged) network whenever validation improves, and with the heads that
        did; None among them is the mean over all.
    """

    def __init__(
        self,
        fabric: Fabric,
        network: Network,
        sets: Sequence[HeadSet],
        recipe: Recipe,
        *,
        folder: Path,
        key: str,
        workers: int,
        save_best: Callable[[Network, Sequence[str | None]], None],
    ) -> None:
        if recipe.batch_size % fabric.world_size:
            raise ConfigError(
                f"batch_size {recipe.batch_size} cannot be divided among {fabric.world_size} ranks",
                expected=f"a multiple of {fabric.world_size}",
            )
        self._fabric = fabric
        self._recipe = recipe
        self._sets = sets
        self._columns = columns_of(sets)
        self._folder = folder
        self._state_file = folder / STATE_NAME
        self._key = key
        self._workers = workers
        self._save_best = save_best
        self._raw = network.to(fabric.device)
        self._average = Ema(self._raw, recipe.ema_decay) if recipe.ema_decay else None
        self._optimizer: Any
        self._network, self._optimizer = fabric.setup(
            self._raw, make_optimizer(self._raw, recipe.optimizer)
        )
        self._weights = [track_weights(some, recipe).to(fabric.device) for some in sets]
        self._validation = [self._loader(items.EvaluationItems(s.data, "valid")) for s in sets]
        self._order = Order(
            [some.data.indices("train") for some in sets],
            batch_size=recipe.batch_size,
            seed=recipe.seed,
        )
        self._schedule = Schedule(recipe, self._order)
        self._progress = Progress(heads={some.head: Best() for some in sets})

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole run."""
        return self._schedule.steps

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
        progress, schedule = self._progress, self._schedule
        clock = time.monotonic() - progress.seconds
        deadline = math.inf if max_minutes is None else time.monotonic() + 60 * max_minutes
        self._network.train()
        with stop_signal() as stopped, self._bar() as bar:
            batches = self._batches()
            while progress.step < schedule.steps:
                if self._out_of_patience():  # also when a run ended so is resumed
                    return Outcome("patience", progress)
                losses, stop, late = self._agreed(
                    self._step(batches), stopped.is_set(), time.monotonic() > deadline
                )
                self._note_losses(losses)
                progress.step += 1
                progress.seconds = time.monotonic() - clock
                last = progress.step == schedule.steps
                if schedule.validates(progress.step):
                    self._validate()
                bar.advance(note=self._note(losses))
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
        return shown.bar("training", self.steps, unit="steps", done=done)

    def _out_of_patience(self) -> bool:
        patience = self._recipe.validation.patience
        return patience is not None and self._progress.unimproved > patience

    def _agreed(
        self, losses: list[float], stop: bool, late: bool
    ) -> tuple[list[float], bool, bool]:
        """Mean losses of the ranks, and what any of them was told: they must leave together."""
        if self._fabric.world_size == 1:
            return losses, stop, late
        told = torch.tensor([stop, late, *losses], dtype=torch.float32, device=self._fabric.device)
        reduced: Any = self._fabric.all_reduce(told, reduce_op="mean")
        stopped, timed_out, *means = reduced.tolist()
        return means, stopped > 0, timed_out > 0

    def _batch(self, part: int) -> int:
        """Number of the batch that is the given part of the step in hand."""
        return self._progress.step * self._recipe.accumulate + part

    def _note_losses(self, losses: Sequence[float]) -> None:
        for part, loss in enumerate(losses):
            some = self._sets[self._order.data_of(self._batch(part))]
            if not math.isfinite(loss):
                of_head = f" of head {some.head}" if len(self._sets) > 1 else ""
                raise DataError(
                    f"the loss{of_head} is {loss} at step {self._progress.step}",
                    remedy="lower the learning rate, clip gradients, or look at the targets' "
                    "maxima with 'ft-s2a data show'",
                )
            self._progress.note_loss(some.head, loss)

    def _step(self, batches: Iterator[tuple[Tensor, Tensor]]) -> list[float]:
        """One optimizer step; dropout depends on (seed, step, rank) alone.

        Returns
        -------
        list of float
            Loss of each of the step's batches.
        """
        recipe, step, fabric = self._recipe, self._progress.step, self._fabric
        torch.manual_seed(draw_seed(recipe.seed, "dropout", step, fabric.global_rank))
        set_learning_rate(self._optimizer, learning_rate(recipe.optimizer, step, self.steps))
        # None, not zero: a head without a batch in this step must keep weights and momentum.
        self._optimizer.zero_grad(set_to_none=True)
        losses = []
        for part in range(recipe.accumulate):
            which = self._order.data_of(self._batch(part))
            codes, targets = next(batches)
            codes, targets = codes.to(fabric.device), targets.to(fabric.device)
            joined = part == recipe.accumulate - 1
            with fabric.no_backward_sync(self._network, enabled=not joined):
                predicted = self._network(one_hot(codes), self._sets[which].head)
                loss = poisson(predicted, targets, self._weights[which])
                fabric.backward(loss / recipe.accumulate)
            losses.append(float(loss.detach()))
        if recipe.clipping.kind != "none":
            # fp16 gradients are scaled up; their norm is meant without.
            fabric.strategy.precision.unscale_gradients(self._optimizer.optimizer)
            clip_gradients(self._raw, recipe.clipping)
        self._optimizer.step()
        if self._average is not None:
            self._average.update(self._raw)
        return losses

    def _validate(self) -> None:
        """Score the (averaged) network, keep it where it is the best, and save the state."""
        progress, recipe = self._progress, self._recipe
        found = self._scores()
        row: Row = {
            "step": progress.step,
            "lr": learning_rate(recipe.optimizer, progress.step - 1, self.steps),
        }
        if len(found) > 1:
            row["pearson"] = mean(scores.mean_pearson for scores in found)
        always, kept = recipe.validation.keep == "last", list[str | None]()
        for some, scores, columns in zip(self._sets, found, self._columns, strict=True):
            row |= columns.row(
                train_loss=progress.mean_loss(some.head),
                valid_loss=scores.loss,
                pearson=scores.mean_pearson,
                constant_tracks=scores.constant_tracks,
                per_track=scores.pearson,
            )
            best = progress.heads[some.head]
            if best.offer(rank_of(scores.mean_pearson), progress.step, always=always):
                kept.append(some.head)
        score = mean(rank_of(scores.mean_pearson) for scores in found)
        if progress.whole.offer(score, progress.step, always=always):
            kept.append(None)
        progress.rows.append(row)
        progress.losses = {}
        if self._fabric.is_global_zero:
            self._report(found, row, kept)
            if kept:
                self._save_best(self._evaluated, kept)
            write_metrics(self._folder / METRICS_NAME, progress.rows)
        self._save()

    def _report(self, found: Sequence[Scores], row: Row, kept: Sequence[str | None]) -> None:
        for some, scores, columns in zip(self._sets, found, self._columns, strict=True):
            _log.info(
                "step %d of %d%s: training loss %.4f, validation loss %.4f, r %.4f%s%s",
                self._progress.step,
                self.steps,
                f", {some.head}" if len(found) > 1 else "",
                row[columns.name("train_loss")],
                scores.loss,
                scores.mean_pearson,
                " (kept)" if some.head in kept else "",
                f", {scores.constant_tracks} constant tracks" if scores.constant_tracks else "",
            )

    @property
    def _evaluated(self) -> Network:
        return self._raw if self._average is None else self._average.network

    def _scores(self) -> list[Scores]:
        """Scores of each head; rank 0 finds them."""
        fabric, scores = self._fabric, None
        if fabric.is_global_zero:
            scores = [
                validate(
                    self._evaluated,
                    loader,
                    some.head,
                    transform=self._recipe.validation.transform,
                    device=fabric.device,
                    autocast=fabric.autocast,
                )
                for some, loader in zip(self._sets, self._validation, strict=True)
            ]
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
        sampler = StepSampler(
            self._order,
            first=self._batch(0),
            end=self.steps * recipe.accumulate,
            rank=fabric.global_rank,
            ranks=fabric.world_size,
        )
        sets = [some.data for some in self._sets]
        examples = items.TrainingItems(sets, recipe.augmentation, recipe.seed)
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

    def _note(self, losses: Sequence[float]) -> str:
        rows = self._progress.rows
        r = f"  r {rows[-1]['pearson']:.3f}" if rows else ""
        return f"epoch {self._schedule.epochs(self._progress.step) + 1}  loss {mean(losses):.3f}{r}"


def columns_of(sets: Sequence[HeadSet]) -> list[Columns]:
    """Columns of each head in the metrics."""
    return [Columns(f"{some.head}." if len(sets) > 1 else "", some.tracks.tracks) for some in sets]
