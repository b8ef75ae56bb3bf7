from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ft_s2a.browser import Server
from ft_s2a.browser.manifest import Page
from ft_s2a.browser.server import locate
from ft_s2a.errors import FormatError, FtS2aError, MissingFileError

DATA = np.random.default_rng(0).bytes(100_000)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "page"
    (root / "data").mkdir(parents=True)
    (root / "index.html").write_text("<p>page")
    (root / "data" / "a.bw").write_bytes(DATA)
    (root / "data" / "empty.bw").write_bytes(b"")
    (root / ".hidden").write_text("hidden")
    (tmp_path / "secret.txt").write_text("secret")
    (root / "data" / "leak.txt").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "page-other").mkdir()
    (tmp_path / "page-other" / "secret.txt").write_text("secret")
    return root


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    with Server(folder) as running:
        yield running


def ask(
    server: Server, path: str, method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers=named)
        answer = connection.getresponse()
        body = answer.read()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, body
    finally:
        connection.close()


def raw(server: Server, request: str) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(request.encode("latin-1"))
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while block := connection.recv(65_536):
            answer += block
    return answer


@pytest.mark.parametrize(
    ("header", "status", "start", "end"),
    [
        (None, 200, 0, 100_000),
        ("bytes=0-63", 206, 0, 64),
        ("bytes=99999-", 206, 99_999, 100_000),
        ("bytes=1000-", 206, 1000, 100_000),
        ("bytes=-100", 206, 99_900, 100_000),
        ("bytes=-200000", 206, 0, 100_000),
        ("bytes=99000-200000", 206, 99_000, 100_000),
        ("bytes=0-1,5-9", 200, 0, 100_000),
        ("bytes=9-5", 200, 0, 100_000),
        ("items=0-5", 200, 0, 100_000),
    ],
)
def test_get_answers_ranges(
    server: Server, header: str | None, status: int, start: int, end: int
) -> None:
    given = {} if header is None else {"Range": header}
    found, headers, body = ask(server, "/data/a.bw", **given)
    assert found == status
    assert body == DATA[start:end]
    assert headers["content-length"] == str(end - start)
    assert headers["accept-ranges"] == "bytes"
    assert headers.get("content-range") == (
        f"bytes {start}-{end - 1}/100000" if status == 206 else None
    )


@pytest.mark.parametrize(
    ("path", "header", "total"),
    [("/data/a.bw", "bytes=100000-", 100_000), ("/data/a.bw", "bytes=-0", 100_000),
     ("/data/empty.bw", "bytes=0-", 0)],
)  # fmt: skip
def test_range_outside_is_416(server: Server, path: str, header: str, total: int) -> None:
    status, headers, body = ask(server, path, Range=header)
    assert status == 416
    assert headers["content-range"] == f"bytes */{total}"
    assert b"416" in body


def test_empty_file_is_sent(server: Server) -> None:
    status, headers, body = ask(server, "/data/empty.bw")
    assert (status, headers["content-length"], body) == (200, "0", b"")


def test_head_sends_headers_only_and_ignores_ranges(server: Server) -> None:
    status, headers, body = ask(server, "/data/a.bw", "HEAD", Range="bytes=0-9")
    assert (status, body) == (200, b"")
    assert headers["content-length"] == "100000"
    assert "content-range" not in headers
    status, _, body = ask(server, "/nothing", "HEAD")
    assert (status, body) == (404, b"")


def test_unchanged_files_are_not_sent_again(server: Server, folder: Path) -> None:
    _, first, _ = ask(server, "/data/a.bw")
    tag, modified = first["etag"], first["last-modified"]
    assert tag.startswith('"')
    assert ask(server, "/data/a.bw", If_None_Match=tag)[0::2] == (304, b"")
    assert ask(server, "/data/a.bw", If_None_Match=f'"x", W/{tag}')[0] == 304
    assert ask(server, "/data/a.bw", If_None_Match='"x"')[0] == 200
    # The tag decides where both are given.
    assert ask(server, "/data/a.bw", If_None_Match='"x"', If_Modified_Since=modified)[0] == 200
    assert ask(server, "/data/a.bw", If_Modified_Since=modified)[0] == 304
    assert ask(server, "/data/a.bw", If_Modified_Since="Sat, 01 Jan 2000 00:00:00 GMT")[0] == 200
    assert ask(server, "/data/a.bw", If_Modified_Since="nonsense")[0] == 200
    (folder / "data" / "a.bw").write_bytes(DATA[:-1])
    assert ask(server, "/data/a.bw", If_None_Match=tag)[0] == 200


def test_if_range_asks_for_the_part_of_the_same_file_only(server: Server) -> None:
    _, first, _ = ask(server, "/data/a.bw")
    for known in (first["etag"], first["last-modified"]):
        assert ask(server, "/data/a.bw", Range="bytes=0-9", If_Range=known)[2] == DATA[:10]
    status, _, body = ask(server, "/data/a.bw", Range="bytes=0-9", If_Range='"other"')
    assert (status, body) == (200, DATA)


