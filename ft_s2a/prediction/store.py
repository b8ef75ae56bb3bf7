"""Predictions on their way to bigWigs: an array on disk that survives an interruption."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ft_s2a.conventions.atomic import write_text
from ft_s2a.errors import ConfigError, FormatError, MissingFileError, OutputExistsError

_NAME = ".predicting"


class PredictionStore:
    """float32 [windows, tracks, bins] in target units, and how many windows are done.

    Windows are kept track by track, so that a track is read without reading the others.
    """

    def __init__(self, folder: Path, shape: tuple[int, int, int], key: str) -> None:
        self._folder = folder / _NAME
        self._shape = shape
        self._key = key
        self.done = 0
        self._array: Any = None

    @staticmethod
    def exists(folder: Path) -> bool:
        """Whether a folder holds an interrupted prediction."""
        return (folder / _NAME / "state.json").exists()

    def open(self, *, resume: bool, overwrite: bool) -> None:
        """Start anew, or go on with an interrupted prediction.

        Raises
        ------
        OutputExistsError, MissingFileError, ConfigError
        """
        state, array = self._folder / "state.json", self._folder / "windows.npy"
        if resume:
            if not (state.exists() and array.exists()):
                raise MissingFileError(
                    "holds no interrupted prediction",
                    where=self._folder.parent,
                    remedy="predict without --resume",
                )
            try:
                document = json.loads(state.read_text(encoding="utf-8"))
            except json.JSONDecodeError as error:
                raise FormatError("is damaged", where=state, remedy="use --overwrite") from error
            if document.get("key") != self._key:
                raise ConfigError(
                    "the prediction was started with other regions, tracks or another model",
                    where=self._folder.parent,
                    remedy="repeat the same command, or start anew with --overwrite",
                )
            self.done = int(document["done"])
            self._array = np.lib.format.open_memmap(array, mode="r+")
            return
        if self._folder.exists():
            if not overwrite:
                raise OutputExistsError(
                    "holds an interrupted prediction",
                    where=self._folder.parent,
                    remedy="go on with --resume, or start anew with --overwrite",
                )
            shutil.rmtree(self._folder)
        self._folder.mkdir(parents=True)
        self._array = np.lib.format.open_memmap(
            array, mode="w+", dtype=np.float32, shape=self._shape
        )
        self._write_state()

    def append(self, predicted: NDArray[np.float32]) -> None:
        """Add windows [N, bins, tracks]."""
        stop = self.done + len(predicted)
        self._array[self.done : stop] = predicted.transpose(0, 2, 1)
        self.done = stop

    def flush(self) -> None:
        """Make what was appended survive an interruption."""
        self._array.flush()
        self._write_state()

    def track(self, first: int, last: int, column: int) -> NDArray[np.float32]:
        """Bins of windows ``first..last`` of one track, in order, float32 [windows * bins]."""
        return np.asarray(self._array[first:last, column]).reshape(-1)

    def remove(self) -> None:
        """Delete the array; the bigWigs have it all."""
        self._array = None
        shutil.rmtree(self._folder)

    def _write_state(self) -> None:
        text = json.dumps({"key": self._key, "done": self.done})
        write_text(self._folder / "state.json", text, overwrite=True)
