"""The track table: one row per predicted or observed signal."""

from __future__ import annotations

import dataclasses
import fnmatch
import io
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ft_s2a.conventions.atomic import write_text
from ft_s2a.errors import FormatError, TrackError, near_miss, require_file

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

SUM_STATS = ("mean", "sum")
SQUASHES = ("none", "sqrt", "log1p", "pow0.75")
MISSING = ("zero", "nan")


@dataclass(frozen=True)
class Track:
    """One signal and how it is brought into target units.

    Target units are, in this order: pool the bases of a bin (`sum_stat`), multiply by `scale`,
    cut at `clip`, compress above `clip_soft` (c - 1 + sqrt(y - c + 1)), then `squash`.  Clip
    values are in scaled units, before the squash.

    Parameters
    ----------
    name : str
        Unique name; letters, digits, ``. _ + -``.
    file : str
        bigWig, relative to the table's folder; empty in an entry.
    head : str
        Head of the network that predicts it.
    assay, cell_type, description, units, color : str
        For people: units of the observed signal per base; color as ``#rrggbb``.
    sum_stat : {'mean', 'sum'}
        How the bases of a bin are pooled.
    scale : float
        Factor; NaN means "auto": set to 1 / mean of the training bins when a set is built.
    clip, clip_soft : float
        Thresholds; infinity is none.
    squash : {'none', 'sqrt', 'log1p', 'pow0.75'}
        y, sqrt(y), ln(1 + y), (1 + y)^0.75 - 1.
    strand_pair : str
        Name of the track of the other strand; its own name or empty when unstranded.
    missing : {'zero', 'nan'}
        Bases without a value count as 0, or are left out of loss and metrics.
    """

    name: str
    file: str = ""
    head: str = "tracks"
    assay: str = ""
    cell_type: str = ""
    description: str = ""
    units: str = ""
    color: str = "#4477aa"
    sum_stat: str = "mean"
    scale: float = 1.0
    clip: float = math.inf
    clip_soft: float = math.inf
    squash: str = "none"
    strand_pair: str = ""
    missing: str = "zero"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9._+-]+", self.name):
            raise TrackError(
                f"track name {self.name!r}", expected="letters, digits and . _ + - (no blanks)"
            )
        for field, allowed in (
            ("sum_stat", SUM_STATS),
            ("squash", SQUASHES),
            ("missing", MISSING),
        ):
            value = getattr(self, field)
            if value not in allowed:
                raise TrackError(
                    f"track {self.name!r}: {field} is {value!r}",
                    expected=" or ".join(allowed),
                )
        if not (math.isnan(self.scale) or 0 < self.scale < math.inf):
            raise TrackError(
                f"track {self.name!r}: scale is {self.scale}", expected="a number > 0, or auto"
            )
        for field in ("clip", "clip_soft"):
            if not getattr(self, field) > 0:
                raise TrackError(
                    f"track {self.name!r}: {field} is {getattr(self, field)}",
                    expected="a number > 0, or nothing",
                )
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", self.color):
            raise TrackError(f"track {self.name!r}: color {self.color!r}", expected="#rrggbb")


COLUMNS = tuple(field.name for field in dataclasses.fields(Track))
_NUMBERS = ("scale", "clip", "clip_soft")


