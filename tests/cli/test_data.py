"""``ft-s2a data``: what it builds, prints and refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ft_s2a.cli import main
from ft_s2a.data import TrackDataset
from ft_s2a.genome import write_bigwig

Run = Callable[..., tuple[int, str, str]]
GOOD = {
    "--fasta": "toy.fa",
    "--tracks": "tracks.tsv",
    "--split": "test=III,valid=II,train=rest",
    "--bin-size": "16",
    "--input-length": "1024",
    "--crop-bins": "4",
    "-o": "set.zarr",
}


@pytest.fixture
def run(
    toy: SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run a command in an own folder that holds the toy data: (exit code, stdout, stderr)."""
    for path in toy.folder.iterdir():
        if path.suffix in (".fa", ".bw", ".tsv"):
            (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return call


def build(changes: dict[str, str | None], *flags: str) -> list[str]:
    options = {k: v for k, v in {**GOOD, **changes}.items() if v is not None}
    return ["data", "from-bigwig", *(part for pair in options.items() for part in pair), *flags]


def listing(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def refused(run: Run, folder: Path, arguments: list[str]) -> str:
    """Run what must be refused: exit code 2, one line, nothing printed or left behind."""
    before = listing(folder)
    code, out, err = run(*arguments)
    assert code == 2, err
    assert out == ""
    lines = [line for line in err.splitlines() if not line.startswith("indexing ")]
    assert len(lines) == 1, err
    assert listing(folder) == before
    return lines[0]


def test_a_set_is_built_and_told(run: Run, tmp_path: Path) -> None:
    code, out, _ = run(*build({}))
    assert code == 0
    assert out.splitlines()[-1] == "set.zarr"
    rows = [line.split() for line in out.splitlines()[1:-1]]
    assert rows[0] == ["train", "1", "24000", "27", "1.0000"]
    assert (tmp_path / "set.zarr" / "zarr.json").exists()
    code, out, _ = run("data", "show", "set.zarr")
    assert code == 0
    for text in ("bin size", "16 bp", "w.fwd", "null_deviance", "train=rest", "toy.fa"):
        assert text in out


def test_json_is_one_object(run: Run) -> None:
    code, out, _ = run(*build({}, "--json"))
    assert code == 0
    document = json.loads(out)
    assert set(document) == {"schema", "rows", "files"}
    assert document["files"] == ["set.zarr"]
    assert {row["split"]: row["windows"] for row in document["rows"]}["valid"] == 11
    document = json.loads(run("data", "show", "set.zarr", "--json")[1])
    assert [row["track"] for row in document["rows"]] == ["w.fwd", "w.rev", "gc"]


def test_every_option_reaches_the_set(run: Run) -> None:
    from ft_s2a.data.store import open_store

    flags = ["--train-starts", "random", "--coverage", "2", "--seed", "3", "--dtype", "float32"]
    assert run(*build({}), *flags)[0] == 0
    header = open_store("set.zarr")[1]
    assert header.provenance["train_starts"] == "random"
    assert (header.provenance["coverage"], header.provenance["seed"]) == (2.0, 3)
    assert (header.dtype, header.bin_size, header.input_length) == ("float32", 16, 1024)


@pytest.mark.parametrize("command", [["data"], ["data", "from-bigwig"], ["data", "show"]])
def test_help_has_an_example(run: Run, command: list[str]) -> None:
    code, out, _ = run(*command, "--help")
    assert code == 0
    if len(command) > 1:
        assert "Example: ft-s2a data" in out


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"--fasta": "none.fa"}, "none.fa: no such FASTA file"),
        ({"--fasta": "gc.bw"}, "gc.bw"),
        ({"--tracks": "none.tsv"}, "none.tsv: no such track table"),
        ({"--split": "none.bed"}, "'none.bed' is neither a split nor a BED file"),
        ({"--split": "empty.bed"}, "empty.bed: holds no region"),
        ({"--split": "past.bed"}, "past.bed, row 1"),
        ({"--split": "train=chrII"}, "contig 'chrII' is not in toy.fa, which calls it 'II'"),
        ({"--split": "train=II:0-9001"}, "reaches past the end of 'II', which has 9,000 bp"),
        ({"--split": "train=I,test=I"}, "overlap"),
        ({"--split": "train=I:0-500"}, "the train split has no room for one window"),
        ({"--input-length": "1000"}, "not a multiple of bin size 16; use 992 or 1008"),
        ({"--crop-bins": "40"}, "leave none"),
        ({"--bin-size": "0"}, "bin size 0"),
        ({"--coverage": "-1"}, "coverage -1.0"),
        ({"-o": "full"}, "full: the output exists already; choose another name or pass --over"),
    ],
)
def test_bad_input_is_one_line(
    run: Run, tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    (tmp_path / "empty.bed").write_text("")
    (tmp_path / "past.bed").write_text("II\t0\t9001\ttrain\n")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    err = refused(run, tmp_path, build(changes))
    assert err.startswith("error: ")
    assert message in err


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("name\tfile\tcolour\na\tgc.bw\tred\n", "unknown column 'colour'; did you mean 'color'?"),
        ("name\tfile\na\tgc.bw\na\tgc.bw\n", "track name 'a' occurs twice"),
        ("name\tfile\na\tnone.bw\n", "none.bw"),
        ("name\tfile\na\t\n", "row 2"),
        ("name\na\n", "no column 'file'"),
        ("name\tfile\n", "holds no row"),
        ("", "t.tsv"),
        ("name\tfile\tscale\na\tgc.bw\tbig\n", "scale is 'big'"),
        ("name\tfile\tstrand_pair\na\tgc.bw\tb\n", "strand_pair"),
        ("name\tfile\thead\na\tgc.bw\tx\nb\tgc.bw\ty\n", "name 2 heads (x, y)"),
        ("name\tfile\na\ttoy.fa\n", "toy.fa: is not a bigWig file"),
        ("name\tfile\na\tnegative.bw\n", "negative.bw: track 'a' is negative (-1)"),
        ("name\tfile\na\thuge.bw\n", "huge.bw: track 'a' is too large for float16 (100000)"),
        ("name\tfile\na\tother.bw\n", "other.bw: contig 'II' is 9,100 bp long, but 9,000 bp in"),
        ("name\tfile\na\trenamed.bw\n", "renamed.bw, which calls it 'chrI'; rename"),
        ("name\tfile\na\tcut.bw\n", "cut.bw: is truncated"),
        ("name\tfile\tscale\na\tzero.bw\tauto\n", "track 'a' is zero over the training windows"),
    ],
)
def test_bad_tracks_are_one_line(
    run: Run, toy: SimpleNamespace, tmp_path: Path, rows: str, message: str
) -> None:
    (tmp_path / "t.tsv").write_text(rows)
    chrom = "I"
    for name, value in (("negative", -1.0), ("huge", 1e5), ("zero", 0.0)):
        write_bigwig(
            tmp_path / f"{name}.bw", toy.sizes, [(chrom, 0, np.full(99, value))], bin_size=16
        )
    for name, sizes in (
        ("other", {**toy.sizes, "II": 9_100}),
        ("renamed", {f"chr{k}": v for k, v in toy.sizes.items()}),
    ):
        first = next(iter(sizes))
        write_bigwig(tmp_path / f"{name}.bw", sizes, [(first, 0, np.ones(9))], bin_size=16)
    (tmp_path / "cut.bw").write_bytes((toy.folder / "gc.bw").read_bytes()[:2000])
    err = refused(run, tmp_path, build({"--tracks": "t.tsv"}))
    assert message in err


