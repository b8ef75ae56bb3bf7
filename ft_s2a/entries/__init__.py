"""Entries of the model zoo: what they say, where they are, how their weights are fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ft_s2a.conventions.lazy import attach

if TYPE_CHECKING:
    from ft_s2a.entries.download import Source as Source
    from ft_s2a.entries.download import fetch_data as fetch_data
    from ft_s2a.entries.download import read_sources as read_sources
    from ft_s2a.entries.download import weights_path as weights_path
    from ft_s2a.entries.registry import find_entry as find_entry
    from ft_s2a.entries.registry import list_models as list_models
    from ft_s2a.entries.registry import roots as roots
    from ft_s2a.entries.schema import Entry as Entry
    from ft_s2a.entries.schema import Score as Score
    from ft_s2a.entries.schema import read_entry as read_entry

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Entry": "schema",
        "Score": "schema",
        "Source": "download",
        "fetch_data": "download",
        "find_entry": "registry",
        "list_models": "registry",
        "read_entry": "schema",
        "read_sources": "download",
        "roots": "registry",
        "weights_path": "download",
    },
)
