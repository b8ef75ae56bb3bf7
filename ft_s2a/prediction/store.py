"""Predictions on their way to bigWigs: an array on disk that survives an interruption."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ft_s2a.conventions.atomic import write_text
from ft_s2a.errors import (
    ConfigError,
    FormatError,
    FtS2aError,
    MissingFileError,
    OutputExistsError,
)

_NAME = ".predicting"


class PredictionStore:
    """float32 [windows, tracks, bins] in target units, and how many windows are done.

    Windows are appended in order, so that a full disk is an error and not a crash (as it would be
    for a memory map), and kept track by track, so that a track is read without the others.

    Parameters
    ----------
    folder : Path
        Output folder; the store is a hidden folder in it.
    shape : tuple of int
        Windows, tracks, bins.
    key : str
        Says what is predicted from what, to refuse the store of another prediction.
    """

    def __init__(self, folder: Path, shape: tuple[int, int, int], key: str) -> None:
        self._folder = folder / _NAME
        self._file = self._folder / "windows.f32"
        self._state = self._folder / "state.json"
        self._shape = shape
        self._bytes = 4 * shape[1] * shape[2]
        self._key = key
        self._handle: IO[bytes] | None = None
        self._made_folder = False
        self._broken = False
        self.done = 0

    def open(self, *, resume: bool, overwrite: bool) -> None:
        """Start anew, or go on with an interrupted prediction.

        Raises
        ------
        OutputExistsError, MissingFileError, ConfigError, FormatError
            What is there (or not) and what to do; nothing is changed then.
        """
        if resume:
            self.done = self._read_state()
            self._handle = open(self._file, "r+b")  # noqa: SIM115  # closed with the store
            # Windows behind `done` may be incomplete.
            self._handle.truncate(self.done * self._bytes)
            self._handle.seek(0, os.SEEK_END)
            return
        if self._folder.exists():
            if not overwrite:
                raise OutputExistsError(
                    "holds an interrupted prediction",
                    where=self._folder.parent,
                    remedy="go on with --resume, or start anew with --overwrite",
                )
            shutil.rmtree(self._folder)
        self._made_folder = not self._folder.parent.exists()
        try:
            self._folder.mkdir(parents=True)
            self._handle = open(self._file, "w+b")  # noqa: SIM115  # closed with the store
        except OSError as error:
            raise FtS2aError(
                f"cannot be written to ({error.strerror})", where=self._folder.parent
            ) from error
        self._write_state()

    def append(self, predicted: NDArray[np.float32]) -> None:
        """Add windows [N, bins, tracks].

        Raises
        ------
        FtS2aError
            When the disk is full.
        """
        assert self._handle is not None
        block = np.ascontiguousarray(predicted.transpose(0, 2, 1), dtype=np.float32)
        try:
            self._handle.write(block.tobytes())
        except OSError as error:
            raise self._unwritable(error) from error
        self.done += len(predicted)

    def flush(self) -> None:
        """Make what was appended survive an interruption.

        Raises
        ------
        FtS2aError
            When the disk is full.
        """
        assert self._handle is not None
        if self._broken:  # what was flushed before stays
            return
        try:
            self._handle.flush()
            os.fsync(self._handle.fileno())
            self._write_state()
        except OSError as error:
            raise self._unwritable(error) from error

    def track(self, first: int, last: int, column: int) -> NDArray[np.float32]:
        """Bins of windows ``first..last`` of one track, in order, float32 [windows * bins]."""
        windows: Any = np.memmap(self._file, dtype=np.float32, mode="r", shape=self._shape)
        return np.array(windows[first:last, column]).reshape(-1)

    def close(self) -> None:
        """Close the file; without any window done, leave nothing behind."""
        if self._handle is not None:
            # Closing writes what is left, and fails again where writing has failed.
            with contextlib.suppress(*((OSError,) if self._broken else ())):
                self._handle.close()
            self._handle = None
        if self.done == 0:
            self.remove()
            if self._made_folder:
                self._folder.parent.rmdir()

    def remove(self) -> None:
        """Delete the array of a closed store; the bigWigs have it all."""
        shutil.rmtree(self._folder)

    def _read_state(self) -> int:
        if not (self._state.exists() and self._file.exists()):
            raise MissingFileError(
                "holds no interrupted prediction",
                where=self._folder.parent,
                remedy="predict without --resume",
            )
        damaged = FormatError("is damaged", where=self._state, remedy="use --overwrite")
        try:
            document = json.loads(self._state.read_text(encoding="utf-8"))
            key, done = document["key"], int(document["done"])
        except (ValueError, KeyError, TypeError) as error:
            raise damaged from error
        if key != self._key:
            raise ConfigError(
                "the prediction was started with other regions, tracks or weights",
                where=self._folder.parent,
                remedy="repeat the same command, or start anew with --overwrite",
            )
        if not 0 <= done <= self._shape[0] or self._file.stat().st_size < done * self._bytes:
            raise damaged
        return done

    def _write_state(self) -> None:
        text = json.dumps({"key": self._key, "done": self.done})
        write_text(self._state, text, overwrite=True)

    def _unwritable(self, error: OSError) -> FtS2aError:
        self._broken = True
        needed = self._shape[0] * self._bytes
        return FtS2aError(
            f"cannot be written ({error.strerror})",
            where=self._file,
            expected=f"{needed:,} bytes of free space beside the bigWigs",
            remedy="make room, then go on with --resume",
        )
