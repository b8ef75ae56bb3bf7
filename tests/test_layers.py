"""The package's layers: each imports only from those above it, wherever the import stands."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import NamedTuple

import pytest

import ft_s2a

PACKAGE = Path(ft_s2a.__file__).parent

# From the top down. Those in one row may import each other, but only one way.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors", "geometry", "conventions"),
    ("genome", "tracks"),
    ("models",),
    ("checkpoint",),
    ("entries",),
    ("data",),
    ("loading",),
    ("training", "prediction", "attribution"),
    ("zoo",),
    ("demo",),
    ("cli",),
)
RANK = {name: rank for rank, row in enumerate(LAYERS) for name in row}
# Beside the layers: these work on anybody's files, and need neither torch nor models.
BESIDE = ("evaluation", "browser", "simulation")
BESIDE_IMPORTS = frozenset({*LAYERS[0], *LAYERS[1], "entries"})
# These put the others together, so they may import all that is above and beside them.
TOP = ("demo", "cli")
# What of `evaluation` works on arrays, not on files.
EXCEPTIONS = {
    "training": ("moments",),
    "prediction": ("windows", "kmers", "kmer_ridge"),
}

TORCH = frozenset({"torch", "lightning", "pytorch_lightning", "torchmetrics"})
WITHOUT_TORCH = frozenset({*BESIDE, *BESIDE_IMPORTS})
# What only some may import: Kipoi (it writes into HOME), and the one reader and writer of bigWigs.
HOMES = {
    "kipoi": ("zoo",),
    "kipoi_conda": ("zoo",),
    "kipoi_utils": ("zoo",),
    "pyBigWig": ("genome", "tracks"),
}


class Import(NamedTuple):
    """A module that is imported, or a name in one: ``ft_s2a.genome.Genome``."""

    line: int
    target: str


def imports(source: str, module: str, *, is_init: bool = False) -> Iterator[Import]:
    """Every import of a file, at any depth, relative ones made absolute."""
    package = module if is_init else module.rpartition(".")[0]
    for node in _walk(ast.parse(source), is_init=is_init):
        match node:
            case ast.Import(names=names):
                yield from (Import(node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=base, names=names, level=level):
                parts = package.split(".")[: package.count(".") + 2 - level] if level else []
                prefix = ".".join([*parts, base] if base else parts)
                yield from (Import(node.lineno, f"{prefix}.{alias.name}") for alias in names)
            case ast.Call(
                func=ast.Name("import_module") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(str(target)), *_],
            ):
                yield Import(node.lineno, target)


def _walk(node: ast.AST, *, is_init: bool) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        match child:
            # A package's lazy names (PEP 562) are declared to the type checker, and looked up at
            # their first use: neither is an import that happens with the package.
            case ast.If(test=ast.Name("TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")) if (
                is_init
            ):
                for other in child.orelse:
                    yield other
                    yield from _walk(other, is_init=is_init)
            case ast.FunctionDef(name="__getattr__") if is_init:
                continue
            case _:
                yield child
                yield from _walk(child, is_init=is_init)


def problem(owner: str, target: str) -> str | None:
    """Why a file of layer ``owner`` may not import ``target``; None where it may."""
    root, _, rest = target.partition(".")
    if root in TORCH and owner in WITHOUT_TORCH:
        return f"{owner} does without torch, but imports {target}"
    if root in HOMES and owner not in HOMES[root]:
        return f"only {' and '.join(HOMES[root])} may import {root}"
    if root != "ft_s2a":
        return None
    name = rest.partition(".")[0]
    if name == owner or (name.startswith("__") and name.endswith("__")):
        return None
    if name in BESIDE:
        exempt = [f"ft_s2a.evaluation.{module}." for module in EXCEPTIONS.get(owner, ())]
        allowed = owner in TOP or f"{target}.".startswith(tuple(exempt))
    elif name in RANK:
        allowed = name in BESIDE_IMPORTS if owner in BESIDE else RANK[name] <= RANK[owner]
    elif owner in TOP:
        return None  # the names a user has: `ft_s2a.load_model`
    else:
        return f"{target}: import it from the module that defines it"
    return None if allowed else f"{owner} may not import {target}"


def violations(source: str, module: str, *, is_init: bool = False) -> list[str]:
    """Every import of a file that breaks a rule, as ``module:line: why``."""
    if module == "ft_s2a":
        return []  # the face of the package; tests/test_project.py holds what it imports
    owner = module.split(".")[1]
    if owner not in RANK and owner not in BESIDE:
        return [f"{module}:1: {owner} is in no layer; give it one in tests/test_layers.py"]
    found = imports(source, module, is_init=is_init)
    return [f"{module}:{i.line}: {why}" for i in found if (why := problem(owner, i.target))]


def _files() -> Iterator[tuple[Path, str, bool]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        if "_entries" in parts:
            continue
        is_init = parts[-1] == "__init__"
        yield path, ".".join(parts[:-1] if is_init else parts), is_init


def test_every_import_goes_up() -> None:
    found = []
    for path, module, is_init in _files():
        for line in violations(path.read_text(encoding="utf-8"), module, is_init=is_init):
            _, number, why = line.split(":", 2)
            found.append(f"{path.relative_to(PACKAGE.parent)}:{number}:{why}")
    assert not found, "\n" + "\n".join(found)


def test_layers_in_one_row_import_one_way() -> None:
    pairs: dict[tuple[str, str], str] = {}
    for path, module, is_init in _files():
        owner = module.split(".")[1] if "." in module else ""
        for line, target in imports(path.read_text(encoding="utf-8"), module, is_init=is_init):
            if target.startswith("ft_s2a."):
                place = f"{path.relative_to(PACKAGE.parent)}:{line}"
                pairs.setdefault((owner, target.split(".")[1]), place)
    both = [
        f"{pairs[a, b]} imports {b}, and {pairs[b, a]} imports {a}"
        for row in LAYERS
        for a, b in permutations(row, 2)
        if a < b and (a, b) in pairs and (b, a) in pairs
    ]
    assert not both, "\n" + "\n".join(both)


@pytest.mark.parametrize("name", sorted({*BESIDE, "entries"}))
def test_nothing_loads_torch(name: str) -> None:
    """Importing each module leaves torch out, through whatever they import in turn too."""
    modules = sorted(m for _, m, _ in _files() if m.split(".")[1:2] == [name])
    code = (
        "import importlib, sys\n"
        "for module in sys.argv[1:]:\n"
        "    importlib.import_module(module)\n"
        f"    loaded = sorted({set(TORCH)!r} & set(sys.modules))\n"
        "    if loaded:\n"
        "        sys.exit(f'importing {module} loads {loaded}')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *modules], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


# The rules themselves: each of these sources breaks one, or keeps them.
@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("ft_s2a.genome.x", "import ft_s2a.models"),
        ("ft_s2a.genome.x", "from ft_s2a.data.zarr import Dataset"),
        ("ft_s2a.genome.x", "from ft_s2a import zoo"),
        ("ft_s2a.genome.x", "from .. import models"),
        ("ft_s2a.genome.x", "from ..cli.app import main"),
        ("ft_s2a.genome.deep.x", "from ...cli import main"),
        ("ft_s2a.genome.x", "def f():\n    from ft_s2a.training import fit"),
        (
            "ft_s2a.genome.x",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import ft_s2a.models",
        ),
        ("ft_s2a.genome.x", "import importlib\nimportlib.import_module('ft_s2a.zoo.render')"),
        ("ft_s2a.genome.x", "from ft_s2a import Genome"),
        ("ft_s2a.genome.x", "import ft_s2a"),
        ("ft_s2a.models.x", "from ft_s2a.evaluation.moments import Moments"),
        ("ft_s2a.training.x", "from ft_s2a.evaluation import report"),
        ("ft_s2a.training.x", "from ft_s2a.evaluation.moments_other import f"),
        ("ft_s2a.evaluation.x", "import ft_s2a.models.basenji2"),
        ("ft_s2a.evaluation.x", "from ft_s2a.browser import serve"),
        ("ft_s2a.demo.x", "from ft_s2a.cli import main"),
        ("ft_s2a.entries.x", "import torch.nn as nn"),
        ("ft_s2a.simulation.x", "def f():\n    from lightning.pytorch import Trainer"),
        ("ft_s2a.geometry", "import torch"),
        ("ft_s2a.cli.x", "import kipoi.cli.main"),
        ("ft_s2a.prediction.x", "def f():\n    from kipoi.writers import HDF5BatchWriter"),
        ("ft_s2a.browser.x", "import pyBigWig"),
        ("ft_s2a.utils", "import os"),
        ("ft_s2a.helpers.x", ""),
    ],
)
def test_a_wrong_import_is_caught(module: str, source: str) -> None:
    assert len(violations(source, module)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("ft_s2a.genome.x", "from ft_s2a.errors import FtS2aError\nfrom .fasta import Genome"),
        ("ft_s2a.genome.x", "from ft_s2a import __version__\nimport pyBigWig, torchvision"),
        ("ft_s2a.training.x", "from ft_s2a.evaluation import moments"),
        ("ft_s2a.training.x", "from ft_s2a.evaluation.moments import Moments"),
        ("ft_s2a.loading", "import torch\nfrom ft_s2a.models.basenji2 import Basenji2"),
        ("ft_s2a.evaluation.x", "from ..tracks.table import TrackTable"),
        ("ft_s2a.zoo.x", "import kipoi"),
        ("ft_s2a.cli.x", "from ft_s2a import load_model\nfrom ft_s2a.browser import serve"),
        ("ft_s2a", "from ft_s2a.zoo.x import y"),
    ],
)
def test_a_right_import_is_let_through(module: str, source: str) -> None:
    assert violations(source, module) == []


def test_lazy_names_of_a_package_are_exempt_and_only_those() -> None:
    declared = "if TYPE_CHECKING:\n    from ft_s2a.checkpoint import load\n"
    looked_up = "def __getattr__(name):\n    from ft_s2a.checkpoint import load\n"
    assert violations(declared + looked_up, "ft_s2a.models", is_init=True) == []
    assert violations(declared, "ft_s2a.models.x") == [
        "ft_s2a.models.x:2: models may not import ft_s2a.checkpoint.load"
    ]
    other = "if TYPE_CHECKING:\n    pass\nelse:\n    from ..checkpoint import load\n"
    assert len(violations("from ..checkpoint import load\n", "ft_s2a.models.basenji2.x")) == 0
    assert len(violations("from ft_s2a.checkpoint import load\n", "ft_s2a.models", is_init=True))
    assert len(violations(other, "ft_s2a.models.basenji2", is_init=True)) == 0
    assert len(violations(other, "ft_s2a.models", is_init=True)) == 1


def test_relative_imports_are_resolved() -> None:
    source = "from . import a\nfrom .b import c\nfrom .. import d\nfrom ..e.f import g\n"
    assert [i.target for i in imports(source, "ft_s2a.genome.x")] == [
        "ft_s2a.genome.a",
        "ft_s2a.genome.b.c",
        "ft_s2a.d",
        "ft_s2a.e.f.g",
    ]
    assert [i.target for i in imports(source, "ft_s2a.genome", is_init=True)] == [
        "ft_s2a.genome.a",
        "ft_s2a.genome.b.c",
        "ft_s2a.d",
        "ft_s2a.e.f.g",
    ]
