"""Which windows a set holds, as properties over random splits and geometries."""

from __future__ import annotations

import logging
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ft_s2a.data.splits import Splits
from ft_s2a.data.windows import place_windows
from ft_s2a.errors import DataError
from ft_s2a.geometry import Geometry, Interval

geometries = st.builds(
    lambda size, bins, crop: Geometry((bins + 2 * crop) * size, size, crop),
    st.sampled_from([1, 4, 16]),
    st.integers(1, 12),
    st.integers(0, 4),
)


@st.composite
def genomes(draw: st.DrawFn) -> tuple[dict[str, int], Splits]:
    """Contigs cut at random places, each piece given to a split or to none."""
    sizes, splits = {}, Splits()
    for name in ("b", "a", "c")[: draw(st.integers(1, 3))]:
        length = draw(st.integers(1, 900))
        cuts = sorted({0, length, *draw(st.lists(st.integers(1, length), max_size=4))})
        sizes[name] = length
        for start, end in pairwise(cuts):
            split = draw(st.sampled_from(["train", "valid", "test", "none"]))
            if split != "none":
                splits.setdefault(split, []).append(Interval(name, start, end))
    return sizes, splits


def inside(start: int, end: int, interval: Interval, length: int) -> bool:
    """Whether an input lies in an interval; what lies beyond the contig is N and counts."""
    return interval.start <= max(0, start) and min(end, length) <= interval.end


@settings(max_examples=100, deadline=None)
@given(genomes(), geometries, st.sampled_from(["regular", "random"]), st.integers(0, 5))
def test_every_input_lies_in_an_interval_of_its_split(
    genome: tuple[dict[str, int], Splits], geometry: Geometry, starts: str, seed: int
) -> None:
    sizes, splits = genome
    try:
        windows = place_windows(
            splits, sizes, geometry, train_starts=starts, coverage=2.0, seed=seed
        )
    except DataError:  # no room: see the last tests
        return
    order = list(sizes)
    assert [(order.index(w.chrom), w.start) for w in windows] == sorted(
        (order.index(w.chrom), w.start) for w in windows
    )
    assert {w.split for w in windows} == set(splits)
    for window in windows:
        assert window.end - window.start == geometry.output_length
        # At least half of each target lies on the contig.
        assert -geometry.output_length // 2 <= window.start < sizes[window.chrom]
        left, right = geometry.input_interval(window.start)
        home = [i for i in splits[window.split] if i.chrom == window.chrom]
        assert any(inside(left, right, i, sizes[window.chrom]) for i in home), window
        for other, intervals in splits.items():
            if other != window.split:
                seen = Interval(window.chrom, max(0, left), min(right, sizes[window.chrom]))
                assert not any(seen.overlaps(i) for i in intervals), (window, other)


@settings(max_examples=100, deadline=None)
@given(genomes(), geometries)
def test_regular_windows_hold_each_allowed_base_once(
    genome: tuple[dict[str, int], Splits], geometry: Geometry
) -> None:
    sizes, splits = genome
    try:
        windows = place_windows(splits, sizes, geometry)
    except DataError:
        return
    for split, intervals in splits.items():
        times = {name: np.zeros(length + geometry.output_length, int) for name, length in
                 sizes.items()}  # fmt: skip
        for window in windows:
            if window.split == split:
                times[window.chrom][window.start : window.end] += 1
        for interval in intervals:
            length = sizes[interval.chrom]
            first = interval.start + (geometry.crop if interval.start else 0)
            last = interval.end - (geometry.crop if interval.end < length else 0)
            counted = times[interval.chrom][first : max(first, last)]
            assert counted.max(initial=0) <= 1
            if interval.end == length:
                assert (counted == 1).all()  # the last window reaches past the contig
            else:
                missed = int((counted == 0).sum())
                assert missed < geometry.output_length
                assert (
                    not missed or (counted[-missed:] == 0).all()
                )  # less than a window, at the end


