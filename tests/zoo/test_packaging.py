from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import h5py
import pytest

from ft_s2a.checkpoint import load_weights, save_weights
from ft_s2a.entries import Entry, Score, read_entry
from ft_s2a.errors import ConfigError, FormatError, FtS2aError, MissingFileError, OutputExistsError
from ft_s2a.models import build
from ft_s2a.tracks import read_tracks
from ft_s2a.zoo import package, validate
from ft_s2a.zoo.example import precision_decimal
from ft_s2a.zoo.scores import condense, read_scores

FILES = [
    "README.md",
    "dataloader.yaml",
    "entry.yaml",
    "example/expect.h5",
    "example/genome.fa",
    "example/intervals.bed",
    "model.yaml",
    "splits.bed",
    "tracks.tsv",
    "weights.safetensors",
]


def contents(folder: Path) -> dict[str, str]:
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def test_an_entry_states_what_the_run_recorded(entry: Entry, run: Path) -> None:
    assert sorted(contents(entry.folder)) == FILES
    assert (entry.name, entry.version, entry.summary) == ("toy/small", "0.1.0", "A toy network.")
    assert entry.model == load_weights(run / "weights.safetensors").config
    digest = hashlib.sha256((run / "weights.safetensors").read_bytes()).hexdigest()
    assert entry.weights.sha256 == digest
    assert entry.weights.bytes == (run / "weights.safetensors").stat().st_size
    assert entry.training.steps == 20
    assert entry.training.seed == 7
    assert entry.training.contigs["I"].length == 4000
    assert entry.training.recipe["batch_size"] == 2
    assert "model" not in entry.training.recipe
    # The one validation score that is a number.
    assert entry.scores == (
        Score(metric="pearson", units="ln(1 + target)", on="valid", track="atac", value=0.5),
    )
    assert [a.name for a in entry.authors] == ["A. Person", "B. Person"]
    assert entry.read_tracks() == read_tracks(run / "tracks.tsv")
    assert "file" not in (entry.folder / "tracks.tsv").read_text().splitlines()[0].split("\t")


def test_packaging_twice_gives_the_same_bytes(entry: Entry, run: Path, tmp_path: Path) -> None:
    again = package(
        run,
        tmp_path / "toy/small",
        species="Saccharomyces imaginarius",
        assembly="toy1",
        license="MIT",
        authors=["A. Person", "B. Person"],
        citation="Person et al., 2026",
        limitations=["Random weights."],
    )
    assert contents(again.folder) == contents(entry.folder)


def test_the_example_is_small_and_has_three_windows(entry: Entry) -> None:
    assert entry.example is not None
    with h5py.File(entry.folder / entry.example.expect.file) as file:
        assert file["inputs"].shape == (3, 2048, 4)
        assert file["preds"].shape == (3, 8, 5)
        # The second contig's first window begins before the contig, with N.
        assert file["inputs"][1, :512].sum() == 0
    assert (entry.folder / entry.example.expect.file).stat().st_size < 20_000


def test_precision_follows_the_size_of_predictions() -> None:
    import numpy as np

    # float32 has about 7 digits; half of them must agree.
    assert [precision_decimal(np.array([x])) for x in (0.1, 5.0, 50.0, 5e5)] == [4, 3, 2, 0]


