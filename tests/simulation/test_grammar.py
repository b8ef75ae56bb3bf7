from __future__ import annotations

import math

import numpy as np
import pytest

from ft_s2a.conventions.randomness import generator
from ft_s2a.simulation.draws import Purpose
from ft_s2a.simulation.grammar import evaluate
from ft_s2a.simulation.layout import Layout, draw_layout
from ft_s2a.simulation.recipe import Recipe, make_recipe
from ft_s2a.simulation.signal import coverage, expected_counts, site_effects, track_table

RECIPE = make_recipe(length=60_000, contigs=2)
INDEX = {motif.name: i for i, motif in enumerate(RECIPE.motifs)}


def layout_of(
    elements: list[tuple[int, int, int, int]], sites: list[tuple[int, str, int, int]]
) -> Layout:
    """Elements (anchor, strand, start, end) and sites (start, motif, strand, element)."""
    anchor, strand, start, end = np.array(elements, dtype=np.int64).reshape(-1, 4).T
    rows = np.array([(s, INDEX[m], d, e) for s, m, d, e in sites], dtype=np.int64).reshape(-1, 4).T
    body = np.where(strand != 0, 1_000, 0)
    return Layout(anchor, strand, start, end, body, *rows)


def test_activators_open_their_cell_types() -> None:
    layout = layout_of(
        [(5_000, 0, 4_990, 5_010), (9_000, 0, 8_990, 9_010)],
        [(4_990, "ACT", 1, 0), (8_990, "ACT-B", -1, 1)],
    )
    activity = evaluate(RECIPE, layout, np.array([0.5, 1.0]))
    np.testing.assert_allclose(activity.opening, [[0.5, 0.5], [0.0, 1.2]])
    np.testing.assert_allclose(activity.element, activity.opening)


def test_activators_raise_and_repressors_lower_each_other_by_distance() -> None:
    sites = [(5_000, "ACT", 1, 0), (5_040, "ACT", 1, 0), (5_090, "REP", 1, 0)]
    layout = layout_of([(5_000, 0, 5_000, 5_103)], sites)
    occupancy = np.array([1.0, 0.8, 0.6])
    activity = evaluate(RECIPE, layout, occupancy)
    pair = math.exp(-((40 / 80) ** 2))
    first = (1 + 0.3 * pair * 0.8) * (1 - 0.9 * 0.6 * math.exp(-((90 / 100) ** 2)))
    second = 0.8 * (1 + 0.3 * pair) * (1 - 0.9 * 0.6 * math.exp(-((50 / 100) ** 2)))
    np.testing.assert_allclose(activity.opening[:, 0], [first, second, 0.0])
    # Without the repressor both activators rise: what is "lost" is negative.
    free = (1 + 0.3 * pair * 0.8) + 0.8 * (1 + 0.3 * pair)
    assert activity.lost_opening[2, 0] == pytest.approx(first + second - free)


def test_a_gene_sums_its_promoter_and_its_enhancers_by_distance() -> None:
    layout = layout_of(
        [(5_000, 0, 4_990, 5_010), (9_000, -1, 8_990, 9_060), (14_000, 0, 13_990, 14_010),
         (19_500, 0, 19_490, 19_510)],
        [(4_994, "ACT", 1, 0), (9_017, "CORE", -1, 1), (9_040, "ACT-A", 1, 1),
         (13_994, "ACT", 1, 2), (19_494, "ACT", 1, 3)],
    )  # fmt: skip
    activity = evaluate(RECIPE, layout, np.array([0.9, 0.5, 1.0, 0.7, 1.0]))
    distal = 0.9 * math.exp(-4_000 / 2_000) + 0.7 * math.exp(-5_000 / 2_000)
    assert activity.expression[1, 0] == pytest.approx(30 * 0.5 * (0.2 + 0.5 * 1.2 + distal))
    assert activity.expression[1, 1] == pytest.approx(30 * 0.5 * (0.2 + distal))
    assert not activity.expression[[0, 2, 3]].any()
    # The last enhancer is beyond the reach, but listed as a pair without effect.
    np.testing.assert_array_equal(activity.pairs.distance, [4_000, 5_000, 10_500])
    np.testing.assert_allclose(
        activity.pairs.contact, [math.exp(-2.0), math.exp(-2.5), 0.0], rtol=1e-12
    )
    # Destroying the core takes all tags, of the gene's strand only.
    np.testing.assert_allclose(activity.lost_tags[1, :, 1], activity.expression[1])
    assert not activity.lost_tags[..., 0].any()


