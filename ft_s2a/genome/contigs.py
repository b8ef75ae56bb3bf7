"""Contig names and lengths, and what to say when two files disagree about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from ft_s2a.errors import ContigError, FormatError, near_miss, require_file

_ROMAN = {"I": 1, "V": 5, "X": 10, "L": 50}


def read_sizes(path: str | Path) -> dict[str, int]:
    """Read a chrom.sizes or .fai file: name and length, tab separated, in file order."""
    found = require_file(path, "chromosome sizes file")
    sizes: dict[str, int] = {}
    for number, line in enumerate(found.read_text().splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split("\t") if "\t" in line else line.split()
        if len(fields) < 2 or not fields[1].strip().isdigit():
            raise FormatError(
                f"row {number} is {line[:60]!r}",
                where=found,
                expected="a contig name and its length, tab separated",
            )
        sizes[fields[0]] = int(fields[1])
    if not sizes:
        raise FormatError("holds no contig", where=found, expected="name and length per row")
    return sizes


def check_contig(name: str, sizes: Mapping[str, int], *, where: str | Path, of: str) -> int:
    """Return the contig's length, or explain why `name` is not among `sizes`.

    Parameters
    ----------
    name : str
        Contig asked for.
    sizes : mapping of str to int
        Contigs of the reference file.
    where : str or Path
        The file (and row) that names the contig.
    of : str
        The reference file, for the message.
    """
    if name in sizes:
        return sizes[name]
    partner = same_contig(name, sizes)
    if partner is not None:
        raise ContigError(
            f"contig {name!r} is not in {of}, which calls it {partner!r}",
            where=where,
            remedy=f"rename the contigs of one file ({name!r} to {partner!r}, and so on)",
        )
    raise ContigError(f"contig {name!r} is not in {of}", where=where, remedy=near_miss(name, sizes))


def check_sizes(
    sizes: Mapping[str, int],
    reference: Mapping[str, int],
    *,
    where: str | Path,
    of: str,
    contigs: Iterable[str] | None = None,
) -> None:
    """Check that two files agree on the contigs' names and lengths.

    Parameters
    ----------
    sizes : mapping
        Contigs of the file under test.
    reference : mapping
        Contigs of the reference file.
    where : str or Path
        File under test.
    of : str
        Reference file, for the message.
    contigs : iterable of str, optional
        Contigs that are needed; the default is all that both files have, at least one.

    Raises
    ------
    ContigError
        Names the first contig that differs.
    """
    if contigs is None:
        shared = [name for name in reference if name in sizes]
        if not shared:
            first = next(iter(reference))
            check_contig(first, sizes, where=of, of=str(where))
        contigs = shared
    for name in contigs:
        expected = check_contig(name, reference, where=where, of=of)
        found = check_contig(name, sizes, where=of, of=str(where))
        if found != expected:
            raise ContigError(
                f"contig {name!r} is {found:,} bp long, but {expected:,} bp in {of}",
                where=where,
                remedy="the files belong to different assemblies: use files of one assembly",
            )


def same_contig(name: str, names: Iterable[str]) -> str | None:
    """Find the contig that is the same under another naming (chrII, II, chr2, 2; chrM, MT).

    Examples
    --------
    >>> same_contig("chrII", ["I", "II"])
    'II'
    >>> same_contig("MT", ["chr1", "chrM"])
    'chrM'
    """
    wanted = _canonical(name)
    return next((other for other in names if other != name and _canonical(other) == wanted), None)


def _canonical(name: str) -> str:
    bare = name[3:] if name.lower().startswith("chr") else name
    bare = bare.upper()
    if bare in ("M", "MT", "MITO"):
        return "M"
    # X stays the sex chromosome's letter; II, IV, XVI are yeast's numerals.
    if bare != "X" and bare and all(letter in _ROMAN for letter in bare):
        return str(_from_roman(bare))
    return bare


def _from_roman(text: str) -> int:
    values = [_ROMAN[letter] for letter in text]
    return sum(
        -value if index + 1 < len(values) and value < values[index + 1] else value
        for index, value in enumerate(values)
    )
