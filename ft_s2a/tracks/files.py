"""``files.tsv``: what the bigWigs of a folder are, so that they can be paired and shown."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ft_s2a.conventions.atomic import write_text
from ft_s2a.errors import FormatError, MissingFileError, near_miss, require_file
from ft_s2a.tracks.table import TrackTable, read_tracks

FILES_NAME = "files.tsv"


@dataclass(frozen=True)
class TrackFile:
    """One bigWig: the file, and what is in it.

    `grid` is the bin size in bp (0 when unknown), `kind` is ``observed`` or ``predicted``.
    """

    file: Path
    track: str
    head: str = ""
    assay: str = ""
    cell_type: str = ""
    units: str = ""
    color: str = "#4477aa"
    grid: int = 0
    entry: str = ""
    version: str = ""
    kind: str = "predicted"
    strand_pair: str = ""


_COLUMNS = tuple(field.name for field in dataclasses.fields(TrackFile))


def slug(name: str) -> str:
    """A name as part of a file name.

    Examples
    --------
    >>> slug("yeast/basenji2")
    'yeast-basenji2'
    """
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", name).strip("-")


def bigwig_name(entry: str, track: str) -> str:
    """File name of a predicted track: ``<entry>.<track>.bw``."""
    return f"{slug(entry)}.{slug(track)}.bw"


def write_files(folder: str | Path, files: Sequence[TrackFile], *, overwrite: bool = False) -> Path:
    """Write ``files.tsv`` into `folder`; paths inside the folder become relative."""
    root = Path(folder)
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(_COLUMNS)
    for entry in files:
        row = dataclasses.asdict(entry)
        path = Path(entry.file)
        row["file"] = path.name if path.parent in (root, root.resolve()) else str(path)
        writer.writerow([row[column] for column in _COLUMNS])
    return write_text(root / FILES_NAME, text.getvalue(), overwrite=overwrite)


def read_files(path: str | Path, *, kind: str = "predicted") -> list[TrackFile]:
    """Read what bigWigs are meant by `path`.

    Parameters
    ----------
    path : str or Path
        A folder with ``files.tsv`` (or else with ``*.bw`` files, named by their stems), a
        ``files.tsv``, a track table with a `file` column, or one bigWig.
    kind : str
        Kind given to files that no ``files.tsv`` describes.

    Returns
    -------
    list of TrackFile
        With absolute, existing paths.
    """
    found = require_file(path)
    if found.is_dir():
        if (found / FILES_NAME).exists():
            return _read_table(found / FILES_NAME)
        bigwigs = sorted((*found.glob("*.bw"), *found.glob("*.bigWig"), *found.glob("*.bigwig")))
        if not bigwigs:
            raise MissingFileError(
                "holds no bigWig", where=found, expected=f"{FILES_NAME} or *.bw files"
            )
        return [TrackFile(p.resolve(), p.stem, kind=kind) for p in bigwigs]
    if found.suffix.lower() in (".bw", ".bigwig"):
        return [TrackFile(found.resolve(), found.stem, kind=kind)]
    with open(found, encoding="utf-8", errors="replace") as handle:
        header = handle.readline().rstrip("\n").split("\t")
    if "track" in header:
        return _read_table(found)
    return files_of_tracks(read_tracks(found, need_files=True), kind=kind)


def files_of_tracks(table: TrackTable, *, kind: str = "observed") -> list[TrackFile]:
    """The files that a track table names."""
    return [
        TrackFile(
            Path(t.file), t.name, t.head, t.assay, t.cell_type, t.units, t.color,
            kind=kind, strand_pair=t.strand_pair,
        )
        for t in table
    ]  # fmt: skip


def _read_table(path: Path) -> list[TrackFile]:
    with open(path, encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
        header = list(rows[0]) if rows else []
    if not rows:
        raise FormatError("holds no file", where=path, expected="one row per bigWig")
    for column in header:
        if column not in _COLUMNS:
            raise FormatError(
                f"unknown column {column!r}", where=path, remedy=near_miss(column, _COLUMNS)
            )
    for column in ("file", "track"):
        if column not in header:
            raise FormatError(f"no column {column!r}", where=path, expected=", ".join(_COLUMNS))
    files = []
    for number, row in enumerate(rows, start=2):
        file = (path.parent / row["file"]).resolve()
        if not file.exists():
            raise MissingFileError(f"no such file {row['file']!r}", where=f"{path}, row {number}")
        grid = row.get("grid") or "0"
        if not grid.isdigit():
            raise FormatError(f"row {number}: grid is {grid!r}", where=path, expected="bin size")
        given = {k: v for k, v in row.items() if v and k not in ("file", "grid")}
        files.append(TrackFile(file=file, grid=int(grid), **given))
    return files
