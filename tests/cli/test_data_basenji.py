"""``ft-s2a data from-basenji | export-basenji | export-bigwig``: from one end to the other."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ft_s2a.cli import main
from ft_s2a.data.tfrecord import example, write_records

Run = Callable[..., tuple[int, str, str]]
BINS, TRACKS = 8, 2


def write_source(folder: Path, *, windows: int = 6, per_file: int = 2) -> Path:
    """A data set of 128 bp inputs, 8 bins of 8 bp, labels train, valid and test in turn."""
    random = np.random.default_rng(2)
    (folder / "tfrecords").mkdir(parents=True)
    labels = [("train", "valid", "test")[i % 3] for i in range(windows)]
    for label in dict.fromkeys(labels):
        count = labels.count(label)
        for number, first in enumerate(range(0, count, per_file)):
            write_records(
                folder / "tfrecords" / f"{label}-{number}.tfr",
                [
                    example(
                        {
                            "sequence": random.integers(0, 4, 128).astype(np.uint8).tobytes(),
                            "target": random.gamma(1, 1, (BINS, TRACKS))
                            .astype(np.float16)
                            .tobytes(),
                        }
                    )
                    for _ in range(min(per_file, count - first))
                ],
            )
    rows = [f"chr1\t{i * 100 + 32}\t{i * 100 + 96}\t{label}\n" for i, label in enumerate(labels)]
    (folder / "sequences.bed").write_text("".join(rows))
    statistics = {
        "num_targets": TRACKS, "seq_length": 128, "pool_width": 8, "crop_bp": 32,
        "target_length": BINS, **{f"{k}_seqs": labels.count(k) for k in dict.fromkeys(labels)},
    }  # fmt: skip
    (folder / "statistics.json").write_text(json.dumps(statistics))
    (folder / "targets.txt").write_text(
        "index\tgenome\tidentifier\tfile\tclip\tscale\tsum_stat\tdescription\n"
        "6\t1\tA\ta.w5\t32\t2\tmean\tDNASE:a\n7\t1\tB\tb.w5\t384\t1\tsum\tCAGE:b\n"
    )
    return folder


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    write_source(tmp_path / "source")
    (tmp_path / "chr.sizes").write_text("chr1\t1000\n")
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["data", *arguments])
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return call


def test_in_and_out(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("from-basenji", "source", "-o", "m.zarr", "--head", "mouse", "--pool", "2")
    assert code == 0
    assert out.splitlines()[1].split() == ["train", "2", "128", "2", "1.0000"]
    assert out.splitlines()[-1] == "m.zarr"
    code, out, _ = run("show", "m.zarr")
    assert code == 0
    assert "keeps its own sequence" in out
    assert "basenji2020" in out
    assert "from-basenji source" in out
    code, out, _ = run("export-basenji", "m.zarr", "-o", "again", "--per-file", "1", "--json")
    assert code == 0
    assert json.loads(out)["files"] == ["again"]
    assert run("from-basenji", "again", "-o", "again.zarr", "--head", "mouse")[0] == 0
    shown = [
        run("show", name)[1].split("checksum")[1].split()[0] for name in ("m.zarr", "again.zarr")
    ]
    assert shown[0] == shown[1]
    code, out, _ = run(
        "export-bigwig", "m.zarr", "--sizes", "chr.sizes", "-o", "bw", "--split", "test",
        "--tracks", "B",
    )  # fmt: skip
    assert code == 0
    assert out.splitlines()[-1] == "bw/files.tsv"
    assert (tmp_path / "bw" / "m.B.bw").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["from-basenji", "nowhere", "-o", "a.zarr"], "nowhere: no such data set"),
        (["from-basenji", "source", "-o", "a.zarr", "--pool", "3"], "cannot be pooled by 3"),
        (["from-basenji", "source", "-o", "a.zarr", "--folds", "test=x"], "'x' does not occur in"),
        (["from-basenji", "source", "-o", "a.zarr", "--resume"], "nothing was interrupted there"),
        (["from-basenji", "source", "-o", "a.zarr", "--transform", "new"], "transform 'new'"),
        (["export-basenji", "nowhere.zarr", "-o", "a"], "no such training set"),
        (["export-bigwig", "source", "--sizes", "chr.sizes", "-o", "a"], "is not a training set"),
    ],
)
def test_bad_input_is_one_line(run: Run, tmp_path: Path, arguments: list[str], said: str) -> None:
    before = set(tmp_path.iterdir())
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert err.startswith("error: ")
    assert said in err
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_process_can_be_resumed(tmp_path: Path, kind: signal.Signals) -> None:
    source = write_source(tmp_path / "source", windows=450, per_file=50)
    code = "import sys; from ft_s2a.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", code, "data", "from-basenji", str(source)]
    whole, out = tmp_path / "whole.zarr", tmp_path / "set.zarr"
    left = tmp_path / ".set.zarr.unfinished"
    started = subprocess.Popen(
        [*command, "-o", str(out)], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
        env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    targets = left / "output" / "targets"
    while started.poll() is None and not (targets.is_dir() and len(list(targets.iterdir())) > 10):
        time.sleep(0.002)
    started.send_signal(kind)
    _, err = started.communicate(timeout=60)
    assert started.returncode != 0, "it was faster than the signal"
    assert not out.exists()
    if kind == signal.SIGINT:
        assert started.returncode == 130
        assert b"go on with --resume" in err
    main_of = [*command, "-o"]
    subprocess.run([*main_of, str(out), "--resume"], check=True, capture_output=True)
    subprocess.run([*main_of, str(whole)], check=True, capture_output=True)
    assert not left.exists()
    for path in whole.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (out / path.relative_to(whole)).read_bytes()
