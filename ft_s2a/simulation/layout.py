"""Where things lie: promoters and enhancers along a contig, and the motif sites in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ft_s2a.simulation.recipe import Recipe

Ints = NDArray[np.int64]

# The start site lies so far downstream of the core motif's first base.
TSS_OFFSET = 30
# No site lies within so many bases downstream of a start site.
_CLEAR = 20


@dataclass(frozen=True)
class Layout:
    """Elements and sites of one contig, 0-based.

    Parameters
    ----------
    anchor : int64 [E]
        Start site of a promoter, middle of an enhancer; rising.
    strand : int64 [E]
        +1 or -1 for promoters, 0 for enhancers.
    start, end : int64 [E]
        Span of the element's sites (and start site), half-open.
    body : int64 [E]
        Length of the gene in bp; 0 for enhancers.
    site_start : int64 [n]
        First base of each site, rising.
    site_motif : int64 [n]
        Position in the recipe's motifs.
    site_strand : int64 [n]
        +1 or -1.
    site_element : int64 [n]
        Element that the site belongs to; -1 for inert sites.
    """

    anchor: Ints
    strand: Ints
    start: Ints
    end: Ints
    body: Ints
    site_start: Ints
    site_motif: Ints
    site_strand: Ints
    site_element: Ints

    @property
    def promoters(self) -> Ints:
        """Positions of the promoters among the elements."""
        return np.flatnonzero(self.strand)

    @property
    def enhancers(self) -> Ints:
        """Positions of the enhancers among the elements."""
        return np.flatnonzero(self.strand == 0)


@dataclass(frozen=True)
class _Site:
    """A site relative to its element's anchor, read along the element's strand."""

    offset: int
    width: int
    motif: int
    strand: int


def draw_layout(
    recipe: Recipe, length: int, rng: np.random.Generator, inert_rng: np.random.Generator
) -> Layout:
    """Draw the elements and sites of a contig of `length` bp."""
    numbers = recipe.elements
    elements: list[tuple[int, int, int, int, int]] = []
    sites: list[tuple[int, int, int, int]] = []
    reached = numbers.margin
    extra = numbers.distance_mean - numbers.distance_min
    while True:
        promoter = bool(rng.random() < numbers.promoters)
        strand = int(rng.choice((-1, 1))) if promoter else 0
        content = _draw_sites(recipe, rng, promoter=promoter)
        body = int(rng.integers(500, 2_500)) if promoter else 0
        distance = numbers.distance_min + int(rng.exponential(extra))
        direction = strand or 1
        spans = [_place(0, direction, site) for site in content]
        left = min(0, *(start for start, _ in spans))
        right = max(1, *(end for _, end in spans))
        anchor = reached + distance - left
        if anchor + right > length - numbers.margin:
            break
        for site, (start, _) in zip(content, spans, strict=True):
            sites.append((anchor + start, site.motif, site.strand * direction, len(elements)))
        elements.append((anchor, strand, anchor + left, anchor + right, body))
        reached = anchor + right
    sites += _draw_inert(recipe, length, sites, inert_rng)
    sites.sort()
    columns = np.array(elements, dtype=np.int64).reshape(-1, 5).T
    rows = np.array(sites, dtype=np.int64).reshape(-1, 4).T
    return Layout(*columns, *rows)


def _place(anchor: int, direction: int, site: _Site) -> tuple[int, int]:
    """Interval of a site on the contig's forward strand."""
    if direction > 0:
        return anchor + site.offset, anchor + site.offset + site.width
    return anchor - site.offset - site.width + 1, anchor - site.offset + 1


def _draw_sites(recipe: Recipe, rng: np.random.Generator, *, promoter: bool) -> list[_Site]:
    """Draw the sites of one element, relative to its anchor and direction."""
    numbers, motifs = recipe.elements, recipe.motifs
    active = 1 + int(rng.poisson(numbers.activators_mean - 1))
    active = min(active, numbers.activators_max)
    # An element belongs to all cell types or to one.
    owner = None
    if rng.random() >= numbers.shared:
        owner = recipe.cell_types[int(rng.integers(len(recipe.cell_types)))]
    for_all = [i for i, m in enumerate(motifs) if m.role == "activator" and m.cell_type is None]
    for_owner = [i for i, m in enumerate(motifs) if m.role == "activator" and m.cell_type == owner]
    pool = for_owner or for_all
    chosen = [pool[int(rng.integers(len(pool)))] for _ in range(active)]
    repressors = [i for i, m in enumerate(motifs) if m.role == "repressor"]
    if repressors and rng.random() < numbers.repressors:
        place = int(rng.integers(len(chosen) + 1))
        chosen.insert(place, repressors[int(rng.integers(len(repressors)))])
    widths = [motifs[i].width for i in chosen]
    gaps = rng.integers(numbers.gap_min, numbers.gap_max + 1, size=len(chosen))
    offsets = np.cumsum([0, *(w + int(g) for w, g in zip(widths, gaps, strict=True))])
    strands = rng.choice((-1, 1), size=len(chosen))
    # The sites of a promoter end upstream of its core motif; those of an enhancer are centred.
    last = int(offsets[-1])
    shift = -TSS_OFFSET - last if promoter else -((last - int(gaps[-1])) // 2)
    sites = [
        _Site(int(offset) + shift, width, motif, int(strand))
        for offset, width, motif, strand in zip(offsets, widths, chosen, strands, strict=False)
    ]
    if promoter:
        core = next(i for i, m in enumerate(motifs) if m.role == "core")
        sites.append(_Site(-TSS_OFFSET, motifs[core].width, core, 1))
    return sites


def _draw_inert(
    recipe: Recipe,
    length: int,
    sites: list[tuple[int, int, int, int]],
    rng: np.random.Generator,
) -> list[tuple[int, int, int, int]]:
    """Draw inert sites where no other site lies."""
    inert = [i for i, m in enumerate(recipe.motifs) if m.role == "inert"]
    if not inert:
        return []
    taken = np.zeros(length, dtype=bool)
    for start, motif, _, _ in sites:
        taken[start : start + recipe.motifs[motif].width] = True
    drawn = []
    margin = recipe.elements.margin
    for _ in range(round(length / 1_000 * recipe.elements.inert_per_kb)):
        motif = inert[int(rng.integers(len(inert)))]
        start = int(rng.integers(margin, length - margin))
        strand = int(rng.choice((-1, 1)))
        end = start + recipe.motifs[motif].width
        if not taken[start:end].any():
            taken[start:end] = True
            drawn.append((start, motif, strand, -1))
    return drawn
