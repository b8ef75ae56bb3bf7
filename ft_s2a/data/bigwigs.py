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

from ft_s2a import __version__
from ft_s2a.conventions.atomic import atomic_path
from ft_s2a.conventions.progress import track as progress
from ft_s2a.data import store
from ft_s2a.data.blocks import find_gaps, read_gaps
from ft_s2a.data.dataset import TrackDataset
from ft_s2a.data.extremes import Extremes
from ft_s2a.data.published import Blacklist, check_published
from ft_s2a.data.reading import Files, TargetReader, place_of, pooled_bins, read_table
from ft_s2a.data.splits import Splits, parse_splits
from ft_s2a.data.statistics import Statistics
from ft_s2a.data.unmappable import Finish, check_fraction, mappable_windows
from ft_s2a.data.windows import Window, place_windows
from ft_s2a.errors import DataError, FtS2aError, TrackError
from ft_s2a.genome.bigwig import BigWig
from ft_s2a.genome.contigs import check_sizes
from ft_s2a.genome.fasta import Genome
from ft_s2a.geometry import Geometry
from ft_s2a.tracks.table import Track, TrackTable

_log = logging.getLogger(__name__)

# Training windows looked at to set an automatic scale.
_SCALE_WINDOWS = 2000

# Below this, float16 has fewer than its ten bits.
_SMALLEST_NORMAL = float(np.finfo(np.float16).smallest_normal)


