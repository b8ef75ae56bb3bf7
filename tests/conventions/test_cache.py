"""Where the cache lies, and which mirror is asked first."""

from __future__ import annotations

from pathlib import Path

import pytest

from ft_s2a.conventions.cache import cache_dir, mirror


def test_the_cache_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FT_S2A_CACHE", "here")
    assert cache_dir() == tmp_path / "here"
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.setenv("FT_S2A_CACHE", "~/cache")
    assert cache_dir() == tmp_path / "me" / "cache"
    assert not cache_dir().exists()  # asking makes nothing


def test_the_usual_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FT_S2A_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_dir().name == "ft_s2a"
    assert cache_dir().is_relative_to(tmp_path)


def test_the_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FT_S2A_MIRROR", "/data")
    assert mirror() == "/data"
    monkeypatch.setenv("FT_S2A_MIRROR", "")
    assert mirror() is None
