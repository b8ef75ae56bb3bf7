from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ft_s2a.entries import Entry, Source, fetch_data, read_entry, read_sources, weights_path
from ft_s2a.entries.download import local_weights, trusted_hash
from ft_s2a.errors import ChecksumError, FormatError, FtS2aError, MissingFileError

Write = Callable[[Path, dict[str, Any]], Path]
CONTENT = (2).to_bytes(8, "little") + b"{}" + b"these are weights"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    asked: list[str]

    def __init__(self, asked: list[str], *args: Any, **kwargs: Any) -> None:
        self.asked = asked
        super().__init__(*args, **kwargs)

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path, list[str]]]:
    """A web server on a folder: its address, the folder, the paths asked for."""
    folder = tmp_path / "served"
    folder.mkdir()
    asked: list[str] = []
    handler = partial(_Quiet, asked, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}", folder, asked
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FT_S2A_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FT_S2A_MIRROR", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def make(tmp_path: Path, document: dict[str, Any], write_entry: Write) -> Callable[..., Entry]:
    def with_weights(**weights: Any) -> Entry:
        return read_entry(write_entry(tmp_path / "toy/small", {**document, "weights": weights}))

    return with_weights


def test_weights_in_the_folder_are_hashed_in_place(make: Callable[..., Entry]) -> None:
    entry = make(file="weights.safetensors", sha256=SHA256)
    assert weights_path(entry) == entry.folder / "weights.safetensors"


def test_weights_that_are_missing(make: Callable[..., Entry]) -> None:
    entry = make(file="weights.safetensors", sha256=SHA256)
    (entry.folder / "weights.safetensors").unlink()
    with pytest.raises(MissingFileError, match="has no weights"):
        weights_path(entry)


def test_a_wrong_hash_names_both(make: Callable[..., Entry]) -> None:
    entry = make(file="weights.safetensors", sha256="0" * 64)
    with pytest.raises(ChecksumError) as caught:
        weights_path(entry)
    for part in ("weights.safetensors", SHA256, "0" * 64, "fetch it again"):
        assert part in str(caught.value)


def test_unverified_weights_are_refused_until_trusted(make: Callable[..., Entry]) -> None:
    entry = make(file="weights.safetensors")
    with pytest.raises(ChecksumError, match=r"unverified.*--trust-on-first-use"):
        weights_path(entry)
    path = weights_path(entry, trust_on_first_use=True)
    assert weights_path(entry) == path
    # The hash was recorded: other bytes are refused from now on, trust or not.
    path.write_bytes(b"other weights of another length")
    with pytest.raises(ChecksumError, match=SHA256):
        weights_path(entry, trust_on_first_use=True)


def test_weights_are_fetched_once(
    make: Callable[..., Entry], server: tuple[str, Path, list[str]], own_cache: Path
) -> None:
    address, folder, asked = server
    (folder / "w.safetensors").write_bytes(CONTENT)
    entry = make(url=f"{address}/w.safetensors", path="toy/w.safetensors", sha256=SHA256)
    path = weights_path(entry)
    assert path.read_bytes() == CONTENT
    assert path.is_relative_to(own_cache)
    assert weights_path(entry) == path
    assert asked == ["/w.safetensors"]


def test_unverified_weights_from_an_address(
    make: Callable[..., Entry], server: tuple[str, Path, list[str]]
) -> None:
    address, folder, asked = server
    (folder / "w.safetensors").write_bytes(CONTENT)
    entry = make(url=f"{address}/w.safetensors")
    with pytest.raises(ChecksumError, match="unverified"):
        weights_path(entry)
    assert asked == []
    path = weights_path(entry, trust_on_first_use=True)
    assert path.read_bytes() == CONTENT
    path.unlink()
    (folder / "w.safetensors").write_bytes(b"changed by somebody")
    with pytest.raises(ChecksumError, match=SHA256):
        weights_path(entry)


def test_a_damaged_download_leaves_nothing(
    make: Callable[..., Entry], server: tuple[str, Path, list[str]], own_cache: Path
) -> None:
    address, folder, _ = server
    (folder / "w.safetensors").write_bytes(b"damaged")
    entry = make(url=f"{address}/w.safetensors", sha256=SHA256)
    with pytest.raises(ChecksumError, match=SHA256):
        weights_path(entry)
    assert [p for p in own_cache.rglob("*") if p.is_file()] == []


