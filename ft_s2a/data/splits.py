"""Splits: which intervals of the genome are for training, validation and test."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

from ft_s2a.errors import ContigError, DataError, GeometryError, near_miss
from ft_s2a.genome.contigs import check_contig
from ft_s2a.genome.regions import read_bed
from ft_s2a.geometry import Interval, parse_locus, subtract

SPLITS = ("train", "valid", "test")

Splits = dict[str, list[Interval]]


def parse_splits(text: str, sizes: Mapping[str, int], *, of: str = "the genome") -> Splits:
    """Read ``test=II,valid=XVI:853000-948066,train=rest`` or a BED whose name column is the split.

    Parameters
    ----------
    text : str
        Comma-separated ``split=region``; a region is a contig, ``contig:start-end`` (0-based
        half-open) or ``rest`` (all that no other split names); regions of one split are joined
        by ``+``.  Or the path of a BED file.
    sizes : mapping of str to int
        Contig lengths.

    Returns
    -------
    dict of str to list of Interval
        Splits that do not overlap.

    Raises
    ------
    DataError, ContigError, GeometryError, FormatError
        Naming the text, or the file and row.

    Examples
    --------
    >>> splits = parse_splits("test=II,valid=X:0-5,train=rest", {"II": 9, "X": 8})
    >>> [str(i) for i in splits["train"]]
    ['X:5-8']
    """
    is_bed = "=" not in text or Path(text).is_file()
    splits = _from_bed(text, sizes, of) if is_bed else _from_text(text, sizes, of)
    _check_disjoint(splits, where=f"split {text!r}")
    return splits


def splits_to_bed(splits: Splits) -> str:
    """Write splits as BED text, the split's name in column 4."""
    rows = [f"{i.chrom}\t{i.start}\t{i.end}\t{name}" for name, kept in splits.items() for i in kept]
    return "\n".join(rows) + "\n"


def _from_text(text: str, sizes: Mapping[str, int], of: str) -> Splits:
    splits: Splits = {}
    rest: str | None = None
    where = f"split {text!r}"
    for item in text.split(","):
        name, equals, regions = (part.strip() for part in item.partition("="))
        if not equals or not regions:
            raise DataError(f"{item!r} is no split", where=where, expected="NAME=REGION")
        if name not in SPLITS:
            raise DataError(f"unknown split {name!r}", where=where, remedy=near_miss(name, SPLITS))
        if regions == "rest":
            if rest is not None:
                raise DataError("'rest' is named twice", where=where)
            rest = name
            continue
        for region in regions.split("+"):
            if region.strip() == "rest":
                raise DataError("'rest' is all that is left", where=where, expected=f"{name}=rest")
            splits.setdefault(name, []).append(_region(region.strip(), sizes, where, of))
    if rest is not None:
        taken = [i for kept in splits.values() for i in kept]
        left = [
            piece
            for chrom, length in sizes.items()
            for piece in subtract(Interval(chrom, 0, length), taken)
        ]
        if not left:
            raise DataError(f"nothing is left for {rest}=rest", where=where)
        splits.setdefault(rest, []).extend(left)
    return splits


def _region(text: str, sizes: Mapping[str, int], where: str, of: str) -> Interval:
    chrom, start, end = (text, None, None) if text in sizes else parse_locus(text)
    length = check_contig(chrom, sizes, where=where, of=of)
    if start is None or end is None:
        return Interval(chrom, 0, length)
    if end > length:
        raise ContigError(
            f"{text} reaches past the end of {chrom!r}, which has {length:,} bp in {of}",
            where=where,
        )
    return Interval(chrom, start, end)


def _from_bed(path: str, sizes: Mapping[str, int], of: str) -> Splits:
    if not Path(path).is_file():
        raise DataError(
            f"{path!r} is neither a split nor a BED file",
            where="--split",
            expected="NAME=REGION,... (such as test=chr1,valid=chr2,train=rest)",
        )
    splits: Splits = {}
    for interval in read_bed(path, sizes, of=of):
        if interval.name not in SPLITS:
            raise DataError(
                f"{interval} is of split {interval.name!r}",
                where=path,
                expected="train, valid or test in column 4",
            )
        splits.setdefault(interval.name, []).append(
            Interval(interval.chrom, interval.start, interval.end)
        )
    return splits


def _check_disjoint(splits: Splits, *, where: str) -> None:
    rows = sorted(((i.chrom, i.start, i.end, name) for name, kept in splits.items() for i in kept))
    for before, after in pairwise(rows):
        if before[0] == after[0] and after[1] < before[2]:
            raise DataError(
                f"{before[3]} {before[0]}:{before[1]}-{before[2]} and "
                f"{after[3]} {after[0]}:{after[1]}-{after[2]} overlap",
                where=where,
                expected="splits that share no base",
            )


def check_no_leak(test: list[Interval], train: list[Interval], *, what: str) -> None:
    """Refuse intervals of `test` that overlap those of `train`.

    Raises
    ------
    GeometryError
        Naming the first overlapping pair.
    """
    for interval in test:
        for other in train:
            if interval.overlaps(other):
                raise GeometryError(
                    f"{what}: {interval} overlaps {other}", remedy="pass --allow-leak to go on"
                )
