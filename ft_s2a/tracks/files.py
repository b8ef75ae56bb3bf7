"""``files.tsv``: what the bigWigs of a folder are, so that they can be paired and shown."""

from __future__ import annotations

import csv
import dataclasses
import io
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ft_s2a.conventions.atomic import write_text
from ft_s2a.conventions.text import tsv_rows
from ft_s2a.errors import FormatError, MissingFileError, TrackError, require_file
from ft_s2a.tracks.table import TrackTable, read_tracks

FILES_NAME = "files.tsv"
KINDS = ("observed", "predicted")


@dataclass(frozen=True)
class TrackFile:
    """One bigWig: the file, and what is in it.

    Parameters
    ----------
    file : Path
        The bigWig.
    track, head, assay, cell_type, units, color, strand_pair : str
        As in :class:`ft_s2a.tracks.Track`.
    grid : int
        Bin size in bp, 0 when unknown.
    entry, version : str
        Entry of the zoo that predicted it, and that entry's version.
    kind : {'predicted', 'observed'}
        Which of the two it is.
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

    def __post_init__(self) -> None:
        if not self.track:
            raise TrackError(f"no track name for {str(self.file)!r}", expected="a name")
        if self.kind not in KINDS:
            raise TrackError(
                f"track {self.track!r}: kind is {self.kind!r}", expected=" or ".join(KINDS)
            )
        if self.grid < 0:
            raise TrackError(f"track {self.track!r}: grid is {self.grid}", expected="bin size, bp")


_COLUMNS = tuple(field.name for field in dataclasses.fields(TrackFile))


def slug(name: str) -> str:
    """A name as part of a file name.

    Examples
    --------
    >>> slug("yeast/basenji2"), slug("CNhs10752-"), slug("(a b)")
    ('yeast-basenji2', 'CNhs10752-', 'a-b')
    """
    kept = re.sub(r"[^A-Za-z0-9._+-]+$", "", name)  # before "-": a last one may name the strand
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", kept).lstrip("-")


def bigwig_name(entry: str, track: str) -> str:
    """File name of a predicted track: ``<entry>.<track>.bw``."""
    return f"{slug(entry)}.{slug(track)}.bw"


def write_files(folder: str | Path, files: Sequence[TrackFile], *, overwrite: bool = False) -> Path:
    """Write ``files.tsv`` into `folder`; paths inside the folder become relative, others absolute.

    Returns
    -------
    Path
        The table.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.bw").write_bytes(b"")
    >>> table = write_files(folder, [TrackFile(folder / "a.bw", "MNase", grid=128)])
    >>> [(f.file.name, f.track, f.grid) for f in read_files(folder)]
    [('a.bw', 'MNase', 128)]
    """
    root = Path(os.path.realpath(folder))
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(_COLUMNS)
    for entry in files:
        row = dataclasses.asdict(entry)
        path = Path(os.path.abspath(entry.file))
        real = Path(os.path.realpath(path.parent), path.name)
        row["file"] = str(real.relative_to(root) if real.is_relative_to(root) else path)
        writer.writerow([row[column] for column in _COLUMNS])
    return write_text(Path(folder) / FILES_NAME, text.getvalue(), overwrite=overwrite)


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

    Raises
    ------
    MissingFileError, FormatError, TrackError
        Naming the table and row.
    """
    found = require_file(path, "folder, table or bigWig")
    if found.is_dir():
        if (found / FILES_NAME).exists():
            return _read_table(found / FILES_NAME)
        bigwigs = sorted(p for p in found.iterdir() if _is_bigwig(p) and not p.name.startswith("."))
        if not bigwigs:
            raise MissingFileError(
                "holds no bigWig", where=found, expected=f"{FILES_NAME} or *.bw files"
            )
        return [TrackFile(p.resolve(), p.stem, kind=kind) for p in bigwigs]
    if _is_bigwig(found):
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


def _is_bigwig(path: Path) -> bool:
    return path.suffix.lower() in (".bw", ".bigwig")


def _read_table(path: Path) -> list[TrackFile]:
    files = []
    for number, row in tsv_rows(path, _COLUMNS, ("file", "track"), FILES_NAME):
        where = f"{path}, row {number}"
        file = (path.parent / row["file"]).resolve()
        if not file.is_file():
            raise MissingFileError(
                f"no such file {row['file']!r}",
                where=where,
                expected="a bigWig, relative to the table's folder",
            )
        grid = row.get("grid") or "0"
        if not re.fullmatch(r"[0-9]+", grid):
            raise FormatError(f"grid is {grid!r}", where=where, expected="a bin size in bp")
        given = {k: v for k, v in row.items() if v and k not in ("file", "grid")}
        if "track" not in given:
            raise FormatError("the track is empty", where=where, expected="a track name")
        try:
            files.append(TrackFile(file=file, grid=int(grid), **given))
        except TrackError as error:
            raise TrackError(error.what, where=where, expected=error.expected) from error
    return files
