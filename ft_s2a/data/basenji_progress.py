"""What is known of a conversion so far, and its journal, which an interruption leaves behind."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ft_s2a.conventions.atomic import write_bytes
from ft_s2a.data.statistics import Statistics, Sums
from ft_s2a.errors import ConfigError, FormatError

_NAME = "journal.npz"
_SHA256 = 32


class Conversion:
    """Windows that are written, noted one by one in the order of the records.

    The order makes sums, and so the statistics, the same with and without an interruption.

    Parameters
    ----------
    folder : Path
        Where the journal is kept.
    windows, tracks, bins : int
        Shape of the set.
    key : str
        Says what is converted, to refuse the journal of another conversion.

    Attributes
    ----------
    done, resumed : int
        Records that are done now, and that were done when the conversion was resumed.
    counts : list of int
        Records of each file that was read to its end.
    statistics : Statistics
    unmappable : bool array [windows, bins] or None
    saved : bool
        Whether there is a journal.
    """

    def __init__(self, folder: Path, windows: int, tracks: int, bins: int, key: str) -> None:
        self.folder = folder
        self._key = key
        self._bins = bins
        self._digests = np.zeros((windows, _SHA256), dtype=np.uint8)
        self.windows = windows
        self.done = self.resumed = 0
        self.counts: list[int] = []
        self.statistics = Statistics(tracks)
        self.unmappable: NDArray[np.bool_] | None = None
        self.saved = False

    def note(
        self,
        window: int,
        digest: bytes,
        sums: Sums | None,
        unmappable: NDArray[np.bool_] | None,
        *,
        where: str,
    ) -> None:
        """Note the next record: its window, SHA-256, sums (when it is for training) and mask.

        Raises
        ------
        FormatError
            When some records have a mask and others do not.
        """
        if self.done == 0 and unmappable is not None:
            self.unmappable = np.zeros((self.windows, self._bins), dtype=bool)
        if (unmappable is None) != (self.unmappable is None):
            raise FormatError(
                f"has {'no' if unmappable is None else 'a'} feature 'umap', unlike those before",
                where=where,
                expected="it in all records, or in none",
            )
        if unmappable is not None and self.unmappable is not None:
            self.unmappable[window] = unmappable
        if sums is not None:
            self.statistics.add(sums)
        self._digests[window] = np.frombuffer(digest, dtype=np.uint8)
        self.done += 1

    def noted(self) -> list[int]:
        """Windows that are done."""
        windows: list[int] = np.flatnonzero(self._digests.any(axis=1)).tolist()
        return windows

    def hex_digests(self) -> list[str]:
        """SHA-256 of each window."""
        return [row.tobytes().hex() for row in self._digests]

    def save(self) -> None:
        """Write the journal."""
        buffer = io.BytesIO()
        mask = self.unmappable
        np.savez(
            buffer,
            key=np.array(self._key),
            done=np.array(self.done),
            counts=np.array(self.counts, dtype=np.int64),
            digests=self._digests,
            sums=np.stack(self.statistics.sums),
            mask=np.zeros((0, 0), dtype=np.uint8) if mask is None else np.packbits(mask, axis=1),
        )
        write_bytes(self.folder / _NAME, buffer.getvalue(), overwrite=True)
        self.saved = True

    def load(self) -> bool:
        """Go on from the journal; False when none was written yet.

        Raises
        ------
        ConfigError
            When it is of another conversion.
        FormatError
            When it is damaged.
        """
        path = self.folder / _NAME
        if not path.exists():
            return False
        try:
            with np.load(path, allow_pickle=False) as kept:
                journal = {name: kept[name] for name in kept.files}
            key, done = str(journal["key"]), int(journal["done"])
            digests, sums, mask = journal["digests"], journal["sums"], journal["mask"]
            counts = [int(count) for count in journal["counts"]]
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise FormatError(
                f"the journal of the interrupted conversion cannot be read ({error})",
                where=path,
                remedy="start anew with --overwrite",
            ) from error
        if key != self._key:
            raise ConfigError(
                "the conversion was started with other files or options",
                where=self.folder,
                remedy="repeat the same command with --resume, or start anew with --overwrite",
            )
        self._digests[:] = digests
        self.statistics.add(Sums(*sums))
        if len(mask):
            self.unmappable = np.unpackbits(mask, axis=1, count=self._bins).astype(bool)
        self.done = self.resumed = done
        self.counts = counts
        self.saved = True
        return True

    def remove(self) -> None:
        """Delete the journal and what was written."""
        shutil.rmtree(self.folder, ignore_errors=True)
