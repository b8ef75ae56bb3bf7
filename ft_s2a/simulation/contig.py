"""One simulated contig: its sequence, what was planted, and the signals that follow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ft_s2a.conventions.randomness import generator
from ft_s2a.simulation.draws import Purpose
from ft_s2a.simulation.grammar import Activity, evaluate
from ft_s2a.simulation.layout import Layout, draw_layout
from ft_s2a.simulation.recipe import Recipe
from ft_s2a.simulation.sequence import Planted, draw_background, plant
from ft_s2a.simulation.signal import coverage, draw_counts, expected_counts


@dataclass(frozen=True)
class Contig:
    """One simulated contig: what is written of it, and why it is so.

    Parameters
    ----------
    name : str
        ``sim1``, ...
    codes : uint8 [L]
        The sequence that is written (in the null control not the one that made the signals).
    layout, planted, activity
        What made the signals.
    expected, observed : float32 [tracks, steps]
        Signal per base at each step, without and with noise.
    """

    name: str
    codes: NDArray[np.uint8]
    layout: Layout
    planted: Planted
    activity: Activity
    expected: NDArray[np.float32]
    observed: NDArray[np.float32]


def simulate_contig(recipe: Recipe, index: int) -> Contig:
    """Simulate the contig at position `index`."""
    length, seed = recipe.sizes[index], recipe.seed
    layout = draw_layout(
        recipe,
        length,
        generator(seed, Purpose.LAYOUT, index),
        generator(seed, Purpose.INERT, index),
    )
    background = draw_background(
        recipe.background, length, generator(seed, Purpose.BACKGROUND, index)
    )
    planted = plant(recipe, background, layout, generator(seed, Purpose.SITES, index))
    activity = evaluate(recipe, layout, planted.occupancy)
    expected = expected_counts(recipe, length, layout, activity)
    counts = draw_counts(recipe, expected, index)
    codes = planted.codes
    if recipe.scramble_motifs:
        # As many motifs of the same kinds, in elements of the same kind, but somewhere else: no
        # trace of the arrangement that made the signals is left, not even in base composition.
        other = draw_layout(
            recipe,
            length,
            generator(seed, Purpose.DECOY_LAYOUT, index, 0),
            generator(seed, Purpose.DECOY_LAYOUT, index, 1),
        )
        codes = plant(recipe, background, other, generator(seed, Purpose.DECOY_SITES, index)).codes
    return Contig(
        recipe.contig_names[index],
        codes,
        layout,
        planted,
        activity,
        coverage(recipe, expected),
        coverage(recipe, counts),
    )
