"""Motifs: position weight matrices made from a consensus, drawn from and searched for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

Role = Literal["activator", "repressor", "core", "inert"]

# A letter of the consensus -> probabilities of A, C, G, T.
_STRONG, _WEAK, _PAIR = 0.94, 0.7, 0.48
_PAIRS = {"R": "AG", "Y": "CT", "W": "AT", "S": "CG", "K": "GT", "M": "AC"}
_CHUNK = 6  # bases looked up at once when a sequence is scanned


class Motif(BaseModel):
    """A planted motif and what it does.

    Parameters
    ----------
    name : str
        Name in the truth table.
    consensus : str
        Capital A, C, G, T are strongly preferred (0.94), small ones weakly (0.7); R, Y, W, S, K, M
        stand for two bases alike, N for any.
    role : {'activator', 'repressor', 'core', 'inert'}
        Opens chromatin; weakens activators near it; starts transcription in its direction; does
        nothing.
    cell_type : str or None
        The only cell type in which it acts; None is all.
    effect : float
        Size of its effect relative to an activator of 1.

    Examples
    --------
    >>> Motif(name="M", consensus="ACGTNR", role="activator").matrix.shape
    (6, 4)
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(pattern=r"^[A-Za-z0-9_+-]+$")
    consensus: str = Field(pattern=r"^[ACGTacgtRYWSKMN]{6,30}$")
    role: Role
    cell_type: str | None = None
    effect: float = Field(default=1.0, ge=0)

    @property
    def width(self) -> int:
        """Length in bp."""
        return len(self.consensus)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """Probabilities of A, C, G, T at each position, float64 [width, 4]."""
        return np.array([_column(letter) for letter in self.consensus])

    @property
    def log_odds(self) -> NDArray[np.float64]:
        """Bits against equally likely bases, float64 [width, 4]."""
        bits: NDArray[np.float64] = np.log2(self.matrix / 0.25)
        return bits

    @property
    def best(self) -> float:
        """Score of the consensus in bits."""
        return float(self.log_odds.max(axis=1).sum())


def _column(letter: str) -> list[float]:
    if letter == "N":
        return [0.25] * 4
    if letter in _PAIRS:
        return [_PAIR if base in _PAIRS[letter] else 0.5 - _PAIR for base in "ACGT"]
    high = _STRONG if letter.isupper() else _WEAK
    return [high if base == letter.upper() else (1 - high) / 3 for base in "ACGT"]


def default_motifs(cell_types: Sequence[str]) -> tuple[Motif, ...]:
    """The motifs of a simulation: invented, unlike each other, none of them palindromic.

    One activator for all cell types and one for each, a repressor, a core promoter, and a motif
    without any effect (a model should learn to ignore it).
    """
    own = ("GATTaCAGGtACT", "TTCGGgCTAAcGA", "CAATcGCTTGtCC", "AGGTTTcGCcATA")
    return (
        Motif(name="ACT", consensus="CCAGTtAGGcATG", role="activator", effect=1.0),
        *(
            Motif(
                name=f"ACT-{cell}", consensus=own[i], role="activator", cell_type=cell, effect=1.2
            )
            for i, cell in enumerate(cell_types)
        ),
        Motif(name="REP", consensus="GCGTAaTGTTcTC", role="repressor"),
        Motif(name="CORE", consensus="GGTaTAACGcGTCA", role="core", effect=0.5),
        Motif(name="INERT", consensus="AAGcCTGATCtTGG", role="inert", effect=0.0),
    )


MAX_CELL_TYPES = 4


def reverse_complement(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """The matrix that scores the other strand."""
    return log_odds[::-1, ::-1]


def score(log_odds: NDArray[np.float64], instances: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Bits of instances uint8 [n, width] (codes 0-3, read in the motif's direction), [n]."""
    bits: NDArray[np.float64] = log_odds[np.arange(len(log_odds)), instances].sum(axis=1)
    return bits


def draw_instances(
    motif: Motif, count: int, minimum: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Draw instances that score at least `minimum` bits, uint8 [count, width]."""
    edges = np.cumsum(motif.matrix, axis=1)[:, :3]
    kept: list[NDArray[np.uint8]] = []
    missing = count
    while missing > 0:
        uniform = rng.random((2 * missing + 8, motif.width, 1))
        drawn = (uniform > edges).sum(axis=2).astype(np.uint8)
        good = drawn[score(motif.log_odds, drawn) >= minimum][:missing]
        kept.append(good)
        missing -= len(good)
    return np.concatenate(kept) if kept else np.empty((0, motif.width), dtype=np.uint8)


class Scanner:
    """Scores every position of a sequence for any motif, by look-up of six bases at a time.

    Parameters
    ----------
    codes : uint8 array [L]
        Codes 0-3, no N.
    """

    def __init__(self, codes: NDArray[np.uint8]) -> None:
        self.length = len(codes)
        count = max(0, self.length - _CHUNK + 1)
        words = np.zeros(count, dtype=np.int16)
        for offset in range(_CHUNK):
            words *= 4
            words += codes[offset : offset + count]
        self._words = words

    def __call__(self, log_odds: NDArray[np.float64]) -> NDArray[np.float32]:
        """Bits of the motif at each start, on the strand as written, float32 [L - width + 1]."""
        width = len(log_odds)
        count = max(0, self.length - width + 1)
        total = np.zeros(count, dtype=np.float32)
        if not count:
            return total
        for start, table in _tables(width, log_odds.tobytes()):
            total += table[self._words[start : start + count]]
        return total


@lru_cache(maxsize=64)
def _tables(width: int, raw: bytes) -> tuple[tuple[int, NDArray[np.float32]], ...]:
    """Split the matrix into pieces of six columns: (first column, bits of each word)."""
    log_odds = np.frombuffer(raw).reshape(width, 4)
    tables, done = [], 0
    while done < width:
        start = min(done, width - _CHUNK)
        # The last piece overlaps the one before: columns counted already add nothing.
        columns = log_odds[start : start + _CHUNK].copy()
        columns[: done - start] = 0.0
        table = np.zeros(1)
        for column in columns:
            table = (table[:, None] + column).ravel()
        tables.append((start, table.astype(np.float32)))
        done = start + _CHUNK
    return tuple(tables)


def to_meme(motifs: Sequence[Motif]) -> str:
    """Write the matrices in the MEME text format (version 4)."""
    lines = ["MEME version 4", "", "ALPHABET= ACGT", "", "strands: + -", ""]
    for motif in motifs:
        lines += [
            f"MOTIF {motif.name}",
            f"letter-probability matrix: alength= 4 w= {motif.width} nsites= 1000 E= 0",
            *(" ".join(f"{value:.6f}" for value in row) for row in motif.matrix),
            "",
        ]
    return "\n".join(lines)
