"""Logging set-up of the command line: plain lines on stderr."""

from __future__ import annotations

import logging
import sys
import warnings
from typing import TextIO


class _CurrentStderr(logging.StreamHandler[TextIO]):
    """Write to whatever ``sys.stderr`` is now: a progress bar or a test may have replaced it."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # a plain attribute in the base class
        return sys.stderr


def configure(*, verbose: bool = False, quiet: bool = False) -> None:
    """Send the package's log to stderr, one line a message; may be called again.

    Parameters
    ----------
    verbose, quiet : bool
        Show debug messages, or warnings only.
    """
    level = logging.DEBUG if verbose else logging.WARNING if quiet else logging.INFO
    logger = logging.getLogger("ft_s2a")
    logger.setLevel(level)
    if not any(isinstance(handler, _CurrentStderr) for handler in logger.handlers):
        handler = _CurrentStderr()
        handler.setFormatter(logging.Formatter("%(message)s"))
        logger.addHandler(handler)
    logger.propagate = False
    if not verbose:
        # Third-party chatter is of no use to somebody who typed a command.
        for name in ("lightning", "lightning.pytorch", "lightning.fabric"):
            logging.getLogger(name).setLevel(logging.ERROR)
        warnings.filterwarnings("ignore", module=r"(lightning|torch|kipoi|pkg_resources)(\..*)?")
