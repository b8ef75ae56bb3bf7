"""Draw one region: observed and predicted signal, genes, coordinates (matplotlib, no pyplot)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ft_s2a.browser.gene_lane import Lane, draw_lane, plan_lane
from ft_s2a.browser.genes import read_genes
from ft_s2a.browser.limits import quantile_limits
from ft_s2a.browser.pairs import OBSERVED_COLOR, TrackPair, entries_of, pair_tracks
from ft_s2a.browser.reference import first_locus, open_reference, resolve_locus
from ft_s2a.conventions.atomic import atomic_path, refuse_existing
from ft_s2a.errors import FormatError
from ft_s2a.genome import BigWig
from ft_s2a.geometry import Interval, to_one_based
from ft_s2a.tracks import TrackFile

if TYPE_CHECKING:
    from matplotlib import RcParams
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")

_WIDTH = 10.0
_GAP = 0.09
_INK, _SOFT, _LINE = "#1d2733", "#5b6875", "#c9d1d9"
# More columns than this cannot be told apart at the figure's width.
_COLUMNS = 1600


@dataclass(frozen=True)
class _Signal:
    """Binned values of one file (float64 [bins], NaN where nothing is known)."""

    values: NDArray[np.float64]
    color: str
    kind: str


def figure(
    output: str | Path,
    *,
    predicted: str | Path | None = None,
    observed: str | Path | None = None,
    locus: str | None = None,
    annotation: str | Path | None = None,
    tracks: str | Sequence[str] | None = None,
    quantile: float | None = None,
    title: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Draw observed and predicted tracks of one region and write the figure.

    Each track is a pair of rows with common y limits: observed in grey, predicted in the track's
    colour.  Bins are as wide as needed for the figure's width (means of the bases below them).
    Bases that an observed file leaves out count as 0; where there is no prediction, nothing is
    drawn.

    Parameters
    ----------
    output : str or Path
        ``.png``, ``.svg`` or ``.pdf``.
    predicted, observed : str or Path, optional
        A folder with ``files.tsv``, a track table, or a bigWig; at least one of the two.
    locus : str, optional
        ``CHROM`` or ``CHROM:START-END`` (0-based, half-open); the default is where the first
        track begins.
    annotation : str or Path, optional
        Genes: BED, GTF or GFF3.
    tracks : str or sequence of str, optional
        Names, wildcards or ``column=value``.
    quantile : float, optional
        y limits at this quantile of the whole signal; the default is the region's range.
    title : str, optional
        Heading; the default is the entry and its version.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    Path
        The file.

    Examples
    --------
    >>> figure("region.svg", predicted="out", observed="tracks.tsv", locus="II:100000-150000",
    ...        annotation="genes.gtf")  # doctest: +SKIP
    PosixPath('region.svg')
    """
    target = Path(output)
    if target.suffix.lower() not in FORMATS:
        raise FormatError(
            f"the ending {target.suffix!r}", where=target, expected=" or ".join(FORMATS)
        )
    refuse_existing(target, overwrite=overwrite)
    pairs = pair_tracks(predicted, observed, tracks)
    reference = open_reference(pairs)
    region = first_locus(pairs, reference) if locus is None else resolve_locus(locus, reference)
    lane = None
    if annotation is not None:
        genes = read_genes(annotation, reference.sizes, of=reference.name)
        here = [gene for gene in genes if gene.interval.overlaps(region)]
        lane = plan_lane(here, region, width=_axes_width(pairs))
    signals = [_signals(pair, region) for pair in pairs]
    limits = [
        _limits(shown) if quantile is None else quantile_limits(pair, reference.sizes, quantile)
        for pair, shown in zip(pairs, signals, strict=True)
    ]

    heading = title or entries_of(pairs)

    import matplotlib as mpl

    with mpl.rc_context(_style()):
        drawn = _draw(pairs, signals, limits, region, lane, heading)
        with atomic_path(target, overwrite=overwrite) as temporary:
            kind = target.suffix.lower().removeprefix(".")
            metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
            drawn.savefig(temporary, format=kind, dpi=150, metadata=metadata)
    return target


def _axes_width(pairs: Sequence[TrackPair]) -> float:
    """Inches left between the names on the left and "predicted" on the right, about."""
    longest = max(max(len(pair.name), len(pair.field("units"))) for pair in pairs)
    return max(4.0, _WIDTH - 1.3 - 0.092 * longest)


def _style() -> RcParams:
    import matplotlib as mpl

    style = mpl.rcParams.copy()
    style.update(
        {
            "font.family": "sans-serif",
            "font.size": 8.5,
            "axes.linewidth": 0.6,
            "axes.edgecolor": _LINE,
            "text.color": _INK,
            "axes.labelcolor": _INK,
            "xtick.color": _SOFT,
            "ytick.color": _SOFT,
            "svg.hashsalt": "ft_s2a",  # the same input gives the same file
            "svg.fonttype": "none",
            "pdf.fonttype": 42,
        }
    )
    return style


def _signals(pair: TrackPair, region: Interval) -> list[_Signal]:
    signals = []
    for file in pair.files:
        is_observed = file is pair.observed
        below = is_observed and pair.predicted is not None
        signals.append(
            _Signal(
                _values(file, region, missing="zero" if is_observed else "nan"),
                OBSERVED_COLOR if below else file.color,
                "observed" if is_observed else "predicted",
            )
        )
    return signals


def _values(file: TrackFile, region: Interval, *, missing: Any) -> NDArray[np.float64]:
    with BigWig(file.file) as bigwig:
        if region.chrom not in bigwig.sizes:
            return np.full(len(_edges(region)) - 1, np.nan)
        return bigwig.binned(
            region.chrom, region.start, region.end, bin_size=_bin_size(region), missing=missing
        )


