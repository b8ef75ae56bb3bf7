"""Records of a published data set to windows of a training set: in threads, resumable."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ft_s2a.conventions.progress import bar
from ft_s2a.data.basenji_folder import SEQUENCES, BasenjiFolder
from ft_s2a.data.basenji_progress import Conversion
from ft_s2a.data.basenji_record import compare_sequence, read_record, refuse_bad_targets
from ft_s2a.data.chunks import ChunkWriter
from ft_s2a.data.statistics import Sums, sums_of
from ft_s2a.data.store import as_stored
from ft_s2a.data.tfrecord import read_records
from ft_s2a.data.windows import Window
from ft_s2a.errors import FormatError, FtS2aError
from ft_s2a.genome.fasta import Genome
from ft_s2a.geometry import Interval
from ft_s2a.tracks.pooling import pool_targets
from ft_s2a.tracks.table import TrackTable

_log = logging.getLogger(__name__)

# Threads that check, hash, compress and write, beside the one that inflates: it sets the pace.
_MOST_THREADS = 4
# What may be lost by a crash; Ctrl-C loses nothing.
_SAVE_SECONDS = 10.0


@dataclass(frozen=True)
class Job:
    """What every record of a conversion needs.

    Parameters
    ----------
    source : BasenjiFolder
    table : TrackTable
    pool : int
        Bins to make one of.
    dtype : str
        Of the stored targets.
    windows : list of Window
        In the order of ``sequences.bed``.
    genome : Genome or None
        To compare the sequences with.
    targets, codes : ChunkWriter
        `codes` is None where there is a genome.
    lock : threading.Lock
        Threads would move each other's place in the FASTA.
    """

    source: BasenjiFolder
    table: TrackTable
    pool: int
    dtype: str
    windows: list[Window]
    genome: Genome | None
    targets: ChunkWriter
    codes: ChunkWriter | None
    lock: threading.Lock = field(default_factory=threading.Lock)


class _Place(NamedTuple):
    """A record, and the window that it belongs to."""

    window: int
    where: str
    message: bytes


class _Written(NamedTuple):
    """What is left to note of a written window."""

    window: int
    where: str
    digest: bytes
    sums: Sums | None
    unmappable: NDArray[np.bool_] | None


def check_written(job: Job, state: Conversion) -> None:
    """Check that the windows of the journal are there.

    Raises
    ------
    FormatError
        Naming the first that is lost.
    """
    for window in state.noted():
        if not all(writer.has(window) for writer in (job.targets, job.codes) if writer):
            raise FormatError(
                f"the interrupted conversion has lost window {window}",
                where=state.folder,
                remedy="start anew with --overwrite",
            )


@contextlib.contextmanager
def kept(state: Conversion, out: Path) -> Iterator[None]:
    """Keep what is done for --resume when the block is interrupted.

    Bad input that shows at once leaves nothing behind.
    """
    try:
        yield
    except BaseException as error:
        full = isinstance(error, OSError)
        worth = state.saved if isinstance(error, FtS2aError) else state.done > 0
        if worth:
            with contextlib.suppress(OSError):
                state.save()
            _log.warning(
                "%d of %d windows are done: go on with --resume", state.done, state.windows
            )
        else:
            state.remove()
        if full:
            raise FtS2aError(
                f"cannot be written ({error.strerror})",  # type: ignore[attr-defined]
                where=out,
                remedy="make room, then go on with --resume" if worth else "make room",
            ) from error
        raise


def convert(job: Job, state: Conversion) -> None:
    """Write the windows that are not done.

    One thread inflates; others check, hash, compress and write; windows are noted in order.

    Raises
    ------
    FtS2aError
        Naming file and record.
    """
    threads = min(_MOST_THREADS, _cores())
    pending: deque[Future[_Written]] = deque()
    saved = time.monotonic()
    with (
        bar("converting", len(job.windows), unit="windows", done=state.done) as shown,
        ThreadPoolExecutor(threads) as workers,
        contextlib.closing(_places(job, state)) as places,
    ):

        def note() -> None:
            nonlocal saved
            written = pending.popleft().result()
            state.note(
                written.window,
                written.digest,
                written.sums,
                written.unmappable,
                where=written.where,
            )
            shown.advance()
            if time.monotonic() - saved > _SAVE_SECONDS:
                state.save()
                saved = time.monotonic()

        try:
            for place in places:
                pending.append(workers.submit(_write, job, place))
                if len(pending) > threads + 1:  # bounds the memory
                    note()
            while pending:
                note()
        except BaseException:
            for future in pending:
                future.cancel()
            raise
    state.save()  # what follows can be interrupted as well


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _places(job: Job, state: Conversion) -> Generator[_Place]:
    """Give the records that are not done, label by label and file by file."""
    files = [(label, path) for label, paths in job.source.files.items() for path in paths]
    read = 0
    for place, (label, path) in enumerate(files):
        if not place or label != files[place - 1][0]:
            rows, used = job.source.rows_of(label), 0
        known = state.counts[place] if place < len(state.counts) else None
        if known is not None and read + known <= state.resumed:
            count = known
        else:
            first = max(0, min(state.resumed - read, len(rows) - used))
            count = first
            for message in read_records(path, first=first):
                count += 1
                where = f"{path}, record {count}"
                if used + count > len(rows):
                    raise FormatError(
                        f"is one more than the {len(rows):,} rows of {label!r} in {SEQUENCES}",
                        where=where,
                    )
                yield _Place(rows[used + count - 1], where, message)
            if known is None:
                state.counts.append(count)
        read += count
        used += count
        last = place + 1 == len(files) or files[place + 1][0] != label
        if last and used < len(rows):
            raise FormatError(
                f"{label!r} has {used:,} records in {len(job.source.files[label])} files, but "
                f"{len(rows):,} rows in {SEQUENCES}",
                where=path.parent,
                expected="a record for each row",
                remedy="fetch all files again",
            )


def _write(job: Job, place: _Place) -> _Written:
    """Check a record, and write its window."""
    window = job.windows[place.window]
    at = Interval(window.chrom, window.start, window.end)
    geometry = job.source.geometry
    record = read_record(
        place.message,
        input_length=geometry.input_length,
        bins=geometry.output_bins,
        tracks=len(job.table),
        where=place.where,
    )
    refuse_bad_targets(record.targets, job.table, at, place.where)
    values: NDArray[Any] = record.targets
    mask = record.unmappable
    if job.pool > 1:
        wide = pool_targets(values, job.table, bin_size=geometry.bin_size, factor=job.pool)
        values = as_stored(wide, job.dtype, job.table, f"{at} ({place.where})")
        if mask is not None:
            mask = np.any(mask.reshape(-1, job.pool), axis=1)
    values = np.ascontiguousarray(values, dtype=job.dtype)
    digest = hashlib.sha256(values.data)
    if job.codes is None:
        assert job.genome is not None
        with job.lock:
            genome = job.genome.codes(at.chrom, *geometry.input_interval(at.start))
        compare_sequence(record.codes, genome, at, place.where, str(job.genome.path))
    else:
        digest.update(record.codes.data)
        job.codes.write(place.window, record.codes)
    job.targets.write(place.window, values)
    sums = sums_of(values) if window.split == "train" else None
    return _Written(place.window, place.where, digest.digest(), sums, mask)
