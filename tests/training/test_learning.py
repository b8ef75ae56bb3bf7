"""That a network learns what can be learnt, and nothing where nothing can."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ft_s2a.data import from_bigwigs
from ft_s2a.genome import write_bigwig
from ft_s2a.tracks import Track, TrackTable, read_tracks
from ft_s2a.training import Recipe, train

CHANGES: dict[str, Any] = {
    "steps": 160,
    "batch_size": 8,
    "optimizer": {"lr": 0.02, "warmup_steps": 20, "schedule": "cosine"},
    "augmentation": {"reverse_complement": 0.5},
    "validation": {"every_steps": 160},
    "model": {"stem_channels": 16, "dilated_dropout": 0.0, "final_dropout": 0.0},
}
SET: dict[str, Any] = {
    "split": "valid=II+III,train=rest",
    "bin_size": 16,
    "input_length": 1024,
    "crop_bins": 4,
    "train_starts": "random",
    "coverage": 4,
}


def test_a_planted_signal_is_learnt_on_both_strands(
    toy: SimpleNamespace, make_recipe: Callable[..., Recipe], tmp_path: Path
) -> None:
    words = read_tracks(toy.tracks, need_files=True).select("w.*")
    from_bigwigs(toy.fasta, words, tmp_path / "set.zarr", **SET)
    outcome = train(make_recipe(**CHANGES), tmp_path / "set.zarr", tmp_path / "run", workers=0)
    (row,) = outcome.progress.rows
    assert row["pearson.w.fwd"] > 0.8
    assert row["pearson.w.rev"] > 0.8


def test_shuffled_targets_are_not_learnt(
    toy: SimpleNamespace, make_recipe: Callable[..., Recipe], tmp_path: Path
) -> None:
    """The same values at other places: what is learnt by heart does not hold on other contigs."""
    random = np.random.default_rng(0)
    tracks = []
    for track in ("w.fwd", "w.rev"):
        pieces = []
        for name in toy.sizes:
            values = toy.signal[track][name]
            bins = values[: len(values) // 16 * 16].reshape(-1, 16)
            pieces.append((name, 0, random.permutation(bins).reshape(-1)))
        file = write_bigwig(tmp_path / f"{track}.bw", toy.sizes, pieces, bin_size=1)
        tracks.append(Track(track, file=str(file), scale=math.nan, squash="sqrt"))
    from_bigwigs(toy.fasta, TrackTable(tuple(tracks)), tmp_path / "set.zarr", **SET)
    outcome = train(make_recipe(**CHANGES), tmp_path / "set.zarr", tmp_path / "run", workers=0)
    (row,) = outcome.progress.rows
    # 900 validation bins, neighbours hardly correlated: 0.15 is more than four standard errors.
    assert abs(row["pearson.w.fwd"]) < 0.15
    assert abs(row["pearson.w.rev"]) < 0.15


@pytest.mark.parametrize("many", [3, 60])
def test_curves(tmp_path: Path, many: int) -> None:
    from ft_s2a.training.history import Columns, draw_curves, write_metrics

    random = np.random.default_rng(0)
    tracks = [Track(f"t{i}", color=f"#{i * 4:02x}77aa") for i in range(many)]
    rows = []
    for step in (100, 200, 300):
        r = np.clip(random.normal(step / 500, 0.1, many), -1, 1)
        rows.append(
            {
                "step": step, "lr": 0.1, "train_loss": 100 / step, "valid_loss": 110 / step,
                "pearson": float(r.mean()), "constant_tracks": 0,
                **{f"pearson.{t.name}": float(v) for t, v in zip(tracks, r, strict=True)},
            }
        )  # fmt: skip
    files = draw_curves(tmp_path, rows, [(Columns("", tracks), 300)])
    assert [f.name for f in files] == ["curves.png", "curves.svg"]
    svg = files[1].read_text()
    shown = "5-95 % of 60 tracks" if many > 40 else "t2"
    assert f"<!-- {shown} -->" in svg
    assert f"<!-- weights kept: step 300, mean r {rows[-1]['pearson']:.3f} -->" in svg
    write_metrics(tmp_path / "m.parquet", rows)
    single = [{**rows[0], "pearson": float("nan"), "pearson.t0": float("nan")}]
    draw_curves(tmp_path, single, [(Columns("", tracks), 0)])  # an undefined r, and nothing kept
