"""``ft-s2a simulate``: data with a known truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ft_s2a.cli.report import JsonOption, OverwriteOption, show


def register(app: typer.Typer) -> None:
    """Attach the group to the command line."""
    group = typer.Typer(help="Simulate data with a known truth.", no_args_is_help=True)

    @group.callback()
    def _group() -> None:
        """Simulate data with a known truth."""

    group.command("genome")(genome)
    app.add_typer(group, name="simulate")


def genome(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write.")],
    length: Annotated[
        int | None, typer.Option(help="Bases in all contigs together.  [default: 2000000]")
    ] = None,
    contigs: Annotated[
        int | None, typer.Option(help="Contigs, each shorter than the one before.  [default: 3]")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="The same seed gives the same files.  [default: 1]")
    ] = None,
    cell_types: Annotated[
        str | None, typer.Option(help="Names, separated by commas.  [default: A,B]")
    ] = None,
    depth: Annotated[
        float | None, typer.Option(help="Factor on the number of reads and tags.  [default: 1]")
    ] = None,
    scramble_motifs: Annotated[
        bool,
        typer.Option(
            "--scramble-motifs",
            help="Null control: the same signals, but the sequence says nothing about them.",
        ),
    ] = False,
    recipe: Annotated[
        Path | None,
        typer.Option(help="simulation.yaml that gives all other numbers (of an earlier run)."),
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Simulate a small genome, tracks that follow from its motifs, and the truth behind them.

    Writes genome.fa, one bigWig per track, tracks.tsv for training, truth.tsv (planted sites and
    their effects), genes, enhancer-gene pairs, and expected/ (the tracks without noise).  The
    table gives each track's ceiling: the best correlation that any model can reach.

    Example: ft-s2a simulate genome -o simulated --length 2000000 --seed 1
    """
    from ft_s2a.simulation import read_record, simulate_genome

    made = simulate_genome(
        output,
        length=length,
        contigs=contigs,
        seed=seed,
        cell_types=None if cell_types is None else tuple(cell_types.split(",")),
        depth=depth,
        scramble_motifs=scramble_motifs or None,
        recipe=None if recipe is None else read_record(recipe).recipe,
        overwrite=overwrite,
    )
    import pandas as pd

    show(
        "ft_s2a.simulate.genome",
        pd.read_csv(made.summary, sep="\t"),
        files=made.files,
        as_json=as_json,
        title="correlation of the noise-free with the observed signal in 128-bp bins: the ceiling",
    )
