"""Building a set: targets against an independent computation, errors, what is left behind."""

from __future__ import annotations

import json
import logging
import math
import weakref
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ft_s2a.data import TrackDataset, from_bigwigs
from ft_s2a.errors import (
    ContigError,
    DataError,
    FtS2aError,
    GeometryError,
    OutputExistsError,
    TrackError,
)
from ft_s2a.genome import write_bigwig
from ft_s2a.tracks import Track, TrackTable

SPLIT = "test=III,valid=II,train=rest"
SMALL = {"bin_size": 16, "input_length": 1024, "crop_bins": 4}
Build = Callable[..., TrackDataset]


@pytest.fixture
def build(toy: SimpleNamespace, tmp_path: Path) -> Build:
    def build(tracks: Any = None, name: str = "set.zarr", **options: Any) -> TrackDataset:
        settings = {"split": SPLIT, **SMALL, **options}
        return from_bigwigs(
            toy.fasta, toy.tracks if tracks is None else tracks, tmp_path / name, **settings
        )

    return build


def table(toy: SimpleNamespace, **columns: Any) -> TrackTable:
    return TrackTable((Track("gc", file=str(toy.folder / "gc.bw"), **columns),))


def pooled(signal: NDArray[np.float64], start: int, bins: int, stat: str) -> NDArray[np.float64]:
    """Pool bins of 16 bases of a contig's signal; bins wholly past its ends are NaN."""
    values = []
    for left in range(start, start + bins * 16, 16):
        bases = signal[max(0, left) : max(0, left + 16)]
        values.append(getattr(np, stat)(bases) if len(bases) else np.nan)
    return np.array(values)


def all_targets(data: TrackDataset) -> NDArray[np.float64]:
    return np.stack([data.targets(i) for i in range(len(data))]).astype(np.float64)


def expected(toy: SimpleNamespace, data: TrackDataset, track: str, stat: str) -> NDArray[Any]:
    bins = data.header.target_bins
    return np.stack(
        [
            pooled(toy.signal[track][chrom], start, bins, stat)
            for chrom, start in data.windows[["chrom", "start"]].itertuples(index=False)
        ]
    )


def test_targets_are_scaled_and_squashed_pooled_bases(toy: SimpleNamespace, build: Build) -> None:
    data = build(dtype="float32")
    found = all_targets(data)
    train = (data.windows["split"] == "train").to_numpy()
    assert np.isnan(found).any()  # III ends inside a window
    both = [expected(toy, data, name, "mean")[train] for name in ("w.fwd", "w.rev")]
    for column, track in enumerate(data.tracks):
        raw = expected(toy, data, track.name, "mean")
        if track.name == "gc":
            wanted = 2 * raw
        else:
            assert track.scale == pytest.approx(1 / np.nanmean(both), rel=1e-9)
            wanted = np.sqrt(raw * track.scale)
        np.testing.assert_allclose(found[:, :, column], wanted, rtol=2e-6, atol=1e-9)


@pytest.mark.parametrize("stat", ["mean", "sum"])
def test_random_windows_that_hang_over_contig_ends(
    toy: SimpleNamespace, build: Build, stat: str
) -> None:
    data = build(
        table(toy, sum_stat=stat), split="train=III", train_starts="random", coverage=8,
        dtype="float32",
    )  # fmt: skip
    starts = data.windows["start"]
    assert starts.min() < -16
    assert starts.max() + 56 * 16 > 6_005 + 16
    np.testing.assert_allclose(
        all_targets(data)[:, :, 0], expected(toy, data, "gc", stat), rtol=1e-6
    )
    index = int(starts.argmin())
    codes, _ = data[index]
    before = 64 - int(starts[index])
    assert (codes[:before] == 4).all()
    np.testing.assert_array_equal(codes[before:], toy.codes["III"][: 1024 - before])


def test_the_auto_scale_of_a_sum_is_one_over_the_mean_sum(
    toy: SimpleNamespace, build: Build
) -> None:
    data = build(table(toy, sum_stat="sum", scale=math.nan), dtype="float32")
    raw = expected(toy, data, "gc", "sum")
    train = (data.windows["split"] == "train").to_numpy()
    (track,) = data.tracks
    assert track.scale == pytest.approx(1 / np.nanmean(raw[train]), rel=1e-9)
    assert data.header.statistics[0].mean == pytest.approx(1, rel=1e-6)


