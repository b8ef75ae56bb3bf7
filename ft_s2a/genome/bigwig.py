"""The only reader and writer of bigWig files.

Reading: exact mean or sum of the bases under each bin, whatever the steps of the file, in float64.
Writing: streaming, contigs in genome order, non-finite bins left out (a gap), because one NaN in a
file makes pyBigWig's ``header()`` crash the process.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ft_s2a.conventions.atomic import atomic_path
from ft_s2a.errors import ContigError, FormatError, FtS2aError, require_file
from ft_s2a.genome.contigs import check_contig
from ft_s2a.geometry import count_bins

# Bases read at once: 4 MB of float32, so that memory does not grow with the contig.
_BLOCK = 1 << 20


class BigWig:
    """A bigWig file opened for reading; use it as a context manager.

    Parameters
    ----------
    path : str or Path
        The file.  It is opened at the first use, once per process.

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
        self._pid = -1
        self._sizes: dict[str, int] | None = None

    def _file(self) -> Any:
        if self._handle is None or self._pid != os.getpid():
            self._handle, self._pid = _open(self.path), os.getpid()
        return self._handle

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_handle": None, "_pid": -1}

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
        """Contigs and their lengths."""
        if self._sizes is None:
            self._sizes = {str(k): int(v) for k, v in self._file().chroms().items()}
        return self._sizes

    def values(self, chrom: str, start: int, end: int) -> NDArray[np.float32]:
        """Per-base values of ``[start, end)``, float32; NaN where the file has none.

        Positions beyond the contig's ends are NaN as well.
        """
        length = check_contig(chrom, self.sizes, where="request", of=str(self.path))
        result = np.full(end - start, np.nan, dtype=np.float32)
        left, right = max(0, start), min(end, length)
        if right > left:
            result[left - start : right - start] = self._file().values(
                chrom, left, right, numpy=True
            )
        return result

    def binned(
        self,
        chrom: str,
        start: int,
        end: int,
        *,
        bin_size: int,
        stat: Literal["mean", "sum"] = "mean",
        missing: Literal["zero", "nan"] = "zero",
    ) -> NDArray[np.float64]:
        """Mean or sum of the bases of each bin of ``[start, end)``, float64 [bins].

        The grid is anchored at `start`; the last bin may be partial: its mean is over the bases
        that it has.  Bases beyond the contig are not counted.

        Parameters
        ----------
        missing : {'zero', 'nan'}
            Bases without a value count as 0, or are left out (a bin without any is NaN).
        """
        length = check_contig(chrom, self.sizes, where="request", of=str(self.path))
        bins = count_bins(start, end, bin_size)
        result = np.empty(bins, dtype=np.float64)
        per_block = max(1, _BLOCK // bin_size)
        for first in range(0, bins, per_block):
            last = min(first + per_block, bins)
            left, right = start + first * bin_size, min(start + last * bin_size, end)
            bases = self.values(chrom, left, right).astype(np.float64)
            inside = np.zeros(right - left, dtype=bool)
            inside[max(0, -left) : max(0, min(right, length) - left)] = True
            known = np.isfinite(bases)
            counted = inside if missing == "zero" else inside & known
            total = _sum_bins(np.where(known & inside, bases, 0.0), bin_size)
            number = _sum_bins(counted.astype(np.float64), bin_size)
            with np.errstate(invalid="ignore", divide="ignore"):
                mean = np.where(number > 0, total / number, np.nan)
            if missing == "zero":
                mean = np.nan_to_num(mean, nan=0.0)
                result[first:last] = mean if stat == "mean" else total
            else:
                # A sum with missing bases is scaled up to the bin's length, as a mean would be.
                width = _sum_bins(inside.astype(np.float64), bin_size)
                result[first:last] = mean if stat == "mean" else mean * width
        return result


def _sum_bins(values: NDArray[np.float64], bin_size: int) -> NDArray[np.float64]:
    whole = len(values) // bin_size * bin_size
    sums = values[:whole].reshape(-1, bin_size).sum(axis=1)
    return sums if whole == len(values) else np.append(sums, values[whole:].sum())


def _open(path: Path) -> Any:
    import pyBigWig

    # pyBigWig prints to stderr and raises a bare RuntimeError for anything that is no bigWig.
    with open(path, "rb") as handle:
        magic = handle.read(4)
    if magic not in (b"\x26\xfc\x8f\x88", b"\x88\x8f\xfc\x26"):
        raise FormatError(
            "is not a bigWig file", where=path, expected="a .bw file (not BED or wig)"
        )
    try:
        return pyBigWig.open(str(path))
    except RuntimeError as error:
        raise FormatError(
            f"cannot be opened as bigWig ({error})", where=path, remedy="the file may be truncated"
        ) from error


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
        Non-finite values are left out.
    bin_size : int
        Bases per value.

    Raises
    ------
    ContigError
        When a piece names an unknown contig or comes out of order.
    """
    import pyBigWig

    order = {name: index for index, name in enumerate(sizes)}
    with atomic_path(path, overwrite=overwrite) as temporary:
        handle = pyBigWig.open(str(temporary), "w")
        if handle is None:
            raise FtS2aError("cannot be written", where=path)
        try:
            handle.addHeader(list(sizes.items()))
            reached = (-1, 0)
            empty = True
            for chrom, start, values in pieces:
                length = check_contig(chrom, sizes, where=path, of="the chromosome sizes")
                if (order[chrom], start) < reached or start < 0:
                    raise ContigError(
                        f"the piece at {chrom}:{start} overlaps or precedes the one before",
                        where=path,
                        expected="non-overlapping pieces in genome order",
                    )
                end = min(start + len(values) * bin_size, length)
                reached = (order[chrom], end)
                empty &= not _add(handle, chrom, start, end, values, bin_size)
            if empty:
                # A file without any entry cannot be closed properly: say zero at one base.
                handle.addEntries([next(iter(sizes))], [0], ends=[1], values=[0.0])
        finally:
            handle.close()
    return Path(path)


def _add(
    handle: Any,
    chrom: str,
    start: int,
    end: int,
    values: NDArray[np.floating[Any]],
    bin_size: int,
) -> bool:
    """Add the finite runs of one piece; whether anything was written."""
    kept = np.asarray(values, dtype=np.float64)[: count_bins(start, end, bin_size)]
    kept = kept.astype(np.float32)
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
        handle.addEntries([chrom], [last], ends=[end], values=[float(kept[whole])])
    return bool(finite.any())
