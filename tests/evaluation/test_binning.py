"""The grid: every base once, whatever the steps of the file."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ft_s2a.errors import FtS2aError, GeometryError
from ft_s2a.evaluation.binning import Grid
from ft_s2a.evaluation.regions import parse_regions, refuse_overlaps, refuse_shared
from ft_s2a.genome import BigWig
from ft_s2a.geometry import Interval

SIZES = {"I": 1000, "II": 701, "chr1:alt": 50}


def test_means_of_misaligned_steps_and_a_partial_last_bin(tmp_path, write_bases, steps):
    bases = {"I": steps(1000), "II": steps(701, seed=1)}
    path = write_bases(tmp_path / "a.bw", bases)
    regions = (Interval("II", 13, 701), Interval("I", 0, 1000), Interval("I", 1, 130))
    grid = Grid(regions, 128)
    expected, widths = [], []
    for region in regions:
        for start in range(region.start, region.end, 128):
            part = bases[region.chrom][start : min(start + 128, region.end)]
            expected.append(part.mean())
            widths.append(len(part))
    with BigWig(path) as opened:
        assert_allclose(grid.read(opened, missing="zero"), expected, rtol=1e-12)
    assert_array_equal(grid.widths(), widths)
    assert widths[5] == 701 - 13 - 5 * 128
    assert len(grid) == len(expected)


def test_missing_bases_are_zero_or_left_out(tmp_path, write_bases):
    values = np.full(300, 2.0)
    values[50:128] = np.nan
    values[128:256] = np.nan
    path = write_bases(tmp_path / "a.bw", {"I": values})
    grid = Grid((Interval("I", 0, 300),), 128)
    with BigWig(path) as opened:
        assert_allclose(grid.read(opened, missing="zero"), [100 / 128, 0, 2], rtol=1e-12)
        assert_allclose(grid.read(opened, missing="nan"), [2, np.nan, 2], rtol=1e-12)


def test_blocks_stay_within_regions():
    grid = Grid((Interval("I", 0, 50), Interval("II", 7, 8), Interval("I", 60, 90)), 10)
    assert_array_equal(grid.block_starts(2), [0, 2, 4, 5, 6, 8])
    assert_array_equal(grid.block_starts(100), [0, 5, 6])
    with pytest.raises(GeometryError, match="blocks of 0"):
        grid.block_starts(0)


@pytest.mark.parametrize("at_most", [1, 3, 4, 100])
def test_pieces_cover_every_bin_once(at_most):
    grid = Grid((Interval("I", 0, 50), Interval("II", 7, 8), Interval("I", 60, 90)), 10)
    seen = []
    for row, region, first, last in grid.pieces(at_most):
        index = grid.regions.index(region)
        assert 0 < last - first <= at_most
        assert row == grid.offsets[index] + first
        seen += range(row, row + last - first)
    assert seen == list(range(9))


def test_impossible_grids_are_refused():
    with pytest.raises(GeometryError, match="bin size 0"):
        Grid((Interval("I", 0, 50),), 0)
    with pytest.raises(GeometryError, match="without regions"):
        Grid((), 10)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I", ["I:0-1000"]),
        (["II", "I:5-10"], ["II:0-701", "I:5-10"]),
        ("I,II:0-7", ["I:0-1000", "II:0-7"]),
        ("I:0-1,000,II:1-2", ["I:0-1000", "II:1-2"]),
        ("chr1:alt", ["chr1:alt:0-50"]),
    ],
)
def test_regions_as_text(text, expected):
    assert [str(region) for region in parse_regions(text, SIZES, of="x")] == expected


def test_regions_as_files(tmp_path):
    (tmp_path / "some.bed").write_text("I\t5\t10\nII\t0\t7\n")
    (tmp_path / "odd name").write_text("I\t1\t2\n")
    texts = [str(tmp_path / "some.bed"), "II:8-9", tmp_path / "odd name"]
    found = [str(region) for region in parse_regions(texts, SIZES, of="x")]
    assert found == ["I:5-10", "II:0-7", "II:8-9", "I:1-2"]


def test_no_region_is_refused():
    with pytest.raises(FtS2aError, match="no region"):
        parse_regions([], SIZES, of="x")


def test_overlaps():
    apart = [Interval("I", 10, 20), Interval("II", 0, 15), Interval("I", 0, 10)]
    refuse_overlaps(apart, where="x")
    with pytest.raises(FtS2aError, match="I:0-11 and I:10-20 overlap"):
        refuse_overlaps([*apart[:2], Interval("I", 0, 11)], where="x")


def test_shared_bases_are_found():
    names = ("scored", "trained on")
    train = [Interval("I", 0, 100), Interval("I", 200, 300), Interval("II", 0, 50)]
    refuse_shared([Interval("I", 100, 200), Interval("II", 50, 60)], train, names=names)
    for test in (Interval("I", 99, 150), Interval("I", 150, 201), Interval("I", 50, 60)):
        with pytest.raises(FtS2aError, match=rf"{test} \(scored\) overlaps I:.*trained on"):
            refuse_shared([Interval("II", 50, 60), test], train, names=names)
    with pytest.raises(FtS2aError, match="I:0-500"):
        refuse_shared([Interval("I", 0, 500)], train, names=names)
