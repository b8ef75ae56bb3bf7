"""Which rows of a GTF or GFF3 file are transcripts of genes, and where they start."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ft_s2a.errors import FormatError, near_miss
from ft_s2a.genome.gff import Feature, gff_features
from ft_s2a.geometry import tss_of

# Parts of transcripts, and rows that describe the assembly: never genes or transcripts.
_PARTS = frozenset(
    (
        *("exon", "CDS", "start_codon", "stop_codon", "intron"),
        *("UTR", "five_prime_utr", "three_prime_utr", "five_prime_UTR", "three_prime_UTR"),
        *("Selenocysteine", "stop_codon_redefined_as_selenocysteine"),
        *("region", "chromosome", "scaffold", "supercontig", "contig", "biological_region"),
        *("match", "cDNA_match"),
    )
)


@dataclass(frozen=True)
class Site:
    """A start site, and the row of the file that says so; empty strings where it says nothing."""

    row: int
    chrom: str
    tss: int
    strand: str
    gene_id: str
    gene_name: str
    gene_type: str
    transcript_id: str


def gff_sites(path: str | Path, feature: str | None = None) -> Iterator[Site]:
    """Give the start sites of a GTF or GFF3 file; :func:`ft_s2a.genome.read_tss` says which.

    Parameters
    ----------
    path : str or Path
        GTF or GFF3, plain or gzip.
    feature : str, optional
        Take the rows of this type instead.

    Yields
    ------
    Site
        In file order.

    Raises
    ------
    FormatError
        Naming the row: no strand, no name; or no gene in the file.
    """
    kinds: Counter[str] = Counter()
    rows: list[Feature] = []
    for found in gff_features(path, skip=_PARTS - {feature}):
        kinds[found.kind] += 1
        rows.append(found)
    # GFF3 links by ID and Parent, GTF by gene_id.
    by_id = {key: f for f in rows if (key := f.attributes.get("ID"))}
    genes = {key: f for f in rows if _is_gene(f) and (key := f.attributes.get("gene_id"))}
    if feature is not None:
        chosen = [f for f in rows if f.kind == feature]
        if not chosen:
            raise FormatError(
                f"holds no feature of type {feature!r}",
                where=path,
                remedy=near_miss(feature, kinds) if kinds else None,
            )
    else:
        chosen = _transcripts_and_genes(rows, by_id, genes)
        if not chosen:
            chosen = _transcripts_of_exons(path)
        if not chosen:
            shown = ", ".join(repr(kind) for kind, _ in kinds.most_common(5)) or "none"
            raise FormatError(
                "holds no gene or transcript",
                where=path,
                remedy=f"name the feature type to take (of genes, or at their starts): {shown}",
            )
    for found in chosen:
        gene = found if _is_gene(found) else _gene_of(found, by_id, genes)
        yield _describe(path, found, gene or found)


def _is_gene(found: Feature) -> bool:
    # gene, ncRNA_gene, pseudogene, transposable_element_gene, ...; V_gene_segment is none.
    return found.kind.lower().endswith("gene")


def _gene_of(
    found: Feature, by_id: Mapping[str, Feature], genes: Mapping[str, Feature]
) -> Feature | None:
    """Climb from a feature to its gene."""
    above: Feature | None = found
    for _ in range(4):  # gene, transcript, exon and one to spare; a loop of parents ends as well
        parent = above.attributes.get("Parent", "").split(",")[0] if above else ""
        above = by_id.get(parent)
        if above is None or _is_gene(above):
            break
    if above is not None and _is_gene(above):
        return above
    return genes.get(found.attributes.get("gene_id", ""))


def _transcripts_and_genes(
    rows: Iterable[Feature], by_id: Mapping[str, Feature], genes: Mapping[str, Feature]
) -> list[Feature]:
    chosen: list[Feature] = []
    with_transcripts: set[int] = set()
    for found in rows:
        if _is_gene(found):
            continue
        parent = by_id.get(found.attributes.get("Parent", "").split(",")[0])
        direct = parent is not None and _is_gene(parent)
        alone = parent is None and (
            found.kind in ("transcript", "mRNA") or bool(found.attributes.get("transcript_id"))
        )
        if direct or alone:
            chosen.append(found)
            gene = _gene_of(found, by_id, genes)
            if gene is not None:
                with_transcripts.add(gene.row)
    chosen += [f for f in rows if _is_gene(f) and f.row not in with_transcripts]
    return sorted(chosen, key=lambda f: f.row)


def _transcripts_of_exons(path: str | Path) -> list[Feature]:
    spans: dict[tuple[str, str, str], Feature] = {}
    for kind in ("exon", "CDS"):
        for found in gff_features(path, skip=_PARTS - {kind}):
            name = found.attributes.get("transcript_id", "")
            if found.kind != kind or not name:
                continue
            key = (name, found.chrom, found.strand)
            first = spans.setdefault(key, found)
            start, end = min(first.start, found.start), max(first.end, found.end)
            spans[key] = Feature(
                first.row, first.chrom, "transcript", start, end, first.strand, first.text
            )
        if spans:
            break
    return list(spans.values())


def _describe(path: str | Path, found: Feature, gene: Feature) -> Site:
    own, top = found.attributes, gene.attributes
    label = top.get("name", "")
    # Some yeast files name genes like "Q0080 (ATP8 AAP1)": identifier, then aliases.
    aliases = re.fullmatch(r"(\S+) \((\S+).*\)", label)
    gene_id = _first(
        own.get("gene_id"),
        top.get("gene_id"),
        _bare(top.get("ID", "")),
        top.get("Name"),
        aliases.group(1) if aliases else label,
    )
    if not gene_id:
        raise FormatError(
            f"row {found.row}: the {found.kind!r} at {found.chrom}:{found.start}-{found.end} "
            "names no gene",
            where=path,
            expected="an attribute gene_id, ID or Name",
        )
    tss = start_of(
        path, found.row, f"{found.kind} {gene_id!r}", found.start, found.end, found.strand
    )
    is_gene = found is gene and _is_gene(found)
    return Site(
        found.row,
        found.chrom,
        tss,
        found.strand,
        gene_id,
        _first(
            own.get("gene_name"),
            top.get("gene_name"),
            top.get("gene"),
            top.get("Name"),
            aliases.group(2) if aliases else "",
            gene_id,
        ),
        _first(
            own.get("gene_type"),
            own.get("gene_biotype"),
            top.get("gene_type"),
            top.get("gene_biotype"),
            top.get("biotype"),
        ),
        "" if is_gene else _first(own.get("transcript_id"), _bare(own.get("ID", ""))),
    )


def _first(*values: str | None) -> str:
    return next((value for value in values if value), "")


def _bare(identifier: str) -> str:
    """Drop the kind that Ensembl (gene:X) and RefSeq (gene-X) put before identifiers."""
    return re.sub(r"^(gene|transcript|rna)[:-]", "", identifier)


def start_of(path: str | Path, row: int, what: str, start: int, end: int, strand: str) -> int:
    """Start site of a row, or an error that names the row when it has no strand."""
    if strand not in ("+", "-"):
        raise FormatError(
            f"row {row}: {what} has no strand, so no start site", where=path, expected="'+' or '-'"
        )
    return tss_of(start, end, strand)
