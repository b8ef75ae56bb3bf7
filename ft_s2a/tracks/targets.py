"""``targets.txt``: the published tables of tracks, with the numbers of their transform."""

from __future__ import annotations

import csv
import io
import logging
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ft_s2a.conventions.text import text_lines, tsv_rows
from ft_s2a.errors import FormatError, TrackError
from ft_s2a.tracks.table import TrackTable, resolve_files
from ft_s2a.tracks.track import TRANSFORMS, Track

_log = logging.getLogger(__name__)

# The first column is pandas' index, often without a name.
_COLUMNS = (
    "", "index", "genome", "identifier", "file", "clip", "clip_soft", "scale", "sum_stat",
    "strand_pair", "description",
)  # fmt: skip

# How a published pooling is written in a track table: `sum_stat` and `squash`.
_POOLING = {
    "sum": ("sum", "none"),
    "mean": ("mean", "none"),
    "avg": ("mean", "none"),
    "max": ("max", "none"),
}
_SQUASHED = {
    **_POOLING,
    "peak": ("mean", "peak"),
    "sum_sqrt": ("sum", "sqrt1p"),
    "mean_sqrt": ("mean", "sqrt1p"),
    "avg_sqrt": ("mean", "sqrt1p"),
}
_POOLINGS = {
    "basenji2020": _POOLING,
    "basenji2025": _SQUASHED,
    "hound": {**_SQUASHED, "sum_exp75": ("sum", "pow0.75")},
    "hound-old": {
        # The same names, then computed otherwise.
        name: (stat, "pow0.75-bare" if squash == "sqrt1p" else squash)
        for name, (stat, squash) in _SQUASHED.items()
    },
}
_NAMES = {
    ("sum", "none"): "sum",
    ("mean", "none"): "mean",
    ("max", "none"): "max",
    ("mean", "peak"): "peak",
    ("sum", "sqrt1p"): "sum_sqrt",
    ("mean", "sqrt1p"): "mean_sqrt",
    ("sum", "pow0.75"): "sum_exp75",
    ("sum", "pow0.75-bare"): "sum_sqrt",
    ("mean", "pow0.75-bare"): "mean_sqrt",
}


def read_targets(
    path: str | Path,
    *,
    transform: str | None = None,
    head: str = "human",
    need_files: bool = False,
) -> TrackTable:
    r"""Read a published target table.

    Parameters
    ----------
    path : str or Path
        Tab-separated: index (which may begin anywhere), identifier, file, sum_stat, and
        optionally genome, clip, clip_soft, scale, strand_pair (an index) and description.
    transform : str, optional
        One of ``basenji2020``, ``basenji2025``, ``hound`` and ``hound-old``.  By default
        ``hound`` for a table with a soft clip or a squash, which the code of 2020 did not have,
        and else ``basenji2020``.
    head : str
        Head of all tracks.
    need_files : bool
        As for :func:`ft_s2a.tracks.read_tracks`.

    Returns
    -------
    TrackTable
        Names are the identifiers, made legal and unique; assay and cell type are what stands
        before and after the colon of the description; `file` is as in the table.

    Raises
    ------
    FormatError, TrackError, MissingFileError
        Naming the table and the row.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "targets.txt"
    >>> head = "index\tgenome\tidentifier\tfile\tclip\tscale\tsum_stat\tdescription\n"
    >>> _ = path.write_text(head + "5313\t1\tENCFF866ZTV\tc.w5\t32\t2\tmean\tDNASE:416B\n")
    >>> track = read_targets(path, head="mouse")[0]
    >>> track.name, track.assay, track.cell_type, track.clip, track.transform
    ('ENCFF866ZTV', 'DNASE', '416B', 32.0, 'basenji2020')
    """
    rows = tsv_rows(path, _COLUMNS, ("identifier", "sum_stat"), "target table")
    kind = transform or _guess([row for _, row in rows])
    if kind not in _POOLINGS:
        raise TrackError(
            f"transform {kind!r} for a target table",
            where=path,
            expected=" or ".join(t for t in TRANSFORMS if t in _POOLINGS),
        )
    names = _unique([row["identifier"] for _, row in rows])
    places = _indices(path, rows)
    tracks = []
    for name, (number, row) in zip(names, rows, strict=True):
        where = f"{path}, row {number}"
        if not name:
            raise FormatError("the identifier is empty", where=where, expected="a track's name")
        pair = _partner(row.get("strand_pair", ""), names, places, where)
        try:
            tracks.append(_track(row, name, head, kind, "" if pair == name else pair))
        except TrackError as error:
            raise TrackError(error.what, where=where, expected=error.expected) from error
    try:
        table = TrackTable(tuple(tracks))
    except TrackError as error:
        raise TrackError(error.what, where=path, expected=error.expected) from error
    if not need_files:
        return table
    where_of = {
        name: f"{path}, row {number}" for name, (number, _) in zip(names, rows, strict=True)
    }
    return resolve_files(table, Path(path), where_of)


def is_target_table(path: str | Path) -> bool:
    """Whether a table names its tracks as the published ones do."""
    _, header = next(text_lines(path, "track table"), (1, ""))
    return "identifier" in header.split("\t")


