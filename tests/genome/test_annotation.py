"""Start sites from GTF, GFF3 and BED, in the styles of their makers."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pandas as pd
import pytest

from ft_s2a.errors import ContigError, FormatError, MissingFileError
from ft_s2a.genome.annotation import read_tss
from ft_s2a.genome.gff import gff_features, parse_attributes

SIZES = {"II": 10_000, "chr1": 100_000}

GENCODE_GTF = """\
##description: evidence-based annotation
chr1\tHAVANA\tgene\t101\t900\t.\t+\t.\tgene_id "G1.5"; gene_type "lncRNA"; gene_name "DDX; 1"; level 2;
chr1\tHAVANA\ttranscript\t151\t900\t.\t+\t.\tgene_id "G1.5"; transcript_id "T1.2"; gene_type "lncRNA"; gene_name "DDX; 1"; transcript_type "processed"; tag "basic"; tag "CCDS";
chr1\tHAVANA\texon\t151\t300\t.\t+\t.\tgene_id "G1.5"; transcript_id "T1.2"; exon_number 1;
chr1\tHAVANA\ttranscript\t101\t700\t.\t+\t.\tgene_id "G1.5"; transcript_id "T2.1"; gene_type "lncRNA"; gene_name "DDX; 1";
chr1\tHAVANA\tgene\t2000\t3000\t.\t-\t.\tgene_id "G2.1"; gene_type "protein_coding"; gene_name "WASH7P";
chr1\tHAVANA\ttranscript\t2000\t3000\t.\t-\t.\tgene_id "G2.1"; transcript_id "T3.1"; gene_type "protein_coding"; gene_name "WASH7P";
"""  # noqa: E501

ENSEMBL_GFF3 = """\
##gff-version 3
##sequence-region II 1 10000
#!genome-build R64-1-1
II\tR64-1-1\tchromosome\t1\t10000\t.\t.\t.\tID=chromosome:II;Alias=BK006936.2
###
II\tsgd\tgene\t2907\t5009\t.\t-\t.\tID=gene:YBL111C;Name=HEL%3B1;biotype=protein_coding;gene_id=YBL111C;logic_name=sgd
II\tsgd\tmRNA\t2907\t5000\t.\t-\t.\tID=transcript:YBL111C_mRNA;Parent=gene:YBL111C;biotype=x;transcript_id=YBL111C_mRNA
II\tsgd\texon\t4216\t5009\t.\t-\t.\tParent=transcript:YBL111C_mRNA;Name=YBL111C_mRNA-E1
###
II\tsgd\tncRNA_gene\t6000\t6100\t.\t+\t.\tID=gene:SNR1;biotype=snoRNA;gene_id=SNR1
II\tsgd\tsnoRNA\t6001\t6100\t.\t+\t.\tID=transcript:SNR1_t;Parent=gene:SNR1;transcript_id=SNR1_t
##FASTA
>II
ACGT
"""

REFSEQ_GFF3 = """\
##gff-version 3
chr1\tRefSeq\tregion\t1\t100000\t.\t+\t.\tID=chr1:1..100000;Dbxref=taxon:9606
chr1\tBestRefSeq\tpseudogene\t11874\t14409\t.\t+\t.\tID=gene-DDX11L1;gene=DDX11L1;gene_biotype=transcribed_pseudogene;Name=DDX11L1
chr1\tBestRefSeq\ttranscript\t11874\t14409\t.\t+\t.\tID=rna-NR_046018.2;Parent=gene-DDX11L1;gene=DDX11L1;transcript_id=NR_046018.2
chr1\tBestRefSeq\tgene\t17369\t17436\t.\t-\t.\tID=gene-MIR6859-1;gene=MIR6859-1;gene_biotype=miRNA;Name=MIR6859-1
chr1\tBestRefSeq\tprimary_transcript\t17369\t17436\t.\t-\t.\tID=rna-NR_106918.1;Parent=gene-MIR6859-1;transcript_id=NR_106918.1
chr1\tBestRefSeq\tmiRNA\t17369\t17391\t.\t-\t.\tID=rna-MIR6859-1;Parent=rna-NR_106918.1;gene=MIR6859-1;product=x
chr1\tCurated\tgene\t30000\t30100\t.\t+\t.\tID=gene-TRNA1;Name=TRNA1;gene_biotype=tRNA
chr1\tCurated\texon\t30000\t30100\t.\t+\t.\tID=exon-1;Parent=gene-TRNA1
chr1\tCurated\tV_gene_segment\t40000\t40100\t.\t+\t.\tID=id-V1;Parent=gene-IGV1
chr1\tCurated\tgene\t40000\t40100\t.\t+\t.\tID=gene-IGV1;Name=IGV1;gene_biotype=V_segment
"""

REFSEQ_GTF = """\
#gtf-version 2.2
chr1\tBestRefSeq\tgene\t11874\t14409\t.\t+\t.\tgene_id "DDX11L1"; transcript_id ""; gene "DDX11L1"; gene_biotype "transcribed_pseudogene";
chr1\tBestRefSeq\ttranscript\t11874\t14409\t.\t+\t.\tgene_id "DDX11L1"; transcript_id "NR_046018.2"; gene "DDX11L1";
"""  # noqa: E501

UCSC_GTF = """\
chr1\trefGene\texon\t1001\t1200\t.\t-\t.\tgene_id "A"; transcript_id "NM_1"; exon_number "2";
chr1\trefGene\tCDS\t1051\t1200\t.\t-\t.\tgene_id "A"; transcript_id "NM_1";
chr1\trefGene\texon\t1501\t1900\t.\t-\t.\tgene_id "A"; transcript_id "NM_1"; exon_number "1";
chr1\trefGene\texon\t5001\t5100\t.\t+\t.\tgene_id "B"; transcript_id "NM_2"; exon_number "1";
"""

YEAST_GFF = """\
chr1\t.\t.\t27645\t28106\t.\t+\t.\tname=Q0080 (ATP8 AAP1);cdsStart=27665;tss=27645;tts=28106
chr1\t.\t.\t37000\t38106\t.\t-\t.\tname=Q0085;tss=38106;tts=37000
"""


def table(tmp_path: Path, text: str, name: str = "a.txt", **options: object) -> pd.DataFrame:
    path = tmp_path / name
    path.write_text(text)
    return read_tss(path, **options)  # type: ignore[arg-type]


def rows(frame: pd.DataFrame) -> list[tuple[object, ...]]:
    assert frame.columns.tolist() == [
        "chrom", "tss", "strand", "gene_id", "gene_name", "gene_type", "transcript_id",
    ]  # fmt: skip
    assert frame["tss"].dtype == "int64"
    assert frame.index.tolist() == list(range(len(frame)))
    return [tuple(row) for row in frame.itertuples(index=False)]


def test_gencode_gtf(tmp_path: Path) -> None:
    assert rows(table(tmp_path, GENCODE_GTF)) == [
        ("chr1", 150, "+", "G1.5", "DDX; 1", "lncRNA", "T1.2"),
        ("chr1", 100, "+", "G1.5", "DDX; 1", "lncRNA", "T2.1"),
        ("chr1", 2999, "-", "G2.1", "WASH7P", "protein_coding", "T3.1"),
    ]


def test_genes_instead_of_transcripts(tmp_path: Path) -> None:
    assert rows(table(tmp_path, GENCODE_GTF, feature="gene")) == [
        ("chr1", 100, "+", "G1.5", "DDX; 1", "lncRNA", ""),
        ("chr1", 2999, "-", "G2.1", "WASH7P", "protein_coding", ""),
    ]


def test_ensembl_gff3(tmp_path: Path) -> None:
    assert rows(table(tmp_path, ENSEMBL_GFF3)) == [
        ("II", 4999, "-", "YBL111C", "HEL;1", "protein_coding", "YBL111C_mRNA"),
        ("II", 6000, "+", "SNR1", "SNR1", "snoRNA", "SNR1_t"),
    ]


def test_refseq_gff3(tmp_path: Path) -> None:
    """A miRNA is cut from its transcript and starts nowhere; a tRNA gene has exons only."""
    assert rows(table(tmp_path, REFSEQ_GFF3)) == [
        ("chr1", 11873, "+", "DDX11L1", "DDX11L1", "transcribed_pseudogene", "NR_046018.2"),
        ("chr1", 17435, "-", "MIR6859-1", "MIR6859-1", "miRNA", "NR_106918.1"),
        ("chr1", 29999, "+", "TRNA1", "TRNA1", "tRNA", ""),
        ("chr1", 39999, "+", "IGV1", "IGV1", "V_segment", "id-V1"),
    ]


def test_parts_find_their_gene(tmp_path: Path) -> None:
    frame = table(tmp_path, REFSEQ_GFF3, feature="miRNA")
    assert frame[["gene_id", "tss"]].to_numpy().tolist() == [["MIR6859-1", 17390]]
    frame = table(tmp_path, ENSEMBL_GFF3, feature="exon")
    assert frame[["gene_id", "gene_name", "tss"]].to_numpy().tolist() == [
        ["YBL111C", "HEL;1", 5008]
    ]


def test_refseq_gtf(tmp_path: Path) -> None:
    """The biotype stands in the gene's row only."""
    assert rows(table(tmp_path, REFSEQ_GTF)) == [
        ("chr1", 11873, "+", "DDX11L1", "DDX11L1", "transcribed_pseudogene", "NR_046018.2")
    ]


