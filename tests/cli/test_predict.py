"""``ft-s2a predict``: what it writes, prints and refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from ft_s2a.checkpoint import save_weights
from ft_s2a.cli import main
from ft_s2a.genome import BigWig
from ft_s2a.models import Basenji2Config, HeadConfig, build

Run = Callable[..., tuple[int, str, str]]
GOOD = ["predict", "my-run", "--fasta", "toy.fa", "--chrom", "II", "-o", "out"]


@pytest.fixture
def run(
    toy: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:  # fmt: skip
    """Run a command in a folder with a run ``my-run`` and ``toy.fa``: (exit code, out, err)."""
    torch.manual_seed(1)
    config = Basenji2Config(
        input_length=512, crop_bins=4, stem_channels=4, stem_kernel=5, tower_channels=(4, 4, 4),
        dilations=(1,), dilated_channels=2, final_channels=4,
        heads=(HeadConfig(name="tracks", tracks=3),),
    )  # fmt: skip
    folder = tmp_path / "my-run"
    folder.mkdir()
    (folder / "config.json").write_text(config.model_dump_json())
    (folder / "tracks.tsv").write_text(
        "name\tassay\tstrand_pair\na.fwd\tRNA\ta.rev\na.rev\tRNA\ta.fwd\nb\tATAC\t\n"
    )
    save_weights(folder / "weights.safetensors", build(config))
    (tmp_path / "toy.fa").symlink_to(toy.fasta)
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return call


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


def test_one_bigwig_per_track_and_a_list(run: Run, tmp_path: Path) -> None:
    code, out, _ = run(*GOOD)
    assert code == 0
    assert listing(tmp_path / "out") == {
        "files.tsv", "my-run.a.fwd.bw", "my-run.a.rev.bw", "my-run.b.bw",
    }  # fmt: skip
    lines = out.splitlines()
    assert lines[0].split() == ["track", "file", "units", "grid"]
    assert lines[-1] == "out/files.tsv"
    with BigWig(tmp_path / "out" / "my-run.b.bw") as file:
        assert np.isfinite(file.values("II", 0, 9_000)).all()
        assert np.isnan(file.values("I", 0, 100)).all()


def test_json_names_every_file(run: Run) -> None:
    code, out, _ = run(*GOOD, "--json", "--tracks", "assay=RNA")
    assert code == 0
    document = json.loads(out)
    assert document["schema"] == "ft_s2a.predict"
    assert [row["track"] for row in document["rows"]] == ["a.fwd", "a.rev"]
    assert document["files"] == ["out/my-run.a.fwd.bw", "out/my-run.a.rev.bw", "out/files.tsv"]


def test_options_reach_the_prediction(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from ft_s2a import prediction

    seen: dict[str, Any] = {}
    real = prediction.predict_tracks

    def watch(model: Any, genome: Any, regions: Any, **options: Any) -> Any:
        seen.update(options, regions=[str(r) for r in regions], precision=model.precision)
        seen["compile"] = model.compile
        return real(model, genome, regions, **options)

    monkeypatch.setattr(prediction, "predict_tracks", watch, raising=False)
    Path("r.bed").write_text("I\t10\t500\n")
    code, _, _ = run(
        "predict", "my-run", "--fasta", "toy.fa", "-o", "out", "--regions", "r.bed", "--chrom",
        "III:5-100", "--ensemble", "none", "--shifts", "-1,0,1", "--shift-pad", "0.25",
        "--batch-size", "3", "--centre", "--precision", "bf16", "--head", "tracks",
    )  # fmt: skip
    assert code == 0
    assert seen["regions"] == ["I:10-500", "III:5-100"]
    assert seen["shifts"] == [-1, 0, 1]
    assert seen["shift_pad"] == 0.25
    assert (seen["ensemble"], seen["batch_size"], seen["centre"]) == ("none", 3, True)
    assert (seen["precision"], seen["head"], seen["compile"]) == ("bf16", "tracks", False)


def test_compile_reaches_the_model(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from ft_s2a import loading

    seen: list[bool] = []
    real = loading.load_model

    def watch(entry: str, *, compile: bool, **options: Any) -> Any:
        seen.append(compile)
        return real(entry, **options)

    monkeypatch.setattr(loading, "load_model", watch)
    assert run(*GOOD, "--compile")[0] == 0
    assert seen == [True]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["nowhere/entry"], "no entry 'nowhere/entry'"),
        (["./nowhere"], "nowhere: no such entry folder"),
        (["--fasta", "none.fa"], "none.fa: no such FASTA file"),
        (["--fasta", "empty.fa"], "empty.fa"),
        (["--regions", "none.bed"], "none.bed: no such BED file"),
        (["--regions", "empty.bed"], "empty.bed: holds no region"),
        (["--regions", "past.bed"], "past.bed, row 1: II:0-9001 reaches past the end of 'II'"),
        (["--regions", "chr.bed"], "chr.bed, row 1: contig 'chrII' is not in toy.fa, which calls"),
        (["--chrom", "chrII"], "region 'chrII': contig 'chrII' is not in toy.fa, which calls it"),
        (["--chrom", "II:0-9001"], "reaches past the end of 'II'"),
        (["--chrom", "II:x-y"], "cannot read the region"),
        (["--head", "mouse"], "no head 'mouse'"),
        (["--tracks", "c*"], "no track matches 'c*'"),
        (["--tracks", "essay=RNA"], "no column 'essay'; did you mean 'assay'?"),
        (["--shifts", "a"], "--shifts is 'a'; expected whole numbers"),
        (["--shifts", "512"], "at most 511 bp"),
        (["--device", "cuda:99"], "device 'cuda:99' cannot be used"),
        (["--resume"], "holds no interrupted prediction; predict without --resume"),
        (["--resume", "--overwrite"], "exclude each other"),
        (["-o", "toy.fa"], "toy.fa: is a file"),
    ],
)
def test_bad_input_is_one_line(run: Run, tmp_path: Path, changes: list[str], message: str) -> None:
    (tmp_path / "empty.fa").write_text("")
    (tmp_path / "empty.bed").write_text("# nothing\n")
    (tmp_path / "past.bed").write_text("II\t0\t9001\n")
    (tmp_path / "chr.bed").write_text("chrII\t0\t10\n")
    arguments = list(GOOD)
    if not changes[0].startswith("-"):
        arguments[1] = changes[0]
    elif changes[0] in arguments:
        arguments[arguments.index(changes[0]) + 1] = changes[1]
    else:
        arguments += changes
    assert message in refused(run, tmp_path, arguments)


def test_a_run_without_weights_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "my-run" / "weights.safetensors").unlink()
    assert "the run has no weights yet" in refused(run, tmp_path, GOOD)


def test_outputs_are_kept_unless_told(run: Run, tmp_path: Path) -> None:
    assert run(*GOOD)[0] == 0
    before = (tmp_path / "out" / "my-run.b.bw").read_bytes()
    assert "files.tsv: the output exists already" in refused(run, tmp_path, GOOD)
    assert (tmp_path / "out" / "my-run.b.bw").read_bytes() == before
    assert run(*GOOD, "--overwrite", "--ensemble", "none")[0] == 0
    assert (tmp_path / "out" / "my-run.b.bw").read_bytes() != before


def test_ctrl_c_and_go_on(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ft_s2a.prediction import genome_wide

    real, calls = genome_wide.predict_codes, []

    def stop(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(genome_wide, "predict_codes", stop)
        code, out, err = run(*GOOD, "--batch-size", "4")
    assert code == 130
    assert out == ""
    assert "8 of 24 windows are done: go on with --resume" in err
    assert "Traceback" not in err
    assert "holds an interrupted prediction" in refused(run, tmp_path, GOOD)
    assert run(*GOOD, "--resume", "--batch-size", "4")[0] == 0
    assert run(*GOOD[:-1], "whole", "--batch-size", "4")[0] == 0
    for path in (tmp_path / "whole").iterdir():
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()


def test_help_has_an_example(run: Run) -> None:
    code, out, _ = run("predict", "--help")
    assert code == 0
    assert "Example: ft-s2a predict" in out
