"""Fetch the weights of an entry before they are needed."""

from __future__ import annotations

from pathlib import Path

from ft_s2a.checkpoint.formats import load_network
from ft_s2a.entries import Entry, find_entry, weights_path


def fetch(entry: Entry | str | Path, *, trust_on_first_use: bool = False) -> Path:
    """Make an entry's weights available offline and return their path.

    Parameters
    ----------
    entry : Entry, str or Path
        An entry, its name, or its folder.
    trust_on_first_use : bool
        Accept weights without a recorded hash, when they load into the entry's network; see
        :func:`ft_s2a.entries.weights_path`.

    Raises
    ------
    ChecksumError, FormatError, ConfigError, MissingFileError, FtS2aError

    Examples
    --------
    ::

        fetch("yeast/basenji2")
    """
    found = entry if isinstance(entry, Entry) else find_entry(entry)

    def check(path: Path) -> None:
        load_network(path, found.model, found.weights.format)

    return weights_path(found, trust_on_first_use=trust_on_first_use, check=check)
