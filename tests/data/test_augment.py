from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ft_s2a.conventions.randomness import draw_seed, generator
from ft_s2a.data.augment import reverse, shift

codes_strategy = st.lists(st.integers(0, 4), min_size=1, max_size=30)


@given(codes_strategy, st.randoms())
def test_reversing_twice_changes_nothing(codes: list[int], random: object) -> None:
    given_codes = np.array(codes, dtype=np.uint8)
    targets = np.arange(5 * 4, dtype=np.float32).reshape(5, 4)
    targets[2, 1] = np.nan
    pairs = np.array([1, 0, 2, 3])
    once = reverse(given_codes, targets, pairs)
    again = reverse(*once, pairs)
    np.testing.assert_array_equal(again[0], given_codes)
    np.testing.assert_array_equal(again[1], targets)


def test_reverse_by_hand() -> None:
    codes, targets = reverse(
        np.array([0, 0, 1, 4, 2], dtype=np.uint8),  # AACNG
        np.array([[1, 10, 100], [2, 20, 200]]),
        np.array([1, 0, 2]),
    )
    assert codes.tolist() == [1, 4, 2, 3, 3]  # CNGTT
    assert targets.tolist() == [[20, 2, 200], [10, 1, 100]]


@given(codes_strategy, st.integers(-40, 40))
def test_a_shift_moves_right_and_leaves_n(codes: list[int], by: int) -> None:
    given_codes = np.array(codes, dtype=np.uint8)
    moved = shift(given_codes, by)
    for position in range(len(codes)):
        source = position - by
        expected = codes[source] if 0 <= source < len(codes) else 4
        assert moved[position] == expected
    assert given_codes.tolist() == codes


def test_a_batch_is_shifted_row_by_row() -> None:
    batch = np.array([[0, 1, 2], [3, 2, 1]], dtype=np.uint8)
    assert shift(batch, 1).tolist() == [[4, 0, 1], [4, 3, 2]]
    assert shift(batch, -2).tolist() == [[2, 4, 4], [1, 4, 4]]


def test_draws_depend_on_every_part_of_their_key_and_on_nothing_else() -> None:
    def draw(*key: object) -> int:
        return int(generator(*key).integers(2**62))  # type: ignore[arg-type]

    base = draw(1, "augment", 0, 7)
    np.random.default_rng().random()
    assert draw(1, "augment", 0, 7) == base
    others = [(2, "augment", 0, 7), (1, "order", 0, 7), (1, "augment", 1, 7), (1, "augment", 0, 8)]
    assert len({base, *(draw(*key) for key in others)}) == 5
    seeds = {draw_seed(1, "dropout", step) for step in range(50)}
    assert len(seeds) == 50
    assert all(0 <= seed < 2**63 for seed in seeds)


@pytest.mark.parametrize("seed", [0, 2**40])
def test_any_seed_from_zero_on_is_welcome(seed: int) -> None:
    generator(seed, "x").random()
