"""Progress on stderr: one home, off without a terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

T = TypeVar("T")


class Bar:
    """A progress bar that can be advanced; does nothing without a terminal.

    Made by :func:`bar`.
    """

    def __init__(self, progress: object | None, task: int) -> None:
        self._progress = progress
        self._task = task

    def advance(self, amount: float = 1.0, note: str | None = None) -> None:
        """Move on by `amount`; `note` replaces the text behind the bar."""
        if self._progress is None:
            return
        fields = {} if note is None else {"note": note}
        self._progress.update(self._task, advance=amount, **fields)  # type: ignore[attr-defined]


@contextlib.contextmanager
def bar(description: str, total: float | None, *, unit: str = "", done: float = 0) -> Iterator[Bar]:
    """Show a bar on stderr while the block runs.

    Parameters
    ----------
    description : str
        What is being done.
    total : float or None
        Amount of work; None when unknown.
    unit : str
        Unit shown behind the count.
    done : float
        Work done before (a resumed run).

    Yields
    ------
    Bar
        To be advanced; inert without a terminal, or while another bar is shown.

    Examples
    --------
    >>> with bar("reading", 2, unit="windows") as shown:
    ...     shown.advance(note="r 0.71")
    """
    if not sys.stderr.isatty():
        yield Bar(None, 0)
        return
    from rich.console import Console
    from rich.errors import LiveError
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
        transient=False,
    )
    task = progress.add_task(description, total=total, completed=int(done), note="")
    try:
        progress.start()
    except LiveError:  # older rich shows one bar at a time: the outer one stays
        yield Bar(None, 0)
        return
    try:
        yield Bar(progress, task)
    finally:
        progress.stop()


def track(
    items: Iterable[T], description: str, *, total: int | None = None, unit: str = ""
) -> Iterator[T]:
    """Iterate with a bar on stderr.

    Parameters
    ----------
    items : iterable
        What is gone through.
    description : str
        What is being done.
    total : int, optional
        Number of items, where `items` has no length.
    unit : str
        Unit shown behind the count.

    Yields
    ------
    object
        The items.

    Examples
    --------
    >>> list(track([1, 2], "counting"))
    [1, 2]
    """
    length = len(items) if total is None and isinstance(items, Sized) else total
    with bar(description, length, unit=unit) as shown:
        for item in items:
            yield item
            shown.advance()