def test_regular_windows_by_hand() -> None:
    geometry = Geometry(40, 10, 1)  # 20 bp of targets, 10 bp of context on each side
    intervals = [Interval("a", 0, 75), Interval("b", 5, 100)]
    placed = place_windows({"train": intervals}, {"a": 90, "b": 100}, geometry)
    assert [(w.chrom, w.start) for w in placed] == [
        ("a", 0),  # its input begins at -10: N
        ("a", 20),
        ("a", 40),  # its input ends at 70; one more bin would need 80 > 75
        ("b", 15),
        ("b", 35),
        ("b", 55),
        ("b", 75),
        ("b", 95),  # reaches past the contig's end
    ]


def test_random_starts_are_a_function_of_the_seed_and_use_single_bases() -> None:
    geometry = Geometry(40, 10, 1)
    splits = {"train": [Interval("a", 0, 5000), Interval("b", 0, 5000)]}
    sizes = {"a": 9000, "b": 9000}

    def starts(seed: int) -> list[tuple[str, int]]:
        placed = place_windows(splits, sizes, geometry, train_starts="random", seed=seed)
        return [(w.chrom, w.start) for w in placed]

    assert starts(1) == starts(1)
    assert starts(1) != starts(2)
    a, b = ([s for c, s in starts(1) if c == chrom] for chrom in "ab")
    assert a != b
    assert len({s % 10 for s in a}) == 10
    # Half a target (10 bp) may hang over the contig's start, where sequence is N; the interval's
    # other end is inside the contig, where the input's 10 bp of context must fit.
    assert -10 <= min(a) < 0
    assert max(a) <= 5000 - 10 - 20
    assert len(a) == pytest.approx(10 * 4990 / 20, rel=0.01)


def test_random_starts_of_contigs_with_a_long_common_name_differ() -> None:
    names = [f"scaffold_of_a_draft_assembly_{i}" for i in range(2)]
    splits = {"train": [Interval(name, 0, 5000) for name in names]}
    placed = place_windows(
        splits, dict.fromkeys(names, 5000), Geometry(40, 10, 1), train_starts="random"
    )
    first, second = ([w.start for w in placed if w.chrom == name] for name in names)
    assert first != second


@pytest.mark.parametrize("coverage", [0.5, 3.0, 20.0])
def test_random_windows_cover_each_base_as_often_as_asked(coverage: float) -> None:
    geometry = Geometry(400, 10, 5)
    placed = place_windows(
        {"train": [Interval("a", 0, 50_000)]}, {"a": 50_000}, geometry,
        train_starts="random", coverage=coverage,
    )  # fmt: skip
    times = np.zeros(50_000)
    for window in placed:
        times[window.start : window.end] += 1
    assert times.mean() == pytest.approx(coverage, rel=0.02)


def test_random_starts_are_for_training_only() -> None:
    geometry = Geometry(40, 10, 1)
    splits = {"valid": [Interval("a", 0, 500)], "train": [Interval("a", 500, 900)]}
    placed = place_windows(splits, {"a": 900}, geometry, train_starts="random")
    valid = [w.start for w in placed if w.split == "valid"]
    assert valid == list(range(0, 500 - 10 - 20 + 1, 20))


def test_an_interval_shorter_than_the_input_gives_no_window_but_an_error_if_alone() -> None:
    geometry = Geometry(40, 10, 1)
    sizes = {"a": 900}
    short, long = Interval("a", 100, 139), Interval("a", 200, 240)
    assert [w.start for w in place_windows({"train": [short, long]}, sizes, geometry)] == [210]
    with pytest.raises(DataError) as caught:
        place_windows({"train": [long], "valid": [short]}, sizes, geometry)
    assert "the valid split has no room for one window" in str(caught.value)
    assert "a:100-139 has 39 bp; expected intervals of at least 40 bp" in str(caught.value)


def test_a_contig_shorter_than_a_window_has_one() -> None:
    placed = place_windows({"test": [Interval("a", 0, 7)]}, {"a": 7}, Geometry(40, 10, 1))
    assert [(w.start, w.end) for w in placed] == [(0, 20)]


