from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ft_s2a.entries import read_entry
from ft_s2a.entries.schema import Entry, entry_yaml
from ft_s2a.errors import ChecksumError, ConfigError, MissingFileError, TrackError

Write = Callable[[Path, dict[str, Any]], Path]


def test_an_entry_is_read_with_its_config_and_tracks(
    tmp_path: Path, document: dict[str, Any], write_entry: Write
) -> None:
    entry = read_entry(write_entry(tmp_path / "toy/small", document))
    # 1024 / 128 - 2 bins
    assert entry.model.geometry.output_bins == 6
    assert entry.read_tracks().names == ("a.fwd", "a.rev", "b")
    assert entry.ensemble == "rc"
    assert entry.splits_path() is None


def test_what_is_written_reads_back_equal(document: dict[str, Any]) -> None:
    document["scores"] = [{"metric": "pearson", "on": "test (II)", "value": 0.75, "low": 0.7}]
    entry = Entry.model_validate(document)
    assert Entry.model_validate(yaml.safe_load(entry_yaml(entry))) == entry


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"wieghts": 1}, "unknown field 'wieghts'"),
        ({"name": "nogroup"}, "name is 'nogroup'"),
        ({"schema_version": 2}, "schema_version is 2"),
        ({"license": ""}, "license"),
        ({"ensemble": "twice"}, "ensemble is 'twice'"),
        ({"weights": {"sha256": "0" * 64}}, "either file or url is needed"),
        ({"weights": {"file": "w", "url": "http://x"}}, "either file or url is needed"),
        ({"weights": {"file": "../w"}}, "inside the entry's folder"),
        ({"weights": {"file": "w", "sha256": "12"}}, "weights.sha256"),
        ({"weights": {"file": "w", "format": "pickle"}}, "weights.format is 'pickle'"),
        ({"tracks": {"file": "/etc/passwd", "sha256": "0" * 64}}, "inside the entry's folder"),
        ({"model": {"architecture": "basenji3", "heads": []}}, "basenji3"),
        ({"model": {"architecture": "basenji2", "heads": []}}, "without heads"),
    ],
)
def test_wrong_fields_are_named(
    tmp_path: Path,
    document: dict[str, Any],
    write_entry: Write,
    change: dict[str, Any],
    message: str,
) -> None:
    folder = write_entry(tmp_path / "toy/small", document)
    (folder / "entry.yaml").write_text(yaml.safe_dump({**document, **change}))
    with pytest.raises(ConfigError, match=message) as caught:
        read_entry(folder)
    assert "entry.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_yaml_tags_do_not_run_code(tmp_path: Path) -> None:
    (tmp_path / "entry.yaml").write_text("!!python/object/apply:os.getcwd []\n")
    with pytest.raises(ConfigError, match="cannot be read as YAML"):
        read_entry(tmp_path)


def test_a_folder_without_entry_yaml(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"no entry\.yaml"):
        read_entry(tmp_path)


def test_a_changed_track_table_is_noticed(
    tmp_path: Path, document: dict[str, Any], write_entry: Write
) -> None:
    folder = write_entry(tmp_path / "toy/small", document)
    (folder / "tracks.tsv").write_text("name\nx\ny\nz\n")
    with pytest.raises(ChecksumError, match=r"tracks\.tsv.*SHA-256 is"):
        read_entry(folder).read_tracks()


def test_a_track_table_of_another_size_is_noticed(
    tmp_path: Path, document: dict[str, Any], write_entry: Write
) -> None:
    document["model"]["heads"] = [{"name": "tracks", "tracks": 4}]
    entry = read_entry(write_entry(tmp_path / "toy/small", document))
    with pytest.raises(TrackError, match="3 tracks of head 'tracks', of which the network has 4"):
        entry.read_tracks()


@pytest.mark.parametrize("form", ["safetensors", "keras-h5"])
def test_formats_of_weights(document: dict[str, Any], form: str) -> None:
    document["weights"] = {"url": "https://example.org/w", "format": form}
    entry = Entry.model_validate(document)
    assert entry.weights.format == form
    assert Entry.model_validate(yaml.safe_load(entry_yaml(entry))) == entry


def test_the_default_format_is_ours(document: dict[str, Any]) -> None:
    assert Entry.model_validate(document).weights.format == "safetensors"
