"""The documentation: what it names exists, what it shows parses, what it links to is there."""

from __future__ import annotations

import ast
import dataclasses
import functools
import re
import shlex
import types
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
import yaml

import ft_s2a
from ft_s2a.cli.app import build
from ft_s2a.entries import schema
from ft_s2a.evaluation.positions import COLUMNS as POSITIONS
from ft_s2a.genome.contigs import read_sizes
from ft_s2a.geometry import Geometry, Interval
from ft_s2a.models import Basenji2Config, EnformerConfig
from ft_s2a.prediction.plan import plan
from ft_s2a.tracks import Track, TrackFile, to_observed, to_target
from ft_s2a.training import recipe

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "model_zoo/README.md", *sorted(DOCS.glob("*.md"))]
FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
BREAKS = {"|", "||", "&", "&&", ";", ">", ">>", "<", "("}


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _blocks(path: Path, *languages: str) -> list[str]:
    return [body for _, language, body in FENCE.findall(_text(path)) if language in languages]


def _prose(path: Path) -> str:
    return FENCE.sub("", _text(path))


def _inline(text: str) -> set[str]:
    return set(re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text))


def _ids(paths: list[Path]) -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in paths]


each_page = pytest.mark.parametrize("page", PAGES, ids=_ids(PAGES))


# Commands


def _shell_commands(block: str) -> Iterator[list[str]]:
    """Arguments of each ``ft-s2a`` of a shell block."""
    for line in block.replace("\\\n", " ").splitlines():
        if "ft-s2a" not in line:
            continue
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words = list(lexer)
        starts = [i for i, word in enumerate(words) if word.rpartition("/")[2] == "ft-s2a"]
        for start in starts:
            rest = words[start + 1 :]
            ends = [i for i, word in enumerate(rest) if word in BREAKS]
            yield rest[: ends[0]] if ends else rest


def _inline_commands(text: str) -> Iterator[list[str]]:
    for code in re.findall(r"(?<!`)`(ft-s2a(?: [^`]*)?)`(?!`)", text):
        yield shlex.split(code)[1:]


@functools.cache
def _root() -> Any:
    return typer.main.get_command(build())


def _find(arguments: list[str]) -> tuple[Any, list[str]]:
    """Follow the command tree: the command that is meant, and its own arguments."""
    command = _root()
    rest = list(arguments)
    while hasattr(command, "commands"):
        while rest and rest[0].startswith("-"):
            assert rest[0] in _options(command), f"no option {rest[0]} before a command"
            rest.pop(0)
        if not rest or rest[0] == "...":
            return command, []
        assert rest[0] in command.commands, f"no command {rest[0]!r} of {command.name!r}"
        command = command.commands[rest.pop(0)]
    return command, rest


def _options(command: Any) -> set[str]:
    named = {name for p in command.params for name in (*p.opts, *p.secondary_opts)}
    return {name for name in named if name.startswith("-")} | {"--help", "-h", "--debug"}


def _check_whole(arguments: list[str]) -> None:
    """Parse as the command line does, values and required options included; run nothing."""
    command, rest = _find([a for a in arguments if a != "--debug"])
    if rest and not {"--help", "-h"} & set(rest):
        command.make_context(command.name, rest).close()


def _check_named(arguments: list[str]) -> None:
    """Check command and options of a line that may lack the rest."""
    command, rest = _find(arguments)
    if command.name != "kipoi":
        unknown = {a.partition("=")[0] for a in rest if re.match(r"--?[a-z]", a)}
        assert unknown <= _options(command), f"{command.name} has no {unknown - _options(command)}"


@each_page
def test_commands_parse(page: Path) -> None:
    for block in _blocks(page, "sh", "bash", "console", "shell"):
        for arguments in _shell_commands(block):
            _check_whole(arguments)
    for arguments in _inline_commands(_prose(page)):
        _check_named(arguments)


