"""Runs of Enformers: two heads, exact resume, checkpointing, frozen stages, estimates."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from ft_s2a.checkpoint import load_weights
from ft_s2a.conventions.randomness import draw_seed
from ft_s2a.errors import ConfigError
from ft_s2a.loading import load_model
from ft_s2a.models import build, training_memory
from ft_s2a.training import Recipe, train
from ft_s2a.training.estimate import estimate, step_memory
from ft_s2a.training.loop import Outcome, TrainingLoop
from ft_s2a.training.recipe import recipe_to_yaml

Sets = Mapping[str, Path]
MODEL: dict[str, Any] = {
    "architecture": "enformer", "input_length": 512, "target_bins": 24, "dim": 24, "depth": 2,
    "attention_heads": 2, "key_size": 4, "downsamples": 4, "dim_divisible_by": 4,
}  # fmt: skip
WEIGHTS = ("weights", "weights.human", "weights.mouse")
GIB = 2**30


def make(*, model: dict[str, Any] | None = None, **changes: Any) -> Recipe:
    document: dict[str, Any] = {
        "model": {**MODEL, **(model or {})},
        "steps": 8,
        "batch_size": 4,
        "optimizer": {"name": "adam", "lr": 0.003},
        "augmentation": {"per": "batch", "reverse_complement": 0.5, "shift": 3},
        "ema_decay": 0.9,
        "validation": {"every_steps": 3},
    }
    return Recipe.model_validate({**document, **changes})


def run(recipe: Recipe, data: Any, out: Path, **options: Any) -> Outcome:
    return train(recipe, data, out, **{"workers": 0, "accelerator": "cpu", **options})


@pytest.fixture(scope="session")
def sets(training_set: Path, second_set: Path) -> Sets:
    return {"human": training_set, "mouse": second_set}


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    from ft_s2a.training import folder as module

    monkeypatch.setattr(module, "draw_curves", lambda *_: None)


@pytest.fixture(scope="module")
def finished(sets: Sets, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "finished"
    assert run(make(), sets, folder).reason == "finished"
    return folder


def same_run(one: Path, other: Path) -> None:
    """All weights and the metrics are equal to the last bit."""
    for name in WEIGHTS:
        ours, theirs = (
            load_weights(folder / f"{name}.safetensors").state_dict() for folder in (one, other)
        )
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    tables = [pd.read_parquet(folder / "metrics.parquet") for folder in (one, other)]
    pd.testing.assert_frame_equal(*tables, check_exact=True)


def stop_after(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    done: list[int] = []
    real = TrainingLoop._step

    def step(self: TrainingLoop, batches: Any) -> list[float]:
        losses = real(self, batches)
        done.append(1)
        if len(done) == steps:
            os.kill(os.getpid(), 2)
        return losses

    monkeypatch.setattr(TrainingLoop, "_step", step)


def test_a_run_folder_is_a_model_of_both_heads(finished: Path) -> None:
    metrics = pd.read_parquet(finished / "metrics.parquet")
    assert metrics["step"].tolist() == [3, 6, 8]
    assert np.isfinite(metrics.filter(like="pearson").to_numpy()).all()
    model = load_model(finished)
    assert (model.config.architecture, model.heads) == ("enformer", ("human", "mouse"))
    assert model(torch.zeros(1, 512, 4), "mouse").shape == (1, 24, 2)
    for head in model.heads:
        assert load_weights(finished / f"weights.{head}.safetensors").config.tracks_of(head)


@pytest.mark.parametrize("checkpointing", ["tower", "all"])
def test_checkpointing_changes_no_bit(
    sets: Sets, finished: Path, tmp_path: Path, checkpointing: str
) -> None:
    """Of weights, running statistics and scores, in training with dropout, in float32."""
    run(make(checkpointing=checkpointing), sets, tmp_path / "run")
    same_run(finished, tmp_path / "run")
    assert "checkpoint" not in (tmp_path / "run" / "config.json").read_text()


def test_the_network_is_told_what_to_compute_again(
    sets: Sets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ft_s2a.models import checkpointing as module

    real, seen = module.checkpoint, set()

    def checkpoint(stage: Any, *inputs: Any, **options: Any) -> Any:
        seen.add(type(stage).__name__)
        return real(stage, *inputs, **options)

    monkeypatch.setattr(module, "checkpoint", checkpoint)
    for choice, parts in (
        ("none", set()),
        ("tower", {"_Level", "_PreActivated"}),
        ("all", {"_Level", "_PreActivated", "_Block", "_Final"}),
    ):
        seen.clear()
        run(make(checkpointing=choice, steps=1), sets, tmp_path / choice)
        assert seen == parts


@pytest.mark.parametrize("then", ["none", "all"])
def test_a_stopped_run_resumes_with_any_checkpointing(
    sets: Sets, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    with monkeypatch.context() as patch:
        stop_after(patch, 5)
        assert run(make(), sets, tmp_path / "run").reason == "interrupted"
    run(make(checkpointing=then), sets, tmp_path / "run", resume=True)
    same_run(finished, tmp_path / "run")


@pytest.mark.parametrize(
    "changes",
    [
        {"frozen": "tower"},
        {"frozen": "trunk", "checkpointing": "all"},
        {
            "frozen": "stem", "accumulate": 2, "precision": "bf16", "checkpointing": "tower",
            "optimizer": {"name": "adamw", "lr": 0.003, "weight_decay": 0.1, "warmup_steps": 2},
            "clipping": {"kind": "global", "norm": 0.2},
        },
        {"model": {"final_pointwise": False, "feed_forward": False}},
    ],
    ids=str,
)  # fmt: skip
def test_other_settings_resume_exactly_as_well(
    sets: Sets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    run(make(**changes), sets, tmp_path / "whole")
    with monkeypatch.context() as patch:
        stop_after(patch, 5)
        run(make(**changes), sets, tmp_path / "cut")
    run(make(**changes), sets, tmp_path / "cut", resume=True)
    same_run(tmp_path / "whole", tmp_path / "cut")


@pytest.mark.parametrize(
    ("frozen", "prefixes"),
    [
        (None, ()),
        ("tower", ("stem.", "tower.")),
        ("transformer.0", ("stem.", "tower.", "transformer.0.")),
        ("trunk", ("stem.", "tower.", "transformer.", "final.")),
    ],
)
def test_frozen_stages_stay_as_they_are(
    sets: Sets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frozen: str | None,
    prefixes: tuple[str, ...],
) -> None:  # fmt: skip
    """Weights and running statistics; with weight decay, through validations and averaging."""
    loops: list[TrainingLoop] = []
    real = TrainingLoop._step

    def step(self: TrainingLoop, batches: Any) -> list[float]:
        losses = real(self, batches)
        loops[:] = [self]
        # After a validation, too: no dropout, no new statistics.
        assert self._raw.training
        for name, module in self._raw.named_modules():
            if f"{name}.".startswith(prefixes) and not list(module.children()):
                assert not module.training
        return losses

    monkeypatch.setattr(TrainingLoop, "_step", step)
    optimizer = {"name": "adamw", "lr": 0.01, "weight_decay": 0.1}
    recipe = make(frozen=frozen, optimizer=optimizer, validation={"every_steps": 2, "keep": "last"})
    run(recipe, sets, tmp_path / "run")
    network = loops[0]._raw
    torch.manual_seed(draw_seed(recipe.seed, "weights"))
    fresh = build(network.config).state_dict()
    kept = load_weights(tmp_path / "run" / "weights.safetensors").state_dict()
    for name, before in fresh.items():
        assert torch.equal(network.state_dict()[name], before) == name.startswith(prefixes), name
        if name.startswith(prefixes):
            assert torch.equal(kept[name], before)
    trained = {id(p) for group in loops[0]._optimizer.param_groups for p in group["params"]}
    expected = {id(p) for n, p in network.named_parameters() if not n.startswith(prefixes)}
    assert trained == expected


def test_a_stage_that_is_not_there_is_named_before_anything_is_written(
    sets: Sets, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"no stage 'towr' to freeze; did you mean 'tower"):
        run(make(frozen="towr"), sets, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_basenji2_can_be_frozen_but_not_checkpointed(
    training_set: Path, make_recipe: Callable[..., Recipe], tmp_path: Path
) -> None:
    recipe = make_recipe(frozen="tower", steps=3)
    run(recipe, training_set, tmp_path / "run")
    torch.manual_seed(draw_seed(recipe.seed, "weights"))
    network = load_weights(tmp_path / "run" / "weights.safetensors")
    fresh = build(network.config).state_dict()
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, fresh[name]) == name.startswith(("stem.", "tower.")), name
    with pytest.raises(ValueError, match="checkpointing is all, which only an enformer offers"):
        make_recipe(checkpointing="all")


@pytest.mark.slow
@pytest.mark.parametrize("frozen", [None, "tower", "trunk"])
def test_two_ranks_train_one_network(sets: Sets, tmp_path: Path, frozen: str | None) -> None:
    """With parts that are computed again, frozen, or of a head that has no batch."""
    recipe = make(checkpointing="all", frozen=frozen, ema_decay=None, steps=5)
    (tmp_path / "r.yaml").write_text(recipe_to_yaml(recipe))
    code = f"""
