"""Ctrl-C and SIGTERM: end after the step in hand, so that the state can be kept."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_log = logging.getLogger(__name__)
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_signal() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C or SIGTERM into an event, so that a step is never cut in two.

    A second one interrupts at once.  Outside the main thread nothing is changed.

    Yields
    ------
    threading.Event
        Set as soon as the run should end.
    """
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return

    def ask(number: int, frame: object) -> None:
        if stopped.is_set():
            raise KeyboardInterrupt
        _log.warning("stopping after this step (again Ctrl-C: at once)")
        stopped.set()

    before = {number: signal.signal(number, ask) for number in _SIGNALS}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def leave_signals_to_parent(worker: int) -> None:
    """Ignore Ctrl-C and SIGTERM in a reading process, which ends when its parent is done with it.

    A terminal sends Ctrl-C to every process (and a cluster SIGTERM): a reader that died of it
    would cut the step in hand.
    """
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
