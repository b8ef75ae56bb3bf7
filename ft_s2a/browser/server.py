"""A server for a local page: 127.0.0.1 only, byte ranges, no dependency.

igv.js reads bigWigs and FASTA piece by piece, which ``http.server`` alone cannot answer (it sends
whole files).  The standard library plus the Range header is enough for one person's browser, and
behaves the same in every installation, so nothing else is used even where starlette and uvicorn
are installed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import webbrowser
from collections.abc import Callable
from email.utils import formatdate, parsedate_to_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from urllib.parse import unquote

from ft_s2a.browser.manifest import read_linked
from ft_s2a.browser.ranges import UnsatisfiableRangeError, parse_range
from ft_s2a.errors import FtS2aError, MissingFileError, require_file

_log = logging.getLogger(__name__)

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".bed": "text/plain; charset=utf-8",
    ".fai": "text/plain; charset=utf-8",
    ".sizes": "text/plain; charset=utf-8",
    ".tsv": "text/plain; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}
# A page elsewhere that resolves its own name to 127.0.0.1 must not read the data.
_HOSTS = ("127.0.0.1", "localhost", "[::1]")


class Server:
    """A folder served on 127.0.0.1; use it as a context manager, or call :meth:`run`.

    Parameters
    ----------
    folder : str or Path
        Folder with an ``index.html``.
    port : int
        Port; 0 takes a free one.

    Examples
    --------
    >>> import tempfile, urllib.request
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "index.html").write_text("hello")
    >>> with Server(folder) as server:
    ...     with urllib.request.urlopen(server.url) as answer:
    ...         answer.read()
    b'hello'
    """

    def __init__(self, folder: str | Path, *, port: int = 0) -> None:
        root = require_file(folder, "folder").resolve()
        if not (root / "index.html").is_file():
            raise MissingFileError(
                "holds no index.html", where=folder, remedy="make it with `ft-s2a browse page`"
            )
        try:
            self._http = _HTTPServer(root, read_linked(root), port)
        except (OSError, OverflowError) as error:
            raise FtS2aError(
                f"port {port} cannot be used ({error})",
                remedy="choose another, or 0 for a free one",
            ) from error
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._http.server_address[1])

    @property
    def url(self) -> str:
        """Address of the page."""
        return f"http://127.0.0.1:{self.port}/"

    def __enter__(self) -> Server:
        self._thread = threading.Thread(target=self.run, name="ft_s2a-server", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.shutdown()
        if self._thread is not None:
            self._thread.join()
        self.close()

    def run(self) -> None:
        """Serve in this thread until it is interrupted or :meth:`__exit__` is called."""
        self._http.serve_forever(poll_interval=0.1)

    def close(self) -> None:
        """Stop listening and end open connections."""
        self._http.server_close()


def serve(
    folder: str | Path,
    *,
    port: int = 0,
    open_browser: bool = False,
    announce: Callable[[str], object] = _log.info,
) -> None:
    """Serve a page folder on 127.0.0.1 until Ctrl-C.

    Parameters
    ----------
    folder : str or Path
        Folder written by :func:`ft_s2a.browser.write_page`.
    port : int
        Port; 0 takes a free one.
    open_browser : bool
        Open the page in the user's browser.
    announce : callable
        Is given the address once the server listens.
    """
    server = Server(folder, port=port)
    try:
        announce(server.url)
        if open_browser:
            webbrowser.open(server.url)
        server.run()
    except KeyboardInterrupt:
        _log.info("stopped")
    finally:
        server.close()


class _HTTPServer(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, root: Path, linked: frozenset[str], port: int) -> None:
        self.root = root
        self.linked = linked
        self._open: set[object] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: object, client_address: object) -> None:
        self._open.add(request)
        super().process_request(request, client_address)  # type: ignore[arg-type]

    def shutdown_request(self, request: object) -> None:
        self._open.discard(request)
        super().shutdown_request(request)  # type: ignore[arg-type]

    def server_close(self) -> None:
        super().server_close()
        # Browsers keep connections alive; their threads would wait for the next request.
        for request in list(self._open):
            self.shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        _log.debug("a connection ended early", exc_info=True)


def locate(root: Path, target: str, linked: frozenset[str] = frozenset()) -> Path | None:
    """Find the file that a request target names, or None.

    Nothing outside `root` is ever found: names that start with a dot and backslashes are refused,
    and a link that leads outside counts only when the page's own table lists it (`linked`).
    """
    plain = unquote(target.split("?", 1)[0].split("#", 1)[0])
    parts = [part for part in plain.split("/") if part]
    if any(part.startswith(".") or "\\" in part or "\0" in part for part in parts):
        return None
    try:
        file = root.joinpath(*parts)
        if file.is_dir():
            file = file / "index.html"
        if not file.is_file():
            return None
        inside = file.resolve().is_relative_to(root.resolve())
    except (OSError, ValueError):
        return None  # a name that the file system cannot have
    return file if inside or file.relative_to(root).as_posix() in linked else None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "ft-s2a"
    sys_version = ""
    timeout = 60
    server: _HTTPServer

    def do_GET(self) -> None:
        """Answer GET."""
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        """Answer HEAD."""
        self._answer(with_body=False)

    def _refuse_method(self) -> None:
        self.close_connection = True  # a body may follow that nobody reads
        self._short(HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": "GET, HEAD"})

    do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _refuse_method  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Send the access log to the package's log."""
        _log.debug("%s %s", self.address_string(), format % args)

    def _answer(self, *, with_body: bool) -> None:
        host = self.headers.get("Host", "127.0.0.1").lower()
        if host.rsplit(":", 1)[0] not in _HOSTS and host not in _HOSTS:
            self._short(HTTPStatus.FORBIDDEN)
            return
        file = locate(self.server.root, self.path, self.server.linked)
        if file is None or not os.access(file, os.R_OK):
            self._short(HTTPStatus.NOT_FOUND)
            return
        with open(file, "rb") as handle:
            status = os.fstat(handle.fileno())
            headers = {
                "Accept-Ranges": "bytes",
                "Cache-Control": "no-cache",
                "ETag": f'"{status.st_mtime_ns:x}-{status.st_size:x}"',
                "Last-Modified": formatdate(status.st_mtime, usegmt=True),
            }
            if self._unchanged(headers):
                self._head(HTTPStatus.NOT_MODIFIED, headers)
                return
            try:
                span = self._range(headers, status.st_size)
            except UnsatisfiableRangeError:
                headers["Content-Range"] = f"bytes */{status.st_size}"
                self._short(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers)
                return
            start, end = span or (0, status.st_size)
            headers["Content-Type"] = _TYPES.get(file.suffix, "application/octet-stream")
            headers["Content-Length"] = str(end - start)
            if span is not None:
                headers["Content-Range"] = f"bytes {start}-{end - 1}/{status.st_size}"
            self._head(HTTPStatus.OK if span is None else HTTPStatus.PARTIAL_CONTENT, headers)
            if with_body and end > start:
                sent = self.connection.sendfile(handle, start, end - start)
                # A file that shrank meanwhile: the promised length cannot be kept.
                self.close_connection |= sent != end - start

    def _range(self, headers: dict[str, str], length: int) -> tuple[int, int] | None:
        # A Range belongs to GET only; If-Range asks for it only when the file is the same.
        condition = self.headers.get("If-Range")
        if self.command != "GET" or condition not in (
            None, headers["ETag"], headers["Last-Modified"],
        ):  # fmt: skip
            return None
        return parse_range(self.headers.get("Range"), length)

    def _unchanged(self, headers: dict[str, str]) -> bool:
        known = self.headers.get("If-None-Match")
        if known is not None:
            tags = [tag.strip().removeprefix("W/") for tag in known.split(",")]
            return "*" in tags or headers["ETag"] in tags
        since = self.headers.get("If-Modified-Since")
        if since is None:
            return False
        with contextlib.suppress(ValueError, TypeError):
            modified = parsedate_to_datetime(headers["Last-Modified"])
            return modified <= parsedate_to_datetime(since)
        return False

    def _short(self, status: HTTPStatus, headers: dict[str, str] | None = None) -> None:
        text = f"{status.value} {status.phrase}\n".encode()
        own = {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(text))}
        self._head(status, {**(headers or {}), **own})
        if self.command != "HEAD":
            self.wfile.write(text)

    def _head(self, status: HTTPStatus, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("X-Content-Type-Options", "nosniff")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
