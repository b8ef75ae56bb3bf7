"""A run: what it writes, what it refuses, and that an interruption changes nothing."""

from __future__ import annotations

import json
import logging
import math
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from ft_s2a.checkpoint import load_weights
from ft_s2a.data import TrackDataset, from_bigwigs
from ft_s2a.errors import ConfigError, DataError, FtS2aError, OutputExistsError
from ft_s2a.loading import load_model
from ft_s2a.training import Recipe, load_recipe, train
from ft_s2a.training.loop import Outcome, TrainingLoop
from ft_s2a.training.sets import open_sets, track_weights

Make = Callable[..., Recipe]
OUTPUTS = {
    "config.json", "curves.png", "curves.svg", "metrics.parquet", "provenance.json", "recipe.yaml",
    "splits.bed", "tracks.tsv", "weights.safetensors",
}  # fmt: skip


def run(recipe: Recipe, data: Path, out: Path, **options: Any) -> Outcome:
    return train(recipe, data, out, **{"workers": 0, "accelerator": "cpu", **options})


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_weights(folder / "weights.safetensors").state_dict()


def same_run(one: Path, other: Path) -> None:
    """Weights and metrics are equal to the last bit."""
    ours, theirs = weights(one), weights(other)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    pd.testing.assert_frame_equal(
        pd.read_parquet(one / "metrics.parquet"), pd.read_parquet(other / "metrics.parquet"),
        check_exact=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def finished(
    training_set: Path, make_recipe: Make, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """An uninterrupted run of the tiny recipe."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    assert run(make_recipe(), training_set, folder).reason == "finished"
    return folder


@pytest.fixture(autouse=True)
def no_pictures(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures take longer than these runs: only `finished` has real ones."""
    from ft_s2a.training import folder as module

    def draw(folder: Path, *_: object) -> None:
        for name in ("curves.png", "curves.svg"):
            (folder / name).write_text("")

    monkeypatch.setattr(module, "draw_curves", draw)


def test_a_run_folder_is_complete(training_set: Path, make_recipe: Make, finished: Path) -> None:
    assert {path.name for path in finished.iterdir()} == OUTPUTS
    recipe = load_recipe(finished / "recipe.yaml")
    assert [(h.name, h.tracks) for h in recipe.model.heads] == [("tracks", 3)]
    assert recipe.model_copy(update={"model": recipe.model.with_heads(())}) == make_recipe()
    assert json.loads((finished / "config.json").read_text()) == recipe.model.model_dump(
        mode="json"
    )
    metrics = pd.read_parquet(finished / "metrics.parquet")
    assert metrics["step"].tolist() == [5, 10, 12]
    assert metrics.columns.tolist() == [
        "step", "lr", "train_loss", "valid_loss", "pearson", "constant_tracks",
        "pearson.w.fwd", "pearson.w.rev", "pearson.gc",
    ]  # fmt: skip
    assert np.isfinite(metrics.to_numpy()).all()
    tracks = metrics[["pearson.w.fwd", "pearson.w.rev", "pearson.gc"]]
    np.testing.assert_allclose(metrics["pearson"], tracks.mean(axis=1))
    data = TrackDataset(training_set)
    provenance = json.loads((finished / "provenance.json").read_text())
    best = metrics.loc[metrics["pearson"].idxmax()]
    assert provenance["outcome"] == "finished"
    assert provenance["steps"] == 12
    assert provenance["best_step"] == best["step"]
    assert provenance["valid"]["pearson"] == best["pearson"]
    assert provenance["data"]["checksum"] == data.checksum
    assert provenance["data"]["windows"]["train"] == len(data.indices("train"))
    assert provenance["seed"] == 1
    assert provenance["versions"]["torch"] == torch.__version__
    assert provenance["parameters"] == sum(
        p.numel() for p in load_weights(finished / "weights.safetensors").parameters()
    )
    rows = (finished / "splits.bed").read_text().splitlines()
    assert "II\t0\t5000\tvalid" in rows
    assert (finished / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert "validation Pearson r" in (finished / "curves.svg").read_text()


def test_a_run_folder_is_a_model(finished: Path) -> None:
    model = load_model(finished)
    assert model.tracks().names == ("w.fwd", "w.rev", "gc")
    assert model(torch.zeros(1, 512, 4)).shape == (1, 24, 3)


def test_the_kept_weights_score_what_the_metrics_say(training_set: Path, finished: Path) -> None:
    model = load_model(finished)
    metrics = pd.read_parquet(finished / "metrics.parquet")
    data = TrackDataset(training_set, geometry=model.geometry)
    from ft_s2a.models.layers import one_hot
    from ft_s2a.training.items import EvaluationItems, collate

    items = EvaluationItems(data, "valid")
    codes, targets = collate([items[i] for i in range(len(items))])
    with torch.no_grad():
        predicted = model(one_hot(codes)).double().numpy().reshape(-1, 3)
    y = targets.double().numpy().reshape(-1, 3)
    known = ~np.isnan(y[:, 0])
    r = [np.corrcoef(predicted[known, t], y[known, t])[0, 1] for t in range(3)]
    assert np.mean(r) == pytest.approx(metrics["pearson"].max(), rel=1e-5)


def test_the_same_run_twice_is_the_same_whatever_the_workers(
    training_set: Path, make_recipe: Make, finished: Path, tmp_path: Path
) -> None:
    run(make_recipe(), training_set, tmp_path / "again", workers=1)
    same_run(finished, tmp_path / "again")


def test_another_seed_is_another_run(
    training_set: Path, make_recipe: Make, finished: Path, tmp_path: Path
) -> None:
    run(make_recipe(seed=2), training_set, tmp_path / "other")
    assert not torch.equal(
        weights(finished)["stem.1.weight"], weights(tmp_path / "other")["stem.1.weight"]
    )


def stop_after(monkeypatch: pytest.MonkeyPatch, steps: int, action: Callable[[], None]) -> None:
    """Do something at the end of the given step (of this process)."""
    done = []
    real = TrainingLoop._step

    def step(self: TrainingLoop, batches: Any) -> list[float]:
        losses = real(self, batches)
        done.append(losses)
        if len(done) == steps:
            action()
        return losses

    monkeypatch.setattr(TrainingLoop, "_step", step)


@pytest.mark.parametrize("number", [2, 15])
@pytest.mark.parametrize("steps", [3, 5, 7])
def test_a_run_stopped_by_a_signal_and_resumed_is_the_uninterrupted_run(
    training_set: Path, make_recipe: Make, finished: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, steps: int, number: int,
) -> None:  # fmt: skip
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        stop_after(patch, steps, lambda: os.kill(os.getpid(), number))
        outcome = run(make_recipe(), training_set, out)
    assert (outcome.reason, outcome.progress.step) == ("interrupted", steps)
    assert (out / "resume.pt").exists()
    assert json.loads((out / "provenance.json").read_text())["outcome"] == "interrupted"
    torch.manual_seed(12345)
    again = run(make_recipe(), training_set, out, resume=True)
    assert again.reason == "finished"
    assert {path.name for path in out.iterdir()} == OUTPUTS
    same_run(finished, out)
    ours, theirs = (
        json.loads((folder / "provenance.json").read_text()) for folder in (finished, out)
    )
    ours.pop("seconds")
    theirs.pop("seconds")
    assert ours == theirs


def test_signal_handlers_are_put_back(
    training_set: Path, make_recipe: Make, tmp_path: Path
) -> None:
    import signal

    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    run(make_recipe(steps=1), training_set, tmp_path / "run")
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_the_second_signal_interrupts_at_once(
    training_set: Path, make_recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def twice() -> None:
        os.kill(os.getpid(), 2)
        time.sleep(0.01)
        os.kill(os.getpid(), 2)

    stop_after(monkeypatch, 7, twice)
    with pytest.raises(KeyboardInterrupt):
        run(make_recipe(), training_set, tmp_path / "run")
    monkeypatch.undo()
    assert run(make_recipe(), training_set, tmp_path / "run", resume=True).reason == "finished"


def test_a_run_outside_the_main_thread(
    training_set: Path, make_recipe: Make, finished: Path, tmp_path: Path
) -> None:
    thread = threading.Thread(target=run, args=(make_recipe(), training_set, tmp_path / "run"))
    thread.start()
    thread.join()
    same_run(finished, tmp_path / "run")


def test_a_run_killed_between_validations_resumes_from_the_last(
    training_set: Path, make_recipe: Make, finished: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    class Killed(BaseException):
        pass

    def die() -> None:
        raise Killed

    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        stop_after(patch, 8, die)
        with pytest.raises(Killed):
            run(make_recipe(), training_set, out)
    assert pd.read_parquet(out / "metrics.parquet")["step"].tolist() == [5]
    outcome = run(make_recipe(), training_set, out, resume=True)
    assert outcome.reason == "finished"
    same_run(finished, out)


def test_a_run_killed_while_it_saves_resumes(
    training_set: Path, make_recipe: Make, finished: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Killed between the weights of step 10 and the state of step 10: the state is of step 5."""
    from ft_s2a.training import loop

    real, calls = loop.save_state, []

    def save(*args: Any, **kwargs: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise MemoryError
        real(*args, **kwargs)

    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(loop, "save_state", save)
        with pytest.raises(MemoryError):
            run(make_recipe(), training_set, out)
    run(make_recipe(), training_set, out, resume=True)
    same_run(finished, out)


def test_a_run_out_of_time_resumes_to_the_uninterrupted_run(
    training_set: Path, make_recipe: Make, finished: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from ft_s2a.training import loop

    out, now = tmp_path / "run", [1000.0]
    with monkeypatch.context() as patch:
        patch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: now[0]))
        stop_after(patch, 7, lambda: now.append(now.pop() + 61))
        outcome = run(make_recipe(), training_set, out, max_minutes=1)
    assert (outcome.reason, outcome.progress.step) == ("time", 7)
    assert outcome.progress.seconds == 61
    assert load_model(out).name == "run"  # the weights of step 5
    run(make_recipe(), training_set, out, resume=True)
    same_run(finished, out)


def test_a_run_out_of_time_before_its_first_validation_has_weights(
    training_set: Path, make_recipe: Make, tmp_path: Path
) -> None:
    outcome = run(make_recipe(), training_set, tmp_path / "run", max_minutes=0)
    assert outcome.reason == "time"
    assert [row["step"] for row in outcome.progress.rows] == [1]
    load_model(tmp_path / "run")


def test_patience_ends_a_run_and_stays_ended(
    training_set: Path, make_recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ft_s2a.training import loop
    from ft_s2a.training.validation import Scores

    scores = iter([0.1, 0.3, 0.2, 0.3, 0.25, 0.9, 0.9])
    monkeypatch.setattr(
        loop, "validate", lambda *_, **__: Scores(1.0, np.array([next(scores)] * 3))
    )
    recipe = make_recipe(steps=7, validation={"every_steps": 1, "patience": 2})
    kept = []
    real = TrainingLoop._save

    def save(self: TrainingLoop) -> None:
        real(self)
        kept.append((tmp_path / "run" / "resume.pt").read_bytes())

    monkeypatch.setattr(TrainingLoop, "_save", save)
    outcome = run(recipe, training_set, tmp_path / "run")
    # Best at 2; 3, 4 and 5 are no better (equal is not): more than two validations.
    assert (outcome.reason, outcome.progress.step) == ("patience", 5)
    assert outcome.progress.best_step == 2
    assert not (tmp_path / "run" / "resume.pt").exists()
    # As if the process had died after its last validation, before the results were written.
    (tmp_path / "run" / "resume.pt").write_bytes(kept[-1])
    again = run(recipe, training_set, tmp_path / "run", resume=True)
    assert (again.reason, again.progress.step) == ("patience", 5)


def test_resuming_another_run_is_refused(
    toy: SimpleNamespace, training_set: Path, make_recipe: Make, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    out = tmp_path / "run"
    stop_after(monkeypatch, 3, lambda: os.kill(os.getpid(), 2))
    run(make_recipe(), training_set, out)
    state = (out / "resume.pt").read_bytes()
    other = tmp_path / "other.zarr"
    from_bigwigs(
        toy.fasta, toy.tracks, other, split="valid=II:0-5000,train=III", bin_size=16,
        input_length=1024, crop_bins=4,
    )  # fmt: skip
    for recipe, data in (
        (make_recipe(steps=13), training_set),
        (make_recipe(seed=2), training_set),
        (make_recipe(model={"gelu": "erf"}), training_set),
        (make_recipe(), other),
    ):
        with pytest.raises(ConfigError, match="was started with another recipe, seed or data set"):
            run(recipe, data, out, resume=True)
    with pytest.raises(OutputExistsError, match="go on with --resume, or start anew"):
        run(make_recipe(), training_set, out)
    assert (out / "resume.pt").read_bytes() == state
    (out / "resume.pt").write_bytes(state[: len(state) // 2])
    with pytest.raises(FtS2aError, match=r"resume\.pt: cannot be read"):
        run(make_recipe(), training_set, out, resume=True)


def test_outputs_that_exist_are_kept(
    training_set: Path, make_recipe: Make, finished: Path, tmp_path: Path
) -> None:
    recipe = make_recipe(steps=1)
    out = Path(shutil.copytree(finished, tmp_path / "run"))
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(OutputExistsError, match="the output exists already"):
        run(recipe, training_set, out)
    with pytest.raises(FtS2aError, match="the run has ended; start anew with --overwrite"):
        run(recipe, training_set, out, resume=True)
    with pytest.raises(FtS2aError, match="exclude each other"):
        run(recipe, training_set, out, resume=True, overwrite=True)
    with pytest.raises(FtS2aError, match="holds no state to resume from; leave out --resume"):
        run(recipe, training_set, tmp_path / "none", resume=True)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert not (tmp_path / "none").exists()


def test_overwriting_removes_what_a_run_wrote_and_nothing_else(
    training_set: Path, make_recipe: Make, finished: Path, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(finished, tmp_path / "run"))
    (out / "notes.txt").write_text("mine")
    run(make_recipe(steps=1), training_set, out, overwrite=True)
    assert {path.name for path in out.iterdir()} == OUTPUTS | {"notes.txt"}
    assert pd.read_parquet(out / "metrics.parquet")["step"].tolist() == [1]
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "recipe.yaml").write_text("mine")
    with pytest.raises(OutputExistsError, match="is no run folder; nothing in it is removed"):
        run(make_recipe(), training_set, folder, overwrite=True)
    assert (folder / "recipe.yaml").read_text() == "mine"
    with pytest.raises(OutputExistsError, match="is a file"):
        run(make_recipe(), training_set, folder / "recipe.yaml", overwrite=True)


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"model": {"tower_channels": [8, 8]}}, {}, "bins of 16 bp, the network of 8"),
        ({"model": {"input_length": 2048}}, {}, "have 56 bins, the network predicts 120"),
        ({"model": {"heads": [{"name": "human", "tracks": 3}]}}, {}, "heads human of 3 tracks"),
        ({"precision": "fp16"}, {}, "precision fp16 needs a CUDA device"),
        ({}, {"accelerator": "quantum"}, "accelerator 'quantum' .* cannot be used"),
        ({}, {"devices": 0}, "cannot be used"),
        ({}, {"devices": "many"}, "cannot be used"),
    ],
)
def test_what_does_not_fit_is_told_before_anything_is_written(
    training_set: Path, make_recipe: Make, tmp_path: Path, changes: dict[str, Any],
    options: dict[str, Any], message: str,
) -> None:  # fmt: skip
    with pytest.raises(FtS2aError, match=message):
        run(make_recipe(**changes), training_set, tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_a_gpu_that_is_not_there_is_told(
    training_set: Path, make_recipe: Make, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="'gpu' with devices 'auto' cannot be used"):
        run(make_recipe(), training_set, tmp_path / "run", accelerator="gpu")


def test_another_sequence_is_noticed(
    toy: SimpleNamespace, training_set: Path, make_recipe: Make, tmp_path: Path
) -> None:
    other = tmp_path / "other.fa"
    other.write_text(toy.fasta.read_text().replace("A", "C"))
    with pytest.raises(FtS2aError, match=r"other\.fa: the sequence of contig"):
        run(make_recipe(), training_set, tmp_path / "run", fasta=other)


def test_a_set_without_the_splits_is_told(
    toy: SimpleNamespace, make_recipe: Make, tmp_path: Path
) -> None:
    from_bigwigs(
        toy.fasta, toy.tracks, tmp_path / "d.zarr", split="train=III", bin_size=16,
        input_length=1024, crop_bins=4,
    )  # fmt: skip
    with pytest.raises(DataError, match="the set has no valid window"):
        run(make_recipe(), tmp_path / "d.zarr", tmp_path / "run")


def test_a_loss_that_is_not_finite_ends_the_run(
    training_set: Path, make_recipe: Make, tmp_path: Path
) -> None:
    wild = make_recipe(
        optimizer={"name": "sgd", "lr": 1e20, "momentum": 0.0}, clipping={"kind": "none"},
        steps=50, validation={"every_steps": 50},
    )  # fmt: skip
    with pytest.raises(DataError, match=r"the loss is (nan|inf) at step \d+; lower the learning"):
        run(wild, training_set, tmp_path / "run")


def test_every_r_undefined_still_gives_weights_and_says_so(
    training_set: Path, make_recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    from ft_s2a.training import loop
    from ft_s2a.training.validation import Scores

    monkeypatch.setattr(loop, "validate", lambda *_, **__: Scores(1.0, np.full(3, np.nan)))
    with caplog.at_level(logging.INFO, logger="ft_s2a"):
        outcome = run(make_recipe(), training_set, tmp_path / "run")
    assert outcome.progress.best_step == 5
    assert "3 constant tracks" in caplog.text
    provenance = json.loads((tmp_path / "run" / "provenance.json").read_text())
    assert provenance["valid"]["pearson"] is None
    assert math.isnan(pd.read_parquet(tmp_path / "run" / "metrics.parquet")["pearson"][0])
    load_model(tmp_path / "run")


@pytest.mark.parametrize(
    "changes",
    [
        {"precision": "bf16"},
        {"accumulate": 2, "clipping": {"kind": "per_variable", "norm": 0.1}},
        {"ema_decay": None, "optimizer": {"name": "sgd", "lr": 0.05, "momentum": 0.9}},
        {"track_weights": "none", "validation": {"every_steps": 4, "transform": "log1p"}},
    ],
)
def test_other_settings_resume_exactly_as_well(
    training_set: Path, make_recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
) -> None:  # fmt: skip
    recipe = make_recipe(**{"steps": 8, **changes})
    run(recipe, training_set, tmp_path / "whole")
    with monkeypatch.context() as patch:
        stop_after(patch, 6, lambda: os.kill(os.getpid(), 2))
        run(recipe, training_set, tmp_path / "cut")
    run(recipe, training_set, tmp_path / "cut", resume=True)
    same_run(tmp_path / "whole", tmp_path / "cut")


def test_accumulated_batches_are_one_larger_batch(
    training_set: Path, make_recipe: Make, tmp_path: Path
) -> None:
    """Without norms' statistics and dropout between them, two halves are the whole."""
    seen = []
    for batch, accumulate in ((8, 1), (4, 2)):
        recipe = make_recipe(
            batch_size=batch, accumulate=accumulate, steps=3, validation={"every_steps": 3},
            augmentation={"reverse_complement": 0.5},
        )  # fmt: skip
        outcome = run(recipe, training_set, tmp_path / f"{batch}")
        seen.append(outcome.progress.rows[0]["train_loss"])
    assert seen[0] == pytest.approx(seen[1], rel=0.05)  # norms see half a batch


def test_track_weights_are_inverse_null_deviances_of_mean_one(
    training_set: Path, make_recipe: Make
) -> None:
    (some,) = open_sets(make_recipe(), training_set)
    inverse = np.array([1 / s.null_deviance for s in some.data.header.statistics])
    found = track_weights(some, make_recipe())
    np.testing.assert_allclose(found, inverse / inverse.mean(), rtol=1e-6)
    assert track_weights(some, make_recipe(track_weights="none")).tolist() == [1, 1, 1]


def test_a_constant_track_has_no_weight(
    toy: SimpleNamespace, make_recipe: Make, tmp_path: Path
) -> None:
    from ft_s2a.genome import write_bigwig
    from ft_s2a.tracks import Track, TrackTable

    pieces = [(name, 0, np.ones(size)) for name, size in toy.sizes.items()]
    file = write_bigwig(tmp_path / "c.bw", toy.sizes, pieces, bin_size=1)
    from_bigwigs(
        toy.fasta, TrackTable((Track("flat", file=str(file)),)), tmp_path / "d.zarr",
        split="train=III,valid=II", bin_size=16, input_length=1024, crop_bins=4,
    )  # fmt: skip
    with pytest.raises(DataError, match="track 'flat' is constant over the training bins"):
        run(make_recipe(), tmp_path / "d.zarr", tmp_path / "run")


def test_progress_is_logged_at_each_validation(
    training_set: Path, make_recipe: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="ft_s2a"):
        run(make_recipe(), training_set, tmp_path / "run")
    lines = [r.getMessage() for r in caplog.records if r.name == "ft_s2a.training.loop"]
    assert [line.split(":")[0] for line in lines] == [f"step {n} of 12" for n in (5, 10, 12)]
    assert "(kept)" in lines[0]


def test_the_recipe_of_a_run_trains_it_again(
    training_set: Path, finished: Path, tmp_path: Path
) -> None:
    run(load_recipe(finished / "recipe.yaml"), training_set, tmp_path / "run")
    same_run(finished, tmp_path / "run")
    assert yaml.safe_load((finished / "recipe.yaml").read_text())["model"]["heads"]


def test_a_set_that_keeps_its_sequence_trains_as_one_with_a_genome(
    training_set: Path, make_recipe: Make, finished: Path, tmp_path: Path
) -> None:
    """As a released set without a FASTA: no contigs to check, and the same weights."""
    import zarr

    codes = np.stack([codes for codes, _ in TrackDataset(training_set)])  # type: ignore[attr-defined]
    kept = Path(shutil.copytree(training_set, tmp_path / "kept.zarr"))
    group = zarr.open_group(str(kept), mode="r+", zarr_format=3)
    array = group.create_array(
        "codes", shape=codes.shape, chunks=(1, codes.shape[1]), dtype=np.uint8
    )
    array[:] = codes
    header: Any = group.attrs["ft_s2a"]
    group.attrs["ft_s2a"] = {**header, "fasta": "", "contigs": {}}
    run(make_recipe(), kept, tmp_path / "run", workers=1)
    same_run(finished, tmp_path / "run")
    assert json.loads((tmp_path / "run" / "provenance.json").read_text())["data"]["contigs"] == {}
    with pytest.raises(
        DataError, match=r"kept\.zarr: the set keeps its own sequence; leave --fasta"
    ):
        run(make_recipe(), kept, tmp_path / "run", fasta="genome.fa", overwrite=True)


def test_a_network_crops_to_windows_of_fewer_bins(
    toy: SimpleNamespace, make_recipe: Callable[..., Any], tmp_path: Path, caplog: Any
) -> None:
    """Sets that were released with few bins cannot be built again for another network."""
    from_bigwigs(
        toy.fasta, toy.tracks, tmp_path / "set.zarr", split="valid=II,train=I",
        bin_size=16, input_length=512, crop_bins=10,
    )  # fmt: skip
    run(make_recipe(steps=1), tmp_path / "set.zarr", tmp_path / "run")
    assert (
        "have 12 bins, not the 24 of the recipe: the network crops 10 instead of 4" in caplog.text
    )
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["crop_bins"] == 10
    assert load_recipe(tmp_path / "run" / "recipe.yaml").model.crop_bins == 10