@settings(max_examples=150, deadline=None)
@given(
    genomes(),
    geometries,
    st.sampled_from(["regular", "random"]),
    st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 890), st.integers(1, 80)), max_size=4
    ),
    st.sampled_from([(0.5, 0.3), (1.0, 1.0), (7, 90), (250, 0.01)]),
)
def test_no_input_holds_a_base_of_a_gap(
    genome: tuple[dict[str, int], Splits],
    geometry: Geometry,
    starts: str,
    drawn: list[tuple[str, int, int]],
    strides: tuple[float, float],
) -> None:
    sizes, splits = genome
    gaps = [Interval(c, s, s + n) for c, s, n in drawn if s + n <= sizes.get(c, 0)]
    try:
        windows = place_windows(
            splits, sizes, geometry, train_starts=starts, coverage=2.0, gaps=gaps,
            stride=strides[0], eval_stride=strides[1],
        )  # fmt: skip
    except DataError:  # no room, or half of one base
        return
    for window in windows:
        left, right = geometry.input_interval(window.start)
        seen = Interval(window.chrom, left, right)
        assert not any(seen.overlaps(gap) for gap in gaps)
        assert window.start < sizes[window.chrom]


def at(text: str, geometry: Geometry, **options: Any) -> list[tuple[str, int]]:
    """Starts of windows in one interval ``split start end``, on a contig of 1,000 bp."""
    split, start, end = text.split()
    splits = {split: [Interval("a", int(start), int(end))]}
    return [(w.split, w.start) for w in place_windows(splits, {"a": 1000}, geometry, **options)]


def test_strides_by_hand() -> None:
    geometry = Geometry(40, 10, 1)  # 20 bp of targets, 10 bp of context on each side
    half = [(f, s) for f, s in at("train 100 180", geometry, stride=0.5)]
    assert half == [("train", s) for s in (110, 120, 130, 140, 150)]  # the last input ends at 180
    assert at("train 100 180", geometry, stride=13) == [("train", s) for s in (110, 123, 136, 149)]
    assert at("train 100 180", geometry, stride=45) == [("train", 110)]
    # Valid and test have their own.
    assert at("valid 100 180", geometry, stride=5) == [
        ("valid", 110),
        ("valid", 130),
        ("valid", 150),
    ]
    assert at("test 100 180", geometry, eval_stride=21) == [("test", 110), ("test", 131)]
    # At a contig's end the first target that reaches it is the last.
    assert [s for _, s in at("train 940 1000", geometry, stride=0.5)] == [950, 960, 970, 980]
    assert [s for _, s in at("train 935 1000", geometry, stride=0.5)] == [945, 955, 965, 975, 985]
    assert [s for _, s in at("train 935 1000", geometry, stride=50)] == [945, 995]
    assert [s for _, s in at("train 930 1000", geometry, stride=60)] == [940]


def test_windows_begin_at_multiples_of_the_snap() -> None:
    geometry = Geometry(40, 10, 1)
    assert [s for _, s in at("train 101 180", geometry, snap=4)] == [112, 132]
    assert [s for _, s in at("train 101 180", geometry, snap=20)] == [120, 140]
    found = [s for _, s in at("train 101 999", geometry, train_starts="random", snap=5)]
    assert found
    assert {s % 5 for s in found} == {0}
    assert min(found) >= 111


