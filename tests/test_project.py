"""The project as a whole: what the import costs, what is in git, what is pinned."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import ft_s2a

ROOT = Path(__file__).resolve().parent.parent
LARGEST = 5_000_000  # bytes
# Folders of one machine. The expression is put together so that this file does not hold them.
MACHINE_PATH = re.compile(rf"(?<![\w./~$}}-])/(?:{'|'.join(['work', 'root', 'home', 'Users'])})/\w")


def _pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _requirements() -> Iterator[Requirement]:
    project = _pyproject()["project"]
    for group in (project["dependencies"], *project["optional-dependencies"].values()):
        yield from map(Requirement, group)


def _pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    split = [re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9._!+-]+)", line) for line in pins]
    wrong = [line for line, match in zip(pins, split, strict=True) if match is None]
    assert not wrong, f"constraints.txt holds exact pins only, not {wrong}"
    return {canonicalize_name(match[1]): match[2] for match in split if match is not None}


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    """Every file in git, also those added and not yet committed."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def _loaded_after(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after ``code``."""
    report = "import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "import ft_s2a",
        "import ft_s2a.cli",
        "import ft_s2a; ft_s2a.__version__; dir(ft_s2a)",
    ],
)
def test_import_is_light(code: str) -> None:
    heavy = {"torch", "lightning", "kipoi", "pandas", "numpy", "scipy", "matplotlib", "anndata"}
    assert _loaded_after(code) & heavy == set()


def test_light_import_would_notice() -> None:
    assert "numpy" in _loaded_after("import numpy")


def test_version_is_written_the_same_everywhere() -> None:
    assert ft_s2a.__version__ == _pyproject()["project"]["version"]
    assert metadata.version("ft_s2a") == ft_s2a.__version__


def test_every_dependency_is_pinned_within_its_range() -> None:
    pins = _pins()
    missing, outside = [], []
    for requirement in _requirements():
        pin = pins.get(canonicalize_name(requirement.name))
        if pin is None:
            missing.append(requirement.name)
        elif not requirement.specifier.contains(pin):
            outside.append(f"{requirement} is pinned to {pin}")
    assert not missing
    assert not outside


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="constraints.txt is for Python 3.11")
def test_pins_cover_what_dependencies_need_in_turn() -> None:
    """No distribution that is reached from ours is left to float."""
    pins, todo, seen = _pins(), [str(r) for r in _requirements()], set()
    floating = set()
    while todo:
        requirement = Requirement(todo.pop())
        name = canonicalize_name(requirement.name)
        extras = requirement.extras or {""}
        wanted = [e for e in extras if requirement.marker is None or requirement.marker.evaluate()]
        if not wanted or (name, *sorted(extras)) in seen:
            continue
        seen.add((name, *sorted(extras)))
        if name not in pins:
            floating.add(name)
        if name == "torch":
            continue  # each build of it needs other libraries (CUDA)
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue  # an extra that this environment does without
        for text in needs:
            need = Requirement(text)
            if need.marker is None or any(need.marker.evaluate({"extra": e}) for e in extras):
                need.marker = None
                todo.append(str(need))
    assert not floating


def test_torch_is_pinned_without_a_build() -> None:
    """A CPU-only build has a local version (+cpu); a pin with one would exclude all others."""
    assert re.fullmatch(r"[0-9.]+", _pins()["torch"])


def test_files_in_git_are_small(tracked: list[Path]) -> None:
    large = {str(path.relative_to(ROOT)): path.stat().st_size for path in tracked}
    assert {name: size for name, size in large.items() if size > LARGEST} == {}


def test_no_paths_of_one_machine(tracked: list[Path]) -> None:
    found = []
    for path in tracked:
        content = path.read_bytes()
        if b"\0" in content:
            continue  # not text
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
            if MACHINE_PATH.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}")
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("text", "is_path"),
    [
        ("/{}/main/x", True),
        ('open("/{}/a.fa")', True),
        ("FASTA=/{}/me/a.fa", True),
        ("https://example.org/{}/x", False),
        ("../{}/x", False),
        ("$HOME/{}/x", False),
    ],
)
def test_paths_of_one_machine_are_recognised(text: str, is_path: bool) -> None:
    assert bool(MACHINE_PATH.search(text.format("work"))) is is_path
