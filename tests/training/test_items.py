"""Which examples a step sees, whatever the workers and the ranks."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

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


@pytest.fixture
def data(training_set: Path) -> TrackDataset:
    return TrackDataset(training_set, geometry=Geometry(512, 16, 4))


def test_an_item_is_an_augmented_part_of_its_window(data: TrackDataset) -> None:
    settings = Augmentation(reverse_complement=0.5, shift=3)
    items = TrainingItems([data], settings, seed=7)
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
        codes, targets = items[Key(0, 0, epoch, index)]
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
    items = TrainingItems([data], settings, seed=7)
    for index in data.indices("train")[:3]:
        np.testing.assert_array_equal(items[Key(0, 0, 5, int(index))][0], data[int(index)][0])


def test_one_setting_does_not_change_anothers_draw(data: TrackDataset) -> None:
    index = int(data.indices("train")[0])
    plain = TrainingItems([data], Augmentation(reverse_complement=0), seed=1)
    moved = TrainingItems([data], Augmentation(reverse_complement=0, shift=2), seed=1)
    for epoch in range(10):
        np.testing.assert_array_equal(
            plain[Key(0, 0, epoch, index)][1], moved[Key(0, 0, epoch, index)][1]
        )


def found(data: TrackDataset, key: Key, **settings: Any) -> tuple[int, bool]:
    """Shift and strand of an example that was drawn."""
    drawn = TrainingItems([data, data], Augmentation(random_start=False, **settings), seed=7)[key]
    codes, targets = data.item(key.window)
    pairs = np.array([1, 0, 2])
    for by in range(-3, 4):
        for turned in (False, True):
            moved = shift(codes, by)
            expected = reverse(moved, targets, pairs) if turned else (moved, targets)
            if np.array_equal(drawn[0], expected[0]):
                np.testing.assert_array_equal(drawn[1], expected[1].astype(np.float32))
                return by, turned
    raise AssertionError("no augmentation of the window")


def test_one_draw_per_batch_holds_for_all_its_examples(data: TrackDataset) -> None:
    windows = [int(index) for index in data.indices("train")[:4]]
    draws = []
    for batch in range(40):
        # Whatever the data set and the epoch.
        keys = [Key(batch, number % 2, batch // 7, w) for number, w in enumerate(windows)]
        (draw,) = {found(data, key, per="batch", shift=3) for key in keys}
        draws.append(draw)
    shifts, turns = zip(*draws, strict=True)
    assert set(shifts) == set(range(-3, 4))
    assert 0.2 < np.mean(turns) < 0.8
    assert len({found(data, key, per="example", shift=3) for key in keys}) > 1


def test_the_first_bin_is_drawn_for_each_example_of_a_batch(data: TrackDataset) -> None:
    settings = Augmentation(per="batch", reverse_complement=0)
    items, index = TrainingItems([data], settings, seed=7), int(data.indices("train")[0])
    starts = {items[Key(0, 0, epoch, index)][1].tobytes() for epoch in range(20)}
    assert len(starts) > 5


def test_the_same_window_of_two_sets_is_drawn_apart(data: TrackDataset) -> None:
    items = TrainingItems([data, data], Augmentation(shift=3), seed=7)
    index = int(data.indices("train")[0])
    same = [
        np.array_equal(items[Key(0, 0, e, index)][0], items[Key(0, 1, e, index)][0])
        for e in range(10)
    ]
    assert not any(same)


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on a machine of one core
def test_items_do_not_depend_on_the_workers(data: TrackDataset) -> None:
    items = TrainingItems([data], Augmentation(shift=3), seed=1)

    def read(workers: int) -> list[torch.Tensor]:
        sampler = StepSampler(Order([data.indices("train")], batch_size=4, seed=1), end=6)
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
