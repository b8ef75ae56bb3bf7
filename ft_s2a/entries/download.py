"""Fetching files by hash: an entry's weights, and public data sets (torch-free).

Nothing is fetched before somebody needs it, and nothing is used before its SHA-256 was compared.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ft_s2a.checkpoint.formats import check_signature
from ft_s2a.conventions.atomic import atomic_path, write_text
from ft_s2a.conventions.cache import cache_dir, mirror
from ft_s2a.conventions.hashing import sha256_file
from ft_s2a.conventions.progress import bar, track
from ft_s2a.entries.schema import Entry
from ft_s2a.errors import ChecksumError, FormatError, FtS2aError, MissingFileError, require_file

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """A file that can be fetched again.

    Parameters
    ----------
    path : str
        Its place under ``FT_S2A_MIRROR`` and in the cache, relative.
    url : str
        Public address; empty when there is only the mirror.
    sha256 : str
        Hexadecimal.
    bytes : int
        Size; 0 when unknown.
    """

    path: str
    url: str
    sha256: str
    bytes: int = 0


def read_sources(path: str | Path) -> list[Source]:
    """Read a table of sources: columns path, url, sha256, bytes (tab separated, header row).

    Raises
    ------
    FormatError
        Naming the row.
    """
    found = require_file(path, "table of sources")
    with open(found, encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    sources = []
    for number, row in enumerate(rows, start=2):
        size = row.get("bytes") or "0"
        sha256 = row.get("sha256") or ""
        if not row.get("path") or len(sha256) != 64 or not size.isdigit():
            raise FormatError(
                f"row {number} is incomplete", where=found, expected="path, url, sha256, bytes"
            )
        sources.append(Source(str(row["path"]), row.get("url") or "", sha256, int(size)))
    if not sources:
        raise FormatError("holds no source", where=found, expected="path, url, sha256, bytes")
    return sources


def fetch_data(sources: Iterable[Source]) -> list[Path]:
    """Make files available and return where they lie, in order.

    A folder named by ``FT_S2A_MIRROR`` is read in place; otherwise files come from a mirror's
    address or their own, into the cache.

    Raises
    ------
    ChecksumError
        Naming the file and both hashes.
    FtS2aError
        When no address answers.

    Examples
    --------
    ::

        tracks = fetch_data(read_sources("sources.tsv"))
    """
    listed = list(sources)
    return [fetch(source) for source in track(listed, "fetching", unit="files")]


def fetch(source: Source) -> Path:
    """Make one file available; see :func:`fetch_data`."""
    found = _in_mirror(source.path)
    if found is not None:
        _check(found, source.sha256)
        return found
    target = cache_dir() / "data" / source.sha256[:12] / Path(source.path).name
    if target.is_file() and _hash(target) == source.sha256:
        return target
    _download(_addresses(source.path, source.url), target, source.sha256, source.bytes)
    return target


def weights_path(
    entry: Entry,
    *,
    trust_on_first_use: bool = False,
    check: Callable[[Path], object] | None = None,
) -> Path:
    """Path of the entry's weights, fetched when they are not there, with their hash checked.

    Parameters
    ----------
    entry : Entry
        Read from its folder.
    trust_on_first_use : bool
        Accept weights for which the entry records no hash; the hash found now is recorded in
        the cache and must be the same from then on.
    check : callable, optional
        Called with weights that are about to be trusted; what it raises keeps them from that.
        Without it, only their first bytes are looked at.

    Raises
    ------
    MissingFileError
        When the entry's folder lacks its weights.
    ChecksumError
        When the hash differs, or none is recorded and the weights are not trusted.
    FormatError
        When weights that would be trusted are something else, as a server's error page.

    Examples
    --------
    ::

        weights_path(find_entry("yeast/basenji2"))
    """
    known = entry.weights.sha256 or trusted_hash(entry)
    if known is None and not trust_on_first_use:
        raise ChecksumError(
            f"entry {entry.name!r} is unverified: it records no hash of its weights",
            where=entry.folder,
            remedy=f"`ft-s2a zoo fetch {entry.name} --trust-on-first-use` accepts them",
        )
    path, url = local_weights(entry), entry.weights.url
    if path is not None and url is not None and known is not None:
        damaged = path == _cached(entry, url) and _hash(path) != known
        path = None if damaged else path
    if path is None:
        if url is None:
            raise MissingFileError(
                f"entry {entry.name!r} has no weights",
                where=entry.folder / str(entry.weights.file),
                remedy="restore the file, or package the entry again",
            )
        path = _cached(entry, url)
        _download(
            _addresses(entry.weights.path, url),
            path,
            known,
            entry.weights.bytes or 0,
            functools.partial(_inspect, entry, check) if known is None else None,
        )
    elif known is None:
        _inspect(entry, check, path, str(path))
    else:
        _check(path, known)
    if known is None:
        _trust(entry, sha256_file(path))
    return path


def local_weights(entry: Entry) -> Path | None:
    """Where an entry's weights lie already: its folder, the mirror or the cache; else None.

    Nothing is fetched, and no hash is checked.
    """
    weights = entry.weights
    if weights.url is None:
        path = entry.folder / str(weights.file)
    else:
        path = _in_mirror(weights.path) or _cached(entry, weights.url)
    return path if path.is_file() else None


def trusted_hash(entry: Entry) -> str | None:
    """SHA-256 of weights without a recorded hash, if they were trusted before; else None."""
    record = cache_dir() / "trusted" / _key(entry)
    return record.read_text(encoding="utf-8").strip() if record.is_file() else None


def _cached(entry: Entry, url: str) -> Path:
    name = Path(urlsplit(url).path).name or "weights"
    return cache_dir() / "weights" / (entry.weights.sha256 or _key(entry))[:16] / name


def _inspect(
    entry: Entry, check: Callable[[Path], object] | None, path: Path, address: str
) -> None:
    """Look at weights that are about to be trusted."""
    try:
        check_signature(path, entry.weights.format)
        if check is not None:
            check(path)
    except FtS2aError as error:
        # Not the temporary name that a download has.
        raise type(error)(
            error.what, where=address, expected=error.expected, remedy=error.remedy
        ) from error


def _check(path: Path, sha256: str) -> None:
    found = _hash(path)
    if found != sha256:
        raise ChecksumError(
            f"SHA-256 is {found}",
            where=path,
            expected=sha256,
            remedy="the file was changed or is incomplete: delete it and fetch it again",
        )


def _hash(path: Path) -> str:
    status = path.stat()
    return _hash_once(path, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=256)
def _hash_once(path: Path, size: int, modified: int) -> str:
    return sha256_file(path)


def _key(entry: Entry) -> str:
    """Name under which trust in an entry's weights is recorded."""
    place = entry.weights.url or str(entry.folder / str(entry.weights.file))
    return hashlib.sha256(place.encode()).hexdigest()