def from_bigwigs(
    fasta: str | Path,
    tracks: str | Path | TrackTable,
    out: str | Path,
    *,
    split: str,
    folds: str | None = None,
    bin_size: int = 128,
    input_length: int = 16_384,
    crop_bins: int = 8,
    train_starts: Literal["regular", "random"] = "regular",
    coverage: float = 10.0,
    gaps: str | Path | None = None,
    stride: float = 1.0,
    eval_stride: float = 1.0,
    snap: int = 1,
    transform: str | None = None,
    blacklist: str | Path | None = None,
    unmappable: str | Path | None = None,
    umap_clip: float = 1.0,
    umap_threshold: float = 0.5,
    interpolate: bool = False,
    decimals: int | None = None,
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
        training bins.  Or a published target table, whose files are bigWigs.
    out : str or Path
        The set, a zarr folder; written under a temporary name and renamed at the end.
    split : str
        See :func:`ft_s2a.data.parse_splits`.
    folds : str, optional
        Which label of a BED file is which split: ``test=fold3,valid=fold4,train=rest``.
    bin_size, input_length, crop_bins : int
        Geometry.  A window belongs to a split only if its whole input lies in it; a recipe may
        use a shorter input later, never a longer one.
    train_starts : {'regular', 'random'}
        Abutting training windows, or random starts at single-base resolution.
    coverage : float
        Mean number of random training windows over a base.
    gaps : str or Path, optional
        BED file of assembly gaps, which no window straddles; ``auto`` for the runs of N in the
        FASTA.
    stride, eval_stride, snap : float, float, int
        See :func:`ft_s2a.data.windows.place_windows`.
    transform : str, optional
        Published transform of the tracks that name none: ``basenji2020``, ``basenji2025``,
        ``hound`` or ``hound-old``.
    blacklist : str or Path, optional
        BED file of bases that the published transforms set to the baseline, or cut at it.
    unmappable : str or Path, optional
        BED file of regions, or ``mseqs_unmap.npy`` with a row for each window in order.
    umap_clip : float
        Unmappable bins are cut at this quantile of their window and track; 1 leaves them.
    umap_threshold : float
        Windows with this fraction of unmappable bins, or more, are dropped.
    interpolate : bool
        Published transforms fill bases without a value by interpolation, not by the baseline.
    decimals : int, optional
        Round the targets to these.
    dtype : {'auto', 'float16', 'float32'}
        Type of the stored targets; auto is float16, or float32 when the assay of a track without
        a published transform is one of RNA (RNA, RNA-seq, snRNA, ...), whose range float16 does
        not cover.

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
    store.check_output(Path(out), overwrite=overwrite)
    if seed < 0 or not coverage > 0 or not math.isfinite(coverage):
        raise FtS2aError(
            f"seed {seed}, coverage {coverage}", expected="a seed of 0 or more, a coverage above 0"
        )
    check_fraction(umap_clip)
    if umap_clip != 1 and unmappable is None:
        raise DataError("--umap-clip without unmappable bins", remedy="give --unmappable")
    geometry = Geometry(input_length, bin_size, crop_bins)
    genome = Genome(fasta)
    table = read_table(tracks, transform)
    where = None if isinstance(tracks, TrackTable) else tracks
    store.check_head(table, where=where)
    check_published(table, where=where)
    if (blacklist or interpolate) and all(t.transform == "plain" for t in table):
        raise TrackError(
            "--blacklist and --interpolate are for published transforms, and no track has one",
            where=where,
            remedy="give --transform, or a transform in the track table",
        )
    splits = parse_splits(split, genome.sizes, of=str(fasta), folds=folds)
    windows = place_windows(
        splits, genome.sizes, geometry, train_starts=train_starts, coverage=coverage, seed=seed,
        gaps=() if gaps is None else find_gaps(gaps, genome),
        stride=stride, eval_stride=eval_stride, snap=snap,
    )  # fmt: skip
    regions = None
    if blacklist is not None:
        regions = Blacklist(read_gaps(blacklist, genome.sizes, of=str(fasta), what="blacklist"))
    mask = None
    if unmappable is not None:
        windows, mask = mappable_windows(
            windows, unmappable, geometry, umap_threshold, sizes=genome.sizes, of=str(fasta)
        )
    contigs = list(dict.fromkeys(w.chrom for w in windows))
    files = Files(BigWig(track.file) for track in table)
    for file in files:
        check_sizes(file.sizes, genome.sizes, where=file.path, of=str(fasta), contigs=contigs)
        files.done(file)
    table = _set_scales(table, files, windows, genome, bin_size)
    reader = TargetReader(
        files, table, genome, geometry, blacklist=regions, interpolate=interpolate
    )
    kind: str = dtype
    if kind == "auto":
        rna = any("RNA" in t.assay.upper() and t.transform == "plain" for t in table)
        kind = "float32" if rna else "float16"
    with atomic_path(out, overwrite=overwrite) as temporary:
        group = store.create(temporary, windows, geometry.output_bins, len(table), kind)
        if mask is not None:
            store.write_unmappable(group, mask)
        finish = Finish(mask, umap_clip, decimals)
        hashes, statistics = _fill(group, windows, reader, table, kind, finish)
        options = {
            "folds": folds,
            "gaps": gaps and Path(gaps).name,
            "stride": stride if stride != 1 else None,
            "eval_stride": eval_stride if eval_stride != 1 else None,
            "snap": snap if snap != 1 else None,
            "transform": transform,
            "blacklist": blacklist and Path(blacklist).name,
            "unmappable": unmappable and Path(unmappable).name,
            "umap_clip": umap_clip if umap_clip != 1 else None,
            "umap_threshold": umap_threshold if unmappable else None,
            "interpolate": interpolate or None,
            "decimals": decimals,
        }
        provenance = {
            "command": "from-bigwig",
            "ft_s2a": __version__,
            "split": split,
            "train_starts": train_starts,
            "coverage": coverage if train_starts == "random" else None,
            "seed": seed,
            "files": {t.name: Path(t.file).name for t in table},
            **{name: value for name, value in options.items() if value is not None},
        }
        header = _header(
            genome, fasta, geometry, table, splits, contigs, kind, statistics, provenance,
            windows, hashes,
        )  # fmt: skip
        store.write_header(group, header)
    _log.info("%s: %d windows of %d bins", out, len(windows), geometry.output_bins)
    return TrackDataset(out)


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
    reader: TargetReader,
    table: TrackTable,
    dtype: str,
    finish: Finish,
) -> tuple[list[str], Statistics]:
    targets = store.target_array(group)
    statistics = Statistics(len(table))
    largest = np.zeros(len(table))
    hashes: list[str] = []

    def take(index: int, values: NDArray[Any]) -> None:
        hashes.append(hashlib.sha256(values.tobytes()).hexdigest())
        if windows[index].split == "train":
            statistics.update(values)

    extremes = Extremes(table, len(windows) * targets.shape[1])
    for index, window in enumerate(progress(windows, "reading bigWigs", unit="windows")):
        exact = reader.read(window)
        values = store.as_stored(exact, dtype, table, place_of(window))
        largest = np.fmax(largest, np.fmax.reduce(exact, axis=0, initial=0.0))
        if extremes:
            # What is cut is known only when all windows were read.
            extremes.update(values)
        else:
            values = finish(index, values)
            take(index, values)
        targets[index] = values
    if extremes:
        extremes.settle()
        for index in progress(range(len(windows)), "cutting extremes", unit="windows"):
            stored = np.asarray(targets[index])
            values = finish(index, extremes.cut(stored))
            take(index, values)
            if values is not stored:
                targets[index] = values
    for track, value in zip(table, largest, strict=True):
        if dtype == "float16" and 0 < value < 64 * _SMALLEST_NORMAL:
            _log.warning(
                "track %r is at most %.3g in target units, where float16 keeps few digits: "
                "give it a scale (such as auto), or use float32",
                track.name,
                value,
            )
    return hashes, statistics


def _set_scales(
    table: TrackTable,
    files: Files,
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
    partners = table.pairs()
    automatic = np.array([math.isnan(t.scale) for t in table])
    wanted = np.flatnonzero(automatic | automatic[partners])
    for window in train[::step]:
        length = genome.sizes[window.chrom]
        pooled = pooled_bins(window, files, table, wanted.tolist(), length, bin_size)
        total[wanted] += np.nansum(pooled, axis=0)
        number[wanted] += np.isfinite(pooled).sum(axis=0)
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
