"""Transcription start sites from GTF, GFF3 or BED."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ft_s2a.conventions.text import text_lines
from ft_s2a.errors import ContigError, FormatError, near_miss
from ft_s2a.genome.contigs import check_contig, same_contig
from ft_s2a.genome.gff import is_gff
from ft_s2a.genome.regions import bed_rows
from ft_s2a.genome.transcripts import Site, gff_sites, start_of

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger(__name__)

_COLUMNS = ("chrom", "tss", "strand", "gene_id", "gene_name", "gene_type", "transcript_id")


def read_tss(
    path: str | Path,
    sizes: Mapping[str, int] | None = None,
    *,
    feature: str | None = None,
    gene_type: str | Sequence[str] | None = None,
    unknown_contigs: Literal["error", "skip"] = "error",
    of: str = "the genome",
) -> pd.DataFrame:
    r"""Read transcription start sites: ``start`` on +, ``end - 1`` on - (0-based).

    What the file is follows from its rows, not from its name.

    * GTF and GFF3 (Ensembl, GENCODE, RefSeq, SGD): one row per transcript of a gene (GFF3: the
      features whose Parent is a gene), and one per gene that has none.  A GTF without gene and
      transcript rows gives transcripts from their exons.
    * BED of four or more columns: one row each; name in column 4, strand in column 6 (column 5
      when there are only five).  A ``#`` line with names of columns (``gene_id`` or
      ``Ensembl_ID``, ``gene_name``, ``gene_type``, ``transcript_id``) is followed.  Without a
      name, the gene is called after its place.

    Parameters
    ----------
    path : str or Path
        GTF, GFF3 or BED, plain or gzip.
    sizes : mapping of str to int, optional
        Contig lengths to check against.
    feature : str, optional
        Take the rows of this type (column 3 of GTF and GFF3) instead: ``gene``, ``mRNA``, or
        ``.`` for files that name none and whose rows begin at measured sites.
    gene_type : str or sequence of str, optional
        Keep genes of these types (``protein_coding``).
    unknown_contigs : {'error', 'skip'}
        Rows on contigs that `sizes` lacks: an error, or left out and counted in the log.  A
        contig that has another name in `sizes` (chrII, II) is an error in any case.
    of : str
        What `sizes` belongs to, for messages.

    Returns
    -------
    DataFrame
        Columns chrom, tss (int64, 0-based), strand, gene_id, gene_name, gene_type, transcript_id
        (empty where unknown), in file order.

    Raises
    ------
    FormatError
        Naming the row: no strand, no gene, not the format.
    ContigError
        Naming the row: an unknown contig, or a site past its end.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "tss.bed"
    >>> _ = path.write_text("II\t100\t200\tYBL001C\t.\t-\n")
    >>> read_tss(path).iloc[0].to_dict()  # doctest: +NORMALIZE_WHITESPACE
    {'chrom': 'II', 'tss': 199, 'strand': '-', 'gene_id': 'YBL001C', 'gene_name': 'YBL001C',
     'gene_type': '', 'transcript_id': ''}
    """
    import pandas as pd

    if _is_bed(path):
        if feature is not None:
            raise FormatError(
                f"BED rows have no feature type, so none is {feature!r}",
                where=path,
                remedy="leave the feature out",
            )
        sites = list(_bed_sites(path))
    else:
        sites = list(gff_sites(path, feature))
    if gene_type is not None:
        sites = _of_type(sites, gene_type, path)
    if sizes is not None:
        sites = _on_contigs(sites, sizes, path, unknown_contigs, of)
    columns = {name: [getattr(site, name) for site in sites] for name in _COLUMNS}
    return pd.DataFrame(columns).astype({"tss": "int64"})


def _is_bed(path: str | Path) -> bool:
    for row, line in text_lines(path, "annotation file"):
        if not line.strip() or re.match(r"#|(track|browser)(\s|$)", line):
            continue
        if is_gff(line.split("\t")):
            return False
        fields = line.split("\t") if "\t" in line else line.split()
        if len(fields) >= 3 and all(re.fullmatch(r"\s*[0-9]+\s*", f) for f in fields[1:3]):
            return True
        raise FormatError(
            f"row {row} is {line[:60]!r}", where=path, expected="a row of GTF, GFF3 or BED"
        )
    raise FormatError("holds no row", where=path, expected="GTF, GFF3 or BED")


def _bed_sites(path: str | Path) -> Iterator[Site]:
    named = _bed_header(path)
    for row, fields in bed_rows(path):
        chrom, start, end = fields[0], int(fields[1]), int(fields[2])
        strand = fields[5] if len(fields) > 5 else fields[4] if len(fields) == 5 else ""
        tss = start_of(path, row, f"{chrom}:{start}-{end}", start, end, strand)
        given = {key: fields[index] for key, index in named.items() if index < len(fields)}
        name = given.get("gene_name") or fields[3]
        if name in ("", "."):
            name = given.get("gene_id") or f"{chrom}:{tss}({strand})"
        yield Site(
            row,
            chrom,
            tss,
            strand,
            given.get("gene_id") or name,
            name,
            given.get("gene_type", ""),
            given.get("transcript_id", ""),
        )


def _bed_header(path: str | Path) -> dict[str, int]:
    """Columns that a ``#chrom start end ...`` line names, by what they hold."""
    for _, line in text_lines(path):
        if line.startswith("#"):
            names = [name.strip().lower() for name in line.lstrip("# ").split("\t")]
            if len(names) > 3 and names[1:3] == ["start", "end"]:
                aliases = {"ensembl_id": "gene_id", "gene_biotype": "gene_type"}
                wanted = ("gene_id", "gene_name", "gene_type", "transcript_id")
                places = {aliases.get(name, name): index for index, name in enumerate(names)}
                return {key: places[key] for key in wanted if key in places}
        elif line.strip():
            break
    return {}


