"""Contig names and lengths, and what to say when two files disagree about them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from ft_s2a.conventions.text import text_lines
from ft_s2a.errors import ContigError, FormatError, near_miss

_ROMAN = {"I": 1, "V": 5, "X": 10, "L": 50}
_NUMERAL = re.compile(r"(?=.)(XL|L?X{0,3})(IX|IV|V?I{0,3})")  # 1-89


def read_sizes(path: str | Path) -> dict[str, int]:
    r"""Read a chrom.sizes or .fai file: name and length, tab separated, in file order.

    Parameters
    ----------
    path : str or Path
        The file; further columns are ignored.

    Returns
    -------
    dict of str to int
        Contig lengths in bp.

    Raises
    ------
    FormatError
        Naming the row: no length, or a contig that occurs twice.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "chrom.sizes"
    >>> _ = path.write_text("II\t813184\nIV\t1531933\n")
    >>> read_sizes(path)
    {'II': 813184, 'IV': 1531933}
    """
    sizes: dict[str, int] = {}
    for number, line in text_lines(path, "chromosome sizes file"):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split("\t") if "\t" in line else line.split()
        length = fields[1].strip() if len(fields) > 1 else ""
        if not re.fullmatch(r"[0-9]+", length) or int(length) < 1:
            raise FormatError(
                f"row {number} is {line[:60]!r}",
                where=path,
                expected="a contig name and its length, tab separated",
            )
        if fields[0] in sizes:
            raise FormatError(f"row {number}: contig {fields[0]!r} occurs twice", where=path)
        sizes[fields[0]] = int(length)
    if not sizes:
        raise FormatError("holds no contig", where=path, expected="name and length per row")
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

    Returns
    -------
    int
        Length in bp.

    Raises
    ------
    ContigError
        With the name that the reference file uses for it, or the nearest ones.

    Examples
    --------
    >>> check_contig("II", {"II": 813184}, where="a.bed", of="the FASTA")
    813184
    >>> check_contig("chrII", {"II": 813184}, where="a.bed", of="the FASTA")
    Traceback (most recent call last):
    ft_s2a.errors.ContigError: a.bed: contig 'chrII' is not in the FASTA, which calls it 'II'; \
rename the contigs of one file ('chrII' to 'II', and so on)
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

    Examples
    --------
    >>> check_sizes({"I": 10}, {"I": 10, "II": 20}, where="a.bw", of="the FASTA")
    >>> check_sizes({"I": 11}, {"I": 10}, where="a.bw", of="the FASTA")
    Traceback (most recent call last):
    ft_s2a.errors.ContigError: a.bw: contig 'I' is 11 bp long, but 10 bp in the FASTA; the files \
belong to different assemblies: use files of one assembly
    """
    if contigs is None:
        contigs = [name for name in reference if name in sizes]
        if not contigs:
            for name in sizes:
                check_contig(name, reference, where=where, of=of)
            raise ContigError("holds no contig", where=where, expected=f"contigs of {of}")
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

    Parameters
    ----------
    name : str
        A contig.
    names : iterable of str
        Contigs of the other file.

    Returns
    -------
    str or None
        The first other name that means the same.

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
    bare = name.upper().removeprefix("CHR").lstrip("_")
    if bare in ("M", "MT", "MITO", "MTDNA"):
        return "M"
    # X stays the sex chromosome's letter; II, IV, XVI are yeast's numerals.
    if bare != "X" and _NUMERAL.fullmatch(bare):
        return str(_from_roman(bare))
    return bare.lstrip("0") or bare


def _from_roman(text: str) -> int:
    values = [_ROMAN[letter] for letter in text]
    return sum(
        -value if index + 1 < len(values) and value < values[index + 1] else value
        for index, value in enumerate(values)
    )
