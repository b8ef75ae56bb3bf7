"""Published targets from bigWigs: against the scripts' own output, and plain float64 numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ft_s2a.data import from_bigwigs
from ft_s2a.data.published import Blacklist, read_published
from ft_s2a.data.store import open_store, read_unmappable
from ft_s2a.errors import ContigError, DataError, TrackError
from ft_s2a.genome import BigWig, write_bigwig
from ft_s2a.genome.regions import read_bed
from ft_s2a.geometry import Geometry, Interval
from ft_s2a.tracks import Track, TrackTable, read_targets

# Of the pipeline that made the oracle: 4,096 bp, of which 512 at each side are cropped.
PIPELINE = Geometry(4096, 128, 4)
TRACKS = {
    "dnase": ("t0", {"clip": 32.0, "scale": 2.0}),
    "cage": ("t1", {"sum_stat": "sum", "clip": 384.0}),
    "chip_sum": ("t1", {"sum_stat": "sum", "clip": 64.0}),
    "sum_sqrt_cs": ("t1", {"sum_stat": "sum", "clip": 768.0, "clip_soft": 384.0, "scale": 0.3}),
    "mean_cs": ("t0", {"clip": 64.0, "clip_soft": 32.0, "scale": 2.0}),
}
CODE = {
    "paper2020": ("basenji2020", "none"),
    "head": ("basenji2025", "sqrt1p"),
    "hound": ("hound", "sqrt1p"),
    "hound_transform_old": ("hound-old", "pow0.75-bare"),
}
KEYS = [
    *(f"paper2020/{track}" for track in ("dnase", "cage", "chip_sum")),
    *(f"{code}/{track}" for code in ("head", "hound", "hound_transform_old") for track in TRACKS),
]


@pytest.fixture(scope="module")
def pipeline(mirror: Path) -> Path:
    folder = mirror.parent / "oracles" / "basenji2_tfrecords" / "pipeline"
    if not folder.is_dir():
        pytest.skip(f"oracles: {folder} is missing")
    return folder


@pytest.mark.real_data
@pytest.mark.parametrize("key", KEYS)
def test_what_the_scripts_read(pipeline: Path, key: str) -> None:
    """Every value of every script, to the last bit of float16."""
    code, name = key.split("/")
    transform, squash = CODE[code]
    file, fields = TRACKS[name]
    squash = squash if name.startswith("sum_sqrt") else "none"
    track = Track(name, transform=transform, squash=squash, **fields)  # type: ignore[arg-type]
    found = read_published(
        pipeline / f"{file}.bw",
        read_bed(pipeline / "sequences_cropped.bed"),
        track,
        PIPELINE,
        blacklist=pipeline / "blacklist.bed",
    )
    assert found.dtype == np.float16
    np.testing.assert_array_equal(found, np.load(pipeline / "expected_read.npz")[key])


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "transform", "decimals"),
    [("out_basenji_2020", "basenji2020", None), ("out_basenji", "basenji2025", 2)],
)
def test_a_whole_set_as_the_scripts_make_it(
    pipeline: Path, tmp_path: Path, name: str, transform: str, decimals: int | None
) -> None:
    """From the target table and the genome to all targets, rounding included."""
    (tmp_path / "targets.txt").write_text((pipeline / name / "targets.txt").read_text())
    for file in ("t0.bw", "t1.bw"):
        (tmp_path / file).symlink_to((pipeline / file).resolve())
    data = from_bigwigs(
        pipeline / "genome.fa",
        tmp_path / "targets.txt",
        tmp_path / "set.zarr",
        split="train=chr1:1000-38000+chr2:1000-5096,valid=chr2:5096-29700",
        input_length=4096,
        crop_bins=4,
        stride=4096,
        eval_stride=4096,
        transform=transform,
        blacklist=pipeline / "blacklist.bed",
        unmappable=pipeline / "mseqs_unmap.npy",
        umap_clip=0.25,
        decimals=decimals,
    )
    rows = [(i.chrom, i.start) for i in read_bed(pipeline / "sequences_cropped.bed")]
    assert list(data.windows[["chrom", "start"]].itertuples(index=False, name=None)) == rows
    wanted = np.load(pipeline / name / "expected.npz")
    found = np.stack([data.targets(i) for i in range(len(data))])
    for split in ("train", "valid"):
        np.testing.assert_array_equal(found[data.indices(split)], wanted[f"{split}_target"])
    group, header = open_store(tmp_path / "set.zarr")
    np.testing.assert_array_equal(read_unmappable(group), np.load(pipeline / "mseqs_unmap.npy"))
    assert header.provenance["umap_clip"] == 0.25
    means = found[data.indices("train")].astype(np.float64).mean(axis=(0, 1))
    assert [s.mean for s in header.statistics] == pytest.approx(means.tolist())
    assert header.table == read_targets(
        pipeline / name / "targets.txt", transform=transform, head="tracks"
    ).replace([_without_file(t) for t in header.table])


def _without_file(track: Track) -> Track:
    assert track.file == ""
    return track


# A bigWig of small whole and half numbers, exact in float16, and what the scripts make of it in
# plain float64, one step a line.
SMALL = Geometry(input_length=96, bin_size=8, crop_bins=2)
LENGTH = 300


@pytest.fixture
def signal() -> NDArray[np.float64]:
    values = np.random.default_rng(2).integers(0, 9, LENGTH) / 2
    values[60:64] = 40.0
    return values


def write(folder: Path, values: NDArray[np.float64]) -> Path:
    return write_bigwig(folder / "t.bw", {"I": LENGTH}, [("I", 0, values)], bin_size=1)


def by_hand(
    values: NDArray[np.float64], start: int, script: str, black: tuple[int, int] = (0, 0)
) -> NDArray[np.float64]:
    """Bases of a target after baseline and blacklist, [bins, 8]."""
    left, right = (start - 16, start + 80) if script == "basenji2020" else (start, start + 64)
    bases = values[left:right].copy()
    missing = np.isnan(bases)
    quantile = 10 if script == "basenji2020" else 50
    base = 0.0 if missing.any() else float(np.percentile(bases, quantile))
    low, high = (max(0, end - left) for end in black)
    inside = slice(low, high)
    bases[inside] = base if script == "basenji2020" else np.clip(bases[inside], -base, base)
    bases[np.isnan(bases)] = base
    return bases[start - left :][:64].reshape(8, 8)


SCRIPTS = ["basenji2020", "basenji2025", "hound", "hound-old"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_blacklist_and_missing_bases(
    tmp_path: Path, signal: NDArray[np.float64], script: str
) -> None:
    """20 bp around a blacklisted interval go with it; any missing base makes the baseline 0."""
    signal[200:203] = np.nan
    file = write(tmp_path, signal)
    track = Track("t", sum_stat="sum", transform=script)  # type: ignore[arg-type]
    blacklist = Blacklist([Interval("I", 70, 71), Interval("J", 0, 300)])
    for start in (40, 160):
        wanted = by_hand(signal, start, script, (50, 91)).sum(axis=1)
        found = read_published(
            file, [Interval("I", start, start + 64)], track, SMALL, blacklist=blacklist
        )
        np.testing.assert_array_equal(found[0], wanted)


@pytest.mark.parametrize("script", SCRIPTS)
def test_an_interval_that_begins_before_the_window(
    tmp_path: Path, signal: NDArray[np.float64], script: str
) -> None:
    """The scripts' negative index counts from the end: nothing is blacklisted."""
    file = write(tmp_path, signal)
    track = Track("t", transform=script)  # type: ignore[arg-type]
    windows = [Interval("I", 100, 164)]
    plain = read_published(file, windows, track, SMALL)
    before = Blacklist([Interval("I", 95, 110)])
    np.testing.assert_array_equal(
        read_published(file, windows, track, SMALL, blacklist=before), plain
    )


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("stat", ["mean", "sum", "max"])
def test_scale_and_clip(
    tmp_path: Path, signal: NDArray[np.float64], script: str, stat: str
) -> None:
    file = write(tmp_path, signal)
    clip = 20.0
    track = Track("t", sum_stat=stat, clip=clip, scale=2.0, transform=script)  # type: ignore[arg-type]
    pooled = getattr(np, stat)(by_hand(signal, 40, script), axis=1)
    if script in ("basenji2020", "hound-old"):
        wanted = 2 * np.minimum(pooled, clip)
    else:
        wanted = np.minimum(2 * pooled, clip)
    found = read_published(file, [Interval("I", 40, 104)], track, SMALL, dtype="float32")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], wanted, rtol=1e-6)