def test_strand_partners_get_one_auto_scale(toy: SimpleNamespace, build: Build) -> None:
    file = str(toy.folder / "gc.bw")
    tracks = (
        Track("a.fwd", file=file, sum_stat="sum", scale=math.nan, strand_pair="a.rev"),
        Track("a.rev", file=str(toy.folder / "w.fwd.bw"), sum_stat="sum", scale=math.nan,
              strand_pair="a.fwd"),
        Track("alone", file=file, sum_stat="sum", scale=math.nan),
    )  # fmt: skip
    data = build(TrackTable(tracks), dtype="float32")
    train = (data.windows["split"] == "train").to_numpy()
    gc = expected(toy, data, "gc", "sum")[train]
    other = expected(toy, data, "w.fwd", "sum")[train]
    forward, reverse, alone = (track.scale for track in data.tracks)
    assert forward == reverse == pytest.approx(2 / (np.nanmean(gc) + np.nanmean(other)), rel=1e-9)
    assert alone == pytest.approx(1 / np.nanmean(gc), rel=1e-9)


def test_clip_soft_clip_and_every_squash(toy: SimpleNamespace, build: Build) -> None:
    file = str(toy.folder / "gc.bw")
    tracks = [
        Track("clip", file=file, sum_stat="sum", clip=8.5),
        Track("soft", file=file, sum_stat="sum", scale=3, clip_soft=22.0),
        Track("both", file=file, sum_stat="sum", clip=8.5, clip_soft=6.0, squash="pow0.75"),
        Track("log", file=file, scale=0.5, squash="log1p"),
    ]
    data = build(TrackTable(tuple(tracks)), dtype="float32")
    found = all_targets(data)
    total = expected(toy, data, "gc", "sum")
    clipped = np.minimum(total, 8.5)

    def soft(y: NDArray[Any], c: float) -> NDArray[Any]:
        return np.where(y > c, c - 1 + np.sqrt(np.maximum(y - c, 0) + 1), y)

    wanted = [
        clipped,
        soft(3 * total, 22.0),
        (1 + soft(clipped, 6.0)) ** 0.75 - 1,
        np.log1p(0.5 * expected(toy, data, "gc", "mean")),
    ]
    assert (total > 8.5).any()
    assert (total < 6).any()
    for column, values in enumerate(wanted):
        np.testing.assert_allclose(found[:, :, column], values, rtol=1e-6)


