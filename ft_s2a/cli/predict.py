"""``ft-s2a predict``: tracks over regions, as bigWigs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ft_s2a.cli.report import JsonOption, OverwriteOption, show


class Ensemble(StrEnum):
    """What predictions are averaged over."""

    none = "none"
    rc = "rc"


class Precision(StrEnum):
    """Arithmetic of the network."""

    float32 = "float32"
    bf16 = "bf16"


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(predict)


def predict(
    entry: Annotated[str, typer.Argument(help="Zoo entry, or path of an entry or run folder.")],
    fasta: Annotated[Path, typer.Option("--fasta", help="Genome: FASTA, plain, bgzip or gzip.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the bigWigs.")],
    regions: Annotated[Path | None, typer.Option("--regions", help="BED file.")] = None,
    chrom: Annotated[
        list[str] | None,
        typer.Option("--chrom", help="Contig, or contig:start-end (0-based); repeatable."),
    ] = None,
    head: Annotated[
        str | None, typer.Option("--head", help="Head, when the model has several.")
    ] = None,
    tracks: Annotated[
        str | None,
        typer.Option("--tracks", help="Names, wildcards or column=value, comma separated."),
    ] = None,
    centre: Annotated[
        bool, typer.Option("--centre", help="One window around each region's centre.")
    ] = False,
    ensemble: Annotated[
        Ensemble | None,
        typer.Option("--ensemble", help="Average over both strands; default: the entry's."),
    ] = None,
    shifts: Annotated[
        str, typer.Option("--shifts", help="Average over these shifts (bp), such as -1,0,1.")
    ] = "0",
    shift_pad: Annotated[
        float,
        typer.Option(
            "--shift-pad", min=0, max=1, help="Fill the gap of a shift: 0 is N; Basenji 2020: 0.25."
        ),
    ] = 0.0,
    batch_size: Annotated[
        int | None, typer.Option("--batch-size", min=1, help="Windows at once.")
    ] = None,
    device: Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:1, ...")] = "cpu",
    precision: Annotated[
        Precision, typer.Option("--precision", help="bf16 is faster on some devices.")
    ] = Precision.float32,
    compiled: Annotated[
        bool, typer.Option("--compile", help="Compile first: for many windows on a GPU or in bf16.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted prediction.")
    ] = False,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Predict tracks over regions (default: the whole genome), one bigWig per track.

    Example: ft-s2a predict yeast/basenji2 --fasta yeast.fa --chrom II -o out/
    """
    from ft_s2a.errors import FtS2aError
    from ft_s2a.genome import Genome, resolve_regions
    from ft_s2a.loading import load_model
    from ft_s2a.prediction import predict_tracks

    try:
        moves = [int(text) for text in shifts.split(",")]
    except ValueError:
        raise FtS2aError(f"--shifts is {shifts!r}", expected="whole numbers, 0 or -1,0,1") from None
    genome = Genome(fasta)
    chosen = resolve_regions(genome.sizes, bed=regions, chroms=chrom or (), of=str(fasta))
    model = load_model(entry, device=device, precision=precision.value, compile=compiled)
    frame = predict_tracks(
        model,
        genome,
        chosen,
        head=head,
        out_dir=output,
        tracks=tracks,
        ensemble=None if ensemble is None else ensemble.value,
        shifts=moves,
        shift_pad=shift_pad,
        centre=centre,
        batch_size=batch_size,
        resume=resume,
        overwrite=overwrite,
    )
    files = [output / name for name in frame["file"]]
    rows = frame[["track", "file", "units", "grid"]].to_dict(orient="records")
    show("ft_s2a.predict", [{str(k): v for k, v in r.items()} for r in rows],
         files=[*files, output / "files.tsv"] if as_json else [output / "files.tsv"],
         as_json=as_json)  # fmt: skip
