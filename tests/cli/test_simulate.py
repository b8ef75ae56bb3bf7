from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ft_s2a.cli import main

SMALL = ("--length", "60000", "--contigs", "2")


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["simulate", "genome", *arguments])
    return int(caught.value.code or 0)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A simulation by the command: folder, stdout, stderr of a process of its own."""
    out = tmp_path_factory.mktemp("first") / "out"
    options = ("-o", str(out), *SMALL, "--seed", "5", "--depth", "2")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from ft_s2a.cli import main; main()",
            "simulate",
            "genome",
            *options,
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return out, done.stdout, done.stderr


def test_prints_the_ceilings_and_the_files(first: tuple[Path, str, str]) -> None:
    out, printed, errors = first
    assert errors == ""
    assert "ceiling_log1p" in printed
    for name in ("genome.fa", "tracks.tsv", "truth.tsv", "simulation.yaml"):
        assert str(out / name) in printed.splitlines()
        assert (out / name).exists()


def test_json_is_one_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert run("-o", str(out), *SMALL, "--cell-types", "X", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert [row["track"] for row in printed["rows"]] == ["ATAC.X", "CAGE.X.fwd", "CAGE.X.rev"]
    assert all(0 < row["ceiling_log1p"] <= 1 for row in printed["rows"])
    assert str(out / "truth.tsv") in printed["files"]


def test_an_earlier_recipe_can_be_run_again_as_null_control(
    first: tuple[Path, str, str], tmp_path: Path
) -> None:
    out, _, _ = first
    recipe = str(out / "simulation.yaml")
    assert run("-o", str(tmp_path / "null"), "--recipe", recipe, "--scramble-motifs") == 0
    for name in ("ATAC.A.bw", "truth.tsv", "CAGE.B.rev.bw"):
        assert (out / name).read_bytes() == (tmp_path / "null" / name).read_bytes()
    assert (out / "genome.fa").read_bytes() != (tmp_path / "null" / "genome.fa").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--length", "1000"), "expected at least 20,000 bp"),
        (("--contigs", "1"), "contigs is 1"),
        (("--seed", "-4"), "seed is -4"),
        (("--depth", "0"), "noise.depth is 0"),
        (("--depth", "nan"), "noise.depth is nan"),
        (("--cell-types", "A,A"), "different names"),
        (("--cell-types", "A B"), "cell_types.0 is 'A B'"),
        (("--recipe", "nowhere.yaml"), "nowhere.yaml: no such simulation recipe"),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    says: str,
) -> None:
    assert run("-o", str(tmp_path / "out"), *arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("error: ")
    assert says in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("extra", "says"), [((), "--overwrite"), (("--overwrite",), "no simulation to replace")]
)
def test_an_existing_output_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], extra: tuple[str, ...], says: str
) -> None:
    (tmp_path / "note.txt").write_text("mine")
    assert run("-o", str(tmp_path), *SMALL, *extra) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert str(tmp_path) in line
    assert says in line
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]
