"""``ft-s2a data split``: splits or folds of one genome, or of homologous genomes together."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from ft_s2a.cli.report import JsonOption, OverwriteOption, show
from ft_s2a.errors import DataError


def register(group: typer.Typer) -> None:
    """Add the command to the group ``data``."""
    group.command("split")(split)


def split(
    genome: Annotated[
        list[str],
        typer.Option(
            "--genome",
            help="NAME=FILE, once for each genome: FASTA, chrom.sizes, .fai or bigWig. NAME= may "
            "be left out.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder; one NAME.bed for each genome.")
    ],
    gaps: Annotated[
        list[str] | None,
        typer.Option(
            "--gaps",
            help="NAME=BED of assembly gaps; the default is the runs of N in the FASTA.",
        ),
    ] = None,
    connected: Annotated[
        Path | None,
        typer.Option(
            "--connected",
            help="Table of aligned intervals (genome_a, chrom_a, start_a, end_a, genome_b, ...): "
            "what they connect goes to one split.",
        ),
    ] = None,
    folds: Annotated[
        int | None, typer.Option("--folds", help="Number of folds, instead of train/valid/test.")
    ] = None,
    valid: Annotated[
        float | None, typer.Option("--valid", help="Fraction of all bp (default 0.1).")
    ] = None,
    test: Annotated[
        float | None, typer.Option("--test", help="Fraction of all bp (default 0.1).")
    ] = None,
    shortest: Annotated[
        int,
        typer.Option("--shortest", help="Pieces between gaps below this (bp) are left out."),
    ] = 131_072,
    longest: Annotated[
        int, typer.Option("--longest", help="Pieces above this (bp) are halved.")
    ] = 786_432,
    min_gap: Annotated[
        int, typer.Option("--min-gap", help="Shortest run of N that is a gap; 0 for none.")
    ] = 100,
    min_aligned: Annotated[
        int, typer.Option("--min-aligned", help="Shorter aligned intervals (bp) do not connect.")
    ] = 100_000,
    min_overlap: Annotated[
        int,
        typer.Option("--min-overlap", help="Least overlap (bp) of block and aligned interval."),
    ] = 1,
    seed: Annotated[int, typer.Option("--seed", help="Another seed gives another choice.")] = 1,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Split genomes into train, valid and test, or into folds, by blocks of contigs.

    Example: ft-s2a data split --genome human=hg38.fa --genome mouse=mm10.fa
    --connected aligned.tsv --folds 8 -o splits/
    """
    from ft_s2a import __version__
    from ft_s2a.conventions.atomic import refuse_existing, write_text
    from ft_s2a.data.partition import split_genomes
    from ft_s2a.data.splits import splits_to_bed

    if folds is not None and (valid is not None or test is not None):
        raise DataError("--folds beside --valid or --test", expected="one of the two")
    genomes = _named(genome, "--genome")
    gap_files = _named(gaps or [], "--gaps", only=genomes)
    files = {name: output / f"{name}.bed" for name in genomes}
    for file in files.values():
        refuse_existing(file, overwrite=overwrite)
    shares = {"valid": 0.1 if valid is None else valid, "test": 0.1 if test is None else test}
    found = split_genomes(
        genomes,
        gaps=gap_files,
        connected=connected,
        folds=folds,
        **shares,
        shortest=shortest,
        longest=longest,
        min_gap=min_gap,
        min_aligned=min_aligned,
        min_overlap=min_overlap,
        seed=seed,
    )
    wanted = (
        f"{folds} folds"
        if folds is not None
        else ", ".join(f"{name} {share:g}" for name, share in shares.items())
    )
    for name, file in files.items():
        head = (
            f"# ft-s2a {__version__} data split: {', '.join(genomes)}; {wanted}; blocks of "
            f"{shortest}-{longest} bp; seed {seed}\n"
        )
        write_text(file, head + splits_to_bed(found.splits[name]), overwrite=overwrite)
    show("ft_s2a.data.split", found.rows(), files=list(files.values()), as_json=as_json)


def _named(
    texts: list[str], option: str, *, only: dict[str, Path] | None = None
) -> dict[str, Path]:
    """Read NAME=FILE; a name that is left out is that of the file, or of the only genome."""
    found: dict[str, Path] = {}
    for text in texts:
        name, equals, file = text.partition("=")
        if not equals or Path(text).is_file():
            file = text
            name = next(iter(only)) if only is not None and len(only) == 1 else ""
            if not name and only is None:
                name = Path(text).name.split(".")[0]
        if not file or not name:
            raise DataError(f"{text!r} names no genome", where=option, expected="NAME=FILE")
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
            raise DataError(
                f"genome {name!r}", where=option, expected="letters, digits and _ . - in NAME=FILE"
            )
        if name in found:
            raise DataError(f"genome {name!r} is named twice", where=option)
        found[name] = Path(file)
    return found
