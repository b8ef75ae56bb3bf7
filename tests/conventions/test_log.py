"""The log goes to the stderr of the moment, one line a message."""

from __future__ import annotations

import io
import logging
import sys
import warnings
from collections.abc import Iterator

import pytest

from ft_s2a.conventions import log


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    logger = logging.getLogger("ft_s2a")
    handlers, level, propagate = list(logger.handlers), logger.level, logger.propagate
    logger.handlers = []
    with warnings.catch_warnings():
        yield
    logger.handlers, logger.propagate = handlers, propagate
    logger.setLevel(level)


@pytest.mark.parametrize(
    ("options", "shown"),
    [({}, "iw"), ({"verbose": True}, "diw"), ({"quiet": True}, "w")],
)
def test_levels(options: dict[str, bool], shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(**options)
    logger = logging.getLogger("ft_s2a.genome")
    logger.debug("d")
    logger.info("i")
    logger.warning("w")
    assert capsys.readouterr() == ("", "".join(f"{letter}\n" for letter in shown))


def test_configured_twice_says_once(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure()
    log.configure()
    logging.getLogger("ft_s2a").info("said")
    assert capsys.readouterr().err == "said\n"


def test_a_replaced_stderr_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    log.configure()
    later = io.StringIO()
    monkeypatch.setattr(sys, "stderr", later)
    logging.getLogger("ft_s2a").info("said")
    assert later.getvalue() == "said\n"
