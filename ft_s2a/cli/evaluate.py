"""``ft-s2a evaluate``: predicted against observed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ft_s2a.cli.report import JsonOption, OverwriteOption, show
from ft_s2a.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

_group = typer.Typer(
    help="Compare predictions with measurements: tables, intervals, pictures.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_SHOWN = ("model", "track", "n_bins", "r_log1p", "interval", "r", "spearman", "r2")

_WINDOW_COLUMNS = (
    "model",
    "assay",
    "track",
    "n_windows",
    "pearson",
    "pearson_low",
    "pearson_high",
    "deviance",
    "deviance_mean",
    "deviance_explained",
)


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    app.add_typer(_group, name="evaluate")


@_group.callback()
def _evaluate() -> None:
    # Without a callback a group of a single command would be that command.
    pass


@_group.command(
    epilog="Example: ft-s2a evaluate positions --predicted out/ --observed tracks.tsv --chrom II "
    "--fasta genome.fa --baseline kmer4 --train IV --train XVI:0-853000 -o evaluation/"
)
def positions(
    predicted: Annotated[
        Path, typer.Option(help="Folder of predicted bigWigs (with files.tsv), or one file.")
    ],
    observed: Annotated[
        Path, typer.Option(help="Track table, folder or files.tsv of the observed bigWigs.")
    ],
    regions: Annotated[
        list[str] | None,
        typer.Option(help="BED file or CHROM:START-END (0-based) to score; may be repeated."),
    ] = None,
    chrom: Annotated[
        list[str] | None, typer.Option(help="Contig to score; may be repeated.")
    ] = None,
    tracks: Annotated[
        str | None, typer.Option(help="Tracks: names, wildcards, assay=CAGE; comma separated.")
    ] = None,
    bin_size: Annotated[
        int | None, typer.Option(help="Bases per bin; default: the predicted files' grid.")
    ] = None,
    transform: Annotated[
        Path | None, typer.Option(help="Track table: compare in its target units.")
    ] = None,
    fasta: Annotated[Path | None, typer.Option(help="Genome, needed by --baseline.")] = None,
    baseline: Annotated[
        str | None, typer.Option(help="Score a k-mer ridge beside it: kmer4 (kmer2 to kmer6).")
    ] = None,
    train: Annotated[
        list[str] | None,
        typer.Option(help="BED, contig or CHROM:START-END to fit the baseline on; repeatable."),
    ] = None,
    valid: Annotated[
        list[str] | None,
        typer.Option(help="The same, to choose the baseline's penalty by (default: 3000)."),
    ] = None,
    block: Annotated[int, typer.Option(help="Bins per bootstrap block.")] = 80,
    draws: Annotated[int, typer.Option(help="Bootstrap draws; 0: no intervals.")] = 400,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 1,
    plots: Annotated[int, typer.Option(help="Draw at most so many tracks.")] = 20,
    out: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for the table, JSON and pictures."),
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Correlate predicted and observed bigWigs over the bins of some regions, track by track.

    Pearson of ln(1+x) and of x, Spearman and R2 (coefficient of determination), in float64 and
    observed units, with 95 % block-bootstrap intervals.
    """
    from ft_s2a.evaluation import correlate_positions
    from ft_s2a.evaluation.outputs import SCHEMA, list_outputs

    named = [*(regions or []), *(chrom or [])]
    if not named:
        raise ConfigError(
            "nothing says what to score", remedy="name it with --regions BED or --chrom CONTIG"
        )
    rows = correlate_positions(
        predicted,
        observed,
        regions=named,
        tracks=tracks,
        bin_size=bin_size,
        transform=transform,
        fasta=fasta,
        baseline=baseline,
        train=train or (),
        valid=valid or (),
        block=block,
        draws=draws,
        seed=seed,
        out_dir=out,
        overwrite=overwrite,
        plots=plots,
    )
    files = [] if out is None else list_outputs(out)
    show(SCHEMA, rows if as_json else _compact(rows), files=files, as_json=as_json)


@_group.command(
    epilog="Example: ft-s2a evaluate windows runs/human --data human.zarr --baseline kmer5"
)
def windows(
    model: Annotated[str, typer.Argument(help="Run folder, or entry (name or folder).")],
    data: Annotated[Path, typer.Option(help="Training set that holds the windows (.zarr).")],
    head: Annotated[str | None, typer.Option(help="Head, when the model has several.")] = None,
    split: Annotated[str, typer.Option(help="test, valid or train.")] = "test",
    fasta: Annotated[Path | None, typer.Option(help="Genome, when it is not where it was.")] = None,
    baseline: Annotated[
        str | None, typer.Option(help="Score a k-mer ridge beside it: kmer4 (kmer2 to kmer6).")
    ] = None,
    draws: Annotated[int, typer.Option(help="Resamples of the windows; 0: no intervals.")] = 400,
    seed: Annotated[int, typer.Option(help="Seed of the resamples.")] = 1,
    out: Annotated[
        Path | None, typer.Option("--output", "-o", help="Table to write (.tsv): every track.")
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Score a model on the held-out windows of a training set, in target units.

    Pearson's r and the share of the Poisson deviance that the model explains beyond each track's
    training mean, with 95 % intervals from resampled windows; medians per assay on the screen,
    every track in the table.
    """
    from ft_s2a.conventions.atomic import refuse_existing, write_text
    from ft_s2a.evaluation.baseline import parse_baseline
    from ft_s2a.loading import load_model
    from ft_s2a.prediction.heldout import score_heldout

    if out is not None:
        refuse_existing(out, overwrite=overwrite)
    rows = score_heldout(
        load_model(model),
        data,
        head=head,
        split=split,
        fasta=fasta,
        kmers=None if baseline is None else parse_baseline(baseline),
        draws=draws,
        seed=seed,
    )
    if out is not None:
        text = rows.to_csv(sep="\t", index=False, float_format="%.8g")
        write_text(out, text, overwrite=overwrite)
    summary = rows[rows["track"].str.startswith("median of ")] if len(rows) > 20 else rows
    files = [] if out is None else [out]
    shown = rows if as_json else summary[list(_WINDOW_COLUMNS)]
    show("ft_s2a.evaluate.windows/1", shown, files=files, as_json=as_json)


def _compact(rows: pd.DataFrame) -> pd.DataFrame:
    """The columns that fit a terminal; the files and ``--json`` have all."""
    table = rows.rename(columns={"pearson_log1p": "r_log1p", "pearson": "r"})
    table["interval"] = [
        "-" if low != low else f"{low:.3f}-{high:.3f}"
        for low, high in zip(rows["pearson_log1p_low"], rows["pearson_log1p_high"], strict=True)
    ]
    return table[list(_SHOWN)]
