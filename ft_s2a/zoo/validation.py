"""Check that an entry is what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ft_s2a.checkpoint.formats import load_network
from ft_s2a.entries import Entry, read_entry, weights_path
from ft_s2a.entries.download import local_weights, trusted_hash
from ft_s2a.entries.registry import find_folder, weights_bytes
from ft_s2a.errors import ConfigError, FtS2aError
from ft_s2a.zoo.card import UNSTATED
from ft_s2a.zoo.expectation import predict_example, read_expectation
from ft_s2a.zoo.rendering import RENDERED, render

Status = Literal["ok", "warning", "unverified", "not fetched", "failed"]

# What a repository of entries can carry.
_WEIGHTS_BYTES = 5_000_000
_CODE = (".py", ".pyc", ".so", ".sh", ".ipynb")
_PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".bin", ".joblib", ".npy")


@dataclass(frozen=True)
class Check:
    """One check: its name, how it went, and what was found."""

    check: str
    status: Status
    detail: str


def validate(entry_dir: str | Path) -> list[Check]:
    """Check an entry: schema, hashes, tables, weights, example, rendered files.

    Nothing is fetched.  Weights without a recorded hash are *unverified*; what needs the weights
    is checked where they lie on this machine and, if unverified, were trusted before.

    Parameters
    ----------
    entry_dir : str or Path
        Folder with ``entry.yaml``.

    Returns
    -------
    list of Check
        The entry is valid when none has failed.

    Examples
    --------
    ::

        [row.detail for row in validate("model_zoo/yeast/basenji2") if row.status == "failed"]
    """
    try:
        entry = read_entry(entry_dir)
    except FtS2aError as error:
        return [Check("schema", "failed", str(error))]
    checks: tuple[tuple[str, Callable[[Entry], Check | str]], ...] = (
        ("name", _name),
        ("tracks", _tracks),
        ("splits", _splits),
        ("licence", _licence),
        ("citation", _citation),
        ("content", _content),
        ("rendered files", _rendered),
        ("weights", _weights),
        ("size", _size),
    )
    rows = [Check("schema", "ok", f"version {entry.schema_version}")]
    rows += [_run(name, check, entry) for name, check in checks]
    good = next(row for row in rows if row.check == "weights").status in ("ok", "unverified")
    if good and local_weights(entry) and (entry.weights.sha256 or trusted_hash(entry)):
        rows.append(_run("network", _network, entry))
        rows.append(_run("example", _example, entry))
    return rows


def validate_named(entry: str | Path) -> tuple[Path, list[Check]]:
    """Check an entry given its name or folder; returns the folder too."""
    folder = find_folder(entry)
    return folder, validate(folder)


def require_valid(folder: Path, checks: Sequence[Check]) -> None:
    """Raise when a check has failed.

    Raises
    ------
    ConfigError
        Naming the checks.
    """
    failed = [check.check for check in checks if check.status == "failed"]
    if failed:
        raise ConfigError(f"the entry is not valid: {', '.join(failed)} failed", where=folder)


def _run(name: str, check: Callable[[Entry], Check | str], entry: Entry) -> Check:
    try:
        result = check(entry)
    except FtS2aError as error:
        return Check(name, "failed", str(error))
    return Check(name, "ok", result) if isinstance(result, str) else result


def _name(entry: Entry) -> Check | str:
    parts = entry.name.split("/")
    if entry.folder.parts[-len(parts) :] != tuple(parts):
        return Check(
            "name", "failed", f"{entry.name!r} is not the end of the folder's path {entry.folder}"
        )
    return entry.name


def _tracks(entry: Entry) -> str:
    table = entry.read_tracks()
    return f"{len(table)} tracks, heads {', '.join(table.heads)}"


def _splits(entry: Entry) -> Check | str:
    path = entry.splits_path()
    if path is None:
        return Check("splits", "warning", "unknown: scores on any region may be too good")
    return path.name


def _licence(entry: Entry) -> Check | str:
    if entry.license == UNSTATED:
        return Check("licence", "failed", "none is stated: nobody may use the entry")
    unstated = [key for key in ("species", "assembly") if getattr(entry, key) == UNSTATED]
    if unstated:
        return Check("licence", "warning", f"{entry.license}; {' and '.join(unstated)} unstated")
    return entry.license


def _citation(entry: Entry) -> Check | str:
    if not entry.citation:
        return Check("citation", "warning", "none is stated")
    return entry.citation


def _files(entry: Entry) -> Iterator[Path]:
    for path in sorted(entry.folder.rglob("*")):
        relative = path.relative_to(entry.folder)
        # Kipoi downloads into `downloaded`; hidden files are editors' and systems'.
        if path.is_file() and not any(
            part.startswith(".") or part == "downloaded" for part in relative.parts
        ):
            yield path


def _content(entry: Entry) -> Check | str:
    files = list(_files(entry))
    foreign = [p for p in files if p.suffix.lower() in (*_CODE, *_PICKLES)]
    if foreign:
        return Check("content", "failed", f"{foreign[0].name}: entries hold no code and no pickles")
    return f"{len(files)} files"


def _rendered(entry: Entry) -> str:
    render(entry.folder, check=True)
    return ", ".join(RENDERED)


def _weights(entry: Entry) -> Check | str:
    recorded = entry.weights.sha256 is not None
    if not recorded and trusted_hash(entry) is None:
        return Check("weights", "unverified", "no hash is recorded")
    if local_weights(entry) is None and entry.weights.url is not None:
        known = "hash recorded" if recorded else "unverified, but trusted on this machine"
        return Check("weights", "not fetched", f"{known}; `ft-s2a zoo fetch {entry.name}`")
    path = weights_path(entry)
    size = path.stat().st_size
    if entry.weights.bytes is not None and size != entry.weights.bytes:
        return Check("weights", "failed", f"{size} bytes; {entry.weights.bytes} are recorded")
    if not recorded:
        return Check("weights", "unverified", f"{path.name}, hash as trusted on this machine")
    return f"{path.name}, hash as recorded"


def _size(entry: Entry) -> Check | str:
    total = sum(path.stat().st_size for path in _files(entry))
    weights = weights_bytes(entry) if entry.weights.file else None
    if weights is not None and weights > _WEIGHTS_BYTES:
        return Check(
            "size",
            "warning",
            f"weights of {weights / 1e6:.1f} MB in the folder: above 5 MB, keep them at an address",
        )
    return f"{total / 1e6:.2f} MB"


def _network(entry: Entry) -> str:
    network = load_network(weights_path(entry), entry.model, entry.weights.format)
    return f"{sum(p.numel() for p in network.parameters()):,} parameters"


def _example(entry: Entry) -> Check | str:
    example = entry.example
    if example is None:
        return Check("example", "warning", "none")
    for file in (example.fasta, example.intervals, example.expect):
        entry.checked(file)
    inputs, predictions = predict_example(entry.folder, example.intervals.file, example.fasta.file)
    expected_inputs, expected = read_expectation(entry.folder / example.expect.file)
    if expected.shape != predictions.shape or not np.array_equal(inputs, expected_inputs):
        return Check("example", "failed", "the example's windows are not those of expect.h5")
    difference = float(np.abs(predictions - expected).max())
    if not difference < 1.5 * 10.0**-example.precision_decimal:
        return Check("example", "failed", f"predictions differ from expect.h5 by {difference:.2g}")
    return f"{len(predictions)} windows predicted, largest difference {difference:.1g}"