def test_a_gtf_of_exons(tmp_path: Path) -> None:
    assert rows(table(tmp_path, UCSC_GTF)) == [
        ("chr1", 1899, "-", "A", "A", "", "NM_1"),
        ("chr1", 5000, "+", "B", "B", "", "NM_2"),
    ]


def test_transcripts_without_genes(tmp_path: Path) -> None:
    text = "".join(
        f"chr1\tx\t{kind}\t11\t90\t.\t-\t.\t{what}\n"
        for kind, what in (("mRNA", "ID=t1;Name=one"), ("exon", "Parent=t1"))
    )
    assert rows(table(tmp_path, text)) == [("chr1", 89, "-", "t1", "one", "", "t1")]


def test_files_that_name_no_features(tmp_path: Path) -> None:
    """Nucleosome Dynamics' yeast genes begin at measured sites, and have '.' as their type."""
    with pytest.raises(FormatError, match=r"no gene or transcript; name the feature type .*: '\.'"):
        table(tmp_path, YEAST_GFF)
    assert rows(table(tmp_path, YEAST_GFF, feature=".")) == [
        ("chr1", 27644, "+", "Q0080", "ATP8", "", ""),
        ("chr1", 38105, "-", "Q0085", "Q0085", "", ""),
    ]


def test_bed(tmp_path: Path) -> None:
    text = (
        "track name=tss\n"
        "II\t100\t200\tYBL001C\tPelechano_2013\t-\n"
        "II\t100\t101\tYBL002W\t0\t+\n"
        "II\t300\t301\t.\t0\t-\n"
    )
    assert rows(table(tmp_path, text)) == [
        ("II", 199, "-", "YBL001C", "YBL001C", "", ""),
        ("II", 100, "+", "YBL002W", "YBL002W", "", ""),
        ("II", 300, "-", "II:300(-)", "II:300(-)", "", ""),
    ]


