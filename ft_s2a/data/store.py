"""The training set on disk: a zarr group with one window per chunk, and what it must state."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from pathlib import Path
from typing import Any, Literal

import numpy as np
import zarr
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError
from zarr.codecs import ZstdCodec

from ft_s2a.conventions.validation import describe
from ft_s2a.data.splits import SPLITS
from ft_s2a.data.windows import Window
from ft_s2a.errors import DataError, FormatError, require_file
from ft_s2a.tracks.table import Track, TrackTable

ATTRIBUTE = "ft_s2a"
_COLUMNS = ("window_contig", "window_start", "window_split")


class ContigRecord(BaseModel):
    """Length and checksum (MD5 of the upper-case letters) of a contig."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    length: int
    md5: str


class TrackStatistics(BaseModel):
    """Statistics of a track over the training bins, in target units."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    bins: int
    mean: float
    maximum: float
    null_deviance: float


class StoreHeader(BaseModel):
    """Everything about a training set but its arrays."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    schema_version: Literal[1] = 1
    bin_size: int
    input_length: int
    target_bins: int
    dtype: Literal["float16", "float32"]
    fasta: str
    contigs: dict[str, ContigRecord]
    splits: tuple[tuple[str, int, int, str], ...]
    tracks: tuple[dict[str, Any], ...]
    statistics: tuple[TrackStatistics, ...]
    provenance: dict[str, Any]
    checksum: str

    @property
    def table(self) -> TrackTable:
        """The track table."""
        return TrackTable(tuple(Track(**_numbers(row)) for row in self.tracks))


def track_record(track: Track) -> dict[str, Any]:
    """Make a JSON-ready dict of a track (infinity and NaN as text)."""
    record = dataclasses.asdict(track)
    return {
        key: str(value) if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in record.items()
    }


def _numbers(record: dict[str, Any]) -> dict[str, Any]:
    return {
        key: float(value) if key in ("scale", "clip", "clip_soft") else value
        for key, value in record.items()
    }


def create(path: Path, windows: list[Window], bins: int, tracks: int, dtype: str) -> zarr.Group:
    """Make the arrays of a new set; targets are filled window by window."""
    group = zarr.open_group(str(path), mode="w", zarr_format=3)
    group.create_array(
        "targets",
        shape=(len(windows), bins, tracks),
        chunks=(1, bins, tracks),
        dtype=dtype,
        compressors=ZstdCodec(level=3),
    )
    contigs = list(dict.fromkeys(window.chrom for window in windows))
    columns: tuple[NDArray[Any], ...] = (
        np.array([contigs.index(w.chrom) for w in windows], dtype=np.int32),
        np.array([w.start for w in windows], dtype=np.int64),
        np.array([SPLITS.index(w.split) for w in windows], dtype=np.uint8),
    )
    for name, column in zip(_COLUMNS, columns, strict=True):
        array = group.create_array(name, shape=column.shape, dtype=column.dtype)
        array[:] = column
    group.attrs["contigs_of_windows"] = contigs
    return group


def write_header(group: zarr.Group, header: StoreHeader) -> None:
    """Store the header; a set without it is not complete."""
    group.attrs[ATTRIBUTE] = header.model_dump(mode="json")


def is_store(path: str | Path) -> bool:
    """Whether a folder is a training set (of any version, complete or not)."""
    try:
        group = zarr.open_group(str(path), mode="r", zarr_format=3)
        return ATTRIBUTE in group.attrs
    except (OSError, ValueError, KeyError):
        return False


def open_store(path: str | Path) -> tuple[zarr.Group, StoreHeader]:
    """Open a training set and validate its header.

    Raises
    ------
    MissingFileError, FormatError
        Naming the folder, and what is missing or wrong in it.
    """
    found = require_file(path, "training set")
    try:
        group = zarr.open_group(str(found), mode="r", zarr_format=3)
    except (OSError, ValueError, KeyError) as error:
        raise FormatError(
            "is not a training set", where=found, expected="a folder made by 'ft-s2a data ...'"
        ) from error
    if ATTRIBUTE not in group.attrs:
        raise FormatError("is not a complete training set", where=found, remedy="build it again")
    try:
        header = StoreHeader.model_validate(group.attrs[ATTRIBUTE])
    except ValidationError as error:
        raise FormatError(f"header: {describe(error)}", where=found) from error
    _check_arrays(group, header, found)
    return group, header


