"""Which predicted file belongs to which observed one, and whether they are of one assembly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ft_s2a.errors import TrackError
from ft_s2a.genome.bigwig import BigWig
from ft_s2a.genome.contigs import check_sizes
from ft_s2a.tracks.files import TrackFile, read_files
from ft_s2a.tracks.matching import files_of_kind, match_files, some_names
from ft_s2a.tracks.table import Track, TrackTable, read_tracks

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
    ours = files_of_kind(read_files(predicted, kind="predicted"), "predicted", predicted)
    theirs = files_of_kind(read_files(observed, kind="observed"), "observed", observed)
    if tracks is not None:
        table = TrackTable(tuple(_row(file) for file in ours))
        chosen = set(table.select(tracks).names)
        ours = [file for file in ours if file.track in chosen]
    partners = match_files(ours, theirs)
    lonely = [file.track for file in ours if file.track not in partners]
    paired = {partner.file for partner in partners.values()}
    unused = [file.track for file in theirs if file.file not in paired]
    if lonely or (unused and tracks is None):
        raise TrackError(
            "; ".join(
                f"no {kind} partner for {some_names(names)} of {where}"
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


def _row(file: TrackFile) -> Track:
    return Track(file.track, head=file.head or "tracks", assay=file.assay, cell_type=file.cell_type)
