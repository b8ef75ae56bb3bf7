"""Which predicted bigWig belongs to which observed one: by track name, then by file name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ft_s2a.errors import TrackError
from ft_s2a.tracks.files import TrackFile, slug

_SHOWN = 10


def files_of_kind(files: Sequence[TrackFile], kind: str, where: str | Path) -> list[TrackFile]:
    """Keep the files of a kind where a table holds both kinds; refuse names that occur twice.

    Raises
    ------
    TrackError
        Naming the tracks that occur twice.
    """
    wanted = [file for file in files if file.kind == kind] or list(files)
    twice = [name for name, number in Counter(f.track for f in wanted).items() if number > 1]
    if twice:
        raise TrackError(
            f"{some_names(twice)} occurs more than once among the {kind} files",
            where=where,
            expected="one file per track (one entry, one head at a time)",
        )
    return wanted


def match_files(ours: Sequence[TrackFile], theirs: Sequence[TrackFile]) -> dict[str, TrackFile]:
    """Find the partners of `ours` among `theirs`; what has none is left out.

    Parameters
    ----------
    ours, theirs : sequence of TrackFile
        Predicted and observed files.

    Returns
    -------
    dict of str to TrackFile
        Predicted track -> observed file.  Equal names first; then, where no table names both
        sides, ``<entry>.<track>.bw`` is the prediction of ``<track>.bw``.

    Raises
    ------
    TrackError
        When two predicted tracks pair with one observed file.
    """
    by_name = {file.track: file for file in theirs}
    partners = {file.track: by_name[file.track] for file in ours if file.track in by_name}
    left = [file for file in theirs if file.track not in partners]
    taken: dict[Path, str] = {}
    for file in ours:
        if file.track in partners:
            continue
        found = _by_file_name(file, left)
        if found is None:
            continue
        if found.file in taken:
            raise TrackError(
                f"{taken[found.file]!r} and {file.track!r} both pair with {found.file.name}",
                expected="one predicted track per observed one",
                remedy="choose one with --tracks",
            )
        taken[found.file] = file.track
        partners[file.track] = found
    return partners


def _by_file_name(file: TrackFile, others: Sequence[TrackFile]) -> TrackFile | None:
    """The observed file whose name ends that of the predicted one; the longest such name."""
    stem = file.file.stem
    hits = [
        (len(name), other)
        for other in others
        # Where tables name both sides, other names mean other tracks.
        if not (_is_named(file) and _is_named(other))
        for name in (other.file.stem, slug(other.track))
        if name in (stem, slug(file.track)) or stem.endswith(f".{name}")
    ]
    return max(hits, key=lambda hit: hit[0])[1] if hits else None


def _is_named(file: TrackFile) -> bool:
    """Whether a table gave the name, or just the file did."""
    return file.track != file.file.stem


def some_names(names: Sequence[str]) -> str:
    """List names for a message, the first ten."""
    more = len(names) - _SHOWN
    text = ", ".join(repr(name) for name in names[:_SHOWN])
    return f"{text} and {more} more" if more > 0 else text