def test_the_published_strides() -> None:
    """Windows of the release: 65,599 bp apart for training, 114,689 for validation and test."""
    geometry = Geometry(131_072, 128, 64)
    intervals = {"train": [Interval("a", 0, 786_432)], "test": [Interval("a", 786_432, 1_572_864)]}
    placed = place_windows(
        intervals, {"a": 2_000_000}, geometry, stride=65_599, eval_stride=114_689
    )
    inputs = {
        split: [geometry.input_interval(w.start) for w in placed if w.split == split]
        for split in intervals
    }
    train = [start for start, _ in inputs["train"]]
    assert set(np.diff(train)) == {65_599}
    assert inputs["train"][0][1] - inputs["train"][1][0] == 65_473  # neighbours share so many bp
    test = [w.start for w in placed if w.split == "test"]
    assert set(np.diff(test)) == {114_689}  # the targets' 114,688 bp do not overlap
    assert all(e <= 786_432 for _, e in inputs["train"])
    assert inputs["test"][0] == (786_432, 786_432 + 131_072)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stride": 0}, "--stride: 0; expected up to 1 a fraction of the target's length"),
        ({"stride": -3}, "--stride: -3; expected"),
        ({"stride": float("nan")}, "--stride: nan; expected"),
        ({"eval_stride": float("inf")}, "--eval-stride: inf; expected"),
        ({"eval_stride": 20.5}, "--eval-stride: 20.5; expected a whole number of bp above 1"),
        ({"stride": 0.001}, "--stride: 0.001; expected"),  # less than a base
        ({"stride": 18, "snap": 4}, "--stride: a stride of 18 bp; expected a multiple of --snap 4"),
        ({"snap": 0}, "--snap: 0; expected 1 bp or more"),
    ],
)
def test_strides_that_are_none(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError) as caught:
        at("train 100 180", Geometry(40, 10, 1), **options)
    assert message in str(caught.value)


def test_intervals_that_hold_no_window_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    splits = {
        "train": [Interval("a", 100, 139), Interval("a", 200, 240), Interval("a", 300, 310)],
        "test": [Interval("a", 400, 440)],
    }
    with caplog.at_level(logging.INFO, logger="ft_s2a"):
        place_windows(splits, {"a": 900}, Geometry(40, 10, 1))
    assert [r.getMessage() for r in caplog.records] == [
        "train: 2 of 3 intervals are too short for a window and hold none "
        "(49 bp in all, 39 bp at most, an input has 40)"
    ]


def test_a_gap_may_leave_no_room() -> None:
    geometry = Geometry(40, 10, 1)
    gap = Interval("a", 120, 125)
    assert at("train 100 180", geometry, gaps=[gap]) == [("train", 135)]
    with pytest.raises(DataError, match=r"longest interval between gaps a:125-160 has 35 bp"):
        at("train 100 160", geometry, gaps=[gap])
    with pytest.raises(DataError, match=r"the train split lies in gaps wholly"):
        at("train 121 124", geometry, gaps=[gap])
    # A gap at the contig's end is no end: nothing reaches into it.
    assert at("train 900 1000", geometry, gaps=[Interval("a", 950, 1000)]) == [("train", 910)]
    assert [s for _, s in at("train 0 99", geometry, gaps=[Interval("a", 0, 10)])] == [20, 40, 60]


def test_windows_that_are_mostly_unmappable_are_dropped(caplog: pytest.LogCaptureFixture) -> None:
    geometry = Geometry(60, 10, 1)  # four bins
    bad = {101, 102, 151}

    def unmappable(chrom: str, start: int, end: int) -> NDArray[np.bool_]:
        assert chrom == "a"
        return np.array(
            [b // 10 in {p // 10 for p in bad} for p in [0] for b in range(start, end, 10)]
        )

    options: dict[str, Any] = {"unmappable": unmappable}
    assert [s for _, s in at("train 80 200", geometry)] == [90, 130]
    # One of four bins of each.
    assert [s for _, s in at("train 80 200", geometry, **options)] == [90, 130]
    with caplog.at_level(logging.INFO, logger="ft_s2a"):
        bad |= {111}
        assert [s for _, s in at("train 80 200", geometry, **options)] == [130]
    assert [r.getMessage() for r in caplog.records] == [
        "train: 1 of 2 windows are dropped, unmappable in at least 0.5 of their bins"
    ]
    assert len(at("train 80 200", geometry, unmappable_limit=0.51, **options)) == 2
    with pytest.raises(DataError, match=r"each of the 2 windows of the train split is unmappable"):
        at("train 80 200", geometry, unmappable_limit=0.2, **options)
    with pytest.raises(DataError, match=r"an unmappable fraction of 0; expected above 0, up to 1"):
        at("train 80 200", geometry, unmappable_limit=0.0, **options)
