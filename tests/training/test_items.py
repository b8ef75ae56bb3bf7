"""Which examples a step sees, whatever the workers and the ranks."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from ft_s2a.data import TrackDataset
from ft_s2a.data.augment import reverse, shift
from ft_s2a.geometry import Geometry
from ft_s2a.training.items import EvaluationItems, TrainingItems, collate
from ft_s2a.training.order import Key, Order, StepSampler
from ft_s2a.training.recipe import Augmentation

INDICES = np.array([3, 5, 8, 13, 21, 34, 55])


def sampled(**options: int) -> list[list[Key]]:
    settings = {"batch_size": 4, "steps": 30, "seed": 1, **options}
    return list(StepSampler(INDICES, **settings))


def test_each_epoch_holds_every_window_once() -> None:
    keys = [key for batch in sampled() for key in batch]
    assert all(len(batch) == 4 for batch in sampled())
    epochs: dict[int, list[int]] = {}
    for epoch, index in keys:
        epochs.setdefault(epoch, []).append(index)
    assert list(epochs) == sorted(epochs)
    *whole, last = epochs.values()
    assert all(sorted(indices) == INDICES.tolist() for indices in whole)
    assert len(set(last)) == len(last)
    assert len({tuple(indices) for indices in whole}) > len(whole) // 2  # shuffled anew


def test_a_batch_larger_than_the_data_spans_epochs() -> None:
    keys = [key for batch in sampled(batch_size=20, steps=7) for key in batch]
    assert Counter(index for _, index in keys) == dict.fromkeys(INDICES.tolist(), 20)


def test_seeking_equals_going_on() -> None:
    for first in (0, 1, 11, 29):
        assert sampled(first_step=first) == sampled()[first:]
    assert len(StepSampler(INDICES, batch_size=4, steps=30, seed=1, first_step=11)) == 19


def test_ranks_take_slices_of_the_same_global_batch() -> None:
    slices = [sampled(batch_size=6, rank=rank, ranks=3) for rank in range(3)]
    for step, batch in enumerate(sampled(batch_size=6)):
        parts = [some[step] for some in slices]
        assert all(len(part) == 2 for part in parts)
        assert sorted(key for part in parts for key in part) == sorted(batch)


def test_the_order_is_a_function_of_the_seed() -> None:
    assert sampled() == sampled()
    assert sampled() != sampled(seed=2)


@pytest.fixture
def data(training_set: Path) -> TrackDataset:
    return TrackDataset(training_set, geometry=Geometry(512, 16, 4))


def test_an_item_is_an_augmented_part_of_its_window(data: TrackDataset) -> None:
    settings = Augmentation(reverse_complement=0.5, shift=3)
    items = TrainingItems(data, settings, seed=7)
    index = int(data.indices("train")[4])
    pairs = np.array([1, 0, 2])
    choices = {}
    for first in range(56 - 24 + 1):
        codes, targets = data.item(index, first)
        for by in range(-3, 4):
            moved = shift(codes, by)
            for turned in (False, True):
                pair = reverse(moved, targets, pairs) if turned else (moved, targets)
                choices[pair[0].tobytes()] = (first, by, turned, pair[1])
    drawn = []
    for epoch in range(300):
        codes, targets = items[(epoch, index)]
        first, by, turned, expected = choices[codes.tobytes()]
        np.testing.assert_array_equal(targets, expected.astype(np.float32))
        assert targets.dtype == np.float32
        drawn.append((first, by, turned))
    firsts, shifts, turns = zip(*drawn, strict=True)
    assert set(firsts) == set(range(33))
    assert set(shifts) == set(range(-3, 4))
    assert 0.4 < np.mean(turns) < 0.6
    # Independent draws: no setting follows from another.
    assert abs(np.corrcoef(firsts, turns)[0, 1]) < 0.2
    assert abs(np.corrcoef(shifts, turns)[0, 1]) < 0.2


def test_without_augmentation_items_are_the_windows(data: TrackDataset) -> None:
    settings = Augmentation(reverse_complement=0, shift=0, random_start=False)
    items = TrainingItems(data, settings, seed=7)
    for index in data.indices("train")[:3]:
        np.testing.assert_array_equal(items[(5, int(index))][0], data[int(index)][0])


def test_one_setting_does_not_change_anothers_draw(data: TrackDataset) -> None:
    index = int(data.indices("train")[0])
    plain = TrainingItems(data, Augmentation(reverse_complement=0), seed=1)
    moved = TrainingItems(data, Augmentation(reverse_complement=0, shift=2), seed=1)
    for epoch in range(10):
        np.testing.assert_array_equal(plain[(epoch, index)][1], moved[(epoch, index)][1])


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on a machine of one core
def test_items_do_not_depend_on_the_workers(data: TrackDataset) -> None:
    items = TrainingItems(data, Augmentation(shift=3), seed=1)

    def read(workers: int) -> list[torch.Tensor]:
        sampler = StepSampler(data.indices("train"), batch_size=4, steps=6, seed=1)
        loader = DataLoader(
            items, batch_sampler=sampler, num_workers=workers, collate_fn=collate, timeout=60
        ) if workers else DataLoader(items, batch_sampler=sampler, collate_fn=collate)  # fmt: skip
        return [tensor for batch in loader for tensor in batch]

    for ours, theirs in zip(read(0), read(2), strict=True):
        assert torch.equal(ours.nan_to_num(-1), theirs.nan_to_num(-1))
        assert ours.dtype == theirs.dtype


def test_evaluation_sees_each_bin_of_a_split_once(toy: SimpleNamespace, data: TrackDataset) -> None:
    items = EvaluationItems(data, "valid")
    assert data.parts == 3  # 56 bins by 24: the last part repeats some, masked
    seen = np.concatenate([items[i][1] for i in range(len(items))])
    known = seen[~np.isnan(seen).any(axis=1)]
    stored = np.concatenate([data.targets(int(i)) for i in data.indices("valid")])
    np.testing.assert_array_equal(known, stored[~np.isnan(stored).any(axis=1)])


def test_collate_stacks_codes_and_targets() -> None:
    example = (np.zeros(8, dtype=np.uint8), np.ones((2, 3), dtype=np.float32))
    codes, targets = collate([example, example])
    assert (codes.shape, codes.dtype) == ((2, 8), torch.uint8)
    assert (targets.shape, targets.dtype) == ((2, 2, 3), torch.float32)