def test_there_are_commands_to_parse() -> None:
    shown = [
        command
        for page in PAGES
        for block in _blocks(page, "sh")
        for command in _shell_commands(block)
    ]
    named = [command for page in PAGES for command in _inline_commands(_prose(page))]
    assert len(shown) > 20
    assert len(named) > 40


@pytest.mark.parametrize(
    "line",
    [
        "ft-s2a predikt yeast/basenji2",
        "ft-s2a predict yeast/basenji2 --fasta a.fa --out out/",
        "ft-s2a predict yeast/basenji2 --fasta a.fa",  # no -o
        "ft-s2a predict yeast/basenji2 --fasta a.fa -o out/ --precision int8",
        "ft-s2a --fasta a.fa predict",
        "FT_S2A_ZOO=zoo .venv/bin/ft-s2a zoo list | head",
        "ft-s2a data show a.zarr \\\n  b.zarr",
    ],
)
def test_wrong_commands_are_noticed(line: str) -> None:
    (arguments,) = _shell_commands(line)
    with pytest.raises(
        Exception, match=r"(?i)no (command|option|such option)|missing|not one|extra"
    ):
        _check_whole(arguments)


def test_wrong_options_in_the_text_are_noticed() -> None:
    (arguments,) = _inline_commands("use `ft-s2a zoo render --force` now")
    with pytest.raises(AssertionError, match="--force"):
        _check_named(arguments)


def test_comments_and_redirections_are_no_arguments() -> None:
    lines = "ft-s2a recipes a > b.yaml  # c\n.venv/bin/ft-s2a zoo ls && ft-s2a demo"
    assert list(_shell_commands(lines)) == [["recipes", "a"], ["zoo", "ls"], ["demo"]]


# Python


def _exists(dotted: str) -> bool:
    found: Any = ft_s2a
    for name in dotted.split(".")[1:]:
        if isinstance(found, type) or not hasattr(found, name):
            return isinstance(found, type) and hasattr(found, name)
        found = getattr(found, name)
    return True


@each_page
def test_python_examples_name_what_exists(page: Path) -> None:
    for block in _blocks(page, "python"):
        ast.parse(block)
        for dotted in set(re.findall(r"\bft_s2a(?:\.[A-Za-z_]\w*)+", block)):
            assert _exists(dotted), dotted
    for dotted in set(re.findall(r"`(ft_s2a(?:\.[A-Za-z_]\w*)+)`", _prose(page))):
        assert _exists(dotted), dotted


def _sections() -> dict[str, set[str]]:
    """Names in the first column of each section's table."""
    _, *parts = re.split(r"^## ", _prose(DOCS / "reference.md"), flags=re.MULTILINE)
    found = {}
    for part in parts:
        heading, _, body = part.partition("\n")
        cells = re.findall(r"^\| ([^|]*) \|", body, flags=re.MULTILINE)
        found[heading.strip()] = {name for cell in cells for name in _inline(cell)}
    return found


def test_reference_names_everything_public() -> None:
    modules = {n for n in ft_s2a.__all__ if isinstance(getattr(ft_s2a, n), types.ModuleType)}
    own = set(ft_s2a.__all__) - modules | {"ZooModel", "ZooDataloader"}
    expected = {f"ft_s2a.{name}": set(getattr(ft_s2a, name).__all__) for name in modules}
    assert _sections() == {"ft_s2a": own, **expected}


# Links


def _slug(heading: str) -> str:
    """The anchor of a heading, as Python-Markdown and GitHub make it (without repeats)."""
    text = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower())


def _anchors(page: Path) -> set[str]:
    return {_slug(text) for text in re.findall(r"^#+ (.+)$", _prose(page), flags=re.MULTILINE)}


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", _prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), target
        # The site holds the pages of docs/ only.
        assert page.parent != DOCS or file.parent == DOCS, target
        assert not anchor or anchor in _anchors(file), target


def test_every_page_is_in_the_navigation() -> None:
    nav = yaml.safe_load(_text(ROOT / "mkdocs.yml"))["nav"]
    listed = [name for entry in nav for name in entry.values()]
    assert sorted(listed) == sorted(path.name for path in DOCS.glob("*.md"))


