"""Kipoi's own command line, with our writers from the start."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence


def run_kipoi(arguments: Sequence[str]) -> None:
    """Run ``kipoi ARGUMENTS`` in this process; it may end it.

    The repairs of :mod:`ft_s2a.zoo.kipoi_fixes` then hold for commands that load no model, such
    as ``kipoi preproc``, too.
    """
    from ft_s2a.zoo import kipoi_fixes

    kipoi_fixes.apply()
    from kipoi.__main__ import main

    # Kipoi's logging set-up switches off every logger that exists.
    for name, logger in logging.root.manager.loggerDict.items():
        if name.startswith("ft_s2a") and isinstance(logger, logging.Logger):
            logger.disabled = False
    before = sys.argv
    sys.argv = ["kipoi", *arguments]
    try:
        main()
    finally:
        sys.argv = before