def test_missing_values_are_zero(run: Run, toy: SimpleNamespace, tmp_path: Path) -> None:
    from ft_s2a.data import TrackDataset

    values = np.where(np.arange(1500) % 2, np.nan, 1.0)
    write_bigwig(tmp_path / "nan.bw", toy.sizes, [("I", 0, values)], bin_size=16)
    (tmp_path / "t.tsv").write_text("name\tfile\na\tnan.bw\n")
    assert run(*build({"--tracks": "t.tsv", "--split": "train=I"}))[0] == 0
    assert TrackDataset("set.zarr").targets(0)[:4, 0].tolist() == [1, 0, 1, 0]


def test_overwriting(run: Run, tmp_path: Path) -> None:
    assert run(*build({}))[0] == 0
    assert "exists already" in refused(run, tmp_path, build({}))
    assert run(*build({"--split": "train=I"}, "--overwrite"))[0] == 0
    assert "valid" not in run("data", "show", "set.zarr")[1]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    err = refused(run, tmp_path, build({"-o": "mine"}, "--overwrite"))
    assert "is a folder but no training set; it is not replaced" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["data", "show", "none.zarr"], "none.zarr: no such training set"),
        (["data", "show", "toy.fa"], "toy.fa: is not a training set"),
        (["data", "show", "."], "is not a training set"),
    ],
)
def test_what_is_no_set_cannot_be_shown(
    run: Run, tmp_path: Path, arguments: list[str], message: str
) -> None:
    assert message in refused(run, tmp_path, arguments)


def test_ctrl_c_leaves_nothing(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ft_s2a.data import store

    before = listing(tmp_path)

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "as_stored", stop)
    code, out, err = run(*build({}))
    assert code == 130
    assert "Traceback" not in err
    assert out == ""
    assert listing(tmp_path) == before


def test_published_targets_with_blacklist_and_unmappable_bins(run: Run, tmp_path: Path) -> None:
    """Every option of the published scripts arrives in the set."""
    (tmp_path / "targets.txt").write_text(
        "index\tidentifier\tfile\tclip\tscale\tsum_stat\n0\tGC\tgc.bw\t0.8\t2\tmean\n"
    )
    (tmp_path / "black.bed").write_text("I\t3000\t3200\n")
    (tmp_path / "umap.bed").write_text("I\t0\t700\n")
    code, _, err = run(
        *build(
            {
                "--tracks": "targets.txt",
                "--transform": "basenji2025",
                "--blacklist": "black.bed",
                "--unmappable": "umap.bed",
                "--umap-clip": "0.25",
                "--umap-threshold": "0.9",
                "--decimals": "1",
            },
            "--interpolate",
        )
    )
    assert code == 0, err
    data = TrackDataset(tmp_path / "set.zarr")
    assert (data.tracks[0].name, data.tracks[0].transform) == ("GC", "basenji2025")
    wanted = {
        "transform": "basenji2025", "blacklist": "black.bed", "unmappable": "umap.bed",
        "umap_clip": 0.25, "umap_threshold": 0.9, "interpolate": True, "decimals": 1,
    }  # fmt: skip
    assert wanted.items() <= data.header.provenance.items()
    values = data.targets(0).astype(np.float64)
    assert values.max() <= 0.8 + 1e-3
    np.testing.assert_allclose(values, np.round(values, 1), atol=1e-3)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"--blacklist": "toy.fa.fai"}, "--blacklist and --interpolate are for published"),
        ({"--transform": "basenji2020"}, "the scale of track 'w.fwd' is 'auto'"),
        ({"--umap-clip": "0.5"}, "--umap-clip without unmappable bins; give --unmappable"),
        ({"--unmappable": "none.bed"}, "none.bed"),
    ],
)
def test_published_options_that_do_not_fit(
    run: Run, tmp_path: Path, changes: dict[str, str | None], words: str
) -> None:
    assert words in refused(run, tmp_path, build(changes))