def test_interpolation(tmp_path: Path, signal: NDArray[np.float64]) -> None:
    """Between its neighbours, and from the window's ends to zero."""
    signal[40:42] = np.nan
    signal[50:53] = np.nan
    file = write(tmp_path, signal)
    filled = signal.copy()
    filled[40:42] = signal[42] * np.array([1, 2]) / 3
    filled[50:53] = signal[49] + (signal[53] - signal[49]) * np.array([1, 2, 3]) / 4
    track = Track("t", sum_stat="sum", transform="hound")
    found = read_published(file, [Interval("I", 40, 104)], track, SMALL, interpolate=True)
    np.testing.assert_allclose(found[0], filled[40:104].reshape(8, 8).sum(axis=1), rtol=1e-3)


@pytest.mark.parametrize("script", SCRIPTS)
def test_contig_ends(tmp_path: Path, signal: NDArray[np.float64], script: str) -> None:
    """Bins beyond the contig have no value; others count the bases that they have."""
    file = write(tmp_path, signal)
    for stat in ("mean", "sum"):
        track = Track("t", sum_stat=stat, transform=script)  # type: ignore[arg-type]
        start, end = read_published(
            file, [Interval("I", -12, 52), Interval("I", 260, 324)], track, SMALL, dtype="float32"
        )
        function = getattr(np, stat)
        bins = [signal[max(0, b) : b + 8] for b in range(-12, 52, 8)]
        np.testing.assert_allclose(start[1:], [function(b) for b in bins[1:]], rtol=1e-6)
        assert np.isnan(start[0])
        bins = [signal[b : b + 8] for b in range(260, 300, 8)]
        np.testing.assert_allclose(end[:5], [function(b) for b in bins], rtol=1e-6)
        assert np.isnan(end[5:]).all()


