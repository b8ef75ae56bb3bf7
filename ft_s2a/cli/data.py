"""``ft-s2a data``: build and look at training sets."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ft_s2a.cli import data_basenji, data_splits
from ft_s2a.cli.report import JsonOption, OverwriteOption, show

_group = typer.Typer(
    name="data", help="Build and look at training sets.", no_args_is_help=True,
    rich_markup_mode=None,
)  # fmt: skip


class Starts(StrEnum):
    """Where training windows start."""

    regular = "regular"
    random = "random"


class Transform(StrEnum):
    """A published order of target units."""

    basenji2020 = "basenji2020"
    basenji2025 = "basenji2025"
    hound = "hound"
    hound_old = "hound-old"


class Dtype(StrEnum):
    """Type of stored targets."""

    auto = "auto"
    float16 = "float16"
    float32 = "float32"


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    data_splits.register(_group)
    data_basenji.add_to(_group)
    app.add_typer(_group)


@_group.command("from-bigwig")
def from_bigwig(
    fasta: Annotated[Path, typer.Option("--fasta", help="Genome: FASTA, plain, bgzip or gzip.")],
    tracks: Annotated[
        Path,
        typer.Option(
            "--tracks", help="Track table with a file per track, or a published target table."
        ),
    ],
    split: Annotated[
        str,
        typer.Option(
            "--split",
            help="NAME=REGION,... with train, valid and test; a region is a contig, "
            "contig:start-end (0-based half-open), several joined by +, or 'rest'. "
            "Or a BED file whose column 4 is the split, or a fold (see --folds).",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Training set to make (.zarr).")],
    folds: Annotated[
        str | None,
        typer.Option(
            "--folds", help="Splits by labels of the BED: test=fold3,valid=fold4,train=rest."
        ),
    ] = None,
    bin_size: Annotated[int, typer.Option("--bin-size", help="Bases per bin.")] = 128,
    input_length: Annotated[
        int,
        typer.Option("--input-length", help="Longest input (bp) that the splits are kept for."),
    ] = 16_384,
    crop_bins: Annotated[
        int, typer.Option("--crop-bins", help="Bins between input and target at each side.")
    ] = 8,
    train_starts: Annotated[
        Starts, typer.Option("--train-starts", help="Abutting or random training windows.")
    ] = Starts.regular,
    coverage: Annotated[
        float, typer.Option("--coverage", help="Random windows: mean number over a base.")
    ] = 10.0,
    gaps: Annotated[
        Path | None,
        typer.Option(
            "--gaps",
            help="BED file of gaps, or auto (runs of N in the FASTA), which no input straddles.",
        ),
    ] = None,
    stride: Annotated[
        float,
        typer.Option(
            "--stride",
            help="From one training window to the next: up to 1 a fraction of the target's "
            "length, above 1 in bp.",
        ),
    ] = 1.0,
    eval_stride: Annotated[
        float, typer.Option("--eval-stride", help="Likewise of valid and test.")
    ] = 1.0,
    snap: Annotated[
        int, typer.Option("--snap", help="Targets start at multiples of this (bp).")
    ] = 1,
    transform: Annotated[
        Transform | None,
        typer.Option(
            "--transform", help="Published order of target units, for tracks that name none."
        ),
    ] = None,
    blacklist: Annotated[
        Path | None,
        typer.Option(
            "--blacklist", help="BED file: published transforms bring these bases to the baseline."
        ),
    ] = None,
    unmappable: Annotated[
        Path | None,
        typer.Option(
            "--unmappable",
            help="BED file of unmappable regions, or a mask with a row per window (.npy).",
        ),
    ] = None,
    umap_clip: Annotated[
        float,
        typer.Option(
            "--umap-clip", help="Unmappable bins are cut at this quantile of their window; 1: not."
        ),
    ] = 1.0,
    umap_threshold: Annotated[
        float,
        typer.Option(
            "--umap-threshold",
            help="Windows with this fraction of unmappable bins, or more, are dropped.",
        ),
    ] = 0.5,
    interpolate: Annotated[
        bool,
        typer.Option(
            "--interpolate",
            help="Published transforms: fill bases without a value by interpolation, not by the "
            "baseline.",
        ),
    ] = False,
    decimals: Annotated[
        int | None, typer.Option("--decimals", min=0, help="Round targets to these.")
    ] = None,
    dtype: Annotated[
        Dtype,
        typer.Option("--dtype", help="auto: float16, or float32 with RNA tracks (not published)."),
    ] = Dtype.auto,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of random starts.")] = 0,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Build a training set from a genome and bigWigs.

    Example: ft-s2a data from-bigwig --fasta yeast.fa --tracks tracks.tsv
    --split test=II,valid=XVI:853000-948066,train=rest -o yeast.zarr
    """
    from ft_s2a.data import from_bigwigs
    from ft_s2a.data.summary import summarise_splits

    data = from_bigwigs(
        fasta,
        tracks,
        output,
        split=split,
        folds=folds,
        bin_size=bin_size,
        input_length=input_length,
        crop_bins=crop_bins,
        train_starts=train_starts.value,
        coverage=coverage,
        gaps=gaps,
        stride=stride,
        eval_stride=eval_stride,
        snap=snap,
        transform=None if transform is None else transform.value,
        blacklist=blacklist,
        unmappable=unmappable,
        umap_clip=umap_clip,
        umap_threshold=umap_threshold,
        interpolate=interpolate,
        decimals=decimals,
        dtype=dtype.value,
        seed=seed,
        overwrite=overwrite,
    )
    show("ft_s2a.data", summarise_splits(data), files=[output], as_json=as_json)


@_group.command("show")
def show_data(
    path: Annotated[Path, typer.Argument(help="Training set (.zarr).")],
    as_json: JsonOption = False,
) -> None:
    """Show windows per split, tracks with their statistics, and where the set came from.

    Example: ft-s2a data show yeast.zarr
    """
    from ft_s2a.data.store import open_store
    from ft_s2a.data.summary import (
        describe_set,
        summarise_splits,
        summarise_tracks,
        unmappable_share,
    )

    header = open_store(path)[1]
    if as_json:
        show("ft_s2a.data.tracks", summarise_tracks(header), files=[path], as_json=True)
        return
    facts = describe_set(header, unmappable=unmappable_share(path))
    show("ft_s2a.data", facts, title=str(path))
    show("ft_s2a.data", summarise_splits(path), title="\nsplits")
    show("ft_s2a.data", summarise_tracks(header), title="\ntracks (target units, training bins)")
