"""``ft-s2a kipoi`` and ``ft-s2a bigwig``: predictions through Kipoi."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ft_s2a.cli.report import JsonOption, OverwriteOption, show


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        "kipoi",
        context_settings={
            "allow_extra_args": True,
            "ignore_unknown_options": True,
            # What follows Kipoi's command belongs to it, --help included.
            "allow_interspersed_args": False,
        },
    )(kipoi)
    app.command("bigwig")(bigwig)


def kipoi(context: typer.Context) -> None:
    """Kipoi's own command line, with its writers repaired.

    Example: ft-s2a kipoi predict model_zoo/yeast/basenji2 --source=dir
    --dataloader_args='{"intervals_file": "r.bed", "fasta_file": "g.fa"}' -m -o p.h5
    """
    from ft_s2a.zoo.kipoi_command import run_kipoi

    run_kipoi(context.args)


def bigwig(
    predictions: Annotated[
        Path, typer.Argument(metavar="PREDS.h5", help="Output of `kipoi predict ... -m`.")
    ],
    entry: Annotated[str, typer.Option(help="Entry that predicted: name or folder.")],
    sizes: Annotated[
        Path, typer.Option(help="Contig lengths: chrom.sizes, .fai, FASTA or bigWig.")
    ],
    out: Annotated[Path, typer.Option("--output", "-o", help="Folder for the bigWigs.")],
    tracks: Annotated[
        str | None, typer.Option(help="Only these tracks: names, wildcards, column=value.")
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write predictions of Kipoi as bigWigs in observed units, one per track, and files.tsv.

    Example: ft-s2a bigwig p.h5 --entry yeast/basenji2 --sizes genome.fa -o predicted/
    """
    from ft_s2a.zoo.bigwigs import write_bigwigs

    rows = write_bigwigs(predictions, entry, sizes, out, tracks=tracks, overwrite=overwrite)
    shown = rows[["file", "track", "head", "units", "grid", "entry"]]
    show("bigwig", shown, files=[out / name for name in rows["file"]], as_json=as_json)
