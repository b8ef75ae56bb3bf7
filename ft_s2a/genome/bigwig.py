"""The only reader and writer of bigWig files.

Reading: exact mean, sum or maximum of the bases under each bin, whatever the steps of the file, in
float64; never from zoom levels, which differ.
Writing: streaming, contigs in genome order, non-finite bins left out (a gap), because one NaN in a
file makes pyBigWig's ``header()`` crash the process.
"""

from __future__ import annotations

import logging
import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ft_s2a.conventions.atomic import atomic_path
from ft_s2a.errors import ContigError, DataError, FormatError, FtS2aError, require_file
from ft_s2a.genome.contigs import check_contig
from ft_s2a.geometry import bin_edges, count_bins

_log = logging.getLogger(__name__)

# Bases read at once: 4 MB of float32, so that memory does not grow with the contig.
_BLOCK = 1 << 20

_MAGIC = 0x888FFC26
# Magic, version, zoom levels, offsets of contigs, data and index, fields, defined fields, offsets
# of autoSql and summary, buffer size, extension (Kent et al. 2010, supplementary table 5).
_HEADER = struct.Struct("<IHHQQQHHQQIQ")
_ZOOM = struct.Struct("<IIQQ")


class BigWig:
    """A bigWig file opened for reading; use it as a context manager.

    Objects can be sent to other processes: each opens the file for itself.

    Parameters
    ----------
    path : str or Path
        The file.  It is opened at the first use, once per process.

    Raises
    ------
    MissingFileError, FormatError
        The latter at the first use.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.bw"
    >>> _ = write_bigwig(path, {"I": 10}, [("I", 0, np.array([1.0, 3.0]))], bin_size=5)
    >>> with BigWig(path) as track:
    ...     track.binned("I", 0, 10, bin_size=10).tolist()
    [2.0]
    """

    def __init__(self, path: str | Path) -> None:
        self.path = require_file(path, "bigWig file")
        self._handle: Any = None
        self._inherited: Any = None
        self._pid = -1
        self._sizes: dict[str, int] | None = None

    def _file(self) -> Any:
        if self._handle is None or self._pid != os.getpid():
            # A forked process keeps its parent's handle: closing it would move the file position
            # that both share.
            self._inherited = self._handle
            self._handle, self._pid = _open(self.path), os.getpid()
        return self._handle

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_handle": None, "_inherited": None, "_pid": -1}

    def __repr__(self) -> str:
        return f"BigWig({str(self.path)!r})"

    def __enter__(self) -> BigWig:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; it opens again at the next use."""
        if self._handle is not None and self._pid == os.getpid():
            self._handle.close()
            self._handle = None

    @property
    def sizes(self) -> dict[str, int]:
        """Contigs and their lengths, in the file's order."""
        if self._sizes is None:
            self._sizes = {str(k): int(v) for k, v in self._file().chroms().items()}
        return self._sizes

    def values(self, chrom: str, start: int, end: int) -> NDArray[np.float32]:
        """Per-base values of ``[start, end)``, float32 [end - start]; NaN where there is none.

        Positions beyond the contig's ends are NaN as well.

        Raises
        ------
        ContigError
            When the contig is unknown.
        FormatError
            When the file's data cannot be read.
        """
        length = check_contig(chrom, self.sizes, where=self.path, of="this bigWig")
        result = np.full(count_bins(start, end, 1), np.nan, dtype=np.float32)
        left, right = max(0, start), min(end, length)
        if right > left:
            try:
                inside = self._file().values(chrom, left, right, numpy=True)
            except RuntimeError as error:
                raise FormatError(
                    f"the values of {chrom}:{left}-{right} cannot be read ({error})",
                    where=self.path,
                    remedy="the file may be damaged: fetch or make it again",
                ) from error
            if len(inside):  # a file without any entry gives none
                result[left - start : right - start] = inside
        return result

    def binned(
        self,
        chrom: str,
        start: int,
        end: int,
        *,
        bin_size: int,
        stat: Literal["mean", "sum", "max"] = "mean",
        missing: Literal["zero", "nan"] = "zero",
    ) -> NDArray[np.float64]:
        """Mean, sum or maximum of the bases of each bin of ``[start, end)``, float64 [bins].

        The grid is anchored at `start`; the last bin may be partial: its mean is over the bases
        that it has.  Bases beyond the contig are not counted, and neither are values that are
        not finite.  A bin that lies wholly beyond the contig is missing.

        Parameters
        ----------
        chrom : str
            Contig.
        start, end : int
            Region, 0-based half-open; may reach beyond the contig.
        bin_size : int
            Bases per bin.
        stat : {'mean', 'sum', 'max'}
            How the bases of a bin are pooled.
        missing : {'zero', 'nan'}
            Bases without a value count as 0; or they are left out: a mean is over the others, a
            sum is that mean times the bin's bases, a maximum is the others', and a bin without
            any value is NaN.

        Raises
        ------
        ContigError, FormatError
            As :meth:`values`.

        Examples
        --------
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.bw"
        >>> _ = write_bigwig(path, {"I": 8}, [("I", 0, np.array([2.0, 4.0]))], bin_size=2)
        >>> BigWig(path).binned("I", 0, 8, bin_size=8, stat="sum").tolist()
        [12.0]
        >>> BigWig(path).binned("I", 0, 8, bin_size=8, stat="sum", missing="nan").tolist()
        [24.0]
        """
        if stat not in ("mean", "sum", "max") or missing not in ("zero", "nan"):
            raise ValueError(f"stat {stat!r}, missing {missing!r}")
        length = check_contig(chrom, self.sizes, where=self.path, of="this bigWig")
        bins = count_bins(start, end, bin_size)
        total = np.full(bins, -np.inf if stat == "max" else 0.0)
        known = np.zeros(bins, dtype=np.int64)
        for first, left, right in _blocks(start, end, bin_size):
            bases = self.values(chrom, left, right)
            finite = np.isfinite(bases)
            if not finite.all():
                lacking = -np.inf if stat == "max" and missing == "nan" else 0.0
                bases = np.where(finite, bases, np.float32(lacking))
            block = slice(first, first + count_bins(left, right, bin_size))
            known[block] += _sum_bins(finite, bin_size, np.int64)
            if stat == "max":
                highest = np.maximum.reduceat(bases, np.arange(0, len(bases), bin_size))
                total[block] = np.maximum(total[block], highest)
            else:
                total[block] += _sum_bins(bases, bin_size, np.float64)
        edges = np.minimum(start + np.arange(bins + 1) * bin_size, end)
        inside = np.diff(np.clip(edges, 0, length))
        counted = inside if missing == "zero" else known
        filled = counted > 0
        result = np.full(bins, 0.0 if missing == "zero" else np.nan)
        result[filled] = total[filled]
        if stat == "mean" or (stat == "sum" and missing == "nan"):
            result[filled] /= counted[filled]
        if stat == "sum" and missing == "nan":
            result *= inside
        return result


