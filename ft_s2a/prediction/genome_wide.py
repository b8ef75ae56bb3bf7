"""``predict_tracks``: regions of a genome become one bigWig per track."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from ft_s2a.conventions.atomic import refuse_existing
from ft_s2a.conventions.hashing import sha256_json
from ft_s2a.conventions.progress import bar
from ft_s2a.conventions.progress import track as progress
from ft_s2a.errors import ConfigError, FtS2aError, TrackError
from ft_s2a.genome.bigwig import write_bigwig
from ft_s2a.genome.fasta import Genome
from ft_s2a.geometry import Geometry, Interval
from ft_s2a.loading import SequenceModel
from ft_s2a.prediction.ensemble import Ensemble, predict_codes
from ft_s2a.prediction.plan import Piece, plan
from ft_s2a.prediction.store import PredictionStore
from ft_s2a.tracks.files import FILES_NAME, TrackFile, bigwig_name, write_files
from ft_s2a.tracks.table import Track, TrackTable
from ft_s2a.tracks.units import bins_to_observed

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger(__name__)

# Bases of input per batch: two Basenji2 windows, or sixteen of 16,384 bp.
_BATCH_BASES = 262_144
# Windows turned into bigWig entries at once.
_WRITE_WINDOWS = 256
_FLUSH_SECONDS = 20.0


def predict_tracks(
    model: SequenceModel,
    fasta: str | Path | Genome,
    regions: Sequence[Interval] | None = None,
    *,
    head: str | None = None,
    out_dir: str | Path,
    tracks: str | Sequence[str] | None = None,
    ensemble: Ensemble | None = None,
    shifts: Sequence[int] = (0,),
    shift_pad: float = 0.0,
    centre: bool = False,
    batch_size: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> pd.DataFrame:
    """Predict regions and write one bigWig per track, in observed units.

    Each region has one grid anchored at its start; outputs of neighbouring windows abut; real
    sequence is read beyond the region, N beyond the contig; every base is written exactly once.
    Memory does not grow with the regions.

    Parameters
    ----------
    model : SequenceModel
    fasta : str, Path or Genome
    regions : sequence of Interval, optional
        Inside their contigs; the default is the whole genome.  Regions that overlap are joined.
    head : str, optional
        May be left out when the model has one.
    out_dir : str or Path
        Gets ``<entry>.<track>.bw`` and ``files.tsv``.
    tracks : str or sequence of str, optional
        See :meth:`ft_s2a.tracks.TrackTable.select`.
    ensemble : {'none', 'rc'}, optional
        Average over both strands; the default is the entry's.
    shifts : sequence of int
        Average over shifts in bp.
    shift_pad : float
        Value of the letters in the gap of a shift, see :func:`predict_codes`.
    centre : bool
        One window around each region's centre.
    batch_size : int, optional
        Windows at once.
    resume, overwrite : bool
        Go on with an interrupted prediction (only with the same regions, tracks and weights), or
        replace a finished one; they exclude each other.

    Returns
    -------
    DataFrame
        The rows of ``files.tsv``.

    Raises
    ------
    FtS2aError
        Naming file, region or track.

    Examples
    --------
    ::

        model = ft_s2a.load_model("yeast/basenji2")
        ft_s2a.predict_tracks(model, "genome.fa", [Interval("II", 0, 50_000)], out_dir="out")
    """
    import pandas as pd

    if resume and overwrite:
        raise FtS2aError("--resume and --overwrite exclude each other", remedy="choose one")
    if batch_size is not None and batch_size < 1:
        raise ConfigError(f"batch_size is {batch_size}", expected="1 or more")
    out = Path(out_dir)
    genome = fasta if isinstance(fasta, Genome) else Genome(fasta)
    name = model.head(head)
    table = model.tracks(name).select(tracks)
    geometry = model.geometry
    if regions is None:
        regions = [Interval(chrom, 0, length) for chrom, length in genome.sizes.items()]
    pieces = plan(regions, genome.sizes, geometry, centre=centre)
    used = model.ensemble if ensemble is None else ensemble
    key = sha256_json(
        {
            "model": [model.name, model.version, model.config.model_dump(mode="json")],
            "weights": _fingerprint(model.network),
            "regions": [str(piece.region) for piece in pieces],
            "tracks": [name, *table.names],
            "ensemble": [used, shift_pad, *shifts],
            "sizes": genome.sizes,
            "fasta_bytes": genome.path.stat().st_size,
            "precision": model.precision,
        }
    )
    if out.exists() and not out.is_dir():
        raise FtS2aError("is a file", where=out, expected="a folder for the bigWigs")
    _refuse(out, model, table, resume=resume, overwrite=overwrite)
    windows = sum(len(piece.starts) for piece in pieces)
    store = PredictionStore(out, (windows, len(table), geometry.output_bins), key)
    store.open(resume=resume, overwrite=overwrite)
    try:
        try:
            options = {"ensemble": used, "shifts": shifts, "shift_pad": shift_pad}
            _predict(model, genome, pieces, store, name, table, options, batch_size)
        finally:
            store.flush()
        files = []
        for column, track in enumerate(progress(table, "writing", unit="tracks")):
            path = out / bigwig_name(model.name, track.name)
            chunks = _chunks(store, pieces, geometry, column, track)
            write_bigwig(path, genome.sizes, chunks, bin_size=geometry.bin_size, overwrite=True)
            files.append(_file_row(path, track, model, geometry))
    except KeyboardInterrupt:
        if store.done:
            _log.warning("%d of %d windows are done: go on with --resume", store.done, windows)
        raise
    except torch.cuda.OutOfMemoryError as error:
        raise FtS2aError(
            f"the device ran out of memory ({str(error).splitlines()[0]})",
            remedy="use a smaller --batch-size, with --resume if windows are done",
        ) from error
    finally:
        store.close()
    listed = write_files(out, files, overwrite=True)
    store.remove()
    return pd.read_csv(listed, sep="\t", dtype=str, keep_default_na=False)


def _refuse(
    out: Path, model: SequenceModel, table: TrackTable, *, resume: bool, overwrite: bool
) -> None:
    names = [bigwig_name(model.name, track.name) for track in table]
    if len(set(names)) < len(names):  # "a" and "-a"
        twice = next(name for name in names if names.count(name) > 1)
        raise TrackError(f"two tracks would be written to {twice!r}", remedy="rename one")
    if not resume:
        for file in (FILES_NAME, *names):
            refuse_existing(out / file, overwrite=overwrite)


def _fingerprint(network: torch.nn.Module) -> str:
    """SHA-256 of the weights: a run folder's change under the same name."""
    digest = hashlib.sha256()
    for tensor in network.state_dict().values():
        digest.update(tensor.detach().cpu().contiguous().numpy())
    return digest.hexdigest()