def test_coverage_beyond_float16(tmp_path: Path, signal: NDArray[np.float64]) -> None:
    """It reads as infinite, and the clip makes it finite; the later scripts bound it anyway."""
    signal[60] = 1e6
    file = write(tmp_path, signal)
    windows = [Interval("I", 40, 104)]
    old = read_published(file, windows, Track("t", clip=9.0, transform="basenji2020"), SMALL)
    assert np.isfinite(old).all()
    assert old.max() == 9.0
    assert np.isfinite(read_published(file, windows, Track("t", transform="hound"), SMALL)).all()


def test_the_highest_value_is_cut_a_little(tmp_path: Path) -> None:
    """The 99.99999 % quantile of few values is just below the highest."""
    values = np.zeros(LENGTH)
    values[60] = 2048.0
    file = write(tmp_path, values)
    track = Track("t", sum_stat="sum", transform="hound")
    windows = [Interval("I", 40, 104), Interval("I", 104, 168)]
    found = read_published(file, windows, track, SMALL, dtype="float32")
    wanted = np.float32(2048.0 * (1 - 15 * 1e-7))
    assert found.max() == pytest.approx(float(wanted), rel=1e-7)
    assert found.max() < 2048.0


def test_no_baseline_below_eight_bins(tmp_path: Path, signal: NDArray[np.float64]) -> None:
    file = write(tmp_path, signal)
    few = Geometry(input_length=88, bin_size=8, crop_bins=2)
    blacklist = Blacklist([Interval("I", 70, 71)])
    track = Track("t", sum_stat="sum", transform="hound")
    found = read_published(file, [Interval("I", 40, 96)], track, few, blacklist=blacklist)
    wanted = signal[40:96].copy()
    wanted[10:51] = 0.0
    np.testing.assert_array_equal(found[0], wanted.reshape(7, 8).sum(axis=1))


