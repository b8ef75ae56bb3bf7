"""DNA as uint8 codes (A0 C1 G2 T3 N4) and as one-hot rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

N_CODE = 4
_FOREIGN = 255

# Codes of all bytes, as a table for bytes.translate (one pass, no index arithmetic).  U reads as
# T; every other IUPAC letter, and the gap signs of alignments, as N.
_CODES = np.full(256, _FOREIGN, dtype=np.uint8)
_CODES[np.frombuffer(b"NRYSWKMBDHVXnryswkmbdhvx-.*", dtype=np.uint8)] = N_CODE
for _code, _letters in enumerate((b"Aa", b"Cc", b"Gg", b"TtUu")):
    _CODES[np.frombuffer(_letters, dtype=np.uint8)] = _code
_CODE_TABLE = _CODES.tobytes()

_ONE_HOT = np.zeros((5, 4), dtype=np.float32)
_ONE_HOT[:4] = np.eye(4, dtype=np.float32)

_COMPLEMENT = np.array([3, 2, 1, 0, 4], dtype=np.uint8)


def encode(letters: bytes | bytearray | str) -> NDArray[np.uint8]:
    """Turn letters into codes, uint8 [L]; any letter but A, C, G, T (U) becomes N (4).

    Examples
    --------
    >>> encode("acGTNR").tolist()
    [0, 1, 2, 3, 4, 4]
    """
    codes = strict_codes(letters)
    codes[codes == _FOREIGN] = N_CODE
    return codes


def strict_codes(letters: bytes | bytearray | str) -> NDArray[np.uint8]:
    """Turn letters into codes as :func:`encode` does, but 255 for what is no IUPAC letter.

    Returns
    -------
    uint8 array [L]
        Writable, not shared with `letters`.
    """
    raw = letters.encode("ascii", "replace") if isinstance(letters, str) else letters
    return np.frombuffer(bytearray(raw).translate(_CODE_TABLE), dtype=np.uint8)


def decode(codes: NDArray[np.uint8]) -> str:
    """Turn codes [L] into upper-case letters.

    Examples
    --------
    >>> decode(np.array([0, 1, 2, 3, 4], dtype=np.uint8))
    'ACGTN'
    """
    letters: bytes = np.frombuffer(b"ACGTN", dtype=np.uint8)[codes].tobytes()
    return letters.decode("ascii")


def one_hot(codes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Turn codes [..., L] into one-hot rows float32 [..., L, 4]; N is an all-zero row.

    Examples
    --------
    >>> one_hot(np.array([2, 4], dtype=np.uint8)).tolist()
    [[0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]]
    """
    return _ONE_HOT.take(codes, axis=0)


def reverse_complement(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Reverse complement of codes [..., L], a new array.

    Examples
    --------
    >>> decode(reverse_complement(encode("AACGN")))
    'NCGTT'
    """
    return _COMPLEMENT.take(codes[..., ::-1])


def foreign_letter(letters: bytes | bytearray) -> str | None:
    """Find the first letter that is no IUPAC nucleotide code, or None.

    Examples
    --------
    >>> foreign_letter(b"ACGTE")
    'E'
    """
    foreign = strict_codes(letters) == _FOREIGN
    return chr(letters[int(foreign.argmax())]) if foreign.any() else None
