"""``ft-s2a zoo``: list, show, fetch, package, validate and render entries."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ft_s2a.cli.heads import by_head
from ft_s2a.cli.report import JsonOption, OverwriteOption, show

if TYPE_CHECKING:
    from ft_s2a.entries import Entry

EntryArgument = Annotated[str, typer.Argument(help="Name (group/entry) or folder of an entry.")]

# What `package` and `register` both ask.
FolderArgument = Annotated[
    Path, typer.Argument(metavar="ENTRY", help="New folder .../group/entry.")
]
NameOption = Annotated[str | None, typer.Option(help="Name; default: the folder's last two parts.")]
SummaryOption = Annotated[str | None, typer.Option(help="One sentence on what it is.")]
SpeciesOption = Annotated[str | None, typer.Option(help="For example 'Homo sapiens'.")]
AssemblyOption = Annotated[str | None, typer.Option(help="For example hg38.")]
LicenseOption = Annotated[
    str | None, typer.Option("--license", "--licence", help="For example MIT.")
]
AuthorOption = Annotated[list[str] | None, typer.Option(help="May be given again.")]
CitationOption = Annotated[str | None, typer.Option(help="How to cite model and data.")]
VersionOption = Annotated[str | None, typer.Option("--version", help="For example 0.1.0.")]
LimitationOption = Annotated[list[str] | None, typer.Option(help="May be given again.")]
ValidationOption = Annotated[str | None, typer.Option(help="What was checked, and what was not.")]

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
    from ft_s2a.entries.description import describe_entry

    found = find_entry(entry)
    if tracks:
        frame = found.read_tracks().to_frame().drop(columns="file")
        show("zoo show tracks", frame, as_json=as_json)
        return
    show("zoo show", describe_entry(found), as_json=as_json)


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
    folder: FolderArgument,
    head: Annotated[
        str | None,
        typer.Option(help="Of a run with several heads: this one, with its own best weights."),
    ] = None,
    name: NameOption = None,
    summary: SummaryOption = None,
    species: SpeciesOption = None,
    assembly: AssemblyOption = None,
    license_: LicenseOption = None,
    author: AuthorOption = None,
    citation: CitationOption = None,
    entry_version: VersionOption = None,
    limitation: LimitationOption = None,
    scores: Annotated[
        Path | None, typer.Option(help="positions.json of `ft-s2a evaluate positions`.")
    ] = None,
    validation: ValidationOption = None,
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
        head=head,
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
    _show_made("zoo package", entry, folder, as_json)


@group.command("register")
def register_entry(
    folder: FolderArgument,
    weights: Annotated[str, typer.Option(metavar="URL", help="Public address of the weights.")],
    config: Annotated[
        str, typer.Option(help="Name such as basenji2-kelley2020, or a JSON or YAML file.")
    ],
    head: Annotated[
        str | None, typer.Option(help="Head that the weights have, such as human.")
    ] = None,
    targets: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[HEAD=]TABLE",
            help="Published target table (targets.txt); of several heads as HEAD=TABLE each.",
        ),
    ] = None,
    tracks: Annotated[
        Path | None, typer.Option(help="Track table (tracks.tsv) instead of --targets.")
    ] = None,
    transform: Annotated[
        str | None,
        typer.Option(help="With --targets: basenji2020, basenji2025, hound or hound-old."),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--format", help="safetensors, keras-h5 or enformer-pytorch; by the address's ending."
        ),
    ] = None,
    sha256: Annotated[
        str | None, typer.Option(help="Of the weights; without it the entry is unverified.")
    ] = None,
    size: Annotated[int | None, typer.Option("--bytes", min=1, help="Size of the weights.")] = None,
    mirror_path: Annotated[
        str | None, typer.Option(help="Place under FT_S2A_MIRROR; default: the address's path.")
    ] = None,
    splits: Annotated[
        Path | None, typer.Option(help="BED of train, valid and test; unknown without.")
    ] = None,
    procedure: Annotated[
        str | None, typer.Option(help="How the network was trained, in a sentence.")
    ] = None,
    name: NameOption = None,
    summary: SummaryOption = None,
    species: SpeciesOption = None,
    assembly: AssemblyOption = None,
    license_: LicenseOption = None,
    author: AuthorOption = None,
    citation: CitationOption = None,
    entry_version: VersionOption = None,
    limitation: LimitationOption = None,
    validation: ValidationOption = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make an entry for weights that are published elsewhere; nothing is fetched.

    Example: ft-s2a zoo register zoo/lab/human --weights https://host/model_human.h5
    --config basenji2-kelley2020 --head human --targets targets_human.txt --license Apache-2.0

    Several heads: ft-s2a zoo register zoo/lab/both --weights https://host/pytorch_model.bin
    --config enformer --targets human=targets_human.txt --targets mouse=targets_mouse.txt
    """
    from ft_s2a.zoo.registering import register as register_weights

    entry = register_weights(
        folder,
        weights=weights,
        config=config,
        head=head,
        targets=by_head(targets, "--targets") if targets else None,
        tracks=tracks,
        transform=transform,
        format=form,
        sha256=sha256,
        bytes=size,
        mirror_path=mirror_path,
        splits=splits,
        procedure=procedure,
        name=name,
        summary=summary,
        species=species,
        assembly=assembly,
        license=license_,
        authors=author,
        citation=citation,
        version=entry_version,
        limitations=limitation,
        validation=validation,
        overwrite=overwrite,
    )
    _show_made("zoo register", entry, folder, as_json)


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


def _show_made(schema: str, entry: Entry, folder: Path, as_json: bool) -> None:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    rows = [{"file": p.relative_to(folder).as_posix(), "bytes": p.stat().st_size} for p in files]
    title = f"{entry.name} {entry.version}: {folder}"
    show(schema, rows, files=files if as_json else (), as_json=as_json, title=title)
