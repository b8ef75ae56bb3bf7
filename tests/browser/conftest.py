"""A toy genome of two contigs with two predicted and two observed tracks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from ft_s2a.genome import write_bigwig
from ft_s2a.tracks import TrackFile, write_files

SIZES = {"I": 20_000, "II": 6_000}


@dataclass(frozen=True)
class Toy:
    folder: Path
    predicted: Path
    observed: Path
    fasta: Path
    genes: Path


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    """Observed tracks cover all of I and II, predicted ones only II."""
    rng = np.random.default_rng(3)
    predicted, observed = tmp_path / "out", tmp_path / "observed"
    predicted.mkdir()
    observed.mkdir()
    files = []
    for index, (name, color) in enumerate((("CAGE", "#aa3377"), ("ATAC", "#228833"))):
        whole = [(c, 0, rng.gamma(1.0, 4.0 + index, n // 100)) for c, n in SIZES.items()]
        write_bigwig(observed / f"{name}.bw", SIZES, whole, bin_size=100)
        part = [("II", 0, rng.gamma(1.0, 4.0 + index, 47))]
        write_bigwig(predicted / f"toy-net.{name}.bw", SIZES, part, bin_size=128)
        files.append(
            TrackFile(
                predicted / f"toy-net.{name}.bw",
                name,
                assay=name,
                cell_type="K562",
                units="CPM",
                color=color,
                grid=128,
                entry="toy/net",
                version="2",
            )
        )
    write_files(predicted, files)
    fasta = tmp_path / "toy.fa"
    letters = "".join(rng.choice(list("ACGT"), 20_000))
    lines = [f">{c}\n{letters[:n]}\n" for c, n in SIZES.items()]
    fasta.write_text("".join(lines))
    genes = tmp_path / "genes.bed"
    genes.write_text(
        "II\t1000\t2500\tABC1\t0\t+\nII\t3000\t3001\tXYZ2\t0\t-\nIII\t0\t9\tno\t0\t+\n"
    )
    return Toy(tmp_path, predicted, observed, fasta, genes)


@pytest.fixture
def fake_igv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for igv.js, for tests that open no browser."""
    script = tmp_path / "fake" / "igv.min.js"
    script.parent.mkdir()
    script.write_text("// not igv.js\n")
    monkeypatch.setenv("FT_S2A_IGV_JS", str(script))
    return script
