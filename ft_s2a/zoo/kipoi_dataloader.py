"""The loader that ``dataloader.yaml`` names: BED rows and a FASTA become one-hot windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from kipoi.data import Dataset
from kipoi.metadata import GenomicRanges

from ft_s2a.entries import Entry, find_entry, read_entry
from ft_s2a.entries.schema import ENTRY_FILE
from ft_s2a.errors import ConfigError
from ft_s2a.genome import Genome, read_bed
from ft_s2a.genome.sequence import one_hot, reverse_complement
from ft_s2a.geometry import Geometry, Interval
from ft_s2a.prediction.plan import plan


@dataclass(frozen=True)
class Window:
    """One output window of a BED row.

    `start` is the first base of the first bin; bins that begin at `end` or later are surplus.
    """

    chrom: str
    start: int
    end: int
    name: str
    strand: str


def windows_of(
    region: Interval,
    geometry: Geometry,
    sizes: Mapping[str, int],
    *,
    centre: bool,
    name: str,
    strand: str,
) -> list[Window]:
    """Cover one BED row by the windows that ``ft-s2a predict`` lays over it.

    Parameters
    ----------
    region : Interval
        The row: the *output* that is wanted.
    sizes : mapping of str to int
        Contig lengths.
    centre : bool
        One window around the row's centre instead of a grid anchored at its start.
    name, strand : str
        Given to each window.

    Examples
    --------
    >>> row, geometry = Interval("I", 100, 500), Geometry(512, 128, 1)
    >>> windows = windows_of(row, geometry, {"I": 600}, centre=False, name="a", strand="*")
    >>> [(w.start, w.end) for w in windows]
    [(100, 356), (356, 600)]
    """
    (piece,) = plan([region], sizes, geometry, centre=centre)
    stop = piece.region.end
    return [
        Window(region.chrom, start, min(start + geometry.output_length, stop), name, strand)
        for start in piece.starts
    ]


class ZooDataloader(Dataset):  # type: ignore[misc]  # kipoi is untyped
    """Windows for the entry whose ``dataloader.yaml`` is being read.

    Each BED row is the output that is wanted.  It is covered by windows on one grid anchored at
    its start, one item per window.  The item's ``metadata/ranges`` is the part of the window's
    output inside the row, rounded up to whole bins and cut at the contig's end: bin ``i`` starts
    at ``start + i * bin_size``, and bins that begin at ``end`` or later are surplus (in the last
    window of a row).

    Parameters
    ----------
    intervals_file : str
        BED file; column 4 is kept as the id, else the row's number (from 0).
    fasta_file : str
        Genome with the same contig names: plain, bgzip or gzip.  Contigs end in N.
    centre : bool
        One window for each row, around its centre, instead of covering the row.
    oriented : bool
        Read rows on the minus strand in their own direction: their input is reverse-complemented,
        and so their predictions run against the genome and strand-pair tracks are swapped
        (``ranges/strand`` is ``-``; ``ft-s2a bigwig`` turns them back).  Otherwise all
        predictions are in genome order and ``ranges/strand`` is ``*``.
    """

    # The entry's folder; set on the subclass made for each look-up.
    folder: ClassVar[Path | None] = None

    def __init__(
        self,
        intervals_file: str,
        fasta_file: str,
        centre: bool = False,
        oriented: bool = False,
    ) -> None:
        for name, value in (("centre", centre), ("oriented", oriented)):
            if not isinstance(value, bool):
                raise ConfigError(f"{name} is {value!r}", expected="true or false")
        self._geometry = self.entry().model.geometry
        self._genome = Genome(fasta_file)
        sizes = self._genome.sizes
        self._windows: list[Window] = []
        for row, region in enumerate(read_bed(intervals_file, sizes, of=str(fasta_file))):
            self._windows += windows_of(
                region,
                self._geometry,
                sizes,
                centre=centre,
                name=str(row) if region.name == "." else region.name,
                strand=region.strand.replace(".", "*") if oriented else "*",
            )

    @classmethod
    def entry(cls) -> Entry:
        """The entry that this class loads windows for."""
        folder = cls.folder or cls.source_dir
        if folder is None:
            raise ConfigError(
                "ZooDataloader does not know its entry",
                remedy="use the loader of a Kipoi model, or ZooDataloader.for_entry(name)",
            )
        return read_entry(folder)

    @classmethod
    def for_entry(cls, entry: str | Path) -> type[ZooDataloader]:
        """Make a loader class for an entry, given its name or folder."""
        return subclass(find_entry(entry).folder)

    def __len__(self) -> int:
        return len(self._windows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        window = self._windows[index]
        start, end = self._geometry.input_interval(window.start)
        codes = self._genome.codes(window.chrom, start, end)
        if window.strand == "-":
            codes = reverse_complement(codes)
        ranges = GenomicRanges(window.chrom, window.start, window.end, window.name, window.strand)
        return {
            "inputs": np.ascontiguousarray(one_hot(codes)),
            "metadata": {"ranges": ranges},
        }


def subclass(folder: Path | None) -> type[ZooDataloader]:
    """Make a class of its own for an entry: Kipoi writes the description onto the class."""
    return type("ZooDataloader", (ZooDataloader,), {"folder": folder, "__module__": __name__})


def subclass_here() -> type[ZooDataloader]:
    """Make a class for the entry in the working directory, which is where Kipoi looks it up."""
    here = Path.cwd()
    return subclass(here if (here / ENTRY_FILE).is_file() else None)
