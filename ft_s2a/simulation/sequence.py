"""The sequence of a contig: a background, planted sites, and no chance matches beside them."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ft_s2a.genome.sequence import reverse_complement as reverse_codes
from ft_s2a.simulation import motifs as pwm
from ft_s2a.simulation.layout import Layout
from ft_s2a.simulation.recipe import Background, Recipe

_log = logging.getLogger(__name__)

_GC_LEVELS = 41
_ROUNDS = 20

# Observed over expected dinucleotides (rows: first base ACGT), the same on both strands, of the
# kind seen in vertebrates: TA and CG rare, CA/TG and runs frequent.  CG is set by the recipe.
_DINUCLEOTIDES = np.array(
    [
        [1.12, 0.85, 1.15, 0.88],
        [1.20, 1.20, 0.35, 1.15],
        [1.03, 1.02, 1.20, 0.85],
        [0.74, 1.03, 1.20, 1.12],
    ]
)


@dataclass(frozen=True)
class Planted:
    """A contig's sequence and how well each site fits its motif.

    Parameters
    ----------
    codes : uint8 [L]
        Codes 0-3.
    score : float64 [n]
        Bits of each site of the layout.
    occupancy : float64 [n]
        Between 0 and 1.
    """

    codes: NDArray[np.uint8]
    score: NDArray[np.float64]
    occupancy: NDArray[np.float64]


def draw_background(
    background: Background, length: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Draw a Markov chain whose GC fraction wanders along the contig, uint8 [length], 0-3."""
    domains = -(-length // background.domain)
    stay = float(np.exp(-background.domain / background.gc_scale))
    drift = np.empty(domains)
    steps = rng.standard_normal(domains)
    drift[0] = steps[0]
    for i in range(1, domains):
        drift[i] = stay * drift[i - 1] + np.sqrt(1 - stay**2) * steps[i]
    gc = np.clip(background.gc + background.gc_sd * drift, 0.15, 0.85)
    levels = np.linspace(0.15, 0.85, _GC_LEVELS)
    level = np.abs(gc[:, None] - levels).argmin(axis=1)
    edges = np.cumsum(_transitions(levels, background.cpg), axis=2)[:, :, :3]
    # All domains grow side by side, a base at a time.
    frequencies = np.stack([(1 - levels) / 2, levels / 2, levels / 2], axis=1)
    state = (rng.random(domains)[:, None] > np.cumsum(frequencies, axis=1)[level]).sum(axis=1)
    result = np.empty((background.domain, domains), dtype=np.uint8)
    for i in range(background.domain):
        result[i] = state
        state = (rng.random(domains)[:, None] > edges[level, state]).sum(axis=1)
    return result.T.ravel()[:length].copy()


def _transitions(gc: NDArray[np.float64], cpg: float) -> NDArray[np.float64]:
    """Probabilities of the next base (last axis) whose stationary GC fractions are `gc` exactly."""
    base = np.stack([1 - gc, gc, gc, 1 - gc], axis=1) / 2
    ratio = _DINUCLEOTIDES.copy()
    ratio[1, 2] = cpg
    pairs = ratio * base[:, :, None] * base[:, None, :]
    for _ in range(200):  # iterative proportional fitting to the base frequencies on both sides
        pairs *= (base / pairs.sum(axis=2))[:, :, None]
        pairs *= (base / pairs.sum(axis=1))[:, None, :]
    result: NDArray[np.float64] = pairs / pairs.sum(axis=2, keepdims=True)
    return result


def plant(
    recipe: Recipe, background: NDArray[np.uint8], layout: Layout, rng: np.random.Generator
) -> Planted:
    """Write an instance of each site's motif into the background, and mutate chance matches."""
    codes = background.copy()
    score = np.zeros(len(layout.site_start))
    occupancy = np.zeros(len(layout.site_start))
    protected = np.zeros(len(codes), dtype=bool)
    for index, motif in enumerate(recipe.motifs):
        here = np.flatnonzero(layout.site_motif == index)
        minimum, _ = recipe.occupancy_limits(motif)
        instances = pwm.draw_instances(motif, len(here), minimum, rng)
        score[here] = pwm.score(motif.log_odds, instances)
        bits = score[here] - recipe.affinity.middle * motif.best
        occupancy[here] = 1 / (1 + np.exp(-bits / recipe.affinity.slope))
        turned = layout.site_strand[here] < 0
        instances[turned] = reverse_codes(instances[turned])
        places = layout.site_start[here][:, None] + np.arange(motif.width)
        codes[places] = instances
        protected[places] = True
    _remove_chance_matches(recipe, codes, layout, protected)
    return Planted(codes, score, occupancy)


def _remove_chance_matches(
    recipe: Recipe, codes: NDArray[np.uint8], layout: Layout, protected: NDArray[np.bool_]
) -> None:
    """Mutate, in place, every match that could act but was not planted."""
    for _ in range(_ROUNDS):
        changed = 0
        scanner = pwm.Scanner(codes)
        for index, motif in enumerate(recipe.motifs):
            _, limit = recipe.occupancy_limits(motif)
            for strand in (1, -1):
                odds = motif.log_odds if strand > 0 else pwm.reverse_complement(motif.log_odds)
                matches = np.flatnonzero(scanner(odds) >= limit)
                here = (layout.site_motif == index) & (layout.site_strand == strand)
                matches = np.setdiff1d(matches, layout.site_start[here], assume_unique=True)
                changed += _spoil(codes, matches, odds, protected)
        if not changed:
            return
    _log.debug("chance matches remain after %d rounds", _ROUNDS)


def _spoil(
    codes: NDArray[np.uint8],
    matches: NDArray[np.intp],
    odds: NDArray[np.float64],
    protected: NDArray[np.bool_],
) -> int:
    """Put the worst base at the best free position of each match; count what could be changed."""
    by_weight = np.argsort(-np.ptp(odds, axis=1), kind="stable")
    places = matches[:, None] + by_weight
    worst = odds.argmin(axis=1)
    free = ~protected[places] & (codes[places] != worst[by_weight])
    fixable = free.any(axis=1)
    rows = np.flatnonzero(fixable)
    column = by_weight[free[rows].argmax(axis=1)]
    codes[matches[rows] + column] = worst[column]
    return len(rows)
