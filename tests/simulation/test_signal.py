from __future__ import annotations

import numpy as np
import pytest

from ft_s2a.simulation.recipe import Noise, Recipe, make_recipe
from ft_s2a.simulation.signal import bases_per_count, coverage, draw_counts, track_table


def recipe_with(**noise: float) -> Recipe:
    return make_recipe(length=60_000, contigs=2, noise=Noise(**noise))


@pytest.mark.parametrize("dispersion", [0.0, 0.5])
def test_counts_have_the_variance_of_their_distribution(dispersion: float) -> None:
    recipe = recipe_with(dispersion=dispersion, variability=0.0)
    mean = 5.0
    counts = draw_counts(recipe, np.full((6, 50_000), mean), contig=0)
    assert counts.mean() == pytest.approx(mean, rel=0.01)
    assert counts.var() == pytest.approx(mean + dispersion * mean**2, rel=0.03)
    # Every track has draws of its own.
    assert abs(np.corrcoef(counts)[np.triu_indices(6, 1)]).max() < 0.03


def test_variability_is_smooth_and_keeps_the_mean() -> None:
    recipe = recipe_with(dispersion=0.0, variability=0.3, variability_scale=160.0)
    mean = 400.0
    counts = draw_counts(recipe, np.full((6, 50_000), mean), contig=0)
    assert counts.mean() == pytest.approx(mean, rel=0.02)
    logs = np.log(counts)
    assert logs.std() == pytest.approx(np.hypot(0.3, 1 / np.sqrt(mean)), rel=0.05)
    near = np.corrcoef(logs[0, :-2], logs[0, 2:])[0, 1]
    far = np.corrcoef(logs[0, :-80], logs[0, 80:])[0, 1]
    assert near > 0.9
    assert abs(far) < 0.1


def test_other_contigs_and_seeds_draw_other_counts() -> None:
    recipe = recipe_with()
    other = make_recipe(recipe, seed=2)
    mean = np.full((6, 500), 3.0)
    first = draw_counts(recipe, mean, 0)
    np.testing.assert_array_equal(first, draw_counts(recipe, mean, 0))
    assert (first != draw_counts(recipe, mean, 1)).any()
    assert (first != draw_counts(other, mean, 0)).any()


def test_atac_reads_are_extended_and_cage_tags_are_not() -> None:
    recipe = recipe_with()
    counts = np.zeros((6, 21), dtype=np.int64)
    counts[:, 10] = 2
    signal = coverage(recipe, counts)
    atac = np.zeros(21)
    atac[7:14] = 2  # 112 bp are 7 steps of 16 bp
    np.testing.assert_array_equal(signal[0], atac)
    np.testing.assert_array_equal(signal[2], counts[2])
    np.testing.assert_array_equal(signal.sum(axis=1) * recipe.step, 2 * bases_per_count(recipe))


def test_tracks_are_paired_by_strand_within_a_cell_type() -> None:
    table = track_table(make_recipe(cell_types=("X", "Y", "Z")))
    assert table.names[:5] == ("ATAC.X", "ATAC.Y", "ATAC.Z", "CAGE.X.fwd", "CAGE.X.rev")
    assert table.pairs().tolist() == [0, 1, 2, 4, 3, 6, 5, 8, 7]
    assert len({track.color for track in table}) == 9
