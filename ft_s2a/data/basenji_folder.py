"""A data set as Basenji and Baskerville write it: what its folder states, checked."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ft_s2a.conventions.text import text_lines
from ft_s2a.errors import DataError, FormatError, GeometryError, MissingFileError, require_file
from ft_s2a.geometry import Geometry, Interval
from ft_s2a.tracks.track import TRANSFORMS

STATISTICS, SEQUENCES, TARGETS, RECORDS = (
    "statistics.json", "sequences.bed", "targets.txt", "tfrecords",
)  # fmt: skip
_NAME = re.compile(r"(?P<label>.+?)(?:-(?P<genome>[0-9]+))?-(?P<number>[0-9]+)\.tfr")


@dataclass(frozen=True)
class BasenjiFolder:
    """A published data set.

    Parameters
    ----------
    path : Path
        The folder.
    geometry : Geometry
        Input length, bin size and crop.
    tracks : int
        Targets of each record.
    rows : tuple of Interval
        Target interval of each window, in the order of ``sequences.bed``; the name is the label
        (train, valid, test, or a fold).
    files : dict of str to tuple of Path
        TFRecord files of each label, in the order of their numbers.
    transform : str or None
        How the targets were computed, which only data sets that we wrote state.
    """

    path: Path
    geometry: Geometry
    tracks: int
    rows: tuple[Interval, ...]
    files: dict[str, tuple[Path, ...]]
    transform: str | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the windows, in order of appearance."""
        return tuple(dict.fromkeys(row.name for row in self.rows))

    def rows_of(self, label: str) -> list[int]:
        """Windows of a label: its k-th record belongs to the k-th of them."""
        return [index for index, row in enumerate(self.rows) if row.name == label]


def read_folder(path: str | Path) -> BasenjiFolder:
    """Read what a data set states about itself; no record is read.

    Parameters
    ----------
    path : str or Path
        Folder of ``statistics.json``, ``sequences.bed``, ``targets.txt`` and ``tfrecords/``.

    Raises
    ------
    MissingFileError, FormatError, GeometryError, DataError
        Naming the file, and the row or field.
    """
    folder = require_file(path, "data set")
    if not folder.is_dir():
        raise FormatError("is a file", where=folder, expected="the folder of a Basenji data set")
    for name in (STATISTICS, SEQUENCES, TARGETS, RECORDS):
        if not (folder / name).exists():
            raise MissingFileError(
                f"no {name} in it",
                where=folder,
                expected=f"{STATISTICS}, {SEQUENCES}, {TARGETS} and {RECORDS}/",
            )
    numbers, transform = _statistics(folder / STATISTICS)
    geometry = _geometry(numbers, folder / STATISTICS)
    rows = _rows(folder / SEQUENCES, geometry)
    _check_counts(numbers, rows, folder)
    files = _files(folder / RECORDS, rows)
    return BasenjiFolder(folder, geometry, numbers["num_targets"], rows, files, transform)


def _statistics(path: Path) -> tuple[dict[str, int], str | None]:
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise FormatError(f"is no JSON ({error})", where=path) from error
    if not isinstance(document, dict):
        raise FormatError("is no JSON object", where=path)
    numbers = {}
    for key, value in document.items():
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        if whole and not isinstance(value, bool):
            numbers[key] = int(value)
    for key in ("num_targets", "seq_length", "pool_width", "target_length"):
        if numbers.get(key, 0) < 1:
            raise FormatError(
                f"{key} is {document.get(key, 'missing')}", where=path, expected="a whole number"
            )
    transform = document.get("transform")
    return numbers, transform if transform in TRANSFORMS else None