def _blocks(start: int, end: int, bin_size: int) -> Iterator[tuple[int, int, int]]:
    """Split a region into pieces of whole bins, or bins into pieces: (first bin, start, end)."""
    if bin_size <= _BLOCK:
        per_block = _BLOCK // bin_size
        for index, (left, right) in enumerate(bin_edges(start, end, per_block * bin_size)):
            yield index * per_block, left, right
    else:
        for index, (left, right) in enumerate(bin_edges(start, end, bin_size)):
            for piece_left, piece_right in bin_edges(left, right, _BLOCK):
                yield index, piece_left, piece_right


def _sum_bins(values: NDArray[Any], bin_size: int, dtype: type[Any]) -> NDArray[Any]:
    whole = len(values) // bin_size * bin_size
    sums = values[:whole].reshape(-1, bin_size).sum(axis=1, dtype=dtype)
    return sums if whole == len(values) else np.append(sums, values[whole:].sum(dtype=dtype))


def _open(path: Path) -> Any:
    import pyBigWig

    _check_header(path)
    try:
        return pyBigWig.open(str(path))
    except RuntimeError as error:
        raise FormatError(
            f"cannot be opened as bigWig ({error})", where=path, remedy="the file may be truncated"
        ) from error


def _check_header(path: Path) -> None:
    # pyBigWig prints to stderr for anything that is no bigWig, and some truncated files crash the
    # process: look at the header first.
    if path.is_dir():
        raise FormatError("is a folder", where=path, expected="a bigWig file")
    size = path.stat().st_size
    with open(path, "rb") as handle:
        head = handle.read(_HEADER.size)
        magic = int.from_bytes(head[:4], "little")
        if magic != _MAGIC:
            swapped = int.from_bytes(head[:4], "big") == _MAGIC
            raise FormatError(
                "is a big-endian bigWig file" if swapped else "is not a bigWig file",
                where=path,
                expected="a .bw file (not BED or wig)" if not swapped else "a little-endian one",
            )
        complete = len(head) == _HEADER.size
        if complete:
            _, _, levels, *offsets = _HEADER.unpack(head)
            needed = [*offsets[:3], offsets[6], _HEADER.size + levels * _ZOOM.size]
            zooms = handle.read(levels * _ZOOM.size)
            complete = len(zooms) == levels * _ZOOM.size
            if complete:
                needed += [offset for zoom in _ZOOM.iter_unpack(zooms) for offset in zoom[2:]]
                complete = max(needed) <= size
    if not complete:
        raise FormatError(
            f"is truncated ({size:,} bytes are less than its header says)",
            where=path,
            remedy="fetch or make it again",
        )


