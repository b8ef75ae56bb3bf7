from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from ft_s2a.browser.genes import Gene, read_genes
from ft_s2a.errors import ContigError, FormatError, MissingFileError
from ft_s2a.geometry import Interval

SIZES = {"II": 10_000, "I": 5_000}

GTF = """#!genome-build toy
I\tx\tgene\t101\t900\t.\t-\t.\tgene_id "g1"; gene_name "ABC 1";
I\tx\ttranscript\t101\t900\t.\t-\t.\tgene_id "g1"; transcript_id "t1";
I\tx\texon\t101\t200\t.\t-\t.\tgene_id "g1"; transcript_id "t1"; exon_number 1;
I\tx\texon\t151\t300\t.\t-\t.\tgene_id "g1"; transcript_id "t2";
I\tx\texon\t801\t900\t.\t-\t.\tgene_id "g1"; transcript_id "t1";
II\tx\tgene\t1\t50\t.\t+\t.\tgene_id "g2";
"""

GFF3 = """##gff-version 3
I\tx\tgene\t101\t900\t.\t-\t.\tID=gene:g1;Name=ABC%3B1
I\tx\tmRNA\t101\t900\t.\t-\t.\tID=t1;Parent=gene:g1
I\tx\texon\t101\t300\t.\t-\t.\tParent=t1
I\tx\texon\t801\t900\t.\t-\t.\tParent=t1
##FASTA
>I
"""


def read(tmp_path: Path, name: str, text: str, **sizes: int) -> list[Gene]:
    path = tmp_path / name
    path.write_text(text)
    return read_genes(path, sizes or SIZES, of="toy.fa")


def test_gtf_is_collapsed_to_one_model_per_gene(tmp_path: Path) -> None:
    second, first = read(tmp_path, "a.gtf", GTF)
    # 1-based closed becomes 0-based half-open; contigs come in the order of the genome.
    assert second == Gene(Interval("II", 0, 50, "g2", "+"), ((0, 50),))
    assert first == Gene(Interval("I", 100, 900, "ABC", "-"), ((100, 300), (800, 900)))
    assert first.to_bed12() == ("I\t100\t900\tABC\t0\t-\t100\t900\t0\t2\t200,100\t0,700")


def test_gff3_follows_parents(tmp_path: Path) -> None:
    (gene,) = read(tmp_path, "a.gff3", GFF3)
    assert gene == Gene(Interval("I", 100, 900, "ABC;1", "-"), ((100, 300), (800, 900)))


def test_untyped_rows_and_exons_alone_are_genes_too(tmp_path: Path) -> None:
    (untyped,) = read(
        tmp_path, "a.gff", "I\t.\t.\t11\t20\t.\t+\t.\tname=YAL1 (TFC3 FUN24);tss=11\n"
    )
    assert untyped == Gene(Interval("I", 10, 20, "YAL1", "+"), ((10, 20),))
    exons = "".join(
        f'I\tx\texon\t{a}\t{b}\t.\t+\t.\tgene_id "g"; transcript_id "t";\n'
        for a, b in ((1, 10), (21, 30))
    )
    (gene,) = read(tmp_path, "b.gtf", exons)
    assert gene == Gene(Interval("I", 0, 30, "g", "+"), ((0, 10), (20, 30)))


def test_exons_that_end_inside_the_gene_still_give_valid_bed12(tmp_path: Path) -> None:
    whole = 'I\tx\tgene\t51\t1000\t.\t-\t.\tgene_id "g1";'
    text = "\n".join([whole, *GTF.splitlines()[2:]])
    gene = read(tmp_path, "a.gtf", text)[1]
    assert (gene.blocks[0][0], gene.blocks[-1][1]) == (50, 1000)


@pytest.mark.parametrize(
    ("row", "gene"),
    [
        ("I\t5\t9", Gene(Interval("I", 5, 9), ((5, 9),))),
        ("I 5 9 a", Gene(Interval("I", 5, 9, "a"), ((5, 9),))),
        ("I\t5\t9\ta\t0\t-", Gene(Interval("I", 5, 9, "a", "-"), ((5, 9),))),
        ("I\t5\t9\ta\t+", Gene(Interval("I", 5, 9, "a", "+"), ((5, 9),))),
        (
            "I\t5\t90\ta\t0\t+\t5\t9\t0\t2\t4,10,\t0,75,",
            Gene(Interval("I", 5, 90, "a", "+"), ((5, 9), (80, 90))),
        ),
    ],
)
def test_bed_of_3_to_12_columns(tmp_path: Path, row: str, gene: Gene) -> None:
    assert read(tmp_path, "a.bed", f"#chrom\n{row}\n") == [gene]


def test_packed_file(tmp_path: Path) -> None:
    path = tmp_path / "a.bed.gz"
    path.write_bytes(gzip.compress(b"I\t5\t9\n"))
    assert len(read_genes(path, SIZES, of="toy.fa")) == 1


def test_many_long_attributes_take_no_time(tmp_path: Path) -> None:
    attributes = ";".join(f"key{i}=value" for i in range(2000))
    assert (
        len(read(tmp_path, "a.gff", f"I\t.\tgene\t1\t5\t.\t+\t.\tID=a;{attributes}\n" * 50)) == 50
    )


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.bed", "", "holds no gene"),
        ("a.bed", "I\t9\t5\n", "row 1: cannot be read"),
        ("a.bed", "#\nI\tx\t5\n", "row 2: cannot be read"),
        ("a.bed", "I\t5\t90\ta\t0\t+\t5\t9\t0\t2\t4,10\t0\n", "row 1: cannot be read"),
        ("a.gff", "I\tx\tgene\t5\n", "row 1 is .*nine tab-separated"),
        ("a.gtf", 'I\tx\tgene\t9\t5\t.\t+\t.\tgene_id "a"\n', "row 1"),
        ("a.txt", "I\t1\t5\n", "'.txt'.*expected .bed, .gtf"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read(tmp_path, name, text)


def test_contigs_that_differ_are_explained(tmp_path: Path) -> None:
    with pytest.raises(ContigError, match=r"'chrII' is not in toy.fa, which calls it 'II'"):
        read(tmp_path, "a.bed", "chrM\t5\t9\nchrII\t5\t9\n")
    with pytest.raises(ContigError, match=r"I:5-6000.*past the contig's end at 5,000 bp"):
        read(tmp_path, "a.bed", "I\t5\t6000\n")
    with pytest.raises(MissingFileError, match="no such annotation"):
        read_genes(tmp_path / "none.bed", SIZES, of="toy.fa")
