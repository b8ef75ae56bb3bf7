"""Rows of GTF and GFF3 files, 0-based half-open.

Formats: GTF 2.2 (``key "value";``) and GFF3 (``key=value;``, percent-encoded; Sequence Ontology
specification 1.26).
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote

from ft_s2a.conventions.text import text_lines
from ft_s2a.errors import FormatError
from ft_s2a.geometry import from_one_based

_GTF_ATTRIBUTE = re.compile(r'\s*([^\s;"]+)\s+(?:"([^"]*)"|([^\s;"]+))\s*(?:;|$)')


@dataclass(frozen=True)
class Feature:
    """One row of a GTF or GFF3 file.

    Parameters
    ----------
    row : int
        Row of the file, counted from 1.
    chrom, kind, strand : str
        Contig, feature type (column 3), ``+``, ``-`` or whatever stands there.
    start, end : int
        0-based half-open.
    text : str
        The ninth column as written.
    """

    row: int
    chrom: str
    kind: str
    start: int
    end: int
    strand: str
    text: str

    @cached_property
    def attributes(self) -> dict[str, str]:
        """Keys and values of the ninth column; of a repeated key the first."""
        return parse_attributes(self.text)


def parse_attributes(text: str) -> dict[str, str]:
    """Read the ninth column of GTF or GFF3.

    Examples
    --------
    >>> parse_attributes('gene_id "YBL001C"; exon_number 1;')
    {'gene_id': 'YBL001C', 'exon_number': '1'}
    >>> parse_attributes("ID=gene:YBL001C;Name=ECM15%3B1")
    {'ID': 'gene:YBL001C', 'Name': 'ECM15;1'}
    """
    attributes: dict[str, str] = {}
    if re.match(r'\s*[^\s;="]+\s*=', text):
        for item in text.split(";"):
            key, equals, value = item.partition("=")
            if equals:
                attributes.setdefault(key.strip(), unquote(value.strip()))
    else:
        for key, quoted, bare in _GTF_ATTRIBUTE.findall(text):
            attributes.setdefault(key, quoted or bare)
    return attributes


def gff_features(path: str | Path, *, skip: Container[str] = ()) -> Iterator[Feature]:
    """Give the rows of a GTF or GFF3 file, up to a ``##FASTA`` section.

    Parameters
    ----------
    path : str or Path
        Plain or gzip.
    skip : container of str
        Feature types to pass over.

    Yields
    ------
    Feature
        In file order.

    Raises
    ------
    FormatError
        Naming file and row.
    """
    for row, line in text_lines(path, "annotation file"):
        if line.startswith("##FASTA"):
            return
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split("\t")
        if len(fields) > 2 and fields[2] in skip:
            continue
        if not is_gff(fields):
            raise FormatError(
                f"row {row} is {line[:60]!r}",
                where=path,
                expected="the nine tab-separated columns of GTF or GFF3, start <= end",
            )
        start, end = from_one_based(int(fields[3]), int(fields[4]))
        text = fields[8] if len(fields) > 8 else ""
        yield Feature(row, fields[0], fields[2], start, end, fields[6], text)


def is_gff(fields: list[str]) -> bool:
    """Whether the fields of a row are those of GTF or GFF3."""
    return (
        len(fields) >= 8
        and re.fullmatch(r"[0-9]+", fields[3]) is not None
        and re.fullmatch(r"[0-9]+", fields[4]) is not None
        and 1 <= int(fields[3]) <= int(fields[4])
    )
