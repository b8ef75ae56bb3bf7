"""Runs as processes of their own: Ctrl-C of a whole process group, kill -9, several ranks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch

from ft_s2a.checkpoint import load_weights
from ft_s2a.training import Recipe, train
from ft_s2a.training.recipe import recipe_to_yaml

TIMEOUT = 120


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + TIMEOUT
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, f"{path} never came"
        time.sleep(0.02)


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_a_signal_to_the_whole_group_stops_in_good_order(
    training_set: Path, make_recipe: Callable[..., Recipe], tmp_path: Path, number: int
) -> None:
    """A terminal's Ctrl-C reaches the reading processes too."""
    recipe = make_recipe(steps=1_000_000, validation={"every_steps": 20})
    (tmp_path / "r.yaml").write_text(recipe_to_yaml(recipe))
    process = subprocess.Popen(
        [sys.executable, "-c", "import ft_s2a.cli; ft_s2a.cli.main()", "train", "r.yaml",
         "--data", str(training_set), "-o", "run", "--workers", "1", "--accelerator", "cpu"],
        cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    try:
        wait_for(tmp_path / "run" / "resume.pt", process)
        os.killpg(process.pid, number)
        out, err = process.communicate(timeout=TIMEOUT)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert err.count("stopping after this step") == 1  # said by one process only
    assert "go on with: ft-s2a train" in err
    assert out.startswith("interrupted at step ")
    assert not list(tmp_path.rglob("*.partial*"))
    state = torch.load(tmp_path / "run" / "resume.pt", weights_only=True)
    provenance = json.loads((tmp_path / "run" / "provenance.json").read_text())
    assert state["progress"]["step"] == provenance["steps"]


@pytest.mark.slow
def test_a_run_killed_hard_resumes(
    training_set: Path, make_recipe: Callable[..., Recipe], tmp_path: Path
) -> None:
    (tmp_path / "r.yaml").write_text(recipe_to_yaml(make_recipe()))
    code = f"""
import os, signal
from ft_s2a.training import load_recipe, train
from ft_s2a.training.loop import TrainingLoop
real, done = TrainingLoop._step, []
def step(self, batches):
    done.append(1)
    if len(done) == 9:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, batches)
TrainingLoop._step = step
train(load_recipe("r.yaml"), {str(training_set)!r}, "cut", workers=1, accelerator="cpu")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, timeout=TIMEOUT, capture_output=True, text=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    options = {"workers": 0, "accelerator": "cpu"}
    recipe = make_recipe()
    train(recipe, training_set, tmp_path / "cut", resume=True, **options)  # type: ignore[arg-type]
    train(recipe, training_set, tmp_path / "whole", **options)  # type: ignore[arg-type]
    ours, theirs = (
        load_weights(tmp_path / name / "weights.safetensors").state_dict()
        for name in ("cut", "whole")
    )
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    tables = [pd.read_parquet(tmp_path / name / "metrics.parquet") for name in ("cut", "whole")]
    pd.testing.assert_frame_equal(*tables, check_exact=True)


@pytest.mark.slow
@pytest.mark.parametrize("heads", [1, 2])
def test_two_ranks_train_one_network(
    training_set: Path, second_set: Path, make_recipe: Callable[..., Recipe], tmp_path: Path,
    heads: int,
) -> None:  # fmt: skip
    """Ranks share gradients, agree when one is told to stop, and one of them writes.

    Of two heads a step may leave one out, or have both in batches of its own.
    """
    changes = {"accumulate": 2, "ema_decay": None} if heads == 2 else {}
    (tmp_path / "r.yaml").write_text(recipe_to_yaml(make_recipe(**changes)))
    data = {"human": str(training_set), "mouse": str(second_set)}
    code = f"""
import hashlib, os, signal, sys
from ft_s2a.training import load_recipe, train
from ft_s2a.training.loop import TrainingLoop
rank, real, done = int(os.environ["RANK"]), TrainingLoop._step, []
def step(self, batches):
    done.append(1)
    if len(done) == 6 and rank == 1 and "stop" in sys.argv:
        os.kill(os.getpid(), signal.SIGTERM)
    return real(self, batches)
TrainingLoop._step = step
moved = dict()
def watch(self, batches):
    parts = range(self._recipe.accumulate)
    trained = {{self._sets[self._order.data_of(self._batch(part))].head for part in parts}}
    before = {{h: m.linear.weight.detach().clone() for h, m in self._raw.heads.items()}}
    losses = step(self, batches)
    for head, weight in before.items():
        same = bool((self._raw.heads[head].linear.weight == weight).all())
        assert same == (head not in trained), (head, trained)
    moved[len(trained)] = True
    return losses
TrainingLoop._step = watch
loops, init = [], TrainingLoop.__init__
def keep(self, *args, **kwargs):
    init(self, *args, **kwargs)
    loops.append(self)
TrainingLoop.__init__ = keep
outcome = train(load_recipe("r.yaml"), {data if heads == 2 else str(training_set)!r},
    sys.argv[1], workers=0, accelerator="cpu", devices=2, resume="resume" in sys.argv)
weights = b"".join(p.detach().numpy().tobytes() for p in loops[0]._raw.parameters())
with open(f"rank{{rank}}.txt", "w") as out:
    print(outcome.reason, outcome.progress.step, outcome.progress.best, len(moved),
        hashlib.sha256(weights).hexdigest(), file=out)
"""
    (tmp_path / "job.py").write_text(code)

    def launch(*arguments: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2",
             "job.py", *arguments],
            cwd=tmp_path, timeout=TIMEOUT, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        ours, theirs = ((tmp_path / f"rank{rank}.txt").read_text() for rank in (0, 1))
        assert ours == theirs
        return ours.split()

    whole = launch("whole")
    assert whole[:2] == ["finished", "12"]
    assert whole[3] == str(heads)  # steps of one head, and of both
    assert launch("cut", "stop")[:2] == ["interrupted", "6"]
    again = launch("cut", "resume")
    assert [again[:3], again[4:]] == [whole[:3], whole[4:]]
    assert (tmp_path / "whole" / "curves.png").exists()
