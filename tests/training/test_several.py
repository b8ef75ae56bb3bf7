"""Runs of several heads: batches of both sets, weights per head, exact resume, what is refused."""

from __future__ import annotations

import json
import logging
import math
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from ft_s2a.checkpoint import load_weights
from ft_s2a.data import TrackDataset, from_bigwigs
from ft_s2a.errors import ConfigError, DataError, FtS2aError
from ft_s2a.loading import load_model
from ft_s2a.training import Recipe, load_recipe, train
from ft_s2a.training.loop import Outcome, TrainingLoop
from ft_s2a.training.sets import open_sets
from ft_s2a.training.validation import Scores

Make = Callable[..., Recipe]
Sets = Mapping[str, Path]
EPOCHS: dict[str, Any] = {"steps": None, "epochs": 3, "batch_size": 8, "validation": {}}
OUTPUTS = {
    "config.json", "curves.png", "curves.svg", "metrics.parquet", "provenance.json", "recipe.yaml",
    "splits.human.bed", "splits.mouse.bed", "tracks.tsv", "weights.safetensors",
    "weights.human.safetensors", "weights.mouse.safetensors",
}  # fmt: skip
WEIGHTS = ("weights", "weights.human", "weights.mouse")


def run(recipe: Recipe, data: Any, out: Path, **options: Any) -> Outcome:
    return train(recipe, data, out, **{"workers": 0, "accelerator": "cpu", **options})


@pytest.fixture(scope="session")
def sets(training_set: Path, second_set: Path) -> Sets:
    return {"human": training_set, "mouse": second_set}


