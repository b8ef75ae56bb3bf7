from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ft_s2a
from ft_s2a.entries import find_entry, list_models, registry, roots
from ft_s2a.errors import MissingFileError

Write = Callable[[Path, dict[str, Any]], Path]


@pytest.fixture
def zoo(
    tmp_path: Path, document: dict[str, Any], write_entry: Write, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A root with two entries, named by FT_S2A_ZOO."""
    root = tmp_path / "zoo"
    write_entry(root / "toy/small", document)
    scores = [
        {"metric": "pearson", "on": "test", "track": name, "value": value}
        for name, value in (("a", 0.5), ("b", 0.75), ("c", 0.25))
    ]
    write_entry(root / "toy/large", {**document, "name": "toy/large", "scores": scores})
    monkeypatch.setenv("FT_S2A_ZOO", str(root))
    return root


def test_named_folders_come_first(
    zoo: Path,
    tmp_path: Path,
    document: dict[str, Any],
    write_entry: Write,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = tmp_path / "other"
    write_entry(other / "toy/small", {**document, "summary": "Another."})
    monkeypatch.setenv("FT_S2A_ZOO", f"{other}:{zoo}")
    assert roots()[:2] == [other, zoo]
    assert find_entry("toy/small").summary == "Another."
    assert find_entry("toy/large").folder == zoo / "toy/large"


def test_a_checkout_has_its_zoo() -> None:
    assert Path(ft_s2a.__file__).parents[1] / "model_zoo" in roots()


def test_list_models(zoo: Path) -> None:
    table = list_models("toy/").set_index("name")
    assert list(table.index) == ["toy/large", "toy/small"]
    row = table.loc["toy/large"]
    assert (row.input_length, row.bins, row.tracks, row.licence) == (1024, 6, 3, "MIT")
    assert row["size"] == len(b"????????{}these are weights")
    # the median of 0.5, 0.75, 0.25
    assert row.scores == "pearson 0.50 on test"
    assert list(list_models("*/sm*").name) == ["toy/small"]
    assert ft_s2a.list_models("toy/large").shape == (1, 9)


def test_near_misses(zoo: Path) -> None:
    with pytest.raises(MissingFileError, match="did you mean 'toy/small'"):
        find_entry("toy/smal")
    with pytest.raises(MissingFileError, match="did you mean 'toy/large'"):
        list_models("toy/lareg")


def test_paths(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(zoo / "toy")
    assert find_entry("./small").name == "toy/small"
    assert find_entry("small").name == "toy/small"
    assert find_entry(zoo / "toy/small/entry.yaml").name == "toy/small"
    with pytest.raises(MissingFileError, match="no such entry folder"):
        find_entry("./smal")


def test_a_broken_entry_does_not_hide_the_others(
    zoo: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (zoo / "toy/large/entry.yaml").write_text("name: [\n")
    with caplog.at_level(logging.WARNING):
        assert list(list_models("toy/").name) == ["toy/small"]
    assert "entry.yaml" in caplog.text


def test_a_missing_root_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FT_S2A_ZOO", str(tmp_path / "gone"))
    with pytest.raises(MissingFileError, match=r"gone: no such folder, but FT_S2A_ZOO"):
        registry.roots()
