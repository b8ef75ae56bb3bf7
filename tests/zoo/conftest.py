from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from ft_s2a.checkpoint import save_weights
from ft_s2a.entries import Entry
from ft_s2a.genome import sequence
from ft_s2a.models import Basenji2Config, HeadConfig, build
from ft_s2a.tracks import Track, TrackTable
from ft_s2a.zoo import package

# 2048 bp, 16 bins of 128 bp, 4 cropped at each side: outputs of 8 bins, 1024 bp.
CONFIG = Basenji2Config(
    input_length=2048,
    crop_bins=4,
    stem_channels=6,
    tower_channels=(6,) * 6,
    dilations=(1, 2),
    dilated_channels=4,
    final_channels=8,
    heads=(HeadConfig(name="dna", tracks=3), HeadConfig(name="rna", tracks=2)),
)
# The heads are interleaved: the order of outputs is not that of the table.
TABLE = TrackTable(
    (
        Track("atac", head="dna", squash="sqrt", scale=2.0, units="CPM", color="#aa0000"),
        Track("rna.fwd", head="rna", sum_stat="sum", strand_pair="rna.rev", assay="RNA"),
        Track("dnase.fwd", head="dna", strand_pair="dnase.rev", clip=6.0),
        Track("rna.rev", head="rna", sum_stat="sum", strand_pair="rna.fwd", assay="RNA"),
        Track("dnase.rev", head="dna", strand_pair="dnase.fwd", clip=6.0),
    )
)
SPLITS = "I\t0\t3000\ttrain\nI\t3000\t4000\tvalid\nII\t0\t2500\ttest\n"


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder as training leaves it."""
    folder = tmp_path_factory.mktemp("runs") / "toy"
    folder.mkdir()
    torch.manual_seed(3)
    network = build(CONFIG).eval()
    with torch.no_grad():
        # Fresh norms and heads would predict almost the same everywhere.
        for name, value in network.named_parameters():
            value.add_(0.3 * torch.randn_like(value))
            if name.startswith("heads"):
                value.mul_(2.0)
    save_weights(folder / "weights.safetensors", network)
    (folder / "config.json").write_text(CONFIG.model_dump_json())
    TABLE.write(folder / "tracks.tsv", without=("file",))
    (folder / "splits.bed").write_text(SPLITS)
    recipe = {
        "schema_version": 1,
        "summary": "A toy network.",
        "model": CONFIG.model_dump(mode="json"),
        "steps": 20,
        "batch_size": 2,
        "track_weights": "null_deviance",
        "ema_decay": 0.99,
        "optimizer": {"name": "adamw", "lr": 0.002},
        "validation": {"every_steps": 10, "transform": "log1p"},
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    provenance: dict[str, Any] = {
        "steps": 20,
        "best_step": 10,
        "seed": 7,
        "valid": {"pearson": 0.4, "pearson.atac": 0.5, "pearson.rna.fwd": None},
        "data": {
            "name": "toy.zarr",
            "checksum": "c" * 64,
            "contigs": {"I": {"length": 4000, "md5": "d" * 32}},
        },
        "versions": {"torch": "2.13.0"},
    }
    (folder / "provenance.json").write_text(json.dumps(provenance))
    return folder


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a zoo."""
    return tmp_path_factory.mktemp("zoo")


@pytest.fixture(scope="session")
def entry(run: Path, zoo: Path) -> Entry:
    """The run packaged as toy/small."""
    return package(
        run,
        zoo / "toy/small",
        species="Saccharomyces imaginarius",
        assembly="toy1",
        license="MIT",
        authors=["A. Person", "B. Person"],
        citation="Person et al., 2026",
        limitations=["Random weights."],
    )


@pytest.fixture(scope="session")
def genome(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A genome of two contigs, neither a multiple of the bin, with its index."""
    folder = tmp_path_factory.mktemp("genome")
    rng = np.random.default_rng(5)
    lines = []
    index = []
    offset = 0
    for name, length in (("I", 4000), ("II", 2500)):
        lines += [f">{name}", sequence.decode(rng.integers(0, 4, length, dtype=np.uint8))]
        index.append(f"{name}\t{length}\t{offset + len(name) + 2}\t{length}\t{length + 1}")
        offset += len(name) + 2 + length + 1
    (folder / "genome.fa").write_text("\n".join(lines) + "\n")
    (folder / "genome.fa.fai").write_text("\n".join(index) + "\n")
    return folder / "genome.fa"