def test_index_and_types(server: Server) -> None:
    status, headers, body = ask(server, "/")
    assert (status, body) == (200, b"<p>page")
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert headers["x-content-type-options"] == "nosniff"
    assert ask(server, "/index.html?x=/../#y")[0] == 200
    assert ask(server, "/data/a.bw")[1]["content-type"] == "application/octet-stream"


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/data",
        "/data/",
        "/../secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e/secret.txt",
        "/%2e%2e%2fsecret.txt",
        "/data/../../secret.txt",
        "/data/..%5c..%5csecret.txt",
        "//../secret.txt",
        "/../page-other/secret.txt",
        "/.hidden",
        "/./index.html",
        "/data/leak.txt",
        "/index.html%00.bw",
        "/%ff%fe",
        "/" + "a" * 5000,
        "/index.html/",
        "/data/a.bw/x",
        "http://127.0.0.1/data/a.bw",
    ],
)
def test_nothing_outside_the_folder_is_found(server: Server, path: str) -> None:
    answer = raw(server, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    if path == "/index.html/":  # the same file as without the slash
        assert answer.startswith(b"HTTP/1.1 200")
        return
    assert answer.startswith(b"HTTP/1.1 404"), answer[:60]
    assert b"secret" not in answer
    assert b"hidden" not in answer


def test_absolute_path_is_not_found(server: Server, tmp_path: Path) -> None:
    assert ask(server, f"/{tmp_path / 'secret.txt'}")[0] == 404
    assert locate(tmp_path / "page", str(tmp_path / "secret.txt")) is None


def test_links_that_the_page_lists_are_served(folder: Path) -> None:
    page = Page(
        made_by="test", igv_version="0", entry="", igv={}, tracks=(), shown=(),
        linked=("data/leak.txt",),
    )  # fmt: skip
    (folder / "page.json").write_text(page.model_dump_json())
    with Server(folder) as server:
        assert ask(server, "/data/leak.txt")[2] == b"secret"


def test_folder_of_a_broken_page_is_refused(folder: Path) -> None:
    (folder / "page.json").write_text('{"schema_version": 1, "extra": 2}')
    with pytest.raises(FormatError, match=r"page\.json.*browse page"):
        Server(folder)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8000", "[::1]:80", "LOCALHOST"])
def test_own_hosts_are_answered(server: Server, host: str) -> None:
    assert ask(server, "/", Host=host)[0] == 200


@pytest.mark.parametrize("host", ["example.org", "127.0.0.1.example.org", "localhost.example:80"])
def test_other_hosts_are_refused(server: Server, host: str) -> None:
    # A page elsewhere whose name points to 127.0.0.1 (DNS rebinding) sends its own name.
    assert ask(server, "/", Host=host)[0] == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_only_reading_is_allowed(server: Server, method: str) -> None:
    status, headers, _ = ask(server, "/data/a.bw", method)
    assert (status, headers["allow"]) == (405, "GET, HEAD")


def test_connection_is_kept_alive(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        for path, size in (("/data/a.bw", 100_000), ("/nothing", None), ("/", 7)):
            connection.request("GET", path)
            own = connection.sock
            body = connection.getresponse().read()
            assert size is None or len(body) == size
            assert connection.sock is own
    finally:
        connection.close()


def test_many_readers_at_once(server: Server) -> None:
    failures: list[int] = []

    def read(start: int) -> None:
        for position in range(start, 100_000, 12_500):
            body = ask(server, "/data/a.bw", Range=f"bytes={position}-{position + 99}")[2]
            if body != DATA[position : position + 100]:
                failures.append(position)

    threads = [threading.Thread(target=read, args=(s,)) for s in range(0, 8000, 1000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_reader_that_leaves_does_no_harm(
    server: Server, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "big.bin").write_bytes(bytes(20_000_000))
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"GET /big.bin HTTP/1.1\r\nHost: localhost\r\n\r\n")
        connection.recv(100)
    assert ask(server, "/")[0] == 200
    assert capfd.readouterr().err == ""


def test_server_ends_with_its_block(folder: Path) -> None:
    with Server(folder) as server:
        idle = socket.create_connection(("127.0.0.1", server.port))
        ask(server, "/")
        port = server.port
    with idle:
        idle.settimeout(5)
        assert idle.recv(1) == b""
    with pytest.raises(OSError):  # noqa: PT011  # refused
        socket.create_connection(("127.0.0.1", port), timeout=1).close()


def test_only_this_machine_is_listened_to(server: Server) -> None:
    assert server.url == f"http://127.0.0.1:{server.port}/"
    assert server._http.socket.getsockname()[0] == "127.0.0.1"


def test_port_in_use(folder: Path, server: Server) -> None:
    with pytest.raises(FtS2aError, match=f"port {server.port} cannot be used.*0 for a free one"):
        Server(folder, port=server.port)
    with pytest.raises(FtS2aError, match="port 99999"):
        Server(folder, port=99_999)


def test_folder_without_page(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"no index\.html.*browse page"):
        Server(tmp_path)
    with pytest.raises(MissingFileError, match="no such folder"):
        Server(tmp_path / "nowhere")


def test_command_prints_the_address_and_ends_with_ctrl_c(folder: Path) -> None:
    # A process started by one that ignores SIGINT would ignore it too.
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from ft_s2a.cli import main; main()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, "browse", "serve", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        port = int(url.removesuffix("/").rpartition(":")[2])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"<p>page"
        os.kill(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=20)
        connection.close()
    assert process.returncode == 0
    assert "Traceback" not in errors
