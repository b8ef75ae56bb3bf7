from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ft_s2a.errors import ContigError, GeometryError
from ft_s2a.geometry import Geometry, Interval
from ft_s2a.prediction.plan import plan

geometries = st.builds(
    lambda size, bins, crop: Geometry((bins + 2 * crop) * size, size, crop),
    st.sampled_from([1, 3, 16]),
    st.integers(1, 9),
    st.integers(0, 3),
)


@st.composite
def regions(draw: st.DrawFn) -> tuple[dict[str, int], list[Interval]]:
    sizes = {name: draw(st.integers(1, 400)) for name in ("b", "a")}
    found = []
    for _ in range(draw(st.integers(1, 6))):
        name = draw(st.sampled_from(["b", "a"]))
        start = draw(st.integers(0, sizes[name] - 1))
        found.append(Interval(name, start, draw(st.integers(start + 1, sizes[name]))))
    return sizes, found


@settings(max_examples=200, deadline=None)
@given(regions(), geometries)
def test_every_base_of_every_region_once(
    case: tuple[dict[str, int], list[Interval]], geometry: Geometry
) -> None:
    sizes, wanted = case
    pieces = plan(wanted, sizes, geometry)
    written = {name: np.zeros(size, int) for name, size in sizes.items()}
    for piece in pieces:
        chrom, length = piece.region.chrom, sizes[piece.region.chrom]
        # Windows abut on one grid, and none is superfluous.
        assert piece.starts[0] == piece.region.start
        assert set(np.diff(piece.starts)) <= {geometry.output_length}
        assert piece.starts[-1] < piece.region.end
        assert len(piece.starts) * geometry.output_bins >= piece.bins
        assert (len(piece.starts) - 1) * geometry.output_bins < piece.bins
        for index in range(piece.bins):
            start = piece.starts[0] + index * geometry.bin_size
            end = min(start + geometry.bin_size, length)
            assert end > start
            written[chrom][start:end] += 1
        end = piece.starts[0] + piece.bins * geometry.bin_size
        assert piece.region.end == min(end, length)
    for region in wanted:
        assert (written[region.chrom][region.start : region.end] == 1).all()
    assert all(values.max() <= 1 for values in written.values())
    # No more than rounding up to a bin for each region that was named.
    surplus = sum(int(values.sum()) for values in written.values())
    union = {name: np.zeros(size, bool) for name, size in sizes.items()}
    for region in wanted:
        union[region.chrom][region.start : region.end] = True
    assert surplus - sum(int(u.sum()) for u in union.values()) < len(wanted) * geometry.bin_size
    order = [(list(sizes).index(p.region.chrom), p.region.start) for p in pieces]
    assert order == sorted(order)


def test_regions_that_overlap_after_rounding_are_joined() -> None:
    geometry = Geometry(48, 16, 0)
    pieces = plan(
        [Interval("a", 0, 20), Interval("a", 30, 40), Interval("a", 48, 60), Interval("a", 70, 71)],
        {"a": 100}, geometry,
    )  # fmt: skip
    # 0-20 is rounded to 32 and meets 30-40, together 48; 48-64 and 70-86 stand alone.
    assert [str(p.region) for p in pieces] == ["a:0-48", "a:48-64", "a:70-86"]
    assert [p.bins for p in pieces] == [3, 1, 1]
    assert [p.starts for p in pieces] == [(0,), (48,), (70,)]


def test_the_contigs_last_bin_is_cut() -> None:
    (piece,) = plan([Interval("a", 10, 100)], {"a": 100}, Geometry(48, 16, 0))
    assert (piece.region.end, piece.bins, piece.starts) == (100, 6, (10, 58))


@settings(max_examples=100, deadline=None)
@given(regions(), geometries)
def test_centred_windows(case: tuple[dict[str, int], list[Interval]], geometry: Geometry) -> None:
    sizes, wanted = case
    region = wanted[0]
    (piece,) = plan([region], sizes, geometry, centre=True)
    assert len(piece.starts) == 1
    ideal = region.centre - geometry.output_bins // 2 * geometry.bin_size
    assert piece.starts[0] == max(0, ideal)
    assert piece.region.start <= region.centre < piece.region.end
    if 0 <= ideal <= sizes[region.chrom] - geometry.output_length:
        assert piece.bins == geometry.output_bins


@pytest.mark.parametrize(
    ("region", "message"),
    [
        (Interval("a", 0, 101), "reaches past 'a'; expected positions in 0-100"),
        (Interval("a", -1, 10), "reaches past 'a'"),
        (Interval("chra", 0, 10), "which calls it 'a'"),
        (Interval("b", 0, 10), "contig 'b' is not in the FASTA"),
    ],
)
def test_regions_outside_the_genome_are_explained(region: Interval, message: str) -> None:
    with pytest.raises(ContigError, match=message):
        plan([region], {"a": 100}, Geometry(48, 16, 0))


def test_no_region_is_an_error() -> None:
    with pytest.raises(GeometryError, match="no region"):
        plan([], {"a": 100}, Geometry(48, 16, 0))