def test_what_is_not_given_is_kept_on_overwrite(entry: Entry, run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "toy/small"
    shutil.copytree(entry.folder, folder)
    with pytest.raises(OutputExistsError, match="--overwrite"):
        package(run, folder)
    again = package(run, folder, version="0.2.0", overwrite=True)
    assert (again.version, again.license, again.citation) == ("0.2.0", "MIT", "Person et al., 2026")
    assert again.limitations == ("Random weights.",)


def test_other_folders_are_never_replaced(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "precious"
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match="is no entry; nothing in it is removed"):
        package(run, folder, overwrite=True)
    assert (folder / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize("missing", ["weights.safetensors", "tracks.tsv"])
def test_an_unfinished_run(run: Path, tmp_path: Path, missing: str) -> None:
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / missing).unlink()
    with pytest.raises(MissingFileError, match=f"the run folder has no {missing}"):
        package(tmp_path / "run", tmp_path / "toy/small")
    assert not (tmp_path / "toy").exists()


def test_a_run_with_little_recorded(run: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    for name in ("weights.safetensors", "tracks.tsv"):
        shutil.copy(run / name, tmp_path / "run" / name)
    entry = package(tmp_path / "run", tmp_path / "toy/bare")
    assert (entry.splits, entry.license, entry.scores) == ("unknown", "unstated", ())
    card = (entry.folder / "README.md").read_text()
    assert "is **unknown**" in card
    assert "None recorded." in card


def test_tables_of_another_network(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run/tracks.tsv").write_text("name\thead\na\tdna\n")
    with pytest.raises(FtS2aError, match="1 tracks of head 'dna', of which the network has 3"):
        package(tmp_path / "run", tmp_path / "toy/small")
    assert not (tmp_path / "toy/small").exists()


def test_wrong_fields_are_named(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name is 'toy/two words'"):
        package(run, tmp_path / "toy/two words")
    with pytest.raises(ConfigError, match="version is 'newest'"):
        package(run, tmp_path / "toy/small", version="newest")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_nothing(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ft_s2a.zoo.packaging.render", fail)
    with pytest.raises(KeyboardInterrupt):
        package(run, tmp_path / "toy/small")
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_scores_of_an_evaluation(run: Path, tmp_path: Path) -> None:
    row = {
        "track": "atac",
        "pearson_log1p": 0.8,
        "pearson_log1p_low": 0.7,
        "pearson_log1p_high": 0.9,
        "pearson": 0.6,
    }
    document = {
        "schema": "ft_s2a.evaluate.positions/1",
        "parameters": {"regions": ["II:0-1000", "II:1500-2500"], "units": "observed"},
        "rows": [
            {"model": "toy/small", **row},
            {"model": "kmer4", **row, "pearson_log1p": 0.5, "pearson": None},
        ],
    }
    (tmp_path / "positions.json").write_text(json.dumps(document))
    scores = read_scores(tmp_path, run / "splits.bed")
    assert scores == (
        Score(
            metric="pearson",
            units="ln(1 + observed)",
            on="test (II:0-1000, II:1500-2500)",
            track="atac",
            value=0.8,
            low=0.7,
            high=0.9,
        ),
        Score(
            metric="pearson",
            units="observed",
            on="test (II:0-1000, II:1500-2500)",
            track="atac",
            value=0.6,
        ),
        Score(
            metric="pearson of baseline kmer4",
            units="ln(1 + observed)",
            on="test (II:0-1000, II:1500-2500)",
            track="atac",
            value=0.5,
            low=0.7,
            high=0.9,
        ),
    )
    # Regions of two splits, or none, are not called by one's name.
    document["parameters"] = {"regions": ["I:2000-3500"], "units": "observed"}
    (tmp_path / "positions.json").write_text(json.dumps(document))
    assert {s.on for s in read_scores(tmp_path, run / "splits.bed")} == {"I:2000-3500"}
    entry = package(run, tmp_path / "toy/small", scores=tmp_path / "positions.json")
    assert len(read_entry(entry.folder).scores) == 3


@pytest.mark.parametrize("text", ["{", "{}", '[{"metric": "r"}]', '{"rows": []}', "3"])
def test_scores_that_cannot_be_read(run: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(FormatError, match=r"s\.json"):
        package(run, tmp_path / "toy/small", scores=tmp_path / "s.json")
    assert not (tmp_path / "toy").exists()


# Runs of several heads


@pytest.fixture
def joint(run: Path, tmp_path: Path) -> Path:
    """A run of the heads dna and rna on a data set each, as training leaves it."""
    folder = tmp_path / "runs/joint"
    shutil.copytree(run, folder)
    (folder / "splits.bed").unlink()
    (folder / "splits.dna.bed").write_text("I\t0\t3000\ttrain\nI\t3000\t4000\ttest\n")
    (folder / "splits.rna.bed").write_text("II\t0\t2500\ttrain\n")
    whole = load_weights(run / "weights.safetensors")
    for head, factor in (("dna", 1.5), ("rna", 0.5)):
        alone = build(whole.config.with_heads([h for h in whole.config.heads if h.name == head]))
        state = whole.state_dict()
        # The best weights of a head are those of another step than the whole network's.
        alone.load_state_dict({name: state[name] * factor for name in alone.state_dict()})
        save_weights(folder / f"weights.{head}.safetensors", alone)
    provenance = json.loads((run / "provenance.json").read_text())
    provenance["valid"] = {"pearson": 0.3, "dna.pearson.atac": 0.5, "rna.pearson.rna.fwd": 0.25}
    provenance["heads"] = {
        "dna": {"best_step": 15, "valid": {"pearson": 0.6, "pearson.atac": 0.6}},
        "rna": {"best_step": 20, "valid": {"pearson.rna.fwd": 0.4, "pearson.rna.rev": 0.3}},
    }
    provenance["data"] = {
        head: {"name": f"{head}.zarr", "checksum": letter * 64, "contigs": {"I": {"length": 9}}}
        for head, letter in (("dna", "a"), ("rna", "b"))
    }
    (folder / "provenance.json").write_text(json.dumps(provenance))
    return folder


def test_one_head_of_several(joint: Path, tmp_path: Path) -> None:
    entry = package(joint, tmp_path / "toy/dna", head="dna", license="MIT")
    assert [(h.name, h.tracks) for h in entry.model.heads] == [("dna", 3)]
    assert entry.read_tracks().names == ("atac", "dnase.fwd", "dnase.rev")
    weights = joint / "weights.dna.safetensors"
    assert entry.weights.sha256 == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert sorted(contents(entry.folder)) == FILES
    path = entry.splits_path()
    assert path is not None
    assert path.read_text() == (joint / "splits.dna.bed").read_text()
    training = entry.training
    assert (training.data, training.data_sha256) == ("dna.zarr", "a" * 64)
    assert (training.best_step, training.steps) == (15, 20)
    assert [(s.track, s.value) for s in entry.scores] == [("atac", 0.6)]
    assert {check.status for check in validate(entry.folder)} <= {"ok", "warning"}
    other = package(joint, tmp_path / "toy/rna", head="rna")
    assert [(s.track, s.value) for s in other.scores] == [("rna.fwd", 0.4), ("rna.rev", 0.3)]


def test_all_heads_of_several(
    joint: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    entry = package(joint, tmp_path / "toy/joint")
    assert [h.name for h in entry.model.heads] == ["dna", "rna"]
    weights = joint / "weights.safetensors"
    assert entry.weights.sha256 == hashlib.sha256(weights.read_bytes()).hexdigest()
    # Contigs of two genomes may have the same names: neither split is taken for both.
    assert entry.splits == "unknown"
    assert "splits.dna.bed, splits.rna.bed" in caplog.text
    assert "--head" in caplog.text
    assert entry.training.data == "dna: dna.zarr, rna: rna.zarr"
    assert entry.training.contigs == {}
    assert [(s.track, s.value) for s in entry.scores] == [("atac", 0.5), ("rna.fwd", 0.25)]


def test_heads_on_one_data_set_share_its_splits(joint: Path, run: Path, tmp_path: Path) -> None:
    for name in ("splits.dna.bed", "splits.rna.bed"):
        (joint / name).unlink()
    shutil.copy(run / "splits.bed", joint / "splits.bed")
    entry = package(joint, tmp_path / "toy/rna", head="rna")
    path = entry.splits_path()
    assert path is not None
    assert path.read_text() == (run / "splits.bed").read_text()


def test_wrong_heads(joint: Path, run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no head 'dan'; did you mean 'dna'"):
        package(joint, tmp_path / "toy/dna", head="dan")
    with pytest.raises(MissingFileError, match=r"has no weights\.rna\.safetensors"):
        package(run, tmp_path / "toy/rna", head="rna")
    (joint / "tracks.tsv").write_text("name\thead\na\tdna\nb\trna\n")
    with pytest.raises(FtS2aError, match="1 tracks of head 'dna', of which the network has 3"):
        package(joint, tmp_path / "toy/dna", head="dna")
    assert not (tmp_path / "toy").exists()


def test_large_predictions_make_no_example(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("ft_s2a.zoo.packaging._EXAMPLE_BYTES", 3 * 8 * 5 * 4 - 1)
    entry = package(run, tmp_path / "toy/large", license="MIT")
    assert entry.example is None
    assert "gets no example" in caplog.text
    assert not (entry.folder / "example").exists()
    assert {check.check: check.status for check in validate(entry.folder)}["example"] == "warning"


def test_very_many_scores_become_medians(run: Path) -> None:
    table = read_tracks(run / "tracks.tsv")
    scores = [
        Score(metric="pearson", on="valid", track=track.name, value=value)
        for track, value in zip(table, (0.1, 0.5, 0.3, 0.7, 0.2), strict=True)
    ]
    assert condense(scores, table) == tuple(scores)
    # RNA: 0.5 and 0.7; the others, whose assay is not stated: 0.1, 0.3, 0.2
    assert [(s.track, s.value) for s in condense(scores * 100, table)] == [
        ("median of 300 tracks", 0.2),
        ("median of 200 RNA", pytest.approx(0.6)),
    ]
