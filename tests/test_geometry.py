"""Coordinate arithmetic against counting bases one by one."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ft_s2a.errors import ContigError, GeometryError
from ft_s2a.geometry import (
    Geometry,
    Interval,
    bin_edges,
    count_bins,
    format_locus,
    from_one_based,
    merge,
    parse_locus,
    subtract,
    to_one_based,
    tss_of,
)

# The same examples each time, and no clock: other work on the machine is no failure.
steady = settings(deadline=None, derandomize=True)


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    bin_size = draw(st.sampled_from([1, 2, 7, 32, 128]))
    crop = draw(st.integers(0, 9))
    output = draw(st.integers(1, 30))
    return Geometry((output + 2 * crop) * bin_size, bin_size, crop)


@st.composite
def intervals(draw: st.DrawFn, low: int = -20, high: int = 40) -> Interval:
    start = draw(st.integers(low, high))
    length = draw(st.integers(1, 15))
    return Interval(draw(st.sampled_from(["a", "b"])), start, start + length)


def bases(pieces: list[Interval]) -> set[tuple[str, int]]:
    return {(piece.chrom, at) for piece in pieces for at in range(piece.start, piece.end)}


# Published shapes (reference implementations of Basenji2 and Enformer).
@pytest.mark.parametrize(
    ("geometry", "bins", "length", "target"),
    [
        (Geometry(131_072, 128, 64), 896, 114_688, (8_192, 122_880)),
        (Geometry(196_608, 128, 320), 896, 114_688, (40_960, 155_648)),
        (Geometry(384, 128, 1), 1, 128, (128, 256)),
        (Geometry(16_384, 128, 0), 128, 16_384, (0, 16_384)),
    ],
)
def test_published_shapes(
    geometry: Geometry, bins: int, length: int, target: tuple[int, int]
) -> None:
    assert geometry.output_bins == bins
    assert geometry.output_length == length
    assert geometry.target_interval(0) == target
    assert geometry.input_interval(target[0]) == (0, geometry.input_length)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((1000, 128, 0), "use 896 or 1024"),
        ((100, 128, 0), "use 128 or 128"),
        ((512, 128, 2), "leave none; expected a crop of at most 1 bins"),
        ((0, 128, 0), "positive lengths"),
        ((-128, 128, 0), "positive lengths"),
        ((512, 0, 0), "positive lengths"),
        ((512, 128, -1), "positive lengths"),
    ],
)
def test_shapes_that_do_not_fit(shape: tuple[int, int, int], words: str) -> None:
    with pytest.raises(GeometryError, match=words):
        Geometry(*shape)


@steady
@given(geometries(), st.integers(-500, 500), st.integers(1, 20_000))
def test_tiles_cover_every_base_once(geometry: Geometry, start: int, length: int) -> None:
    end = start + length
    assume(length <= 60 * geometry.output_length)
    targets = geometry.tile(start, end)
    covered: list[int] = []
    for target in targets:
        # The last window's surplus bins are dropped.
        covered += [at for at in range(target, target + geometry.output_length) if at < end]
    assert covered == list(range(start, end))
    # One grid: each window's bins continue the region's own bins.
    assert all((target - start) % geometry.bin_size == 0 for target in targets)
    # And the window that predicts a target has it in its middle.
    for target in targets:
        left, right = geometry.input_interval(target)
        assert right - left == geometry.input_length
        assert target - left == right - (target + geometry.output_length) == geometry.crop


def test_tiling_nothing_is_an_error() -> None:
    with pytest.raises(GeometryError, match="holds no base"):
        Geometry(512, 128, 1).tile(10, 10)


@steady
@given(geometries(), st.integers(-10_000, 10_000))
def test_input_and_target_are_inverse(geometry: Geometry, start: int) -> None:
    target, target_end = geometry.target_interval(start)
    assert target_end - target == geometry.output_bins * geometry.bin_size
    assert geometry.input_interval(target) == (start, start + geometry.input_length)


@steady
@given(geometries(), st.integers(-2_000, 2_000), st.integers(-2_000, 2_000))
def test_a_base_lies_in_the_bin_that_is_said(geometry: Geometry, position: int, grid: int) -> None:
    index = geometry.bin_of(position, grid)
    left, right = geometry.bin_interval(index, grid)
    assert left <= position < right
    assert right - left == geometry.bin_size
    assert (left - grid) % geometry.bin_size == 0
    assert (index < 0) == (position < grid)


@steady
@given(geometries(), st.integers(-10_000, 10_000))
def test_centring(geometry: Geometry, position: int) -> None:
    target = geometry.centred_on(position)
    assert geometry.bin_of(position, target) == geometry.output_bins // 2
    assert geometry.bin_interval(geometry.output_bins // 2, target)[0] == position


@steady
@given(st.integers(-300, 300), st.integers(0, 700), st.integers(1, 130))
def test_bins_of_a_region(start: int, length: int, bin_size: int) -> None:
    end = start + length
    edges = list(bin_edges(start, end, bin_size))
    assert [at for left, right in edges for at in range(left, right)] == list(range(start, end))
    assert all(right - left == bin_size for left, right in edges[:-1])
    assert count_bins(start, end, bin_size) == len(edges)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [((0, 10, 0), "bin size of 0"), ((0, 10, -5), "bin size of -5"), ((10, 9, 1), "before")],
)
def test_grids_that_are_none(arguments: tuple[int, int, int], words: str) -> None:
    with pytest.raises(GeometryError, match=words):
        count_bins(*arguments)
    with pytest.raises(GeometryError, match=words):
        list(bin_edges(*arguments))


@steady
@given(st.lists(intervals(), max_size=12))
def test_merging_keeps_the_bases(pieces: list[Interval]) -> None:
    merged = merge(pieces)
    assert bases(merged) == bases(pieces)
    assert merged == sorted(merged)
    for left, right in itertools.pairwise(merged):
        assert left.chrom != right.chrom or left.end < right.start  # a gap between neighbours


@steady
@given(intervals(), st.lists(intervals(), max_size=8))
def test_subtracting_removes_the_bases(whole: Interval, taken: list[Interval]) -> None:
    left = subtract(whole, taken)
    assert bases(left) == bases([whole]) - bases(taken)
    assert sum(len(piece) for piece in left) == len(bases(left))


@steady
@given(intervals(), intervals())
def test_overlap_and_containment(one: Interval, other: Interval) -> None:
    shared = bases([one]) & bases([other])
    assert one.overlaps(other) == other.overlaps(one) == bool(shared)
    assert one.contains(other) == (shared == bases([other]))


@steady
@given(intervals(), st.integers(1, 50))
def test_clipping(piece: Interval, length: int) -> None:
    inside = {at for at in range(piece.start, piece.end) if 0 <= at < length}
    if inside:
        assert {at for _, at in bases([piece.clip(length)])} == inside
    else:
        with pytest.raises(ContigError, match="outside its contig"):
            piece.clip(length)


def test_clipping_keeps_name_and_strand() -> None:
    assert Interval("a", -5, 5, "x", "-").clip(3) == Interval("a", 0, 3, "x", "-")


@pytest.mark.parametrize(("start", "end"), [(5, 5), (5, 4)])
def test_interval_without_bases(start: int, end: int) -> None:
    with pytest.raises(GeometryError, match=f"a:{start}-{end} holds no base"):
        Interval("a", start, end)


def test_interval_with_an_odd_strand() -> None:
    with pytest.raises(GeometryError, match="strand '\\*'"):
        Interval("a", 0, 1, strand="*")


@pytest.mark.parametrize(("start", "end", "centre"), [(0, 1, 0), (0, 2, 1), (3, 10, 6)])
def test_centre_is_the_right_one_of_two(start: int, end: int, centre: int) -> None:
    assert Interval("a", start, end).centre == centre


def test_tss_is_the_first_base_read() -> None:
    assert tss_of(100, 200, "+") == 100
    assert tss_of(100, 200, "-") == 199
    assert tss_of(7, 8, "+") == tss_of(7, 8, "-") == 7
    with pytest.raises(GeometryError, match="no start site"):
        tss_of(100, 200, ".")


@steady
@given(st.integers(0, 10**9), st.integers(1, 10**6))
def test_one_based_and_back(start: int, length: int) -> None:
    one_based = to_one_based(start, start + length)
    assert one_based[1] - one_based[0] + 1 == length  # closed
    assert from_one_based(*one_based) == (start, start + length)


@pytest.mark.parametrize(
    ("text", "locus"),
    [
        ("II", ("II", None, None)),
        ("II:0-5", ("II", 0, 5)),
        ("chr1:1,000,000-2,000,000", ("chr1", 1_000_000, 2_000_000)),
        ("HLA-A*01:01:0-10", ("HLA-A*01:01", 0, 10)),
    ],
)
def test_loci(text: str, locus: tuple[str, int | None, int | None]) -> None:
    assert parse_locus(text) == locus


@pytest.mark.parametrize(
    "text", ["II:5", "II:-5-10", "II:5-", "II:5-4", "II:5-5", ":1-2", "II:a-b", "II:1-²", "II:"]
)
def test_loci_that_cannot_be_read(text: str) -> None:
    with pytest.raises(GeometryError, match="region"):
        parse_locus(text)


def test_locus_of_a_browser_is_one_based() -> None:
    assert format_locus(Interval("II", 99, 200)) == "II:100-200"
    assert format_locus(Interval("II", -50, 200)) == "II:1-200"
