"""The demo's data: a simulated genome, or real yeast tracks fetched by hash."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ft_s2a.conventions.atomic import atomic_path
from ft_s2a.entries.download import fetch_data, read_sources
from ft_s2a.errors import FormatError
from ft_s2a.simulation import simulate_genome
from ft_s2a.tracks.table import read_tracks

_HERE = Path(__file__).parent

# The published yeast FASTA names its contigs chr2, chr4, chr16; tracks and genes II, IV, XVI.
_YEAST_CONTIGS = {"chr2": "II", "chr4": "IV", "chr16": "XVI"}


@dataclass(frozen=True)
class Card:
    """What the card of a trained entry says."""

    summary: str
    species: str
    assembly: str
    license: str
    citation: str
    limitations: tuple[str, ...]


@dataclass(frozen=True)
class DemoData:
    """Everything one demo needs.

    Parameters
    ----------
    name : str
        ``simulated`` or ``yeast``.
    fasta, tracks : Path
        Genome; track table with files.
    annotation : Path or None
        Genes, for the page and the figure.
    truth : Path or None
        Noise-free bigWigs (simulated data): what a perfect model would give.
    entry, recipe : str
        Zoo entry, and the recipe it is trained with.
    split : str
        Training, validation and test regions.
    test, train, valid : tuple of str
        The same as loci, for the evaluation and its baseline.
    coverage : float
        Mean number of random training windows over a base.
    locus : str
        What page and figure show first.
    card : Card
        What the entry's card says.
    """

    name: str
    fasta: Path
    tracks: Path
    annotation: Path | None
    truth: Path | None
    entry: str
    recipe: str
    test: tuple[str, ...]
    train: tuple[str, ...]
    valid: tuple[str, ...]
    coverage: float
    locus: str
    card: Card

    @property
    def split(self) -> str:
        """The split as ``ft-s2a data from-bigwig --split`` takes it."""
        parts = {"test": self.test, "valid": self.valid, "train": self.train}
        return ",".join(f"{name}={'+'.join(regions)}" for name, regions in parts.items())


def simulated(folder: Path) -> DemoData:
    """Simulate a genome of 3 Mb; the model is trained on contig 1 and never sees contig 3."""
    made = simulate_genome(folder / "genome", length=3_000_000, contigs=3, seed=1)
    return DemoData(
        name="simulated",
        fasta=made.fasta,
        tracks=made.tracks,
        annotation=made.genes,
        truth=made.expected,
        entry="demo/basenji2",
        recipe="demo-basenji2",
        test=("sim3",),
        train=("sim1",),
        valid=("sim2",),
        coverage=30,
        locus="sim3:100000-150000",
        card=Card(
            summary="Small Basenji2 for the simulated genome of `ft-s2a demo`.",
            species="simulated",
            assembly="ft-s2a simulate genome --length 3000000 --contigs 3 --seed 1",
            license="MIT",
            citation="ft_s2a; data simulated by `ft-s2a simulate genome`.",
            limitations=("Knows the simulation's motifs only: of no use on any real genome.",),
        ),
    )


def yeast(folder: Path) -> DemoData:
    """Fetch the yeast data (by hash, from ``FT_S2A_MIRROR`` if set) and name contigs alike."""
    paths = {
        source.path: file
        for sources in [read_sources(_HERE / "yeast_sources.tsv")]
        for source, file in zip(sources, fetch_data(sources), strict=True)
    }
    fasta = folder / "genome" / "yeast.fa"
    _join_fasta([paths[f"yeast/original_fasta/{chrom}.fa"] for chrom in _YEAST_CONTIGS], fasta)
    tracks = folder / "genome" / "tracks.tsv"
    table = read_tracks(_HERE / "yeast_tracks.tsv")
    found = [replace(t, file=str(paths[f"yeast/{t.file}"].resolve())) for t in table]
    tracks = table.replace(found).write(folder / "genome" / "tracks.tsv")
    return DemoData(
        name="yeast",
        fasta=fasta,
        tracks=tracks,
        annotation=None,
        truth=None,
        entry="yeast/basenji2",
        recipe="yeast-basenji2",
        test=("II",),
        train=("IV", "XVI:0-748066"),
        valid=("XVI:748066-948066",),
        coverage=30,
        locus="II:350000-400000",
        card=Card(
            summary="Small Basenji2 for five tracks of budding yeast: nucleosomes, polymerase "
            "II, cohesin and stranded RNA.",
            species="Saccharomyces cerevisiae",
            assembly="R64-1-1 (sacCer3)",
            license="MIT",
            citation="Tracks: js2264/tidyCoverage (MIT), inst/extdata. Architecture: Kelley "
            "2020, doi 10.1371/journal.pcbi.1008050.",
            limitations=(
                "Trained on two chromosomes (IV, XVI) of one strain and one condition.",
                "Paralogous genes and Ty elements shared by training and test chromosomes are "
                "not filtered and can raise the scores.",
                "There are no replicates, so the noise ceiling is unknown.",
            ),
        ),
    )


def _join_fasta(files: list[Path], target: Path) -> None:
    with atomic_path(target) as temporary, open(temporary, "w", encoding="ascii") as out:
        for file, (published, name) in zip(files, _YEAST_CONTIGS.items(), strict=True):
            with open(file, encoding="ascii") as handle:
                header = handle.readline().split()
                if not header or header[0] != f">{published}":
                    raise FormatError(
                        f"the first line is {' '.join(header)!r}", where=file,
                        expected=f">{published}",
                    )  # fmt: skip
                out.write(f">{name}\n")
                out.writelines(handle)
