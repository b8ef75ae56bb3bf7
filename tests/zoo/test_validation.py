from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ft_s2a.checkpoint import load_weights, save_weights
from ft_s2a.conventions.hashing import sha256_file
from ft_s2a.entries import Entry, read_entry
from ft_s2a.entries.schema import HashedFile, entry_yaml
from ft_s2a.zoo import render, validate
from ft_s2a.zoo.expectation import read_expectation, write_expectation


@pytest.fixture
def copy(entry: Entry, tmp_path: Path) -> Path:
    folder = tmp_path / "toy/small"
    shutil.copytree(entry.folder, folder)
    return folder


def statuses(folder: Path) -> dict[str, str]:
    return {row.check: row.status for row in validate(folder)}


def test_a_good_entry(copy: Path) -> None:
    assert statuses(copy) == dict.fromkeys(
        [
            "schema",
            "name",
            "tracks",
            "splits",
            "licence",
            "citation",
            "content",
            "rendered files",
            "weights",
            "size",
            "network",
            "example",
        ],
        "ok",
    )


def _rewrite(folder: Path, **changes: object) -> None:
    entry = read_entry(folder)
    changed = entry.model_copy(update=changes)
    (folder / "entry.yaml").write_text(entry_yaml(changed))
    render(folder)


def _break_schema(folder: Path) -> None:
    (folder / "entry.yaml").write_text("name: x\n")


def _break_weights(folder: Path) -> None:
    data = bytearray((folder / "weights.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "weights.safetensors").write_bytes(bytes(data))


def _remove_weights(folder: Path) -> None:
    (folder / "weights.safetensors").unlink()


def _other_weights(folder: Path) -> None:
    """Another network of the same form, with its hash: only the example notices."""
    network = load_weights(folder / "weights.safetensors")
    for value in network.parameters():
        value.data *= 1.01
    save_weights(folder / "weights.safetensors", network, overwrite=True)
    weights = read_entry(folder).weights
    digest = sha256_file(folder / "weights.safetensors")
    size = (folder / "weights.safetensors").stat().st_size
    _rewrite(folder, weights=weights.model_copy(update={"sha256": digest, "bytes": size}))


def _other_config(folder: Path) -> None:
    _rewrite(folder, model=read_entry(folder).model.model_copy(update={"gelu": "erf"}))


def _other_example(folder: Path) -> None:
    example = read_entry(folder).example
    assert example is not None
    path = folder / example.expect.file
    inputs, predictions = read_expectation(path)
    path.unlink()
    write_expectation(path, inputs, predictions + np.float32(0.1))
    changed = HashedFile(file=example.expect.file, sha256=sha256_file(path))
    _rewrite(folder, example=example.model_copy(update={"expect": changed}))


def _change_example(folder: Path) -> None:
    with open(folder / "example/intervals.bed", "a") as handle:
        handle.write("example1\t0\t10\n")


def _change_tracks(folder: Path) -> None:
    text = (folder / "tracks.tsv").read_text()
    (folder / "tracks.tsv").write_text(text.replace("CPM", "RPM"))


def _change_splits(folder: Path) -> None:
    (folder / "splits.bed").write_text("I\t0\t10\ttest\n")


def _add_code(folder: Path) -> None:
    (folder / "model.py").write_text("print(1)\n")


def _edit_card(folder: Path) -> None:
    with open(folder / "README.md", "a") as handle:
        handle.write("The best model of all.\n")


def _wrong_name(folder: Path) -> None:
    _rewrite(folder, name="toy/large")


def _no_licence(folder: Path) -> None:
    _rewrite(folder, license="unstated")


@pytest.mark.parametrize(
    ("harm", "check", "detail"),
    [
        (_break_schema, "schema", "entry.yaml"),
        (_break_weights, "weights", "SHA-256"),
        (_remove_weights, "weights", "no weights"),
        (_other_weights, "example", "differ from expect.h5"),
        (_other_config, "network", "gelu"),
        (_other_example, "example", "differ from expect.h5 by 0.1"),
        (_change_example, "example", "SHA-256"),
        (_change_tracks, "tracks", "SHA-256"),
        (_change_splits, "splits", "SHA-256"),
        (_add_code, "content", "model.py"),
        (_edit_card, "rendered files", "README.md"),
        (_wrong_name, "name", "toy/large"),
        (_no_licence, "licence", "nobody may use"),
    ],
)
def test_harm_is_found(copy: Path, harm: Callable[[Path], None], check: str, detail: str) -> None:
    harm(copy)
    rows = {row.check: row for row in validate(copy)}
    assert rows[check].status == "failed"
    assert detail in rows[check].detail


def test_without_a_hash_it_is_unverified(copy: Path) -> None:
    _rewrite(copy, weights=read_entry(copy).weights.model_copy(update={"sha256": None}))
    found = statuses(copy)
    assert found["weights"] == "unverified"
    assert "network" not in found
    assert "failed" not in found.values()


def test_what_is_missing_is_said(copy: Path) -> None:
    _rewrite(copy, splits="unknown", citation="", species="unstated")
    found = statuses(copy)
    assert (found["splits"], found["citation"], found["licence"]) == ("warning",) * 3


def test_large_weights_are_told_apart(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ft_s2a.zoo.validation._WEIGHTS_BYTES", 1000)
    assert statuses(copy)["size"] == "warning"
