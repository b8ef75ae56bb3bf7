from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ft_s2a.data import blocks as blocking
from ft_s2a.data.blocks import (
    cut_at_gaps,
    divide,
    divide_into_folds,
    make_blocks,
    read_gaps,
    runs_of_n,
)
from ft_s2a.errors import ContigError, DataError, FormatError, FtS2aError
from ft_s2a.genome.fasta import Genome
from ft_s2a.geometry import Interval

SIZES = {"b": 300, "a": 1000}

intervals = st.builds(
    lambda chrom, start, length: Interval(chrom, start, min(start + length, SIZES[chrom])),
    st.sampled_from(["a", "b"]),
    st.integers(0, 290),
    st.integers(1, 200),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(intervals, max_size=6), st.integers(1, 60), st.integers(0, 200))
def test_blocks_are_what_is_between_gaps_and_long_enough(
    gaps: list[Interval], shortest: int, more: int
) -> None:
    longest = 2 * shortest + more
    found = make_blocks(SIZES, gaps, shortest=shortest, longest=longest)
    assert found == sorted(found, key=lambda i: (list(SIZES).index(i.chrom), i.start))
    for chrom, length in SIZES.items():
        free = "".join(
            "." if any(g.chrom == chrom and g.start <= p < g.end for g in gaps) else "x"
            for p in range(length)
        )
        expected = re.sub("x+", lambda m: m[0] if len(m[0]) >= shortest else "." * len(m[0]), free)
        times = np.zeros(length, int)
        for block in found:
            if block.chrom == chrom:
                times[block.start : block.end] += 1
        assert "".join(".x"[t] for t in times) == expected  # each base at most once
    for block in found:
        assert shortest <= len(block) <= longest


def test_long_pieces_are_halved() -> None:
    found = make_blocks({"a": 3_000_001}, shortest=1, longest=786_432)
    assert [i.start for i in found] == [0, 750_000, 1_500_000, 2_250_000]
    # One base above the limit is enough, and the limit itself is none too long.
    assert len(make_blocks({"a": 786_432})) == 1
    assert [len(i) for i in make_blocks({"a": 786_433})] == [393_216, 393_217]


@pytest.mark.parametrize(
    ("shortest", "longest", "message"),
    [
        (1001, 3000, "g.fa: no contig is long enough: the longest piece without a gap has 900 bp"),
        (10, 19, "blocks of 10 to 19 bp cannot be made by halving; expected"),
        (0, 19, "a shortest of 1 or more"),
    ],
)
def test_blocks_that_cannot_be_made(shortest: int, longest: int, message: str) -> None:
    with pytest.raises(DataError) as caught:
        make_blocks(SIZES, [Interval("a", 900, 910)], shortest=shortest, longest=longest, of="g.fa")
    assert message in str(caught.value)


def test_a_genome_that_is_all_gaps_has_no_block() -> None:
    with pytest.raises(DataError, match=r"the longest piece without a gap has 0 bp"):
        make_blocks({"a": 5}, [Interval("a", 0, 5)], shortest=1, longest=2)