def test_what_does_not_fit(tmp_path: Path, signal: NDArray[np.float64]) -> None:
    file = write(tmp_path, signal)
    window = [Interval("I", 40, 104)]
    with pytest.raises(TrackError, match="track 't' names no published transform"):
        read_published(file, window, Track("t"), SMALL)
    assert read_published(file, window, Track("t"), SMALL, transform="hound").shape == (1, 8)
    with pytest.raises(DataError, match=r"a window of 60 bp at I:40"):
        read_published(file, [Interval("I", 40, 100)], Track("t"), SMALL, transform="hound")
    with pytest.raises(ContigError, match="chrI"):
        read_published(file, [Interval("chrI", 40, 104)], Track("t"), SMALL, transform="hound")


# Sets of windows.
BUILD: dict[str, Any] = {
    "split": "test=III,valid=II,train=rest", "bin_size": 16, "input_length": 1024, "crop_bins": 4,
}  # fmt: skip
GEOMETRY = Geometry(1024, 16, 4)


def table(toy: Any, *transforms: str, **fields: Any) -> TrackTable:
    file = str(toy.folder / "gc.bw")
    return TrackTable(
        tuple(
            Track(f"{t}.{i}", file=file, transform=t, **fields)  # type: ignore[arg-type]
            for i, t in enumerate(transforms)
        )
    )


def all_targets(data: Any) -> NDArray[Any]:
    return np.stack([data.targets(i) for i in range(len(data))])


def test_a_set_of_all_transforms(toy: Any, tmp_path: Path) -> None:
    """Each track as it is alone, whatever stands beside it; plain ones as ever."""
    tracks = table(toy, "plain", *SCRIPTS, clip=0.6, scale=1.5)
    blacklist = tmp_path / "black.bed"
    blacklist.write_text("I\t2000\t2500\nII\t3000\t3100\n")
    data = from_bigwigs(toy.fasta, tracks, tmp_path / "s.zarr", **BUILD, blacklist=blacklist)
    found = all_targets(data)
    rows = data.windows[["chrom", "start", "end"]].itertuples(index=False, name=None)
    windows = [Interval(*row) for row in rows]
    for column, track in enumerate(tracks):
        if track.transform == "plain":
            alone = from_bigwigs(toy.fasta, TrackTable((track,)), tmp_path / "alone.zarr", **BUILD)
            wanted = all_targets(alone)[..., 0]
        else:
            wanted = read_published(track.file, windows, track, GEOMETRY, blacklist=blacklist)
        np.testing.assert_array_equal(found[..., column], wanted)
    assert data.tracks[1].transform == "basenji2020"


def test_the_option_is_for_tracks_that_name_none(toy: Any, tmp_path: Path) -> None:
    tracks = table(toy, "plain", "hound")
    data = from_bigwigs(toy.fasta, tracks, tmp_path / "s.zarr", **BUILD, transform="basenji2020")
    assert [t.transform for t in data.tracks] == ["basenji2020", "hound"]
    assert data.header.provenance["transform"] == "basenji2020"


def test_extremes_are_cut_over_the_whole_set(toy: Any, tmp_path: Path) -> None:
    """The windows are read once and cut afterwards; the checksum is that of what is stored."""
    values = {name: np.full(size, 0.5) for name, size in toy.sizes.items()}
    values["I"][5000] = 3000.0
    pieces = [(name, 0, v) for name, v in values.items()]
    file = write_bigwig(tmp_path / "x.bw", toy.sizes, pieces, bin_size=1)
    track = Track("x", file=str(file), sum_stat="sum", transform="hound")
    data = from_bigwigs(
        toy.fasta, TrackTable((track,)), tmp_path / "a.zarr", **BUILD, dtype="float32"
    )
    found = all_targets(data)
    known = found[np.isfinite(found)].astype(np.float64)
    number = len(known)
    assert known.max() < 3007.5
    step = (number - 1) * (1 - 0.9999999)
    assert known.max() == pytest.approx(3007.5 - step * (3007.5 - 8.0), rel=1e-6)
    assert data.header.statistics[0].maximum == known.max()
    again = from_bigwigs(
        toy.fasta, TrackTable((track,)), tmp_path / "b.zarr", **BUILD, dtype="float32"
    )
    assert again.checksum == data.checksum


