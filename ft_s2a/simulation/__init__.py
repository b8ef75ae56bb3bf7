"""Genomes with a known truth: planted motifs, a grammar, and the tracks that follow from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ft_s2a.conventions.lazy import attach

if TYPE_CHECKING:
    from ft_s2a.simulation.recipe import Recipe as Recipe
    from ft_s2a.simulation.recipe import SimulationRecord as SimulationRecord
    from ft_s2a.simulation.recipe import make_recipe as make_recipe
    from ft_s2a.simulation.recipe import read_record as read_record
    from ft_s2a.simulation.simulate import SimulatedGenome as SimulatedGenome
    from ft_s2a.simulation.simulate import simulate_genome as simulate_genome

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Recipe": "recipe",
        "SimulatedGenome": "simulate",
        "SimulationRecord": "recipe",
        "make_recipe": "recipe",
        "read_record": "recipe",
        "simulate_genome": "simulate",
    },
)
