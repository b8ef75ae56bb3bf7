"""Lines of a text file, plain or gzip, with errors that name the file."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ft_s2a.errors import FormatError, require_file


def text_lines(path: str | Path, what: str = "file") -> Iterator[tuple[int, str]]:
    r"""Give the lines of a text file with their numbers, one at a time.

    gzip (bgzip included) is recognised by its first bytes, not by the name.  A byte-order mark
    and Windows line ends are dropped.

    Parameters
    ----------
    path : str or Path
        The file.
    what : str
        What it should be, for the message when it is missing.

    Yields
    ------
    tuple of (int, str)
        Row, counted from 1, and the line without its end.

    Raises
    ------
    MissingFileError, FormatError
        When it is missing, a folder, cut off, or no UTF-8 text.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.bed"
    >>> _ = path.write_text("I\t0\t5\n")
    >>> list(text_lines(path))
    [(1, 'I\t0\t5')]
    """
    found = require_file(path, what)
    if found.is_dir():
        raise FormatError("is a folder", where=found, expected=f"a {what}")
    number = 0
    try:
        with _open(found) as handle:
            for number, line in enumerate(handle, start=1):
                yield number, line.rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise FormatError(
            f"is no text (byte {error.object[error.start]:#04x} after row {number})",
            where=found,
            expected=f"a {what} in UTF-8",
        ) from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise FormatError(
            f"is not a complete gzip file ({error})", where=found, remedy="fetch or make it again"
        ) from error


def _open(path: Path) -> IO[str]:
    with open(path, "rb") as handle:
        packed = handle.read(2) == b"\x1f\x8b"
    # newline: a lone carriage return is no line end, or row numbers would differ from editors'.
    if packed:
        return io.TextIOWrapper(gzip.open(path, "rb"), encoding="utf-8-sig", newline="\n")
    return open(path, encoding="utf-8-sig", newline="\n")
