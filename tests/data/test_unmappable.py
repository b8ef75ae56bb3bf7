"""Unmappable bins: which they are, which windows go, and how their targets are bounded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ft_s2a.data.unmappable import (
    Finish,
    UnmappableRegions,
    clip_unmappable,
    mappable_windows,
    read_mask,
    unmappable_bins,
)
from ft_s2a.data.windows import Window
from ft_s2a.errors import ContigError, DataError, FormatError
from ft_s2a.geometry import Geometry, Interval

GEOMETRY = Geometry(input_length=600, bin_size=100, crop_bins=1)
SIZES = {"a": 4000, "b": 900}


@pytest.mark.parametrize(
    ("spans", "wanted"),
    [
        ([], "0000"),
        ([(1000, 1400)], "1111"),
        ([(0, 5000)], "1111"),
        ([(1195, 1310)], "0011"),  # 5 of bin 1 are too few, 10 of bin 3 are enough
        ([(1190, 1309)], "0110"),
        ([(1110, 1120)], "0100"),  # exactly a tenth
        ([(1110, 1119)], "0000"),
        ([(990, 1010)], "1000"),
        ([(990, 1009)], "0000"),
        ([(1400, 1500), (900, 1000)], "0000"),
        ([(1395, 1500)], "0000"),
        ([(1110, 1119), (1130, 1139)], "0000"),  # each interval counts for itself, as published
        ([(0, 5000), (1100, 1110), (3000, 3100)], "1111"),
        ([(1000, 1050), (1010, 1020), (1350, 1400)], "1001"),
    ],
)
def test_a_tenth_of_a_bin(spans: list[tuple[int, int]], wanted: str) -> None:
    intervals = [Interval("a", *span) for span in spans] + [Interval("b", 0, 900)]
    found = unmappable_bins(intervals, "a", 1000, 1400, 100)
    assert "".join("01"[int(bit)] for bit in found) == wanted


def test_many_intervals_against_counted_bases() -> None:
    """Where no bin has two intervals, a bin counts by the bases that are covered."""
    random = np.random.default_rng(3)
    starts = np.sort(random.choice(np.arange(0, 90), 60, replace=False)) * 300
    left = starts + random.integers(0, 60, 60)
    spans = np.stack([left, left + random.integers(1, 140, 60)], axis=1)
    intervals = [Interval("a", *span) for span in spans.tolist()]
    covered = np.zeros(30_000, dtype=bool)
    for i in intervals:
        covered[i.start : i.end] = True
    regions = UnmappableRegions(intervals, 100)
    for start in range(-200, 28_000, 700):
        counted = np.zeros(700)
        inside = slice(max(0, start), start + 700)
        counted[max(0, -start) :][: len(covered[inside])] = covered[inside]
        wanted = counted.reshape(-1, 100).sum(axis=1) >= 10
        np.testing.assert_array_equal(regions("a", start, start + 700), wanted)


def windows() -> list[Window]:
    starts = {"train": (0, 400, 800), "valid": (1200, 1600), "test": (2000,)}
    return [Window("a", s, s + 400, split) for split, found in starts.items() for s in found]


def test_windows_are_dropped_by_their_bins(tmp_path: Path) -> None:
    """Half of the bins is too much; the rest keeps its mask."""
    bed = tmp_path / "umap.bed"
    bed.write_text("a\t0\t200\na\t400\t500\nlacking\t0\t10\n")
    kept, mask = mappable_windows(windows(), bed, GEOMETRY, 0.5, sizes=SIZES, of="g.fa")
    assert kept == windows()[1:]
    assert mask.sum(axis=1).tolist() == [1, 0, 0, 0, 0]
    kept, mask = mappable_windows(windows(), bed, GEOMETRY, 0.51, sizes=SIZES, of="g.fa")
    assert kept == windows()
    assert mask[0].tolist() == [True, True, False, False]


def test_a_mask_of_the_windows(tmp_path: Path) -> None:
    mask = np.zeros((6, 4), dtype=bool)
    mask[1, :3] = True
    np.save(tmp_path / "m.npy", mask)
    kept, left = mappable_windows(
        windows(), tmp_path / "m.npy", GEOMETRY, 0.5, sizes=SIZES, of="g.fa"
    )
    assert kept == [w for i, w in enumerate(windows()) if i != 1]
    assert left.shape == (5, 4)


def test_files_that_do_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "m.npy"
    for bad, words in (
        (np.zeros((6, 5), dtype=bool), r"holds bool \[6, 5\]; expected bool \[6, 4\]"),
        (np.zeros((6, 4)), r"holds float64 \[6, 4\]"),
    ):
        np.save(path, bad)
        with pytest.raises(FormatError, match=words):
            read_mask(path, windows(), 4)
    path.write_bytes(b"text")
    with pytest.raises(FormatError, match="cannot be read"):
        read_mask(path, windows(), 4)
    bed = tmp_path / "umap.bed"
    bed.write_text("chra\t0\t200\n")
    with pytest.raises(ContigError, match="chra"):
        mappable_windows(windows(), bed, GEOMETRY, 0.5, sizes=SIZES, of="g.fa")
    bed.write_text("a\t3900\t4200\n")
    with pytest.raises(ContigError, match="the unmappable region a:3900-4200 reaches past"):
        mappable_windows(windows(), bed, GEOMETRY, 0.5, sizes=SIZES, of="g.fa")
    bed.write_text("a\t2000\t2400\n")
    with pytest.raises(DataError, match="of the test split is unmappable"):
        mappable_windows(windows(), bed, GEOMETRY, 0.5, sizes=SIZES, of="g.fa")
    with pytest.raises(DataError, match="an unmappable fraction of 0"):
        mappable_windows(windows(), bed, GEOMETRY, 0.0, sizes=SIZES, of="g.fa")


def test_bins_are_bounded_by_their_windows_quantile() -> None:
    random = np.random.default_rng(5)
    values = random.gamma(1.0, 4.0, size=(9, 3)).astype(np.float16)
    mask = np.arange(9) % 3 == 0
    clipped = clip_unmappable(values, mask, 0.25)
    bound = np.quantile(values.astype(np.float64), 0.25, axis=0)
    wanted = np.where(mask[:, None], np.minimum(values, bound), values)
    assert clipped.dtype == np.float16
    np.testing.assert_allclose(clipped, wanted, rtol=1e-3)
    assert clip_unmappable(values, mask, 1.0) is values
    assert clip_unmappable(values, ~mask & mask, 0.25) is values


def test_bins_without_a_value_do_not_count() -> None:
    values = np.array([[8.0, 8.0], [np.nan, 1.0], [4.0, 2.0], [np.nan, np.nan]])
    clipped = clip_unmappable(values, np.array([True, True, False, False]), 0.0)
    np.testing.assert_array_equal(clipped, [[4.0, 1.0], [np.nan, 1.0], [4.0, 2.0], [np.nan] * 2])


def test_rounding_comes_last() -> None:
    finish = Finish(np.array([[True, False, False]]), 0.0, 1)
    values = np.array([[9.0], [0.26], [3.14]], dtype=np.float16)
    assert finish(0, values)[:, 0].tolist() == np.array([0.3, 0.3, 3.1], np.float16).tolist()
    nothing = Finish(None, 1.0, None)
    assert nothing(0, values) is values
    with pytest.raises(DataError, match=r"a quantile of 1\.5"):
        Finish(None, 1.5, None)
