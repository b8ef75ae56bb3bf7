from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from ft_s2a.entries import Entry, read_entry
from ft_s2a.entries.schema import entry_yaml
from ft_s2a.errors import FormatError
from ft_s2a.zoo import render
from ft_s2a.zoo.rendering import RENDERED, render_texts


@pytest.fixture
def copy(entry: Entry, tmp_path: Path) -> Path:
    folder = tmp_path / "toy/small"
    shutil.copytree(entry.folder, folder)
    return folder


def rewrite(folder: Path, **changes: Any) -> Entry:
    entry = read_entry(folder).model_copy(update=changes)
    (folder / "entry.yaml").write_text(entry_yaml(entry))
    return read_entry(folder)


def test_yaml_files_hold_what_kipoi_reads(entry: Entry) -> None:
    model = yaml.safe_load((entry.folder / "model.yaml").read_text())
    assert model["defined_as"] == "ft_s2a.ZooModel"
    assert model["args"] == {}
    assert model["default_dataloader"] == "."
    assert model["writers"] == {"hdf5_chunk_size": 1}
    # Kipoi takes shapes as text.
    assert model["schema"]["inputs"]["shape"] == "(2048, 4)"
    assert model["schema"]["targets"]["shape"] == "(8, 5)"
    assert model["test"]["expect"] == "example/expect.h5"
    assert model["info"]["license"] == "MIT"
    loader = yaml.safe_load((entry.folder / "dataloader.yaml").read_text())
    assert loader["defined_as"] == "ft_s2a.ZooDataloader"
    assert loader["args"]["fasta_file"]["example"] == "example/genome.fa"
    assert loader["output_schema"]["metadata"]["ranges"]["type"] == "GenomicRanges"


def test_the_card_says_what_one_must_know(entry: Entry) -> None:
    card = (entry.folder / "README.md").read_text()
    for text in (
        "# toy/small",
        "| input | 2,048 bp of DNA |",
        "| output | 8 bins of 128 bp (1,024 bp, the middle of the input) |",
        "| atac | dna | – | – | CPM | mean of the bin, × 2, sqrt |",
        "| test | 1 | 2,500 | II |",
        "| pearson | ln(1 + target) | valid | atac | 0.500 | – |",
        "- Random weights.",
        "Person et al., 2026",
        "stay cut",
        "ft-s2a predict toy/small --fasta genome.fa --head dna --chrom II -o predicted/",
        'ft_s2a.load_model("toy/small")',
        "kipoi predict model_zoo/toy/small",
        str(entry.weights.sha256),
    ):
        assert text in card


def test_check_names_the_file_and_the_line(copy: Path) -> None:
    assert [p.name for p in render(copy, check=True)] == list(RENDERED)
    text = (copy / "model.yaml").read_text()
    (copy / "model.yaml").write_text(text.replace("MIT", "GPL"))
    with pytest.raises(FormatError, match=r"model\.yaml: differs.*GPL.*zoo render"):
        render(copy, check=True)
    assert "GPL" in (copy / "model.yaml").read_text()
    render(copy)
    assert (copy / "model.yaml").read_text() == text
    (copy / "README.md").unlink()
    with pytest.raises(FormatError, match=r"README\.md.*it is missing"):
        render(copy, check=True)


def test_a_changed_entry_makes_files_stale(copy: Path) -> None:
    rewrite(copy, summary="Another summary.")
    with pytest.raises(FormatError, match=r"model\.yaml.*as do README\.md"):
        render(copy, check=True)
    render(copy)
    render(copy, check=True)


def test_odd_text_stays_yaml(copy: Path) -> None:
    odd = "Quotes \" ' and: colons # hashes\nand | bars – dashes {{ braces }} %"
    entry = rewrite(copy, summary=odd, citation=odd, license=odd)
    model = yaml.safe_load(render_texts(entry)["model.yaml"])
    assert model["info"]["cite_as"] == odd
    assert model["info"]["doc"].startswith(odd)
    assert model["info"]["license"] == odd


def test_unverified_weights_and_long_tables_are_said(copy: Path) -> None:
    weights = read_entry(copy).weights.model_copy(update={"sha256": None})
    entry = rewrite(copy, weights=weights, example=None, authors=())
    texts = render_texts(entry)
    assert "**unverified**" in texts["README.md"]
    model = yaml.safe_load(texts["model.yaml"])
    assert "test" not in model
    assert "authors" not in model["info"]
    assert "example" not in texts["dataloader.yaml"]
