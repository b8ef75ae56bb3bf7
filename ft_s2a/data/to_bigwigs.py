"""A training set's targets as bigWigs in observed units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ft_s2a.conventions.atomic import atomic_path, refuse_existing
from ft_s2a.conventions.progress import bar
from ft_s2a.data.splits import SPLITS
from ft_s2a.data.store import (
    StoreHeader,
    check_complete,
    open_store,
    target_array,
    window_contigs,
)
from ft_s2a.errors import ContigError, DataError, OutputExistsError, TrackError, near_miss
from ft_s2a.genome.bigwig import write_bigwig
from ft_s2a.genome.contigs import check_contig
from ft_s2a.genome.lengths import contig_lengths
from ft_s2a.tracks.files import FILES_NAME, TrackFile, bigwig_name, write_files
from ft_s2a.tracks.table import Track
from ft_s2a.tracks.units import bins_to_observed

# A chunk holds all tracks of a window, so tracks are read in groups of about so many bytes.
_GROUP_BYTES = 1 << 29


def export_bigwigs(
    data: str | Path,
    sizes: str | Path | Mapping[str, int],
    out: str | Path,
    *,
    split: str | None = None,
    tracks: str | None = None,
    overwrite: bool = False,
) -> pd.DataFrame:
    """Write the targets of a training set as one bigWig per track.

    Values are in observed units (signal per base); what was clipped stays clipped.  Where windows
    overlap, the first one counts; what is in no window, or has no value, is a gap.  A bin that
    begins before its contig is left out.

    Parameters
    ----------
    data : str or Path
        The set.
    sizes : str, Path or mapping of str to int
        Contig lengths, or a file that states them: chrom.sizes, .fai, FASTA or bigWig.
    out : str or Path
        Folder; it appears when it is complete.
    split : str, optional
        Only windows of train, valid or test.
    tracks : str, optional
        Which tracks, as for ``predict``.
    overwrite : bool
        Replace a folder of bigWigs.

    Returns
    -------
    DataFrame
        Rows of ``files.tsv``; the kind is ``observed``.

    Raises
    ------
    ContigError
        When a window's contig is missing, or shorter than the window says.

    Examples
    --------
    ::

        export_bigwigs("human.zarr", "hg38.chrom.sizes", "observed", split="test")
    """
    target = Path(out)
    refuse_existing(target, overwrite=overwrite)
    if target.is_dir() and any(target.iterdir()) and not (target / FILES_NAME).exists():
        raise OutputExistsError(
            f"is a folder without {FILES_NAME}; it is not replaced",
            where=target,
            remedy="name another",
        )
    group, header = open_store(data)
    check_complete(group, data)
    table = header.table
    chosen = table.select(tracks)
    lengths = dict(sizes) if isinstance(sizes, Mapping) else contig_lengths(sizes)
    order = _order(group, header, lengths, split, Path(data), of=_named(sizes))
    name = Path(data).resolve().name.removesuffix(".zarr")
    names = [bigwig_name(name, track.name) for track in chosen]
    if len(set(names)) < len(names):  # "a" and "-a"
        twice = next(n for n in names if names.count(n) > 1)
        raise TrackError(f"two tracks would be written to {twice!r}", remedy="rename one")
    columns = [table.index(track.name) for track in chosen]
    with atomic_path(target, overwrite=overwrite) as folder:
        folder.mkdir()
        _write(group, header, order, lengths, columns, [folder / n for n in names])
        write_files(folder, [
            _row(folder / file, track, header.bin_size)
            for file, track in zip(names, chosen, strict=True)
        ])  # fmt: skip
    return pd.read_csv(target / FILES_NAME, sep="\t", dtype=str, keep_default_na=False)


def _named(sizes: str | Path | Mapping[str, int]) -> str:
    return "the sizes" if isinstance(sizes, Mapping) else str(sizes)


class _Order:
    """Windows in genome order, each with the bins of it that are written."""

    def __init__(self) -> None:
        self.windows: list[int] = []
        self.chroms: list[str] = []
        self.starts: list[int] = []
        self.skipped: list[int] = []


def _order(
    group: Any,
    header: StoreHeader,
    lengths: Mapping[str, int],
    split: str | None,
    path: Path,
    *,
    of: str,
) -> _Order:
    if split is not None and split not in SPLITS:
        raise DataError(f"unknown split {split!r}", remedy=near_miss(split, SPLITS))
    names = window_contigs(group)
    contig, start = np.asarray(group["window_contig"]), np.asarray(group["window_start"])
    used = np.ones(len(start), dtype=bool)
    if split is not None:
        used = np.asarray(group["window_split"]) == SPLITS.index(split)
        if not used.any():
            raise DataError(f"the set has no {split} window", where=path)
    place = {name: index for index, name in enumerate(lengths)}
    for number in np.unique(contig[used]).tolist():
        length = check_contig(names[number], lengths, where=path, of=of)
        record = header.contigs.get(names[number])
        if record is not None and record.length != length:
            raise ContigError(
                f"contig {names[number]!r} is {record.length:,} bp long, but {length:,} bp in {of}",
                where=path,
                expected="the lengths of the genome that the set was built from",
            )
    bin_size, bins = header.bin_size, header.target_bins
    order = _Order()
    reached = ("", 0)
    ranks = np.array([place.get(name, 0) for name in names])[contig]
    for index in np.lexsort((start, ranks)):
        if not used[index]:
            continue
        chrom, first = names[contig[index]], int(start[index])
        if first >= lengths[chrom]:
            raise ContigError(
                f"a window starts at {chrom}:{first}, behind the contig's end",
                where=path,
                expected=f"contig lengths of its genome; {of} says {lengths[chrom]:,} bp",
            )
        begin = max(reached[1] if reached[0] == chrom else 0, 0)
        skipped = max(0, -(-(begin - first) // bin_size))
        if skipped >= bins or first + skipped * bin_size >= lengths[chrom]:
            continue
        reached = (chrom, first + bins * bin_size)
        order.windows.append(int(index))
        order.chroms.append(chrom)
        order.starts.append(first + skipped * bin_size)
        order.skipped.append(skipped)
    return order


def _write(
    group: Any,
    header: StoreHeader,
    order: _Order,
    lengths: Mapping[str, int],
    columns: list[int],
    paths: list[Path],
) -> None:
    table, targets = header.table, target_array(group)
    item = np.dtype(header.dtype).itemsize
    per_track = max(1, len(order.windows) * header.target_bins * item)
    size = max(1, _GROUP_BYTES // per_track)
    groups = [range(i, min(i + size, len(columns))) for i in range(0, len(columns), size)]
    with bar("writing", len(columns), unit="tracks") as shown:
        for chosen in groups:
            wanted = [columns[i] for i in chosen]
            values = np.empty(
                (len(chosen), len(order.windows), header.target_bins), dtype=header.dtype
            )
            for row, window in enumerate(order.windows):
                values[:, row] = np.asarray(targets[window])[:, wanted].T
            for kept, i in zip(values, chosen, strict=True):
                pieces = _pieces(kept, order, lengths, table[columns[i]], header.bin_size)
                write_bigwig(paths[i], lengths, pieces, bin_size=header.bin_size)
                shown.advance()


def _pieces(
    values: NDArray[Any],
    order: _Order,
    lengths: Mapping[str, int],
    track: Track,
    bin_size: int,
) -> Iterator[tuple[str, int, NDArray[np.float64]]]:
    """Give a track's windows in observed units, without the bins that another window has."""
    for row, chrom, start, skipped in zip(
        values, order.chroms, order.starts, order.skipped, strict=True
    ):
        observed = bins_to_observed(
            row[skipped:], track, start=start, end=lengths[chrom], bin_size=bin_size
        )
        yield chrom, start, observed


def _row(path: Path, track: Track, bin_size: int) -> TrackFile:
    return TrackFile(
        path, track.name, track.head, track.assay, track.cell_type, track.units, track.color,
        grid=bin_size, kind="observed", strand_pair=track.strand_pair,
    )  # fmt: skip