import hashlib, os
from ft_s2a.training import load_recipe, train
from ft_s2a.training.loop import TrainingLoop
loops, init = [], TrainingLoop.__init__
def keep(self, *args, **kwargs):
    init(self, *args, **kwargs)
    loops.append(self)
TrainingLoop.__init__ = keep
train(load_recipe("r.yaml"), { {head: str(path) for head, path in sets.items()}!r}, "run",
    workers=0, accelerator="cpu", devices=2)
weights = b"".join(p.detach().numpy().tobytes() for p in loops[0]._raw.parameters())
with open(f"rank{{os.environ['RANK']}}.txt", "w") as out:
    print(hashlib.sha256(weights).hexdigest(), file=out)
"""
    (tmp_path / "job.py").write_text(code)
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2",
         "job.py"],
        cwd=tmp_path, timeout=120, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ours, theirs = ((tmp_path / f"rank{rank}.txt").read_text() for rank in (0, 1))
    assert ours == theirs


# Estimates


def test_a_run_says_what_its_steps_take(
    sets: Sets, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        run(make(steps=1, frozen="stem"), sets, tmp_path / "run")
    assert "a training step takes about 0.0 GiB: " in caplog.text
    assert "frozen: stem" in caplog.text


def test_an_estimate_is_that_of_the_recipe() -> None:
    recipe = make(batch_size=8, checkpointing="tower", ema_decay=None)
    for ranks, batch in ((1, 8), (4, 2)):
        for choice in ("none", "tower", "all"):
            found = step_memory(recipe, ranks=ranks, checkpointing=choice)  # type: ignore[arg-type]
            assert found == training_memory(recipe.model, batch_size=batch, checkpoint=choice)  # type: ignore[arg-type]
    assert step_memory(recipe) == step_memory(recipe, checkpointing="tower")


@pytest.mark.parametrize(
    ("optimizer", "average", "copies"),
    [
        ({"name": "adam", "lr": 1}, None, 2),
        ({"name": "adamw", "lr": 1}, 0.9, 3),
        ({"name": "sgd", "lr": 1}, None, 1),
        ({"name": "sgd", "lr": 1, "momentum": 0}, None, 0),
    ],
)
def test_what_an_optimizer_remembers_counts(
    optimizer: dict[str, Any], average: float | None, copies: int
) -> None:
    found = step_memory(make(optimizer=optimizer, ema_decay=average))
    assert found is not None
    assert found.optimizer == copies * found.parameters


def test_heads_and_crop_of_the_sets_count(sets: Sets) -> None:
    recipe = make()
    rows = estimate(recipe, sets)
    assert [row["checkpointing"] for row in rows] == ["none", "tower", "all"]
    assert [row["recipe"] for row in rows] == [True, False, False]
    from ft_s2a.models import HeadConfig

    heads = [HeadConfig(name="human", tracks=3), HeadConfig(name="mouse", tracks=2)]
    whole = recipe.model_copy(update={"model": recipe.model.with_heads(heads)})
    expected = step_memory(whole)
    assert expected is not None
    assert rows[0]["total (GiB)"] == round(expected.total / GIB, 2)


def test_no_estimate_is_made_up(make_recipe: Callable[..., Recipe]) -> None:
    assert step_memory(make_recipe()) is None
    with pytest.raises(ConfigError, match="no estimate is known for a basenji2"):
        estimate(make_recipe())
