from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

TRACKS = "name\thead\tstrand_pair\na.fwd\ttracks\ta.rev\na.rev\ttracks\ta.fwd\nb\ttracks\t\n"
# An empty safetensors file: the length of its header, the header, and some bytes to change.
WEIGHTS = (2).to_bytes(8, "little") + b"{}" + b"these are weights"


@pytest.fixture
def document() -> dict[str, Any]:
    """The fields of a small entry whose weights lie in its folder."""
    return {
        "schema_version": 1,
        "name": "toy/small",
        "version": "0.1.0",
        "summary": "A toy.",
        "species": "none",
        "assembly": "toy1",
        "license": "MIT",
        "model": {
            "architecture": "basenji2",
            "input_length": 1024,
            "crop_bins": 1,
            "stem_channels": 4,
            "tower_channels": [4, 4, 4, 4, 4, 4],
            "dilations": [1],
            "dilated_channels": 4,
            "final_channels": 8,
            "heads": [{"name": "tracks", "tracks": 3}],
        },
        "weights": {
            "file": "weights.safetensors",
            "sha256": hashlib.sha256(WEIGHTS).hexdigest(),
        },
        "tracks": {
            "file": "tracks.tsv",
            "sha256": hashlib.sha256(TRACKS.encode()).hexdigest(),
        },
    }


@pytest.fixture
def write_entry() -> Callable[..., Path]:
    """Write an entry's folder from its fields."""

    def write(folder: Path, document: dict[str, Any]) -> Path:
        folder.mkdir(parents=True)
        (folder / "entry.yaml").write_text(yaml.safe_dump(document))
        (folder / "tracks.tsv").write_text(TRACKS)
        if document["weights"].get("file"):
            (folder / "weights.safetensors").write_bytes(WEIGHTS)
        return folder

    return write
