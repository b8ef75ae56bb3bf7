"""The real yeast genome, tracks and start sites, against counts made without this package."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pyBigWig
import pytest

from ft_s2a.errors import ContigError
from ft_s2a.genome import BigWig, Genome, check_sizes, read_bed, read_tss
from ft_s2a.geometry import Geometry

pytestmark = pytest.mark.real_data

SIZES = {"II": 813_184, "IV": 1_531_933, "XVI": 948_066}
MEANS_OF_II = {
    "MNase": 2.978,
    "PolII": 23.847,
    "Scc1": 0.993,
    "RNA.fwd": 13.827,
    "RNA.rev": 28.784,
}


@pytest.fixture(scope="module")
def genome(yeast: Path) -> Genome:
    return Genome(yeast / "sacCer3.II_IV_XVI.fa.gz")


@pytest.mark.parametrize(("name", "mean"), MEANS_OF_II.items())
def test_means_of_chromosome_two(yeast: Path, name: str, mean: float) -> None:
    with BigWig(yeast / f"{name}.bw") as track:
        assert track.sizes == SIZES
        whole = track.binned("II", 0, SIZES["II"], bin_size=SIZES["II"])
        bins = track.binned("II", 0, SIZES["II"], bin_size=128, stat="sum")
    assert whole[0] == pytest.approx(mean, abs=5e-4)
    assert len(bins) == 6353
    assert bins.sum() / SIZES["II"] == pytest.approx(whole[0], rel=1e-12)


@pytest.mark.parametrize("name", MEANS_OF_II)
def test_bins_of_128_over_steps_of_75(yeast: Path, name: str) -> None:
    """Overlap by overlap, in float64, from the file's intervals."""
    start, end, bin_size = 400_000, 500_000, 128
    left = np.arange(start, end, bin_size)
    right = np.minimum(left + bin_size, end)
    wanted = np.zeros(len(left))
    with pyBigWig.open(str(yeast / f"{name}.bw")) as handle:
        for first, last, value in handle.intervals("II", start, end):
            wanted += value * np.maximum(0, np.minimum(right, last) - np.maximum(left, first))
    with BigWig(yeast / f"{name}.bw") as track:
        found = track.binned("II", start, end, bin_size=bin_size)
    np.testing.assert_allclose(found, wanted / (right - left), rtol=1e-12)


def test_sequence(yeast: Path, genome: Genome) -> None:
    assert list(genome.sizes.items()) == list(SIZES.items())
    published = "".join((yeast / "original_fasta" / "chr2.fa").read_text().split("\n")[1:])
    assert genome.letters("II", 0, SIZES["II"]).decode().upper() == published.upper()
    assert genome.codes("XVI", -1, 1)[0] == 4
    unpacked = gzip.decompress((yeast / "sacCer3.II_IV_XVI.fa.gz").read_bytes())
    assert unpacked.count(b">") == 3


def test_contigs_of_another_naming(yeast: Path, genome: Genome) -> None:
    """Published FASTA files say chr2, the genes.gff says chrII."""
    other = Genome(yeast / "original_fasta" / "chr2.fa")
    assert other.sizes == {"chr2": SIZES["II"]}
    with pytest.raises(ContigError, match="'chr2' is not in the FASTA, which calls it 'II'"):
        check_sizes(other.sizes, genome.sizes, where="chr2.fa", of="the FASTA")
    with pytest.raises(ContigError, match=r"genes\.R64-1-1\.gff, row \d+: .* which calls it 'II'"):
        read_tss(yeast / "genes.R64-1-1.gff", genome.sizes, feature=".", unknown_contigs="skip")


def test_start_sites(yeast: Path, genome: Genome) -> None:
    path = yeast / "tss_experimental.II_IV_XVI.bed"
    sites = read_tss(path, genome.sizes)
    assert len(sites) == len(read_bed(path, genome.sizes)) == 1590
    assert sites["strand"].value_counts().to_dict() == {"+": 780, "-": 810}
    assert sites["chrom"].value_counts().to_dict() == {"IV": 743, "XVI": 458, "II": 389}
    assert sites["gene_id"].is_unique


def test_the_gff_and_the_bed_agree(yeast: Path) -> None:
    genes = read_tss(yeast / "genes.R64-1-1.gff", feature=".").set_index("gene_id")
    sites = read_tss(yeast / "tss_experimental.II_IV_XVI.bed").set_index("gene_id")
    assert len(genes) == 5680
    assert genes["strand"].value_counts().to_dict() == {"+": 2852, "-": 2828}
    same = genes.loc[sites.index]
    assert (same["tss"] == sites["tss"]).all()
    assert (same["strand"] == sites["strand"]).all()
    assert (same["chrom"] == "chr" + sites["chrom"]).all()


def test_transcription_begins_at_the_sites(yeast: Path, genome: Genome) -> None:
    """Read in the wrong direction, or off by much, the nucleosome-free region would be lost."""
    sites = read_tss(yeast / "tss_experimental.II_IV_XVI.bed", genome.sizes)
    profile = np.zeros(20)
    with BigWig(yeast / "MNase.bw") as track:
        for chrom, tss, strand in sites[["chrom", "tss", "strand"]].itertuples(index=False):
            start = tss - 1000 if strand == "+" else tss - 999
            around = track.binned(chrom, start, start + 2000, bin_size=100)
            profile += around if strand == "+" else around[::-1]
    profile /= len(sites)
    # 100-bp means around the sites: 1.35 and 1.33 upstream, then the +1 nucleosome at 3.60.
    np.testing.assert_allclose(profile[8:10], [1.35, 1.33], atol=0.02)
    assert profile[10:12].max() == pytest.approx(3.60, abs=0.05)
    assert profile.mean() == pytest.approx(2.92, abs=0.1)


def test_windows_of_the_last_contig_end_in_n(genome: Genome) -> None:
    geometry = Geometry(16_384, 128, 8)
    targets = geometry.tile(0, SIZES["XVI"])
    start, end = geometry.input_interval(targets[-1])
    assert end > SIZES["XVI"]
    codes = genome.codes("XVI", start, end)
    assert (codes[SIZES["XVI"] - start :] == 4).all()
    assert (codes[: SIZES["XVI"] - start] < 4).all()
