from __future__ import annotations

import pytest

from ft_s2a.browser.ranges import UnsatisfiableRangeError, parse_range

# Answers by RFC 9110, section 14, for a file of 1,000 bytes.
CASES = {
    None: None,
    "": None,
    "bytes=0-63": (0, 64),
    "bytes=0-0": (0, 1),
    "bytes=999-999": (999, 1000),
    "bytes=500-": (500, 1000),
    "bytes=-100": (900, 1000),
    "bytes=-5000": (0, 1000),
    "bytes=900-5000": (900, 1000),
    "Bytes = 1 - 2": (1, 3),
    "bytes=5-2": None,
    "bytes=-": None,
    "bytes=a-b": None,
    "bytes=1.5-2": None,
    "bytes=٣-٤": None,
    "bytes=0-1,4-5": None,
    "lines=0-1": None,
}


@pytest.mark.parametrize("header", CASES)
def test_range_is_read_by_the_rfc(header: str | None) -> None:
    assert parse_range(header, 1000) == CASES[header]


@pytest.mark.parametrize(
    ("header", "length"),
    [("bytes=1000-", 1000), ("bytes=1000-1001", 1000), ("bytes=-0", 1000), ("bytes=0-", 0),
     ("bytes=-5", 0)],
)  # fmt: skip
def test_range_without_any_byte_is_unsatisfiable(header: str, length: int) -> None:
    with pytest.raises(UnsatisfiableRangeError):
        parse_range(header, length)