def _bin_size(region: Interval) -> int:
    return max(1, -(-len(region) // _COLUMNS))


def _edges(region: Interval) -> NDArray[np.int64]:
    inner = np.arange(region.start, region.end, _bin_size(region), dtype=np.int64)
    return np.append(inner, region.end)


def _limits(signals: Sequence[_Signal]) -> tuple[float, float]:
    values = np.concatenate([s.values[np.isfinite(s.values)] for s in signals])
    low, high = min(0.0, *values, 0.0), max(0.0, *values, 0.0)
    return (low, high) if high > low else (0.0, 1.0)


def _draw(
    pairs: Sequence[TrackPair],
    signals: Sequence[Sequence[_Signal]],
    limits: Sequence[tuple[float, float]],
    region: Interval,
    lane: Lane | None,
    title: str,
) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Rows are lower when there are many tracks, but never too low for their labels.
    rows = sum(len(shown) for shown in signals)
    row = float(np.clip(6.0 / rows, 0.27, 0.55))
    # One grid for all, empty rows between the pairs: nested grids would not align their columns.
    heights = [h for shown in signals for h in (*[row] * len(shown), _GAP)]
    if lane is not None:
        heights.append(lane.height)
    height = sum(heights) + 0.9
    drawn = Figure(figsize=(_WIDTH, height), facecolor="white")
    FigureCanvasAgg(drawn)
    drawn.set_layout_engine(
        "constrained", h_pad=0.02, w_pad=0.06, hspace=0.0, wspace=0.0,
        rect=(0, 0, 1, 1 - 0.07 / height),
    )  # fmt: skip
    grid = drawn.add_gridspec(len(heights), 1, height_ratios=heights)
    last: Axes | None = None
    edges = _edges(region)
    position = 0
    for pair, shown, limit in zip(pairs, signals, limits, strict=True):
        for number, signal in enumerate(shown):
            last = drawn.add_subplot(grid[position + number], sharex=last)
            _draw_signal(last, edges, signal, limit)
            if number == 0:
                _beside(last, pair.name, weight="bold", size=9, shift=0)
            about = pair.field("units")
            if about and number == len(shown) - 1:
                _beside(last, about, color=_SOFT, size=7, shift=0 if len(shown) > 1 else -10)
        position += len(shown) + 1
    if lane is not None:
        last = drawn.add_subplot(grid[-1], sharex=last)
        last.spines[:].set_visible(False)
        last.set_yticks([])
        draw_lane(last, lane, ink=_INK, soft=_SOFT)
    if last is not None:
        last.set_xlim(region.start, region.end)
        _label_axis(last, region)
    start, end = to_one_based(region.start, region.end)
    place = f"{region.chrom}:{start:,}–{end:,}"
    drawn.suptitle(
        f"{title} · {place}" if title else place,
        fontsize=10.5,
        fontweight="bold",
        x=0.012,
        ha="left",
    )
    return drawn


def _draw_signal(
    axes: Axes, edges: NDArray[np.int64], signal: _Signal, limits: tuple[float, float]
) -> None:
    from matplotlib.patches import StepPatch

    low, high = limits
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines["bottom"].set_color(signal.color)
    axes.tick_params(axis="x", bottom=False, labelbottom=False)
    # Room above the highest column, so that the rows do not touch.
    axes.set_ylim(low, high + 0.08 * (high - low))
    # axes.stairs would go through every corner to find limits that are known already.
    axes.add_artist(StepPatch(signal.values, edges, fill=True, color=signal.color, linewidth=0.0))
    above = np.flatnonzero(signal.values > high)
    if above.size:
        axes.hlines(np.full(above.size, high), edges[above], edges[above + 1], color=_INK, lw=1.6)
    if low < 0:
        axes.axhline(0.0, color=_LINE, linewidth=0.5)
    ends = (low, high)
    axes.set_yticks(ends, [_number(value) for value in ends], fontsize=6.5)
    lower, upper = axes.get_yticklabels()
    lower.set_verticalalignment("bottom")
    upper.set_verticalalignment("top")
    axes.tick_params(axis="y", length=2, pad=2, width=0.5)
    axes.annotate(
        signal.kind, (1, 0.5), xytext=(4, 0), xycoords="axes fraction",
        textcoords="offset points", ha="left", va="center", fontsize=7.5, color=_SOFT,
    )  # fmt: skip
    if not np.isfinite(signal.values).any():
        axes.text(
            0.5, 0.5, f"nothing {signal.kind} here", transform=axes.transAxes, ha="center",
            va="center", fontsize=7.5, color=_SOFT, style="italic",
        )  # fmt: skip


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _beside(
    axes: Axes, text: str, *, size: float, shift: float, color: str = _INK, weight: str = "normal"
) -> None:
    axes.annotate(
        text, (0, 0.5), xytext=(-34, shift), xycoords="axes fraction",
        textcoords="offset points", ha="right", va="center", fontsize=size, color=color,
        fontweight=weight,
    )  # fmt: skip


def _label_axis(axes: Axes, region: Interval) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    unit, per_unit = ("Mb", 1e6) if len(region) > 5_000_000 else ("kb", 1e3)
    places = max(0, int(np.ceil(-np.log10(len(region) / per_unit / 8))))
    axes.spines["bottom"].set_visible(True)
    axes.spines["bottom"].set_color(_SOFT)
    axes.xaxis.set_major_locator(MaxNLocator(9, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x / per_unit:,.{places}f}"))
    axes.tick_params(axis="x", bottom=True, labelbottom=True, length=3, width=0.6, labelsize=8)
    axes.set_xlabel(f"{region.chrom} ({unit})", fontsize=8.5, color=_SOFT)
