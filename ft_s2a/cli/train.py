"""``ft-s2a train`` and ``ft-s2a recipes``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ft_s2a.cli.report import JsonOption, OverwriteOption, show
from ft_s2a.errors import ConfigError

if TYPE_CHECKING:
    from ft_s2a.training.loop import Outcome


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(train)
    app.command()(recipes)


def train(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe (see 'recipes'), or a .yaml.")],
    data: Annotated[
        list[str],
        typer.Option(
            "--data",
            metavar="[HEAD=]SET",
            help="Training set (.zarr); several as HEAD=SET, one --data for each head.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Run folder to make.")],
    fasta: Annotated[
        list[str] | None,
        typer.Option(
            "--fasta",
            metavar="[HEAD=]FASTA",
            help="Genome, when it is not where it was; of several sets as HEAD=FASTA.",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Instead of the recipe's.")
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option("--steps", min=1, help="Optimizer steps, instead of the recipe's length."),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option("--epochs", min=1, help="Epochs, instead of the recipe's length."),
    ] = None,
    max_minutes: Annotated[
        float | None,
        typer.Option("--max-minutes", min=0, help="Stop in good order after this time."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=0, help="Reading processes (default: cores - 1)."),
    ] = None,
    accelerator: Annotated[
        str, typer.Option("--accelerator", help="auto, cpu, gpu, ... (Lightning's names).")
    ] = "auto",
    devices: Annotated[
        str, typer.Option("--devices", help="auto (all of the accelerator), or how many.")
    ] = "auto",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run.")
    ] = False,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train a network; the run folder gets weights, metrics, curves and the whole recipe.

    Example: ft-s2a train yeast-basenji2 --data yeast.zarr -o runs/yeast

    Several genomes: ft-s2a train basenji2-kelley2020 --data human=H.zarr --data mouse=M.zarr -o R
    """
    from lightning.fabric.utilities import rank_zero_only

    from ft_s2a.training import load_recipe
    from ft_s2a.training import train as run

    if steps is not None and epochs is not None:
        raise ConfigError("--steps and --epochs exclude each other", remedy="choose one")
    chosen = load_recipe(recipe).with_length(steps=steps, epochs=epochs)
    outcome = run(
        chosen if seed is None else chosen.model_copy(update={"seed": seed}),
        _named(data, "--data"),
        output,
        fasta=_named(fasta, "--fasta") if fasta else None,
        resume=resume,
        overwrite=overwrite,
        workers=workers,
        accelerator=accelerator,
        devices=int(devices) if devices.isdigit() else devices,
        max_minutes=max_minutes,
    )
    if getattr(rank_zero_only, "rank", 0):
        return  # of several ranks one reports
    rows = _rows(outcome) if as_json else _best(outcome)
    title = f"{outcome.reason} at step {outcome.progress.step}; best by validation:"
    show("ft_s2a.train", rows, files=[output], as_json=as_json, title=title)
    if outcome.reason in ("interrupted", "time"):
        typer.echo(f"go on with: ft-s2a train ... -o {output} --resume", err=True)
    if outcome.reason == "interrupted":
        raise typer.Exit(130)


def _named(values: list[str], option: str) -> str | dict[str, str | Path]:
    """Read ``HEAD=PATH`` of an option that may be repeated; a lone path needs no head."""
    found: dict[str, str | Path] = {}
    for value in values:
        # A path may hold a "=" itself; a head is a plain word.
        match = re.fullmatch(r"([A-Za-z0-9_-]+)=(.+)", value)
        if match is None or Path(value).exists():
            if len(values) == 1:
                return value
            raise ConfigError(
                f"{option} {value} names no head",
                expected=f"{option} HEAD=PATH for each of several training sets",
            )
        head, path = match.groups()
        if head in found:
            raise ConfigError(
                f"{option} names the head {head!r} twice", expected="one training set per head"
            )
        found[head] = path
    return found


def _rows(outcome: Outcome) -> list[dict[str, Any]]:
    return [{**row, "step": int(row["step"])} for row in outcome.progress.rows]


def _best(outcome: Outcome) -> list[dict[str, Any]]:
    """The best validation: a row, or one for each of several heads."""
    rows, heads = {row["step"]: row for row in _rows(outcome)}, outcome.progress.heads
    if len(heads) == 1:
        return [row for step, row in rows.items() if step == outcome.progress.best_step]
    found = []
    for head, best in heads.items():
        row = rows.get(best.step, {})
        names = ("train_loss", "valid_loss", "pearson", "constant_tracks")
        shown = {name: row.get(f"{head}.{name}") for name in names}
        found.append({"head": head, "step": best.step, **shown})
    return found


def recipes(
    name: Annotated[str | None, typer.Argument(help="Print this recipe as YAML.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the recipes, or print one to start your own from.

    Example: ft-s2a recipes yeast-basenji2 > mine.yaml
    """
    from ft_s2a.training.recipe import load_recipe, recipe_names, recipe_to_yaml

    if name is not None:
        typer.echo(recipe_to_yaml(load_recipe(name)), nl=False)
        return
    rows = []
    for known in recipe_names():
        recipe = load_recipe(known)
        rows.append(
            {
                "recipe": known,
                "input": recipe.model.input_length,
                "bins": recipe.model.geometry.output_bins,
                "steps": recipe.steps,
                "epochs": recipe.epochs,
                "summary": recipe.summary,
            }
        )
    show("ft_s2a.recipes", rows, as_json=as_json)
