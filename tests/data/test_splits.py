from __future__ import annotations

from pathlib import Path

import pytest

from ft_s2a.data import parse_splits
from ft_s2a.data.splits import check_no_leak, splits_to_bed
from ft_s2a.errors import ContigError, DataError, FtS2aError, GeometryError
from ft_s2a.geometry import Interval

SIZES = {"I": 1000, "II": 500, "HLA:A*01": 300}


def shown(text: str) -> dict[str, list[str]]:
    return {name: [str(i) for i in kept] for name, kept in parse_splits(text, SIZES).items()}


def test_contigs_spans_sums_and_the_rest() -> None:
    assert shown("test=II,valid=I:100-200+I:400-500,train=rest") == {
        "test": ["II:0-500"],
        "valid": ["I:100-200", "I:400-500"],
        "train": ["I:0-100", "I:200-400", "I:500-1000", "HLA:A*01:0-300"],
    }


def test_blanks_and_commas_in_numbers_do_not_matter() -> None:
    assert shown(" test = II , valid= I:0-1_00 ") == {"test": ["II:0-500"], "valid": ["I:0-100"]}


def test_contig_names_may_hold_colons() -> None:
    assert shown("train=HLA:A*01+I,test=II") == {
        "train": ["HLA:A*01:0-300", "I:0-1000"],
        "test": ["II:0-500"],
    }
    assert shown("train=HLA:A*01:5-9") == {"train": ["HLA:A*01:5-9"]}


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("test=II,validd=I", DataError, "unknown split 'validd'; did you mean 'valid'?"),
        ("test=", DataError, "'test=' is no split; expected NAME=REGION"),
        ("test=II,", DataError, "'' is no split"),
        ("=II", DataError, "unknown split ''"),
        ("train=rest,valid=rest", DataError, "'rest' is named twice"),
        ("train=I+II+HLA:A*01,valid=rest", DataError, "nothing is left for valid=rest"),
        ("train=I:0-10+rest", DataError, "'rest' is all that is left; expected train=rest"),
        ("train=chrII", ContigError, "calls it 'II'"),
        ("train=III", ContigError, "contig 'III' is not in"),
        ("train=II:0-501", ContigError, "reaches past the end of 'II', which has 500 bp"),
        ("train=II:9-9", GeometryError, "holds no base"),
        ("train=II:a-b", GeometryError, "cannot read the region"),
        ("train=I:0-100,test=I:99-200", DataError, "train I:0-100 and test I:99-200 overlap"),
        ("train=I+I:5-6", DataError, "overlap; expected splits that share no base"),
        ("test=I,train=I", DataError, "overlap"),
        ("", DataError, "'' is neither a split nor a BED file"),
        ("nowhere.bed", DataError, "'nowhere.bed' is neither a split nor a BED file"),
    ],
)
def test_mistakes_are_explained(text: str, kind: type[FtS2aError], message: str) -> None:
    with pytest.raises(kind) as caught:
        parse_splits(text, SIZES)
    assert message in str(caught.value)


def test_intervals_that_touch_do_not_overlap() -> None:
    assert shown("train=I:0-100,test=I:100-200") == {
        "train": ["I:0-100"],
        "test": ["I:100-200"],
    }


def test_a_bed_file_names_splits_in_column_4(tmp_path: Path) -> None:
    bed = tmp_path / "folds=a.bed"  # an equals sign in a path is no split
    bed.write_text("I\t0\t100\ttrain\nII\t5\t50\ttest\nI\t200\t300\ttrain\n")
    assert shown(str(bed)) == {"train": ["I:0-100", "I:200-300"], "test": ["II:5-50"]}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("I\t0\t100\tfold1\n", "is of split 'fold1'; expected train, valid or test in column 4"),
        ("I\t0\t100\n", "is of split '.'"),
        ("I\t0\t1001\ttrain\n", "row 1"),
        ("I\t0\t100\ttrain\nI\t50\t60\tvalid\n", "overlap"),
        ("", "holds no region"),
    ],
)
def test_mistakes_in_a_bed_file_are_explained(tmp_path: Path, rows: str, message: str) -> None:
    bed = tmp_path / "splits.bed"
    bed.write_text(rows)
    with pytest.raises(FtS2aError) as caught:
        parse_splits(str(bed), SIZES)
    assert message in str(caught.value)
    assert "splits.bed" in str(caught.value)


def test_written_as_bed_they_read_back(tmp_path: Path) -> None:
    splits = parse_splits("test=II,valid=I:100-200,train=rest", SIZES)
    bed = tmp_path / "s.bed"
    bed.write_text(splits_to_bed(splits))
    assert parse_splits(str(bed), SIZES) == splits


def test_a_leak_is_refused_with_both_intervals() -> None:
    check_no_leak([Interval("I", 0, 10)], [Interval("I", 10, 20), Interval("II", 0, 10)], what="x")
    with pytest.raises(GeometryError, match=r"x: I:0-11 overlaps I:10-20"):
        check_no_leak([Interval("I", 0, 11)], [Interval("I", 10, 20)], what="x")
