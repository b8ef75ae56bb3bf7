"""Bars go to stderr on a terminal, and nowhere else."""

from __future__ import annotations

import io
import sys

import pytest

from ft_s2a.conventions.progress import bar, track


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_without_a_terminal_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track(iter("abc"), "reading")) == ["a", "b", "c"]
    with bar("reading", None) as shown:
        shown.advance(3, note="r 0.5")
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_a_bar_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with bar("reading", 8, unit="windows", done=2) as shown:
        shown.advance(6, note="r 0.71")
    text = terminal.getvalue()
    assert "reading" in text
    assert "8/8" in text
    assert "r 0.71" in text
    assert capsys.readouterr().out == ""  # stdout is for results
    assert sys.stderr is terminal


def test_a_bar_inside_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", Terminal())
    with bar("outer", 2) as outer:
        assert sum(track(range(4), "inner")) == 6
        outer.advance()
    with bar("again", 1) as again:
        again.advance()


def test_an_error_inside_ends_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with pytest.raises(KeyboardInterrupt), bar("reading", 8):
        raise KeyboardInterrupt
    assert sys.stderr is terminal  # rich replaces it while a bar is shown
    assert terminal.getvalue().endswith("\x1b[?25h")  # and the cursor is back
