from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from ft_s2a.browser import igv
from ft_s2a.conventions.hashing import sha256_file
from ft_s2a.errors import ChecksumError, FtS2aError, MissingFileError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, no mirror, and no address of the real world."""
    monkeypatch.setenv("FT_S2A_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FT_S2A_IGV_JS", raising=False)
    monkeypatch.delenv("FT_S2A_MIRROR", raising=False)
    monkeypatch.setattr(igv, "PUBLIC_ADDRESS", "http://127.0.0.1:9/npm")
    return tmp_path / "cache"


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mirror with a small file in the place of igv.js, whose hash is the recorded one."""
    folder = tmp_path / "mirror" / "igv" / igv.VERSION
    folder.mkdir(parents=True)
    (folder / "igv.min.js").write_text("// script\n")
    (folder / "LICENSE").write_text("MIT\n")
    hashes = [sha256_file(folder / name) for name in ("igv.min.js", "LICENSE")]
    monkeypatch.setattr(igv, "SHA256", hashes[0])
    monkeypatch.setattr(igv, "LICENCE_SHA256", hashes[1])
    members = (("igv.min.js", "dist/igv.min.js"), ("LICENSE", "LICENSE"))
    files = tuple((*m, h) for m, h in zip(members, hashes, strict=True))
    monkeypatch.setattr(igv, "_FILES", files)
    monkeypatch.setenv("FT_S2A_MIRROR", str(tmp_path / "mirror"))
    return folder


def test_named_file_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "own.js"
    script.write_text("// own\n")
    monkeypatch.setenv("FT_S2A_IGV_JS", str(script))
    found = igv.find_igv()
    assert (found.path, found.version, found.source) == (script, "unknown", "FT_S2A_IGV_JS")


def test_named_file_must_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FT_S2A_IGV_JS", str(tmp_path / "no.js"))
    with pytest.raises(MissingFileError, match=r"no\.js: no such file.*FT_S2A_IGV_JS"):
        igv.find_igv()


def test_setup_fills_the_cache_from_the_mirror(cache: Path, small: Path) -> None:
    script = igv.setup()
    assert script.path == cache / "igv" / igv.VERSION / "igv.min.js"
    assert script.path.read_text() == "// script\n"
    assert igv.find_igv() == script
    assert script.licence is not None
    assert script.licence.read_text() == "MIT\n"
    # What is there is not fetched again.
    (small / "igv.min.js").write_text("// another\n")
    assert igv.setup() == script


def test_setup_replaces_a_damaged_file(cache: Path, small: Path) -> None:
    script = igv.setup().path
    script.write_text("damaged")
    with pytest.raises(ChecksumError, match=r"igv\.min\.js.*browse setup"):
        igv.find_igv()
    assert igv.setup().path.read_text() == "// script\n"


def test_setup_refuses_another_file(cache: Path, small: Path) -> None:
    (small / "igv.min.js").write_text("// another\n")
    with pytest.raises(ChecksumError, match=r"igv\.min\.js"):
        igv.setup()
    assert not igv.cache_folder().exists()


def test_setup_without_network_says_so(cache: Path) -> None:
    with pytest.raises(FtS2aError, match=r"cannot be fetched.*FT_S2A_MIRROR"):
        igv.setup()
    assert not igv.cache_folder().exists()


def test_notebook_package_is_the_last_resort_and_not_imported() -> None:
    if importlib.util.find_spec("igv_notebook") is None:
        pytest.skip("igv-notebook is not installed (the extra `browser`)")
    found = igv.find_igv()
    assert (found.version, found.source) == ("3.1.4", "igv-notebook")
    assert found.path.name == "igv.iife.js"
    assert found.licence is not None
    assert "igv_notebook" not in sys.modules


def test_changed_notebook_script_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = tmp_path / "igv.iife.js"
    changed.write_text("changed")
    monkeypatch.setattr(igv, "_notebook_script", lambda: (changed, None))
    with pytest.raises(ChecksumError, match=r"igv\.iife\.js"):
        igv.find_igv()


def test_without_any_the_ways_to_get_one_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(igv, "_notebook_script", lambda: None)
    with pytest.raises(MissingFileError, match=r"browse setup.*ft_s2a\[browser\].*FT_S2A_IGV_JS"):
        igv.find_igv()
