"""The track table, the two unit spaces, and the table of bigWig files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ft_s2a.conventions.lazy import attach

if TYPE_CHECKING:
    from ft_s2a.tracks.files import TrackFile as TrackFile
    from ft_s2a.tracks.files import read_files as read_files
    from ft_s2a.tracks.files import write_files as write_files
    from ft_s2a.tracks.table import TrackTable as TrackTable
    from ft_s2a.tracks.table import read_tracks as read_tracks
    from ft_s2a.tracks.targets import read_targets as read_targets
    from ft_s2a.tracks.targets import targets_text as targets_text
    from ft_s2a.tracks.track import Track as Track
    from ft_s2a.tracks.units import to_observed as to_observed
    from ft_s2a.tracks.units import to_target as to_target

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Track": "track",
        "TrackFile": "files",
        "TrackTable": "table",
        "read_files": "files",
        "read_targets": "targets",
        "read_tracks": "table",
        "targets_text": "targets",
        "to_observed": "units",
        "to_target": "units",
        "write_files": "files",
    },
)
