"""Correlation across positions: how well predicted bigWigs follow observed ones, track by track."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ft_s2a.conventions.progress import track as progress
from ft_s2a.errors import ConfigError
from ft_s2a.evaluation.baseline import Baseline, plan_baseline, predict_baseline
from ft_s2a.evaluation.bootstrap import BlockBootstrap
from ft_s2a.evaluation.comparison import Comparison, prepare
from ft_s2a.evaluation.outputs import check_out_dir, write_outputs
from ft_s2a.evaluation.pairing import Pair
from ft_s2a.evaluation.plots import Panel, make_panel
from ft_s2a.evaluation.regions import Regions, contigs_of
from ft_s2a.evaluation.scores import SCORE_COLUMNS, Score, score_track
from ft_s2a.genome.bigwig import BigWig
from ft_s2a.genome.contigs import check_sizes
from ft_s2a.genome.fasta import Genome

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

_log = logging.getLogger(__name__)

COLUMNS = ("model", "track", "assay", "cell_type", "units", *SCORE_COLUMNS)
_FEW_BLOCKS = 20


def correlate_positions(
    predicted: str | Path,
    observed: str | Path,
    *,
    regions: Regions,
    tracks: str | None = None,
    bin_size: int | None = None,
    transform: str | Path | None = None,
    fasta: str | Path | None = None,
    baseline: str | None = None,
    train: Regions = (),
    valid: Regions = (),
    block: int = 80,
    draws: int = 400,
    seed: int = 1,
    out_dir: str | Path | None = None,
    overwrite: bool = False,
    plots: int = 20,
) -> pd.DataFrame:
    """Correlate predicted and observed bigWigs over the bins of some regions.

    Both sides are read as exact bin means on one grid anchored at each region's start; tracks are
    handled one after the other, so that memory is a few values per bin.  Bins without a prediction
    are left out and counted; observed bases without a value are zero unless the track table says
    NaN.

    Parameters
    ----------
    predicted, observed : str or Path
        bigWigs of both sides: a folder (with ``files.tsv`` or just ``*.bw``), a ``files.tsv``, a
        track table with a `file` column, or one file.  Paired by track name, then by file name.
    regions : str, Path, or sequence of them
        Regions to score: BED files, contigs, or ``contig:start-end`` (0-based half-open).
    tracks : str, optional
        Only these predicted tracks, as ``RNA.*,MNase`` or ``assay=CAGE``.
    bin_size : int, optional
        Bases per bin; the default is the `grid` that ``files.tsv`` tells of the predicted files.
    transform : str or Path, optional
        Track table by which both sides are brought into target units first.
    fasta : str or Path, optional
        Genome; needed by `baseline`, else only compared with the files' contigs.
    baseline : str, optional
        ``kmer4`` (``kmer2`` to ``kmer6``): also fit and score a ridge regression of
        ln(1 + observed) on the k-mer counts of each bin and the two bins at each side.
    train, valid : as `regions`
        Where the baseline is fitted, and where its penalty is chosen (without `valid`: 3,000 on
        standardised counts).
    block, draws, seed : int
        Bootstrap: bins per block, number of draws, seed.
    out_dir : str or Path, optional
        Folder to write ``positions.tsv``, ``positions.json`` and pictures to.
    overwrite : bool
        Replace a folder that an earlier evaluation wrote.
    plots : int
        Draw at most so many tracks.

    Returns
    -------
    DataFrame
        One row per model and track; columns model, track, assay, cell_type, units, and those of
        :class:`ft_s2a.evaluation.scores.Score`.

    Raises
    ------
    FtS2aError
        For anything wrong with files, regions, tracks or options, before anything is written.

    Examples
    --------
    >>> import tempfile
    >>> from ft_s2a.genome import write_bigwig
    >>> folder = Path(tempfile.mkdtemp())
    >>> values = np.array([0.0, 1.0, 5.0, 2.0])
    >>> for side, factor in (("predicted", 2.0), ("observed", 1.0)):
    ...     _ = write_bigwig(
    ...         folder / side / "a.bw", {"I": 40}, [("I", 0, factor * values)], bin_size=10
    ...     )
    >>> table = correlate_positions(
    ...     folder / "predicted", folder / "observed", regions="I", bin_size=10, block=1
    ... )
    >>> table[["track", "n_bins", "pearson", "spearman"]].to_dict("records")
    [{'track': 'a', 'n_bins': 4, 'pearson': 1.0, 'spearman': 1.0}]
    """
    import pandas as pd

    if out_dir is not None:
        inputs = [p for p in (predicted, observed, fasta, transform) if p is not None]
        check_out_dir(out_dir, inputs, overwrite=overwrite)
    comparison = prepare(
        predicted,
        observed,
        regions=regions,
        tracks=tracks,
        bin_size=bin_size,
        transform=transform,
    )
    kmers = _plan_baseline(baseline, comparison, fasta=fasta, train=train, valid=valid)
    starts = comparison.grid.block_starts(block)
    plan = BlockBootstrap(len(starts), draws, seed)
    if draws and len(starts) < _FEW_BLOCKS:
        _log.warning("only %d blocks of %d bins: the intervals are rough", len(starts), block)

    rows: list[dict[str, Any]] = []
    panels: list[Panel] = []
    alphas: dict[str, float] = {}
    names = {_model(pair): None for pair in comparison.pairs}
    for pair, model, pred, obs in _sides(comparison, kmers, alphas):
        score = score_track(pred, obs, starts, plan)
        rows.append(_row(pair, model, comparison.units, score))
        if out_dir is not None and model in names and len(panels) < plots:
            panels.append(
                make_panel(pred, obs, score, track=pair.track, model=model, color=pair.color)
            )
    # The tracks of the model, then those of the baseline.
    rows.sort(key=lambda row: row["model"] not in names)
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    _warn(rows)
    if out_dir is not None:
        description = {
            "parameters": {
                "predicted": predicted,
                "observed": observed,
                "tracks": tracks,
                "regions": [str(region) for region in comparison.grid.regions],
                "bin_size": comparison.grid.bin_size,
                "units": comparison.units,
                "transform": transform,
                "fasta": fasta,
                "block": block,
                "draws": draws,
                "seed": seed,
            },
            "bins": len(comparison.grid),
            "blocks": len(starts),
            "baseline": None if kmers is None else kmers.describe(alphas),
            "inputs": [_describe(pair) for pair in comparison.pairs],
        }
        write_outputs(
            out_dir, frame, panels, description, units=comparison.units, overwrite=overwrite
        )
    return frame


def _plan_baseline(
    name: str | None,
    comparison: Comparison,
    *,
    fasta: str | Path | None,
    train: Regions,
    valid: Regions,
) -> Baseline | None:
    if name is None and (train or valid):
        raise ConfigError(
            "training or validation regions without a baseline",
            remedy="add --baseline kmer4, or leave --train and --valid out",
        )
    planned = None
    if name is not None:
        planned = plan_baseline(
            name,
            fasta=fasta,
            train=train,
            valid=valid,
            scored=comparison.grid,
            pairs=comparison.pairs,
        )
    if fasta is not None:
        genome = Genome(fasta) if planned is None else planned.genome
        predicted = comparison.pairs[0].predicted.file
        with BigWig(predicted) as opened:
            check_sizes(
                opened.sizes,
                genome.sizes,
                where=predicted,
                of=str(fasta),
                contigs=contigs_of(comparison.grid.regions),
            )
    return planned


def _sides(
    comparison: Comparison, kmers: Baseline | None, alphas: dict[str, float]
) -> Iterator[tuple[Pair, str, Floats, Floats]]:
    """Give pair, model, predicted and observed bins; the baseline on the bins of the model."""
    pairs, grid = comparison.pairs, comparison.grid
    fitted = None if kmers is None else predict_baseline(kmers, pairs, grid)
    for pair in progress(pairs, "scoring", unit="tracks"):
        pred, obs = comparison.read(pair)
        target = comparison.in_units(obs, pair)
        yield pair, _model(pair), comparison.in_units(pred, pair), target
        if kmers is not None and fitted is not None:
            values, alphas[pair.track] = next(fitted)
            values = np.where(np.isnan(pred), np.nan, values)
            yield pair, kmers.name, comparison.in_units(values, pair), target


def _model(pair: Pair) -> str:
    return pair.predicted.entry or "predicted"


def _row(pair: Pair, model: str, units: str, score: Score) -> dict[str, Any]:
    return {
        "model": model,
        "track": pair.track,
        "assay": pair.predicted.assay or pair.observed.assay,
        "cell_type": pair.predicted.cell_type or pair.observed.cell_type,
        "units": units,
        **dataclasses.asdict(score),
    }


def _describe(pair: Pair) -> dict[str, Any]:
    return {
        "track": pair.track,
        "predicted": pair.predicted.file,
        "observed": pair.observed.file,
        "entry": pair.predicted.entry,
        "version": pair.predicted.version,
        "missing": pair.missing,
    }


def _warn(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        name = f"{row['model']}, {row['track']}"
        if row["n_missing"]:
            total = row["n_missing"] + row["n_bins"]
            _log.warning(
                "%s: %d of %d bins have no value and are left out", name, row["n_missing"], total
            )
        if not row["constant"] and np.isnan(row["pearson_log1p"]):
            _log.warning("%s: values of -1 or less have no ln(1+x)", name)
    constant = [f"{row['track']} ({row['constant']})" for row in rows if row["constant"]]
    if constant:
        _log.warning(
            "%d of %d rows are constant and have no correlation: %s",
            len(constant),
            len(rows),
            ", ".join(constant[:5]) + (", ..." if len(constant) > 5 else ""),
        )