def test_bed_of_five_columns(tmp_path: Path) -> None:
    text = "chr7\t45567794\t45575176\t0610005C13Rik\t-\n"
    assert rows(table(tmp_path, text))[0][:4] == ("chr7", 45575175, "-", "0610005C13Rik")


def test_bed_with_named_columns(tmp_path: Path) -> None:
    text = (
        "#chr\tstart\tend\tname\tscore\tstrand\tEnsembl_ID\tgene_type\n"
        "chr1\t34610\t36081\tFAM138A\t0\t-\tENSG00000237613\tlincRNA\n"
    )
    assert rows(table(tmp_path, text)) == [
        ("chr1", 36080, "-", "ENSG00000237613", "FAM138A", "lincRNA", "")
    ]


@pytest.mark.parametrize("name", ["a.bed", "a.gtf", "a.gff3", "a"])
@pytest.mark.parametrize("packed", [False, True])
def test_the_content_says_what_a_file_is(tmp_path: Path, name: str, packed: bool) -> None:
    path = tmp_path / (name + ".gz" * packed)
    for text, first in ((GENCODE_GTF, 150), (ENSEMBL_GFF3, 4999), ("II\t1\t9\tg\t0\t-\n", 8)):
        path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
        assert read_tss(path)["tss"][0] == first