def check_complete(group: zarr.Group, path: str | Path) -> None:
    """Check that every window's targets are there: zarr reads a lost chunk as zeros.

    Raises
    ------
    FormatError
        With the number of windows that are missing.
    """
    targets = target_array(group)
    if lost := targets.nchunks - targets.nchunks_initialized:
        raise FormatError(
            f"lacks the targets of {lost:,} of {targets.nchunks:,} windows",
            where=path,
            remedy="copy the whole folder again, or build it again",
        )


def window_contigs(group: zarr.Group) -> list[str]:
    """Contigs that ``window_contig`` counts."""
    names = group.attrs["contigs_of_windows"]
    assert isinstance(names, list)
    return [str(name) for name in names]


def target_array(group: zarr.Group) -> zarr.Array[Any]:
    """Targets of all windows, [windows, target_bins, T].

    A window of zeros is written too, so that a chunk that got lost is noticed.
    """
    array = group["targets"]
    assert isinstance(array, zarr.Array)
    return array.with_config({"write_empty_chunks": True})


def _check_arrays(group: zarr.Group, header: StoreHeader, path: Path) -> None:
    try:
        arrays = {name: group[name] for name in ("targets", *_COLUMNS)}
        shapes = {name: getattr(array, "shape", None) for name, array in arrays.items()}
        contigs = group.attrs["contigs_of_windows"]
    except (OSError, ValueError, KeyError) as error:
        raise FormatError(
            f"lacks an array or a list ({error})", where=path, remedy="copy or build it again"
        ) from error
    windows = shapes["targets"][0] if shapes["targets"] else 0
    wanted = {
        "targets": (windows, header.target_bins, len(header.tracks)),
        **dict.fromkeys(_COLUMNS, (windows,)),
    }
    if shapes != wanted or not isinstance(contigs, list):
        raise FormatError(f"holds arrays of shapes {shapes}", where=path, expected=str(wanted))


def checksum_of(
    window_hashes: list[str], windows: list[Window], header_parts: dict[str, Any]
) -> str:
    """SHA-256 over windows, targets and track table: the same content gives the same value."""
    digest = hashlib.sha256()
    for window, value in zip(windows, window_hashes, strict=True):
        digest.update(f"{window.chrom}:{window.start}:{window.split}:{value}\n".encode())
    digest.update(repr(sorted(header_parts.items())).encode())
    return digest.hexdigest()


def refuse_negative(pooled: NDArray[np.float64], table: TrackTable, place: str) -> None:
    """Refuse pooled bins below zero (observed units; NaN is no value).

    Raises
    ------
    DataError
        Naming track and place.
    """
    if (pooled < 0).any():
        row, column = (int(i) for i in np.argwhere(pooled < 0)[0])
        raise _bad_value(table[column], "negative", pooled[row, column], place, row)


_REMEDIES = {
    "negative": "a Poisson loss needs values >= 0: use unsigned signal",
    "infinite": "mask such bases in the bigWig",
    "too large for float16": "set clip, scale or squash for the track, or pass --dtype float32",
}


def _bad_value(track: Track, word: str, value: float, place: str, row: int) -> DataError:
    return DataError(
        f"track {track.name!r} is {word} ({value:.6g}) at {place}, bin {row}",
        where=track.file or None,
        remedy=_REMEDIES[word],
    )


def as_stored(
    values: NDArray[np.float64], dtype: str, table: TrackTable, place: str
) -> NDArray[Any]:
    """Check target values and convert them to the stored type.

    Raises
    ------
    DataError
        For negative or infinite values, and values beyond float16, naming track and place.
    """
    limit = np.finfo(np.dtype(dtype).type).max
    for bad, word in (
        (np.isinf(values), "infinite"),
        (values < 0, "negative"),
        (values > limit, "too large for float16" if dtype == "float16" else "infinite"),
    ):
        if bad.any():
            row, column = (int(i) for i in np.argwhere(bad)[0])
            raise _bad_value(table[column], word, values[row, column], place, row)
    return values.astype(dtype)
