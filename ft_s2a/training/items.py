"""Examples by their address: augmented for training, as they are for validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from ft_s2a.conventions.randomness import generator
from ft_s2a.data.augment import reverse, shift
from ft_s2a.data.dataset import TrackDataset
from ft_s2a.training.order import Key, numbered
from ft_s2a.training.recipe import Augmentation

Example = tuple[NDArray[np.uint8], NDArray[np.float32]]


class TrainingItems(Dataset[Example]):
    """Augmented examples of one or several data sets, addressed by :class:`Key`."""

    def __init__(self, sets: Sequence[TrackDataset], augmentation: Augmentation, seed: int) -> None:
        self._sets = list(sets)
        self._augmentation = augmentation
        self._seed = seed
        self._pairs = [data.tracks.pairs() for data in sets]

    def __getitem__(self, key: Key) -> Example:
        data, settings = self._sets[key.data], self._augmentation
        which = numbered(key.data)
        random = generator(self._seed, "augment", key.epoch, key.window, *which)
        # Always the same number of draws, so that one setting does not change another's draw.
        reverse_draw, shift_draw, start_draw = random.random(3)
        if settings.per == "batch":
            reverse_draw, shift_draw = generator(self._seed, "augment batch", key.batch).random(2)
        slack = data.header.target_bins - data.geometry.output_bins
        first = int(start_draw * (slack + 1)) if settings.random_start else 0
        codes, targets = data.item(key.window, first)
        if settings.shift:
            codes = shift(codes, int(shift_draw * (2 * settings.shift + 1)) - settings.shift)
        if reverse_draw < settings.reverse_complement:
            codes, targets = reverse(codes, targets, self._pairs[key.data])
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
