"""The one way files are written: a temporary name beside the target, fsync, rename.

A crash or Ctrl-C never leaves a half-written file or folder under its final name.  (A killed
process can leave its temporary, a hidden name that holds ``.partial``; it may be deleted.  What
can be resumed is kept under a hidden name that ends in ``.unfinished``.)
"""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ft_s2a.errors import FtS2aError, MissingFileError, OutputExistsError

# Threads that wait for the disk.
_FLUSHING = 8


def refuse_existing(path: str | Path, *, overwrite: bool) -> Path:
    """Check an output before any work is done.

    Parameters
    ----------
    path : str or Path
        File or folder that is to be written.
    overwrite : bool
        Allow that it exists.

    Returns
    -------
    Path
        The same path.

    Raises
    ------
    OutputExistsError
        When the path exists and `overwrite` is false (an empty folder does not count).

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> refuse_existing(folder / "new.txt", overwrite=False).name
    'new.txt'
    >>> _ = (folder / "old.txt").write_text("kept")
    >>> refuse_existing(folder / "old.txt", overwrite=False)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ft_s2a.errors.OutputExistsError: ...old.txt: the output exists already; choose another ...
    """
    target = Path(path)
    if overwrite or not target.exists():
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
    Folders above `path` are made; a link is followed, so that what it points to is replaced.

    Parameters
    ----------
    path : str or Path
        Final place.
    overwrite : bool
        Replace what is there.

    Yields
    ------
    Path
        A hidden name in the same folder, with the same suffix.

    Raises
    ------
    OutputExistsError
        When the path exists and `overwrite` is false.
    FtS2aError
        When its folder cannot be made or written to, when a file would replace a folder, or
        when the folder that one works in (or one's home) would be replaced.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with atomic_path(folder / "a.txt") as tmp:
    ...     _ = tmp.write_text("done")
    >>> (folder / "a.txt").read_text()
    'done'
    """
    # Real, since "." has no name to put a temporary beside, and the block may change folder.
    target = Path(os.path.realpath(refuse_existing(path, overwrite=overwrite)))
    _refuse_home(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FtS2aError(
            f"the output folder cannot be made ({error.strerror})", where=target.parent
        ) from error
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise FtS2aError(
            "the output folder is not writable",
            where=target.parent,
            remedy="choose another place, or change its permissions",
        )
    # The suffix stays, since some writers choose the format by it.
    temporary = target.with_name(f".{target.stem}.{uuid.uuid4().hex[:8]}.partial{target.suffix}")
    try:
        yield temporary
        if not temporary.exists():
            raise FileNotFoundError(f"nothing was written to {temporary}")
        if target.is_dir() and not temporary.is_dir():
            raise FtS2aError("is a folder", where=target, expected="the name of a file to write")
        _put_in_place(temporary, target)
    finally:
        _remove(temporary)


@contextlib.contextmanager
def staging_folder(path: str | Path, *, resume: bool, overwrite: bool) -> Iterator[Path]:
    """Give a hidden folder beside `path` that outlives an interruption.

    The block makes the output as ``<folder>/output``; when the block ends well, that is moved to
    `path` and the folder is removed.  When it raises, the folder stays as it is, for the next run
    with `resume`: a block that has nothing worth keeping deletes it.

    Parameters
    ----------
    path : str or Path
        Final place of a folder.
    resume : bool
        Go on in a folder that an interrupted run left.
    overwrite : bool
        Replace what is at `path`, and drop what an interrupted run left.

    Yields
    ------
    Path
        The folder.

    Raises
    ------
    OutputExistsError
        When there is an output, or an interrupted run that nobody asked to go on with.
    MissingFileError
        When there is nothing to resume.
    FtS2aError
        When the folder cannot be made.
    """
    if resume and overwrite:
        raise FtS2aError("--resume and --overwrite exclude each other", remedy="choose one")
    target = Path(os.path.realpath(refuse_existing(path, overwrite=overwrite)))
    _refuse_home(target)
    folder = target.with_name(f".{target.name}.unfinished")
    if resume and not folder.is_dir():
        raise MissingFileError(
            "nothing was interrupted there", where=target, remedy="leave out --resume"
        )
    if folder.exists() and not (resume or overwrite):
        raise OutputExistsError(
            f"an interrupted run left {folder.name} beside it",
            where=target,
            remedy="go on with --resume, or start anew with --overwrite",
        )
    if not resume:
        _remove(folder)
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise FtS2aError(
                f"the output folder cannot be made ({error.strerror})", where=folder
            ) from error
    yield folder
    _put_in_place(folder / "output", target)
    _remove(folder)


def _put_in_place(temporary: Path, target: Path) -> None:
    _flush(temporary)
    _replace(temporary, target)
    _fsync(target.parent)


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


def _refuse_home(target: Path) -> None:
    # Overwriting replaces the whole folder: never one that holds more than an output.
    for kept, name in ((Path.cwd(), "the folder you are in"), (Path.home(), "your home")):
        if kept.resolve().is_relative_to(target):
            raise FtS2aError(
                f"the output would replace {name}", where=target, remedy="name a new folder in it"
            )


def _flush(path: Path) -> None:
    """Bring a file, or each file of a folder, onto the disk before it gets its final name."""
    if path.is_file():
        _fsync(path)
        return
    # File systems write what several threads wait for at once, in a tenth of the time.
    with ThreadPoolExecutor(_FLUSHING) as threads:
        for folder, _, names in os.walk(path):
            files = (Path(folder, name) for name in names)
            for _ in threads.map(_fsync, [file for file in files if file.is_file()]):
                pass
            _fsync(Path(folder))


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # some file systems refuse fsync on folders; the rename is still atomic
    finally:
        os.close(descriptor)


def _replace(source: Path, target: Path) -> None:
    if target.exists() and (target.is_dir() or source.is_dir()):
        # A folder cannot be renamed over one that holds files: move the old one aside first.
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
