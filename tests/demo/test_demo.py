"""The demo goes the whole path with the shipped entry."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

from ft_s2a.cli import main
from ft_s2a.demo.sources import simulated, yeast
from ft_s2a.entries import find_entry
from ft_s2a.genome import Genome, read_bed
from ft_s2a.tracks import read_files, read_tracks


@pytest.mark.kipoi
def test_the_simulated_demo_predicts_contigs_that_the_model_never_saw(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "demo"
    with pytest.raises(SystemExit) as ended:
        main(["--quiet", "demo", "-o", str(out), "--json"])
    assert ended.value.code == 0
    document = json.loads(capsys.readouterr().out)
    table = pd.DataFrame(document["rows"]).set_index("track")
    assert all(Path(file).exists() for file in document["files"])
    # A 4-mer ridge sees no order and no distance: the network must beat it on every track.
    assert (table["r"] > table["kmer4"]).all()
    # Nothing that only knows the sequence can be above the noise ceiling by more than chance.
    assert (table["r"] < table["ceiling"] + 0.02).all()
    # Without the noise the agreement is better than with it.
    assert (table["r_truth"] > table["r"]).all()
    assert len(read_files(out / "predicted")) == len(table)

    with pytest.raises(SystemExit) as again:
        main(["demo", "-o", str(out)])
    assert again.value.code == 2
    assert "--overwrite" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["demo/basenji2", "yeast/basenji2"])
def test_shipped_entries_are_small_and_know_their_splits(name: str) -> None:
    entry = find_entry(name)
    assert entry.weights.bytes is not None
    assert entry.weights.bytes <= 5_000_000
    splits = entry.splits_path()
    assert splits is not None
    assert {row.name for row in read_bed(splits)} == {"train", "valid", "test"}
    assert entry.scores


def test_the_demo_splits_are_those_of_its_entry(tmp_path: Path) -> None:
    data = simulated(tmp_path)
    splits = find_entry(data.entry).splits_path()
    assert splits is not None
    kept = {(r.chrom, r.name) for r in read_bed(splits)}
    assert {(chrom, "test") for chrom in data.test} <= kept
    assert not {chrom for chrom, name in kept if name == "train"} & set(data.test)
    # The sequence that the entry was trained on is the one the demo simulates.
    contigs = find_entry(data.entry).training.contigs
    genome = Genome(data.fasta)
    assert contigs["sim1"].md5 == genome.checksum("sim1")


@pytest.mark.real_data
def test_yeast_data_are_fetched_by_hash_and_named_alike(
    tmp_path: Path, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FT_S2A_MIRROR", str(mirror))
    data = yeast(tmp_path)
    assert Genome(data.fasta).sizes == {"II": 813_184, "IV": 1_531_933, "XVI": 948_066}
    assert len(read_tracks(data.tracks, need_files=True)) == 5


def test_a_folder_that_is_no_demo_is_never_emptied(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "mine"
    kept.mkdir()
    (kept / "thesis.txt").write_text("years of work")
    with pytest.raises(SystemExit) as ended:
        main(["demo", "-o", str(kept), "--overwrite"])
    assert ended.value.code == 2
    assert str(kept) in capsys.readouterr().err
    assert (kept / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize("seeds", ["a", "1,,2", ""])
def test_seeds_must_be_numbers(seeds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["demo", "--train", "--seeds", seeds])
    assert ended.value.code == 2
    assert "--seeds" in capsys.readouterr().err


def test_recipes_of_the_demo_are_valid_yaml() -> None:
    from ft_s2a.training import load_recipe, recipe_names
    from ft_s2a.training.recipe import parse_recipe, recipe_to_yaml

    for name in recipe_names():
        recipe = load_recipe(name)
        assert parse_recipe(recipe_to_yaml(recipe)) == recipe
        assert yaml.safe_load(recipe_to_yaml(recipe))["schema_version"] == 1
