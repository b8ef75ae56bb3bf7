"""Augmentation of one training example: reverse complement and shift."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ft_s2a.genome.sequence import N_CODE, reverse_complement

Codes = NDArray[np.uint8]
Targets = NDArray[Any]


def shift(codes: Codes, by: int) -> Codes:
    """Move a sequence [..., L] right by `by` bases (left when negative); the gap is N.

    Targets are not shifted (calico/basenji, ``StochasticShift``).

    Examples
    --------
    >>> shift(np.array([0, 1, 2], dtype=np.uint8), 1).tolist()
    [4, 0, 1]
    """
    if by == 0:
        return codes
    moved = np.full_like(codes, N_CODE)
    if abs(by) >= codes.shape[-1]:
        return moved
    if by > 0:
        moved[..., by:] = codes[..., :-by]
    else:
        moved[..., :by] = codes[..., -by:]
    return moved


def reverse(codes: Codes, targets: Targets, pairs: NDArray[np.int64]) -> tuple[Codes, Targets]:
    """Reverse-complement an example: bins reversed, strand partners swapped.

    Parameters
    ----------
    codes : uint8 array [L]
    targets : array [bins, T]
    pairs : int64 array [T]
        Index of each track's strand partner (its own when unstranded).
    """
    return reverse_complement(codes), targets[::-1][:, pairs]
