"""DNA as uint8 codes (A0 C1 G2 T3 N4) and as one-hot rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

N_CODE = 4

# Every letter that is not A, C, G or T (lower case included) is N.  U reads as T.
_CODE_OF_BYTE = np.full(256, N_CODE, dtype=np.uint8)
for _code, _letters in enumerate((b"Aa", b"Cc", b"Gg", b"TtUu")):
    for _byte in _letters:
        _CODE_OF_BYTE[_byte] = _code

_ONE_HOT = np.zeros((5, 4), dtype=np.float32)
_ONE_HOT[:4] = np.eye(4, dtype=np.float32)

_COMPLEMENT = np.array([3, 2, 1, 0, 4], dtype=np.uint8)
_FOREIGN = np.ones(256, dtype=bool)
_FOREIGN[np.frombuffer(b"ACGTUNRYSWKMBDHVXacgtunryswkmbdhvx-.*", dtype=np.uint8)] = False


def encode(letters: bytes | str) -> NDArray[np.uint8]:
    """Turn letters into codes, uint8 [L]; any letter but A, C, G, T (U) becomes N (4).

    Examples
    --------
    >>> encode("acGTNR").tolist()
    [0, 1, 2, 3, 4, 4]
    """
    raw = letters.encode("ascii", "replace") if isinstance(letters, str) else letters
    return _CODE_OF_BYTE[np.frombuffer(raw, dtype=np.uint8)]


def decode(codes: NDArray[np.uint8]) -> str:
    """Turn codes [L] into upper-case letters."""
    letters: bytes = np.frombuffer(b"ACGTN", dtype=np.uint8)[codes].tobytes()
    return letters.decode("ascii")


def one_hot(codes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Turn codes [..., L] into one-hot rows float32 [..., L, 4]; N is an all-zero row."""
    return _ONE_HOT[codes]


def reverse_complement(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Reverse complement of codes [..., L]."""
    return _COMPLEMENT[codes][..., ::-1]


def foreign_letter(letters: bytes) -> str | None:
    """Find the first letter that is no IUPAC nucleotide code, or None."""
    raw = np.frombuffer(letters, dtype=np.uint8)
    foreign = _FOREIGN[raw]
    return chr(int(raw[int(foreign.argmax())])) if foreign.any() else None
