"""Target values of windows, read from a bigWig per track: plain ones and published ones alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ft_s2a.data import store
from ft_s2a.data.published import Blacklist, published_bins, with_transform
from ft_s2a.data.windows import Window
from ft_s2a.errors import TrackError
from ft_s2a.genome.bigwig import BigWig
from ft_s2a.genome.fasta import Genome
from ft_s2a.geometry import Geometry
from ft_s2a.tracks.table import Track, TrackTable, read_tracks
from ft_s2a.tracks.targets import is_target_table, read_targets
from ft_s2a.tracks.track import TRANSFORMS
from ft_s2a.tracks.units import Columns, to_target

# A process may hold some hundreds of files; beyond that, each is closed after it was read.
_MOST_OPEN = 256


class Files(tuple[BigWig, ...]):
    """The bigWigs of a table's tracks, of which not too many are held open."""

    def done(self, file: BigWig) -> None:
        """Say that a file was read for now."""
        if len(self) > _MOST_OPEN:
            file.close()


def read_table(tracks: str | Path | TrackTable, transform: str | None) -> TrackTable:
    """Read the tracks and their files; those that name no transform take the one given.

    Parameters
    ----------
    tracks : str, Path or TrackTable
        A track table or a published target table.
    transform : str or None

    Raises
    ------
    FtS2aError
        Naming table and row.
    """
    if transform not in (None, *TRANSFORMS):
        raise TrackError(f"transform {transform!r}", expected=" or ".join(TRANSFORMS))
    if isinstance(tracks, TrackTable):
        table = tracks
        for track in table:
            if not track.file:
                raise TrackError(f"track {track.name!r} names no file")
    elif is_target_table(tracks):
        return read_targets(tracks, transform=transform, head=Track("any").head, need_files=True)
    else:
        table = read_tracks(tracks, need_files=True)
    if transform is None:
        return table
    return table.replace(
        [with_transform(t, transform) if t.transform == "plain" else t for t in table]
    )


def pooled_bins(
    window: Window,
    files: Files,
    table: TrackTable,
    columns: Sequence[int],
    length: int,
    bin_size: int,
) -> NDArray[np.float64]:
    """Pooled bins of one window for some tracks, float64 [bins, columns]; NaN beyond the contig."""
    bins = (window.end - window.start) // bin_size
    pooled = np.full((bins, len(columns)), np.nan)
    first = max(0, -window.start // bin_size)
    start, end = window.start + first * bin_size, min(window.end, length)
    for place, column in enumerate(columns):
        file, track = files[column], table[column]
        read = file.binned(
            window.chrom,
            start,
            end,
            bin_size=bin_size,
            stat=track.sum_stat,
            missing=track.missing,
        )
        pooled[first : first + len(read), place] = read
        files.done(file)
    return pooled


class TargetReader:
    """Reads windows in target units.

    Parameters
    ----------
    files : Files
        One per track.
    table : TrackTable
        With numbers for all scales.
    genome : Genome
    geometry : Geometry
    blacklist : Blacklist, optional
        For the published transforms.
    interpolate : bool
        Likewise; see :func:`ft_s2a.data.published.published_bins`.
    """

    def __init__(
        self,
        files: Files,
        table: TrackTable,
        genome: Genome,
        geometry: Geometry,
        *,
        blacklist: Blacklist | None = None,
        interpolate: bool = False,
    ) -> None:
        self._files = files
        self._table = table
        self._genome = genome
        self._geometry = geometry
        self._options: dict[str, Any] = {"blacklist": blacklist, "interpolate": interpolate}
        self._plain = [i for i, track in enumerate(table) if track.transform == "plain"]
        self._published = {
            i: Columns.of([track]) for i, track in enumerate(table) if track.transform != "plain"
        }
        if self._plain:
            self._plain_table = TrackTable(tuple(table[i] for i in self._plain))

    def read(self, window: Window) -> NDArray[np.float64]:
        """One window, float64 [bins, T]; bins beyond the contig are NaN.

        Raises
        ------
        DataError
            For pooled bins below zero of plain tracks, naming track and place.
        """
        bins = self._geometry.output_bins
        values = np.empty((bins, len(self._table)))
        if self._plain:
            length = self._genome.sizes[window.chrom]
            pooled = pooled_bins(
                window, self._files, self._table, self._plain, length, self._geometry.bin_size
            )
            # Before the squash, which would hide them.
            store.refuse_negative(pooled, self._plain_table, place_of(window))
            values[:, self._plain] = to_target(pooled, self._plain_table)
        for column, columns in self._published.items():
            file = self._files[column]
            values[:, column] = published_bins(
                file, window, self._table[column], columns, self._geometry, **self._options
            )
            self._files.done(file)
        return values


def place_of(window: Window) -> str:
    """Where a window is, for messages."""
    return f"{window.chrom}:{window.start}-{window.end}"
