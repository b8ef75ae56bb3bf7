"""``ft-s2a train`` and ``ft-s2a recipes``: what they write, print and refuse."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from ft_s2a.cli import main
from ft_s2a.data import TrackDataset, from_bigwigs

Run = Callable[..., tuple[int, str, str]]
RECIPE: dict[str, Any] = {
    "model": {
        "architecture": "basenji2", "input_length": 512, "crop_bins": 4, "stem_channels": 4,
        "stem_kernel": 5, "tower_channels": [4, 4, 4], "dilations": [1], "dilated_channels": 2,
        "final_channels": 4,
    },
    "steps": 4, "batch_size": 4, "optimizer": {"lr": 0.01}, "validation": {"every_steps": 2},
}  # fmt: skip
GOOD = ["train", "r.yaml", "--data", "set.zarr", "-o", "run", "--workers", "0",
        "--accelerator", "cpu"]  # fmt: skip


@pytest.fixture(scope="module")
def training_set(toy: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("train") / "set.zarr"
    from_bigwigs(
        toy.fasta, toy.tracks, path, split="test=III,valid=II,train=rest", bin_size=16,
        input_length=1024, crop_bins=4,
    )  # fmt: skip
    return path


@pytest.fixture
def run(
    training_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:  # fmt: skip
    """Run a command in a folder with ``set.zarr`` and ``r.yaml``: (exit code, stdout, stderr)."""
    from ft_s2a.training import folder as module

    (tmp_path / "set.zarr").symlink_to(training_set)
    (tmp_path / "a=b.zarr").symlink_to(training_set)
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(RECIPE))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "draw_curves", lambda *_: [])  # tested elsewhere, and slow

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return call


def listing(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def refused(run: Run, folder: Path, arguments: list[str]) -> str:
    """Run what must be refused: exit code 2, one line, nothing printed or left behind."""
    before = listing(folder)
    code, out, err = run(*arguments)
    assert code == 2, err
    assert out == ""
    lines = [line for line in err.splitlines() if not line.startswith("indexing ")]
    assert len(lines) == 1, err
    assert listing(folder) == before
    return lines[0]


def test_a_run_is_made_and_its_best_step_told(run: Run, tmp_path: Path) -> None:
    code, out, err = run(*GOOD)
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "finished at step 4; best by validation:"
    assert lines[1].split()[:2] == ["step", "lr"]
    assert lines[-1] == "run"
    assert (tmp_path / "run" / "weights.safetensors").exists()
    assert "step 2 of 4" in err  # the log goes to stderr


def test_json_has_a_row_per_validation(run: Run) -> None:
    code, out, _ = run(*GOOD, "--json")
    assert code == 0
    document = json.loads(out)
    assert document["schema"] == "ft_s2a.train"
    assert [row["step"] for row in document["rows"]] == [2, 4]
    assert document["files"] == ["run"]


def test_options_replace_what_the_recipe_says(run: Run, tmp_path: Path) -> None:
    assert run(*GOOD, "--seed", "7", "--steps", "2")[0] == 0
    recipe = yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())
    assert (recipe["seed"], recipe["steps"]) == (7, 2)


def test_epochs_replace_the_recipes_steps(run: Run, tmp_path: Path) -> None:
    assert run(*GOOD, "--epochs", "1")[0] == 0
    recipe = yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())
    assert (recipe["epochs"], recipe["steps"]) == (1, None)


SEVERAL = ["train", "r.yaml", "--data", "human=set.zarr", "--data", "mouse=a=b.zarr", "-o", "run",
           "--workers", "0", "--accelerator", "cpu"]  # fmt: skip


def test_a_run_of_several_heads_tells_the_best_step_of_each(run: Run, tmp_path: Path) -> None:
    code, out, _ = run(*SEVERAL, "--fasta", f"mouse={TrackDataset('set.zarr').header.fasta}")
    assert code == 0
    lines = out.splitlines()
    assert lines[1].split() == [
        "head", "step", "train_loss", "valid_loss", "pearson", "constant_tracks",
    ]  # fmt: skip
    assert [line.split()[0] for line in lines[2:4]] == ["human", "mouse"]
    assert (tmp_path / "run" / "weights.mouse.safetensors").exists()


def test_json_of_several_heads_has_their_columns(run: Run) -> None:
    code, out, _ = run(*SEVERAL, "--json")
    assert code == 0
    rows = json.loads(out)["rows"]
    assert [row["step"] for row in rows] == [2, 4]
    assert {"human.pearson", "mouse.valid_loss", "pearson"} <= set(rows[0])


def test_one_set_may_be_given_a_head_or_have_a_strange_name(run: Run, tmp_path: Path) -> None:
    paths = {"human=set.zarr": "human", "a=b.zarr": "tracks"}
    for number, (path, head) in enumerate(paths.items()):
        out = f"run{number}"
        arguments = ["train", "r.yaml", "--data", path, "-o", out, "--workers", "0"]
        assert run(*arguments, "--steps", "1", "--accelerator", "cpu")[0] == 0
        config = json.loads((tmp_path / out / "config.json").read_text())
        assert [h["name"] for h in config["heads"]] == [head]


def test_an_estimate_trains_nothing(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("train", "enformer", "--estimate")
    assert code == 0
    title, header, *rows = out.splitlines()
    assert title == (
        "A step of 2 windows of 196,608 bp, in float32, without the heads (name --data):"
    )
    assert header.split()[:2] == ["checkpointing", "recipe"]
    assert [row.split()[:2] for row in rows] == [
        ["none", "True"], ["tower", "False"], ["all", "False"],
    ]  # fmt: skip
    document = {
        **RECIPE,
        "model": {
            "architecture": "enformer", "input_length": 512, "target_bins": 24, "dim": 24,
            "depth": 1, "attention_heads": 2, "key_size": 4, "downsamples": 4,
            "dim_divisible_by": 4,
        },
    }  # fmt: skip
    (tmp_path / "e.yaml").write_text(yaml.safe_dump(document))
    code, out, _ = run("train", "e.yaml", "--data", "set.zarr", "-o", "none", "--estimate",
                       "--devices", "2", "--json")  # fmt: skip
    assert code == 0
    assert json.loads(out)["schema"] == "ft_s2a.train.estimate"
    assert not (tmp_path / "none").exists()
    code, out, err = run("train", "r.yaml", "--estimate")
    assert (code, out) == (2, "")
    assert "no estimate is known for a basenji2; expected a recipe for an enformer" in err


def test_set_and_folder_must_be_named(run: Run) -> None:
    code, _, err = run("train", "r.yaml", "-o", "run")
    assert (code, err) == (2, "error: no training set is named; name it with --data\n")
    code, _, err = run("train", "r.yaml", "--data", "set.zarr")
    assert (code, err) == (2, "error: no run folder is named; name it with -o\n")


def test_ctrl_c_says_how_to_go_on(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ft_s2a.training.loop import TrainingLoop

    real = TrainingLoop._step

    def step(self: TrainingLoop, batches: Any) -> list[float]:
        if self._progress.step == 2:
            os.kill(os.getpid(), 2)
        return real(self, batches)

    with monkeypatch.context() as patch:
        patch.setattr(TrainingLoop, "_step", step)
        code, out, err = run(*GOOD)
    assert code == 130
    assert out.startswith("interrupted at step 3")
    assert "go on with: ft-s2a train ... -o run --resume" in err
    assert "holds an interrupted run; go on with --resume" in refused(run, tmp_path, GOOD)
    err = refused(run, tmp_path, [*GOOD, "--resume", "--seed", "2"])
    assert "was started with another recipe, seed or data set" in err
    code, out, _ = run(*GOOD, "--resume")
    assert code == 0
    assert out.startswith("finished at step 4")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "none", "--data", "set.zarr", "-o", "o"], "no recipe 'none'; known: "),
        (["train", "yeast-basenij2", "--data", "set.zarr", "-o", "o"], "did you mean 'yeast-b"),
        (["train", "none.yaml", "--data", "set.zarr", "-o", "o"], "none.yaml: no such recipe"),
        (["train", "bad.yaml", "--data", "set.zarr", "-o", "o"], "bad.yaml: unknown field 'stps'"),
        (["train", "length.yaml", "--data", "set.zarr", "-o", "o"], "500 is not a multiple of bin"),
        (["train", "r.yaml", "--data", "none.zarr", "-o", "o"], "none.zarr: no such training set"),
        (["train", "r.yaml", "--data", "r.yaml", "-o", "o"], "r.yaml: is not a training set"),
        (
            ["train", "yeast-basenji2", "--data", "set.zarr", "-o", "o"],
            "bins of 16 bp, the network",
        ),
        (
            ["train", "r.yaml", "--data", "set.zarr", "-o", "full"],
            "full: the output exists already",
        ),
        (
            ["train", "r.yaml", "--data", "set.zarr", "-o", "full", "--overwrite"],
            "is no run folder",
        ),
        (["train", "r.yaml", "--data", "set.zarr", "-o", "r.yaml"], "r.yaml: is a file"),
        (["train", "r.yaml", "--data", "set.zarr", "-o", "o", "--resume"], "holds no state"),
        (
            ["train", "r.yaml", "--data", "set.zarr", "-o", "o", "--fasta", "no.fa"],
            "no.fa: no such",
        ),
        (["train", "r.yaml", "--data", "set.zarr", "-o", "o", "--fasta", "other.fa"], "contig 'I"),
        (
            ["train", "r.yaml", "--data", "set.zarr", "-o", "o", "--accelerator", "x"],
            "'x' with dev",
        ),
        (["train", "r.yaml", "--data", "set.zarr", "-o", "o", "--devices", "x"], "devices 'x'"),
        (
            ["train", "r.yaml", "--data", "set.zarr", "--data", "m=set.zarr", "-o", "o"],
            "--data set.zarr names no head; expected --data HEAD=PATH for each",
        ),
        (
            ["train", "r.yaml", "--data", "m=set.zarr", "--data", "m=set.zarr", "-o", "o"],
            "--data names the head 'm' twice",
        ),
        (
            ["train", "r.yaml", "--data", "h=set.zarr", "--data", "m=none.zarr", "-o", "o"],
            "none.zarr: no such training set",
        ),
        (
            [*SEVERAL, "--fasta", "other.fa"],
            "other.fa: one genome is given for 2 training sets; expected HEAD=FASTA",
        ),
        ([*SEVERAL, "--fasta", "rat=other.fa"], "the head 'rat', which no training set has"),
        ([*GOOD, "--steps", "2", "--epochs", "2"], "--steps and --epochs exclude each other"),
        (["recipes", "none"], "no recipe 'none'"),
    ],
)
def test_bad_input_is_one_line(
    run: Run, tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "bad.yaml").write_text(yaml.safe_dump({**RECIPE, "stps": 5}))
    model = {**RECIPE["model"], "input_length": 500}
    (tmp_path / "length.yaml").write_text(yaml.safe_dump({**RECIPE, "model": model}))
    (tmp_path / "other.fa").write_text(">I\nACGT\n")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "recipe.yaml").write_text("mine")
    assert message in refused(run, tmp_path, arguments)


@pytest.mark.parametrize("option", ["--steps", "--epochs", "--seed", "--workers", "--max-minutes"])
def test_numbers_below_their_range_are_refused(run: Run, tmp_path: Path, option: str) -> None:
    code, _, err = run(*GOOD[:-4], option, "-1")
    assert code == 2
    assert option in err
    assert not (tmp_path / "run").exists()


def test_recipes_are_listed_and_printed(run: Run) -> None:
    from ft_s2a.training.recipe import parse_recipe, recipe_names

    code, out, _ = run("recipes")
    assert code == 0
    assert "yeast-basenji2" in out
    document = json.loads(run("recipes", "--json")[1])
    assert [row["recipe"] for row in document["rows"]] == recipe_names()
    assert parse_recipe(run("recipes", "yeast-basenji2")[1]).model.architecture == "basenji2"


@pytest.mark.parametrize("command", ["train", "recipes"])
def test_help_has_an_example(run: Run, command: str) -> None:
    code, out, _ = run(command, "--help")
    assert code == 0
    assert f"Example: ft-s2a {command}" in out