def _geometry(numbers: dict[str, int], path: Path) -> Geometry:
    length, width = numbers["seq_length"], numbers["pool_width"]
    left = length - numbers["target_length"] * width
    crop = numbers.get("crop_bp", left // 2)
    if left != 2 * crop or crop < 0:
        raise FormatError(
            f"a sequence of {length} bp without {crop} bp at each side is not "
            f"{numbers['target_length']} bins of {width} bp",
            where=path,
            expected="seq_length = target_length x pool_width + 2 x crop_bp",
        )
    if crop % width:
        raise GeometryError(
            f"the crop of {crop} bp is no whole number of bins of {width} bp", where=path
        )
    try:
        return Geometry(length, width, crop // width)
    except GeometryError as error:
        raise GeometryError(error.what, where=path, expected=error.expected) from error


def _rows(path: Path, geometry: Geometry) -> tuple[Interval, ...]:
    """Read the windows' targets; a row holds a whole or a cropped window, as its length says."""
    crops = {geometry.input_length: geometry.crop, geometry.output_length: 0}
    rows: list[Interval] = []
    length = 0
    for number, line in text_lines(path, "BED file"):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split("\t") if "\t" in line else line.split()
        if len(fields) < 4 or not all(re.fullmatch(r"-?[0-9]+", text) for text in fields[1:3]):
            raise FormatError(
                f"row {number} is {line[:60]!r}",
                where=path,
                expected="contig, start, end and label, tab separated",
            )
        start, end = int(fields[1]), int(fields[2])
        length = length or end - start
        if end - start not in crops or end - start != length:
            whole = f"{geometry.input_length} bp (the sequence)"
            target = f"{geometry.output_length} bp (its target)"
            raise FormatError(
                f"row {number} is {end - start} bp long",
                where=path,
                expected=f"{length} bp as in the rows before" if rows else f"{whole} or {target}",
            )
        start += crops[length]
        label = fields[3].strip()
        if not label:
            raise FormatError(
                f"row {number} has no label", where=path, expected="as train or fold0"
            )
        rows.append(Interval(fields[0], start, start + geometry.output_length, label))
    if not rows:
        raise FormatError("holds no row", where=path, expected="a row for each record")
    return tuple(rows)


def _check_counts(numbers: dict[str, int], rows: Sequence[Interval], folder: Path) -> None:
    counted: dict[str, int] = {}
    for row in rows:
        counted[row.name] = counted.get(row.name, 0) + 1
    stated = {key.removesuffix("_seqs"): n for key, n in numbers.items() if key.endswith("_seqs")}
    for label in {**counted, **stated}:
        if stated.get(label, 0) != counted.get(label, 0):
            raise FormatError(
                f"has {counted.get(label, 0):,} rows of {label!r}, but {STATISTICS} states "
                f"{label}_seqs: {stated.get(label, 0):,}",
                where=folder / SEQUENCES,
                expected="the files of one data set",
            )


def _files(folder: Path, rows: Sequence[Interval]) -> dict[str, tuple[Path, ...]]:
    """Sort the files of each label by their last number; none may be missing between them."""
    found: dict[str, dict[int, Path]] = {row.name: {} for row in rows}
    genomes: dict[str, str] = {}
    for path in sorted(folder.glob("*.tfr")):
        match = _NAME.fullmatch(path.name)
        if match is None:
            raise FormatError(
                f"holds {path.name!r}",
                where=folder,
                expected="names as train-0.tfr or test-0-7.tfr",
            )
        label, genome = match["label"], match["genome"] or ""
        if genomes.setdefault(label, genome) != genome:
            raise DataError(
                f"holds files of two genomes ({label}-{genomes[label] or 'N'}-*, {path.name})",
                where=folder,
                remedy="give each genome a folder of its own",
            )
        found.setdefault(label, {})[int(match["number"])] = path
    for label, numbered in found.items():
        if not numbered:
            raise MissingFileError(
                f"no file of {label!r}", where=folder, expected=f"{label}-0.tfr and so on"
            )
        for number in range(max(numbered)):
            if number not in numbered:
                known = next(iter(numbered.values())).name
                lost = re.sub(r"[0-9]+(?=\.tfr$)", str(number), known)
                raise MissingFileError(f"no file {lost}", where=folder, remedy="fetch it again")
    return {
        label: tuple(path for _, path in sorted(numbered.items()))
        for label, numbered in found.items()
    }
