"""bigWigs: writing and reading beside pyBigWig alone, which is the floor for both."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyBigWig
import pytest
from numpy.typing import NDArray

from ft_s2a.genome.bigwig import BigWig, write_bigwig

LENGTH, BIN = 100_000_000, 32
SIZES = {"chr1": LENGTH}


@pytest.fixture(scope="module")
def values() -> NDArray[np.float32]:
    return np.random.default_rng(0).random(LENGTH // BIN, dtype=np.float32)


def write_alone(path: Path, values: NDArray[np.float32]) -> None:
    handle = pyBigWig.open(str(path), "w")
    handle.addHeader([("chr1", LENGTH)])
    handle.addEntries("chr1", 0, values=values, span=BIN, step=BIN)
    handle.close()


@pytest.mark.parametrize("window", [LENGTH // BIN, 896], ids=["at once", "by windows of 896"])
def test_writing(
    tmp_path: Path, values: NDArray[np.float32], window: int, compare: Callable[..., Any]
) -> None:
    def ours() -> None:
        pieces = (
            ("chr1", start * BIN, values[start : start + window])
            for start in range(0, len(values), window)
        )
        write_bigwig(tmp_path / "ours.bw", SIZES, pieces, bin_size=BIN, overwrite=True)

    ratio = compare(
        f"writing 100 Mb in 32-bp bins ({-(-len(values) // window)} pieces) / pyBigWig",
        ours,
        lambda: write_alone(tmp_path / "alone.bw", values),
    )
    sizes = [(tmp_path / name).stat().st_size for name in ("ours.bw", "alone.bw")]
    print(f"{sizes[0] / 1e6:.1f} MB against {sizes[1] / 1e6:.1f} MB")
    assert ratio.median < 1.6
    assert sizes[0] < 1.1 * sizes[1]


@pytest.mark.parametrize("missing", ["zero", "nan"])
def test_reading(
    tmp_path: Path, values: NDArray[np.float32], missing: str, compare: Callable[..., Any]
) -> None:
    """Exact bins cost little more than the bases do."""
    write_alone(tmp_path / "a.bw", values)
    pieces = list(itertools.pairwise(range(0, LENGTH + 1, 1 << 20)))
    with BigWig(tmp_path / "a.bw") as track, pyBigWig.open(str(tmp_path / "a.bw")) as alone:
        ratio = compare(
            f"100 Mb in 128-bp means (missing is {missing}) / pyBigWig values",
            lambda: track.binned("chr1", 0, LENGTH, bin_size=128, missing=missing),
            lambda: [alone.values("chr1", left, right, numpy=True) for left, right in pieces],
        )
    assert ratio.median < 3
