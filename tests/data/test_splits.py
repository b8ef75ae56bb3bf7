from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from ft_s2a.data import parse_splits
from ft_s2a.data.splits import check_no_leak, fold_names, splits_to_bed
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
        ("I\t0\t100\n", "row 1: I:0-100 is of split '.'"),
        ("I\t0\t9\ttest\n\nI\t9\t10\ttain\n", "row 3: I:9-10 is of split 'tain'; expected train"),
        ("I\t0\t9\tfold1\nI\t9\t10\n", "row 2: I:9-10 is of split '.'"),
        ("I\t0\t9\tfold10\nI\t9\t10\tfold2\n", "has the labels fold2, fold10; expected train"),
        ("I\t0\t9\tfold10\nI\t9\t10\tfold2\n", "--folds test=fold2,valid=fold10,train=rest"),
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


def test_windows_of_one_split_are_joined_where_they_overlap(tmp_path: Path) -> None:
    bed = tmp_path / "sequences.bed"
    bed.write_text(
        "II\t0\t60\ttrain\nI\t40\t100\ttrain\nI\t0\t60\ttrain\nI\t100\t160\ttrain\n"
        "I\t160\t200\ttest\nI\t200\t230\ttest\n"
    )
    assert shown(str(bed)) == {
        "train": ["I:0-100", "I:100-160", "II:0-60"],  # what only touches stays apart
        "test": ["I:160-200", "I:200-230"],
    }


def test_folds_become_splits(tmp_path: Path) -> None:
    bed = tmp_path / "sequences.bed.gz"
    rows = ["I\t0\t60\tfold0", "II\t0\t50\tfold3", "I\t40\t100\tfold0", "I\t100\t160\tfold2"]
    rows += ["I\t160\t200\tfold1", "I\t200\t230\tfold10", "II\t50\t90\tfold4"]
    bed.write_bytes(gzip.compress("\n".join(rows).encode()))

    def read(folds: str) -> dict[str, list[str]]:
        splits = parse_splits(str(bed), SIZES, folds=folds)
        return {name: [str(i) for i in kept] for name, kept in splits.items()}

    assert read("test=fold3,valid=fold1+fold4,train=rest") == {
        "train": ["I:0-160", "I:200-230"],
        "test": ["II:0-50"],
        "valid": ["I:160-200", "II:50-90"],
    }
    # What no split names is left out.
    assert read("test=fold3, train=fold0") == {"train": ["I:0-100"], "test": ["II:0-50"]}


LABELS = ["fold10", "fold2", "fold1", "fold2"]


def test_each_label_gets_its_split() -> None:
    assert fold_names("test=fold2,valid=fold1,train=rest", LABELS) == {
        "fold10": "train",
        "fold2": "test",
        "fold1": "valid",
    }
    assert fold_names("test=fold2+fold1", LABELS) == {"fold2": "test", "fold1": "test"}
    assert fold_names("test=train,train=test", ["train", "test"]) == {
        "train": "test",
        "test": "train",
    }
    assert fold_names(None, ["valid", "test", "valid"]) == {"valid": "valid", "test": "test"}
    assert fold_names(None, []) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "a.bed: has the labels fold1, fold2, fold10; expected train, valid or test"),
        ("test=fold3,train=rest", "'fold3' does not occur in a.bed; did you mean 'fold"),
        ("test=fold1,validd=fold2", "unknown split 'validd'; did you mean 'valid'?"),
        ("test=fold1,train", "'train' is no split; expected SPLIT=FOLD"),
        ("", "'' is no split"),
        ("test=", "'test=' is no split"),
        ("test=fold1+,train=rest", "'' does not occur in a.bed"),
        ("test=fold1,train=fold1", "'fold1' is named twice"),
        ("test=rest,train=rest", "'rest' is all that is left"),
        ("test=fold1+rest", "'rest' is all that is left; expected test=rest, once"),
        ("test=fold1+fold2+fold10,train=rest", "nothing is left for train=rest"),
    ],
)
def test_mistakes_in_a_choice_of_folds_are_explained(text: str | None, message: str) -> None:
    with pytest.raises(DataError) as caught:
        fold_names(text, LABELS, where="a.bed")
    assert message in str(caught.value)


def test_folds_need_a_bed_file() -> None:
    with pytest.raises(DataError, match=r"--folds: the split 'test=I' has no folds; expected"):
        parse_splits("test=I", SIZES, folds="test=fold0")


def test_folds_beside_splits_are_refused() -> None:
    with pytest.raises(DataError, match=r"a.bed: has the label 'fold0' beside splits"):
        fold_names(None, ["train", "fold0"], where="a.bed")


def test_written_as_bed_they_read_back(tmp_path: Path) -> None:
    splits = parse_splits("test=II,valid=I:100-200,train=rest", SIZES)
    bed = tmp_path / "s.bed"
    bed.write_text(splits_to_bed(splits))
    assert parse_splits(str(bed), SIZES) == splits


def test_a_leak_is_refused_with_both_intervals() -> None:
    check_no_leak([Interval("I", 0, 10)], [Interval("I", 10, 20), Interval("II", 0, 10)], what="x")
    with pytest.raises(GeometryError, match=r"x: I:0-11 overlaps I:10-20"):
        check_no_leak([Interval("I", 0, 11)], [Interval("I", 10, 20)], what="x")