def test_types_of_genes(tmp_path: Path) -> None:
    assert table(tmp_path, GENCODE_GTF, gene_type="protein_coding")["gene_id"].tolist() == ["G2.1"]
    assert len(table(tmp_path, GENCODE_GTF, gene_type=["protein_coding", "lncRNA"])) == 3
    with pytest.raises(FormatError, match=r"no gene of type 'protein'; did you mean 'protein_cod"):
        table(tmp_path, GENCODE_GTF, gene_type="protein")
    with pytest.raises(FormatError, match="gives no gene types"):
        table(tmp_path, "II\t1\t9\tg\t0\t-\n", gene_type="protein_coding")


# --- Contigs -----------------------------------------------------------------------------------

BED = "II\t5\t6\ta\t0\t+\nV\t5\t6\tb\t0\t+\nII\t7\t8\tc\t0\t+\nV\t9\t10\td\t0\t-\n"


def test_unknown_contigs_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ContigError, match=r"a\.txt, row 2: contig 'V' is not in the genome") as got:
        table(tmp_path, BED, sizes=SIZES)
    assert "skip the unknown contigs" in str(got.value)


def test_unknown_contigs_may_be_skipped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="ft_s2a"):
        frame = table(tmp_path, BED, sizes=SIZES, unknown_contigs="skip", of="g.fa")
    assert frame["gene_id"].tolist() == ["a", "c"]
    assert frame.index.tolist() == [0, 1]
    assert "left out 2 rows on 1 contigs that g.fa lacks (V)" in caplog.text


@pytest.mark.parametrize("unknown_contigs", ["error", "skip"])
def test_contigs_of_another_naming_are_an_error(tmp_path: Path, unknown_contigs: str) -> None:
    with pytest.raises(ContigError, match=r"row 2: contig 'chrII' is not in .*calls it 'II'"):
        table(
            tmp_path, "II\t5\t6\ta\t0\t+\nchrII\t5\t6\tb\t0\t+\n",
            sizes=SIZES, unknown_contigs=unknown_contigs,
        )  # fmt: skip


def test_skipping_everything_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ContigError, match=r"no row lies on a contig of the genome.*'II', not 'V'"):
        table(tmp_path, "V\t5\t6\ta\t0\t+\n", sizes=SIZES, unknown_contigs="skip")


def test_sites_past_a_contig(tmp_path: Path) -> None:
    assert len(table(tmp_path, "II\t9999\t10000\ta\t0\t-\n", sizes=SIZES)) == 1
    with pytest.raises(ContigError, match=r"row 1: the site II:10000 of 'a' lies past.*10,000 bp"):
        table(tmp_path, "II\t10000\t10001\ta\t0\t+\n", sizes=SIZES)