def test_missing_bases_are_zero_or_left_out(toy: SimpleNamespace, tmp_path: Path) -> None:
    signal = np.full(toy.sizes["I"] // 4, 2.0)
    signal[250:260] = np.nan  # bases 1000-1040
    file = write_bigwig(tmp_path / "gap.bw", toy.sizes, [("I", 0, signal)], bin_size=4)
    tracks = [Track("zero", file=str(file)), Track("nan", file=str(file), missing="nan")]
    data = from_bigwigs(
        toy.fasta, TrackTable(tuple(tracks)), tmp_path / "s.zarr", split="train=I", **SMALL
    )
    row = data.windows.index[data.windows["start"] <= 1000][-1]
    start = int(data.windows["start"][row])
    zero, nan = data.targets(int(row)).T.astype(np.float64)
    bins = {left: (left - start) // 16 for left in (992, 1008, 1024, 1040)}
    assert zero[bins[992]] == 1.0  # half of its 16 bases are missing
    assert nan[bins[992]] == 2.0
    assert zero[bins[1008]] == 0.0
    assert np.isnan(nan[bins[1008]])
    assert zero[bins[1040]] == nan[bins[1040]] == 2.0


def test_statistics_are_those_of_the_stored_training_bins(build: Build) -> None:
    data = build()
    train = (data.windows["split"] == "train").to_numpy()
    values = all_targets(data)[train].reshape(-1, 3)
    for column, found in enumerate(data.header.statistics):
        y = values[:, column][~np.isnan(values[:, column])]
        mean = y.mean()
        y_log = np.where(y > 0, y * np.log(np.where(y > 0, y, 1) / mean), 0)
        assert found.bins == len(y)
        assert found.mean == pytest.approx(mean, rel=1e-9)
        assert found.maximum == y.max()
        assert found.null_deviance == pytest.approx(2 * np.mean(y_log - (y - mean)), rel=1e-9)


def test_float16_rounds_and_float32_keeps(build: Build) -> None:
    half, full = build(dtype="float16"), build(dtype="float32", name="b.zarr")
    assert half.targets(0).dtype == np.float16
    assert full.targets(0).dtype == np.float32
    np.testing.assert_array_equal(
        np.stack([full.targets(i) for i in range(len(full))]).astype(np.float16), all_targets(half)
    )


@pytest.mark.parametrize(
    ("assay", "dtype"),
    [("", "float16"), ("ATAC", "float16"), ("RNA", "float32"), ("snRNA-seq", "float32")],
)
def test_rna_is_kept_in_float32_by_default(
    toy: SimpleNamespace, build: Build, assay: str, dtype: str
) -> None:
    assert build(table(toy, assay=assay)).header.dtype == dtype


def test_values_too_small_for_float16_are_told(
    toy: SimpleNamespace, build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="ft_s2a"):
        build(table(toy, scale=1e-6))
        assert "track 'gc' is at most" in caplog.text
        caplog.clear()
        build(table(toy, scale=1e-6), name="b.zarr", dtype="float32")
        build(name="c.zarr")
    assert "at most" not in caplog.text


@pytest.mark.parametrize("squash", ["none", "sqrt"])
def test_negative_values_name_the_track_and_the_place(
    toy: SimpleNamespace, build: Build, tmp_path: Path, squash: str
) -> None:
    signal = np.ones(toy.sizes["I"] // 4)
    signal[500:510] = -3.0  # from base 2000
    write_bigwig(tmp_path / "n.bw", toy.sizes, [("I", 0, signal)], bin_size=4)
    tracks = TrackTable((Track("signed", file=str(tmp_path / "n.bw"), squash=squash),))
    with pytest.raises(DataError) as caught:
        build(tracks, split="train=I")
    assert "n.bw: track 'signed' is negative (-3) at I:1792-2688, bin 13" in str(caught.value)
    assert not (tmp_path / "set.zarr").exists()


def test_values_beyond_float16_name_the_track_and_the_remedy(
    toy: SimpleNamespace, build: Build, tmp_path: Path
) -> None:
    signal = np.ones(toy.sizes["I"] // 4)
    signal[500:510] = 7e4
    write_bigwig(tmp_path / "h.bw", toy.sizes, [("I", 0, signal)], bin_size=4)
    tracks = TrackTable((Track("high", file=str(tmp_path / "h.bw")),))
    with pytest.raises(DataError, match=r"'high' is too large for float16 \(70000\).*--dtype"):
        build(tracks, split="train=I")
    assert build(tracks, split="train=I", dtype="float32").header.statistics[0].maximum == 7e4
    clipped = tracks.replace([Track("high", file=tracks[0].file, clip=100.0)])
    assert build(clipped, split="train=I", name="c.zarr").header.statistics[0].maximum == 100


def test_a_track_without_signal_cannot_be_scaled(
    toy: SimpleNamespace, build: Build, tmp_path: Path
) -> None:
    write_bigwig(tmp_path / "z.bw", toy.sizes, [("I", 0, np.zeros(100))], bin_size=4)
    tracks = TrackTable((Track("flat", file=str(tmp_path / "z.bw"), scale=math.nan),))
    with pytest.raises(DataError, match=r"z\.bw: track 'flat' is zero over the training windows"):
        build(tracks)
    with pytest.raises(DataError, match="needs a train split"):
        build(tracks, split="test=I")


def test_a_bigwig_of_another_assembly_is_named(
    toy: SimpleNamespace, build: Build, tmp_path: Path
) -> None:
    sizes = {**toy.sizes, "II": 9_001}
    write_bigwig(tmp_path / "o.bw", sizes, [("I", 0, np.ones(9))], bin_size=4)
    tracks = TrackTable((Track("a", file=str(tmp_path / "o.bw")),))
    with pytest.raises(ContigError, match=r"o\.bw: contig 'II' is 9,001 bp long, but 9,000 bp in"):
        build(tracks)
    build(tracks, split="train=I")  # contigs that are not used do not matter
    renamed = {f"chr{name}": size for name, size in toy.sizes.items()}
    write_bigwig(tmp_path / "r.bw", renamed, [("chrI", 0, np.ones(9))], bin_size=4)
    with pytest.raises(ContigError, match="calls it 'chrI'"):
        build(TrackTable((Track("a", file=str(tmp_path / "r.bw")),)), name="b.zarr")


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"input_length": 500}, GeometryError, "not a multiple of bin size 16; use 496 or 512"),
        ({"bin_size": 0}, GeometryError, "bin size 0"),
        ({"crop_bins": 32}, GeometryError, "leave none"),
        ({"seed": -1}, FtS2aError, "seed -1"),
        ({"coverage": 0.0}, FtS2aError, "coverage 0.0"),
        ({"coverage": math.nan}, FtS2aError, "coverage nan"),
        ({"split": "train=I:0-400"}, DataError, "no room for one window"),
    ],
)
def test_settings_that_do_not_fit_are_told_before_any_work(
    build: Build, tmp_path: Path, options: dict[str, Any], kind: type[FtS2aError], message: str
) -> None:
    with pytest.raises(kind, match=message):
        build(**options)
    assert not list(tmp_path.iterdir())


def test_tables_that_no_network_can_learn_are_refused(toy: SimpleNamespace, build: Build) -> None:
    file = str(toy.folder / "gc.bw")
    for tracks, message in (
        ((Track("a", file=file, head="x"), Track("b", file=file, head="y")), "name 2 heads"),
        ((Track("a", file=file, head="x.y"),), "head 'x.y'"),
        ((Track("a"),), "'a' names no file"),
        ((Track("a", file=file, strand_pair="b"),), "strand partner 'b' of 'a' is missing"),
    ):
        with pytest.raises(TrackError, match=message):
            build(TrackTable(tracks))


