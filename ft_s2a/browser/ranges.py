"""The Range header of HTTP (RFC 9110, section 14): which bytes are asked for."""

from __future__ import annotations

import re

_ONE = re.compile(r"\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*", re.IGNORECASE | re.ASCII)


class UnsatisfiableRangeError(Exception):
    """The range lies wholly outside the file: to be answered with 416."""


def parse_range(header: str | None, length: int) -> tuple[int, int] | None:
    """Read a Range header for a file of `length` bytes.

    Returns
    -------
    (int, int) or None
        First byte and the one behind the last; None when the whole file is to be sent: no header,
        another unit, a malformed one, or several ranges (a server may ignore the header).

    Raises
    ------
    UnsatisfiableRangeError
        When the range starts behind the end, or is a suffix of no bytes.

    Examples
    --------
    >>> parse_range("bytes=0-63", 100), parse_range("bytes=90-", 100), parse_range("bytes=-7", 100)
    ((0, 64), (90, 100), (93, 100))
    >>> parse_range("bytes=0-1,5-6", 100) is None
    True
    """
    match = _ONE.fullmatch(header or "")
    if match is None:
        return None
    first, last = match.groups()
    if not first and not last:
        return None
    if not first:
        if int(last) == 0 or length == 0:
            raise UnsatisfiableRangeError
        return max(0, length - int(last)), length
    start = int(first)
    if last and int(last) < start:
        return None
    if start >= length:
        raise UnsatisfiableRangeError
    return start, min(int(last) + 1, length) if last else length
