"""``ft-s2a zoo``: list, show, fetch, package, validate and render entries."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ft_s2a.cli.report import JsonOption, OverwriteOption, show

EntryArgument = Annotated[str, typer.Argument(help="Name (group/entry) or folder of an entry.")]

group = typer.Typer(help="The model zoo: list, show, fetch, make and check entries.")


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="zoo", no_args_is_help=True)


@group.command("ls")
def ls(
    pattern: Annotated[
        str | None, typer.Argument(help="Part of a name, or a wildcard such as 'yeast/*'.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the entries.

    Example: ft-s2a zoo ls yeast
    """
    from ft_s2a.entries import list_models

    show("zoo ls", list_models(pattern), as_json=as_json)


@group.command("show")
def show_entry(
    entry: EntryArgument,
    tracks: Annotated[bool, typer.Option("--tracks", help="Show the track table.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what an entry says about itself, or its tracks.

    Example: ft-s2a zoo show yeast/basenji2 --tracks
    """
    from ft_s2a.entries import find_entry

    found = find_entry(entry)
    if tracks:
        frame = found.read_tracks().to_frame().drop(columns="file")
        show("zoo show tracks", frame, as_json=as_json)
        return
    rows: list[dict[str, Any]] = [
        {"field": "name", "value": found.name},
        {"field": "version", "value": found.version},
        {"field": "summary", "value": found.summary},
        {"field": "species", "value": found.species},
        {"field": "assembly", "value": found.assembly},
        {"field": "licence", "value": found.license},
        {"field": "citation", "value": found.citation},
        {"field": "architecture", "value": found.model.architecture},
        {"field": "input length", "value": found.model.input_length},
        {"field": "bin size", "value": found.model.bin_size},
        {"field": "output bins", "value": found.model.geometry.output_bins},
        {"field": "heads", "value": [f"{h.name} ({h.tracks})" for h in found.model.heads]},
        {"field": "ensemble", "value": found.ensemble},
        {"field": "weights", "value": found.weights.file or found.weights.url},
        {"field": "sha256", "value": found.weights.sha256 or "unverified: none is recorded"},
        {"field": "folder", "value": str(found.folder)},
    ]
    rows += [{"field": "score", "value": _score(score)} for score in found.scores]
    rows += [{"field": "limitation", "value": text} for text in found.limitations]
    show("zoo show", rows, as_json=as_json)


@group.command("fetch")
def fetch(
    entry: EntryArgument,
    trust: Annotated[
        bool,
        typer.Option(
            "--trust-on-first-use",
            help="Accept weights without a recorded hash, and record the one found now.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Fetch an entry's weights, check their hash, and say where they are.

    Example: ft-s2a zoo fetch yeast/basenji2
    """
    from ft_s2a.zoo.fetching import fetch as fetch_weights

    path = fetch_weights(entry, trust_on_first_use=trust)
    row = {"entry": entry, "file": str(path), "bytes": path.stat().st_size}
    show("zoo fetch", [row], files=[path] if as_json else (), as_json=as_json)


@group.command("package")
def package(
    run: Annotated[Path, typer.Argument(help="Run folder written by `ft-s2a train`.")],
    folder: Annotated[Path, typer.Argument(metavar="ENTRY", help="New folder .../group/entry.")],
    name: Annotated[
        str | None, typer.Option(help="Name; default: the folder's last two parts.")
    ] = None,
    summary: Annotated[str | None, typer.Option(help="One sentence on what it is.")] = None,
    species: Annotated[str | None, typer.Option(help="For example 'Homo sapiens'.")] = None,
    assembly: Annotated[str | None, typer.Option(help="For example hg38.")] = None,
    license_: Annotated[
        str | None, typer.Option("--license", "--licence", help="For example MIT.")
    ] = None,
    author: Annotated[list[str] | None, typer.Option(help="May be given again.")] = None,
    citation: Annotated[str | None, typer.Option(help="How to cite model and data.")] = None,
    entry_version: Annotated[
        str | None, typer.Option("--version", help="For example 0.1.0.")
    ] = None,
    limitation: Annotated[list[str] | None, typer.Option(help="May be given again.")] = None,
    scores: Annotated[
        Path | None, typer.Option(help="positions.json of `ft-s2a evaluate positions`.")
    ] = None,
    validation: Annotated[
        str | None, typer.Option(help="What was checked, and what was not.")
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make an entry from a run; what is not given is kept from an entry that is replaced.

    Example: ft-s2a zoo package runs/yeast model_zoo/yeast/basenji2 --license MIT
    """
    from ft_s2a.zoo.packaging import package as package_run

    entry = package_run(
        run,
        folder,
        name=name,
        summary=summary,
        species=species,
        assembly=assembly,
        license=license_,
        authors=author,
        citation=citation,
        version=entry_version,
        limitations=limitation,
        scores=scores,
        validation=validation,
        overwrite=overwrite,
    )
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    rows = [{"file": p.relative_to(folder).as_posix(), "bytes": p.stat().st_size} for p in files]
    title = f"{entry.name} {entry.version}: {folder}"
    show("zoo package", rows, files=files if as_json else (), as_json=as_json, title=title)


@group.command("validate")
def validate(
    entry: EntryArgument,
    as_json: JsonOption = False,
) -> None:
    """Check an entry's schema, hashes, tables, weights, example and rendered files.

    Example: ft-s2a zoo validate model_zoo/yeast/basenji2
    """
    from ft_s2a.zoo.validation import require_valid, validate_named

    folder, checks = validate_named(entry)
    show("zoo validate", [vars(check) for check in checks], as_json=as_json)
    require_valid(folder, checks)


@group.command("render")
def render(
    entries: Annotated[
        list[str] | None, typer.Argument(help="Names or folders; all entries by default.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail when a file is not current.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Render model.yaml, dataloader.yaml and README.md from entry.yaml.

    Example: ft-s2a zoo render --check
    """
    from ft_s2a.zoo.rendering import render_named

    rows = render_named(entries or None, check=check)
    files = [row["file"] for row in rows] if as_json else []
    show("zoo render", rows, files=files, as_json=as_json)


def _score(score: Any) -> str:
    interval = "" if score.low is None else f" ({score.low:.3f} - {score.high:.3f})"
    units = f" of {score.units}" if score.units else ""
    return f"{score.track}: {score.metric}{units} {score.value:.3f}{interval} on {score.on}"
