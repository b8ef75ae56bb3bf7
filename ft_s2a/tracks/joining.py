"""Track tables of several heads become one, in which names must differ."""

from __future__ import annotations

import dataclasses
import logging
from collections import Counter
from collections.abc import Sequence

from ft_s2a.tracks.table import TrackTable
from ft_s2a.tracks.track import Track

_log = logging.getLogger(__name__)


def join_heads(tables: Sequence[TrackTable]) -> TrackTable:
    """Join the tables of several heads; names that several have become ``<head>.<name>``.

    Parameters
    ----------
    tables : sequence of TrackTable
        Each of one head.

    Returns
    -------
    TrackTable
        One head after the other.

    Raises
    ------
    TrackError
        When such a name is taken already.

    Examples
    --------
    >>> human = TrackTable((Track("liver", head="human"), Track("K562", head="human")))
    >>> mouse = TrackTable((Track("liver", head="mouse"),))
    >>> join_heads([human, mouse]).names
    ('human.liver', 'K562', 'mouse.liver')
    """
    count = Counter(name for table in tables for name in table.names)
    shared = {name for name, times in count.items() if times > 1}
    if shared:
        _log.warning(
            "%d track names occur in several heads: their tracks are called <head>.<name>",
            len(shared),
        )

    def rename(name: str, head: str) -> str:
        return f"{head}.{name}" if name in shared else name

    def renamed(track: Track) -> Track:
        return dataclasses.replace(
            track,
            name=rename(track.name, track.head),
            strand_pair=rename(track.strand_pair, track.head),
        )

    return TrackTable(tuple(renamed(track) for table in tables for track in table))