@pytest.fixture(scope="module")
def finished(sets: Sets, make_recipe: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run of three epochs."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    assert run(make_recipe(**EPOCHS), sets, folder).reason == "finished"
    return folder


@pytest.fixture(autouse=True)
def no_pictures(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only `finished` has real ones."""
    from ft_s2a.training import folder as module

    def draw(folder: Path, *_: object) -> None:
        for name in ("curves.png", "curves.svg"):
            (folder / name).write_text("")

    monkeypatch.setattr(module, "draw_curves", draw)


def state(path: Path) -> dict[str, torch.Tensor]:
    return load_weights(path).state_dict()


def same_run(one: Path, other: Path) -> None:
    """All weights and the metrics are equal to the last bit."""
    for name in WEIGHTS:
        ours, theirs = (state(folder / f"{name}.safetensors") for folder in (one, other))
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    pd.testing.assert_frame_equal(
        pd.read_parquet(one / "metrics.parquet"), pd.read_parquet(other / "metrics.parquet"),
        check_exact=True,
    )  # fmt: skip
    said = [json.loads((folder / "provenance.json").read_text()) for folder in (one, other)]
    for document in said:
        document.pop("seconds")
    assert said[0] == said[1]


def test_a_run_folder_is_complete(sets: Sets, finished: Path) -> None:
    assert {path.name for path in finished.iterdir()} == OUTPUTS
    recipe = load_recipe(finished / "recipe.yaml")
    assert [(h.name, h.tracks) for h in recipe.model.heads] == [("human", 3), ("mouse", 2)]
    assert (recipe.epochs, recipe.steps) == (3, None)
    metrics = pd.read_parquet(finished / "metrics.parquet")
    counts = [len(TrackDataset(path).indices("train")) for path in sets.values()]
    assert metrics["step"].tolist() == [sum(e * n // 8 for n in counts) for e in (1, 2, 3)]
    assert metrics.columns.tolist() == [
        "step", "lr", "pearson",
        "human.train_loss", "human.valid_loss", "human.pearson", "human.constant_tracks",
        "human.pearson.w.fwd", "human.pearson.w.rev", "human.pearson.gc",
        "mouse.train_loss", "mouse.valid_loss", "mouse.pearson", "mouse.constant_tracks",
        "mouse.pearson.cg", "mouse.pearson.both",
    ]  # fmt: skip
    assert np.isfinite(metrics.to_numpy()).all()
    np.testing.assert_allclose(
        metrics["pearson"], metrics[["human.pearson", "mouse.pearson"]].mean(axis=1)
    )
    provenance = json.loads((finished / "provenance.json").read_text())
    assert provenance["best_step"] == metrics.loc[metrics["pearson"].idxmax(), "step"]
    for head, path in sets.items():
        data = TrackDataset(path)
        said = provenance["data"][head]
        assert (said["name"], said["checksum"]) == (path.name, data.checksum)
        assert said["windows"]["train"] == len(data.indices("train"))
        best = metrics.loc[metrics[f"{head}.pearson"].idxmax()]
        assert provenance["heads"][head]["best_step"] == best["step"]
        kept = provenance["heads"][head]["valid"]
        assert kept["pearson"] == best[f"{head}.pearson"]
        assert set(kept) == {"valid_loss", "pearson", *(f"pearson.{n}" for n in data.tracks.names)}
    table = pd.read_csv(finished / "tracks.tsv", sep="\t")
    assert table["head"].tolist() == ["human"] * 3 + ["mouse"] * 2
    assert "III\t0\t6005\tvalid" in (finished / "splits.mouse.bed").read_text()
    svg = (finished / "curves.svg").read_text()
    assert "<!-- human -->" in svg
    assert "<!-- mouse -->" in svg


def test_weights_are_those_of_each_heads_best_validation(sets: Sets, finished: Path) -> None:
    """Each file scores what the metrics say of its step."""
    from ft_s2a.models.layers import one_hot
    from ft_s2a.training.items import EvaluationItems, collate

    metrics = pd.read_parquet(finished / "metrics.parquet").set_index("step")
    provenance = json.loads((finished / "provenance.json").read_text())
    recipe = load_recipe(finished / "recipe.yaml")
    for head, path in sets.items():
        items = EvaluationItems(TrackDataset(path, geometry=recipe.model.geometry), "valid")
        codes, targets = collate([items[i] for i in range(len(items))])
        y = targets.double().flatten(0, 1).numpy()
        known = ~np.isnan(y[:, 0])
        for file, step in (
            ("weights", provenance["best_step"]),
            (f"weights.{head}", provenance["heads"][head]["best_step"]),
        ):
            network = load_weights(finished / f"{file}.safetensors")
            with torch.no_grad():
                predicted = network(one_hot(codes), head).double().flatten(0, 1).numpy()
            r = [np.corrcoef(predicted[known, t], y[known, t])[0, 1] for t in range(y.shape[1])]
            assert np.mean(r) == pytest.approx(metrics.loc[step, f"{head}.pearson"], rel=1e-5)


def test_a_heads_file_is_the_trunk_and_that_head(finished: Path) -> None:
    whole = load_weights(finished / "weights.safetensors")
    for head, tracks in (("human", 3), ("mouse", 2)):
        alone = load_weights(finished / f"weights.{head}.safetensors")
        assert [(h.name, h.tracks) for h in alone.config.heads] == [(head, tracks)]
        names = {name for name in whole.state_dict() if not name.startswith("heads.")}
        own = {name for name in whole.state_dict() if name.startswith(f"heads.{head}.")}
        assert set(alone.state_dict()) == names | own


def test_a_run_folder_is_a_model_of_both_heads(finished: Path) -> None:
    model = load_model(finished)
    assert model.heads == ("human", "mouse")
    assert model.tracks("mouse").names == ("cg", "both")
    assert model(torch.zeros(1, 512, 4), "mouse").shape == (1, 24, 2)


def stop_after(monkeypatch: pytest.MonkeyPatch, steps: int, action: Callable[[], None]) -> None:
    done = []
    real = TrainingLoop._step

    def step(self: TrainingLoop, batches: Any) -> list[float]:
        losses = real(self, batches)
        done.append(losses)
        if len(done) == steps:
            action()
        return losses

    monkeypatch.setattr(TrainingLoop, "_step", step)


@pytest.mark.parametrize("steps", [1, 12, 17])
def test_a_stopped_and_resumed_run_is_the_uninterrupted_run(
    sets: Sets, make_recipe: Make, finished: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, steps: int,
) -> None:  # fmt: skip
    recipe = make_recipe(**EPOCHS)
    with monkeypatch.context() as patch:
        stop_after(patch, steps, lambda: os.kill(os.getpid(), 2))
        assert run(recipe, sets, tmp_path / "run").reason == "interrupted"
    assert run(recipe, sets, tmp_path / "run", resume=True, workers=1).reason == "finished"
    same_run(finished, tmp_path / "run")


def test_a_run_killed_within_an_epoch_resumes_from_its_last_validation(
    sets: Sets, make_recipe: Make, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die() -> None:
        raise Killed

    recipe, steps = make_recipe(**EPOCHS), pd.read_parquet(finished / "metrics.parquet")["step"]
    with monkeypatch.context() as patch:
        stop_after(patch, int(steps[1]) + 2, die)
        with pytest.raises(Killed):
            run(recipe, sets, tmp_path / "run")
    left = pd.read_parquet(tmp_path / "run" / "metrics.parquet")
    assert left["step"].tolist() == steps.tolist()[:2]
    run(recipe, sets, tmp_path / "run", resume=True)
    same_run(finished, tmp_path / "run")


@pytest.mark.parametrize(
    "changes",
    [
        {"precision": "bf16"},
        {"accumulate": 3, "clipping": {"kind": "per_variable", "norm": 0.1}},
        {"ema_decay": None, "optimizer": {"name": "sgd", "lr": 0.05, "momentum": 0.9}},
        {"augmentation": {"per": "batch", "shift": 3}},
    ],
)
def test_other_settings_resume_exactly_as_well(
    sets: Sets, make_recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
) -> None:  # fmt: skip
    recipe = make_recipe(**{"steps": 8, "validation": {"every_steps": 3}, **changes})
    run(recipe, sets, tmp_path / "whole")
    with monkeypatch.context() as patch:
        stop_after(patch, 5, lambda: os.kill(os.getpid(), 2))
        run(recipe, sets, tmp_path / "cut")
    run(recipe, sets, tmp_path / "cut", resume=True)
    same_run(tmp_path / "whole", tmp_path / "cut")


@pytest.mark.parametrize(
    "optimizer",
    [
        {"name": "sgd", "lr": 0.05, "momentum": 0.9, "weight_decay": 0.1},
        {"name": "adamw", "lr": 0.01, "weight_decay": 0.1},
    ],
    ids=lambda settings: settings["name"],
)
def test_a_head_without_a_batch_does_not_move(
    sets: Sets, make_recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    optimizer: dict[str, Any],
) -> None:  # fmt: skip
    """Neither by momentum nor by weight decay, and its momentum is left as it was."""
    real, moved = TrainingLoop._step, set()

    def snapshot(loop: TrainingLoop, head: str) -> list[torch.Tensor]:
        parameters = list(loop._raw.heads[head].parameters())
        states = [loop._optimizer.optimizer.state.get(p, {}) for p in parameters]
        return [
            torch.as_tensor(v).detach().clone()
            for values in (*({"": p} for p in parameters), *states)
            for v in values.values()
            if v is not None
        ]

    def step(self: TrainingLoop, batches: Any) -> list[float]:
        before = {head: snapshot(self, head) for head in ("human", "mouse")}
        trained = self._sets[self._order.data_of(self._progress.step)].head
        losses = real(self, batches)
        for head, old in before.items():
            new = snapshot(self, head)
            same = len(new) == len(old) and all(map(torch.equal, new, old))
            assert same == (head != trained)
        moved.add(trained)
        return losses

    monkeypatch.setattr(TrainingLoop, "_step", step)
    recipe = make_recipe(optimizer=optimizer, ema_decay=None, clipping={"kind": "none"}, steps=12)
    run(recipe, sets, tmp_path / "run")
    assert moved == {"human", "mouse"}


def scores(monkeypatch: pytest.MonkeyPatch, given: dict[str, list[float]]) -> None:
    """Let each head's validations find the given r, one after the other."""
    from ft_s2a.training import loop

    found = {head: iter(values) for head, values in given.items()}
    tracks = {"human": 3, "mouse": 2}

    def validate(network: Any, loader: Any, head: str, **_: Any) -> Scores:
        return Scores(1.0, np.full(tracks[head], next(found[head])))

    monkeypatch.setattr(loop, "validate", validate)


HUMAN = [0.1, 0.3, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2]
MOUSE = [0.1, 0.2, 0.3, 0.4, 0.3, 0.3, 0.35, 0.9, 0.9]


def test_the_head_that_improved_last_decides_about_patience(
    sets: Sets, make_recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores(monkeypatch, {"human": HUMAN, "mouse": MOUSE})
    recipe = make_recipe(steps=9, validation={"every_steps": 1, "patience": 2})
    outcome = run(recipe, sets, tmp_path / "run")
    # Human is best at 2, mouse at 4: at 7 the smaller count of validations, 3, exceeds 2.
    assert (outcome.reason, outcome.progress.step) == ("patience", 7)
    steps = {head: best.step for head, best in outcome.progress.heads.items()}
    assert steps == {"human": 2, "mouse": 4}
    assert outcome.progress.best_step == 4  # means: 0.1, 0.25, 0.25, 0.3, ...
    assert outcome.progress.best == pytest.approx(0.3)


@pytest.mark.parametrize("steps", [3, 5, 6])
def test_best_and_patience_of_each_head_survive_an_interruption(
    sets: Sets, make_recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    recipe = make_recipe(steps=9, validation={"every_steps": 1, "patience": 2})
    scores(monkeypatch, {"human": HUMAN, "mouse": MOUSE})
    run(recipe, sets, tmp_path / "whole")
    scores(monkeypatch, {"human": HUMAN, "mouse": MOUSE})
    with monkeypatch.context() as patch:
        stop_after(patch, steps, lambda: os.kill(os.getpid(), 15))
        assert run(recipe, sets, tmp_path / "cut").reason == "interrupted"
    again = run(recipe, sets, tmp_path / "cut", resume=True)
    assert (again.reason, again.progress.step) == ("patience", 7)
    same_run(tmp_path / "whole", tmp_path / "cut")


def test_an_undefined_r_of_one_head_is_told_and_counts_as_the_lowest(
    sets: Sets, make_recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores(monkeypatch, {"human": [0.1, 0.2], "mouse": [math.nan, math.nan]})
    recipe = make_recipe(steps=2, validation={"every_steps": 1})
    outcome = run(recipe, sets, tmp_path / "run")
    assert outcome.progress.best_step == 2
    assert outcome.progress.heads["mouse"].step == 1
    provenance = json.loads((tmp_path / "run" / "provenance.json").read_text())
    assert provenance["valid"]["mouse.pearson"] is None
    assert provenance["heads"]["human"]["valid"]["pearson"] == pytest.approx(0.2)


def test_kept_last_means_the_last_of_each_head(
    sets: Sets, make_recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores(monkeypatch, {"human": [0.3, 0.1], "mouse": [0.1, 0.3]})
    recipe = make_recipe(steps=2, validation={"every_steps": 1, "keep": "last"})
    outcome = run(recipe, sets, tmp_path / "run")
    assert {best.step for best in outcome.progress.heads.values()} == {2}
    whole = state(tmp_path / "run" / "weights.safetensors")
    for head in ("human", "mouse"):
        alone = state(tmp_path / "run" / f"weights.{head}.safetensors")
        assert all(torch.equal(alone[name], whole[name]) for name in alone)


def test_a_run_out_of_time_has_weights_of_all_heads(
    sets: Sets, make_recipe: Make, tmp_path: Path
) -> None:
    outcome = run(make_recipe(**EPOCHS), sets, tmp_path / "run", max_minutes=0)
    assert outcome.reason == "time"
    assert len(outcome.progress.rows) == 1
    # One step is of one head; the other has no training loss yet.
    (row,) = outcome.progress.rows
    assert sum(math.isnan(row[f"{head}.train_loss"]) for head in sets) == 1
    for name in WEIGHTS:
        load_weights(tmp_path / "run" / f"{name}.safetensors")


def test_each_validation_is_logged_for_each_head(
    sets: Sets, make_recipe: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="ft_s2a"):
        run(make_recipe(steps=2), sets, tmp_path / "run")
    lines = [r.getMessage() for r in caplog.records if r.name == "ft_s2a.training.loop"]
    assert [line.split(":")[0] for line in lines] == ["step 2 of 2, human", "step 2 of 2, mouse"]
    assert all("(kept)" in line for line in lines)


def test_the_recipe_of_a_run_trains_it_again_whatever_the_order_of_its_sets(
    sets: Sets, finished: Path, tmp_path: Path
) -> None:
    turned = {head: sets[head] for head in reversed(list(sets))}
    run(load_recipe(finished / "recipe.yaml"), turned, tmp_path / "run")
    same_run(finished, tmp_path / "run")


def test_one_set_may_be_given_another_head(sets: Sets, make_recipe: Make, tmp_path: Path) -> None:
    run(make_recipe(steps=1), {"yeast": sets["human"]}, tmp_path / "run")
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"weights.safetensors", "splits.bed"} <= names
    assert not any("yeast" in name for name in names)
    assert load_model(tmp_path / "run").heads == ("yeast",)
    assert pd.read_csv(tmp_path / "run" / "tracks.tsv", sep="\t")["head"].tolist() == ["yeast"] * 3


def test_names_that_heads_share_get_the_head_before_them(
    toy: SimpleNamespace, training_set: Path, make_recipe: Make, tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    from ft_s2a.tracks import read_tracks

    words = read_tracks(toy.tracks, need_files=True).select("w.*")
    from_bigwigs(
        toy.fasta, words, tmp_path / "words.zarr", split="valid=III,train=II", bin_size=16,
        input_length=1024, crop_bins=4,
    )  # fmt: skip
    data = {"human": training_set, "mouse": tmp_path / "words.zarr"}
    human, mouse = open_sets(make_recipe(), data)
    assert human.tracks.names == ("human.w.fwd", "human.w.rev", "gc")
    assert mouse.tracks.names == ("mouse.w.fwd", "mouse.w.rev")
    assert mouse.tracks[0].strand_pair == "mouse.w.rev"
    assert human.tracks.pairs().tolist() == [1, 0, 2]
    assert "2 track names occur in several heads" in caplog.text
    run(make_recipe(steps=1), data, tmp_path / "run")
    assert load_model(tmp_path / "run").tracks("mouse").names == mouse.tracks.names


def test_overwriting_removes_the_files_of_the_old_heads(
    sets: Sets, make_recipe: Make, finished: Path, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(finished, tmp_path / "run"))
    (out / "weights.mine.safetensors").write_text("mine")
    run(make_recipe(steps=1), sets["human"], out, overwrite=True)
    names = {path.name for path in out.iterdir()}
    assert names == {
        "weights.mine.safetensors", "splits.bed",
        *(name for name in OUTPUTS if "human" not in name and "mouse" not in name),
    }  # fmt: skip
    run(make_recipe(steps=1), sets, out, overwrite=True)
    assert {path.name for path in out.iterdir()} == OUTPUTS | {"weights.mine.safetensors"}


def test_resuming_with_other_sets_is_refused(
    sets: Sets, make_recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        stop_after(patch, 2, lambda: os.kill(os.getpid(), 2))
        run(make_recipe(), sets, tmp_path / "run")
    for other in (
        sets["human"],
        {"human": sets["human"], "mouse": sets["human"]},
        {"human": sets["human"], "rat": sets["mouse"]},
    ):
        with pytest.raises(ConfigError, match="was started with another recipe, seed or data set"):
            run(make_recipe(), other, tmp_path / "run", resume=True)


@pytest.mark.parametrize(
    ("heads", "message"),
    [
        ([("human", 3)], "the heads human of 3 tracks; the training sets have human of 3 tracks,"),
        ([("human", 3), ("mouse", 5)], "mouse of 5 tracks; the training sets have"),
        ([("human", 3), ("rat", 2)], "rat of 2 tracks"),
    ],
)
def test_heads_of_the_recipe_that_the_data_lack_are_told(
    sets: Sets, make_recipe: Make, tmp_path: Path, heads: list[tuple[str, int]], message: str
) -> None:
    recipe = make_recipe(model={"heads": [{"name": name, "tracks": n} for name, n in heads]})
    with pytest.raises(ConfigError, match=message):
        run(recipe, sets, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_sets_that_do_not_fit_are_named(
    toy: SimpleNamespace, sets: Sets, make_recipe: Make, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"input_length": 1024, "crop_bins": 4}
    both = {"split": "valid=III,train=II"}
    for name, settings in (
        ("coarse", {**options, **both, "bin_size": 32}),
        ("short", {"input_length": 256, "crop_bins": 4, **both, "bin_size": 16}),
        ("blind", {**options, "split": "train=II", "bin_size": 16}),
    ):
        from_bigwigs(toy.fasta, toy.tracks, tmp_path / f"{name}.zarr", **settings)
    recipe, human = make_recipe(), sets["human"]
    for name, message in (
        ("coarse", r"coarse\.zarr: the set has bins of 32 bp, the network of 16"),
        ("short", r"short\.zarr: the set's windows have 8 bins, the network predicts 24"),
        ("blind", r"blind\.zarr: the set has no valid window"),
        ("none", r"none\.zarr: no such training set"),
    ):
        with pytest.raises(FtS2aError, match=message):
            run(recipe, {"human": human, "mouse": tmp_path / f"{name}.zarr"}, tmp_path / "run")
        assert not (tmp_path / "run").exists()


def test_genomes_are_named_like_their_sets(
    toy: SimpleNamespace, sets: Sets, make_recipe: Make, tmp_path: Path
) -> None:
    recipe, out = make_recipe(steps=1), tmp_path / "run"
    with pytest.raises(ConfigError, match="one genome is given for 2 training sets"):
        run(recipe, sets, out, fasta=toy.fasta)
    with pytest.raises(ConfigError, match="'mus', which no training set has; did you mean 'mouse"):
        run(recipe, sets, out, fasta={"mus": toy.fasta})
    with pytest.raises(ConfigError, match="no training set has; name the training set likewise"):
        run(recipe, sets["human"], out, fasta={"human": toy.fasta})
    with pytest.raises(FtS2aError, match=r"no\.fa: no such"):
        run(recipe, sets, out, fasta={"mouse": tmp_path / "no.fa"})
    with pytest.raises(ConfigError, match="no training set is named"):
        run(recipe, {}, out)
    assert not out.exists()
    moved = Path(shutil.copy(toy.fasta, tmp_path / "moved.fa"))
    assert run(recipe, sets, out, fasta={"mouse": moved}).reason == "finished"


def test_a_head_that_torch_cannot_name_is_told(
    sets: Sets, make_recipe: Make, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="a head cannot be called 'train'"):
        run(make_recipe(), {"train": sets["human"], "mouse": sets["mouse"]}, tmp_path / "run")


def test_a_loss_that_is_not_finite_names_the_head(
    sets: Sets, make_recipe: Make, tmp_path: Path
) -> None:
    wild = make_recipe(
        optimizer={"name": "sgd", "lr": 1e20, "momentum": 0.0}, clipping={"kind": "none"},
        steps=50, validation={"every_steps": 50},
    )  # fmt: skip
    with pytest.raises(DataError, match=r"the loss of head (human|mouse) is (nan|inf) at step \d+"):
        run(wild, sets, tmp_path / "run")
