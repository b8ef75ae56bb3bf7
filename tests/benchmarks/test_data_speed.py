"""Building and reading a training set: beside pyBigWig alone, and beside file and decompressor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pyBigWig
import pytest
from numcodecs.zstd import Zstd
from pyfaidx import Faidx

from ft_s2a.data import TrackDataset, from_bigwigs
from ft_s2a.genome import write_bigwig
from ft_s2a.training.items import TrainingItems
from ft_s2a.training.recipe import Augmentation

LENGTH, TRACKS = 4_000_000, 5
INPUT, OUTPUT = 131_072, 114_688


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A contig with tracks of one value for each 10 bp."""
    folder = tmp_path_factory.mktemp("speed")
    random = np.random.default_rng(0)
    letters = np.frombuffer(b"ACGT", dtype=np.uint8)[random.integers(0, 4, LENGTH)]
    lines = np.full((LENGTH // 50, 51), ord("\n"), dtype=np.uint8)
    lines[:, :50] = letters.reshape(-1, 50)
    (folder / "genome.fa").write_bytes(b">chr1\n" + lines.tobytes())
    rows = ["name\tfile"]
    for number in range(TRACKS):
        values = random.gamma(0.5, 2.0, LENGTH // 10)
        write_bigwig(folder / f"{number}.bw", {"chr1": LENGTH}, [("chr1", 0, values)], bin_size=10)
        rows.append(f"t{number}\t{number}.bw")
    (folder / "tracks.tsv").write_text("\n".join(rows) + "\n")
    return folder


def build(source: Path, overwrite: bool = True) -> TrackDataset:
    return from_bigwigs(
        source / "genome.fa", source / "tracks.tsv", source / "set.zarr", split="train=chr1",
        input_length=INPUT, crop_bins=64, overwrite=overwrite,
    )  # fmt: skip


def test_building(source: Path, compare: Callable[..., Any]) -> None:
    """A small set: about 0.1 s of its time is the same for any number of windows."""

    def peer() -> None:
        for number in range(TRACKS):
            with pyBigWig.open(str(source / f"{number}.bw")) as file:
                for start in range(0, LENGTH, OUTPUT):
                    file.values("chr1", start, min(start + OUTPUT, LENGTH), numpy=True)

    ratio = compare("building / pyBigWig values", lambda: build(source), peer)
    assert ratio.median < 6


@pytest.fixture(scope="module")
def data(source: Path) -> TrackDataset:
    return build(source)


@pytest.fixture
def order(data: TrackDataset) -> Iterator[int]:
    return cycle(np.random.default_rng(1).permutation(len(data)).tolist())


def test_reading_an_item(
    source: Path, data: TrackDataset, order: Iterator[int], compare: Callable[..., Any]
) -> None:
    chunks = data.path / "targets"
    zstd, fasta = Zstd(), Faidx(str(source / "genome.fa"), as_raw=True)
    starts = data.windows["start"].tolist()

    def peer() -> None:
        index = next(order)
        np.frombuffer(zstd.decode((chunks / f"c.{index}.0.0").read_bytes()), np.float16)
        start = max(0, starts[index] - 8192)
        fasta.fetch("chr1", start + 1, min(start + INPUT, LENGTH))

    name = "an item of 131,072 bp and 896 bins / its chunk, decompressed, and its letters"
    ratio = compare(name, lambda: data[next(order)], peer, repeat=30)
    assert ratio.median < 10


def test_augmenting_an_item(
    data: TrackDataset, order: Iterator[int], compare: Callable[..., Any]
) -> None:
    items = TrainingItems(data, Augmentation(reverse_complement=0.5, shift=3), seed=1)
    ratio = compare(
        "an augmented item / the item",
        lambda: items[(0, next(order))],
        lambda: data[next(order)],
        repeat=30,
    )
    assert ratio.median < 2.5
