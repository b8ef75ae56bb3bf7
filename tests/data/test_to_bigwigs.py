"""Targets written as bigWigs: observed units, overlaps once, gaps, contig ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ft_s2a.data import export_bigwigs, from_basenji, from_bigwigs, to_bigwigs
from ft_s2a.errors import ContigError, DataError, OutputExistsError, TrackError
from ft_s2a.genome import BigWig
from ft_s2a.tracks import read_files

Make = Callable[..., SimpleNamespace]
SIZES = {"chr0": 50, "chr1": 5000}


def test_values_are_per_base(published: Make, tmp_path: Path) -> None:
    """basenji2020: the mean is target / scale, the sum target / scale / 16 bp."""
    source = published()
    data = from_basenji(source.path, tmp_path / "set.zarr")
    export_bigwigs(data.path, SIZES, tmp_path / "out")
    files = read_files(tmp_path / "out")
    assert [f.file.name for f in files] == ["set.A.bw", "set.B.bw", "set.C.bw"]
    assert {f.kind for f in files} == {"observed"}
    assert {f.grid for f in files} == {16}
    assert [f.assay for f in files] == ["DNASE", "CAGE", "CHIP"]
    y = source.targets.astype(np.float64)
    wanted = [
        np.minimum(y[..., 0] / 2, 32), np.minimum(y[..., 1], 384) / 16, np.minimum(y[..., 2], 64),
    ]  # fmt: skip
    for file, values in zip(files, wanted, strict=True):
        with BigWig(file.file) as written:
            assert written.sizes == SIZES
            for index, start in enumerate(source.starts):
                found = written.values("chr1", start + 32, start + 224)
                np.testing.assert_allclose(found, np.repeat(values[index], 16), rtol=1e-6)
                gap = written.values("chr1", start + 224, start + 300 + 32)
                assert np.isnan(gap).all()


def test_a_split_and_some_tracks(published: Make, tmp_path: Path) -> None:
    source = published()
    data = from_basenji(source.path, tmp_path / "set.zarr")
    rows = export_bigwigs(data.path, SIZES, tmp_path / "out", split="test", tracks="assay=C*")
    assert rows["track"].tolist() == ["B", "C"]
    with BigWig(tmp_path / "out" / "set.C.bw") as written:
        known = np.isfinite(written.values("chr1", 0, 5000))
    assert known.sum() == 3 * 192
    assert known[source.starts[7] + 32]


def test_overlapping_windows_are_written_once(published: Make, tmp_path: Path) -> None:
    """The first by position counts; on another grid the next whole bin goes on."""
    source = published(("train",) * 4)
    starts = [1000, 1096, 1500, 1600]
    source.path.joinpath("sequences.bed").write_text(
        "".join(f"chr1\t{start}\t{start + 192}\ttrain\n" for start in starts)
    )
    data = from_basenji(source.path, tmp_path / "set.zarr")
    export_bigwigs(data.path, SIZES, tmp_path / "out", tracks="C")
    y = np.minimum(source.targets[..., 2].astype(np.float64), 64)
    wanted = np.full(5000, np.nan)
    for index, (start, skipped) in enumerate(zip(starts, (0, 6, 0, 6), strict=True)):
        first = start + 16 * skipped
        wanted[first : start + 192] = np.repeat(y[index, skipped:], 16)
    with BigWig(tmp_path / "out" / "set.C.bw") as written:
        np.testing.assert_allclose(written.values("chr1", 0, 5000), wanted, rtol=1e-6)


def test_observed_bigwigs_come_back(toy: SimpleNamespace, tmp_path: Path) -> None:
    """From bigWigs to a set and back: the means of the bins, the last one short; in groups."""
    data = from_bigwigs(
        toy.fasta, toy.tracks, tmp_path / "set.zarr", split="test=III,valid=II,train=rest",
        bin_size=16, input_length=1024, crop_bins=4, dtype="float32",
    )  # fmt: skip
    export_bigwigs(data.path, toy.fasta, tmp_path / "out")
    for track in data.tracks:
        with BigWig(tmp_path / "out" / f"set.{track.name}.bw") as written:
            assert written.sizes == toy.sizes
            for name, length in toy.sizes.items():
                bases = toy.signal[track.name][name]
                edges = np.append(np.arange(0, length, 16), length)
                counts = np.diff(edges)
                means = np.add.reduceat(bases, edges[:-1]) / counts
                found = written.values(name, 0, length)
                known = np.isfinite(found)
                assert known.mean() > 0.9
                np.testing.assert_allclose(
                    found[known], np.repeat(means, counts)[known], rtol=1e-5, atol=1e-7
                )


def test_windows_that_hang_over_contig_ends(toy: SimpleNamespace, tmp_path: Path) -> None:
    data = from_bigwigs(
        toy.fasta, toy.tracks, tmp_path / "set.zarr", split="train=III", train_starts="random",
        coverage=8, bin_size=16, input_length=1024, crop_bins=4, dtype="float32",
    )  # fmt: skip
    assert data.windows["start"].min() < 0
    export_bigwigs(data.path, toy.sizes, tmp_path / "out", tracks="gc")
    with BigWig(tmp_path / "out" / "set.gc.bw") as written:
        assert np.isfinite(written.values("III", 16, 6_005)).mean() > 0.9


def test_tracks_are_read_in_groups(
    published: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = from_basenji(published().path, tmp_path / "set.zarr")
    export_bigwigs(data.path, SIZES, tmp_path / "all")
    monkeypatch.setattr(to_bigwigs, "_GROUP_BYTES", 2 * 10 * 12 * 2)
    export_bigwigs(data.path, SIZES, tmp_path / "out")
    for path in (tmp_path / "all").glob("*.bw"):
        assert path.read_bytes() == (tmp_path / "out" / path.name).read_bytes()


def test_sizes_of_another_genome(published: Make, toy: SimpleNamespace, tmp_path: Path) -> None:
    data = from_basenji(published().path, tmp_path / "set.zarr")
    out = tmp_path / "out"
    with pytest.raises(ContigError, match=r"contig 'chr1' is not in the sizes, which calls it '1'"):
        export_bigwigs(data.path, {"1": 5000}, out)
    with pytest.raises(ContigError, match=r"a window starts at chr1:3132, behind the contig's end"):
        export_bigwigs(data.path, {"chr1": 3000}, out)
    made = from_bigwigs(
        toy.fasta, toy.tracks, tmp_path / "toy.zarr", split="train=III", bin_size=16,
        input_length=1024, crop_bins=4,
    )  # fmt: skip
    with pytest.raises(ContigError, match=r"contig 'III' is 6,005 bp long, but 6,006 bp in"):
        export_bigwigs(made.path, {**toy.sizes, "III": 6006}, out)
    assert not out.exists()


def test_wrong_choices(published: Make, tmp_path: Path) -> None:
    data = from_basenji(published(("train",) * 3).path, tmp_path / "set.zarr")
    with pytest.raises(DataError, match="the set has no test window"):
        export_bigwigs(data.path, SIZES, tmp_path / "out", split="test")
    with pytest.raises(DataError, match="unknown split 'tests'; did you mean 'test'"):
        export_bigwigs(data.path, SIZES, tmp_path / "out", split="tests")
    with pytest.raises(TrackError, match="no track matches 'D'"):
        export_bigwigs(data.path, SIZES, tmp_path / "out", tracks="D")
    export_bigwigs(data.path, SIZES, tmp_path / "out")
    with pytest.raises(OutputExistsError, match="exists already"):
        export_bigwigs(data.path, SIZES, tmp_path / "out")
    export_bigwigs(data.path, SIZES, tmp_path / "out", tracks="A", overwrite=True)
    assert len(read_files(tmp_path / "out")) == 1
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("kept")
    with pytest.raises(OutputExistsError, match=r"without files\.tsv; it is not replaced"):
        export_bigwigs(data.path, SIZES, tmp_path / "mine", overwrite=True)