@dataclass(frozen=True)
class TrackTable(Sequence[Track]):
    """Tracks in the order of the network's outputs.

    Examples
    --------
    >>> table = TrackTable((Track("a.fwd", strand_pair="a.rev"), Track("a.rev", strand_pair="a.fwd")))
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
            if partner is not None and partner.strand_pair != track.name:
                raise TrackError(
                    f"strand_pair of {track.name!r} is {partner.name!r}, "
                    f"but that of {partner.name!r} is {partner.strand_pair!r}",
                    expected="pairs that name each other",
                )
            if partner is not None and partner.head != track.head:
                raise TrackError(f"strand pair {track.name!r}, {partner.name!r} has two heads")

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

    @property
    def heads(self) -> tuple[str, ...]:
        """Heads in order of appearance."""
        return tuple(dict.fromkeys(track.head for track in self.tracks))

    def index(self, value: Any, start: int = 0, stop: int | None = None) -> int:
        """Position of a track, given its name (or the track itself)."""
        name = value.name if isinstance(value, Track) else value
        if name not in self.names:
            raise TrackError(f"no track {name!r}", remedy=near_miss(str(name), self.names))
        return self.names.index(name)

    def pairs(self) -> NDArray[np.int64]:
        """Index of each track's strand partner (its own index when unstranded), int64 [T].

        Raises
        ------
        TrackError
            When a partner is not in this table.
        """
        import numpy as np

        position = {name: index for index, name in enumerate(self.names)}
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
        for item in (i.strip() for i in items):
            column, equals, pattern = item.partition("=")
            if equals:
                if column not in COLUMNS:
                    raise TrackError(f"no column {column!r}", remedy=near_miss(column, COLUMNS))
                hits = {
                    t.name
                    for t in self.tracks
                    if fnmatch.fnmatchcase(str(getattr(t, column)), pattern)
                }
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
        lines = ["\t".join(columns)]
        for track in self.tracks:
            lines.append("\t".join(_show(getattr(track, column)) for column in columns))
        return "\n".join(lines) + "\n"

    def write(
        self, path: str | Path, *, without: Sequence[str] = (), overwrite: bool = False
    ) -> Path:
        """Write ``tracks.tsv``."""
        return write_text(path, self.to_tsv(without=without), overwrite=overwrite)


def read_tracks(path: str | Path, *, need_files: bool = False) -> TrackTable:
    """Read a track table (tab separated, header row; columns are the fields of :class:`Track`).

    Parameters
    ----------
    path : str or Path
        The table.  Paths in `file` are relative to its folder and come back resolved.
    need_files : bool
        Require a `file` for each track and that it exists.

    Raises
    ------
    FormatError, TrackError, MissingFileError
        Naming the table, the row and the column.
    """
    import pandas as pd

    found = require_file(path, "track table")
    try:
        frame = pd.read_csv(
            io.StringIO(found.read_text(encoding="utf-8-sig")),
            sep="\t",
            dtype=str,
            keep_default_na=False,
            comment=None,
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise FormatError(
            f"cannot be read as a table ({error})", where=found, expected="tab-separated text"
        ) from error
    unknown = [column for column in frame.columns if column not in COLUMNS]
    if unknown:
        raise FormatError(
            f"unknown column {unknown[0]!r}", where=found, remedy=near_miss(unknown[0], COLUMNS)
        )
    needed = ("name", "file") if need_files else ("name",)
    for column in needed:
        if column not in frame.columns:
            raise FormatError(f"no column {column!r}", where=found, expected=", ".join(needed))
    tracks = []
    for number, row in enumerate(frame.to_dict(orient="records"), start=2):
        try:
            tracks.append(_parse_row({str(k): str(v).strip() for k, v in row.items()}))
        except TrackError as error:
            raise TrackError(
                error.what, where=f"{found}, row {number}", expected=error.expected
            ) from error
    try:
        table = TrackTable(_resolve_pair_indices(tuple(tracks)))
    except TrackError as error:
        raise TrackError(
            error.what, where=found, expected=error.expected, remedy=error.remedy
        ) from error
    if need_files:
        table = _resolve_files(table, found)
    return table


def _parse_row(row: dict[str, str]) -> Track:
    given: dict[str, Any] = {key: text for key, text in row.items() if text != ""}
    for key in _NUMBERS:
        if key in given:
            text = given[key]
            try:
                given[key] = math.nan if text == "auto" and key == "scale" else float(text)
            except ValueError:
                raise TrackError(
                    f"{key} is {text!r}",
                    expected="a number" + (" or auto" if key == "scale" else ""),
                ) from None
            if given[key] != given[key] and text != "auto":
                raise TrackError(f"{key} is {text!r}", expected="a number")
    if "name" not in given:
        raise TrackError("the name is empty", expected="a unique track name")
    return Track(**given)


def _resolve_pair_indices(tracks: tuple[Track, ...]) -> tuple[Track, ...]:
    """Turn row indices in `strand_pair` (as in Calico's tables) into names."""
    names = {track.name for track in tracks}
    resolved = []
    for track in tracks:
        pair = track.strand_pair
        if pair and pair not in names and pair.isdigit() and int(pair) < len(tracks):
            track = dataclasses.replace(track, strand_pair=tracks[int(pair)].name)
        elif pair and pair not in names:
            raise TrackError(
                f"strand_pair of {track.name!r} is {pair!r}, which is no track of the table",
                remedy=near_miss(pair, names),
            )
        resolved.append(track)
    return tuple(resolved)


def _resolve_files(table: TrackTable, path: Path) -> TrackTable:
    resolved = []
    for number, track in enumerate(table, start=2):
        if not track.file:
            raise TrackError(
                f"track {track.name!r} has no file",
                where=f"{path}, row {number}",
                expected="the path of a bigWig",
            )
        file = (path.parent / track.file).resolve()
        if not file.exists():
            raise TrackError(
                f"no such file {track.file!r} for track {track.name!r}",
                where=f"{path}, row {number}",
                expected="a path relative to the table's folder",
            )
        resolved.append(dataclasses.replace(track, file=str(file)))
    return TrackTable(tuple(resolved))


def _show(value: object) -> str:
    if isinstance(value, float):
        if math.isnan(value):
            return "auto"
        return "" if math.isinf(value) else repr(value)
    return str(value)
