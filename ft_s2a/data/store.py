"""The training set on disk: a zarr group with one window per chunk, and what it must state."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
from pathlib import Path
from typing import Any, Literal

import numpy as np
import zarr
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from ft_s2a.conventions.atomic import refuse_existing
from ft_s2a.conventions.validation import describe
from ft_s2a.data.chunks import compressor
from ft_s2a.data.splits import SPLITS
from ft_s2a.data.windows import Window
from ft_s2a.errors import DataError, FormatError, OutputExistsError, TrackError, require_file
from ft_s2a.geometry import Geometry
from ft_s2a.models.config import HeadConfig
from ft_s2a.tracks.table import Track, TrackTable

ATTRIBUTE = "ft_s2a"
_COLUMNS = ("window_contig", "window_start", "window_split")
# Rows of the mask that are stored together.
_MASK_ROWS = 4096


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
    """Everything about a training set but its arrays.

    `fasta` is empty and `contigs` has no record where the set keeps its own sequence.
    """

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
    def keeps_sequence(self) -> bool:
        """Whether the windows' sequence is in the set (array ``codes``), not in a FASTA."""
        return not self.fasta

    @property
    def geometry(self) -> Geometry:
        """Longest input that the splits are kept apart for, and the stored bins."""
        crop = (self.input_length // self.bin_size - self.target_bins) // 2
        return Geometry(self.input_length, self.bin_size, crop)

    @property
    def table(self) -> TrackTable:
        """The track table."""
        return TrackTable(tuple(Track(**_numbers(row)) for row in self.tracks))


def track_record(track: Track) -> dict[str, Any]:
    """Make a JSON-ready dict of a track (infinity and NaN as text)."""
    record = {field.name: getattr(track, field.name) for field in dataclasses.fields(track)}
    return {
        key: str(value) if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in record.items()
    }


def _numbers(record: dict[str, Any]) -> dict[str, Any]:
    return {
        key: float(value) if key in ("scale", "clip", "clip_soft") else value
        for key, value in record.items()
    }


def check_head(table: TrackTable, *, where: str | Path | None) -> None:
    """Check that a set can be made of these tracks: one head, and both strands of each pair.

    Raises
    ------
    TrackError
    """
    table.pairs()
    if len(table.heads) > 1:
        raise TrackError(
            f"the tracks name {len(table.heads)} heads ({', '.join(table.heads)})",
            where=where,
            expected="one head per training set",
        )
    try:
        HeadConfig(name=table.heads[0], tracks=len(table))
    except ValidationError as error:
        raise TrackError(
            f"head {table.heads[0]!r}", where=where, expected="letters, digits and _ -"
        ) from error


def check_output(out: Path, *, overwrite: bool) -> None:
    """Refuse a place where a set must not be written: the whole folder is replaced.

    Raises
    ------
    OutputExistsError
        When something is there that is not to be overwritten, or is no training set.
    """
    refuse_existing(out, overwrite=overwrite)
    if out.is_dir() and any(out.iterdir()) and not is_store(out):
        raise OutputExistsError(
            "is a folder but no training set; it is not replaced", where=out, remedy="name another"
        )


def create(
    path: Path,
    windows: list[Window],
    bins: int,
    tracks: int,
    dtype: str,
    *,
    codes: int | None = None,
) -> zarr.Group:
    """Make the arrays of a new set; targets (and `codes` bases) are filled window by window."""
    group = zarr.open_group(str(path), mode="w", zarr_format=3)
    shapes: dict[str, tuple[tuple[int, ...], str]] = {"targets": ((bins, tracks), dtype)}
    if codes is not None:
        shapes["codes"] = ((codes,), "uint8")
    for name, (shape, kind) in shapes.items():
        group.create_array(
            name,
            shape=(len(windows), *shape),
            chunks=(1, *shape),
            dtype=kind,
            compressors=compressor(name),
            # One file for each window, and not a folder in a folder as well.
            chunk_key_encoding={"name": "default", "separator": "."},
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


def write_unmappable(group: zarr.Group, mask: NDArray[np.bool_]) -> None:
    """Store which bins are unmappable, bool [windows, bins]."""
    array = group.create_array(
        "unmappable",
        shape=mask.shape,
        chunks=(min(_MASK_ROWS, len(mask)), mask.shape[1]),
        dtype=mask.dtype,
        compressors=compressor("unmappable"),
    )
    array[...] = mask


def read_unmappable(group: zarr.Group) -> NDArray[np.bool_] | None:
    """Which bins are unmappable, bool [windows, bins]; None when the set does not say."""
    return np.asarray(group["unmappable"], dtype=bool) if "unmappable" in group else None


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
    for name in ("targets", "codes"):
        if name not in group:
            continue
        array = _array(group, name)
        if lost := _lost(array, Path(path) / name):
            raise FormatError(
                f"lacks the {'targets' if name == 'targets' else 'sequence'} of "
                f"{lost:,} of {array.shape[0]:,} windows",
                where=path,
                remedy="copy the whole folder again, or build it again",
            )


def _lost(array: zarr.Array[Any], folder: Path) -> int:
    """Count windows without a file; zarr's own count looks each up in a list of all."""
    there = {os.path.join(where, file) for where, _, files in os.walk(folder) for file in files}
    key, rest = array.metadata.encode_chunk_key, (0,) * (array.ndim - 1)
    return sum(os.path.join(folder, key((i, *rest))) not in there for i in range(array.shape[0]))


def window_contigs(group: zarr.Group) -> list[str]:
    """Contigs that ``window_contig`` counts."""
    names = group.attrs["contigs_of_windows"]
    assert isinstance(names, list)
    return [str(name) for name in names]


def target_array(group: zarr.Group) -> zarr.Array[Any]:
    """Targets of all windows, [windows, target_bins, T].

    A window of zeros is written too, so that a chunk that got lost is noticed.
    """
    return _array(group, "targets").with_config({"write_empty_chunks": True})


def code_array(group: zarr.Group) -> zarr.Array[Any]:
    """Sequence of all windows, uint8 [windows, input_length], of a set that keeps it."""
    return _array(group, "codes").with_config({"write_empty_chunks": True})


def _array(group: zarr.Group, name: str) -> zarr.Array[Any]:
    array = group[name]
    assert isinstance(array, zarr.Array)
    return array


def _check_arrays(group: zarr.Group, header: StoreHeader, path: Path) -> None:
    optional = [name for name in ("unmappable",) if name in group]
    if header.keeps_sequence:
        optional.append("codes")
    try:
        arrays = {name: group[name] for name in ("targets", *_COLUMNS, *optional)}
        shapes = {name: getattr(array, "shape", None) for name, array in arrays.items()}
        contigs = group.attrs["contigs_of_windows"]
    except (OSError, ValueError, KeyError) as error:
        raise FormatError(
            f"lacks an array or a list ({error})", where=path, remedy="copy or build it again"
        ) from error
    windows = shapes["targets"][0] if shapes["targets"] else 0
    known = {
        "targets": (windows, header.target_bins, len(header.tracks)),
        **dict.fromkeys(_COLUMNS, (windows,)),
        "unmappable": (windows, header.target_bins),
        "codes": (windows, header.input_length),
    }
    wanted = {name: known[name] for name in shapes}
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
