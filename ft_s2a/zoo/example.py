"""The tiny input that an entry carries: random DNA and a few intervals, by seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ft_s2a.conventions.atomic import write_text
from ft_s2a.genome import sequence
from ft_s2a.geometry import Geometry

FASTA = "example/genome.fa"
INTERVALS = "example/intervals.bed"
EXPECT = "example/expect.h5"
# What the two rows make.
WINDOWS = 3
_LINE = 80


def write_example(folder: Path, geometry: Geometry, *, seed: int = 1) -> None:
    """Write a FASTA of two contigs and a BED of two rows, which make three windows.

    The first contig is as long as the input and has one window in its middle; the second is a
    little longer than the output, so that its two windows reach past both of its ends.  Real
    sequence is not shipped.
    """
    rng = np.random.default_rng(seed)
    lengths = {
        "example1": geometry.input_length,
        "example2": geometry.output_length + geometry.bin_size // 2 + 1,
    }
    lines = []
    for name, length in lengths.items():
        codes = rng.integers(0, 4, length, dtype=np.uint8)
        codes[length // 2 : length // 2 + 5] = sequence.N_CODE
        letters = sequence.decode(codes)
        # Lower case and N must not matter, or as they should.
        letters = letters[: length // 3].lower() + letters[length // 3 :]
        lines += [f">{name}", *(letters[i : i + _LINE] for i in range(0, length, _LINE))]
    start, end = geometry.target_interval(0)
    rows = [
        f"example1\t{start}\t{end}\tmiddle\t0\t+",
        f"example2\t0\t{lengths['example2']}\twhole\t0\t-",
    ]
    write_text(folder / FASTA, "\n".join(lines) + "\n")
    write_text(folder / INTERVALS, "\n".join(rows) + "\n")


def precision_decimal(predictions: np.ndarray) -> int:
    """Decimals to which float32 predictions of this size agree between machines.

    Kipoi's test is absolute: ``|difference| < 1.5 * 10**-decimal``.

    Examples
    --------
    >>> precision_decimal(np.array([0.5])), precision_decimal(np.array([300.0]))
    (4, 1)
    """
    largest = float(np.abs(predictions).max(initial=1.0))
    return int(np.clip(np.floor(4.0 - np.log10(largest)), 0, 4))