def test_slugs_are_those_of_the_site() -> None:
    assert _slug("Track table: tracks.tsv") == "track-table-trackstsv"
    assert _slug("What `--resume` promises") == "what-resume-promises"


# Tables


def _fields(*models: Any) -> set[str]:
    return {name for model in models for name in model.model_fields}


DOCUMENTED = {
    "tables.md": {
        *(field.name for field in dataclasses.fields(Track)),
        *(field.name for field in dataclasses.fields(TrackFile)),
        *POSITIONS,
        *_fields(schema.Entry, schema.Weights, schema.Example, schema.Author),
        *_fields(schema.Training, schema.Score),
    },
    "training.md": {
        *_fields(recipe.Recipe, recipe.Optimizer, recipe.Clipping, recipe.Augmentation),
        *_fields(recipe.Validation, Basenji2Config, EnformerConfig),
    },
}


@pytest.mark.parametrize("page", DOCUMENTED)
def test_tables_name_every_field(page: str) -> None:
    rows = [line for line in _prose(DOCS / page).splitlines() if line.startswith("|")]
    assert DOCUMENTED[page] - _inline("\n".join(rows)) == set()


def _defaults(model: Any) -> Iterator[tuple[str, str]]:
    for name, field in model.model_fields.items():
        if field.is_required() or field.default_factory is not None:
            continue
        if isinstance(field.default, (bool, int, float, str)) and field.default != "":
            shown = str(field.default)
            yield name, shown.lower() if isinstance(field.default, bool) else shown


@pytest.mark.parametrize(
    "model",
    [recipe.Optimizer, recipe.Clipping, recipe.Augmentation, recipe.Validation],
    ids=lambda model: model.__name__,
)
def test_defaults_of_recipes_are_as_stated(model: Any) -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([^|]*) \|", _text(DOCS / "training.md"), flags=re.MULTILINE)
    stated = [(name, cell.strip().strip("`")) for name, cell in rows]
    for name, default in _defaults(model):
        same = [cell for key, cell in stated if key == name]
        assert any(cell == default or _equal(cell, default) for cell in same), (name, default, same)


def _equal(left: str, right: str) -> bool:
    try:
        return float(left) == float(right)
    except ValueError:
        return False


def test_the_worked_example_is_computed() -> None:
    mean = Track("a", scale=0.334, squash="sqrt")
    total = Track("b", sum_stat="sum", scale=0.5, clip=300, clip_soft=32, squash="pow0.75")
    page = _text(DOCS / "tables.md")
    for track, pooled, shown, per_base in (
        (mean, 2.98, "0.99766", 2.98),
        (total, 500.0, "16.89266", 3.90625),
        (total, 800.0, "17.35026", 4.6875),
    ):
        target = to_target(np.array([[pooled]]), [track])
        assert f"{target[0, 0]:.5f}" == shown
        assert shown in page
        assert f"{per_base:g}" in page
        assert to_observed(target, [track], 128)[0, 0] == pytest.approx(per_base, rel=1e-12)


def test_the_grids_are_counted(tmp_path: Path) -> None:
    sizes = tmp_path / "yeast.sizes"
    sizes.write_text("II\t813184\nIV\t1531933\n")
    lengths, geometry = read_sizes(sizes), Geometry(16_384, 128, 8)
    page = _text(DOCS / "geometry.md")
    for region in (Interval("II", 0, 813_184), Interval("IV", 0, 1_531_933)):
        (piece,) = plan([region], lengths, geometry)
        assert f"| {piece.bins:,} | {len(piece.starts)} |" in page
    (piece,) = plan([Interval("II", 300_000, 400_000)], lengths, geometry)
    assert f"| II:300000-400000 | {piece.bins} | {len(piece.starts)} |" in page
    assert f"{piece.region.end:,}" in page
    assert piece.starts[-1] == 386_016
