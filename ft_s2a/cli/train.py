"""``ft-s2a train`` and ``ft-s2a recipes``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ft_s2a.cli.heads import by_head
from ft_s2a.cli.report import JsonOption, OverwriteOption, show
from ft_s2a.errors import ConfigError

if TYPE_CHECKING:
    from ft_s2a.training.loop import Outcome
    from ft_s2a.training.recipe import Recipe


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(train)
    app.command()(recipes)


def train(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe (see 'recipes'), or a .yaml.")],
    data: Annotated[
        list[str] | None,
        typer.Option(
            "--data",
            metavar="[HEAD=]SET",
            help="Training set (.zarr); several as HEAD=SET, one --data for each head.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Run folder to make.")
    ] = None,
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
    estimate: Annotated[
        bool,
        typer.Option(
            "--estimate", help="Say how much memory a step takes, and train nothing (Enformers)."
        ),
    ] = False,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train a network; the run folder gets weights, metrics, curves and the whole recipe.

    Example: ft-s2a train yeast-basenji2 --data yeast.zarr -o runs/yeast

    Several genomes: ft-s2a train basenji2-kelley2020 --data human=H.zarr --data mouse=M.zarr -o R

    Does it fit? ft-s2a train smallenf --estimate
    """
    from lightning.fabric.utilities import rank_zero_only

    from ft_s2a.training import load_recipe
    from ft_s2a.training import train as run

    if steps is not None and epochs is not None:
        raise ConfigError("--steps and --epochs exclude each other", remedy="choose one")
    chosen = load_recipe(recipe).with_length(steps=steps, epochs=epochs)
    if estimate:
        _show_estimate(chosen, data, devices, as_json)
        return
    if not data or output is None:
        raise ConfigError(
            f"no {'run folder' if data else 'training set'} is named",
            remedy="name it with -o" if data else "name it with --data",
        )
    outcome = run(
        chosen if seed is None else chosen.model_copy(update={"seed": seed}),
        by_head(data, "--data"),
        output,
        fasta=by_head(fasta, "--fasta") if fasta else None,
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


def _show_estimate(recipe: Recipe, data: list[str] | None, devices: str, as_json: bool) -> None:
    from ft_s2a.training.estimate import estimate

    ranks = int(devices) if devices.isdigit() else 1
    rows = estimate(recipe, by_head(data, "--data") if data else None, ranks=ranks)
    title = (
        f"A step of {recipe.batch_size} windows of {recipe.model.input_length:,} bp"
        f"{f' on {ranks} devices, each' if ranks > 1 else ''}, in float32"
        f"{'' if data else ', without the heads (name --data)'}:"
    )
    show("ft_s2a.train.estimate", rows, as_json=as_json, title=title)


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