def targets_text(table: TrackTable, *, first: int = 0) -> str:
    r"""Write a track table as a published target table.

    Parameters
    ----------
    table : TrackTable
    first : int
        Index of the first track.

    Returns
    -------
    str
        With the columns clip_soft and strand_pair where a track needs them.  A squash that the
        published scripts do not know is left out, with a warning.

    Examples
    --------
    >>> targets_text(TrackTable((Track("a", "a.bw", clip=32.0),))).splitlines()[1].split("\t")
    ['0', 'a', 'a.bw', '32', '1', 'mean', 'a']
    """
    soft = any(math.isfinite(track.clip_soft) for track in table)
    paired = any(track.strand_pair for track in table)
    partners = table.pairs().tolist() if paired else []
    columns = ["index", "identifier", "file", "clip", "scale", "sum_stat", "description"]
    if soft:
        columns.insert(4, "clip_soft")
    if paired:
        columns.insert(-1, "strand_pair")
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(columns)
    unknown = []
    for place, track in enumerate(table):
        stat = _NAMES.get((track.sum_stat, track.squash))
        if stat is None:
            unknown.append(track.name)
        described = f"{track.assay}:{track.cell_type}".strip(":")
        cells = {
            "index": str(first + place),
            "identifier": track.name,
            "file": track.file,
            "clip": _show(track.clip),
            "clip_soft": _show(track.clip_soft),
            "scale": _show(track.scale),
            "sum_stat": stat or track.sum_stat,
            "strand_pair": str(first + partners[place]) if paired else "",
            "description": track.description or described or track.name,
        }
        writer.writerow([cells[column] for column in columns])
    if unknown:
        _log.warning(
            "a target table cannot state the squash of %d tracks (%r, ...): it is left out",
            len(unknown),
            unknown[0],
        )
    return text.getvalue()


def stated_transform(table: TrackTable) -> str | None:
    """Transform by which the numbers of a target table mean what they mean in `table`.

    ``plain`` tracks are those of ``hound``, which scales first as well, unless a squash goes with
    a clip, or a clip with a soft one.

    Returns
    -------
    str or None
        None, with a warning, where no single transform does for all tracks.

    Examples
    --------
    >>> stated_transform(TrackTable((Track("a", clip=32.0, scale=2.0),)))
    'hound'
    """
    kinds: dict[str, str] = {}
    for track in table:
        steps = (track.squash != "none", math.isfinite(track.clip), math.isfinite(track.clip_soft))
        kind = track.transform
        if kind == "plain" and sum(steps) < 2:
            kind = "hound"
        kinds.setdefault(kind, track.name)
    if len(kinds) == 1 and "plain" not in kinds:
        return next(iter(kinds))
    _log.warning(
        "no published transform does for all tracks (%s): values are written as they are, but the "
        "numbers of the target table do not say how to bring them back to observed units",
        ", ".join(f"{name!r} is {kind}" for kind, name in kinds.items()),
    )
    return None


def _guess(rows: Sequence[dict[str, str]]) -> str:
    later = any("clip_soft" in row or row["sum_stat"] not in _POOLING for row in rows)
    return "hound" if later else "basenji2020"


def _unique(identifiers: Sequence[str]) -> list[str]:
    """Legal names; what is taken gets a number."""
    names: list[str] = []
    taken: set[str] = set()
    later: dict[str, int] = {}
    for identifier in identifiers:
        name = base = re.sub(r"[^A-Za-z0-9._+-]+", "-", identifier)
        while name in taken:
            later[base] = later.get(base, 1) + 1
            name = f"{base}.{later[base]}"
        taken.add(name)
        names.append(name)
    return names


def _indices(path: str | Path, rows: Sequence[tuple[int, dict[str, str]]]) -> dict[int, int]:
    """Place of each index; without an index column, rows are counted from 0."""
    places: dict[int, int] = {}
    for place, (number, row) in enumerate(rows):
        text = row.get("index", row.get("", str(place)))
        if not re.fullmatch(r"[0-9]+", text) or int(text) in places:
            raise FormatError(
                f"index {text!r}",
                where=f"{path}, row {number}",
                expected="whole numbers, each once",
            )
        places[int(text)] = place
    return places


def _partner(text: str, names: Sequence[str], places: dict[int, int], where: str) -> str:
    if not text:
        return ""
    if not re.fullmatch(r"[0-9]+", text) or int(text) not in places:
        raise TrackError(
            f"strand_pair is {text!r}", where=where, expected="the index of a row of this table"
        )
    return names[places[int(text)]]


def _track(row: dict[str, str], name: str, head: str, transform: str, pair: str) -> Track:
    of = f"track {name!r}"
    poolings = _POOLINGS[transform]
    if row["sum_stat"] not in poolings:
        raise TrackError(
            f"{of}: sum_stat is {row['sum_stat']!r}",
            expected=f"{', '.join(poolings)} ({transform})",
        )
    sum_stat, squash = poolings[row["sum_stat"]]
    numbers: dict[str, float] = {}
    for field, default in (("clip", math.inf), ("clip_soft", math.inf), ("scale", 1.0)):
        text = row.get(field, "")
        try:
            numbers[field] = float(text) if text else default
        except ValueError:
            raise TrackError(f"{of}: {field} is {text!r}", expected="a number") from None
        if math.isnan(numbers[field]):  # pandas writes an empty cell so
            numbers[field] = default
    described = row.get("description", "")
    assay, colon, cell_type = described.partition(":")
    given: dict[str, Any] = {"sum_stat": sum_stat, "transform": transform, **numbers}
    return Track(
        name,
        row.get("file", ""),
        head,
        assay=assay if colon else "",
        cell_type=cell_type,
        description=described,
        squash=squash,
        strand_pair=pair,
        **given,
    )


def _show(value: float) -> str:
    if not math.isfinite(value):
        return ""
    return str(int(value)) if value == int(value) else repr(value)