def _predict(
    model: SequenceModel,
    genome: Genome,
    pieces: Sequence[Piece],
    store: PredictionStore,
    head: str,
    table: TrackTable,
    options: Mapping[str, Any],
    batch_size: int | None,
) -> None:
    geometry = model.geometry
    size = batch_size or max(1, _BATCH_BASES // geometry.input_length)
    todo = [(piece.region.chrom, start) for piece in pieces for start in piece.starts]
    flushed = time.monotonic()
    with bar("predicting", len(todo), unit="windows", done=store.done) as shown:
        for first in range(store.done, len(todo), size):
            batch = todo[first : first + size]
            codes = np.stack([genome.codes(c, *geometry.input_interval(s)) for c, s in batch])
            store.append(predict_codes(model, codes, head, tracks=table, **options))
            shown.advance(len(batch))
            if time.monotonic() - flushed > _FLUSH_SECONDS:
                store.flush()
                flushed = time.monotonic()


def _chunks(
    store: PredictionStore,
    pieces: Sequence[Piece],
    geometry: Geometry,
    column: int,
    track: Track,
) -> Iterator[tuple[str, int, NDArray[np.float64]]]:
    """Give a track's values in observed units, in genome order, some windows at a time."""
    window = 0
    for piece in pieces:
        left = piece.bins
        for first in range(0, len(piece.starts), _WRITE_WINDOWS):
            last = min(first + _WRITE_WINDOWS, len(piece.starts))
            start = piece.starts[first]
            values = store.track(window + first, window + last, column)[:left]
            left -= len(values)
            observed = bins_to_observed(
                values, track, start=start, end=piece.region.end, bin_size=geometry.bin_size
            )
            yield piece.region.chrom, start, observed
        window += len(piece.starts)


def _file_row(path: Path, track: Track, model: SequenceModel, geometry: Geometry) -> TrackFile:
    return TrackFile(
        file=path,
        track=track.name,
        head=track.head,
        assay=track.assay,
        cell_type=track.cell_type,
        units=track.units,
        color=track.color,
        grid=geometry.bin_size,
        entry=model.name,
        version=model.version,
        kind="predicted",
        strand_pair=track.strand_pair,
    )
