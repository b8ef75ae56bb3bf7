"""What is said when two files disagree about contigs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ft_s2a.errors import ContigError, FormatError, MissingFileError
from ft_s2a.genome.contigs import check_contig, check_sizes, read_sizes, same_contig

YEAST = {"I": 230_218, "II": 813_184, "IX": 439_888, "X": 745_751, "XVI": 948_066, "Mito": 85_779}
HUMAN = {"chr1": 248_956_422, "chr2": 242_193_529, "chr10": 1, "chrX": 156_040_895, "chrM": 16_569}


@pytest.mark.parametrize(
    ("name", "names", "partner"),
    [
        ("chrII", YEAST, "II"),
        ("chr2", YEAST, "II"),
        ("2", YEAST, "II"),
        ("chr16", YEAST, "XVI"),
        ("chr9", YEAST, "IX"),
        ("chrX", YEAST, "X"),
        ("chrM", YEAST, "Mito"),
        ("chrmt", YEAST, "Mito"),
        ("MtDNA", HUMAN, "chrM"),
        ("MT", HUMAN, "chrM"),
        ("1", HUMAN, "chr1"),
        ("Chr01", HUMAN, "chr1"),
        ("X", HUMAN, "chrX"),
        ("CHR2", HUMAN, "chr2"),
        ("chr10", {"X": 1}, None),  # X stays the sex chromosome
        ("chr3", HUMAN, None),
        ("chr22", HUMAN, None),
        ("IIII", {"4": 1}, None),  # no numeral
        ("VX", {"5": 1}, None),
        ("XL", {"40": 1}, "40"),
        ("XXXIX", {"39": 1}, "39"),
        ("chr", {"chrM": 1, "0": 1}, None),
    ],
)
def test_other_names_of_a_contig(name: str, names: dict[str, int], partner: str | None) -> None:
    assert same_contig(name, names) == partner


def test_a_contig_that_is_there() -> None:
    assert check_contig("II", YEAST, where="a.bed", of="g.fa") == 813_184


def test_a_contig_under_another_name() -> None:
    with pytest.raises(ContigError) as caught:
        check_contig("chrII", YEAST, where="a.bed, row 3", of="g.fa")
    assert str(caught.value) == (
        "a.bed, row 3: contig 'chrII' is not in g.fa, which calls it 'II'; "
        "rename the contigs of one file ('chrII' to 'II', and so on)"
    )


def test_a_near_miss_and_a_far_one() -> None:
    with pytest.raises(ContigError, match=r"did you mean 'chr10'\?"):
        check_contig("chr100", HUMAN, where="a.bed", of="g.fa")
    with pytest.raises(ContigError, match="known: chr1, chr2, chr10, chrX, chrM"):
        check_contig("NC_001133.9", HUMAN, where="a.bed", of="g.fa")


def test_sizes_that_agree() -> None:
    check_sizes({"II": 813_184}, YEAST, where="a.bw", of="g.fa")
    check_sizes({"II": 813_184, "other": 5}, YEAST, where="a.bw", of="g.fa")
    check_sizes(YEAST, YEAST, where="a.bw", of="g.fa", contigs=["II", "X"])


def test_another_assembly_is_told() -> None:
    hg19 = {"chr1": 249_250_621}
    with pytest.raises(ContigError) as caught:
        check_sizes(hg19, HUMAN, where="a.bw", of="hg38.fa")
    assert str(caught.value) == (
        "a.bw: contig 'chr1' is 249,250,621 bp long, but 248,956,422 bp in hg38.fa; "
        "the files belong to different assemblies: use files of one assembly"
    )


def test_no_contig_in_common() -> None:
    with pytest.raises(ContigError, match=r"a\.bw: contig 'chrII' is not in g\.fa, which calls"):
        check_sizes({"chrII": 813_184}, YEAST, where="a.bw", of="g.fa")
    with pytest.raises(ContigError, match=r"a\.bw: contig 'chr7' is not in g\.fa"):
        check_sizes({"chr7": 5}, YEAST, where="a.bw", of="g.fa")
    with pytest.raises(ContigError, match=r"a\.bw: holds no contig"):
        check_sizes({}, YEAST, where="a.bw", of="g.fa")


def test_contigs_that_are_needed() -> None:
    with pytest.raises(ContigError, match=r"g\.fa: contig 'X' is not in a\.bw"):
        check_sizes({"II": 813_184}, YEAST, where="a.bw", of="g.fa", contigs=["II", "X"])
    with pytest.raises(ContigError, match=r"a\.bw: contig 'chrX' is not in g\.fa"):
        check_sizes({"chrX": 5}, YEAST, where="a.bw", of="g.fa", contigs=["chrX"])


def test_sizes_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "chrom.sizes"
    path.write_text("# UCSC\nII\t813184\r\n\nMito 85779\n2-micron\t6318\t58\t60\t61\none\t1\n")
    assert list(read_sizes(path).items()) == [
        ("II", 813_184),
        ("Mito", 85_779),
        ("2-micron", 6318),
        ("one", 1),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no contig"),
        ("II\n", "row 1 is 'II'"),
        ("II\t5\nIV\tlong\n", "row 2 is"),
        ("II\t-5\n", "row 1 is"),
        ("II\t0\n", "row 1 is"),
        ("II\t5.0\n", "row 1 is"),
        ("II\t5\nII\t5\n", "row 2: contig 'II' occurs twice"),
        (">II\nACGT\n", "row 1 is '>II'"),
    ],
)
def test_sizes_that_are_wrong(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "chrom.sizes").write_text(text)
    with pytest.raises(FormatError, match=re.escape(words)) as caught:
        read_sizes(tmp_path / "chrom.sizes")
    assert "chrom.sizes" in str(caught.value)


def test_sizes_that_are_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such chromosome sizes file"):
        read_sizes(tmp_path / "chrom.sizes")
