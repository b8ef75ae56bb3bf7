"""Reading sequence: beside pyfaidx, which fetches the letters, and beside copying memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from Bio import bgzf
from pyfaidx import Faidx

from ft_s2a.genome import sequence
from ft_s2a.genome.fasta import Genome

LENGTH, WINDOW = 20_000_000, 131_072


@pytest.fixture(scope="module", params=["plain", "bgzip"])
def fasta(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    random = np.random.default_rng(0)
    letters = np.frombuffer(b"ACGT", dtype=np.uint8)[random.integers(0, 4, LENGTH)]
    lines = np.full((LENGTH // 50, 51), ord("\n"), dtype=np.uint8)
    lines[:, :50] = letters.reshape(-1, 50)
    content = b">chr1\n" + lines.tobytes()
    path = tmp_path_factory.mktemp("fasta") / "genome.fa"
    if request.param == "plain":
        path.write_bytes(content)
        return path
    path = path.with_name("genome.fa.gz")
    with bgzf.BgzfWriter(str(path), "wb") as handle:
        handle.write(content)
    return path


@pytest.fixture
def starts() -> Iterator[int]:
    return cycle(np.random.default_rng(1).integers(0, LENGTH - WINDOW, 500).tolist())


def test_codes_of_a_window(fasta: Path, starts: Iterator[int], compare: Callable[..., Any]) -> None:
    """Codes cost little more than the letters do; one window takes far less than 1 ms."""
    genome = Genome(fasta)
    read, index = genome.indexed_fasta
    other = Faidx(
        str(read),
        indexname=str(index),
        gzi_indexname=str(index.with_suffix(".gzi")),
        as_raw=True,
        build_index=False,
    )

    def ours() -> None:
        start = next(starts)
        genome.codes("chr1", start, start + WINDOW)

    def peer() -> None:
        start = next(starts)
        other.fetch("chr1", start + 1, start + WINDOW)

    ratio = compare(f"codes of 131,072 bp ({fasta.name}) / pyfaidx fetch", ours, peer, repeat=100)
    assert ratio.median < 2.5


def test_one_hot_of_a_window(compare: Callable[..., Any]) -> None:
    codes = np.random.default_rng(0).integers(0, 5, WINDOW).astype(np.uint8)
    rows = np.zeros((WINDOW, 4), dtype=np.float32)
    ratio = compare(
        "one-hot of 131,072 bp / copying it",
        lambda: sequence.one_hot(codes),
        lambda: rows.copy(),
        repeat=100,
    )
    assert ratio.median < 8
