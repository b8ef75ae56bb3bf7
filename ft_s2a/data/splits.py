"""Splits: which intervals of the genome are for training, validation and test."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path

from ft_s2a.errors import ContigError, DataError, GeometryError, near_miss
from ft_s2a.genome.contigs import check_contig
from ft_s2a.genome.regions import bed_rows, read_bed
from ft_s2a.geometry import Interval, merge, parse_locus, subtract

_log = logging.getLogger(__name__)

SPLITS = ("train", "valid", "test")

Splits = dict[str, list[Interval]]


def parse_splits(
    text: str, sizes: Mapping[str, int], *, of: str = "the genome", folds: str | None = None
) -> Splits:
    """Read ``test=II,valid=XVI:853000-948066,train=rest`` or a BED whose name column is the split.

    Rows of a BED file that overlap and belong to one split (windows, say) are joined.

    Parameters
    ----------
    text : str
        Comma-separated ``split=region``; a region is a contig, ``contig:start-end`` (0-based
        half-open) or ``rest`` (all that no other split names); regions of one split are joined
        by ``+``.  Or the path of a BED file, plain or gzip.
    sizes : mapping of str to int
        Contig lengths.
    of : str
        What `sizes` belongs to, for messages.
    folds : str, optional
        Which split each label of the BED file belongs to, see :func:`fold_names`.  Rows of one
        split that touch are joined, too.

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
    if folds is not None and not is_bed:
        raise DataError(
            f"the split {text!r} has no folds", where="--folds", expected="--split with a BED file"
        )
    splits = _from_bed(text, sizes, of, folds) if is_bed else _from_text(text, sizes, of)
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


def _from_bed(path: str, sizes: Mapping[str, int], of: str, folds: str | None) -> Splits:
    if not Path(path).is_file():
        raise DataError(
            f"{path!r} is neither a split nor a BED file",
            where="--split",
            expected="NAME=REGION,... (such as test=chr1,valid=chr2,train=rest)",
        )
    rows = read_bed(path, sizes, of=of)
    if folds is None:
        has_splits = any(row.name in SPLITS for row in rows)
        for row, (number, _) in zip(rows, bed_rows(path), strict=True):
            if row.name == "." or (has_splits and row.name not in SPLITS):
                raise DataError(
                    f"row {number}: {row} is of split {row.name!r}",
                    where=path,
                    expected="train, valid or test (or folds alone) in column 4",
                )
    names = fold_names(folds, (row.name for row in rows), where=path)
    splits: Splits = {}
    for row in rows:
        if row.name in names:
            kept = splits.setdefault(names[row.name], [])
            kept.append(Interval(row.chrom, row.start, row.end))
    order = {chrom: index for index, chrom in enumerate(sizes)}
    for name, kept in splits.items():
        # Rows that only touch may be grids of their own, unless they are blocks of folds.
        if folds is not None or _overlap_within(kept):
            joined = merge(kept) if folds is not None else _merge_overlapping(kept)
            splits[name] = sorted(joined, key=lambda i: (order[i.chrom], i.start))
    return splits


def fold_names(
    text: str | None, labels: Iterable[str], *, where: str | Path = "--folds"
) -> dict[str, str]:
    """Say which split each label (fold) belongs to.

    Parameters
    ----------
    text : str or None
        ``test=fold3,valid=fold4,train=rest``: comma-separated ``split=label``, several labels
        joined by ``+``, ``rest`` for all that are not named.  Without it the labels must be
        splits themselves.
    labels : iterable of str
        Labels that occur, repeated as they may be.
    where : str or Path
        File that holds the labels, for messages.

    Returns
    -------
    dict of str to str
        Label -> split.  Labels that the text leaves out are missing: what bears them is not used.

    Raises
    ------
    DataError
        Naming the label, or what of the text is wrong.

    Examples
    --------
    >>> fold_names("test=fold3,valid=fold4,train=rest", ["fold0", "fold3", "fold4", "fold0"])
    {'fold0': 'train', 'fold3': 'test', 'fold4': 'valid'}
    >>> fold_names(None, ["train", "test"])
    {'train': 'train', 'test': 'test'}
    """
    known = list(dict.fromkeys(labels))
    if text is None:
        return _labels_as_splits(known, where)
    option = f"--folds {text!r}"
    named: dict[str, str] = {}
    rest: str | None = None
    for item in text.split(","):
        split, equals, chosen = (part.strip() for part in item.partition("="))
        if not equals or not chosen:
            raise DataError(f"{item!r} is no split", where=option, expected="SPLIT=FOLD")
        if split not in SPLITS:
            raise DataError(
                f"unknown split {split!r}", where=option, remedy=near_miss(split, SPLITS)
            )
        for label in (part.strip() for part in chosen.split("+")):
            if label == "rest":
                if rest is not None or chosen != "rest":
                    raise DataError(
                        "'rest' is all that is left", where=option, expected=f"{split}=rest, once"
                    )
                rest = split
            elif label not in known:
                raise DataError(
                    f"{label!r} does not occur in {where}",
                    where=option,
                    remedy=near_miss(label, sorted(known, key=_natural)),
                )
            elif label in named:
                raise DataError(f"{label!r} is named twice", where=option)
            else:
                named[label] = split
    if rest is not None and len(named) == len(known):
        raise DataError(f"nothing is left for {rest}=rest", where=option)
    unused = [label for label in known if label not in named]
    if rest is not None:
        named.update(dict.fromkeys(unused, rest))
    elif unused:
        _log.info("%s: %s is not used", where, ", ".join(sorted(unused, key=_natural)))
    return {label: named[label] for label in known if label in named}


def _labels_as_splits(labels: list[str], where: str | Path) -> dict[str, str]:
    foreign = sorted((label for label in labels if label not in SPLITS), key=_natural)
    if not foreign:
        return {label: label for label in labels}
    if any(label in SPLITS for label in labels):
        raise DataError(
            f"has the label {foreign[0]!r} beside splits",
            where=where,
            expected="train, valid and test, or folds alone",
        )
    test, valid = foreign[0], foreign[1] if len(foreign) > 1 else "..."
    shown = ", ".join(foreign[:12]) + (", ..." if len(foreign) > 12 else "")
    raise DataError(
        f"has the labels {shown}",
        where=where,
        expected="train, valid or test",
        remedy=f"say which fold is what: --folds test={test},valid={valid},train=rest",
    )


def _natural(label: str) -> list[tuple[int, str]]:
    """Order fold2 before fold10."""
    return [(int(p), "") if p.isdigit() else (-1, p) for p in re.split(r"([0-9]+)", label)]


def _overlap_within(intervals: list[Interval]) -> bool:
    rows = sorted((i.chrom, i.start, i.end) for i in intervals)
    return any(a[0] == b[0] and b[1] < a[2] for a, b in pairwise(rows))


def _merge_overlapping(intervals: list[Interval]) -> list[Interval]:
    joined: list[Interval] = []
    for i in sorted(intervals, key=lambda i: (i.chrom, i.start, i.end)):
        if joined and joined[-1].overlaps(i):
            joined[-1] = Interval(i.chrom, joined[-1].start, max(joined[-1].end, i.end))
        else:
            joined.append(i)
    return joined


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
