"""A training set written as Basenji and Baskerville read it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ft_s2a.conventions.atomic import atomic_path, refuse_existing
from ft_s2a.conventions.progress import Bar, bar
from ft_s2a.data.basenji_folder import RECORDS, SEQUENCES, STATISTICS, TARGETS
from ft_s2a.data.dataset import TrackDataset
from ft_s2a.data.splits import SPLITS
from ft_s2a.data.store import as_stored, open_store, read_unmappable
from ft_s2a.data.tfrecord import example, write_records
from ft_s2a.errors import FtS2aError, OutputExistsError
from ft_s2a.geometry import Interval
from ft_s2a.tracks.targets import stated_transform, targets_text

_log = logging.getLogger(__name__)


def export_basenji(
    data: TrackDataset | str | Path,
    out: str | Path,
    *,
    per_file: int = 256,
    overwrite: bool = False,
) -> Path:
    """Write a training set as TFRecords (sequences as codes, cropped intervals).

    Bins without a value are written as 0, as the format has no way to leave them out; a warning
    counts them.

    Parameters
    ----------
    data : TrackDataset, str or Path
        The set; sequences have its longest input.
    out : str or Path
        Folder: ``tfrecords/<split>-<i>.tfr``, ``sequences.bed`` (in the order of the set),
        ``statistics.json``, ``targets.txt``.  It appears when it is complete.
    per_file : int
        Windows in a file.
    overwrite : bool
        Replace a folder of this kind.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    DataError
        When a target does not fit into float16, naming track and window.

    Examples
    --------
    ::

        export_basenji("yeast.zarr", "yeast_basenji")
    """
    target = Path(out)
    refuse_existing(target, overwrite=overwrite)
    if target.is_dir() and any(target.iterdir()) and not (target / STATISTICS).exists():
        raise OutputExistsError(
            "is a folder but no data set; it is not replaced", where=target, remedy="name another"
        )
    if per_file < 1:
        raise FtS2aError(f"--per-file is {per_file}", expected="1 or more")
    source = _whole(data)
    windows = source.windows
    transform = stated_transform(source.tracks)
    mask = read_unmappable(open_store(source.path)[0])
    counts = {name: int((windows["split"] == name).sum()) for name in SPLITS}
    counts = {name: count for name, count in counts.items() if count}
    missing: list[int] = []
    with atomic_path(target, overwrite=overwrite) as folder:
        (folder / RECORDS).mkdir(parents=True)
        with bar("writing", len(source), unit="windows") as shown:
            rows = list(windows[["chrom", "start", "end", "split"]].itertuples(index=False))
            for split in counts:
                indices = source.indices(split)
                for number, first in enumerate(range(0, len(indices), per_file)):
                    chosen = indices[first : first + per_file].tolist()
                    write_records(
                        folder / RECORDS / f"{split}-{number}.tfr",
                        _messages(source, chosen, rows, mask, missing, shown),
                    )
        (folder / SEQUENCES).write_text(
            "".join(f"{c}\t{s}\t{e}\t{label}\n" for c, s, e, label in rows), encoding="utf-8"
        )
        geometry = source.geometry
        statistics = {
            "num_targets": len(source.tracks),
            "seq_length": geometry.input_length,
            "seq_1hot": True,  # as Basenji calls codes
            "pool_width": geometry.bin_size,
            "crop_bp": geometry.crop,
            "target_length": geometry.output_bins,
            **{f"{name}_seqs": count for name, count in counts.items()},
            # Of our own: the table has no place for it, and the format's readers pass over it.
            **({"transform": transform} if transform else {}),
        }
        (folder / STATISTICS).write_text(json.dumps(statistics, indent=4) + "\n", encoding="utf-8")
        (folder / TARGETS).write_text(targets_text(source.tracks), encoding="utf-8")
    if missing:
        _log.warning(
            "%d windows have bins without a value (such as beyond a contig's end): %s bins are "
            "written as 0",
            len(missing),
            f"{sum(missing):,}",
        )
    return target


def _whole(data: TrackDataset | str | Path) -> TrackDataset:
    """Open a set with its longest input and all bins, whatever it was opened with."""
    if not isinstance(data, TrackDataset):
        return TrackDataset(data)
    if data.geometry == data.header.geometry:
        return data
    return TrackDataset(data.path, fasta=None if data.genome is None else data.genome.path)


def _messages(
    source: TrackDataset,
    indices: list[int],
    rows: Sequence[Any],
    mask: NDArray[np.bool_] | None,
    missing: list[int],
    shown: Bar,
) -> Iterator[bytes]:
    for index in indices:
        codes, values = source.item(index)
        unknown = np.isnan(values)
        if unknown.any():
            missing.append(int(unknown.sum()))
            values = np.where(unknown, 0, values)
        if values.dtype != np.float16:
            chrom, start, end, _ = rows[index]
            place = str(Interval(chrom, start, end))
            values = as_stored(values.astype(np.float64), "float16", source.tracks, place)
        strings = {
            "sequence": codes.tobytes(),
            "target": np.ascontiguousarray(values, dtype="<f2").tobytes(),
        }
        if mask is not None:
            strings["umap"] = mask[index].tobytes()
        yield example(strings)
        shown.advance()
