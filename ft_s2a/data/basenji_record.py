"""One record of a published data set: its targets, its sequence, its mask, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ft_s2a.data.tfrecord import features
from ft_s2a.errors import DataError, FormatError
from ft_s2a.genome.sequence import N_CODE
from ft_s2a.geometry import Interval
from ft_s2a.tracks.table import TrackTable

_BAD = 0x7C00  # float16 bits from here on are infinite, NaN, or have a sign
_REMEDIES = {
    "NaN": "leave the window out, or write the data set again without missing values",
    "infinite": "it overflowed float16 when it was written: write it again, clipped or scaled",
    "negative": "a Poisson loss needs values >= 0: leave the track out, or clip it",
}


class Record(NamedTuple):
    """What a record holds.

    `targets` is float16 [bins, T] in target units, `codes` uint8 [input_length] (N is 4), and
    `unmappable` bool [bins], or None when the record does not say.
    """

    targets: NDArray[np.float16]
    codes: NDArray[np.uint8]
    unmappable: NDArray[np.bool_] | None


def read_record(message: bytes, *, input_length: int, bins: int, tracks: int, where: str) -> Record:
    """Take a message apart.

    Parameters
    ----------
    message : bytes
    input_length, bins, tracks : int
        Shape that the data set states.
    where : str
        File and record, for messages.

    Raises
    ------
    FormatError
        When something is missing, or has another length.
    """
    try:
        found = features(message)
    except ValueError as error:
        raise FormatError(
            f"is no tf.train.Example ({error})", where=where, remedy="fetch or make the file again"
        ) from error
    target = _feature(found, "target", where)
    if len(target) != 2 * bins * tracks:
        width = len(target) / (2 * bins)
        raise FormatError(
            f"its target has {len(target):,} bytes, which is {width:g} tracks of {bins} bins",
            where=where,
            expected=f"{tracks} tracks of {bins} bins in float16, as in targets.txt and "
            "statistics.json",
        )
    values = np.frombuffer(target, dtype="<f2").reshape(bins, tracks)
    codes = decode_sequence(_feature(found, "sequence", where), input_length, where)
    if "umap" not in found:
        return Record(values, codes, None)
    mask = np.frombuffer(found["umap"], dtype=np.uint8)
    if len(mask) != bins:
        raise FormatError(f"its umap has {len(mask)} bytes", where=where, expected=f"{bins}")
    return Record(values, codes, mask != 0)


def decode_sequence(raw: memoryview | bytes, length: int, where: str) -> NDArray[np.uint8]:
    """Turn a stored sequence into codes, uint8 [length].

    Writers before September 2022 stored one-hot rows of four bytes, later ones codes: the length
    says which.

    Examples
    --------
    >>> decode_sequence(bytes([0, 1, 0, 0, 0, 0, 0, 0]), 2, "").tolist()
    [1, 4]
    >>> decode_sequence(bytes([1, 4]), 2, "").tolist()
    [1, 4]
    """
    if len(raw) == length:
        codes = np.frombuffer(raw, dtype=np.uint8)
        good = codes.max() <= N_CODE
    elif len(raw) == 4 * length:
        words = np.frombuffer(raw, dtype="<u4")
        # One bit for each letter; N is a row of zeros.
        bits = (words & 1) | (words >> 7 & 2) | (words >> 14 & 4) | (words >> 21 & 8)
        codes = _OF_BITS[bits]
        good = codes.max() <= N_CODE and not (words & 0xFEFEFEFE).any()
    else:
        raise FormatError(
            f"its sequence has {len(raw):,} bytes",
            where=where,
            expected=f"{length:,} (codes) or {4 * length:,} (one-hot)",
        )
    if not good:
        raise FormatError(
            "its sequence holds something else than bases",
            where=where,
            expected="codes of 0-4, or one-hot rows",
        )
    return codes


_OF_BITS = np.full(16, 255, dtype=np.uint8)
_OF_BITS[[1, 2, 4, 8, 0]] = np.arange(5, dtype=np.uint8)


def refuse_bad_targets(
    values: NDArray[np.float16], table: TrackTable, window: Interval, where: str
) -> None:
    """Refuse NaN, infinite and negative targets.

    Raises
    ------
    DataError
        Naming track, window and bin.
    """
    if values.view(np.uint16).max() < _BAD:
        return
    for bad, word in (
        (np.isnan(values), "NaN"), (np.isinf(values), "infinite"), (values < 0, "negative"),
    ):  # fmt: skip
        if bad.any():
            row, column = (int(i) for i in np.argwhere(bad)[0])
            raise DataError(
                f"track {table[column].name!r} is {word} ({values[row, column]:g}) at {window}, "
                f"bin {row}",
                where=where,
                remedy=_REMEDIES[word],
            )


def compare_sequence(
    codes: NDArray[np.uint8], genome: NDArray[np.uint8], window: Interval, where: str, fasta: str
) -> None:
    """Refuse a sequence that is not the genome's.

    Where the genome has N anything goes: the writer of 2020 drew random bases there.

    Raises
    ------
    DataError
        Naming window and number of bases.
    """
    differing = int(((codes != genome) & (genome != N_CODE)).sum())
    if differing:
        raise DataError(
            f"its sequence differs from {fasta} in {differing:,} of {len(codes):,} bases at "
            f"{window}",
            where=where,
            expected="the assembly that the data set was made from",
        )


def _feature(found: Mapping[str, memoryview], name: str, where: str) -> memoryview:
    if name not in found:
        raise FormatError(
            f"no feature {name!r} of bytes in it",
            where=where,
            expected=f"sequence and target; it has {', '.join(sorted(found)) or 'none'}",
        )
    return found[name]
