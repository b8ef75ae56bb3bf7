"""Which windows each batch holds, for one data set and for several, whatever the ranks."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest

from ft_s2a.conventions.randomness import generator
from ft_s2a.training import Recipe
from ft_s2a.training.order import Key, Order, StepSampler
from ft_s2a.training.schedule import Schedule

INDICES = np.array([3, 5, 8, 13, 21, 34, 55])
SETS = [INDICES, np.arange(100, 117), np.array([7])]


def sampled(
    *sets: np.ndarray, batch_size: int = 4, end: int = 30, seed: int = 1, **options: int
) -> list[list[Key]]:
    order = Order(sets or [INDICES], batch_size=batch_size, seed=seed)
    return list(StepSampler(order, end=end, **options))


@pytest.mark.parametrize("sets", [SETS[:1], SETS[:2], SETS], ids=len)
@pytest.mark.parametrize("batch_size", [1, 4, 5, 40])
def test_each_epoch_of_a_set_holds_every_window_once(
    sets: list[np.ndarray], batch_size: int
) -> None:
    batches = sampled(*sets, batch_size=batch_size, end=200)
    assert all(len(batch) == batch_size for batch in batches)
    assert [{key.batch for key in batch} for batch in batches] == [{n} for n in range(200)]
    assert all(len({key.data for key in batch}) == 1 for batch in batches)
    for data, indices in enumerate(sets):
        epochs: dict[int, list[int]] = {}
        for batch in batches:
            for key in batch:
                if key.data == data:
                    epochs.setdefault(key.epoch, []).append(key.window)
        assert list(epochs) == list(range(len(epochs)))  # in order, none left out
        *whole, last = epochs.values()
        assert all(sorted(windows) == sorted(indices) for windows in whole)
        assert len(set(last)) == len(last)
        if len(indices) > 1:
            assert len({tuple(windows) for windows in whole}) > len(whole) // 2  # anew each time


@pytest.mark.parametrize("batch_size", [1, 4, 5, 40])
def test_an_epoch_has_its_share_of_each_sets_batches_in_a_shuffled_order(batch_size: int) -> None:
    order = Order(SETS, batch_size=batch_size, seed=3)
    counts = [len(indices) for indices in SETS]
    orders = []
    for epoch in range(40):
        first, end = order.batches(epoch), order.batches(epoch + 1)
        found = [order.data_of(batch) for batch in range(first, end)]
        assert Counter(found) == Counter(
            {
                d: share
                for d, n in enumerate(counts)
                if (share := (epoch + 1) * n // batch_size - epoch * n // batch_size)
            }
        )
        orders.append(tuple(found))
        for batch in range(first, end):
            assert order.epochs(batch) == epoch
    if batch_size == 1:
        assert len(set(orders)) == 40
        # Shuffled, not one set after the other: a set follows itself as often as by chance.
        follows = np.mean([a == b for some in orders for a, b in itertools.pairwise(some)])
        chance = sum(n * (n - 1) for n in counts) / (sum(counts) * (sum(counts) - 1))
        assert follows == pytest.approx(chance, abs=0.08)


def test_one_set_is_one_stream_of_permutations() -> None:
    stream = [
        int(window)
        for epoch in range(20)
        for window in generator(1, "order", epoch).permutation(INDICES)
    ]
    keys = [key for batch in sampled() for key in batch]
    assert [key.window for key in keys] == stream[:120]
    assert [key.epoch for key in keys] == [place // 7 for place in range(120)]


def test_the_first_set_is_drawn_as_if_it_were_alone() -> None:
    alone = [key.window for batch in sampled(end=20) for key in batch]
    batches = sampled(*SETS, end=100)
    beside = [key.window for batch in batches for key in batch if key.data == 0]
    assert beside[:80] == alone
    twins = sampled(INDICES, INDICES, end=100)
    first, second = (
        [key.window for batch in twins for key in batch if key.data == data] for data in (0, 1)
    )
    assert first[:80] != second[:80]


def test_seeking_equals_going_on() -> None:
    for sets in ([INDICES], SETS):
        for first in (0, 1, 11, 29):
            assert sampled(*sets, first=first) == sampled(*sets)[first:]
    assert len(StepSampler(Order([INDICES], batch_size=4, seed=1), first=11, end=30)) == 19


def test_batches_in_any_order_are_the_same() -> None:
    order = Order(SETS, batch_size=2, seed=1)
    forwards = [order.keys(batch) for batch in range(120)]
    shuffled = np.random.default_rng(0).permutation(120)
    assert [order.keys(int(batch)) for batch in shuffled] == [forwards[b] for b in shuffled]


def test_a_late_batch_is_found_without_those_before() -> None:
    order = Order([np.arange(34_021), np.arange(29_295)], batch_size=4, seed=1)
    far = 10**15  # going through them would take years
    assert order.batches(order.epochs(far)) <= far < order.batches(order.epochs(far) + 1)
    keys = order.keys(far)
    assert len({(key.epoch, key.window) for key in keys}) == 4


def test_ranks_take_slices_of_the_same_global_batch() -> None:
    slices = [sampled(*SETS, batch_size=6, rank=rank, ranks=3) for rank in range(3)]
    for step, batch in enumerate(sampled(*SETS, batch_size=6)):
        parts = [some[step] for some in slices]
        assert all(len(part) == 2 for part in parts)
        assert sorted(key for part in parts for key in part) == sorted(batch)


def test_the_order_is_a_function_of_the_seed() -> None:
    assert sampled(*SETS) == sampled(*SETS)
    assert sampled(*SETS) != sampled(*SETS, seed=2)


def schedule(make_recipe: object, **changes: object) -> Schedule:
    recipe: Recipe = make_recipe(**changes)  # type: ignore[operator]
    order = Order(SETS[:2], batch_size=recipe.batch_size, seed=1)
    return Schedule(recipe, order)


def test_epochs_end_after_the_batch_that_completes_them(make_recipe: object) -> None:
    """7 and 17 windows by 4: epochs of 1 + 4, 2 + 4, 2 + 4, 2 + 5 batches."""
    found = schedule(make_recipe, steps=None, epochs=4, validation={})
    assert found.steps == 24
    validated = [step for step in range(1, 25) if found.validates(step)]
    assert validated == [5, 11, 17, 24]
    assert [found.epochs(step) for step in (4, 5, 10, 11, 24)] == [0, 1, 1, 2, 4]


def test_steps_of_several_batches_end_an_epoch_when_they_hold_its_last(
    make_recipe: object,
) -> None:
    found = schedule(make_recipe, steps=None, epochs=4, accumulate=5, validation={})
    assert found.steps == 5  # 24 batches
    assert [step for step in range(1, 6) if found.validates(step)] == [1, 3, 4, 5]


def test_the_last_step_is_validated(make_recipe: object) -> None:
    by_steps = schedule(make_recipe, steps=12, validation={"every_steps": 5})
    assert [step for step in range(1, 13) if by_steps.validates(step)] == [5, 10, 12]
    by_epochs = schedule(make_recipe, steps=12, validation={})
    assert [step for step in range(1, 13) if by_epochs.validates(step)] == [5, 11, 12]
    tiny = schedule(make_recipe, steps=None, epochs=1, batch_size=100, validation={})
    assert tiny.steps == 1
