"""Lines and tables of text, plain or gzip, with errors that name file and row."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from ft_s2a.errors import FormatError, near_miss, require_file


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


def tsv_rows(
    path: str | Path, columns: Sequence[str], needed: Sequence[str], what: str
) -> list[tuple[int, dict[str, str]]]:
    """Read a table with a header row.

    Parameters
    ----------
    path : str or Path
        Tab-separated text; cells may be quoted.
    columns, needed : sequence of str
        Columns that may, and that must, be there.
    what : str
        What the table is, for messages.

    Returns
    -------
    list of (int, dict)
        Row of the file, and the cells by column, stripped; blank lines are skipped.

    Raises
    ------
    FormatError
        Naming table and row.
    """
    header: list[str] | None = None
    rows: list[tuple[int, dict[str, str]]] = []
    for number, line in text_lines(path, what):
        if not line.strip():
            continue
        try:
            cells = [c.strip() for c in next(csv.reader([line], delimiter="\t", strict=True))]
        except csv.Error as error:
            raise FormatError(
                f"row {number} cannot be read ({error})", where=path, expected="tab-separated text"
            ) from error
        if header is None:
            header = cells
            _check_header(path, header, columns, needed)
        elif len(cells) > len(header):
            raise FormatError(
                f"row {number} has {len(cells)} cells",
                where=path,
                expected=f"the {len(header)} columns of the header",
            )
        else:
            cells += [""] * (len(header) - len(cells))
            rows.append((number, dict(zip(header, cells, strict=True))))
    if not rows:
        raise FormatError(f"holds no row of a {what}", where=path, expected=", ".join(needed))
    return rows


def _check_header(
    path: str | Path, header: Sequence[str], columns: Sequence[str], needed: Sequence[str]
) -> None:
    for index, column in enumerate(header):
        if column not in columns:
            raise FormatError(
                f"unknown column {column[:40]!r}", where=path, remedy=near_miss(column, columns)
            )
        if column in header[:index]:
            raise FormatError(f"column {column!r} occurs twice", where=path)
    for column in needed:
        if column not in header:
            raise FormatError(f"no column {column!r}", where=path, expected=", ".join(needed))


def _open(path: Path) -> IO[str]:
    with open(path, "rb") as handle:
        packed = handle.read(2) == b"\x1f\x8b"
    # newline: a lone carriage return is no line end, or row numbers would differ from editors'.
    if packed:
        return io.TextIOWrapper(gzip.open(path, "rb"), encoding="utf-8-sig", newline="\n")
    return open(path, encoding="utf-8-sig", newline="\n")
