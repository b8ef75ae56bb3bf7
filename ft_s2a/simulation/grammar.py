"""What sites do: opening in each cell type, expression of genes, and the effect of every site."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ft_s2a.simulation.layout import Ints, Layout
from ft_s2a.simulation.recipe import Recipe

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pairs:
    """Enhancers and the genes up to twice the reach away (so that some have no effect).

    Parameters
    ----------
    enhancer, gene : int64 [P]
        Elements of the layout: an enhancer and a promoter.
    distance : int64 [P]
        Bases between the enhancer's middle and the start site.
    contact : float64 [P]
        ``exp(-distance / decay)``; 0 beyond the reach.
    """

    enhancer: Ints
    gene: Ints
    distance: Ints
    contact: Floats


@dataclass(frozen=True)
class Activity:
    """What a contig's sites do, at depth 1.

    Parameters
    ----------
    opening : float64 [n, cell types]
        Accessibility that each site brings, after the grammar (an undisturbed activator of effect
        1 and full occupancy brings 1).
    element : float64 [E, cell types]
        Sum over an element's activators.
    strength : float64 [E]
        Tags per unit of the bracket in :class:`ft_s2a.simulation.recipe.Transcription`; 0 for
        enhancers.
    expression : float64 [E, cell types]
        Tags of each promoter's gene; 0 for enhancers.
    pairs : Pairs
        Enhancers and genes.
    lost_opening : float64 [n, cell types]
        Accessibility that is lost, over the whole element, when a site alone is destroyed.
    lost_tags : float64 [n, cell types, 2]
        Tags lost from genes on the forward and reverse strand when a site alone is destroyed.
    """

    opening: Floats
    element: Floats
    strength: Floats
    expression: Floats
    pairs: Pairs
    lost_opening: Floats
    lost_tags: Floats


def evaluate(recipe: Recipe, layout: Layout, occupancy: Floats) -> Activity:
    """Work out what the sites of a contig do.

    Parameters
    ----------
    occupancy : float64 [n]
        Occupancy of each site of the layout, 0 to 1; 0 is a destroyed site.
    """
    table = _Table(recipe, layout)
    filled = table.spread(occupancy)
    opening = table.opening(filled)
    active = (opening * table.activator[:, :, None]).sum(axis=1)
    core = (filled * table.core).sum(axis=1)

    pairs = _pair(recipe, layout)
    numbers = recipe.transcription
    bracket = numbers.basal + numbers.own * active
    np.add.at(bracket, pairs.gene, pairs.contact[:, None] * active[pairs.enhancer])
    strength = numbers.tags * core
    expression = strength[:, None] * bracket

    # Tags per unit of an element's activity, summed over the genes that it acts on, by strand.
    leverage = np.zeros((len(layout.anchor), 2))
    column = (layout.strand < 0).astype(np.int64)
    own = layout.promoters
    leverage[own, column[own]] = numbers.own * strength[own]
    np.add.at(leverage, (pairs.enhancer, column[pairs.gene]), pairs.contact * strength[pairs.gene])

    lost_opening = np.zeros_like(opening)
    lost_tags = np.zeros((*opening.shape, 2))
    for slot in range(opening.shape[1]):
        without = filled.copy()
        without[:, slot] = 0.0
        left = table.opening(without)
        lost_opening[:, slot] = opening.sum(axis=1) - left.sum(axis=1)
        lost = active - (left * table.activator[:, :, None]).sum(axis=1)
        lost_tags[:, slot] = lost[:, :, None] * leverage[:, None, :]
        cores = np.flatnonzero(table.core[:, slot])
        lost_tags[cores, slot, :, column[cores]] = expression[cores]
    return Activity(
        table.gather(opening),
        active,
        strength,
        expression,
        pairs,
        table.gather(lost_opening),
        table.gather(lost_tags),
    )


class _Table:
    """Sites as a table, elements by slots, so that the grammar is arithmetic on whole arrays."""

    def __init__(self, recipe: Recipe, layout: Layout) -> None:
        self.recipe = recipe
        elements, count = len(layout.anchor), len(layout.site_start)
        inside = np.flatnonzero(layout.site_element >= 0)
        inside = inside[np.argsort(layout.site_element[inside], kind="stable")]
        owner = layout.site_element[inside]
        first = np.searchsorted(owner, owner)
        self._sites, self._row, self._slot = inside, owner, np.arange(len(owner)) - first
        self._count = count
        slots = int(self._slot.max(initial=-1)) + 1
        motif = np.full((elements, slots), -1)
        motif[self._row, self._slot] = layout.site_motif[inside]
        known = motif >= 0
        # Index -1 reads the last motif; `known` takes it out again.
        self.activator = known & np.array([m.role == "activator" for m in recipe.motifs])[motif]
        self.repressor = known & np.array([m.role == "repressor" for m in recipe.motifs])[motif]
        self.core = known & np.array([m.role == "core" for m in recipe.motifs])[motif]
        effects = [
            [m.effect if m.cell_type in (None, cell) else 0.0 for cell in recipe.cell_types]
            for m in recipe.motifs
        ]
        self.effect = np.where(known[:, :, None], np.array(effects)[motif], 0.0)
        widths = np.array([m.width for m in recipe.motifs])
        middle = np.zeros((elements, slots))
        middle[self._row, self._slot] = (
            layout.site_start[inside] + widths[layout.site_motif[inside]] / 2
        )
        self.distance = np.abs(middle[:, :, None] - middle[:, None, :])

    def spread(self, values: Floats) -> Floats:
        """Bring values [n] of sites into the table [E, slots]."""
        table = np.zeros(self.core.shape)
        table[self._row, self._slot] = values[self._sites]
        return table

    def gather(self, table: Floats) -> Floats:
        """Bring a table [E, slots, ...] back to sites [n, ...]; inert sites are 0."""
        values = np.zeros((self._count, *table.shape[2:]))
        values[self._sites] = table[self._row, self._slot]
        return values

    def opening(self, occupancy: Floats) -> Floats:
        """Accessibility that each site brings, [E, slots, cell types]."""
        numbers = self.recipe.accessibility
        near = np.exp(-np.square(self.distance / numbers.synergy_range))
        near *= ~np.eye(near.shape[1], dtype=bool)
        helps = (self.effect > 0) & self.activator[:, :, None]
        helped = 1 + numbers.synergy * np.einsum(
            "eij,ejc->eic", near, occupancy[:, :, None] * helps
        )
        reach = np.exp(-np.square(self.distance / numbers.repression_range))
        strength = np.minimum(self.effect, 1.0) * self.repressor[:, :, None]
        taken = numbers.repression * reach[..., None] * (occupancy[:, :, None] * strength)[:, None]
        spared = np.prod(1 - taken, axis=2)
        grammar = np.where(self.activator[:, :, None], helped * spared, self.core[:, :, None])
        result: Floats = self.effect * occupancy[:, :, None] * grammar
        return result


def _pair(recipe: Recipe, layout: Layout) -> Pairs:
    """Find the genes around each enhancer."""
    numbers = recipe.transcription
    genes, enhancers = layout.promoters, layout.enhancers
    tss = layout.anchor[genes]
    middle = (layout.start[enhancers] + layout.end[enhancers]) // 2
    first = np.searchsorted(tss, middle - 2 * numbers.reach, side="left")
    last = np.searchsorted(tss, middle + 2 * numbers.reach, side="right")
    counts = last - first
    rows = np.repeat(np.arange(len(enhancers)), counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    columns = first[rows] + within
    distance = np.abs(tss[columns] - middle[rows])
    contact = np.where(distance <= numbers.reach, np.exp(-distance / numbers.decay), 0.0)
    return Pairs(enhancers[rows], genes[columns], distance, contact)