def _of_type(sites: Sequence[Site], gene_type: str | Sequence[str], path: str | Path) -> list[Site]:
    wanted = [gene_type] if isinstance(gene_type, str) else list(gene_type)
    present = {site.gene_type for site in sites if site.gene_type}
    if not present:
        raise FormatError(
            "gives no gene types", where=path, remedy="leave the choice of gene types out"
        )
    for kind in wanted:
        if kind not in present:
            raise FormatError(
                f"holds no gene of type {kind!r}",
                where=path,
                remedy=near_miss(kind, sorted(present)),
            )
    return [site for site in sites if site.gene_type in wanted]


def _on_contigs(
    sites: Sequence[Site],
    sizes: Mapping[str, int],
    path: str | Path,
    unknown_contigs: str,
    of: str,
) -> list[Site]:
    kept: list[Site] = []
    skipped: Counter[str] = Counter()
    for site in sites:
        where = f"{path}, row {site.row}"
        if site.chrom not in sizes:
            if unknown_contigs == "error" or not skipped[site.chrom]:
                if same_contig(site.chrom, sizes) is not None:
                    check_contig(site.chrom, sizes, where=where, of=of)
                if unknown_contigs == "error":
                    raise ContigError(
                        f"contig {site.chrom!r} is not in {of}",
                        where=where,
                        expected="contigs of one assembly",
                        remedy=f"{near_miss(site.chrom, sizes)}; or skip the unknown contigs",
                    )
            skipped[site.chrom] += 1
            continue
        if site.tss >= sizes[site.chrom]:
            raise ContigError(
                f"the site {site.chrom}:{site.tss} of {site.gene_name!r} lies past the end of the "
                f"contig, which has {sizes[site.chrom]:,} bp in {of}",
                where=where,
                remedy="use the annotation of this assembly",
            )
        kept.append(site)
    if not kept:
        raise ContigError(
            f"no row lies on a contig of {of}",
            where=path,
            expected=f"contigs like {next(iter(sizes), 'none')!r}, not {next(iter(skipped))!r}",
        )
    if skipped:
        _log.info(
            "%s: left out %d rows on %d contigs that %s lacks (%s)",
            path,
            skipped.total(),
            len(skipped),
            of,
            ", ".join(list(skipped)[:5]) + (", ..." if len(skipped) > 5 else ""),
        )
    return kept
