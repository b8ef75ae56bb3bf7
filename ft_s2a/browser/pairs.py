"""Which observed bigWig belongs to which predicted one."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ft_s2a.errors import TrackError, near_miss
from ft_s2a.tracks import Track, TrackFile, TrackTable, read_files
from ft_s2a.tracks.matching import files_of_kind, match_files, some_names

_log = logging.getLogger(__name__)

OBSERVED_COLOR = "#8c8c8c"


@dataclass(frozen=True)
class TrackPair:
    """One track as it is shown: observed, predicted, or both."""

    name: str
    predicted: TrackFile | None
    observed: TrackFile | None

    @property
    def files(self) -> tuple[TrackFile, ...]:
        """The files there are, observed first (it is drawn below the predicted)."""
        return tuple(f for f in (self.observed, self.predicted) if f is not None)

    @property
    def color(self) -> str:
        """Colour of the predicted signal, ``#rrggbb``."""
        return self.files[-1].color

    def field(self, name: str) -> str:
        """A column of files.tsv, from the predicted file or else from the observed one."""
        return next((str(v) for f in self.files[::-1] if (v := getattr(f, name))), "")


def pair_tracks(
    predicted: str | Path | None,
    observed: str | Path | None,
    tracks: str | Sequence[str] | None = None,
) -> list[TrackPair]:
    """Pair predicted with observed bigWigs by track name.

    The name is that of ``files.tsv`` or of the track table; for bare bigWigs it is the file's
    stem, and a predicted ``<entry>.<track>`` also finds the observed ``<track>``.  All predicted
    tracks are kept, with or without an observed one; observed tracks that nothing predicts are
    left out, unless there is no prediction at all.

    Parameters
    ----------
    predicted, observed : str, Path or None
        What :func:`ft_s2a.tracks.read_files` reads; at least one of them.
    tracks : str or sequence of str, optional
        Names, wildcards or ``column=value``.

    Raises
    ------
    TrackError
        When a name occurs twice, no predicted track has an observed one, or the choice matches
        nothing.
    """
    if predicted is None and observed is None:
        raise TrackError("there is nothing to show", remedy="give --predicted, --observed or both")
    above = _read(predicted, "predicted")
    below = _read(observed, "observed")
    if not above:
        return _choose([TrackPair(file.track, None, file) for file in below], tracks)
    partners = match_files(above, below)
    pairs = [TrackPair(file.track, file, partners.get(file.track)) for file in above]
    if below and not partners:
        raise TrackError(
            "no observed track is named like a predicted one "
            f"({some_names([file.track for file in above])})",
            where=observed,
            expected="the same names in both files.tsv (column track)",
            remedy=near_miss(above[0].track, [file.track for file in below]),
        )
    used = {file.file for file in partners.values()}
    unused = [file.track for file in below if file.file not in used]
    if unused:
        _log.info("not shown, since not predicted: %s", some_names(unused))
    return _choose(pairs, tracks)


def entries_of(pairs: Sequence[TrackPair]) -> str:
    """What predicted the tracks ("yeast/basenji2, version 1"); empty when nothing says so."""
    files = [pair.predicted for pair in pairs if pair.predicted is not None]
    named = {f.entry + (f", version {f.version}" if f.version else ""): None for f in files}
    return "; ".join(name for name in named if name)


def _read(path: str | Path | None, kind: str) -> list[TrackFile]:
    if path is None:
        return []
    files = files_of_kind(read_files(path, kind=kind), kind, path)
    for file in files:
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", file.color):
            raise TrackError(
                f"track {file.track!r}: color {file.color!r}", where=path, expected="#rrggbb"
            )
    return files


def _choose(pairs: list[TrackPair], tracks: str | Sequence[str] | None) -> list[TrackPair]:
    if tracks is None:
        return pairs
    table = TrackTable(
        tuple(
            Track(
                pair.name,
                head=pair.field("head") or "tracks",
                assay=pair.field("assay"),
                cell_type=pair.field("cell_type"),
                units=pair.field("units"),
            )
            for pair in pairs
        )
    )
    kept = table.select(tracks).names
    return [pair for pair in pairs if pair.name in kept]
