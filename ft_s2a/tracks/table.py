"""The track table: one row per predicted or observed signal, in the order of the outputs."""

from __future__ import annotations

import csv
import dataclasses
import fnmatch
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ft_s2a.conventions.atomic import write_text
from ft_s2a.conventions.text import tsv_rows
from ft_s2a.errors import MissingFileError, TrackError, near_miss
from ft_s2a.tracks.track import COLUMNS, NUMBERS
from ft_s2a.tracks.track import Track as Track

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from ft_s2a.tracks.units import Columns

# Reverse complementing swaps the strands' values, so these must mean the same for both.
_SHARED = ("head", "sum_stat", "clip", "clip_soft", "squash", "missing", "transform")


@dataclass(frozen=True)
class TrackTable(Sequence[Track]):
    """Tracks in the order of the network's outputs.

    Strand partners name each other and share head and transform (`scale` excepted).  A partner
    may be missing, as in a subset; then :meth:`pairs` says so.

    Parameters
    ----------
    tracks : tuple of Track
        At least one; unique names.

    Examples
    --------
    >>> fwd, rev = Track("a.fwd", strand_pair="a.rev"), Track("a.rev", strand_pair="a.fwd")
    >>> table = TrackTable((fwd, rev))
    >>> table.pairs().tolist()
    [1, 0]
    >>> table.select("a.f*").names
    ('a.fwd',)
    """

    tracks: tuple[Track, ...]

    def __post_init__(self) -> None:
        if not self.tracks:
            raise TrackError("the track table is empty", expected="at least one track")
        seen: set[str] = set()
        for track in self.tracks:
            if track.name in seen:
                raise TrackError(f"track name {track.name!r} occurs twice", expected="unique names")
            seen.add(track.name)
        by_name = {track.name: track for track in self.tracks}
        for track in self.tracks:
            if not track.strand_pair:
                continue
            partner = by_name.get(track.strand_pair)
            if partner is None:
                continue
            if partner.strand_pair != track.name:
                raise TrackError(
                    f"strand_pair of {track.name!r} is {partner.name!r}, "
                    f"but that of {partner.name!r} is {partner.strand_pair!r}",
                    expected="pairs that name each other",
                )
            for field in _SHARED:
                mine, theirs = getattr(track, field), getattr(partner, field)
                if mine != theirs:
                    raise TrackError(
                        f"{field} is {mine!r} for {track.name!r}, but {theirs!r} for its strand "
                        f"partner {partner.name!r}",
                        expected="the same for both strands",
                    )

    def __len__(self) -> int:
        return len(self.tracks)

    def __iter__(self) -> Iterator[Track]:
        return iter(self.tracks)

    def __getitem__(self, index: Any) -> Any:
        return self.tracks[index]

    @property
    def names(self) -> tuple[str, ...]:
        """Track names in order."""
        return tuple(track.name for track in self.tracks)

    @cached_property
    def positions(self) -> dict[str, int]:
        """Position of each name; thousands of tracks are looked up one by one."""
        return {track.name: index for index, track in enumerate(self.tracks)}

    @cached_property
    def columns(self) -> Columns:
        """The numbers of all tracks as arrays, as the conversion of units takes them."""
        from ft_s2a.tracks.units import Columns

        return Columns.of(self.tracks)

    @property
    def heads(self) -> tuple[str, ...]:
        """Heads in order of appearance."""
        return tuple(dict.fromkeys(track.head for track in self.tracks))

    def index(self, value: Any, start: int = 0, stop: int | None = None) -> int:
        """Position of a track, given its name (or the track itself)."""
        name = value.name if isinstance(value, Track) else value
        if name not in self.positions:
            raise TrackError(f"no track {name!r}", remedy=near_miss(str(name), self.names))
        return self.positions[name]

    def pairs(self) -> NDArray[np.int64]:
        """Index of each track's strand partner (its own index when unstranded), int64 [T].

        Raises
        ------
        TrackError
            When a partner is not in this table.
        """
        import numpy as np

        position = self.positions
        partners = np.arange(len(self), dtype=np.int64)
        for index, track in enumerate(self.tracks):
            if track.strand_pair:
                if track.strand_pair not in position:
                    raise TrackError(
                        f"the strand partner {track.strand_pair!r} of {track.name!r} is missing",
                        expected="both strands of a stranded track",
                    )
                partners[index] = position[track.strand_pair]
        return partners

    def for_head(self, head: str) -> TrackTable:
        """Tracks of one head."""
        chosen = tuple(track for track in self.tracks if track.head == head)
        if not chosen:
            raise TrackError(f"no head {head!r}", remedy=near_miss(head, self.heads))
        return TrackTable(chosen)

    def select(self, expression: str | Sequence[str] | None) -> TrackTable:
        """Choose tracks by names, wildcards or ``column=value``, in table order.

        Parameters
        ----------
        expression : str or sequence of str
            Comma-separated items: a name, a wildcard (``RNA.*``), or ``assay=CAGE`` with any
            column.  None chooses all.

        Raises
        ------
        TrackError
            When an item matches nothing.
        """
        if expression is None:
            return self
        items = expression.split(",") if isinstance(expression, str) else list(expression)
        kept: set[str] = set()
        for item in (i.strip() for i in items if i.strip() or len(items) == 1):
            column, equals, pattern = item.partition("=")
            if equals:
                if column not in COLUMNS:
                    raise TrackError(f"no column {column!r}", remedy=near_miss(column, COLUMNS))
                hits = {
                    t.name
                    for t in self.tracks
                    if fnmatch.fnmatchcase(str(getattr(t, column)), pattern)
                }
            elif item in self.positions:  # thousands of names, not thousands of patterns
                hits = {item}
            else:
                hits = {n for n in self.names if fnmatch.fnmatchcase(n, item)}
            if not hits:
                raise TrackError(f"no track matches {item!r}", remedy=near_miss(item, self.names))
            kept |= hits
        return TrackTable(tuple(track for track in self.tracks if track.name in kept))

    def with_partners(self, chosen: TrackTable) -> TrackTable:
        """`chosen` and the strand partners of its tracks, in the order of this table."""
        wanted = {t.name for t in chosen} | {t.strand_pair for t in chosen if t.strand_pair}
        return TrackTable(tuple(track for track in self.tracks if track.name in wanted))

    def replace(self, tracks: Sequence[Track]) -> TrackTable:
        """The same table with other rows."""
        return TrackTable(tuple(tracks))

    def to_frame(self) -> pd.DataFrame:
        """The table as a DataFrame, one column per field."""
        import pandas as pd

        return pd.DataFrame([dataclasses.asdict(track) for track in self.tracks], columns=COLUMNS)

    def to_tsv(self, *, without: Sequence[str] = ()) -> str:
        """The table as text; infinite thresholds are empty, an automatic scale is ``auto``."""
        columns = [c for c in COLUMNS if c not in without]
        text = io.StringIO()
        writer = csv.writer(text, delimiter="\t", lineterminator="\n")
        writer.writerow(columns)
        for track in self.tracks:
            writer.writerow([_show(getattr(track, column)) for column in columns])
        return text.getvalue()

    def write(
        self, path: str | Path, *, without: Sequence[str] = (), overwrite: bool = False
    ) -> Path:
        """Write ``tracks.tsv``."""
        return write_text(path, self.to_tsv(without=without), overwrite=overwrite)


