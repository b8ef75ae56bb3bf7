"""The windows of a training set on their way to disk, one chunk each."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numcodecs.blosc import Blosc
from numcodecs.zstd import Zstd
from numpy.typing import NDArray
from zarr.codecs import BloscCodec, ZstdCodec

# On real targets (CAGE, DNase, RNA) a higher level, or sorting the bytes first, takes longer and
# saves no more than 2 %.
_LEVEL = 1
# Sorting the bits of codes first brings them to a quarter, ten times as fast as Zstandard.
_FAST = 5


def compressor(name: str) -> ZstdCodec | BloscCodec:
    """How zarr compresses an array of a set."""
    if name == "codes":
        return BloscCodec(cname="lz4", clevel=_FAST, shuffle="bitshuffle", typesize=1)
    return ZstdCodec(level=_LEVEL)


class ChunkWriter:
    """Writes the windows of an array that has one chunk per window, from any thread.

    What it writes is what zarr would, whose event loop takes longer than a small window's
    compression.

    Parameters
    ----------
    path : Path
        Folder of the set.
    array : zarr.Array
        ``targets`` or ``codes`` of the set.
    """

    def __init__(self, path: Path, array: zarr.Array[Any]) -> None:
        self._folder = path / array.basename
        self._key: Callable[[tuple[int, ...]], str] = array.metadata.encode_chunk_key
        self._shape = array.shape[1:]
        self._dtype = array.dtype.newbyteorder("<")
        codes = array.basename == "codes"
        self._codec = Blosc("lz4", _FAST, Blosc.BITSHUFFLE) if codes else Zstd(level=_LEVEL)

    def write(self, index: int, values: NDArray[Any]) -> None:
        """Write one window."""
        if values.shape != self._shape:
            raise ValueError(f"a window of shape {values.shape}, not {self._shape}")
        packed = self._codec.encode(np.ascontiguousarray(values, dtype=self._dtype))
        # Not by Path, which costs as much as a small window's compression.
        with open(os.path.join(self._folder, self._name(index)), "wb") as handle:
            handle.write(packed)
            handle.flush()
            if hasattr(os, "posix_fadvise"):  # not on macOS
                # Starts to bring it onto the disk, for which the end would have to wait.
                os.posix_fadvise(handle.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def has(self, index: int) -> bool:
        """Whether a window was written."""
        file = self._file(index)
        return file.is_file() and file.stat().st_size > 0

    def _file(self, index: int) -> Path:
        return self._folder / self._name(index)

    def _name(self, index: int) -> str:
        return self._key((index, *(0 for _ in self._shape)))