def test_gaps_are_cut_out_of_each_interval() -> None:
    gaps = [Interval("a", 5, 7), Interval("a", 0, 2), Interval("b", 0, 9)]
    found = cut_at_gaps([Interval("b", 0, 9), Interval("a", 1, 9), Interval("c", 0, 3)], gaps)
    assert [str(i) for i in found] == ["a:2-5", "a:7-9", "c:0-3"]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.text("ACNnR", min_size=1, max_size=40), min_size=1, max_size=3),
    st.integers(1, 4),
    st.integers(1, 12),
)
def test_runs_of_n_are_found_across_pieces(
    tmp_path_factory: pytest.TempPathFactory, contigs: list[str], shortest: int, step: int
) -> None:
    path = tmp_path_factory.mktemp("fasta") / "g.fa"
    path.write_text("".join(f">c{i}\n{letters}\n" for i, letters in enumerate(contigs)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocking, "_STEP", step)
        found = runs_of_n(Genome(path), shortest)
    expected = [
        Interval(f"c{i}", m.start(), m.end())
        for i, letters in enumerate(contigs)
        for m in re.finditer(r"[Nn]+", letters)
        if m.end() - m.start() >= shortest
    ]
    assert found == expected


def test_gaps_on_foreign_contigs_are_left_out(tmp_path: Path) -> None:
    bed = tmp_path / "gaps.bed"
    bed.write_text("a\t0\t10\tN\tcentromere\nalt_1\t0\t99\n\nb\t5\t300\n")
    assert read_gaps(bed, SIZES, of="g.fa") == [Interval("a", 0, 10), Interval("b", 5, 300)]


@pytest.mark.parametrize(
    ("rows", "kind", "message"),
    [
        ("a\t0\t5\nchra\t0\t10\n", ContigError, "row 2: contig 'chra' is not in g.fa, which calls"),
        ("alt\t0\t10\n", ContigError, "row 1: contig 'alt' is not in g.fa; "),
        ("a\t0\t5\nb\t0\t301\n", ContigError, "row 2: the gap b:0-301 reaches past the end of 'b'"),
        ("585\ta\t0\t10\n", FormatError, "row 1 is '585"),
        ("a\t9\t9\n", FormatError, "row 1: a:9-9 holds no base"),
    ],
)
def test_mistakes_in_gaps_are_explained(
    tmp_path: Path, rows: str, kind: type[FtS2aError], message: str
) -> None:
    bed = tmp_path / "gaps.bed"
    bed.write_text(rows)
    with pytest.raises(kind) as caught:
        read_gaps(bed, SIZES, of="g.fa")
    assert message in str(caught.value)
    assert "gaps.bed" in str(caught.value)


lengths = st.lists(st.integers(1, 500), min_size=1, max_size=60)


@settings(max_examples=100, deadline=None)
@given(lengths, st.floats(0, 0.4), st.floats(0.01, 0.5), st.floats(0.1, 0.5), st.integers(0, 99))
def test_no_split_exceeds_its_share_or_lacks_what_is_left(
    lengths: list[int], valid: float, test: float, skip: float, seed: int
) -> None:
    shares = {"valid": valid, "test": test}
    labels = divide(lengths, shares, skip=skip, seed=seed)
    assert set(labels) <= {"train", "valid", "test"}
    assert labels == divide(lengths, shares, skip=skip, seed=seed)
    left = [n for n, label in zip(lengths, labels, strict=True) if label == "train"]
    for name, share in shares.items():
        got = sum(n for n, label in zip(lengths, labels, strict=True) if label == name)
        lacks = share * sum(lengths) - got
        assert lacks > -0.5  # rounded to whole bases
        assert not left or lacks < min(left)


def test_seeds_choose_differently_and_evenly() -> None:
    chosen = np.array(
        [
            [label == "test" for label in divide([7] * 40, {"valid": 0.2, "test": 0.25}, seed=seed)]
            for seed in range(400)
        ]
    )
    assert (chosen.sum(axis=1) == 10).all()
    # Each unit is as likely as the others: 400 draws at 1/4, five standard deviations.
    assert np.abs(chosen.mean(axis=0) - 0.25).max() < 5 * np.sqrt(0.25 * 0.75 / 400)


def test_a_unit_too_long_for_a_split_is_skipped() -> None:
    # Two units of 60 % of what valid may have: either fits, but both exceed skip x what it lacks.
    labels = divide([600, 600, *[10] * 880], {"valid": 0.1}, skip=0.5, seed=3)
    assert labels[:2] == ["train", "train"]
    assert labels.count("valid") == 100


@settings(max_examples=100, deadline=None)
@given(lengths, st.integers(2, 12), st.integers(0, 99))
def test_folds_are_balanced_to_one_unit(lengths: list[int], folds: int, seed: int) -> None:
    labels = divide_into_folds(lengths, folds, seed=seed)
    got = [
        sum(n for n, label in zip(lengths, labels, strict=True) if label == f"fold{index}")
        for index in range(folds)
    ]
    assert sum(got) == sum(lengths)
    aim = sum(lengths) / folds
    assert all(abs(value - aim) <= max(lengths) + 1 for value in got)


def test_folds_depend_on_the_seed_alone() -> None:
    first, again, other = (divide_into_folds([5] * 40, 4, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert {first.count(f"fold{i}") for i in range(4)} == {10}
    assert any(a != b for a, b in pairwise(first))


@pytest.mark.real_data
def test_the_gaps_of_the_human_chromosome_1(mirror: Path) -> None:
    """As UCSC's table of gaps has them, in its first million bases."""
    genome = Genome(mirror / "genome_chunks" / "hg38_chr1_first_1Mb.fa.gz")
    gaps = [(i.start, i.end) for i in runs_of_n(genome)]
    assert gaps == [(0, 10_000), (207_666, 257_666), (297_968, 347_968), (535_988, 585_988)]
