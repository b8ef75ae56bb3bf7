"""``ft-s2a browse``: a local page, its server, a figure of one region."""

from __future__ import annotations

import logging
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ft_s2a.cli.report import JsonOption, OverwriteOption, show

_log = logging.getLogger(__name__)

_group = typer.Typer(
    name="browse",
    help="Look at predicted and observed tracks.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

PredictedOption = Annotated[
    Path | None,
    typer.Option("--predicted", help="Folder with files.tsv (from `predict`), or a bigWig."),
]
ObservedOption = Annotated[
    Path | None,
    typer.Option("--observed", help="Track table (tracks.tsv), folder of bigWigs, or a bigWig."),
]
AnnotationOption = Annotated[
    Path | None, typer.Option("--annotation", help="Genes: BED, GTF or GFF3.")
]
TracksOption = Annotated[
    str | None,
    typer.Option("--tracks", help="Names, wildcards or column=value, comma separated."),
]
QuantileOption = Annotated[
    float | None,
    typer.Option("--quantile", help="Fix y axes at this quantile of the signal (such as 0.999)."),
]


class Link(StrEnum):
    """How data files get into the page."""

    auto = "auto"
    copy = "copy"
    symlink = "symlink"


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    app.add_typer(_group)


@_group.command()
def page(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to make.")],
    predicted: PredictedOption = None,
    observed: ObservedOption = None,
    fasta: Annotated[
        Path | None, typer.Option("--fasta", help="Genome; without it no sequence is shown.")
    ] = None,
    sizes: Annotated[
        Path | None, typer.Option("--sizes", help="chrom.sizes, instead of a FASTA.")
    ] = None,
    annotation: AnnotationOption = None,
    locus: Annotated[
        str | None,
        typer.Option("--locus", help="First view: CHROM or CHROM:START-END (0-based, half-open)."),
    ] = None,
    tracks: TracksOption = None,
    quantile: QuantileOption = None,
    link: Annotated[
        Link, typer.Option("--link", help="auto: hard links where possible, else copies.")
    ] = Link.auto,
    title: Annotated[str | None, typer.Option("--title", help="Heading of the page.")] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write a page of predicted over observed tracks; it needs no network.

    Example: ft-s2a browse page --predicted out/ --observed tracks.tsv --fasta genome.fa
    --annotation genes.gtf --locus II:100000-150000 -o page/
    """
    from ft_s2a.browser import write_page

    folder = write_page(
        output,
        predicted=predicted,
        observed=observed,
        fasta=fasta,
        sizes=sizes,
        annotation=annotation,
        locus=locus,
        tracks=tracks,
        quantile=quantile,
        link=link.value,
        title=title,
        overwrite=overwrite,
    )
    show("ft_s2a.browse.page/1", [], files=[folder / "index.html"], as_json=as_json)
    _log.info("look at it with: ft-s2a browse serve %s", folder)


@_group.command()
def serve(
    folder: Annotated[Path, typer.Argument(help="Folder written by `browse page`.")],
    port: Annotated[int, typer.Option("--port", help="Port; 0 takes a free one.")] = 0,
    open_browser: Annotated[bool, typer.Option("--open", help="Open it in your browser.")] = False,
) -> None:
    """Serve a page to this machine (127.0.0.1) until Ctrl-C.

    Example: ft-s2a browse serve page/ --open
    """
    from ft_s2a.browser import serve as run

    def announce(url: str) -> None:
        # Flushed, so that a program that started the server can read the address.
        typer.echo(url)
        _log.info("Ctrl-C ends it")

    run(folder, port=port, open_browser=open_browser, announce=announce)


@_group.command()
def figure(
    locus: Annotated[
        str, typer.Option("--locus", help="CHROM or CHROM:START-END (0-based, half-open).")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="A .png, .svg or .pdf file.")],
    predicted: PredictedOption = None,
    observed: ObservedOption = None,
    annotation: AnnotationOption = None,
    tracks: TracksOption = None,
    quantile: QuantileOption = None,
    title: Annotated[str | None, typer.Option("--title", help="Heading of the figure.")] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Draw one region: observed and predicted tracks, genes, coordinates.

    Example: ft-s2a browse figure --predicted out/ --observed tracks.tsv
    --locus II:100000-150000 --annotation genes.gtf -o region.svg
    """
    from ft_s2a.browser import figure as draw

    file = draw(
        output,
        predicted=predicted,
        observed=observed,
        locus=locus,
        annotation=annotation,
        tracks=tracks,
        quantile=quantile,
        title=title,
        overwrite=overwrite,
    )
    show("ft_s2a.browse.figure/1", [], files=[file], as_json=as_json)


@_group.command()
def setup(as_json: JsonOption = False) -> None:
    """Fetch igv.js into the cache, once; pages then hold it and need no network.

    Example: ft-s2a browse setup
    """
    from ft_s2a.browser import setup as fetch

    script = fetch()
    row = {"igv.js": script.version, "file": str(script.path)}
    show("ft_s2a.browse.setup/1", [row], files=[script.path], as_json=as_json)
