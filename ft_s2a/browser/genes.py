"""Genes to draw below the tracks: from BED, GTF or GFF3, as BED12 for the page.

GTF and GFF3 are collapsed to one model per gene, whose blocks are the union of its exons.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ft_s2a.conventions.text import text_lines
from ft_s2a.errors import ContigError, FormatError, GeometryError
from ft_s2a.genome.contigs import check_contig, same_contig
from ft_s2a.genome.gff import Feature, gff_features
from ft_s2a.geometry import Interval, merge

_NAMES = ("gene_name", "Name", "name", "gene", "gene_id", "ID", "locus_tag")
_GFF = (".gtf", ".gff", ".gff3")


@dataclass(frozen=True)
class Gene:
    """A gene on the genome; `blocks` are its exons as (start, end), at least one."""

    interval: Interval
    blocks: tuple[tuple[int, int], ...]

    @property
    def name(self) -> str:
        """Name, or an empty string."""
        return "" if self.interval.name == "." else self.interval.name

    def to_bed12(self) -> str:
        """One BED12 row without the line end."""
        i = self.interval
        lengths = ",".join(str(end - start) for start, end in self.blocks)
        starts = ",".join(str(start - i.start) for start, _ in self.blocks)
        fields = (
            i.chrom, i.start, i.end, i.name, 0, i.strand, i.start, i.end, 0, len(self.blocks),
            lengths, starts,
        )  # fmt: skip
        return "\t".join(str(field) for field in fields)


def read_genes(path: str | Path, sizes: Mapping[str, int], *, of: str) -> list[Gene]:
    """Read the genes that lie on the contigs of `sizes`, sorted by contig and start.

    Parameters
    ----------
    path : str or Path
        ``.bed``, ``.gtf``, ``.gff`` or ``.gff3``, optionally ``.gz``.  A BED may have 3 to 12
        columns, or 5 with the strand as the last.
    sizes : mapping of str to int
        Contig lengths; genes of other contigs are left out.
    of : str
        What `sizes` belongs to, for messages.

    Raises
    ------
    FormatError, ContigError
        Naming file and row; when no gene lies on a contig of `sizes`, saying why.
    """
    bare = Path(str(path).removesuffix(".gz"))
    if bare.suffix.lower() in _GFF:
        genes = _collapse(list(gff_features(path)))
    elif bare.suffix.lower() == ".bed":
        genes = _bed_genes(path)
    else:
        raise FormatError(
            f"the ending {bare.suffix or '(none)'!r} is not that of an annotation",
            where=path,
            expected=".bed, .gtf, .gff or .gff3 (or with .gz)",
        )
    if not genes:
        raise FormatError("holds no gene", where=path, expected="at least one")
    kept = [gene for gene in genes if gene.interval.chrom in sizes]
    if not kept:
        # The contig that tells most: one that `sizes` has under another name.
        names = list(dict.fromkeys(gene.interval.chrom for gene in genes))
        telling = next((name for name in names if same_contig(name, sizes)), names[0])
        check_contig(telling, sizes, where=path, of=of)
    for gene in kept:
        length = sizes[gene.interval.chrom]
        if gene.interval.end > length:
            raise ContigError(
                f"{gene.name or 'a gene'} at {gene.interval} lies past the contig's end at "
                f"{length:,} bp in {of}",
                where=path,
                remedy="use the annotation of this assembly",
            )
    order = {name: index for index, name in enumerate(sizes)}
    return sorted(kept, key=lambda g: (order[g.interval.chrom], g.interval.start, g.interval.end))


def _bed_genes(path: str | Path) -> list[Gene]:
    genes = []
    for number, line in text_lines(path, "annotation"):
        if not line.strip() or line.startswith(("#", "track", "browser")):
            continue
        fields = line.split("\t") if "\t" in line else line.split()
        where = f"{path}, row {number}"
        try:
            start, end = int(fields[1]), int(fields[2])
            strand = next((f for f in fields[4:6][::-1] if f in ("+", "-")), ".")
            name = fields[3] if len(fields) > 3 and fields[3] else "."
            interval = Interval(fields[0], start, end, name, strand)
            genes.append(Gene(interval, _bed_blocks(fields, interval)))
        except (IndexError, ValueError, GeometryError) as error:
            raise FormatError(
                f"cannot be read: {line[:60]!r}", where=where, expected="BED (0-based, start < end)"
            ) from error
    return genes


def _bed_blocks(fields: Sequence[str], interval: Interval) -> tuple[tuple[int, int], ...]:
    if len(fields) < 12:
        return ((interval.start, interval.end),)
    lengths = [int(v) for v in fields[10].rstrip(",").split(",")]
    starts = [int(v) for v in fields[11].rstrip(",").split(",")]
    return tuple(
        (interval.start + start, interval.start + start + length)
        for start, length in zip(starts, lengths, strict=True)
    )


def _collapse(features: Sequence[Feature]) -> list[Gene]:
    exons: dict[str, list[Interval]] = {}
    parents = {
        f.attributes["ID"]: f.attributes["Parent"]
        for f in features
        if "ID" in f.attributes and "Parent" in f.attributes
    }
    for feature in features:
        if feature.kind in ("exon", "CDS"):
            exons.setdefault(_gene_of(feature, parents), []).append(_interval(feature))
    heads = [f for f in features if f.kind.endswith("gene")]
    # Simple files have no gene rows: then each transcript or untyped row stands for itself.
    heads = heads or [f for f in features if f.kind not in ("exon", "CDS") and _label(f)]
    if not heads:
        return [_from_exons(key, pieces) for key, pieces in exons.items()]
    genes = []
    for head in heads:
        i = _interval(head)
        key = head.attributes.get("gene_id") or head.attributes.get("ID") or ""
        pieces = [e for e in exons.get(key, ()) if i.contains(e)]
        named = Interval(i.chrom, i.start, i.end, _label(head) or ".", i.strand)
        genes.append(Gene(named, _blocks(named, pieces)))
    return genes


def _gene_of(feature: Feature, parents: Mapping[str, str]) -> str:
    if "gene_id" in feature.attributes:
        return feature.attributes["gene_id"]
    parent = feature.attributes.get("Parent", "")
    # An exon's parent is a transcript, whose parent is the gene.
    return parents.get(parent, parent)


def _interval(feature: Feature) -> Interval:
    strand = feature.strand if feature.strand in ("+", "-") else "."
    return Interval(feature.chrom, feature.start, feature.end, ".", strand)


def _label(feature: Feature) -> str:
    text = next((feature.attributes[n] for n in _NAMES if feature.attributes.get(n)), "")
    # "YAL001C (TFC3 FUN24)": the aliases would not fit; BED names hold no blank.
    return text.split()[0] if text.split() else ""


def _from_exons(name: str, pieces: list[Interval]) -> Gene:
    first = pieces[0]
    start, end = min(p.start for p in pieces), max(p.end for p in pieces)
    whole = Interval(
        first.chrom, start, end, name.split()[0] if name.split() else ".", first.strand
    )
    return Gene(whole, _blocks(whole, pieces))


def _blocks(whole: Interval, pieces: Iterable[Interval]) -> tuple[tuple[int, int], ...]:
    inside = [Interval(p.chrom, p.start, p.end) for p in pieces if whole.contains(p)]
    blocks = tuple((m.start, m.end) for m in merge(inside))
    if not blocks:
        return ((whole.start, whole.end),)
    # BED12 wants the blocks to reach both ends.
    first, last = blocks[0], blocks[-1]
    blocks = ((whole.start, first[1]), *blocks[1:])
    return (*blocks[:-1], (blocks[-1][0], max(last[1], whole.end)))
