"""A training set from bigWigs."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from ft_s2a import __version__
from ft_s2a.conventions.atomic import atomic_path, refuse_existing
from ft_s2a.conventions.progress import track as progress
from ft_s2a.data import store
from ft_s2a.data.dataset import TrackDataset
from ft_s2a.data.splits import Splits, parse_splits
from ft_s2a.data.statistics import Statistics
from ft_s2a.data.windows import Window, place_windows
from ft_s2a.errors import DataError, FtS2aError, OutputExistsError, TrackError
from ft_s2a.genome.bigwig import BigWig
from ft_s2a.genome.contigs import check_sizes
from ft_s2a.genome.fasta import Genome
from ft_s2a.geometry import Geometry
from ft_s2a.models.config import HeadConfig
from ft_s2a.tracks.table import Track, TrackTable, read_tracks
from ft_s2a.tracks.units import to_target

_log = logging.getLogger(__name__)

# Training windows looked at to set an automatic scale.
_SCALE_WINDOWS = 2000

# Below this, float16 has fewer than its ten bits.
_SMALLEST_NORMAL = float(np.finfo(np.float16).smallest_normal)

# A process may hold some hundreds of files; beyond that, each is closed after it was read.
_MOST_OPEN = 256


def from_bigwigs(
    fasta: str | Path,
    tracks: str | Path | TrackTable,
    out: str | Path,
    *,
    split: str,
    bin_size: int = 128,
    input_length: int = 16_384,
    crop_bins: int = 8,
    train_starts: Literal["regular", "random"] = "regular",
    coverage: float = 10.0,
    dtype: Literal["auto", "float16", "float32"] = "auto",
    seed: int = 0,
    overwrite: bool = False,
) -> TrackDataset:
    """Build a training set from a genome and bigWigs.

    Parameters
    ----------
    fasta : str or Path
    tracks : str, Path or TrackTable
        Track table with a `file` per track; an ``auto`` scale becomes 1 / mean of the pooled
        training bins.
    out : str or Path
        The set, a zarr folder; written under a temporary name and renamed at the end.
    split : str
        See :func:`ft_s2a.data.parse_splits`.
    bin_size, input_length, crop_bins : int
        Geometry.  A window belongs to a split only if its whole input lies in it; a recipe may
        use a shorter input later, never a longer one.
    train_starts : {'regular', 'random'}
        Abutting training windows, or random starts at single-base resolution.
    coverage : float
        Mean number of random training windows over a base.
    dtype : {'auto', 'float16', 'float32'}
        Type of the stored targets; auto is float16, or float32 when a track's assay is one of
        RNA (RNA, RNA-seq, snRNA, ...), whose range float16 does not cover.

    Returns
    -------
    TrackDataset

    Raises
    ------
    FtS2aError
        Naming file, contig or track.

    Examples
    --------
    ::

        from_bigwigs("genome.fa", "tracks.tsv", "set.zarr", split="test=II,valid=IV,train=rest")
    """
    _check_output(Path(out), overwrite=overwrite)
    if seed < 0 or not coverage > 0 or not math.isfinite(coverage):
        raise FtS2aError(
            f"seed {seed}, coverage {coverage}", expected="a seed of 0 or more, a coverage above 0"
        )
    geometry = Geometry(input_length, bin_size, crop_bins)
    genome = Genome(fasta)
    table = tracks if isinstance(tracks, TrackTable) else read_tracks(tracks, need_files=True)
    _check_table(table, where=None if isinstance(tracks, TrackTable) else tracks)
    splits = parse_splits(split, genome.sizes, of=str(fasta))
    windows = place_windows(
        splits, genome.sizes, geometry, train_starts=train_starts, coverage=coverage, seed=seed
    )
    contigs = list(dict.fromkeys(w.chrom for w in windows))
    files = [BigWig(track.file) for track in table]
    for file in files:
        check_sizes(file.sizes, genome.sizes, where=file.path, of=str(fasta), contigs=contigs)
        if len(files) > _MOST_OPEN:
            file.close()
    table = _set_scales(table, files, windows, genome, bin_size)
    kind: str = dtype
    if kind == "auto":
        kind = "float32" if any("RNA" in t.assay.upper() for t in table) else "float16"
    with atomic_path(out, overwrite=overwrite) as temporary:
        group = store.create(temporary, windows, geometry.output_bins, len(table), kind)
        hashes, statistics = _fill(group, windows, files, table, genome, bin_size, kind)
        provenance = {
            "command": "from-bigwig",
            "ft_s2a": __version__,
            "split": split,
            "train_starts": train_starts,
            "coverage": coverage if train_starts == "random" else None,
            "seed": seed,
            "files": {t.name: Path(t.file).name for t in table},
        }
        header = _header(
            genome, fasta, geometry, table, splits, contigs, kind, statistics, provenance,
            windows, hashes,
        )  # fmt: skip
        store.write_header(group, header)
    _log.info("%s: %d windows of %d bins", out, len(windows), geometry.output_bins)
    return TrackDataset(out)


def _check_output(out: Path, *, overwrite: bool) -> None:
    refuse_existing(out, overwrite=overwrite)
    # The whole folder is replaced: it must be a set, and nothing else.
    if out.is_dir() and any(out.iterdir()) and not store.is_store(out):
        raise OutputExistsError(
            "is a folder but no training set; it is not replaced", where=out, remedy="name another"
        )


def _check_table(table: TrackTable, *, where: str | Path | None) -> None:
    table.pairs()
    if len(table.heads) > 1:
        raise TrackError(
            f"the tracks name {len(table.heads)} heads ({', '.join(table.heads)})",
            where=where,
            expected="one head per training set",
        )
    try:
        HeadConfig(name=table.heads[0], tracks=len(table))
    except ValidationError as error:
        raise TrackError(
            f"head {table.heads[0]!r}", where=where, expected="letters, digits and _ -"
        ) from error
    for track in table:
        if not track.file:
            raise TrackError(f"track {track.name!r} names no file", where=where)


def _header(
    genome: Genome,
    fasta: str | Path,
    geometry: Geometry,
    table: TrackTable,
    splits: Splits,
    contigs: Sequence[str],
    dtype: Any,
    statistics: Statistics,
    provenance: dict[str, Any],
    windows: list[Window],
    hashes: list[str],
) -> store.StoreHeader:
    records = tuple(store.track_record(dataclasses.replace(t, file="")) for t in table)
    contig_records = {
        name: store.ContigRecord(length=genome.sizes[name], md5=genome.checksum(name))
        for name in contigs
    }
    parts = {
        "bin_size": geometry.bin_size,
        "input_length": geometry.input_length,
        "tracks": records,
        "contigs": {k: v.md5 for k, v in contig_records.items()},
    }
    return store.StoreHeader(
        bin_size=geometry.bin_size,
        input_length=geometry.input_length,
        target_bins=geometry.output_bins,
        dtype=dtype,
        fasta=str(Path(fasta).resolve()),
        contigs=contig_records,
        splits=tuple((i.chrom, i.start, i.end, n) for n, kept in splits.items() for i in kept),
        tracks=records,
        statistics=statistics.records(),
        provenance=provenance,
        checksum=store.checksum_of(hashes, windows, parts),
    )


def _fill(
    group: Any,
    windows: list[Window],
    files: list[BigWig],
    table: TrackTable,
    genome: Genome,
    bin_size: int,
    dtype: str,
) -> tuple[list[str], Statistics]:
    targets = store.target_array(group)
    statistics = Statistics(len(table))
    largest = np.zeros(len(table))
    hashes = []
    for index, window in enumerate(progress(windows, "reading bigWigs", unit="windows")):
        pooled = _pooled(window, files, table, genome.sizes[window.chrom], bin_size)
        place = f"{window.chrom}:{window.start}-{window.end}"
        # Before the squash, which would hide them.
        store.refuse_negative(pooled, table, place)
        exact = to_target(pooled, table)
        values = store.as_stored(exact, dtype, table, place)
        largest = np.fmax(largest, np.fmax.reduce(exact, axis=0, initial=0.0))
        targets[index] = values
        hashes.append(hashlib.sha256(values.tobytes()).hexdigest())
        if window.split == "train":
            statistics.update(values)
    for track, value in zip(table, largest, strict=True):
        if dtype == "float16" and 0 < value < 64 * _SMALLEST_NORMAL:
            _log.warning(
                "track %r is at most %.3g in target units, where float16 keeps few digits: "
                "give it a scale (such as auto), or use float32",
                track.name,
                value,
            )
    return hashes, statistics


def _pooled(
    window: Window, files: list[BigWig], table: TrackTable, length: int, bin_size: int
) -> NDArray[np.float64]:
    """Pooled bins of one window, float64 [bins, T]; bins beyond the contig are NaN."""
    bins = (window.end - window.start) // bin_size
    pooled = np.full((bins, len(table)), np.nan)
    first = max(0, -window.start // bin_size)
    start, end = window.start + first * bin_size, min(window.end, length)
    for column, (file, track) in enumerate(zip(files, table, strict=True)):
        read = file.binned(
            window.chrom,
            start,
            end,
            bin_size=bin_size,
            stat=track.sum_stat,
            missing=track.missing,
        )
        pooled[first : first + len(read), column] = read
        if len(files) > _MOST_OPEN:
            file.close()
    return pooled


def _set_scales(
    table: TrackTable,
    files: list[BigWig],
    windows: list[Window],
    genome: Genome,
    bin_size: int,
) -> TrackTable:
    """Replace each automatic scale by 1 / mean of pooled training bins.

    Strand partners get one scale, over the bins of both: the reverse complement swaps them, and
    what is swapped must have one unit.
    """
    if not any(math.isnan(t.scale) for t in table):
        return table
    train = [w for w in windows if w.split == "train"]
    if not train:
        raise DataError("scale 'auto' needs a train split", remedy="give the scale as a number")
    step = max(1, len(train) // _SCALE_WINDOWS)
    total, number = np.zeros(len(table)), np.zeros(len(table))
    for window in train[::step]:
        pooled = _pooled(window, files, table, genome.sizes[window.chrom], bin_size)
        total += np.nansum(pooled, axis=0)
        number += np.isfinite(pooled).sum(axis=0)
    partners = table.pairs()
    paired = partners != np.arange(len(table))
    total, number = (x + np.where(paired, x[partners], 0.0) for x in (total, number))
    scaled: list[Track] = []
    for column, track in enumerate(table):
        if math.isnan(track.scale):
            if not total[column] > 0:
                raise DataError(
                    f"track {track.name!r} is zero over the training windows",
                    where=track.file,
                    remedy="leave the track out, or give its scale as a number",
                )
            track = dataclasses.replace(track, scale=float(number[column] / total[column]))
        scaled.append(track)
    return table.replace(scaled)
