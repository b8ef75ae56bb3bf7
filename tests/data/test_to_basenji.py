"""Sets written as TFRecords: read back they are the same; what the format cannot say is told."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import google_crc32c
import numpy as np
import pytest

from ft_s2a.data import TrackDataset, export_basenji, from_basenji, from_bigwigs
from ft_s2a.data.store import open_store, read_unmappable
from ft_s2a.data.tfrecord import features, read_records
from ft_s2a.errors import DataError, FtS2aError, OutputExistsError
from ft_s2a.geometry import Geometry
from ft_s2a.tracks import Track, TrackTable, to_observed
from ft_s2a.tracks.targets import stated_transform

Make = Callable[..., SimpleNamespace]
LABELS = ("train", "test", "train", "valid", "train", "test", "train")


@pytest.mark.parametrize("umap", [False, True])
def test_a_set_that_is_written_and_read_is_the_same(
    published: Make, tmp_path: Path, umap: bool
) -> None:
    data = from_basenji(published(LABELS, umap=umap).path, tmp_path / "set.zarr")
    folder = export_basenji(data, tmp_path / "out", per_file=3)
    names = {path.name for path in (folder / "tfrecords").iterdir()}
    assert names == {"train-0.tfr", "train-1.tfr", "test-0.tfr", "valid-0.tfr"}
    statistics = json.loads((folder / "statistics.json").read_text())
    assert statistics == {
        "num_targets": 3, "seq_length": 256, "seq_1hot": True, "pool_width": 16, "crop_bp": 32,
        "target_length": 12, "train_seqs": 4, "test_seqs": 2, "valid_seqs": 1,
        "transform": data.tracks[0].transform,
    }  # fmt: skip
    back = from_basenji(folder, tmp_path / "back.zarr")
    assert back.windows.equals(data.windows)
    assert back.checksum == data.checksum  # windows, targets, sequence, mask, tracks
    for index in range(len(data)):
        np.testing.assert_array_equal(back[index][0], data[index][0])
        np.testing.assert_array_equal(back[index][1], data[index][1])
    mask = read_unmappable(open_store(back.path)[0])
    assert (mask is not None) == umap


def test_records_are_framed_as_tensorflow_checks_them(published: Make, tmp_path: Path) -> None:
    source = published(("train",) * 2)
    data = from_basenji(source.path, tmp_path / "set.zarr")
    folder = export_basenji(data, tmp_path / "out")
    plain = zlib.decompress((folder / "tfrecords" / "train-0.tfr").read_bytes())
    at = 0
    for index in range(2):
        (length,) = struct.unpack_from("<Q", plain, at)
        message = plain[at + 12 : at + 12 + length]
        for start, end in ((at, at + 8), (at + 12, at + 12 + length)):
            value = google_crc32c.value(plain[start:end])
            masked = ((value >> 15 | value << 17) + 0xA282EAD8) % 2**32
            assert struct.unpack_from("<I", plain, end)[0] == masked
        found = features(message)
        assert bytes(found["sequence"]) == source.codes[index].tobytes()
        assert bytes(found["target"]) == source.targets[index].tobytes()
        at += length + 16
    assert at == len(plain)


def test_a_set_from_bigwigs(
    toy: SimpleNamespace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = from_bigwigs(
        toy.fasta, toy.tracks, tmp_path / "set.zarr", split="test=III,valid=II,train=rest",
        bin_size=16, input_length=1024, crop_bins=4,
    )  # fmt: skip
    folder = export_basenji(data, tmp_path / "out")
    assert "windows have bins without a value" in caplog.text
    back = from_basenji(folder, tmp_path / "back.zarr")
    assert back.windows[["chrom", "start", "end", "split"]].equals(data.windows)
    unknown = 0
    for index in range(len(data)):
        codes, targets = data[index]
        unknown += int(np.isnan(targets).sum())
        np.testing.assert_array_equal(back[index][0], codes)
        np.testing.assert_array_equal(back[index][1], np.nan_to_num(targets))
    assert unknown
    assert f"{unknown:,} bins are written as 0" in caplog.text


@pytest.mark.parametrize("transform", ["plain", "basenji2020", "basenji2025", "hound", "hound-old"])
def test_numbers_of_the_tracks_mean_the_same_afterwards(
    toy: SimpleNamespace, tmp_path: Path, transform: Any
) -> None:
    file = str(toy.folder / "gc.bw")
    table = TrackTable((Track("gc", file, scale=0.5, clip=0.25, transform=transform),))
    data = from_bigwigs(
        toy.fasta, table, tmp_path / "set.zarr", split="test=III,valid=II,train=rest",
        bin_size=16, input_length=1024, crop_bins=4,
    )  # fmt: skip
    folder = export_basenji(data, tmp_path / "out")
    # Windows reach past their contigs' ends, where the records hold N.
    back = from_basenji(folder, tmp_path / "back.zarr", fasta=toy.fasta)
    values = data[0][1]
    expected = to_observed(values, data.tracks, 16)
    np.testing.assert_array_equal(to_observed(values, back.tracks, 16), expected)
    np.testing.assert_array_equal(back[len(back) - 1][0], data[len(data) - 1][0])


def test_no_published_transform_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    track = Track("a", sum_stat="sum", squash="sqrt1p", clip=8.0)
    assert stated_transform(TrackTable((track,))) is None
    assert "no published transform does for all tracks ('a' is plain)" in caplog.text
    mixed = TrackTable((Track("a", transform="hound-old"), Track("b")))
    assert stated_transform(mixed) is None
    assert "'a' is hound-old, 'b' is hound" in caplog.text


def test_a_set_opened_with_fewer_bins_is_written_whole(published: Make, tmp_path: Path) -> None:
    path = from_basenji(published(umap=True).path, tmp_path / "set.zarr").path
    narrow = TrackDataset(path, geometry=Geometry(160, 16, 2))
    assert narrow.geometry.output_bins == 6
    back = from_basenji(export_basenji(narrow, tmp_path / "out"), tmp_path / "back.zarr")
    assert back.checksum == narrow.checksum


def test_what_does_not_fit_into_float16(toy: SimpleNamespace, tmp_path: Path) -> None:
    table = TrackTable((Track("gc", file=str(toy.folder / "gc.bw"), scale=1e6),))
    data = from_bigwigs(
        toy.fasta, table, tmp_path / "set.zarr", split="train=II", bin_size=16,
        input_length=1024, crop_bins=4, dtype="float32",
    )  # fmt: skip
    with pytest.raises(DataError, match=r"track 'gc' is too large for float16 .* at II:"):
        export_basenji(data, tmp_path / "out")
    assert not [path for path in tmp_path.iterdir() if "out" in path.name]


def test_outputs_are_not_replaced_unasked(published: Make, tmp_path: Path) -> None:
    data = from_basenji(published().path, tmp_path / "set.zarr")
    folder = export_basenji(data, tmp_path / "out")
    with pytest.raises(OutputExistsError, match="exists already"):
        export_basenji(data, folder)
    export_basenji(TrackDataset(data.path), folder, per_file=1, overwrite=True)
    assert len(list(read_records(folder / "tfrecords" / "train-4.tfr"))) == 1
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("kept")
    with pytest.raises(OutputExistsError, match="no data set; it is not replaced"):
        export_basenji(data, tmp_path / "mine", overwrite=True)
    with pytest.raises(FtS2aError, match="--per-file is 0"):
        export_basenji(data, tmp_path / "new", per_file=0)
