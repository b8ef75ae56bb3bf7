"""Which predicted file belongs to which observed one, and whether they are of one assembly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ft_s2a.errors import TrackError
from ft_s2a.genome.bigwig import BigWig
from ft_s2a.genome.contigs import check_sizes
from ft_s2a.tracks.files import TrackFile, read_files, slug
from ft_s2a.tracks.table import Track, TrackTable, read_tracks

_SHOWN = 10
_BIGWIG = (".bw", ".bigwig")


@dataclass(frozen=True)
class Pair:
    """One track on both sides.

    Parameters
    ----------
    track : str
        Name of the predicted track.
    predicted, observed : TrackFile
        The two files.
    missing : {'zero', 'nan'}
        What observed bases without a value mean, as the track table says.
    """

    track: str
    predicted: TrackFile
    observed: TrackFile
    missing: Literal["zero", "nan"] = "zero"

    @property
    def color(self) -> str:
        """Colour of the track: the predicted file's, else the observed one's."""
        default = TrackFile.color
        return next(
            (f.color for f in (self.predicted, self.observed) if f.color != default), default
        )

    @property
    def missing_predicted(self) -> Literal["zero", "nan"]:
        """A gap in a prediction was never predicted; in a measured file it is zero."""
        return self.missing if self.predicted.kind == "observed" else "nan"


def pair_tracks(
    predicted: str | Path, observed: str | Path, *, tracks: str | None = None
) -> list[Pair]:
    """Pair the bigWigs of two sides by track name, then by file name.

    Parameters
    ----------
    predicted, observed : str or Path
        A folder with ``files.tsv`` or bigWigs, a ``files.tsv``, a track table with a `file`
        column, or one bigWig (see :func:`ft_s2a.tracks.read_files`).  Names are compared first;
        then files, where ``<entry>.<track>.bw`` is the prediction of ``<track>.bw``.
    tracks : str, optional
        Predicted tracks to pair, as in :meth:`ft_s2a.tracks.TrackTable.select`; observed tracks
        beyond these are then ignored.

    Returns
    -------
    list of Pair
        In the order of the predicted files.

    Raises
    ------
    TrackError
        Naming what has no partner.
    """
    ours = _of_kind(read_files(predicted, kind="predicted"), "predicted", predicted)
    theirs = _of_kind(read_files(observed, kind="observed"), "observed", observed)
    if tracks is not None:
        table = TrackTable(tuple(_row(file) for file in ours))
        chosen = set(table.select(tracks).names)
        ours = [file for file in ours if file.track in chosen]
    partners = _match(ours, theirs)
    lonely = [file.track for file in ours if file.track not in partners]
    paired = {partner.file for partner in partners.values()}
    unused = [file.track for file in theirs if file.file not in paired]
    if lonely or (unused and tracks is None):
        raise TrackError(
            "; ".join(
                f"no {kind} partner for {_some(names)} of {where}"
                for kind, names, where in (
                    ("observed", lonely, predicted),
                    ("predicted", unused if tracks is None or not partners else [], observed),
                )
                if names
            ),
            expected="the same track names (column track of files.tsv, name of a track table), "
            "or files <entry>.<track>.bw beside <track>.bw",
            remedy="choose tracks that both sides have with --tracks" if partners else None,
        )
    rules = missing_rules(observed)
    return [
        Pair(file.track, file, partners[file.track], rules.get(partners[file.track].track, "zero"))
        for file in ours
    ]


def missing_rules(path: str | Path) -> dict[str, Literal["zero", "nan"]]:
    """What bases without a value mean, per track, where `path` is a track table."""
    found = Path(path)
    if found.is_dir() or found.suffix.lower() in _BIGWIG or found.name == "files.tsv":
        return {}
    with open(found, encoding="utf-8", errors="replace") as handle:
        if "track" in handle.readline().rstrip("\n").split("\t"):
            return {}
    table = read_tracks(found)
    return {t.name: t.missing for t in table}


def check_assemblies(pairs: Sequence[Pair], contigs: Sequence[str]) -> dict[str, int]:
    """Check that all files agree on the contigs, and give those of the predicted side.

    Parameters
    ----------
    contigs : sequence of str
        Contigs that every file must have; others are compared where both files have them.

    Raises
    ------
    ContigError
        Naming the file and the contig that differs.
    """
    first = pairs[0].predicted.file
    with BigWig(first) as opened:
        reference = opened.sizes
    for path in dict.fromkeys(f.file for p in pairs for f in (p.predicted, p.observed)):
        if path == first:
            continue
        with BigWig(path) as opened:
            sizes = opened.sizes
        check_sizes(sizes, reference, where=path, of=str(first), contigs=contigs or None)
        check_sizes(sizes, reference, where=path, of=str(first))
    return reference


def _of_kind(files: Sequence[TrackFile], kind: str, where: str | Path) -> list[TrackFile]:
    """Keep the files of a kind where a table holds both kinds; refuse names that occur twice."""
    wanted = [file for file in files if file.kind == kind] or list(files)
    twice = [name for name, number in Counter(f.track for f in wanted).items() if number > 1]
    if twice:
        raise TrackError(
            f"{_some(twice)} occurs more than once among the {kind} files",
            where=where,
            expected="one file per track (one entry, one head at a time)",
        )
    return wanted


def _row(file: TrackFile) -> Track:
    return Track(file.track, head=file.head or "tracks", assay=file.assay, cell_type=file.cell_type)


def _match(ours: Sequence[TrackFile], theirs: Sequence[TrackFile]) -> dict[str, TrackFile]:
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


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    text = ", ".join(repr(name) for name in names[:_SHOWN])
    return f"{text} and {more} more" if more > 0 else text
