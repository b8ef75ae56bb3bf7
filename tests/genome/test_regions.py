"""BED files and loci, right and wrong."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from ft_s2a.errors import ContigError, FormatError, FtS2aError, MissingFileError
from ft_s2a.genome.regions import open_text, read_bed, resolve_regions
from ft_s2a.geometry import Interval

SIZES = {"II": 1000, "IV": 500, "HLA-A*01:01": 60}


def bed(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "a.bed"
    path.write_text(text)
    return path


def test_columns(tmp_path: Path) -> None:
    path = bed(
        tmp_path,
        "browser position II:1-100\ntrack name=x\n# comment\n\n"
        "II\t0\t10\n"
        "II\t5\t6\tgene\n"
        "IV\t7\t9\tgene 2\t960\t-\n"
        "IV 1 2 blank 0 +\r\n"
        "tracks_1\t3\t4\t\t.\t?\t3\t4\t0\n",
    )
    assert read_bed(path) == [
        Interval("II", 0, 10),
        Interval("II", 5, 6, "gene"),
        Interval("IV", 7, 9, "gene 2", "-"),
        Interval("IV", 1, 2, "blank", "+"),
        Interval("tracks_1", 3, 4),
    ]


def test_packed(tmp_path: Path) -> None:
    path = tmp_path / "a.bed.gz"
    path.write_bytes(gzip.compress(b"II\t0\t10\n"))
    assert read_bed(path, SIZES) == [Interval("II", 0, 10)]
    assert open_text(path) == ["II\t0\t10"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no region"),
        ("# only\ntrack x\n", "holds no region"),
        ("II\t0\n", "row 1 is 'II\\t0'"),
        ("II\t0\t10\nchrom\tstart\tend\n", "row 2 is 'chrom\\tstart\\tend'"),
        ("II\t0\t1e3\n", "row 1 is"),
        ("II\t0\t²\n", "row 1 is"),
        ("\t0\t10\n", "row 1 is"),
        ("II\t10\t10\n", "row 1: II:10-10 holds no base"),
        ("II\t10\t9\n", "row 1: II:10-9 holds no base"),
        ("II\t-5\t10\n", "row 1: II:-5-10 holds no base; expected 0 <= start < end"),
        (">II\nACGT\n", "row 1 is '>II'"),
        ("II,0,10\n", "row 1 is 'II,0,10'"),
    ],
)
def test_rows_that_are_wrong(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(FormatError, match=re.escape(words)) as caught:
        read_bed(bed(tmp_path, text))
    assert "a.bed" in str(caught.value)


def test_contigs_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ContigError, match=r"a\.bed, row 2: contig 'chrII' .* calls it 'II'"):
        read_bed(bed(tmp_path, "II\t0\t5\nchrII\t0\t10\n"), SIZES)
    with pytest.raises(
        ContigError, match=r"a\.bed, row 2: II:0-1001 reaches past .* 1,000 bp in g\.fa"
    ):
        read_bed(bed(tmp_path, "II\t0\t1000\nII\t0\t1001\n"), SIZES, of="g.fa")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"a\.bed: no such BED file"):
        read_bed(tmp_path / "a.bed")


def test_regions_from_everywhere(tmp_path: Path) -> None:
    path = bed(tmp_path, "IV\t0\t5\tx\n")
    assert resolve_regions(SIZES) == [Interval(name, 0, size) for name, size in SIZES.items()]
    assert resolve_regions(
        SIZES, bed=path, chroms=["II"], loci=["IV:1-5", "HLA-A*01:01", "HLA-A*01:01:0-7"]
    ) == [
        Interval("IV", 0, 5, "x"),
        Interval("II", 0, 1000),
        Interval("IV", 1, 5),
        Interval("HLA-A*01:01", 0, 60),
        Interval("HLA-A*01:01", 0, 7),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("chrII", "region 'chrII': contig 'chrII' is not in the genome, which calls it 'II'"),
        ("V:0-5", "region 'V:0-5': contig 'V' is not in the genome"),
        ("II:0-1001", "region 'II:0-1001': II:0-1001 reaches past the end of 'II'"),
        ("II:5-5", "the region 'II:5-5' holds no base"),
        ("II:x-y", "cannot read the region 'II:x-y'"),
    ],
)
def test_loci_that_are_wrong(text: str, words: str) -> None:
    with pytest.raises(FtS2aError, match=re.escape(words)):
        resolve_regions(SIZES, loci=[text])
