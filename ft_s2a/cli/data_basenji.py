"""``ft-s2a data from-basenji | export-basenji | export-bigwig``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ft_s2a.cli.report import JsonOption, OverwriteOption, show


class Stored(StrEnum):
    """Type of stored targets."""

    float16 = "float16"
    float32 = "float32"


def add_to(group: typer.Typer) -> None:
    """Add the commands to the group ``data``."""
    group.command("from-basenji")(from_basenji)
    group.command("export-basenji")(export_basenji)
    group.command("export-bigwig")(export_bigwig)


def from_basenji(
    folder: Annotated[
        Path,
        typer.Argument(help="Folder of statistics.json, sequences.bed, targets.txt, tfrecords/."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Training set to make (.zarr).")],
    fasta: Annotated[
        Path | None,
        typer.Option(
            "--fasta",
            help="Genome: the records are compared with it, and the set refers to it. "
            "Without it the set keeps the records' sequence.",
        ),
    ] = None,
    pool: Annotated[
        int, typer.Option("--pool", help="Bins to make one of: 4 turns 32 bp into 128 bp.")
    ] = 1,
    transform: Annotated[
        str | None,
        typer.Option(
            "--transform",
            help="How targets were computed: basenji2020, basenji2025, hound or hound-old. "
            "Default: what an exported set states, else hound for a table with a soft clip or a "
            "squash, else basenji2020.",
        ),
    ] = None,
    head: Annotated[str, typer.Option("--head", help="Head that will predict them.")] = "human",
    folds: Annotated[
        str | None,
        typer.Option(
            "--folds", help="Splits by labels of the windows: test=fold3,valid=fold4,train=rest."
        ),
    ] = None,
    dtype: Annotated[Stored, typer.Option("--dtype", help="Of the targets.")] = Stored.float16,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted conversion.")
    ] = False,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Build a training set from TFRecords as Basenji and Baskerville publish them.

    Example: ft-s2a data from-basenji basenji/human --fasta hg38.fa -o human.zarr
    """
    from ft_s2a.data import from_basenji
    from ft_s2a.data.summary import summarise_splits

    data = from_basenji(
        folder,
        output,
        fasta=fasta,
        pool=pool,
        transform=transform,
        head=head,
        folds=folds,
        dtype=dtype.value,
        resume=resume,
        overwrite=overwrite,
    )
    show("ft_s2a.data", summarise_splits(data), files=[output], as_json=as_json)


def export_basenji(
    path: Annotated[Path, typer.Argument(help="Training set (.zarr).")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to make.")],
    fasta: Annotated[
        Path | None, typer.Option("--fasta", help="Genome, when it is not where it was.")
    ] = None,
    per_file: Annotated[int, typer.Option("--per-file", help="Windows in a file.")] = 256,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write a training set as TFRecords that Basenji and Baskerville read.

    Example: ft-s2a data export-basenji yeast.zarr -o yeast_basenji
    """
    from ft_s2a.data import TrackDataset, export_basenji
    from ft_s2a.data.summary import summarise_splits

    data = TrackDataset(path, fasta=fasta)
    written = export_basenji(data, output, per_file=per_file, overwrite=overwrite)
    show("ft_s2a.data", summarise_splits(data), files=[written], as_json=as_json)


def export_bigwig(
    path: Annotated[Path, typer.Argument(help="Training set (.zarr).")],
    sizes: Annotated[
        Path, typer.Option("--sizes", help="Contig lengths: chrom.sizes, .fai, FASTA or bigWig.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to make.")],
    split: Annotated[
        str | None, typer.Option("--split", help="Only windows of train, valid or test.")
    ] = None,
    tracks: Annotated[
        str | None, typer.Option("--tracks", help="Names, wildcards or column=value.")
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write a training set's targets as one bigWig per track, in observed units.

    Example: ft-s2a data export-bigwig yeast.zarr --sizes yeast.fa --split test -o observed
    """
    from ft_s2a.data import export_bigwigs

    files = export_bigwigs(path, sizes, output, split=split, tracks=tracks, overwrite=overwrite)
    listed = [output / "files.tsv"]
    columns = ["track", "assay", "cell_type", "file"]
    show("ft_s2a.files", files[columns], files=listed, as_json=as_json)
