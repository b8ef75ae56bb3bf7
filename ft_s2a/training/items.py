"""Which examples a step sees: a pure function of (seed, step), so resume is a seek."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset, Sampler

from ft_s2a.conventions.randomness import generator
from ft_s2a.data.augment import reverse, shift
from ft_s2a.data.dataset import TrackDataset
from ft_s2a.training.recipe import Augmentation

Example = tuple[NDArray[np.uint8], NDArray[np.float32]]
Key = tuple[int, int]


class StepSampler(Sampler[list[Key]]):
    """Batches of (epoch, window index) from `first_step` on.

    Each epoch is one shuffle of all training windows; epochs follow each other without a seam, so
    no window is dropped.  With several ranks each takes its slice of the same global batch.

    Parameters
    ----------
    indices : int64 array
        Training windows.
    batch_size : int
        Global batch size.
    steps : int
        Batches in the whole run.
    first_step : int
        Batches already done.
    """

    def __init__(
        self,
        indices: NDArray[np.int64],
        *,
        batch_size: int,
        steps: int,
        seed: int,
        first_step: int = 0,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        self._indices = indices
        self._batch_size = batch_size
        self._steps = steps
        self._seed = seed
        self._first_step = first_step
        self._rank, self._ranks = rank, ranks

    def __len__(self) -> int:
        return self._steps - self._first_step

    def __iter__(self) -> Iterator[list[Key]]:
        count = len(self._indices)
        orders: dict[int, NDArray[np.int64]] = {}
        for step in range(self._first_step, self._steps):
            places = range(step * self._batch_size, (step + 1) * self._batch_size)
            keys = []
            for place in places[self._rank :: self._ranks]:
                epoch, position = divmod(place, count)
                if epoch not in orders:
                    shuffled = generator(self._seed, "order", epoch).permutation(self._indices)
                    orders = {k: v for k, v in orders.items() if k >= epoch - 1}
                    orders[epoch] = shuffled
                keys.append((epoch, int(orders[epoch][position])))
            yield keys


class TrainingItems(Dataset[Example]):
    """Augmented examples, addressed by (epoch, window index)."""

    def __init__(self, data: TrackDataset, augmentation: Augmentation, seed: int) -> None:
        self._data = data
        self._augmentation = augmentation
        self._seed = seed
        self._pairs = data.tracks.pairs()

    def __getitem__(self, key: Key) -> Example:
        epoch, index = key
        settings = self._augmentation
        random = generator(self._seed, "augment", epoch, index)
        # Always the same number of draws, so that one setting does not change another's draw.
        reverse_draw, shift_draw, start_draw = random.random(3)
        slack = self._data.header.target_bins - self._data.geometry.output_bins
        first = int(start_draw * (slack + 1)) if settings.random_start else 0
        codes, targets = self._data.item(index, first)
        if settings.shift:
            codes = shift(codes, int(shift_draw * (2 * settings.shift + 1)) - settings.shift)
        if reverse_draw < settings.reverse_complement:
            codes, targets = reverse(codes, targets, self._pairs)
        return np.ascontiguousarray(codes), np.ascontiguousarray(targets, dtype=np.float32)


class EvaluationItems(Dataset[Example]):
    """Every bin of a split once, without augmentation."""

    def __init__(self, data: TrackDataset, split: str) -> None:
        self._data = data
        self._indices = data.indices(split)

    def __len__(self) -> int:
        return len(self._indices) * self._data.parts

    def __getitem__(self, item: int) -> Example:
        index, part = divmod(item, self._data.parts)
        codes, targets = self._data.part(int(self._indices[index]), part)
        return np.ascontiguousarray(codes), np.ascontiguousarray(targets, dtype=np.float32)


def collate(examples: list[Example]) -> Any:
    """Stack examples into uint8 codes [B, L] and float32 targets [B, bins, T]."""
    import torch

    codes, targets = zip(*examples, strict=True)
    return torch.from_numpy(np.stack(codes)), torch.from_numpy(np.stack(targets))
