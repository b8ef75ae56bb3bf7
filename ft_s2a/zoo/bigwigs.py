"""Kipoi's HDF5 output becomes one bigWig per track."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ft_s2a.conventions.atomic import refuse_existing
from ft_s2a.conventions.progress import bar
from ft_s2a.entries import Entry, find_entry
from ft_s2a.errors import ContigError, FormatError, require_file
from ft_s2a.genome.bigwig import write_bigwig
from ft_s2a.genome.contigs import check_contig
from ft_s2a.genome.lengths import contig_lengths
from ft_s2a.geometry import Geometry, Interval, count_bins
from ft_s2a.tracks import Track, TrackTable, write_files
from ft_s2a.tracks.files import FILES_NAME, bigwig_name, files_of_tracks
from ft_s2a.tracks.units import bins_to_observed

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float32]

# Predictions held in memory at once: tracks are written in groups of this size.
_GROUP_BYTES = 256 << 20


@dataclass(frozen=True)
class _Row:
    """A row of the file: the interval that is predicted, and how its bins run."""

    number: int
    interval: Interval
    bins: int


def write_bigwigs(
    predictions: str | Path,
    entry: Entry | str | Path,
    sizes: str | Path | Mapping[str, int],
    out_dir: str | Path,
    *,
    tracks: str | Sequence[str] | None = None,
    overwrite: bool = False,
) -> pd.DataFrame:
    """Write what ``kipoi predict ... -m -o predictions.h5`` predicted as bigWigs.

    The values are in observed units, as those of ``ft-s2a predict``.  Each row's bins start at
    its ``metadata/ranges/start``; bins that begin at ``end`` or later are surplus and dropped; the
    contig's last bin gets its true span.  Rows of strand ``-`` run against the genome and are
    turned back.

    Parameters
    ----------
    predictions : str or Path
        HDF5 with ``preds`` [N, bins, tracks] and ``metadata/ranges``.
    entry : Entry, str or Path
        The entry that predicted.
    sizes : str, Path or mapping
        Contig lengths, or a file that states them: chrom.sizes, .fai, FASTA or bigWig.
    out_dir : str or Path
        Gets ``<entry>.<track>.bw`` and ``files.tsv``.
    tracks : str or sequence of str, optional
        Only these; see :meth:`ft_s2a.tracks.TrackTable.select`.
    overwrite : bool
        Replace bigWigs of an earlier run.

    Returns
    -------
    DataFrame
        The rows of ``files.tsv``.

    Raises
    ------
    FormatError
        When the file is no such HDF5, or belongs to another entry.
    ContigError
        When rows overlap, or lie outside their contig.

    Examples
    --------
    ::

        write_bigwigs("predictions.h5", "yeast/basenji2", "genome.fa.fai", "predicted")
    """
    import pandas as pd

    found = entry if isinstance(entry, Entry) else find_entry(entry)
    path = require_file(predictions, "predictions file")
    lengths = dict(sizes) if isinstance(sizes, Mapping) else contig_lengths(sizes)
    of = "the chromosome sizes" if isinstance(sizes, Mapping) else str(sizes)
    table = found.read_tracks()
    chosen = table.select(tracks)
    out = Path(out_dir)
    for file in (FILES_NAME, *(bigwig_name(found.name, track.name) for track in chosen)):
        refuse_existing(out / file, overwrite=overwrite)
    geometry = found.model.geometry
    with _open(path) as file:
        preds = _predictions(file, path, geometry, table)
        rows = _rows(file, path, geometry, lengths, of)
        if len(rows) != len(preds):
            raise FormatError(f"{len(preds)} predictions but {len(rows)} ranges", where=path)
        _refuse_overlaps(rows, path)
        written = []
        total = sum(row.bins for row in rows)
        size = max(1, _GROUP_BYTES // (4 * total))
        with bar("writing bigWigs", len(chosen), unit="tracks") as shown:
            for first in range(0, len(chosen), size):
                group = chosen.tracks[first : first + size]
                values = _read(preds, rows, table, group)
                for track, column in zip(group, values, strict=True):
                    target = out / bigwig_name(found.name, track.name)
                    pieces = _pieces(column, rows, track, geometry.bin_size)
                    write_bigwig(
                        target, lengths, pieces, bin_size=geometry.bin_size, overwrite=overwrite
                    )
                    written.append(target)
                    shown.advance()
    described = [
        dataclasses.replace(
            row, file=target, grid=geometry.bin_size, entry=found.name, version=found.version
        )
        for row, target in zip(files_of_tracks(chosen, kind="predicted"), written, strict=True)
    ]
    listed = write_files(out, described, overwrite=overwrite)
    return pd.read_csv(listed, sep="\t", dtype=str, keep_default_na=False)


def _open(path: Path) -> Any:
    import h5py

    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise FormatError(
            "is not a complete HDF5 file", where=path, expected="the .h5 of `kipoi predict -m -o`"
        ) from error


def _predictions(file: Any, path: Path, geometry: Geometry, table: TrackTable) -> Any:
    import h5py

    preds = file.get("preds")
    if not isinstance(preds, h5py.Dataset) or preds.ndim != 3:
        raise FormatError(
            "has no array `preds` of [windows, bins, tracks]",
            where=path,
            expected="the .h5 of `kipoi predict -m -o` with an entry of ft_s2a",
        )
    expected = (geometry.output_bins, len(table))
    if preds.shape[1:] != expected:
        raise FormatError(
            f"predictions have {preds.shape[1]} bins and {preds.shape[2]} tracks",
            where=path,
            expected=f"{expected[0]} bins and {expected[1]} tracks, as the entry has",
            remedy="name the entry that predicted them",
        )
    if not len(preds):
        raise FormatError("holds no prediction", where=path)
    return preds


def _rows(
    file: Any, path: Path, geometry: Geometry, lengths: Mapping[str, int], of: str
) -> list[_Row]:
    """Rows in genome order."""
    ranges = file.get("metadata/ranges")
    if ranges is None or any(key not in ranges for key in ("chr", "start", "end", "strand")):
        raise FormatError(
            "has no metadata/ranges", where=path, remedy="predict again with -m (--keep_metadata)"
        )
    order = {name: index for index, name in enumerate(lengths)}
    columns = (ranges[key][:] for key in ("chr", "start", "end", "strand"))
    rows = []
    for number, (chrom, start, end, strand) in enumerate(zip(*columns, strict=True)):
        where = f"{path}, prediction {number}"
        name, sense = _text(chrom), _text(strand)
        length = check_contig(name, lengths, where=where, of=of)
        left, right = int(start), int(end)
        if not (0 <= left < right <= min(left + geometry.output_length, length)):
            raise ContigError(
                f"the range {name}:{left}-{right}",
                where=where,
                expected=f"at most {geometry.output_length} bp inside the {length:,} bp of the "
                f"contig in {of}",
            )
        interval = Interval(name, left, right, strand="-" if sense == "-" else ".")
        rows.append(_Row(number, interval, count_bins(left, right, geometry.bin_size)))
    return sorted(rows, key=lambda row: (order[row.interval.chrom], row.interval.start))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _refuse_overlaps(rows: Sequence[_Row], path: Path) -> None:
    for before, row in itertools.pairwise(rows):
        if before.interval.overlaps(row.interval):
            raise ContigError(
                f"predictions {before.number} ({before.interval}) and {row.number} "
                f"({row.interval}) overlap",
                where=path,
                expected="each base predicted once",
                remedy="merge the BED rows that overlap or end in the same bin, and predict again",
            )


def _read(preds: Any, rows: Sequence[_Row], table: TrackTable, group: Sequence[Track]) -> Floats:
    """Values of some tracks, [tracks, bins of all rows], in genome order."""
    columns = np.array([table.index(track) for track in group])
    swapped = table.pairs()[columns]
    values = np.empty((len(group), sum(row.bins for row in rows)), dtype=np.float32)
    reached = 0
    for row in rows:
        window = preds[row.number]
        reverse = row.interval.strand == "-"
        window = window[::-1, swapped] if reverse else window[:, columns]
        values[:, reached : reached + row.bins] = window[: row.bins].T
        reached += row.bins
    return values


def _pieces(
    values: Floats, rows: Sequence[_Row], track: Track, bin_size: int
) -> Iterator[tuple[str, int, NDArray[np.float64]]]:
    reached = 0
    for row in rows:
        part = values[reached : reached + row.bins]
        reached += row.bins
        start, end = row.interval.start, row.interval.end
        observed = bins_to_observed(part, track, start=start, end=end, bin_size=bin_size)
        yield row.interval.chrom, start, observed