def _trust(entry: Entry, sha256: str) -> None:
    record = write_text(cache_dir() / "trusted" / _key(entry), sha256 + "\n", overwrite=True)
    _log.warning(
        "trusting the weights of %s: SHA-256 %s, recorded in %s", entry.name, sha256, record
    )


def _folder_of(address: str) -> Path | None:
    """Folder or file that an address without a network protocol means."""
    parts = urlsplit(address)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return None if "://" in address else Path(address).expanduser()


def _in_mirror(path: str | None) -> Path | None:
    """File of a mirror that is a folder; None when it has no such file."""
    named = mirror()
    folder = _folder_of(named) if named else None
    if path is None or folder is None:
        return None
    if not folder.is_dir():
        raise MissingFileError(
            "no such folder, but FT_S2A_MIRROR names it",
            where=folder,
            remedy="correct or unset FT_S2A_MIRROR",
        )
    found = folder / path
    return found if found.is_file() else None


def _addresses(path: str | None, url: str) -> list[str]:
    named = mirror()
    places = []
    if named and path is not None and _folder_of(named) is None:
        places.append(f"{named.rstrip('/')}/{path}")
    return [*places, url] if url else places


def _download(
    addresses: list[str],
    target: Path,
    sha256: str | None,
    size: int,
    inspect: Callable[[Path, str], None] | None = None,
) -> None:
    """Fetch from the first address that answers, check, and move into place."""
    problems = []
    for address in addresses:
        try:
            with atomic_path(target, overwrite=True) as temporary:
                _retrieve(address, temporary, size)
                found = sha256_file(temporary)
                if sha256 is not None and found != sha256:
                    raise ChecksumError(
                        f"SHA-256 is {found}",
                        where=address,
                        expected=sha256,
                        remedy="the file at this address is another one: update ft_s2a, or name a "
                        "mirror in FT_S2A_MIRROR",
                    )
                if inspect is not None:
                    inspect(temporary, address)
            return
        except OSError as error:  # requests' exceptions are OSErrors as well
            problems.append(f"{address}: {' '.join(str(error).split())[:120]}")
            _log.info("no answer from %s", problems[-1])
    raise FtS2aError(
        f"cannot be fetched ({'; '.join(problems) or 'no address is known'})",
        where=target.name,
        remedy="check the network, or name a folder or address with the file in FT_S2A_MIRROR",
    )


def _retrieve(address: str, target: Path, size: int) -> None:
    local = _folder_of(address)
    if local is not None:
        target.write_bytes(local.read_bytes())
        return
    import pooch

    parts = urlsplit(address)
    with bar(f"fetching {Path(parts.path).name}", size or None, unit="bytes") as shown:
        if parts.scheme in ("http", "https"):
            # pooch's own choice would read 1,024 bytes at a time.
            download = pooch.HTTPDownloader(progressbar=_PoochBar(shown), chunk_size=1 << 16)
        else:
            download = pooch.choose_downloader(address)
        download(address, str(target), None)


class _PoochBar:
    """What pooch expects of a progress bar, drawn by ours."""

    def __init__(self, shown: Any) -> None:
        self._shown = shown
        self._done = False
        self.total = 0

    def update(self, amount: int) -> None:
        if not self._done:
            self._shown.advance(amount)

    def reset(self) -> None:
        # At the end pooch rewinds and sets the bar to the total; ours is there already.
        self._done = True

    def close(self) -> None:
        """Do nothing: the bar closes with its block."""
