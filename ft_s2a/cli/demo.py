"""``ft-s2a demo``: the whole path once."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ft_s2a.cli.report import JsonOption, OverwriteOption, show


class Data(StrEnum):
    """Data of the demo."""

    simulated = "simulated"
    yeast = "yeast"


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(demo)


def demo(
    data: Annotated[
        Data, typer.Option("--data", help="A genome simulated now, or real yeast tracks.")
    ] = Data.simulated,
    train: Annotated[
        bool, typer.Option("--train", help="Train the entry anew instead of using the shipped one.")
    ] = False,
    seeds: Annotated[
        str, typer.Option("--seeds", help="With --train: one run per seed, such as 1,2,3.")
    ] = "1",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder (default: demo-simulated, ...).")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", help="Reading processes while training.")
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Go the whole path: data, entry, kipoi predict, bigWigs, evaluation, figure, page.

    Example: ft-s2a demo --data yeast --train
    """
    from ft_s2a.demo import run_demo
    from ft_s2a.errors import FtS2aError

    try:
        numbers = [int(text) for text in seeds.split(",")]
    except ValueError:
        raise FtS2aError(f"--seeds is {seeds!r}", expected="whole numbers, such as 1,2,3") from None
    out = output or Path(f"demo-{data.value}")
    result = run_demo(
        out, data=data.value, train=train, seeds=numbers, workers=workers, overwrite=overwrite
    )
    if as_json:
        files = list(result.places.values())
        show("ft_s2a.demo", result.table, files=files, as_json=True)
        return
    if result.runs:
        show("ft_s2a.demo", result.runs, title="runs: r of ln(1 + x), validation and test\n")
        typer.echo("")
    show(
        "ft_s2a.demo",
        result.table,
        title="held-out regions, r of ln(1 + x) per 128-bp bin with its 95 % interval:\n",
    )
    typer.echo("")
    for name, place in result.places.items():
        typer.echo(f"{name:<12}{place}")
    typer.echo(f"\nlook at it:  ft-s2a browse serve {result.places['page']}")
