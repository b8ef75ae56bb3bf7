"""The files of a simulated genome."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ft_s2a.conventions.atomic import write_text
from ft_s2a.conventions.progress import track as show_progress
from ft_s2a.genome.bigwig import BigWig, write_bigwig
from ft_s2a.genome.sequence import decode
from ft_s2a.simulation.contig import Contig
from ft_s2a.simulation.motifs import to_meme
from ft_s2a.simulation.recipe import RECORD_FILE, Recipe, SimulationRecord
from ft_s2a.simulation.signal import site_effects, track_table
from ft_s2a.tracks.files import TrackFile, write_files
from ft_s2a.tracks.table import TrackTable

if TYPE_CHECKING:
    import pandas as pd

NAMES = {
    "fasta": "genome.fa",
    "sizes": "genome.chrom.sizes",
    "tracks": "tracks.tsv",
    "expected": "expected",
    "truth": "truth.tsv",
    "genes": "genes.bed",
    "expression": "genes.tsv",
    "enhancers": "enhancers.tsv",
    "motifs": "motifs.meme",
    "recipe": RECORD_FILE,
    "summary": "summary.tsv",
}
_LINE = 60
_BIN = 128  # bins of the ceiling: those of Basenji2
_STRANDS = {1: "+", -1: "-", 0: "."}


def write_simulation(folder: Path, recipe: Recipe, contigs: Sequence[Contig]) -> None:
    """Write every file of a simulation into an existing, empty folder."""
    from ft_s2a import __version__

    sizes = {contig.name: len(contig.codes) for contig in contigs}
    table = track_table(recipe)
    _write_fasta(folder / NAMES["fasta"], contigs)
    write_text(folder / NAMES["sizes"], "".join(f"{n}\t{s}\n" for n, s in sizes.items()))
    write_text(folder / NAMES["motifs"], to_meme(recipe.motifs))
    table.write(folder / NAMES["tracks"])
    expected = folder / NAMES["expected"]
    expected.mkdir()
    for i, track in enumerate(show_progress(table, "tracks")):
        for where, values in (
            (folder, [(c.name, 0, c.observed[i]) for c in contigs]),
            (expected, [(c.name, 0, c.expected[i]) for c in contigs]),
        ):
            write_bigwig(where / track.file, sizes, values, bin_size=recipe.step)
    files = [
        TrackFile(
            expected / track.file, track.name, track.head, track.assay, track.cell_type,
            track.units, track.color, recipe.step, "simulation-expectation",
            __version__, "predicted", track.strand_pair,
        )
        for track in table
    ]  # fmt: skip
    write_files(expected, files)
    _write_table(folder / NAMES["truth"], _truth(recipe, contigs, table))
    _write_table(folder / NAMES["expression"], _genes(recipe, contigs))
    _write_table(folder / NAMES["enhancers"], _enhancers(recipe, contigs))
    _write_bed(folder / NAMES["genes"], contigs)
    _write_table(folder / NAMES["summary"], _summary(folder, table, sizes))
    versions = {"ft_s2a": __version__, "numpy": np.__version__}
    record = SimulationRecord(recipe=recipe, versions=versions)
    write_text(folder / NAMES["recipe"], record.to_yaml())


def read_ceilings(summary: Path) -> dict[str, float]:
    """Ceiling (ln(1 + x)) of each track from ``summary.tsv``."""
    import pandas as pd

    frame = pd.read_csv(summary, sep="\t")
    return dict(zip(frame["track"], frame["ceiling_log1p"].astype(float), strict=True))


def _write_fasta(path: Path, contigs: Sequence[Contig]) -> None:
    """Write the sequence and its index (samtools' ``.fai``)."""
    index, offset = [], 0
    with open(path, "w", encoding="ascii", newline="\n") as handle:
        for contig in contigs:
            header = f">{contig.name}\n"
            letters = decode(contig.codes)
            lines = [letters[i : i + _LINE] for i in range(0, len(letters), _LINE)]
            body = "\n".join(lines) + "\n"
            handle.write(header + body)
            offset += len(header)
            index.append(f"{contig.name}\t{len(letters)}\t{offset}\t{_LINE}\t{_LINE + 1}\n")
            offset += len(body)
    path.with_name(path.name + ".fai").write_text("".join(index), encoding="ascii")


def _write_table(path: Path, frame: pd.DataFrame) -> None:
    write_text(path, frame.to_csv(sep="\t", index=False, float_format="%.6g", lineterminator="\n"))


def _element_names(contig: Contig) -> list[str]:
    """``sim1.p0001`` for promoters, ``sim1.e0001`` for enhancers, in order."""
    kinds = np.where(contig.layout.strand != 0, "p", "e")
    number = {"p": 0, "e": 0}
    names = []
    for kind in kinds:
        number[kind] += 1
        names.append(f"{contig.name}.{kind}{number[kind]:04d}")
    return names


def _gene_name(promoter: str) -> str:
    return promoter.replace(".p", ".g")


def _truth(recipe: Recipe, contigs: Sequence[Contig], table: TrackTable) -> pd.DataFrame:
    """Planted sites: where, what, how strong, and what each track loses without the site."""
    import pandas as pd

    names = np.array([motif.name for motif in recipe.motifs])
    roles = np.array([motif.role for motif in recipe.motifs])
    widths = np.array([motif.width for motif in recipe.motifs])
    parts = []
    for contig in contigs:
        layout = contig.layout
        elements = np.array([*_element_names(contig), "."])
        part = pd.DataFrame(
            {
                "contig": contig.name,
                "start": layout.site_start,
                "end": layout.site_start + widths[layout.site_motif],
                "motif": names[layout.site_motif],
                "score": contig.planted.score,
                "strand": [_STRANDS[s] for s in layout.site_strand.tolist()],
                "role": roles[layout.site_motif],
                "element": elements[layout.site_element],
                "occupancy": contig.planted.occupancy,
            }
        )
        effects = site_effects(recipe, contig.activity)
        for i, track in enumerate(table):
            part[f"effect.{track.name}"] = effects[:, i]
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _genes(recipe: Recipe, contigs: Sequence[Contig]) -> pd.DataFrame:
    """Genes with start site (0-based) and expected tags in each cell type."""
    import pandas as pd

    parts = []
    for contig in contigs:
        genes = contig.layout.promoters
        names = _element_names(contig)
        promoters = [names[i] for i in genes]
        part = pd.DataFrame(
            {
                "gene": [_gene_name(name) for name in promoters],
                "contig": contig.name,
                "tss": contig.layout.anchor[genes],
                "strand": [_STRANDS[s] for s in contig.layout.strand[genes].tolist()],
                "promoter": promoters,
            }
        )
        for i, cell in enumerate(recipe.cell_types):
            part[f"tags.{cell}"] = recipe.noise.depth * contig.activity.expression[genes, i]
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _enhancers(recipe: Recipe, contigs: Sequence[Contig]) -> pd.DataFrame:
    """Enhancer-gene pairs with the fraction of expression that deleting the enhancer takes."""
    import pandas as pd

    parts = []
    for contig in contigs:
        layout, pairs, activity = contig.layout, contig.activity.pairs, contig.activity
        names = np.array(_element_names(contig), dtype=object)
        part = pd.DataFrame(
            {
                "contig": contig.name,
                "start": layout.start[pairs.enhancer],
                "end": layout.end[pairs.enhancer],
                "element": names[pairs.enhancer],
                "gene": [_gene_name(name) for name in names[pairs.gene]],
                "tss": layout.anchor[pairs.gene],
                "strand": [_STRANDS[s] for s in layout.strand[pairs.gene].tolist()],
                "distance": pairs.distance,
                "contact": pairs.contact,
            }
        )
        for i, cell in enumerate(recipe.cell_types):
            active = activity.element[pairs.enhancer, i]
            total = activity.expression[pairs.gene, i]
            lost = activity.strength[pairs.gene] * pairs.contact * active
            part[f"activity.{cell}"] = active
            part[f"effect.{cell}"] = np.divide(
                lost, total, out=np.zeros_like(lost), where=total > 0
            )
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _write_bed(path: Path, contigs: Sequence[Contig]) -> None:
    """Write genes as BED6; the 5' end is the start site."""
    rows = []
    for contig in contigs:
        layout, names = contig.layout, _element_names(contig)
        for i in layout.promoters.tolist():
            tss, strand, body = (int(a[i]) for a in (layout.anchor, layout.strand, layout.body))
            start, end = (tss, tss + body) if strand > 0 else (tss + 1 - body, tss + 1)
            span = f"{max(0, start)}\t{min(end, len(contig.codes))}"
            rows.append(f"{contig.name}\t{span}\t{_gene_name(names[i])}\t0\t{_STRANDS[strand]}\n")
    write_text(path, "".join(rows))


def _summary(folder: Path, table: TrackTable, sizes: dict[str, int]) -> pd.DataFrame:
    """One row per track: its level, and the best correlation that any model can reach."""
    import pandas as pd

    rows = []
    for track in table:
        observed = _binned(folder / track.file, sizes)
        ideal = _binned(folder / NAMES["expected"] / track.file, sizes)
        rows.append(
            {
                "track": track.name,
                "assay": track.assay,
                "cell_type": track.cell_type,
                "bins": len(observed),
                "mean": observed.mean(),
                "maximum": observed.max(),
                "ceiling_log1p": _pearson(np.log1p(ideal), np.log1p(observed)),
                "ceiling_raw": _pearson(ideal, observed),
            }
        )
    return pd.DataFrame(rows)


def _binned(path: Path, sizes: dict[str, int]) -> NDArray[np.float64]:
    def parts() -> Iterator[NDArray[np.float64]]:
        with BigWig(path) as file:
            for name, size in sizes.items():
                yield file.binned(name, 0, size, bin_size=_BIN)

    return np.concatenate(list(parts()))


def _pearson(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Pearson correlation in float64; NaN when one side is constant (up to rounding)."""
    if min(np.ptp(x), np.ptp(y)) < 1e-6:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])