def signal_of(recipe: Recipe, layout: Layout, occupancy: np.ndarray, length: int) -> np.ndarray:
    counts = expected_counts(recipe, length, layout, evaluate(recipe, layout, occupancy))
    return coverage(recipe, counts).astype(np.float64).sum(axis=1) * recipe.step


def test_effects_are_what_the_tracks_lose_without_the_site() -> None:
    recipe = make_recipe(length=60_000, contigs=2, seed=5)
    length = 24_000
    rngs = [generator(5, purpose, 0) for purpose in (Purpose.LAYOUT, Purpose.INERT)]
    layout = draw_layout(recipe, length, *rngs)
    occupancy = np.random.default_rng(6).uniform(0.2, 1.0, len(layout.site_start))
    effects = site_effects(recipe, evaluate(recipe, layout, occupancy))
    whole = signal_of(recipe, layout, occupancy, length)
    roles = [recipe.motifs[i].role for i in layout.site_motif]
    assert {"activator", "repressor", "core", "inert"} == set(roles)
    for site, role in enumerate(roles):
        without = occupancy.copy()
        without[site] = 0.0
        lost = whole - signal_of(recipe, layout, without, length)
        np.testing.assert_allclose(effects[site], lost, atol=0.5, rtol=2e-3)
        if role == "inert":
            assert not effects[site].any()
    repressors = effects[np.array(roles) == "repressor"]
    assert repressors.max() <= 0
    assert repressors.min() < -100


def test_layout_keeps_sites_apart_and_start_sites_downstream_of_the_core() -> None:
    recipe = make_recipe(length=300_000, contigs=2)
    layout = draw_layout(
        recipe, 200_000, generator(1, Purpose.LAYOUT, 0), generator(1, Purpose.INERT, 0)
    )
    widths = np.array([motif.width for motif in recipe.motifs])[layout.site_motif]
    assert (layout.site_start[1:] >= (layout.site_start + widths)[:-1]).all()
    assert (layout.start[1:] - layout.end[:-1] >= recipe.elements.distance_min).all()
    assert layout.start.min() >= recipe.elements.margin
    assert layout.end.max() <= 200_000 - recipe.elements.margin
    core = layout.site_motif == INDEX["CORE"]
    owner = layout.site_element[core]
    np.testing.assert_array_equal(np.sort(owner), layout.promoters)
    first = np.where(
        layout.site_strand[core] > 0,
        layout.site_start[core],
        layout.site_start[core] + widths[core] - 1,
    )
    np.testing.assert_array_equal(layout.site_strand[core], layout.strand[owner])
    np.testing.assert_array_equal(layout.anchor[owner] - first, 30 * layout.strand[owner])


def test_turning_the_contig_round_swaps_the_strands() -> None:
    length = 24_000
    elements = [(9_000, 1, 8_900, 9_001), (12_000, 0, 11_990, 12_013)]
    sites = [(8_900, "ACT", 1, 0), (8_970, "CORE", 1, 0), (12_000, "ACT-A", -1, 1)]
    width = {name: RECIPE.motifs[i].width for name, i in INDEX.items()}
    turned = layout_of(
        [(length - 12_001, 0, length - 12_013, length - 11_990),
         (length - 9_001, -1, length - 9_001, length - 8_900)],
        [(length - s - width[m], m, -d, 1 - e) for s, m, d, e in reversed(sites)],
    )  # fmt: skip
    layout, occupancy = layout_of(elements, sites), np.array([0.9, 0.8, 0.7])
    forward = expected_counts(RECIPE, length, layout, evaluate(RECIPE, layout, occupancy))
    backward = expected_counts(
        RECIPE, length, turned, evaluate(RECIPE, turned, occupancy[::-1].copy())
    )
    partner = track_table(RECIPE).pairs()
    # The two middles of the enhancer's span differ by a base, its contact by 0.05 %.
    np.testing.assert_allclose(backward[partner, ::-1], forward, rtol=2e-3, atol=1e-9)
