"""A training set from a data set as Basenji and Baskerville publish it (TFRecords)."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import zarr

from ft_s2a import __version__
from ft_s2a.conventions.atomic import staging_folder
from ft_s2a.conventions.hashing import sha256_file, sha256_json
from ft_s2a.data import store
from ft_s2a.data.basenji_conversion import Job, check_written, convert, kept
from ft_s2a.data.basenji_folder import SEQUENCES, STATISTICS, TARGETS, BasenjiFolder, read_folder
from ft_s2a.data.basenji_progress import Conversion
from ft_s2a.data.chunks import ChunkWriter
from ft_s2a.data.dataset import TrackDataset
from ft_s2a.data.splits import SPLITS, fold_names
from ft_s2a.data.windows import Window
from ft_s2a.errors import ContigError, GeometryError, TrackError
from ft_s2a.genome.contigs import check_contig
from ft_s2a.genome.fasta import Genome
from ft_s2a.geometry import Geometry, Interval, merge
from ft_s2a.tracks.table import TrackTable
from ft_s2a.tracks.targets import read_targets

_log = logging.getLogger(__name__)


def from_basenji(
    folder: str | Path,
    out: str | Path,
    *,
    fasta: str | Path | None = None,
    pool: int = 1,
    transform: str | None = None,
    head: str = "human",
    folds: str | None = None,
    dtype: Literal["float16", "float32"] = "float16",
    resume: bool = False,
    overwrite: bool = False,
) -> TrackDataset:
    """Build a training set from TFRecords, without TensorFlow.

    Memory does not grow with the number of records.  The windows keep the order of
    ``sequences.bed``.

    Parameters
    ----------
    folder : str or Path
        ``statistics.json``, ``sequences.bed``, ``targets.txt`` and ``tfrecords/*.tfr``.
    out : str or Path
        The set, a zarr folder.  It appears under this name when it is complete.
    fasta : str or Path, optional
        The genome.  Each record's sequence is compared with it, and the set refers to it, so that
        a longer input can be used later.  Without it the set keeps the records' sequence.
    pool : int
        Make one bin of so many: 4 turns bins of 32 bp into such of 128 bp.
    transform : str, optional
        How the targets were computed, where ``statistics.json`` does not say (those that we wrote
        do); see :func:`ft_s2a.tracks.read_targets`.
    head : str
        Name of the head that will predict the tracks.
    folds : str, optional
        Which labels make which split (``test=fold3,valid=fold4,train=rest``), see
        :func:`ft_s2a.data.splits.fold_names`; not needed where they are train, valid and test.
    dtype : {'float16', 'float32'}
        Type of the stored targets; pooled ones may need float32.
    resume, overwrite : bool
        Go on with an interrupted conversion (the result is the same as of an uninterrupted one),
        or start anew; they exclude each other.

    Returns
    -------
    TrackDataset

    Raises
    ------
    FtS2aError
        Naming file and record, contig or track.

    Examples
    --------
    ::

        from_basenji("basenji/human", "human.zarr", fasta="hg38.fa")
    """
    store.check_output(Path(out), overwrite=overwrite)
    source = read_folder(folder)
    table = _table(source, transform, head)
    geometry = _pooled(source.geometry, pool)
    labels = (row.name for row in source.rows)
    splits = fold_names(folds, labels, where=source.path / SEQUENCES)
    source = _chosen(source, splits)
    windows = [Window(row.chrom, row.start, row.end, splits[row.name]) for row in source.rows]
    genome = None if fasta is None else _genome(fasta, source)
    key = sha256_json(
        {
            "stated": [sha256_file(source.path / n) for n in (STATISTICS, SEQUENCES, TARGETS)],
            "files": {k: [f.name for f in files] for k, files in source.files.items()},
            "fasta": str(fasta and Path(fasta).resolve()),
            "options": [pool, table[0].transform, head, splits, dtype],
        }
    )
    with staging_folder(out, resume=resume, overwrite=overwrite) as staging:
        output = staging / "output"
        state = Conversion(staging, len(windows), len(table), geometry.output_bins, key)
        if resume and state.load():
            group = zarr.open_group(str(output), mode="r+", zarr_format=3)
        else:
            group = store.create(
                output,
                windows,
                geometry.output_bins,
                len(table),
                dtype,
                codes=None if genome else geometry.input_length,
            )
        job = Job(
            source=source,
            table=table,
            pool=pool,
            dtype=dtype,
            windows=windows,
            genome=genome,
            targets=ChunkWriter(output, store.target_array(group)),
            codes=None if genome else ChunkWriter(output, store.code_array(group)),
        )
        check_written(job, state)
        with kept(state, Path(out)):
            convert(job, state)
            if state.unmappable is not None:
                store.write_unmappable(group, state.unmappable)
            provenance = {
                "command": "from-basenji",
                "ft_s2a": __version__,
                "folder": source.path.resolve().name,
                "split": folds or "as published",
                "splits": "targets",  # inputs of different splits may overlap
                "pool": pool,
                "transform": table[0].transform,
            }
            store.write_header(group, _header(job, state, geometry, provenance))
    _log.info("%s: %d windows of %d bins", out, len(windows), geometry.output_bins)
    return TrackDataset(out)


def _table(source: BasenjiFolder, transform: str | None, head: str) -> TrackTable:
    path = source.path / TARGETS
    table = read_targets(path, transform=transform or source.transform, head=head)
    if len(table) != source.tracks:
        raise TrackError(
            f"has {len(table)} tracks, but {STATISTICS} states num_targets: {source.tracks}",
            where=path,
            expected="the table that the data set was made with",
        )
    store.check_head(table, where=path)
    return table


def _pooled(geometry: Geometry, pool: int) -> Geometry:
    if pool < 1:
        raise GeometryError(f"--pool is {pool}", expected="1 or more")
    for bins, what in (
        (geometry.output_bins, "target"), (geometry.crop_bins, "crop"),
    ):  # fmt: skip
        if bins % pool:
            raise GeometryError(
                f"the {what} of {bins} bins cannot be pooled by {pool}",
                expected="a --pool that divides it",
            )
    return Geometry(geometry.input_length, geometry.bin_size * pool, geometry.crop_bins // pool)


def _chosen(source: BasenjiFolder, splits: Mapping[str, str]) -> BasenjiFolder:
    """Leave out what bears a label that is in no split."""
    return dataclasses.replace(
        source,
        rows=tuple(row for row in source.rows if row.name in splits),
        files={k: v for k, v in source.files.items() if k in splits or k not in source.labels},
    )


def _genome(fasta: str | Path, source: BasenjiFolder) -> Genome:
    genome = Genome(fasta)
    path = source.path / SEQUENCES
    for row in source.rows:
        length = check_contig(row.chrom, genome.sizes, where=path, of=str(fasta))
        # Windows of our own may reach past their contig's ends, where records hold N.
        if row.end <= 0 or row.start >= length:
            raise ContigError(
                f"the target {row} does not lie in {row.chrom!r}, which has {length:,} bp in "
                f"{fasta}",
                where=path,
                expected="the assembly that the data set was made from",
            )
    return genome


def _header(
    job: Job, state: Conversion, geometry: Geometry, provenance: Mapping[str, Any]
) -> store.StoreHeader:
    tracks = tuple(store.track_record(track) for track in job.table)
    contigs: dict[str, store.ContigRecord] = {}
    if job.genome is not None:
        for name in dict.fromkeys(window.chrom for window in job.windows):
            contigs[name] = store.ContigRecord(
                length=job.genome.sizes[name], md5=job.genome.checksum(name)
            )
    mask = state.unmappable
    mask_hash = None if mask is None else hashlib.sha256(np.packbits(mask).tobytes()).hexdigest()
    parts = {
        "bin_size": geometry.bin_size,
        "input_length": geometry.input_length,
        "tracks": tracks,
        "contigs": {name: record.md5 for name, record in contigs.items()},
        "unmappable": mask_hash,
    }
    return store.StoreHeader(
        bin_size=geometry.bin_size,
        input_length=geometry.input_length,
        target_bins=geometry.output_bins,
        dtype=job.dtype,  # type: ignore[arg-type]
        fasta="" if job.genome is None else str(job.genome.path.resolve()),
        contigs=contigs,
        splits=_intervals(job.windows),
        tracks=tracks,
        statistics=state.statistics.records(),
        provenance=dict(provenance),
        checksum=store.checksum_of(state.hex_digests(), job.windows, parts),
    )


def _intervals(windows: Sequence[Window]) -> tuple[tuple[str, int, int, str], ...]:
    """Merge the targets of each split; warn when two splits share bases."""
    kept: list[tuple[str, int, int, str]] = []
    for name in SPLITS:
        targets = [Interval(w.chrom, max(0, w.start), w.end) for w in windows if w.split == name]
        kept += [(i.chrom, i.start, i.end, name) for i in merge(targets)]
    rows = sorted(kept)
    for before, after in pairwise(rows):
        if before[0] == after[0] and after[1] < before[2]:
            _log.warning(
                "the targets of %s and %s share bases at %s:%d-%d: scores will be too high",
                before[3], after[3], before[0], after[1], min(before[2], after[2]),
            )  # fmt: skip
            break
    return tuple(kept)
