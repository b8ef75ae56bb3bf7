"""The stock ``kipoi`` command on an entry, as real sub-processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from ft_s2a.entries import Entry
from ft_s2a.genome import BigWig, Genome, read_bed
from ft_s2a.loading import load_model
from ft_s2a.prediction import predict_tracks
from ft_s2a.zoo import write_bigwigs

pytestmark = pytest.mark.kipoi

Run = Callable[..., "subprocess.CompletedProcess[str]"]
BED = "II\t0\t2500\nI\t300\t1424\tx\t0\t-\nI\t2000\t4000\ty\t0\t+\n"


@pytest.fixture
def command(tmp_path: Path) -> Run:
    """Run a command of this environment with a HOME of its own."""
    home = tmp_path / "home"
    home.mkdir()

    def run(*arguments: str | Path, cwd: Path = tmp_path) -> subprocess.CompletedProcess[str]:
        program = Path(sys.executable).parent / str(arguments[0])
        return subprocess.run(
            [str(program), *map(str, arguments[1:])],
            cwd=cwd,
            env={**os.environ, "HOME": str(home)},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    return run


@pytest.fixture
def arguments(genome: Path, tmp_path: Path) -> str:
    (tmp_path / "r.bed").write_text(BED)
    return json.dumps({"intervals_file": "r.bed", "fasta_file": str(genome)})


def test_kipoi_test_passes_from_any_folder_and_notices_other_weights(
    command: Run, entry: Entry, tmp_path: Path
) -> None:

    def listing() -> list[tuple[str, int]]:
        return [(str(p), p.stat().st_mtime_ns) for p in sorted(entry.folder.rglob("*"))]

    before = listing()
    done = command("kipoi", "test", entry.folder, cwd=Path("/"))
    assert done.returncode == 0, done.stderr
    assert listing() == before, "something was written into the entry"
    assert "All predictions match" in done.stdout + done.stderr
    done = command("kipoi", "test", "small", cwd=entry.folder.parent)
    assert done.returncode == 0, done.stderr
    # Another expectation is a failure: the test compares.
    assert entry.example is not None
    with h5py.File(entry.folder / entry.example.expect.file) as file:
        inputs, preds = file["inputs"][:], file["preds"][:]
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["inputs"], file["preds"] = inputs, preds + 0.5
    done = command("kipoi", "test", entry.folder, "-e", tmp_path / "other.h5")
    assert done.returncode == 1
    assert "don't match" in done.stdout + done.stderr


def test_kipoi_info_and_ls(command: Run, entry: Entry, zoo: Path) -> None:
    done = command("kipoi", "info", entry.folder, "--source=dir")
    assert done.returncode == 0, done.stderr
    for text in ("A toy network.", "license: MIT", "intervals_file:", "oriented:"):
        assert text in done.stdout
    done = command("kipoi", "ls", "all", "--source=dir", cwd=zoo)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["toy/small"]


def test_predict_then_bigwig_is_what_predict_tracks_writes(
    command: Run, entry: Entry, genome: Path, arguments: str, tmp_path: Path
) -> None:
    done = command(
        *("kipoi", "predict", entry.folder, "--source=dir", "-m", "-o", "p.h5"),
        *("--dataloader_args", arguments, "--batch_size", "2", "-n", "2"),
    )
    assert done.returncode == 0, done.stderr
    sizes = Genome(genome).sizes
    write_bigwigs(tmp_path / "p.h5", entry, sizes, tmp_path / "kipoi")
    model = load_model(entry.folder)
    regions = read_bed(tmp_path / "r.bed", sizes)
    for head in model.heads:
        out = tmp_path / head
        predict_tracks(model, genome, regions, head=head, out_dir=out)
        for track in model.tracks(head):
            name = f"toy-small.{track.name}.bw"
            with BigWig(out / name) as ours, BigWig(tmp_path / "kipoi" / name) as theirs:
                assert ours.sizes == theirs.sizes
                for chrom, length in sizes.items():
                    expected = ours.values(chrom, 0, length)
                    found = theirs.values(chrom, 0, length)
                    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
                    span = np.nanmax(expected) - np.nanmin(expected)
                    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * span)


def test_minus_rows_give_the_same_bigwigs(
    command: Run, entry: Entry, genome: Path, arguments: str, tmp_path: Path
) -> None:
    """Both strands are averaged, so a row read backwards and turned back is the same."""
    given = {**json.loads(arguments), "oriented": True}
    for name, value in (("plain.h5", arguments), ("oriented.h5", json.dumps(given))):
        done = command(
            *("kipoi", "predict", entry.folder, "--source=dir", "-m", "-o", name),
            *("--dataloader_args", value),
        )
        assert done.returncode == 0, done.stderr
        write_bigwigs(tmp_path / name, entry, Genome(genome).sizes, tmp_path / Path(name).stem)
    with h5py.File(tmp_path / "oriented.h5") as file:
        assert file["metadata/ranges/strand"][:].tolist() == [b"*"] * 3 + [b"-"] * 2 + [b"+"] * 2
        preds = file["preds"][3, :, 0]
    assert np.abs(preds - preds[::-1]).max() > 1e-3
    for track in entry.read_tracks():
        name = f"toy-small.{track.name}.bw"
        with BigWig(tmp_path / "plain" / name) as one, BigWig(tmp_path / "oriented" / name) as two:
            plain, oriented = (b.values("I", 300, 1424) for b in (one, two))
            np.testing.assert_allclose(oriented, plain, rtol=1e-5, atol=1e-6)


def test_other_formats_layers_and_inputs(
    command: Run, entry: Entry, arguments: str, tmp_path: Path
) -> None:
    done = command(
        *("kipoi", "predict", entry.folder, "--source=dir", "-m", "-k"),
        *("--dataloader_args", arguments, "-o", "p.tsv", "p.bed", "p.parquet", "p.h5"),
    )
    # -k would put 8,192 columns of input into each table: still right, if not wise.
    assert done.returncode == 0, done.stderr
    with h5py.File(tmp_path / "p.h5") as file:
        preds, inputs = file["preds"][:], file["inputs"]
        assert inputs.shape == (7, 2048, 4)
        assert file["preds"].chunks == (1, 8, 5)
    for name, reader in (("p.tsv", "csv"), ("p.bed", "csv"), ("p.parquet", "parquet")):
        path = tmp_path / name
        table = pd.read_csv(path, sep="\t") if reader == "csv" else pd.read_parquet(path)
        np.testing.assert_allclose(table["preds/7/3"], preds[:, 7, 3], rtol=1e-5)
    assert pd.read_csv(tmp_path / "p.bed", sep="\t")["start"].tolist()[:3] == [0, 1024, 2048]
    done = command(
        *("kipoi", "predict", entry.folder, "--source=dir", "-l", "trunk"),
        *("--dataloader_args", arguments, "-o", "layer.h5"),
    )
    assert done.returncode == 0, done.stderr
    with h5py.File(tmp_path / "layer.h5") as file:
        assert file["preds"].shape == (7, 8, 8)


def test_an_existing_output_is_refused_before_predicting(
    command: Run, entry: Entry, arguments: str, tmp_path: Path
) -> None:
    (tmp_path / "p.h5").write_text("mine")
    predict = ("predict", entry.folder, "--source=dir", "--dataloader_args", arguments)
    done = command("kipoi", *predict, "-m", "-o", "p.h5")
    assert done.returncode == 1
    assert "p.h5: the output exists already" in done.stderr
    assert (tmp_path / "p.h5").read_text() == "mine"
    # Through our command it is one line.
    done = command("ft-s2a", "kipoi", *predict, "-m", "-o", "p.h5")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: p.h5: the output exists already")
    assert "Traceback" not in done.stderr
    assert {p.name for p in tmp_path.iterdir()} == {"home", "p.h5", "r.bed"}


def test_preproc_needs_our_command(
    command: Run, entry: Entry, arguments: str, tmp_path: Path
) -> None:
    """Kipoi loads no model for it, so the stock command does not get our writers."""
    done = command(
        *("ft-s2a", "kipoi", "preproc", entry.folder, "--source=dir"),
        *("--dataloader_args", arguments, "-o", "inputs.h5", "-m"),
    )
    assert done.returncode == 0, done.stderr
    with h5py.File(tmp_path / "inputs.h5") as file:
        assert file["inputs"].shape == (7, 2048, 4)
