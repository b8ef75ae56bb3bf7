"""Bring data files into a page folder: hard links, copies or symbolic links."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Literal

from ft_s2a.errors import FtS2aError

LINKS = ("auto", "copy", "symlink")


class Placer:
    """Places files below a folder, each once, and remembers which lie elsewhere.

    Parameters
    ----------
    folder : Path
        The page.
    how : {'auto', 'copy', 'symlink'}
        ``auto`` is a hard link, or a copy where the file system allows none.
    """

    def __init__(self, folder: Path, how: Literal["auto", "copy", "symlink"]) -> None:
        if how not in LINKS:
            raise FtS2aError(f"unknown way to link: {how!r}", expected=" or ".join(LINKS))
        self.folder = folder
        self.how = how
        self.linked: list[str] = []

    def place(self, source: Path, below: str, prefix: str = "") -> str:
        """Place `source` in the subfolder `below` and return its path relative to the page."""
        name = f"{prefix}.{_plain(source.name)}" if prefix else _plain(source.name)
        relative = f"{below}/{name}"
        target = self.folder / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        original = source.resolve()
        try:
            if self.how == "symlink":
                target.symlink_to(original)
                self.linked.append(relative)
            elif self.how == "copy" or not _hard_link(original, target):
                shutil.copyfile(original, target)
        except OSError as error:
            raise FtS2aError(
                f"cannot be brought into the page ({error.strerror})", where=source
            ) from error
        return relative


def _plain(name: str) -> str:
    """The name as it can stand in a URL without quoting, and be served."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in name)
    return kept.lstrip(".") or "file"


def _hard_link(source: Path, target: Path) -> bool:
    try:
        os.link(source, target)
    except OSError:
        return False  # another file system, or one without hard links
    return True
