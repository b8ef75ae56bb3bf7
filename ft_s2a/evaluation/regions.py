"""Regions as users write them, BED files or loci, and whether they overlap."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from ft_s2a.errors import FtS2aError
from ft_s2a.genome.regions import read_bed, resolve_regions
from ft_s2a.geometry import Interval

Regions = str | Path | Sequence[str | Path]

# A comma separates regions, except as thousands separator.
_COMMA = re.compile(r",(?!(?<=\d,)\d{3}(?!\d))")


def parse_regions(texts: Regions, sizes: Mapping[str, int], *, of: str) -> list[Interval]:
    """Read regions: each text is a BED file, a contig, or ``contig:start-end`` (0-based).

    Parameters
    ----------
    texts : str, Path, or sequence of them
        Several regions may also stand in one text, separated by commas.
    sizes : mapping of str to int
        Contigs and lengths to check against.
    of : str
        What `sizes` belongs to, for messages.

    Examples
    --------
    >>> [str(r) for r in parse_regions("I,II:1,000-2,000", {"I": 10, "II": 5000}, of="a.fa")]
    ['I:0-10', 'II:1000-2000']
    """
    listed = [texts] if isinstance(texts, (str, Path)) else list(texts)
    regions: list[Interval] = []
    for text in listed:
        if text in sizes:
            regions += resolve_regions(sizes, chroms=[str(text)], of=of)
        elif isinstance(text, Path) or _is_path(text):
            regions += read_bed(text, sizes, of=of)
        else:
            loci = [part.strip() for part in _COMMA.split(text) if part.strip()]
            regions += resolve_regions(sizes, loci=loci, of=of)
    if not regions:
        raise FtS2aError("no region is named", expected="a BED file, a contig or CHROM:START-END")
    return regions


def _is_path(text: str) -> bool:
    name = text.lower()
    return name.endswith((".bed", ".bed.gz", ".txt", ".tsv")) or "/" in text or Path(text).is_file()


def refuse_overlaps(regions: Sequence[Interval], *, where: str) -> None:
    """Check that no base is in two of the regions.

    Raises
    ------
    FtS2aError
        Naming the first pair: its bins would count twice.
    """
    ordered = sorted(regions, key=lambda r: (r.chrom, r.start))
    for one, other in pairwise(ordered):
        if one.overlaps(other):
            raise FtS2aError(
                f"the regions {one} and {other} overlap, so that bins would count twice",
                where=where,
                remedy="merge them (bedtools merge)",
            )


def refuse_shared(
    one: Sequence[Interval], other: Sequence[Interval], *, names: tuple[str, str]
) -> None:
    """Check that two sets of regions share no base.

    Parameters
    ----------
    one, other : sequence of Interval
        For example the regions trained on and those scored.
    names : (str, str)
        What they are, for the message.
    """
    # Both sets are free of overlaps, so a sweep needs to look at neighbours only.
    tagged = sorted(
        [(r.chrom, r.start, 0, r) for r in one] + [(r.chrom, r.start, 1, r) for r in other],
        key=lambda item: item[:3],
    )
    reached: dict[int, Interval] = {}
    for _, _, side, region in tagged:
        last = reached.get(1 - side)
        if last is not None and last.overlaps(region):
            pair = (region, last) if side == 0 else (last, region)
            raise FtS2aError(
                f"{pair[0]} ({names[0]}) overlaps {pair[1]} ({names[1]})",
                expected="regions that share no base",
                remedy="cut them, for example CHROM:START-END",
            )
        held = reached.get(side)
        if held is None or held.chrom != region.chrom or held.end < region.end:
            reached[side] = region


def contigs_of(regions: Sequence[Interval]) -> list[str]:
    """Contigs that the regions lie on, each once, in order."""
    return list(dict.fromkeys(region.chrom for region in regions))
