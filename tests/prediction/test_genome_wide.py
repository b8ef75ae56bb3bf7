"""bigWigs of whole regions against a naive loop over windows, one at a time."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ft_s2a.errors import (
    ConfigError,
    ContigError,
    FtS2aError,
    GeometryError,
    OutputExistsError,
    TrackError,
)
from ft_s2a.genome import BigWig, Genome
from ft_s2a.geometry import Interval
from ft_s2a.prediction import genome_wide, predict_codes, predict_tracks
from ft_s2a.tracks import read_files

COMPLEMENT = np.array([3, 2, 1, 0, 4], dtype=np.uint8)


def sequence(toy: SimpleNamespace, chrom: str, start: int, end: int) -> NDArray[np.uint8]:
    size = toy.sizes[chrom]
    padded = np.full(end - start, 4, dtype=np.uint8)
    left, right = max(0, start), min(size, end)
    padded[left - start : right - start] = toy.codes[chrom][left:right]
    return padded


def naive(
    toy: SimpleNamespace, model: Any, chrom: str, start: int, end: int
) -> NDArray[np.float64]:
    """Per-base prediction of a region in target units, window by window, both strands."""
    bases = []
    for left in range(start, end, 24 * 16):
        codes = sequence(toy, chrom, left - 64, left + 448)
        strands = []
        for oriented in (codes, COMPLEMENT[codes[::-1]]):
            rows = np.concatenate([np.eye(4), np.zeros((1, 4))])[oriented].astype(np.float32)
            with torch.no_grad():
                strands.append(model.network(torch.from_numpy(rows[None]), "tracks")[0].numpy())
        mean = (strands[0] + strands[1][::-1][:, [0, 2, 1, 3, 5, 4]]) / 2
        bases.append(np.repeat(mean, 16, axis=0))
    return np.concatenate(bases)[: end - start].astype(np.float64)


def observed(target: NDArray[np.float64], spans: NDArray[Any]) -> NDArray[np.float64]:
    """Signal per base, by the definition of each track of the model."""
    values = target.copy()
    values[:, 1:3] = target[:, 1:3] ** 2 / 2
    values[:, 3] = np.minimum(np.expm1(target[:, 3]), 2.0) / 0.5 / spans
    return values


def read(folder: Path, chrom: str, start: int, end: int) -> NDArray[np.float32]:
    names = ["plain", "x.fwd", "x.rev", "total", "y.rev", "y.fwd"]
    return np.stack(
        [BigWig(folder / f"toy-random.{name}.bw").values(chrom, start, end) for name in names],
        axis=1,
    )


def test_the_whole_genome_by_default(toy: SimpleNamespace, model: Any, tmp_path: Path) -> None:
    frame = predict_tracks(model, toy.fasta, out_dir=tmp_path / "out")
    for chrom, size in toy.sizes.items():
        target = naive(toy, model, chrom, 0, size)
        spans = np.minimum(16, size - np.arange(size) // 16 * 16)
        expected = observed(target, spans)
        np.testing.assert_allclose(
            read(tmp_path / "out", chrom, 0, size), expected, rtol=2e-4, atol=1e-6
        )
    assert spans[-1] == 5  # III ends inside a bin
    assert (expected[:, 3] == 4 / 16).any()  # the clip was reached
    assert (expected[:, 3] < 4 / 16).any()
    with BigWig(tmp_path / "out" / "toy-random.plain.bw") as file:
        assert file.sizes == toy.sizes
    assert {p.name for p in (tmp_path / "out").iterdir()} == {*frame["file"], "files.tsv"}


def test_files_tsv_says_what_is_what(toy: SimpleNamespace, model: Any, tmp_path: Path) -> None:
    frame = predict_tracks(
        model, toy.fasta, [Interval("II", 0, 400)], out_dir=tmp_path, tracks="x.*,plain"
    )
    with open(tmp_path / "files.tsv", newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    assert frame.to_dict(orient="records") == rows
    assert [row["track"] for row in rows] == ["plain", "x.fwd", "x.rev"]
    assert rows[1] == {
        "file": "toy-random.x.fwd.bw", "track": "x.fwd", "head": "tracks", "assay": "",
        "cell_type": "", "units": "", "color": "#4477aa", "grid": "16", "entry": "toy/random",
        "version": "1.0", "kind": "predicted", "strand_pair": "x.rev",
    }  # fmt: skip
    assert [file.track for file in read_files(tmp_path)] == ["plain", "x.fwd", "x.rev"]
    assert rows[0]["units"] == "counts"


def test_regions_have_their_own_grids_and_gaps_stay_gaps(
    toy: SimpleNamespace, model: Any, tmp_path: Path
) -> None:
    regions = [("II", 8_900, 9_000), ("I", 1_003, 1_900), ("I", 5_000, 5_001)]
    predict_tracks(model, toy.fasta, [Interval(*r) for r in regions], out_dir=tmp_path)
    for chrom, start, end in regions:
        stop = min(start + -(-(end - start) // 16) * 16, toy.sizes[chrom])
        target = naive(toy, model, chrom, start, stop)
        spans = np.minimum(16, stop - (start + np.arange(stop - start) // 16 * 16))
        found = read(tmp_path, chrom, start, stop)
        np.testing.assert_allclose(found, observed(target, spans), rtol=2e-4, atol=1e-6)
        assert np.isnan(read(tmp_path, chrom, start - 1, start)).all()
        assert np.isnan(read(tmp_path, chrom, stop, stop + 1)).all()
    assert np.isnan(read(tmp_path, "III", 0, 6_005)).all()


def test_one_window_around_each_centre(toy: SimpleNamespace, model: Any, tmp_path: Path) -> None:
    predict_tracks(
        model, toy.fasta, [Interval("I", 3_000, 3_001), Interval("I", 9_000, 9_100)],
        out_dir=tmp_path, centre=True,
    )  # fmt: skip
    for centre in (3_000, 9_050):
        start = centre - 12 * 16
        expected = naive(toy, model, "I", start, start + 384)
        found = read(tmp_path, "I", start, start + 384)
        np.testing.assert_allclose(found[:, 0], expected[:, 0], rtol=2e-4)
        assert np.isnan(read(tmp_path, "I", start - 1, start)).all()
        assert np.isnan(read(tmp_path, "I", start + 384, start + 385)).all()


@pytest.mark.parametrize("options", [{"batch_size": 1}, {"batch_size": 1000}, {"tracks": "x.rev"}])
def test_batches_and_subsets_change_nothing(
    toy: SimpleNamespace, model: Any, tmp_path: Path, options: dict[str, Any]
) -> None:
    region = [Interval("I", 0, 5_000)]
    predict_tracks(model, toy.fasta, region, out_dir=tmp_path / "a")
    predict_tracks(model, Genome(toy.fasta), region, out_dir=tmp_path / "b", **options)
    one, other = (
        BigWig(tmp_path / name / "toy-random.x.rev.bw").values("I", 0, 5_000) for name in "ab"
    )
    np.testing.assert_allclose(one, other, rtol=1e-5)


def test_many_windows_are_written_in_parts(
    toy: SimpleNamespace, model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict_tracks(model, toy.fasta, out_dir=tmp_path / "a")
    monkeypatch.setattr(genome_wide, "_WRITE_WINDOWS", 3)
    predict_tracks(model, toy.fasta, out_dir=tmp_path / "b")
    for chrom, size in toy.sizes.items():
        np.testing.assert_array_equal(
            read(tmp_path / "a", chrom, 0, size), read(tmp_path / "b", chrom, 0, size)
        )


def stop_at(monkeypatch: pytest.MonkeyPatch, call: int, error: type[BaseException]) -> None:
    calls = []

    def stop(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == call:
            raise error
        return predict_codes(*args, **kwargs)

    monkeypatch.setattr(genome_wide, "predict_codes", stop)


@pytest.fixture
def predict(toy: SimpleNamespace, model: Any, tmp_path: Path) -> Callable[..., Any]:
    def predict(name: str = "out", regions: Any = None, **options: Any) -> Any:
        regions = [Interval("I", 100, 9_000)] if regions is None else regions
        settings = {"batch_size": 4, **options}
        return predict_tracks(model, toy.fasta, regions, out_dir=tmp_path / name, **settings)

    return predict


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_prediction_goes_on_to_the_same_files(
    predict: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Any
) -> None:
    predict("whole")
    with monkeypatch.context() as patch:
        stop_at(patch, 4, error)
        with pytest.raises(error):
            predict()
    assert [p.name for p in (tmp_path / "out").iterdir()] == [".predicting"]
    calls = []

    def count(*args: Any, **kwargs: Any) -> Any:
        calls.append(len(args[1]))
        return predict_codes(*args, **kwargs)

    monkeypatch.setattr(genome_wide, "predict_codes", count)
    predict(resume=True)
    assert sum(calls) == 24 - 3 * 4  # three batches were kept
    for path in (tmp_path / "whole").iterdir():
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()
    assert not (tmp_path / "out" / ".predicting").exists()


def test_a_killed_prediction_goes_on_from_the_last_flush(
    predict: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after kill -9: windows were written behind the last state, the last of them half."""
    predict("whole")
    with monkeypatch.context() as patch:
        patch.setattr(genome_wide, "_FLUSH_SECONDS", 0.0)
        stop_at(patch, 4, KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            predict()
    with open(tmp_path / "out" / ".predicting" / "windows.f32", "ab") as file:
        file.write(b"half a window")
    predict(resume=True)
    for path in (tmp_path / "whole").iterdir():
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()


def test_an_interruption_while_bigwigs_are_written_goes_on(
    predict: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict("whole")
    real, calls = genome_wide.write_bigwig, []

    def write(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(genome_wide, "write_bigwig", write)
        with pytest.raises(KeyboardInterrupt):
            predict()
    with monkeypatch.context() as patch:
        stop_at(patch, 1, AssertionError)  # nothing is predicted again
        predict(resume=True)
    for path in (tmp_path / "whole").iterdir():
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()


def test_nothing_is_left_when_no_window_was_done(
    predict: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there").mkdir()
    for name in ("out", "there"):
        with monkeypatch.context() as patch:
            stop_at(patch, 1, KeyboardInterrupt)
            with pytest.raises(KeyboardInterrupt):
                predict(name)
    assert not (tmp_path / "out").exists()
    assert not list((tmp_path / "there").iterdir())


def test_another_prediction_is_not_resumed(
    toy: SimpleNamespace, model: Any, predict: Callable[..., Any], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with monkeypatch.context() as patch:
        stop_at(patch, 3, KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            predict()
    for options in (
        {"regions": [Interval("I", 101, 9_000)]},
        {"tracks": "x.*"},
        {"ensemble": "none"},
        {"shifts": (0, 1)},
        {"centre": True},
    ):
        with pytest.raises(ConfigError, match="started with other regions, tracks or weights"):
            predict(resume=True, **options)
    with torch.no_grad():
        bias = model.network.heads["tracks"].linear.bias
        before = bias.clone()
        bias[0] += 1  # the run was trained anew
        with pytest.raises(ConfigError, match="other regions, tracks or weights"):
            predict(resume=True)
        bias.copy_(before)
    with pytest.raises(OutputExistsError, match="holds an interrupted prediction"):
        predict()
    state = tmp_path / "out" / ".predicting" / "state.json"
    text = state.read_text()
    for damage in ("{", "[]", text.replace('"done": 8', '"done": 80'), '{"key": 1}'):
        state.write_text(damage)
        with pytest.raises(FtS2aError):
            predict(resume=True)
    state.write_text(text)
    predict(resume=True)
    with pytest.raises(FtS2aError, match="holds no interrupted prediction; predict without"):
        predict(resume=True)
    predict(overwrite=True)


def test_existing_files_are_kept(predict: Callable[..., Any], tmp_path: Path) -> None:
    predict()
    before = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    with pytest.raises(OutputExistsError, match=r"files\.tsv: the output exists already"):
        predict()
    (tmp_path / "out" / "files.tsv").unlink()
    with pytest.raises(OutputExistsError, match=r"plain\.bw: the output exists already"):
        predict()
    with pytest.raises(FtS2aError, match="exclude each other"):
        predict(resume=True, overwrite=True)
    for name, content in before.items():
        if name != "files.tsv":
            assert (tmp_path / "out" / name).read_bytes() == content
    predict(regions=[Interval("II", 0, 100)], overwrite=True)
    assert np.isnan(read(tmp_path / "out", "I", 100, 9_000)).all()


def test_other_files_in_the_folder_are_left_alone(
    predict: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    predict()
    predict(overwrite=True)
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"regions": []}, GeometryError, "no region to predict"),
        ({"regions": [Interval("I", 0, 24_001)]}, ContigError, "reaches past 'I'"),
        ({"regions": [Interval("chrI", 0, 10)]}, ContigError, "calls it 'I'"),
        ({"head": "mouse"}, ConfigError, "no head 'mouse'"),
        ({"tracks": "zz*"}, TrackError, "no track matches 'zz*'"),
        ({"batch_size": 0}, ConfigError, "batch_size is 0"),
        ({"ensemble": "RC"}, ConfigError, "ensemble is 'RC'"),
        ({"shifts": (512,)}, GeometryError, "at most 511 bp"),
    ],
)
def test_what_cannot_be_predicted_leaves_nothing(
    predict: Callable[..., Any], tmp_path: Path, options: dict[str, Any], kind: Any, message: str
) -> None:
    with pytest.raises(kind) as caught:
        predict(**options)
    assert message in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_file_in_the_place_of_the_folder(predict: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(FtS2aError, match="is a file; expected a folder"):
        predict(overwrite=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written(predict: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir(mode=0o500)
    with pytest.raises(FtS2aError, match="cannot be written to"):
        predict()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_told(
    predict: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ft_s2a.prediction.store import PredictionStore

    real = PredictionStore.append

    def append(self: PredictionStore, predicted: Any) -> None:
        if self.done == 8:
            full = open("/dev/full", "wb", buffering=0)  # noqa: SIM115
            self._handle, old = full, self._handle
            assert old is not None
            old.close()
        real(self, predicted)

    with monkeypatch.context() as patch:
        patch.setattr(genome_wide, "_FLUSH_SECONDS", 0.0)
        patch.setattr(PredictionStore, "append", append)
        with pytest.raises(
            FtS2aError, match=r"cannot be written \(No space left on device\).*room"
        ):
            predict()
    predict(resume=True)


def test_memory_does_not_grow_with_the_windows(
    toy: SimpleNamespace, model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Predictions and written values are in memory a batch, or some windows, at a time."""
    largest = {"predicted": 0, "written": 0}
    real = genome_wide.bins_to_observed

    def convert(values: Any, *args: Any, **kwargs: Any) -> Any:
        largest["written"] = max(largest["written"], values.size)
        return real(values, *args, **kwargs)

    def measure(*args: Any, **kwargs: Any) -> Any:
        result = predict_codes(*args, **kwargs)
        largest["predicted"] = max(largest["predicted"], len(result))
        return result

    monkeypatch.setattr(genome_wide, "bins_to_observed", convert)
    monkeypatch.setattr(genome_wide, "predict_codes", measure)
    monkeypatch.setattr(genome_wide, "_WRITE_WINDOWS", 5)
    predict_tracks(model, toy.fasta, out_dir=tmp_path, batch_size=7)
    assert largest == {"predicted": 7, "written": 5 * 24}