def test_a_mirror_folder_is_read_in_place(
    make: Callable[..., Entry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = tmp_path / "mirror/toy"
    mirror.mkdir(parents=True)
    (mirror / "w.safetensors").write_bytes(CONTENT)
    monkeypatch.setenv("FT_S2A_MIRROR", str(mirror.parent))
    entry = make(url="http://127.0.0.1:9/w", path="toy/w.safetensors", sha256=SHA256)
    assert weights_path(entry) == mirror / "w.safetensors"
    (mirror / "w.safetensors").write_bytes(b"damaged")
    with pytest.raises(ChecksumError, match="mirror"):
        weights_path(entry)


def test_a_mirror_address_is_asked_first_and_may_lack_a_file(
    server: tuple[str, Path, list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    address, folder, asked = server
    (folder / "mirror").mkdir()
    (folder / "mirror/one").write_bytes(b"1")
    (folder / "public-two").write_bytes(b"2")
    monkeypatch.setenv("FT_S2A_MIRROR", f"{address}/mirror/")
    one = Source("one", f"{address}/public-one", hashlib.sha256(b"1").hexdigest())
    two = Source("two", f"{address}/public-two", hashlib.sha256(b"2").hexdigest())
    assert [p.read_bytes() for p in fetch_data([one, two])] == [b"1", b"2"]
    assert asked == ["/mirror/one", "/mirror/two", "/public-two"]


def test_file_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a file").write_bytes(b"1")
    digest = hashlib.sha256(b"1").hexdigest()
    source = Source("a file", (tmp_path / "a file").as_uri(), digest)
    assert fetch_data([source])[0].read_bytes() == b"1"
    monkeypatch.setenv("FT_S2A_MIRROR", tmp_path.as_uri())
    assert fetch_data([Source("a file", "", digest)]) == [tmp_path / "a file"]


def test_no_address_answers() -> None:
    with pytest.raises(FtS2aError, match=r"cannot be fetched.*FT_S2A_MIRROR"):
        fetch_data([Source("x", "http://127.0.0.1:9/x", SHA256)])
    with pytest.raises(FtS2aError, match="no address is known"):
        fetch_data([Source("x", "", SHA256)])


def test_a_missing_mirror_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FT_S2A_MIRROR", str(tmp_path / "gone"))
    with pytest.raises(MissingFileError, match="gone: no such folder, but FT_S2A_MIRROR"):
        fetch_data([Source("x", "", SHA256)])


def test_table_of_sources(tmp_path: Path) -> None:
    table = tmp_path / "sources.tsv"
    table.write_text(f"path\turl\tsha256\tbytes\na/b\thttp://x\t{SHA256}\t17\n")
    assert read_sources(table) == [Source("a/b", "http://x", SHA256, 17)]
    table.write_text("path\turl\tsha256\tbytes\na/b\thttp://x\tabc\t17\n")
    with pytest.raises(FormatError, match="row 2 is incomplete"):
        read_sources(table)


@pytest.mark.real_data
def test_the_real_data_are_what_their_table_says(
    mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FT_S2A_MIRROR", str(mirror))
    sources = [s for s in read_sources(mirror / "sources.tsv") if s.path.startswith("yeast/")]
    paths = fetch_data(sources)
    assert len(paths) == 9
    assert [p.stat().st_size for p in paths] == [s.bytes for s in sources]


def test_trusted_weights_are_not_fetched_again(
    make: Callable[..., Entry], server: tuple[str, Path, list[str]]
) -> None:
    address, folder, asked = server
    (folder / "w.safetensors").write_bytes(CONTENT)
    entry = make(url=f"{address}/w.safetensors")
    assert local_weights(entry) is None
    assert trusted_hash(entry) is None
    path = weights_path(entry, trust_on_first_use=True)
    assert weights_path(entry) == path == local_weights(entry)
    assert trusted_hash(entry) == SHA256
    assert asked == ["/w.safetensors"]


def test_damaged_weights_in_the_cache_are_fetched_again(
    make: Callable[..., Entry], server: tuple[str, Path, list[str]]
) -> None:
    address, folder, asked = server
    (folder / "w.safetensors").write_bytes(CONTENT)
    entry = make(url=f"{address}/w.safetensors", sha256=SHA256)
    path = weights_path(entry)
    path.write_bytes(CONTENT[:-1])
    assert weights_path(entry).read_bytes() == CONTENT
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("content", "form", "message"),
    [
        (b"<!DOCTYPE html>\n<html>", "safetensors", "is a web page, no weights file"),
        (b"\n  <html>404</html>", "keras-h5", "is a web page, no weights file"),
        (b"", "safetensors", "is no weights file; expected safetensors"),
        (b"\x80\x04 a pickle", "safetensors", "is no weights file; expected safetensors"),
        (b"\xff" * 7 + b"\x7f{", "safetensors", "is no weights file; expected safetensors"),
        (CONTENT, "keras-h5", "is no weights file; expected HDF5 written by Keras"),
    ],
)
def test_what_is_no_weights_file_is_never_trusted(
    make: Callable[..., Entry],
    server: tuple[str, Path, list[str]],
    own_cache: Path,
    content: bytes,
    form: str,
    message: str,
) -> None:
    address, folder, _ = server
    (folder / "w").write_bytes(content)
    entry = make(url=f"{address}/w", format=form)
    with pytest.raises(FormatError, match=message) as caught:
        weights_path(entry, trust_on_first_use=True)
    assert str(caught.value).startswith(f"{address}/w: ")
    assert [p for p in own_cache.rglob("*") if p.is_file()] == []


def test_a_check_keeps_weights_from_being_trusted(
    make: Callable[..., Entry], server: tuple[str, Path, list[str]], own_cache: Path
) -> None:
    address, folder, _ = server
    (folder / "w").write_bytes(CONTENT)
    entry = make(url=f"{address}/w")

    def refuse(path: Path) -> None:
        assert path.read_bytes() == CONTENT
        raise FormatError("is another network", where=path)

    with pytest.raises(FormatError, match=f"{address}/w: is another network"):
        weights_path(entry, trust_on_first_use=True, check=refuse)
    assert [p for p in own_cache.rglob("*") if p.is_file()] == []
