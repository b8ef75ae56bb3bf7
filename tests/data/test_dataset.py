"""Reading a set: sequence, geometry, parts, workers, and what is said when something is wrong."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import zarr
from torch.utils.data import DataLoader

from ft_s2a.data import TrackDataset, from_bigwigs
from ft_s2a.data.store import check_complete, open_store
from ft_s2a.data.summary import describe_set, summarise_splits, summarise_tracks
from ft_s2a.errors import ContigError, DataError, FormatError, MissingFileError
from ft_s2a.geometry import Geometry

GEOMETRY = Geometry(1024, 16, 4)


@pytest.fixture(scope="module")
def built(toy: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "set.zarr"
    from_bigwigs(
        toy.fasta, toy.tracks, path, split="test=III,valid=II,train=rest",
        bin_size=16, input_length=1024, crop_bins=4,
    )  # fmt: skip
    return path


@pytest.fixture
def copy(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "copy.zarr"))


def sequence(toy: SimpleNamespace, chrom: str, start: int, end: int) -> np.ndarray[Any, Any]:
    size = toy.sizes[chrom]
    padded = np.full(end - start, 4, dtype=np.uint8)
    left, right = max(0, start), min(size, end)
    padded[left - start : right - start] = toy.codes[chrom][left:right]
    return padded


def test_an_item_is_the_sequence_around_its_targets(toy: SimpleNamespace, built: Path) -> None:
    data = TrackDataset(built)
    assert data.geometry == GEOMETRY
    assert len(data) == len(data.windows)
    for index in range(0, len(data), 5):
        codes, targets = data[index]
        window = data.windows.iloc[index]
        assert window["end"] - window["start"] == 56 * 16
        assert codes.dtype == np.uint8
        expected = sequence(toy, window["chrom"], window["start"] - 64, window["end"] + 64)
        np.testing.assert_array_equal(codes, expected)
        np.testing.assert_array_equal(targets, data.targets(index))
        assert targets.shape == (56, 3)
    np.testing.assert_array_equal(data[-1][0], data[len(data) - 1][0])
    with pytest.raises(IndexError):
        data[len(data)]


def test_indices_give_the_windows_of_a_split(built: Path) -> None:
    data = TrackDataset(built)
    for split in ("train", "valid", "test"):
        assert (data.windows["split"].iloc[data.indices(split)] == split).all()
    assert sum(len(data.indices(s)) for s in ("train", "valid", "test")) == len(data)
    with pytest.raises(DataError, match="unknown split 'tests'"):
        data.indices("tests")


@pytest.mark.parametrize("bins", [56, 28, 20, 55, 1])
@pytest.mark.parametrize("crop", [4, 1, 0])
def test_parts_hold_each_bin_once_and_its_own_sequence(
    toy: SimpleNamespace, built: Path, bins: int, crop: int
) -> None:
    geometry = Geometry((bins + 2 * crop) * 16, 16, crop)
    data = TrackDataset(built, geometry=geometry)
    index = int(data.indices("valid")[2])
    stored = data.targets(index).astype(np.float64)
    assert not np.isnan(stored).any()
    window = data.windows.iloc[index]
    found: list[Any] = []
    for part in range(data.parts):
        codes, targets = data.part(index, part)
        assert targets.shape == (bins, 3)
        assert codes.shape == (geometry.input_length,)
        known = ~np.isnan(targets).any(axis=1)
        found.append(targets[known])
        # The first known bin's sequence is where the bin is.
        first = int(known.argmax())
        start = window["start"] + 16 * sum(len(kept) for kept in found[:-1])
        inside = codes[(crop + first) * 16 : (crop + first + 1) * 16]
        np.testing.assert_array_equal(inside, sequence(toy, window["chrom"], start, start + 16))
    np.testing.assert_array_equal(np.concatenate(found), stored)


@pytest.mark.parametrize(
    ("geometry", "message"),
    [
        (Geometry(1024, 32, 2), "the set has bins of 16 bp, the network of 32"),
        (Geometry(1040, 16, 4), "have 56 bins, the network predicts 57; build the set with"),
        (Geometry(320, 16, 5), "sees 80 bp on each side .* kept apart for 64 bp; .*--crop-bins 5"),
    ],
)
def test_a_network_that_does_not_fit_is_explained(
    built: Path, geometry: Geometry, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        TrackDataset(built, geometry=geometry)


def test_another_fasta_is_noticed_by_length_and_by_content(
    toy: SimpleNamespace, built: Path, tmp_path: Path
) -> None:
    text = toy.fasta.read_text()
    longer, other = tmp_path / "longer.fa", tmp_path / "other.fa"
    longer.write_text(text.rstrip("\n") + "A\n")  # III is the last
    with pytest.raises(ContigError, match=r"longer.fa: contig 'III' has 6006 bp, but 6005 bp when"):
        TrackDataset(built, fasta=longer)
    head, tail = text.split(">II ")
    other.write_text(head + ">II " + tail.replace("A", "C", 1))
    TrackDataset(built, fasta=other)  # lengths are the same
    with pytest.raises(ContigError, match=r"other.fa: the sequence of contig 'II' is not the one"):
        TrackDataset(built, fasta=other, check_sequence=True)
    case = tmp_path / "case.fa"
    names = {line.upper(): line for line in text.splitlines() if line.startswith(">")}
    upper = [names.get(line, line) for line in text.upper().splitlines()]
    case.write_text("\n".join(upper) + "\n")
    TrackDataset(built, fasta=case, check_sequence=True)


def test_a_fasta_that_is_gone_can_be_named_anew(
    toy: SimpleNamespace, copy: Path, tmp_path: Path
) -> None:
    file = copy / "zarr.json"
    document = json.loads(file.read_text())
    document["attributes"]["ft_s2a"]["fasta"] = str(tmp_path / "gone.fa")
    file.write_text(json.dumps(document))
    with pytest.raises(MissingFileError, match=r"gone.fa it was built from is gone; .*--fasta"):
        TrackDataset(copy)
    assert len(TrackDataset(copy, fasta=toy.fasta)[0][0]) == 1024


def test_a_lost_chunk_is_noticed(copy: Path) -> None:
    next(iter((copy / "targets").glob("c.*"))).unlink()
    with pytest.raises(FormatError, match=r"lacks the targets of 1 of \d+ windows; copy the whole"):
        TrackDataset(copy)


def test_a_window_of_zeros_is_no_lost_chunk(toy: SimpleNamespace, tmp_path: Path) -> None:
    from ft_s2a.genome import write_bigwig
    from ft_s2a.tracks import Track, TrackTable

    file = write_bigwig(tmp_path / "z.bw", toy.sizes, [("I", 0, np.ones(4))], bin_size=1)
    table = TrackTable((Track("a", file=str(file)),))
    data = from_bigwigs(
        toy.fasta, table, tmp_path / "z.zarr", split="train=II", bin_size=16,
        input_length=1024, crop_bins=4,
    )  # fmt: skip
    assert not np.nan_to_num(data.targets(0)).any()


def test_damaged_and_foreign_folders_are_explained(copy: Path, tmp_path: Path) -> None:
    import zarr

    with pytest.raises(MissingFileError, match="no such training set"):
        TrackDataset(tmp_path / "none.zarr")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.zarr").write_text("text")
    for path in (tmp_path / "empty", tmp_path / "file.zarr"):
        with pytest.raises(FormatError, match="is not a training set"):
            open_store(path)
    zarr.open_group(str(tmp_path / "other.zarr"), mode="w", zarr_format=3)
    with pytest.raises(FormatError, match="is not a complete training set"):
        open_store(tmp_path / "other.zarr")
    shutil.rmtree(copy / "window_start")
    with pytest.raises(FormatError, match=r"lacks an array or a list .*window_start"):
        open_store(copy)


def test_a_header_of_another_version_is_explained(copy: Path) -> None:
    file = copy / "zarr.json"
    document = json.loads(file.read_text())
    document["attributes"]["ft_s2a"]["schema_version"] = 2
    file.write_text(json.dumps(document))
    with pytest.raises(FormatError, match="header: schema_version is 2"):
        open_store(copy)


def _collate(batch: list[Any]) -> Any:
    codes, targets = zip(*batch, strict=True)
    return torch.from_numpy(np.stack(codes)), torch.from_numpy(np.stack(targets))


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on a machine of one core
def test_forked_workers_read_the_same(built: Path) -> None:
    data = TrackDataset(built)
    data[0]  # opens every file (and starts zarr's thread) in this process first
    loader = DataLoader(
        data, batch_size=8, num_workers=2, collate_fn=_collate, multiprocessing_context="fork",
        timeout=60,
    )  # fmt: skip
    _same(loader, data)


def test_spawned_workers_read_the_same(built: Path) -> None:
    data = TrackDataset(built)
    loader = DataLoader(
        torch.utils.data.Subset(data, range(8)), num_workers=1, multiprocessing_context="spawn",
        timeout=60,
    )  # fmt: skip
    _same(loader, data)


def _same(loader: DataLoader[Any], data: TrackDataset) -> None:
    codes, targets = (torch.cat(list(parts)) for parts in zip(*loader, strict=True))
    for index in range(len(codes)):
        np.testing.assert_array_equal(codes[index].numpy(), data[index][0])
        np.testing.assert_array_equal(targets[index].numpy(), data[index][1])


def test_a_pickled_set_reads_the_same(built: Path) -> None:
    data = TrackDataset(built)
    again = pickle.loads(pickle.dumps(data))
    np.testing.assert_array_equal(again[3][1], data[3][1])


def test_summaries(toy: SimpleNamespace, built: Path) -> None:
    header = open_store(built)[1]
    rows = {row["split"]: row for row in summarise_splits(built)}
    assert rows["valid"] == {
        "split": "valid", "intervals": 1, "bp": 9_000, "windows": 11, "covered": 1.0,
    }  # fmt: skip
    assert summarise_splits(TrackDataset(built)) == list(rows.values())
    tracks = summarise_tracks(header)
    assert [row["track"] for row in tracks] == ["w.fwd", "w.rev", "gc"]
    assert tracks[2]["mean"] == header.statistics[2].mean
    facts = {row["fact"]: row["value"] for row in describe_set(header)}
    assert facts["bin size"] == "16 bp"
    assert facts["checksum"] == header.checksum
    assert facts["genome"] == str(toy.fasta)


def test_the_share_of_bases_in_windows(toy: SimpleNamespace, tmp_path: Path) -> None:
    from_bigwigs(
        toy.fasta, toy.tracks, tmp_path / "s.zarr", bin_size=16, input_length=1024, crop_bins=4,
        split="train=I:1000-4000+I:9000-9900+II,valid=III:100-1200",
    )  # fmt: skip
    rows = {row["split"]: row for row in summarise_splits(tmp_path / "s.zarr")}
    # 3 windows of 896 bp between 1064 and 3936; none in 9000-9900; II whole.
    assert rows["train"]["covered"] == pytest.approx(
        (3 * 896 + 9000) / (3000 + 900 + 9000), abs=1e-4
    )
    assert rows["valid"]["covered"] == pytest.approx(896 / 1100, abs=1e-4)


def test_windows_in_folders_of_their_own_are_found(tmp_path: Path) -> None:
    # So sets were written once; the files' names are zarr's default.
    group = zarr.open_group(str(tmp_path / "set.zarr"), mode="w", zarr_format=3)
    array = group.create_array("targets", shape=(3, 4, 2), chunks=(1, 4, 2), dtype="float16")
    array[...] = 1
    check_complete(group, tmp_path / "set.zarr")
    (tmp_path / "set.zarr" / "targets" / "c" / "1" / "0" / "0").unlink()
    with pytest.raises(FormatError, match="lacks the targets of 1 of 3 windows"):
        check_complete(group, tmp_path / "set.zarr")