def test_only_chosen_rows_are_checked(tmp_path: Path) -> None:
    """A type that nobody asked for may lie anywhere."""
    text = GENCODE_GTF.replace("chr1\tHAVANA\ttranscript\t101", "chrUn\tHAVANA\ttranscript\t101")
    assert len(table(tmp_path, text, sizes=SIZES, gene_type="protein_coding")) == 1


# --- Files that are wrong ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no row; expected GTF, GFF3 or BED"),
        ("# nothing\n\n", "holds no row"),
        ("hello\n", "row 1 is 'hello'; expected a row of GTF, GFF3 or BED"),
        (">II\nACGT\n", "row 1 is '>II'"),
        ("II\t5\t6\n", "has no strand"),
        ("II\t5\t6\ta\n", "row 1: II:5-6 has no strand, so no start site"),
        ("II\t5\t6\ta\t0\t+\nII\t5\t6\tb\t0\t.\n", "row 2: II:5-6 has no strand"),
        ("II\t5\t6\ta\t0\t+\nII\t9\t6\tb\t0\t+\n", "row 2: II:9-6 holds no base"),
        (GENCODE_GTF.replace("\t-\t", "\t.\t"), "row 7: transcript 'G2.1' has no strand"),
        (GENCODE_GTF + "chr1\tx\tgene\t5\n", "row 8 is 'chr1\\tx\\tgene\\t5'; expected the nine"),
        (GENCODE_GTF + "chr1\tx\tgene\t5\t4\t.\t+\t.\t\n", "row 8 is"),
        (GENCODE_GTF + "chr1\tx\tgene\t0\t4\t.\t+\t.\t\n", "row 8 is"),
        (
            "chr1\tx\tgene\t1\t4\t.\t+\t.\tcolor=red\n",
            "row 1: the 'gene' at chr1:0-4 names no gene",
        ),
        ("chr1\tx\tpeak\t1\t4\t.\t+\t.\tID=1\n", "name the feature type to take"),
    ],
)
def test_what_is_no_annotation(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(FormatError, match=re.escape(words)) as caught:
        table(tmp_path, text)
    assert "a.txt" in str(caught.value)


def test_features_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"no feature of type 'mRNA'; .*transcript"):
        table(tmp_path, GENCODE_GTF, feature="mRNA")
    with pytest.raises(FormatError, match="BED rows have no feature type"):
        table(tmp_path, "II\t1\t9\tg\t0\t-\n", feature="gene")


def test_files_that_are_missing_or_cut_off(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such annotation file"):
        read_tss(tmp_path / "a.gtf")
    packed = gzip.compress((GENCODE_GTF * 500).encode())
    (tmp_path / "a.gtf.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(FormatError, match="not a complete gzip file"):
        read_tss(tmp_path / "a.gtf.gz")


# --- Rows --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "attributes"),
    [
        ('gene_id "a b"; n 1; note "x; y=z"; n 2', {"gene_id": "a b", "n": "1", "note": "x; y=z"}),
        ('ID=a%20b;Note=x "y"; Name = z ;', {"ID": "a b", "Note": 'x "y"', "Name": "z"}),
        ("ID=a=b", {"ID": "a=b"}),
        ("", {}),
        (".", {}),
    ],
)
def test_attributes(text: str, attributes: dict[str, str]) -> None:
    assert parse_attributes(text) == attributes


def test_features_are_zero_based(tmp_path: Path) -> None:
    (tmp_path / "a.gff3").write_text(ENSEMBL_GFF3)
    kinds = [
        (f.row, f.kind, f.start, f.end) for f in gff_features(tmp_path / "a.gff3", skip=["exon"])
    ]
    assert kinds == [
        (4, "chromosome", 0, 10_000),
        (6, "gene", 2906, 5009),
        (7, "mRNA", 2906, 5000),
        (10, "ncRNA_gene", 5999, 6100),
        (11, "snoRNA", 6000, 6100),
    ]
