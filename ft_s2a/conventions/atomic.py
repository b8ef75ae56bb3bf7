"""The one way files are written: a temporary name beside the target, fsync, rename.

A crash or Ctrl-C never leaves a half-written file or folder under its final name.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from ft_s2a.errors import FtS2aError, OutputExistsError


def refuse_existing(path: str | Path, *, overwrite: bool) -> Path:
    """Check an output before any work is done.

    Raises
    ------
    OutputExistsError
        When the path exists and `overwrite` is false (an empty folder does not count).
    """
    target = Path(path)
    if not target.exists() or overwrite:
        return target
    if target.is_dir() and not any(target.iterdir()):
        return target
    raise OutputExistsError(
        "the output exists already", where=target, remedy="choose another name or pass --overwrite"
    )


@contextlib.contextmanager
def atomic_path(path: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Give a temporary path beside `path`; move it there when the block ends well.

    The block may create a file or a folder under the temporary path.  When the block raises
    (KeyboardInterrupt included) what it wrote is removed and the old target is untouched.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with atomic_path(folder / "a.txt") as tmp:
    ...     _ = tmp.write_text("done")
    >>> (folder / "a.txt").read_text()
    'done'
    """
    target = refuse_existing(path, overwrite=overwrite)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FtS2aError(
            f"the output folder cannot be made ({error.strerror})", where=target.parent
        ) from error
    # The suffix stays, since some writers choose the format by it.
    temporary = target.with_name(f".{target.stem}.{uuid.uuid4().hex[:8]}.partial{target.suffix}")
    try:
        yield temporary
        if not temporary.exists():
            raise FileNotFoundError(f"nothing was written to {temporary}")
        if temporary.is_file():
            _fsync(temporary)
        _replace(temporary, target)
        _fsync(target.parent)
    finally:
        _remove(temporary)


def write_text(path: str | Path, text: str, *, overwrite: bool = False) -> Path:
    """Write a UTF-8 text file atomically and return its path."""
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return Path(path)


def write_bytes(path: str | Path, content: bytes, *, overwrite: bool = False) -> Path:
    """Write a binary file atomically and return its path."""
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(content)
    return Path(path)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # some file systems refuse fsync on folders; the rename is still atomic
    finally:
        os.close(descriptor)


def _replace(source: Path, target: Path) -> None:
    if target.is_dir():
        # A folder cannot be renamed over another that holds files: move the old one aside first.
        old = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.old")
        os.rename(target, old)
        try:
            os.rename(source, target)
        except OSError:
            os.rename(old, target)
            raise
        _remove(old)
    else:
        os.replace(source, target)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