def test_rna_stays_float16_with_a_published_transform(toy: Any, tmp_path: Path) -> None:
    data = from_bigwigs(toy.fasta, table(toy, "hound", assay="RNA"), tmp_path / "s.zarr", **BUILD)
    assert data.header.dtype == "float16"


@pytest.mark.parametrize(
    ("fields", "options", "words"),
    [
        ({"scale": np.nan}, {}, "the scale of track 'hound.0' is 'auto'; expected a number with"),
        ({"missing": "nan"}, {}, "track 'hound.0': missing is 'nan'; expected zero: the transform"),
        ({}, {"transform": "borzoi"}, "transform 'borzoi'; expected plain or basenji2020"),
        ({}, {"umap_clip": 0.5}, "--umap-clip without unmappable bins"),
        ({}, {"umap_clip": 2.0}, "a quantile of 2"),
    ],
)
def test_settings_that_do_not_fit(
    toy: Any, tmp_path: Path, fields: dict[str, Any], options: dict[str, Any], words: str
) -> None:
    out = tmp_path / "s.zarr"
    with pytest.raises((TrackError, DataError), match=words):
        from_bigwigs(toy.fasta, table(toy, "hound", **fields), out, **BUILD, **options)
    assert not out.exists()


def test_a_blacklist_needs_a_transform_and_the_genomes_contigs(toy: Any, tmp_path: Path) -> None:
    bed = tmp_path / "black.bed"
    bed.write_text("chrI\t0\t10\n")
    with pytest.raises(TrackError, match="--blacklist and --interpolate are for published"):
        from_bigwigs(toy.fasta, table(toy, "plain"), tmp_path / "s", **BUILD, blacklist=bed)
    with pytest.raises(ContigError, match="chrI"):
        from_bigwigs(toy.fasta, table(toy, "hound"), tmp_path / "s", **BUILD, blacklist=bed)


@pytest.mark.parametrize(("script", "refused"), [("basenji2020", False), ("hound", True)])
def test_signed_signal(toy: Any, tmp_path: Path, script: str, refused: bool) -> None:
    """The script of 2020 cuts it at zero; the others keep it, and a Poisson loss cannot."""
    pieces = [(name, 0, np.full(size, -1.0)) for name, size in toy.sizes.items()]
    file = write_bigwig(tmp_path / "x.bw", toy.sizes, pieces, bin_size=1)
    tracks = TrackTable((Track("x", file=str(file), clip=9.0, transform=script),))  # type: ignore[arg-type]
    if refused:
        with pytest.raises(DataError, match=r"track 'x' is negative \(-1\) at I:.*Poisson"):
            from_bigwigs(toy.fasta, tracks, tmp_path / "s.zarr", **BUILD)
        return
    found = all_targets(from_bigwigs(toy.fasta, tracks, tmp_path / "s.zarr", **BUILD))
    assert np.nanmax(np.abs(found)) == 0


def test_a_published_table_of_bigwigs(toy: Any, tmp_path: Path) -> None:
    (tmp_path / "targets.txt").write_text(
        "index\tidentifier\tfile\tclip\tscale\tsum_stat\tdescription\n"
        f"7\tGC\t{toy.folder / 'gc.bw'}\t32\t2\tmean\tGC:toy\n"
    )
    data = from_bigwigs(toy.fasta, tmp_path / "targets.txt", tmp_path / "s.zarr", **BUILD)
    assert (data.tracks[0].name, data.tracks[0].transform) == ("GC", "basenji2020")
    with BigWig(toy.folder / "gc.bw") as file:
        row = data.windows.iloc[3]
        bins = file.binned(row.chrom, row.start, row.end, bin_size=16)
    np.testing.assert_allclose(data.targets(3)[:, 0], 2 * bins, rtol=2e-3)
