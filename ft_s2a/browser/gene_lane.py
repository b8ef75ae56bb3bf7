"""Genes below the tracks of a figure: which row each takes, and how it is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ft_s2a.browser.genes import Gene
from ft_s2a.geometry import Interval, tss_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Inches of the axes and of one letter at the size of the names: only to tell what overlaps.
_AXES_WIDTH = 8.0
_LETTER = 0.062
_ROW = 0.26
_MAX_ROWS = 6
_ARROW = 0.14


@dataclass(frozen=True)
class Placed:
    """A gene, its row (0 is the top) and whether its name has room."""

    gene: Gene
    row: int
    named: bool


@dataclass(frozen=True)
class Lane:
    """The genes of a region in rows; `left_out` did not fit."""

    placed: tuple[Placed, ...]
    rows: int
    left_out: int
    region: Interval

    @property
    def height(self) -> float:
        """Height in inches."""
        return _ROW * max(1, self.rows) + (0.12 if self.left_out else 0.0)


def plan_lane(genes: Sequence[Gene], region: Interval) -> Lane:
    """Give each gene the first row where it overlaps no other.

    Names go along while they fit into the rows; when they do not, genes are placed without.

    Parameters
    ----------
    genes : sequence of Gene
        Genes that overlap the region.
    region : Interval
        What is drawn.
    """
    placed, left_out = _pack(genes, region, with_names=True)
    if left_out:
        placed, left_out = _pack(genes, region, with_names=False)
    rows = 1 + max((p.row for p in placed), default=0)
    return Lane(tuple(placed), rows, left_out, region)


def _pack(genes: Sequence[Gene], region: Interval, *, with_names: bool) -> tuple[list[Placed], int]:
    reached: list[float] = []
    placed: list[Placed] = []
    left_out = 0
    gap = 0.05 * _per_inch(region)
    spans = [(_extent(gene, region, with_name=with_names), gene) for gene in genes]
    for (left, right), gene in sorted(spans, key=lambda item: item[0]):
        row = next((r for r, end in enumerate(reached) if end + gap <= left), len(reached))
        if row == _MAX_ROWS:
            left_out += 1
            continue
        if row == len(reached):
            reached.append(right)
        reached[row] = right
        inside = region.start <= left and right <= region.end
        placed.append(Placed(gene, row, with_names and inside and bool(gene.name)))
    return placed, left_out


def _per_inch(region: Interval) -> float:
    return len(region) / _AXES_WIDTH


def _extent(gene: Gene, region: Interval, *, with_name: bool) -> tuple[float, float]:
    """What the gene takes up: its body and its name, which begins at its start site."""
    left = float(max(gene.interval.start, region.start))
    right = float(min(gene.interval.end, region.end))
    length = _ARROW * _per_inch(region)
    if with_name:
        length += len(gene.name) * _LETTER * _per_inch(region)
    if gene.interval.strand == "-":
        return min(left, right - length), right
    return left, max(right, left + length)


def draw_lane(axes: Axes, lane: Lane, *, ink: str, soft: str) -> None:
    """Draw exons as boxes, introns as a line, and a bent arrow at each start site."""
    from matplotlib.collections import LineCollection, PatchCollection
    from matplotlib.patches import Rectangle

    region = lane.region
    axes.set_ylim(lane.rows + (0.4 if lane.left_out else 0.0), 0)
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
        if i.strand in ("+", "-"):
            _draw_start(axes, i, placed.row, region, ink)
        if placed.named:
            _draw_name(axes, placed, region, soft)
    axes.add_collection(LineCollection(lines, colors=ink, linewidths=0.8))
    axes.add_collection(PatchCollection(boxes, facecolor=soft, edgecolor="none", zorder=2))
    if not lane.placed:
        axes.text(
            0.5, 0.5, "no genes here", transform=axes.transAxes, ha="center", va="center",
            fontsize=7.5, color=soft, style="italic",
        )  # fmt: skip
    if lane.left_out:
        axes.text(
            1.0, 0.0, f"{lane.left_out} more genes", transform=axes.transAxes, ha="right",
            va="bottom", fontsize=6.5, color=soft,
        )  # fmt: skip


def _draw_name(axes: Axes, placed: Placed, region: Interval, soft: str) -> None:
    i = placed.gene.interval
    start = max(i.start, region.start) if i.strand != "-" else min(i.end, region.end)
    # The name begins behind the arrow, if that is in view.
    seen = start == (i.end if i.strand == "-" else i.start) and i.strand in ("+", "-")
    shift = _ARROW * _per_inch(region) if seen else 0.0
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


def _draw_start(axes: Axes, gene: Interval, row: int, region: Interval, ink: str) -> None:
    position = tss_of(gene.start, gene.end, gene.strand)
    if not region.start <= position < region.end:
        return
    length = 0.75 * _ARROW * _per_inch(region) * (1 if gene.strand == "+" else -1)
    top, foot = row + 0.26, row + 0.6
    axes.plot([position, position], [foot, top], color=ink, linewidth=0.8)
    axes.annotate(
        "", (position + length, top), xytext=(position, top), annotation_clip=True,
        arrowprops={"arrowstyle": "-|>", "lw": 0.8, "color": ink, "shrinkA": 0, "shrinkB": 0,
                    "mutation_scale": 5},
    )  # fmt: skip
