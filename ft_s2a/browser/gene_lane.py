"""Genes below the tracks of a figure: which row each takes, and how it is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ft_s2a.browser.genes import Gene
from ft_s2a.geometry import Interval, tss_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Inches: one letter at the size of the names, an arrow, a row.  Only to tell what overlaps.
_LETTER = 0.062
_ARROW = 0.14
_ROW = 0.26
_MAX_ROWS = 6


@dataclass(frozen=True)
class Placed:
    """A gene, its row (0 is the top) and whether its name has room."""

    gene: Gene
    row: int
    named: bool = False


@dataclass(frozen=True)
class Lane:
    """The genes of a region in rows.

    `crowded` genes overlap in two rows, one per strand, without names and arrows.  `per_inch` is
    the number of bases that an inch shows.
    """

    placed: tuple[Placed, ...]
    region: Interval
    per_inch: float
    crowded: bool = False

    @property
    def rows(self) -> int:
        """Number of rows, at least 1."""
        return 2 if self.crowded else 1 + max((p.row for p in self.placed), default=0)

    @property
    def height(self) -> float:
        """Height in inches."""
        return _ROW * self.rows


def plan_lane(genes: Sequence[Gene], region: Interval, *, width: float) -> Lane:
    """Give each gene the first row where it overlaps no other.

    Names go along while they fit into six rows, then arrows alone; more genes than that are drawn
    in one row per strand.

    Parameters
    ----------
    genes : sequence of Gene
        Genes that overlap the region.
    region : Interval
        What is drawn.
    width : float
        Width of the drawing in inches.
    """
    per_inch = len(region) / width
    for with_names in (True, False):
        placed = _pack(genes, region, per_inch, with_names=with_names)
        if placed is not None:
            return Lane(tuple(placed), region, per_inch)
    strands = [Placed(gene, int(gene.interval.strand == "-")) for gene in genes]
    return Lane(tuple(strands), region, per_inch, crowded=True)


def _pack(
    genes: Sequence[Gene], region: Interval, per_inch: float, *, with_names: bool
) -> list[Placed] | None:
    reached: list[float] = []
    placed: list[Placed] = []
    spans = [(_extent(gene, region, per_inch, with_name=with_names), gene) for gene in genes]
    for (left, right), gene in sorted(spans, key=lambda item: item[0]):
        row = next((r for r, end in enumerate(reached) if end <= left), len(reached))
        if row == _MAX_ROWS:
            return None
        if row == len(reached):
            reached.append(right)
        reached[row] = right + 0.06 * per_inch
        inside = region.start <= left and right <= region.end
        placed.append(Placed(gene, row, with_names and inside and bool(gene.name)))
    return placed


def _extent(
    gene: Gene, region: Interval, per_inch: float, *, with_name: bool
) -> tuple[float, float]:
    """What the gene takes up: its body and its name, which begins at its start site."""
    left = float(max(gene.interval.start, region.start))
    right = float(min(gene.interval.end, region.end))
    length = (_ARROW + (len(gene.name) * _LETTER if with_name else 0.0)) * per_inch
    if gene.interval.strand == "-":
        return min(left, right - length), right
    return left, max(right, left + length)


def draw_lane(axes: Axes, lane: Lane, *, ink: str, soft: str) -> None:
    """Draw exons as boxes, introns as a line, and a bent arrow at each start site."""
    from matplotlib.collections import LineCollection, PatchCollection
    from matplotlib.patches import Rectangle

    axes.set_ylim(lane.rows, 0)
    axes.annotate(
        "genes", (0, 0.5), xytext=(-34, 0), xycoords="axes fraction", textcoords="offset points",
        ha="right", va="center", fontsize=9, fontweight="bold", color=ink,
    )  # fmt: skip
    boxes, lines = [], []
    for placed in lane.placed:
        i, middle = placed.gene.interval, placed.row + 0.74
        lines.append([(i.start, middle), (i.end, middle)])
        for start, end in placed.gene.blocks:
            boxes.append(Rectangle((start, middle - 0.15), end - start, 0.3))
        if i.strand in ("+", "-") and not lane.crowded:
            _draw_start(axes, i, placed.row, lane, ink)
        if placed.named:
            _draw_name(axes, placed, lane, soft)
    axes.add_collection(LineCollection(lines, colors=ink, linewidths=0.8))
    axes.add_collection(PatchCollection(boxes, facecolor=soft, edgecolor="none", zorder=2))
    if not lane.placed:
        axes.text(
            0.5, 0.5, "no genes here", transform=axes.transAxes, ha="center", va="center",
            fontsize=7.5, color=soft, style="italic",
        )  # fmt: skip
    for row, strand in enumerate("+–" if lane.crowded else ""):
        axes.annotate(
            strand, (0, 1 - (row + 0.74) / lane.rows), xytext=(-6, 0), xycoords="axes fraction",
            textcoords="offset points", ha="right", va="center", fontsize=8, color=soft,
        )  # fmt: skip


def _draw_name(axes: Axes, placed: Placed, lane: Lane, soft: str) -> None:
    i, region = placed.gene.interval, lane.region
    start = max(i.start, region.start) if i.strand != "-" else min(i.end, region.end)
    # The name begins behind the arrow, if that is in view.
    seen = start == (i.end if i.strand == "-" else i.start) and i.strand in ("+", "-")
    shift = _ARROW * lane.per_inch if seen else 0.0
    axes.text(
        start - shift if i.strand == "-" else start + shift,
        placed.row + 0.53,
        placed.gene.name,
        ha="right" if i.strand == "-" else "left",
        va="bottom",
        fontsize=6.5,
        color=soft,
        style="italic",
        clip_on=True,
    )


def _draw_start(axes: Axes, gene: Interval, row: int, lane: Lane, ink: str) -> None:
    position = tss_of(gene.start, gene.end, gene.strand)
    if not lane.region.start <= position < lane.region.end:
        return
    length = 0.75 * _ARROW * lane.per_inch * (1 if gene.strand == "+" else -1)
    top, foot = row + 0.26, row + 0.6
    axes.plot([position, position], [foot, top], color=ink, linewidth=0.8)
    axes.annotate(
        "", (position + length, top), xytext=(position, top), annotation_clip=True,
        arrowprops={"arrowstyle": "-|>", "lw": 0.8, "color": ink, "shrinkA": 0, "shrinkB": 0,
                    "mutation_scale": 5},
    )  # fmt: skip