def read_tracks(path: str | Path, *, need_files: bool = False) -> TrackTable:
    r"""Read a track table (tab separated, header row; columns are the fields of :class:`Track`).

    Only `name` is needed; empty cells take the default.

    Parameters
    ----------
    path : str or Path
        The table.
    need_files : bool
        Require a `file` for each track and that it exists.  Its path is relative to the table's
        folder and comes back absolute; otherwise it comes back as written.

    Raises
    ------
    FormatError, TrackError, MissingFileError
        Naming the table, the row and the column.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "tracks.tsv"
    >>> _ = path.write_text("name\tsquash\tscale\nMNase\tsqrt\tauto\n")
    >>> table = read_tracks(path)
    >>> table.names, table[0].squash, table[0].scale
    (('MNase',), 'sqrt', nan)
    """
    rows = tsv_rows(path, COLUMNS, ("name", "file") if need_files else ("name",), "track table")
    tracks, where = [], {}
    for number, row in rows:
        try:
            track = _parse_row(row)
        except TrackError as error:
            raise _located(error, f"{path}, row {number}") from error
        if track.name in where:
            raise TrackError(
                f"track name {track.name!r} occurs twice",
                where=f"{path}, row {number}",
                expected="unique names",
            )
        tracks.append(track)
        where[track.name] = f"{path}, row {number}"
    try:
        table = TrackTable(_resolve_pair_indices(tuple(tracks)))
    except TrackError as error:
        raise _located(error, str(path)) from error
    return resolve_files(table, Path(path), where) if need_files else table


def _located(error: TrackError, where: str) -> TrackError:
    return TrackError(error.what, where=where, expected=error.expected, remedy=error.remedy)


def _parse_row(row: dict[str, str]) -> Track:
    given: dict[str, Any] = {key: text for key, text in row.items() if text}
    if "name" not in given:
        raise TrackError("the name is empty", expected="a unique track name")
    for key in (k for k in NUMBERS if k in given):
        auto = key == "scale" and given[key] == "auto"
        number = math.nan if auto else _number(given[key])
        if number is None:
            raise TrackError(
                f"{key} is {given[key]!r}", expected="a number" + " or auto" * (key == "scale")
            )
        given[key] = number
    return Track(**given)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return None if math.isnan(number) else number


def _resolve_pair_indices(tracks: tuple[Track, ...]) -> tuple[Track, ...]:
    """Turn row indices in `strand_pair` (as in Calico's tables) into names."""
    names = {track.name for track in tracks}
    resolved = []
    for track in tracks:
        pair = track.strand_pair
        if pair not in names and re.fullmatch(r"[0-9]+", pair) and int(pair) < len(tracks):
            track = dataclasses.replace(track, strand_pair=tracks[int(pair)].name)
        elif pair and pair not in names:
            raise TrackError(
                f"strand_pair of {track.name!r} is {pair!r}, which is no track of the table",
                remedy=near_miss(pair, names),
            )
        resolved.append(track)
    return tuple(resolved)


def resolve_files(table: TrackTable, path: Path, where: Mapping[str, str]) -> TrackTable:
    """Make each track's `file`, relative to the folder of the table at `path`, absolute.

    `where` says where each track stands, for messages.

    Raises
    ------
    TrackError, MissingFileError
    """
    resolved = []
    for track in table:
        if not track.file:
            raise TrackError(
                f"track {track.name!r} has no file",
                where=where[track.name],
                expected="the path of a bigWig",
            )
        file = (path.parent / track.file).resolve()
        if not file.is_file():
            raise MissingFileError(
                f"no such file {track.file!r} for track {track.name!r}",
                where=where[track.name],
                expected="a path relative to the table's folder",
            )
        resolved.append(dataclasses.replace(track, file=str(file)))
    return TrackTable(tuple(resolved))


def _show(value: object) -> str:
    if isinstance(value, float):
        if math.isnan(value):
            return "auto"
        return "" if math.isinf(value) else repr(float(value))
    return str(value)
