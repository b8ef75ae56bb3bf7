"""A training set opened for reading: a torch Dataset of (codes, targets)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from ft_s2a.data.splits import SPLITS
from ft_s2a.data.store import (
    StoreHeader,
    check_complete,
    code_array,
    open_store,
    target_array,
    window_contigs,
)
from ft_s2a.errors import ContigError, DataError, MissingFileError
from ft_s2a.genome.fasta import Genome
from ft_s2a.geometry import Geometry
from ft_s2a.tracks.table import TrackTable

if TYPE_CHECKING:
    import pandas as pd
    import zarr


class TrackDataset(Dataset[tuple[NDArray[np.uint8], NDArray[Any]]]):
    """Windows of sequence and targets.

    An item is ``(codes, targets)``: uint8 codes [input_length] (A0 C1 G2 T3 N4) and targets
    [output_bins, T] (float16 or float32, target units; NaN where nothing is known).

    Parameters
    ----------
    path : str or Path
        Folder made by ``ft-s2a data ...``.
    fasta : str or Path, optional
        The genome, when it is not where it was.  A set that keeps its own sequence takes none.
    geometry : Geometry, optional
        Input length and crop wanted; the default is that of the set.  Fewer output bins than
        stored cut each window into parts (:attr:`parts`).
    check_sequence : bool
        Compare the contigs' checksums with the recorded ones (reads them whole).

    Raises
    ------
    DataError
        When the geometry does not fit the set.
    ContigError
        When the FASTA is not the one the set was made from.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        fasta: str | Path | None = None,
        geometry: Geometry | None = None,
        check_sequence: bool = False,
    ) -> None:
        self.path = Path(path)
        group, self.header = open_store(path)
        check_complete(group, self.path)
        self._contigs = window_contigs(group)
        self._contig = np.asarray(group["window_contig"])
        self._start = np.asarray(group["window_start"])
        self._split = np.asarray(group["window_split"])
        self.tracks: TrackTable = self.header.table
        self.geometry = _fit(geometry, self.header, self.path)
        self.genome = _genome(self.header, fasta, self.path, check_sequence)
        self._arrays: dict[str, Any] | None = _opened(group, self.header)
        self._pid = os.getpid()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_arrays": None}

    def __len__(self) -> int:
        return len(self._start)

    @property
    def parts(self) -> int:
        """Pieces that a stored window is cut into to see each of its bins."""
        return -(-self.header.target_bins // self.geometry.output_bins)

    @property
    def checksum(self) -> str:
        """SHA-256 of windows, targets and track table."""
        return self.header.checksum

    @property
    def windows(self) -> pd.DataFrame:
        """Target intervals of the stored windows: chrom, start, end, split."""
        import pandas as pd

        return pd.DataFrame(
            {
                "chrom": [self._contigs[i] for i in self._contig],
                "start": self._start,
                "end": self._start + self.header.target_bins * self.header.bin_size,
                "split": [SPLITS[i] for i in self._split],
            }
        )

    def indices(self, split: str) -> NDArray[np.int64]:
        """Indices of the windows of a split."""
        if split not in SPLITS:
            raise DataError(f"unknown split {split!r}", expected=", ".join(SPLITS))
        return np.flatnonzero(self._split == SPLITS.index(split))

    def targets(self, index: int) -> NDArray[Any]:
        """Return the stored targets [target_bins, T] of a window."""
        return np.asarray(self._array("targets")[index])

    def _array(self, name: str) -> Any:
        if self._arrays is None or self._pid != os.getpid():  # a worker opens it for itself
            self._arrays, self._pid = _opened(*open_store(self.path)), os.getpid()
        return self._arrays[name]

    def item(self, index: int, first_bin: int = 0) -> tuple[NDArray[np.uint8], NDArray[Any]]:
        """One example whose first output bin is bin `first_bin` of the stored window."""
        stored = self.targets(index)
        codes = self._codes(index, first_bin * self.geometry.bin_size)
        return codes, stored[first_bin : first_bin + self.geometry.output_bins]

    def _codes(self, index: int, offset: int) -> NDArray[np.uint8]:
        """Sequence around the output that begins `offset` bases into the stored target."""
        if self.genome is None:
            begin = self.header.geometry.crop + offset - self.geometry.crop
            kept = np.asarray(self._array("codes")[index])
            return kept[begin : begin + self.geometry.input_length]
        start = int(self._start[index]) + offset
        contig = self._contigs[self._contig[index]]
        return self.genome.codes(contig, *self.geometry.input_interval(start))

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], NDArray[Any]]:
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return self.item(index % len(self))

    def part(self, index: int, part: int) -> tuple[NDArray[np.uint8], NDArray[Any]]:
        """Part `part` of a stored window; bins that an earlier part has are NaN."""
        bins, stored = self.geometry.output_bins, self.header.target_bins
        first = min(part * bins, stored - bins)
        codes, targets = self.item(index, first)
        repeated = part * bins - first
        if repeated:
            targets = targets.copy()
            targets[:repeated] = np.nan
        return codes, targets


