from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

DOCUMENT: dict[str, Any] = {
    "schema_version": 1,
    "model": {
        "architecture": "basenji2",
        "input_length": 512,
        "crop_bins": 4,
        "stem_channels": 8,
        "stem_kernel": 7,
        "tower_channels": [8, 8, 8],
        "dilations": [1],
        "dilated_channels": 4,
        "final_channels": 8,
    },
    "steps": 12,
    "batch_size": 4,
    "optimizer": {"lr": 0.01, "warmup_steps": 3, "schedule": "cosine", "weight_decay": 0.01},
    "clipping": {"kind": "global", "norm": 1.0},
    "augmentation": {"reverse_complement": 0.5, "shift": 3},
    "track_weights": "null_deviance",
    "ema_decay": 0.9,
    "validation": {"every_steps": 5},
}


@pytest.fixture(scope="session")
def training_set(toy: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of the toy genome: bins of 16 bp, windows of 56 bins (a 512-bp input sees 24)."""
    from ft_s2a.data import from_bigwigs

    path = tmp_path_factory.mktemp("training") / "set.zarr"
    from_bigwigs(
        toy.fasta, toy.tracks, path, split="test=III,valid=II:0-5000,train=rest",
        bin_size=16, input_length=1024, crop_bins=4, train_starts="random", coverage=2,
    )  # fmt: skip
    return path


@pytest.fixture(scope="session")
def second_set(toy: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A smaller set of other tracks ("cg", "both"), whose windows are shorter."""
    from ft_s2a.data import from_bigwigs
    from ft_s2a.tracks import Track, TrackTable

    path = tmp_path_factory.mktemp("second") / "mus.zarr"
    tracks = TrackTable(
        (
            Track("cg", file=str(toy.folder / "gc.bw"), scale=3.0, head="mouse"),
            Track("both", file=str(toy.folder / "w.fwd.bw"), scale=20.0, head="mouse"),
        )
    )
    from_bigwigs(
        toy.fasta, tracks, path, split="valid=III,train=II", bin_size=16, input_length=640,
        crop_bins=4,
    )  # fmt: skip
    return path


@pytest.fixture(scope="session")
def make_recipe() -> Callable[..., Any]:
    """Make a tiny recipe; keywords replace its fields, ``model=`` some of its network's."""
    from ft_s2a.training import Recipe

    def make(*, model: dict[str, Any] | None = None, **changes: Any) -> Recipe:
        network = {**DOCUMENT["model"], **(model or {})}
        return Recipe.model_validate({**DOCUMENT, **changes, "model": network})

    return make