def write_bigwig(
    path: str | Path,
    sizes: Mapping[str, int],
    pieces: Iterable[tuple[str, int, NDArray[np.floating[Any]]]],
    *,
    bin_size: int,
    overwrite: bool = False,
) -> Path:
    """Write binned values as a bigWig.

    Parameters
    ----------
    path : str or Path
        Output; written under a temporary name and renamed at the end.
    sizes : mapping of str to int
        Contig lengths in genome order.
    pieces : iterable of (chrom, start, values)
        ``values[i]`` is the value of every base of the bin ``start + i * bin_size``; pieces come
        in genome order and do not overlap.  A bin past the contig's end is cut to the contig.
        Non-finite values are left out.  Values are kept as float32, as the format has it.
    bin_size : int
        Bases per value.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    ContigError
        When a piece names an unknown contig, lies outside it, or comes out of order.
    OutputExistsError
        When the file exists and `overwrite` is false.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.bw"
    >>> values = np.array([1.0, np.nan, 3.0])
    >>> _ = write_bigwig(path, {"I": 300}, [("I", 0, values)], bin_size=128)
    >>> BigWig(path).binned("I", 0, 300, bin_size=128, missing="nan").tolist()
    [1.0, nan, 3.0]
    """
    import pyBigWig

    count_bins(0, 0, bin_size)
    lengths = {str(name): int(length) for name, length in sizes.items()}
    if not lengths or min(lengths.values()) < 1:
        raise ContigError("no contig, or one without bases", where=path, expected="contig lengths")
    order = {name: index for index, name in enumerate(lengths)}
    with atomic_path(path, overwrite=overwrite) as temporary:
        _touch(temporary, path)
        handle = pyBigWig.open(str(temporary), "w")
        try:
            handle.addHeader(list(lengths.items()))
            reached = (0, 0)
            empty = True
            for chrom, start, values in pieces:
                length = check_contig(chrom, lengths, where=path, of="the chromosome sizes")
                if not 0 <= start < length:
                    raise ContigError(
                        f"a piece starts at {chrom}:{start}",
                        where=path,
                        expected=f"a start in 0-{length}",
                    )
                if (order[chrom], start) < reached:
                    raise ContigError(
                        f"the piece at {chrom}:{start} overlaps or precedes the one before",
                        where=path,
                        expected="non-overlapping pieces in genome order",
                    )
                if values.ndim != 1:
                    raise DataError(f"a piece has shape {values.shape}", where=path, expected="[N]")
                end = min(start + len(values) * bin_size, length)
                reached = (order[chrom], end)
                empty &= not _add(handle, chrom, start, end, values, bin_size)
            if empty:
                # Readers look for an index of the data, which a file without entries lacks.
                _log.warning("%s: no finite value; a single 0 is written", path)
                handle.addEntries([next(iter(lengths))], [0], ends=[1], values=[0.0])
        finally:
            handle.close()
    return Path(path)


def _touch(temporary: Path, path: str | Path) -> None:
    # pyBigWig crashes the process when it cannot create the file.
    try:
        temporary.touch()
    except OSError as error:
        raise FtS2aError(f"cannot be written ({error.strerror})", where=path) from error


def _add(
    handle: Any,
    chrom: str,
    start: int,
    end: int,
    values: NDArray[np.floating[Any]],
    bin_size: int,
) -> bool:
    """Add the finite runs of one piece; whether anything was written."""
    with np.errstate(over="ignore"):  # beyond float32: infinite, and so left out
        kept = values[: count_bins(start, end, bin_size)].astype(np.float32)
    finite = np.isfinite(kept)
    whole = (end - start) // bin_size
    edges = np.flatnonzero(np.diff(np.concatenate(([False], finite[:whole], [False]))))
    for left, right in zip(edges[::2], edges[1::2], strict=True):
        handle.addEntries(
            chrom,
            int(start + left * bin_size),
            values=kept[left:right],
            span=bin_size,
            step=bin_size,
        )
    if whole < len(kept) and finite[whole]:
        last = start + whole * bin_size
        handle.addEntries([chrom], [int(last)], ends=[int(end)], values=[float(kept[whole])])
    return bool(finite.any())