def _opened(group: zarr.Group, header: StoreHeader) -> dict[str, Any]:
    arrays = {"targets": target_array(group)}
    return {**arrays, "codes": code_array(group)} if header.keeps_sequence else arrays


def _fit(wanted: Geometry | None, header: StoreHeader, path: Path) -> Geometry:
    own = header.geometry
    if wanted is None:
        return own
    if wanted.bin_size != own.bin_size:
        raise DataError(
            f"the set has bins of {own.bin_size} bp, the network of {wanted.bin_size}", where=path
        )
    if wanted.output_bins > own.output_bins:
        raise DataError(
            f"the set's windows have {own.output_bins} bins, the network predicts "
            f"{wanted.output_bins}",
            where=path,
            remedy=f"build the set with --input-length {wanted.input_length} "
            f"--crop-bins {wanted.crop_bins}",
        )
    if wanted.crop > own.crop and header.keeps_sequence:
        raise DataError(
            f"the network sees {wanted.crop} bp on each side of its output, but the set keeps "
            f"{own.crop} bp of sequence there",
            where=path,
            remedy="build the set with --fasta, or use a recipe with a shorter input",
        )
    # Published windows keep only their targets apart, and were used with inputs of any length.
    if wanted.crop > own.crop and header.provenance.get("splits") != "targets":
        raise DataError(
            f"the network sees {wanted.crop} bp on each side of its output, but the splits were "
            f"kept apart for {own.crop} bp",
            where=path,
            remedy=f"build the set with --input-length {wanted.input_length} "
            f"--crop-bins {wanted.crop_bins}",
        )
    return wanted


def _genome(
    header: StoreHeader, fasta: str | Path | None, path: Path, check: bool
) -> Genome | None:
    if header.keeps_sequence:
        if fasta is not None:
            raise DataError(
                "the set keeps its own sequence", where=path, remedy="leave --fasta out"
            )
        return None
    if fasta is None and not Path(header.fasta).exists():
        raise MissingFileError(
            f"the FASTA {header.fasta} it was built from is gone",
            where=path,
            remedy="name the genome with --fasta",
        )
    genome = Genome(fasta if fasta is not None else header.fasta)
    for name, record in header.contigs.items():
        if genome.sizes.get(name) != record.length:
            raise ContigError(
                f"contig {name!r} has {genome.sizes.get(name)} bp, but {record.length} bp when "
                "the training set was built",
                where=genome.path,
                remedy="use the FASTA that the set was built from",
            )
        if check and genome.checksum(name) != record.md5:
            raise ContigError(
                f"the sequence of contig {name!r} is not the one the training set was built from",
                where=genome.path,
                remedy="use the FASTA that the set was built from",
            )
    return genome
