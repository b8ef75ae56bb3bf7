"""The exception family: what was wrong, where, what was expected, what to do.

Every error that a user can cause is an :class:`FtS2aError`.  The command line turns it into one
line and exit code 2; anything else is a bug and exits with 1.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from pathlib import Path


class FtS2aError(Exception):
    """Bad input, told in one line.

    Parameters
    ----------
    what : str
        What is wrong, as a statement ("contig 'chrII' is not in the FASTA").
    where : str or Path, optional
        File, row or contig concerned.
    expected : str, optional
        What would have been right.
    remedy : str, optional
        What the user can do.

    Examples
    --------
    >>> print(FtS2aError("the BED file has no rows", where="a.bed", remedy="check the path"))
    a.bed: the BED file has no rows; check the path
    """

    def __init__(
        self,
        what: str,
        *,
        where: str | Path | None = None,
        expected: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.what = what
        self.where = None if where is None else str(where)
        self.expected = expected
        self.remedy = remedy
        super().__init__(self._line())

    def _line(self) -> str:
        parts = [f"{self.where}: {self.what}" if self.where else self.what]
        if self.expected:
            parts.append(f"expected {self.expected}")
        if self.remedy:
            parts.append(self.remedy)
        return " ".join("; ".join(parts).split())

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword arguments do not survive the default pickling (worker processes re-raise).
        return (_rebuild, (type(self), self.what, self.where, self.expected, self.remedy))


def _rebuild(
    kind: type[FtS2aError],
    what: str,
    where: str | None,
    expected: str | None,
    remedy: str | None,
) -> FtS2aError:
    return kind(what, where=where, expected=expected, remedy=remedy)


class MissingFileError(FtS2aError):
    """A file or folder that was named does not exist."""


class OutputExistsError(FtS2aError):
    """An output is there already and would be overwritten."""


class FormatError(FtS2aError):
    """A file's content is not what its format says."""


class ContigError(FtS2aError):
    """A contig is unknown, has another length, or a position lies outside it."""


class GeometryError(FtS2aError):
    """Lengths, bins and crops that do not fit together."""


class TrackError(FtS2aError):
    """A track table or a choice of tracks is wrong."""


class ConfigError(FtS2aError):
    """A recipe, config or entry does not say something valid."""


class DataError(FtS2aError):
    """A training set, or the values in it, cannot be used."""


class ChecksumError(FtS2aError):
    """A file's hash is not the recorded one."""


def near_miss(name: str, known: Iterable[str]) -> str:
    """Suggest the closest known name, as the end of a sentence.

    Parameters
    ----------
    name : str
        The name that is not known.
    known : iterable of str
        The names that are.

    Returns
    -------
    str
        The closest name (capitals are ignored), or else the first few of all.

    Examples
    --------
    >>> near_miss("chr2", ["chr1", "chr22", "chrX"])
    "did you mean 'chr22'?"
    >>> near_miss("liver", ["a", "b"])
    'known: a, b'
    """
    choices = [str(k) for k in known]
    folded = {choice.lower(): choice for choice in reversed(choices)}
    close = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.6)
    if close:
        return f"did you mean {folded[close[0]]!r}?"
    shown = ", ".join(choices[:8]) + (", ..." if len(choices) > 8 else "")
    return f"known: {shown}" if shown else "none is known"


def require_file(path: str | Path, what: str = "file") -> Path:
    """Give `path` as a Path when it exists and can be read.

    Parameters
    ----------
    path : str or Path
        File or folder.
    what : str
        What it should be, for the message.

    Raises
    ------
    MissingFileError
        When it does not exist.
    FtS2aError
        When it may not be read.

    Examples
    --------
    >>> require_file("nowhere.bed", "BED file")
    Traceback (most recent call last):
    ft_s2a.errors.MissingFileError: nowhere.bed: no such BED file; check the path
    """
    found = Path(path)
    if not os.path.exists(found):  # False, not an error, below a folder that may not be entered
        raise MissingFileError(f"no such {what}", where=found, remedy="check the path")
    if not os.access(found, os.R_OK):
        raise FtS2aError(
            "may not be read (permission denied)", where=found, remedy="check its permissions"
        )
    return found
