"""Pictures of predicted against observed bins: density, diagonal, r and its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ft_s2a.evaluation.scores import Score
from ft_s2a.tracks.files import slug

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

CELLS = 64
_FALLBACK = "#4477aa"
_INK, _MUTED, _FRAME = "#222222", "#6b6b6b", "#bdbdbd"
_PANEL = 2.5
_ALONE = 3.4
_COLUMNS = 5
_NAME = 28
_PNG_DPI = 160


@dataclass(frozen=True)
class Panel:
    """One track as counts of bins on a square raster of ln(1 + x).

    Parameters
    ----------
    counts : float64 array [CELLS, CELLS]
        Bins per cell; axis 0 is the observed, axis 1 the predicted.
    low, high : float
        Range of both axes in ln(1 + x).
    """

    track: str
    model: str
    color: str
    counts: Floats
    low: float
    high: float
    score: Score


def make_panel(
    pred: Floats, obs: Floats, score: Score, *, track: str, model: str, color: str
) -> Panel:
    """Count the bins of one track, so that a picture does not need them all.

    Parameters
    ----------
    pred, obs : float64 array [N]
        Bins; those that are NaN, or -1 and less, on either side are not drawn.
    """
    shown = (pred > -1) & (obs > -1)
    predicted, observed = np.log1p(pred[shown]), np.log1p(obs[shown])
    values = np.concatenate((predicted, observed, [0.0]))
    low, high = float(values.min()), float(values.max())
    high = high if high > low else low + 1.0
    # Room at the upper end, so that the highest bins do not sit on the frame.
    high += 0.03 * (high - low)
    counts, _, _ = np.histogram2d(observed, predicted, bins=CELLS, range=[[low, high]] * 2)
    return Panel(track, model, color, counts, low, high, score)


def draw_panels(panels: Sequence[Panel], *, units: str = "observed") -> Figure:
    """Draw small multiples, one panel per track.

    Parameters
    ----------
    panels : sequence of Panel
        At least one.
    units : {'observed', 'target'}
        For the axes' labels.
    """
    from matplotlib.figure import Figure

    alone = len(panels) == 1
    columns = min(len(panels), _COLUMNS)
    rows = math.ceil(len(panels) / columns)
    size = _ALONE if alone else _PANEL
    figure = Figure(figsize=(size * columns + 0.4, (size + 0.45) * rows + 0.4), layout="compressed")
    grid = figure.subplots(rows, columns, squeeze=False)
    for index, axes in enumerate(grid.flat):
        if index < len(panels):
            _draw(axes, panels[index], named=alone)
        else:
            axes.set_axis_off()
    signal = "signal per base" if units == "observed" else "target units"
    figure.supxlabel(f"observed, {signal}, scale of ln(1+x)", fontsize=8.5, color=_INK)
    figure.supylabel("predicted", fontsize=8.5, color=_INK)
    if not alone:
        model = ", ".join(dict.fromkeys(panel.model for panel in panels))
        figure.suptitle(
            f"{model}: r of ln(1+x) with 95 % block-bootstrap interval", fontsize=9, color=_MUTED
        )
    return figure


def save_figure(figure: Figure, path: Path) -> list[Path]:
    """Write PNG and SVG beside each other; `path` has no suffix."""
    from matplotlib import rc_context

    written = [path.with_name(f"{path.name}{suffix}") for suffix in (".png", ".svg")]
    # Text stays text; a fixed salt and no date make the same picture the same file.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "ft_s2a"}):
        figure.savefig(written[0], dpi=_PNG_DPI, facecolor="white")
        figure.savefig(written[1], facecolor="white", metadata={"Date": None})
    return written


def write_scatter(panels: Sequence[Panel], folder: Path, *, units: str) -> list[Path]:
    """Write ``scatter.png`` and ``.svg`` of all panels and ``scatter/<track>`` of each."""
    if not panels:
        return []
    written = save_figure(draw_panels(panels, units=units), folder / "scatter")
    (folder / "scatter").mkdir()
    for panel in panels:
        figure = draw_panels([panel], units=units)
        written += save_figure(figure, folder / "scatter" / slug(panel.track))
    return written


def _draw(axes: Axes, panel: Panel, *, named: bool) -> None:
    from matplotlib.colors import LinearSegmentedColormap, LogNorm, is_color_like, to_rgb

    color = panel.color if is_color_like(panel.color) else _FALLBACK
    edges = np.linspace(panel.low, panel.high, CELLS + 1)
    counts = np.ma.masked_equal(panel.counts, 0.0)
    colors = (_tint(color, 0.28), to_rgb(color), _shade(color))
    palette = LinearSegmentedColormap.from_list(
        "track", list(zip((0.0, 0.5, 1.0), colors, strict=True))
    )
    axes.pcolormesh(
        edges,
        edges,
        counts.T,
        cmap=palette,
        norm=LogNorm(1.0, max(2.0, float(panel.counts.max()))),
        rasterized=True,
    )
    ends = (panel.low, panel.high)
    axes.plot(ends, ends, color=_INK, linewidth=0.7, alpha=0.45)
    axes.set_aspect("equal")
    axes.set_xlim(panel.low, panel.high)
    axes.set_ylim(panel.low, panel.high)
    positions, labels = _ticks(panel.low, panel.high)
    axes.set_xticks(positions, labels, fontsize=7, color=_MUTED)
    axes.set_yticks(positions, labels, fontsize=7, color=_MUTED)
    axes.tick_params(length=2, color=_FRAME)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(_FRAME)
    bins = f"{panel.score.n_bins:,} bins"
    caption = f"{_caption(panel.score)}\n" + (f"{panel.model}, {bins}" if named else bins)
    axes.annotate(
        caption,
        (0.0, 1.0),
        xycoords="axes fraction",
        xytext=(0, 4),
        textcoords="offset points",
        fontsize=7,
        color=_MUTED,
        linespacing=1.4,
    )
    axes.set_title(
        _short(panel.track), fontsize=9, color=_INK, loc="left", pad=25, fontweight="bold"
    )


def _caption(score: Score) -> str:
    if score.constant:
        side = "both sides are" if score.constant == "both" else f"the {score.constant} is"
        return f"no r: {side} constant"
    if not math.isfinite(score.pearson_log1p):
        return "no r: values of -1 or less"
    text = f"r = {score.pearson_log1p:.3f}"
    if math.isfinite(score.pearson_log1p_low):
        text += f"  ({score.pearson_log1p_low:.3f} to {score.pearson_log1p_high:.3f})"
    return text


def _ticks(low: float, high: float) -> tuple[list[float], list[str]]:
    """Round values of x, at their ln(1 + x)."""
    top = math.expm1(high)
    if top < 1:
        step = 10.0 ** math.floor(math.log10(top)) / 2
        candidates = [step * factor for factor in range(int(top / step) + 1)]
    else:
        decades = [10.0**power for power in range(1 + int(math.log10(top)))]
        fine = [0.0, *(digit * ten for ten in decades for digit in (1.0, 2.0, 5.0))]
        coarse = [0.0, *decades]
        candidates = fine if len(coarse) < 4 else coarse
    values: list[float] = []
    for value in candidates:
        # Labels need room: leave out what comes too close to the one before.
        room = math.log1p(value) - (math.log1p(values[-1]) if values else -math.inf)
        if room > 0.15 * (high - low):
            values.append(value)
    inside = [value for value in values if low <= math.log1p(value) <= high]
    return [math.log1p(value) for value in inside], [_label(value) for value in inside]


def _label(value: float) -> str:
    return f"{value:g}" if value < 1e4 else f"1e{round(math.log10(value))}"


def _short(name: str) -> str:
    """A name that fits over its panel; the end often tells the strand."""
    return name if len(name) <= _NAME else f"{name[: _NAME - 10]}…{name[-9:]}"


def _tint(color: str, share: float) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    return _mixed(to_rgb(color), 1.0, 1.0 - share)


def _shade(color: str) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    return _mixed(to_rgb(color), 0.0, 0.45)


def _mixed(
    color: tuple[float, float, float], other: float, weight: float
) -> tuple[float, float, float]:
    red, green, blue = (channel * (1 - weight) + other * weight for channel in color)
    return red, green, blue
