"""The training set on disk: a zarr group with one window per chunk, and what it must state."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from pathlib import Path
from typing import Any, Literal

import numpy as np
import zarr
from zarr.codecs import ZstdCodec
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from ft_s2a.data.windows import Window
from ft_s2a.errors import DataError, FormatError, require_file
from ft_s2a.models.config import describe
from ft_s2a.tracks.table import Track, TrackTable

ATTRIBUTE = "ft_s2a"


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
    columns: dict[str, NDArray[Any]] = {
        "window_contig": np.array([contigs.index(w.chrom) for w in windows], dtype=np.int32),
        "window_start": np.array([w.start for w in windows], dtype=np.int64),
        "window_split": np.array(
            [("train", "valid", "test").index(w.split) for w in windows], dtype=np.uint8
        ),
    }
    for name, column in columns.items():
        array = group.create_array(name, shape=column.shape, dtype=column.dtype)
        array[:] = column
    group.attrs["contigs_of_windows"] = contigs
    return group


def write_header(group: zarr.Group, header: StoreHeader) -> None:
    """Store the header; a set without it is not complete."""
    group.attrs[ATTRIBUTE] = header.model_dump(mode="json")


def open_store(path: str | Path) -> tuple[zarr.Group, StoreHeader]:
    """Open a training set and validate its header."""
    found = require_file(path, "training set")
    try:
        group = zarr.open_group(str(found), mode="r", zarr_format=3)
    except (FileNotFoundError, ValueError, KeyError, NotADirectoryError) as error:
        raise FormatError(
            "is not a training set", where=found, expected="a folder made by 'ft-s2a data ...'"
        ) from error
    if ATTRIBUTE not in group.attrs:
        raise FormatError("is not a complete training set", where=found, remedy="build it again")
    try:
        return group, StoreHeader.model_validate(group.attrs[ATTRIBUTE])
    except ValidationError as error:
        raise FormatError(f"header: {describe(error)}", where=found) from error


def checksum_of(
    window_hashes: list[str], windows: list[Window], header_parts: dict[str, Any]
) -> str:
    """SHA-256 over windows, targets and track table: the same content gives the same value."""
    digest = hashlib.sha256()
    for window, value in zip(windows, window_hashes, strict=True):
        digest.update(f"{window.chrom}:{window.start}:{window.split}:{value}\n".encode())
    digest.update(repr(sorted(header_parts.items())).encode())
    return digest.hexdigest()


def as_stored(
    values: NDArray[np.float64], dtype: str, table: TrackTable, place: str
) -> NDArray[Any]:
    """Check target values and convert them to the stored type.

    Raises
    ------
    DataError
        For negative or infinite values, and values beyond float16, naming track and place.
    """
    for bad, word, remedy in (
        (np.isinf(values), "infinite", "mask such bases in the bigWig"),
        (values < 0, "negative", "a Poisson loss needs values >= 0: use unsigned signal"),
        (
            (values > np.finfo(np.float16).max)
            if dtype == "float16"
            else np.zeros_like(values, bool),
            "too large for float16",
            "set clip, scale or squash in the track table, or pass --dtype float32",
        ),
    ):
        if bad.any():
            row, column = (int(i) for i in np.argwhere(bad)[0])
            track = table[column]
            raise DataError(
                f"track {track.name!r} is {word} ({values[row, column]:.6g}) at {place}, bin {row}",
                where=track.file or None,
                remedy=remedy,
            )
    return values.astype(dtype)
