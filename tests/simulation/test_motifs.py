from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from ft_s2a.genome.sequence import encode
from ft_s2a.simulation.motifs import (
    Motif,
    Scanner,
    default_motifs,
    draw_instances,
    reverse_complement,
    score,
    to_meme,
)
from ft_s2a.simulation.recipe import make_recipe

MOTIF = Motif(name="M", consensus="ACgRNTTc", role="activator")


def naive_scan(codes: np.ndarray, log_odds: np.ndarray) -> np.ndarray:
    width = len(log_odds)
    return np.array(
        [
            sum(log_odds[j, codes[i + j]] for j in range(width))
            for i in range(len(codes) - width + 1)
        ]
    )


def test_letters_of_the_consensus_become_probabilities() -> None:
    matrix = MOTIF.matrix
    np.testing.assert_allclose(matrix.sum(axis=1), 1.0)
    np.testing.assert_allclose(matrix[0], [0.94, 0.02, 0.02, 0.02])
    np.testing.assert_allclose(matrix[2], [0.1, 0.1, 0.7, 0.1])
    np.testing.assert_allclose(matrix[3], [0.48, 0.02, 0.48, 0.02])
    np.testing.assert_allclose(matrix[4], 0.25)


@pytest.mark.parametrize("consensus", ["ACGTAC", "ACgRNTTc", "ACgRNTTcAACCG", "AC" * 9])
def test_scanner_agrees_with_a_loop_on_both_strands(consensus: str) -> None:
    odds = Motif(name="M", consensus=consensus, role="activator").log_odds
    codes = np.random.default_rng(0).integers(0, 4, 300).astype(np.uint8)
    scanner = Scanner(codes)
    for matrix in (odds, reverse_complement(odds)):
        np.testing.assert_allclose(scanner(matrix), naive_scan(codes, matrix), atol=1e-4)


def test_reverse_matrix_scores_the_other_strand() -> None:
    forward = encode("ACGATTTC")[None]
    backward = encode("GAAATCGT")[None]
    odds = MOTIF.log_odds
    assert score(odds, forward)[0] == pytest.approx(score(reverse_complement(odds), backward)[0])
    assert score(odds, forward)[0] == pytest.approx(MOTIF.best)
    assert score(odds, backward)[0] < 0


def test_scanner_takes_a_sequence_shorter_than_the_motif() -> None:
    assert Scanner(encode("ACG"))(MOTIF.log_odds).shape == (0,)


def test_instances_follow_the_matrix() -> None:
    drawn = draw_instances(MOTIF, 20_000, -np.inf, np.random.default_rng(1))
    frequencies = np.stack([(drawn == base).mean(axis=0) for base in range(4)], axis=1)
    np.testing.assert_allclose(frequencies, MOTIF.matrix, atol=0.015)


def test_instances_reach_the_minimum() -> None:
    drawn = draw_instances(MOTIF, 500, 9.0, np.random.default_rng(1))
    assert drawn.shape == (500, 8)
    assert score(MOTIF.log_odds, drawn).min() >= 9.0


def test_default_motifs_do_not_match_each_other() -> None:
    recipe = make_recipe(cell_types=tuple("ABCD"))
    padding = np.random.default_rng(2).integers(0, 4, 40).astype(np.uint8)
    for one, other in permutations(default_motifs("ABCD"), 2):
        _, limit = recipe.occupancy_limits(other)
        codes = np.concatenate([padding, encode(one.consensus), padding])
        for odds in (other.log_odds, reverse_complement(other.log_odds)):
            assert Scanner(codes)(odds).max() < limit, (one.name, other.name)


def test_default_motifs_are_not_palindromic() -> None:
    for motif in default_motifs("ABCD"):
        turned = score(reverse_complement(motif.log_odds), encode(motif.consensus)[None])[0]
        assert turned < 0.3 * motif.best


def test_meme_file_holds_the_matrices() -> None:
    lines = to_meme((MOTIF,)).splitlines()
    assert lines[0] == "MEME version 4"
    at = lines.index("MOTIF M")
    assert "w= 8" in lines[at + 1]
    rows = np.array([[float(v) for v in line.split()] for line in lines[at + 2 : at + 10]])
    np.testing.assert_allclose(rows, MOTIF.matrix, atol=1e-6)