def test_provenance_says_how_and_from_what(toy: SimpleNamespace, build: Build) -> None:
    header = build(train_starts="random", coverage=3, seed=5).header
    assert header.provenance["split"] == SPLIT
    assert header.provenance["files"] == {"w.fwd": "w.fwd.bw", "w.rev": "w.rev.bw", "gc": "gc.bw"}
    assert (header.provenance["seed"], header.provenance["coverage"]) == (5, 3)
    assert header.contigs["II"].length == 9_000
    assert header.splits == (
        ("III", 0, 6_005, "test"),
        ("II", 0, 9_000, "valid"),
        ("I", 0, 24_000, "train"),
    )
    import hashlib

    letters = np.frombuffer(b"ACGTN", dtype=np.uint8)[toy.codes["I"]].tobytes()
    assert header.contigs["I"].md5 == hashlib.md5(letters).hexdigest()
    document = json.loads((build(name="b.zarr").path / "zarr.json").read_text())
    assert document["attributes"]["ft_s2a"]["schema_version"] == 1  # plain JSON, no NaN


def test_equal_content_has_one_checksum_and_other_content_another(
    toy: SimpleNamespace, build: Build, tmp_path: Path
) -> None:
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for file in toy.folder.iterdir():
        if not file.name.endswith(".fai"):
            (moved / file.name).write_bytes(file.read_bytes())
    same = from_bigwigs(
        moved / "toy.fa", moved / "tracks.tsv", tmp_path / "m.zarr", split=SPLIT, **SMALL
    )
    base = build()
    assert same.checksum == base.checksum
    fewer = toy.tracks.read_text().replace("\tsqrt\t", "\tlog1p\t")
    (moved / "other.tsv").write_text(fewer)
    others = [
        build(name="1.zarr", split="valid=III,test=II,train=rest"),
        build(name="2.zarr", dtype="float32"),
        build(moved / "other.tsv", name="3.zarr"),
        build(name="4.zarr", split="train=III"),
        build(name="5.zarr", split="train=III,test=II"),
        # The same windows, but seen with more around them.
        build(name="6.zarr", split="train=III", input_length=1056, crop_bins=5),
        build(name="7.zarr", split="train=III", train_starts="random", coverage=1),
        build(name="8.zarr", split="train=III", train_starts="random", coverage=1, seed=1),
    ]
    sums = [base.checksum, *(other.checksum for other in others)]
    assert len(set(sums)) == len(sums)


def test_an_existing_set_is_kept_unless_told(build: Build, tmp_path: Path) -> None:
    first = build()
    with pytest.raises(OutputExistsError, match=r"set\.zarr: the output exists already"):
        build(dtype="float32")
    assert TrackDataset(first.path).header.dtype == "float16"
    assert build(dtype="float32", overwrite=True).header.dtype == "float32"


def test_overwriting_replaces_sets_only(build: Build, tmp_path: Path) -> None:
    folder = tmp_path / "set.zarr"
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputExistsError, match="is a folder but no training set"):
        build(overwrite=True)
    assert (folder / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_interrupted_build_leaves_nothing(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    from ft_s2a.data import statistics

    calls = []

    def stop(*_: object) -> None:
        calls.append(1)
        if len(calls) == 5:
            raise error

    monkeypatch.setattr(statistics.Statistics, "update", stop)
    with pytest.raises(error):
        build()
    assert not list(tmp_path.iterdir())


def test_more_bigwigs_than_a_process_may_hold_open(
    toy: SimpleNamespace, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ft_s2a.data import bigwigs, reading

    monkeypatch.setattr(reading, "_MOST_OPEN", 1)
    opened: set[Any] = set()
    real = bigwigs.BigWig

    class Counting(real):  # type: ignore[misc, valid-type]
        def values(self, *args: Any) -> Any:
            opened.add(self)
            assert sum(file._handle is not None for file in opened) <= 1
            result = super().values(*args)
            return result

    monkeypatch.setattr(bigwigs, "BigWig", Counting)
    assert build(name="few.zarr").checksum == build(name="many.zarr").checksum
    assert len(opened) == 6


def test_no_more_than_a_few_windows_are_in_memory(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ft_s2a.data import store

    made: list[weakref.ref[Any]] = []
    seen: list[int] = []
    real = store.as_stored

    class Watched(np.ndarray[Any, Any]):
        """An array that can be watched (plain ones cannot be referred to weakly)."""

    def watch(*args: Any) -> Any:
        values = real(*args).view(Watched)
        made.append(weakref.ref(values))
        seen.append(sum(known() is not None for known in made))
        return values

    monkeypatch.setattr(store, "as_stored", watch)
    data = build()
    assert len(seen) == len(data) > 40
    assert max(seen) <= 3
