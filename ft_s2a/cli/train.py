"""``ft-s2a train`` and ``ft-s2a recipes``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ft_s2a.cli.report import JsonOption, OverwriteOption, show


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(train)
    app.command()(recipes)


def train(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe (see 'recipes'), or a .yaml.")],
    data: Annotated[Path, typer.Option("--data", help="Training set (.zarr).")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Run folder to make.")],
    fasta: Annotated[
        Path | None, typer.Option("--fasta", help="Genome, when it is not where it was.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Instead of the recipe's.")
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option("--steps", min=1, help="Optimizer steps, instead of the recipe's."),
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
    """
    from lightning.fabric.utilities import rank_zero_only

    from ft_s2a.training import load_recipe
    from ft_s2a.training import train as run

    chosen = load_recipe(recipe)
    changed = {k: v for k, v in (("seed", seed), ("steps", steps)) if v is not None}
    outcome = run(
        chosen.model_copy(update=changed),
        data,
        output,
        fasta=fasta,
        resume=resume,
        overwrite=overwrite,
        workers=workers,
        accelerator=accelerator,
        devices=int(devices) if devices.isdigit() else devices,
        max_minutes=max_minutes,
    )
    if getattr(rank_zero_only, "rank", 0):
        return  # of several ranks one reports
    rows = [
        {"step": int(row["step"]), **{k: v for k, v in row.items() if k != "step"}}
        for row in outcome.progress.rows
    ]
    if not as_json:
        rows = [row for row in rows if row["step"] == outcome.progress.best_step]
    title = f"{outcome.reason} at step {outcome.progress.step}; best by validation:"
    show("ft_s2a.train", rows, files=[output], as_json=as_json, title=title)
    if outcome.reason in ("interrupted", "time"):
        typer.echo(f"go on with: ft-s2a train ... -o {output} --resume", err=True)
    if outcome.reason == "interrupted":
        raise typer.Exit(130)


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
                "summary": recipe.summary,
            }
        )
    show("ft_s2a.recipes", rows, as_json=as_json)
