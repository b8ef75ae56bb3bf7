from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from ft_s2a.entries import Entry
from ft_s2a.errors import ContigError, FormatError, FtS2aError, OutputExistsError, TrackError
from ft_s2a.genome import BigWig
from ft_s2a.tracks import read_files
from ft_s2a.zoo import bigwigs, write_bigwigs

SIZES = {"I": 4000, "II": 2500}
Row = tuple[str, int, int, str]
Write = Callable[..., tuple[Path, NDArray[np.float32]]]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write an HDF5 file as Kipoi does."""

    def make(rows: list[Row], shape: tuple[int, int] = (8, 5)) -> tuple[Path, NDArray[np.float32]]:
        rng = np.random.default_rng(2)
        preds = rng.uniform(0.1, 5.0, (len(rows), *shape)).astype(np.float32)
        path = tmp_path / "p.h5"
        columns = list(zip(*rows, strict=True))
        with h5py.File(path, "w") as file:
            file["preds"] = preds
            text = h5py.string_dtype()
            for key, column in zip(("chr", "start", "end", "strand"), columns, strict=True):
                kind: Any = text if isinstance(column[0], str) else np.int64
                file.create_dataset(f"metadata/ranges/{key}", data=column, dtype=kind)
        return path, preds

    return make


def values(folder: Path, track: str, chrom: str, start: int, end: int) -> NDArray[np.float32]:
    with BigWig(folder / f"toy-small.{track}.bw") as file:
        return file.values(chrom, start, end)


def test_values_are_observed_units_at_their_places(
    entry: Entry, write: Write, tmp_path: Path
) -> None:
    # Neither in genome order nor on one grid.
    rows = [("II", 1024, 2048, "*"), ("I", 100, 356, "*"), ("II", 2048, 2500, "*")]
    path, preds = write(rows)
    out = tmp_path / "out"
    table = write_bigwigs(path, entry, SIZES, out)
    assert table["track"].tolist() == ["atac", "rna.fwd", "dnase.fwd", "rna.rev", "dnase.rev"]
    # atac: sqrt of twice the mean, so its inverse is y^2 / 2
    expected = np.repeat(preds[0, :, 0].astype(np.float64) ** 2 / 2, 128)
    np.testing.assert_allclose(values(out, "atac", "II", 1024, 2048), expected, rtol=1e-6)
    # rna: a sum over the bin, so each base has 1/128 of it; surplus bins are dropped
    expected = np.repeat(preds[1, :2, 1].astype(np.float64) / 128, 128)
    np.testing.assert_allclose(values(out, "rna.fwd", "I", 100, 356), expected, rtol=1e-6)
    assert np.isnan(values(out, "rna.fwd", "I", 356, 4000)).all()
    assert np.isnan(values(out, "rna.fwd", "I", 0, 100)).all()
    # dnase: as it is; the contig's last bin has 452 - 3 * 128 = 68 bp
    expected = np.repeat(preds[2, :4, 4], [128, 128, 128, 68])
    np.testing.assert_allclose(values(out, "dnase.rev", "II", 2048, 2500), expected, rtol=1e-6)


def test_minus_rows_are_turned_back(entry: Entry, write: Write, tmp_path: Path) -> None:
    path, preds = write([("I", 1000, 2024, "-"), ("II", 2048, 2500, "-")])
    write_bigwigs(path, entry, SIZES, tmp_path / "out")
    expected = np.repeat(preds[0, ::-1, 2], 128)
    np.testing.assert_allclose(
        values(tmp_path / "out", "dnase.rev", "I", 1000, 2024), expected, rtol=1e-6
    )
    # The surplus of a minus row comes first in its own direction; the contig's last bin has 68 bp.
    expected = np.repeat(preds[1, [7, 6, 5, 4], 3] / [128, 128, 128, 68], [128, 128, 128, 68])
    np.testing.assert_allclose(
        values(tmp_path / "out", "rna.fwd", "II", 2048, 2500), expected, rtol=1e-6
    )


def test_files_tsv(entry: Entry, write: Write, tmp_path: Path) -> None:
    path, _ = write([("I", 0, 1024, "*")])
    out = tmp_path / "out"
    write_bigwigs(path, entry, SIZES, out, tracks="atac,rna.*")
    files = read_files(out)
    assert [f.track for f in files] == ["atac", "rna.fwd", "rna.rev"]
    first = files[0]
    assert (first.entry, first.version, first.kind) == ("toy/small", "0.1.0", "predicted")
    assert (first.grid, first.units, first.color, first.head) == (128, "CPM", "#aa0000", "dna")
    assert files[1].strand_pair == "rna.rev"
    assert sorted(p.name for p in out.iterdir()) == [
        "files.tsv",
        "toy-small.atac.bw",
        "toy-small.rna.fwd.bw",
        "toy-small.rna.rev.bw",
    ]


def test_tracks_in_groups_give_the_same(
    entry: Entry, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = write([("I", 0, 1024, "*"), ("II", 0, 1024, "*")])
    write_bigwigs(path, entry, SIZES, tmp_path / "one")
    monkeypatch.setattr(bigwigs, "_GROUP_BYTES", 2 * 16 * 4)  # two tracks at once
    write_bigwigs(path, entry, SIZES, tmp_path / "two")
    for track in ("atac", "rna.rev", "dnase.rev"):
        np.testing.assert_array_equal(
            values(tmp_path / "one", track, "I", 0, 1024),
            values(tmp_path / "two", track, "I", 0, 1024),
        )


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("I", 0, 1024, "*"), ("I", 1000, 2024, "*")], r"predictions 0 .* and 1 .* overlap"),
        ([("I", 3900, 4100, "*")], "4,000 bp of the contig"),
        ([("I", -10, 1000, "*")], "the range I:-10-1000"),
        ([("I", 0, 1025, "*")], "at most 1024 bp"),
        ([("chrI", 0, 1024, "*")], "chrI"),
    ],
)
def test_wrong_ranges(
    entry: Entry, write: Write, tmp_path: Path, rows: list[Row], message: str
) -> None:
    path, _ = write(rows)
    with pytest.raises(ContigError, match=message):
        write_bigwigs(path, entry, SIZES, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_files_of_another_kind(entry: Entry, write: Write, tmp_path: Path) -> None:
    path, _ = write([("I", 0, 1024, "*")], (8, 4))
    with pytest.raises(FormatError, match="8 bins and 4 tracks; expected 8 bins and 5 tracks"):
        write_bigwigs(path, entry, SIZES, tmp_path / "out")
    with h5py.File(path, "w") as file:
        file["preds"] = np.zeros((1, 8, 5), dtype=np.float32)
    with pytest.raises(FormatError, match="with -m"):
        write_bigwigs(path, entry, SIZES, tmp_path / "out")
    with h5py.File(path, "w") as file:
        file["preds/human"] = np.zeros((1, 8, 5), dtype=np.float32)
    with pytest.raises(FormatError, match="no array `preds`"):
        write_bigwigs(path, entry, SIZES, tmp_path / "out")
    path.write_text("chr\tstart\n")
    with pytest.raises(FormatError, match="not a complete HDF5 file"):
        write_bigwigs(path, entry, SIZES, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_existing_files_are_kept(entry: Entry, write: Write, tmp_path: Path) -> None:
    path, _ = write([("I", 0, 1024, "*")])
    out = tmp_path / "out"
    write_bigwigs(path, entry, SIZES, out, tracks="atac")
    with pytest.raises(OutputExistsError, match="--overwrite"):
        write_bigwigs(path, entry, SIZES, out, tracks="atac")
    write_bigwigs(path, entry, SIZES, out, tracks="atac", overwrite=True)
    with pytest.raises(TrackError, match="did you mean 'atac'"):
        write_bigwigs(path, entry, SIZES, tmp_path / "other", tracks="atak")
    with pytest.raises(FtS2aError, match="no such"):
        write_bigwigs(path, entry, tmp_path / "sizes", tmp_path / "other")
