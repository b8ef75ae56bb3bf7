from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import ft_s2a
from ft_s2a.entries import Entry
from ft_s2a.errors import ConfigError, ContigError
from ft_s2a.genome import Genome
from ft_s2a.zoo import package, render

pytestmark = pytest.mark.kipoi

CROP = 512  # bp, 4 bins
OUTPUT = 1024  # bp, 8 bins


def load(entry: Entry, genome: Path, bed: str, tmp_path: Path, **options: Any) -> Any:
    file = tmp_path / "regions.bed"
    file.write_text(bed)
    return ft_s2a.ZooDataloader.for_entry(entry.folder)(str(file), str(genome), **options)


def ranges(loader: Any) -> list[tuple[Any, ...]]:
    keys = ("chr", "start", "end", "id", "strand")
    return [tuple(loader[i]["metadata"]["ranges"][key] for key in keys) for i in range(len(loader))]


def test_rows_are_covered_by_one_grid_from_their_start(
    entry: Entry, genome: Path, tmp_path: Path
) -> None:
    bed = "II\t0\t2500\nI\t300\t1424\tx\t0\t-\nI\t2000\t2010\n"
    loader = load(entry, genome, bed, tmp_path)
    assert ranges(loader) == [
        ("II", 0, 1024, "0", "*"),
        ("II", 1024, 2048, "0", "*"),
        # the contig's end: 452 bp, its last bin is not whole
        ("II", 2048, 2500, "0", "*"),
        ("I", 300, 1324, "x", "*"),
        # 1324 to 1424 is one bin
        ("I", 1324, 1452, "x", "*"),
        ("I", 2000, 2128, "2", "*"),
    ]


def test_inputs_are_the_output_and_a_crop_at_each_side(
    entry: Entry, genome: Path, tmp_path: Path
) -> None:
    loader = load(entry, genome, "I\t1000\t2024\nII\t0\t100\n", tmp_path)
    inside = loader[0]["inputs"]
    assert inside.shape == (2048, 4)
    assert inside.dtype == np.float32
    np.testing.assert_array_equal(
        inside, Genome(genome).one_hot("I", 1000 - CROP, 1000 + OUTPUT + CROP)
    )
    # Before the contig is N.
    assert loader[1]["inputs"][:CROP].sum() == 0
    assert loader[1]["inputs"][CROP:].sum() == 2048 - CROP


def test_centre(entry: Entry, genome: Path, tmp_path: Path) -> None:
    loader = load(entry, genome, "I\t1900\t2101\n", tmp_path, centre=True)
    # The centre, 2000, is the first base of bin 4 of 8.
    assert ranges(loader) == [("I", 2000 - 4 * 128, 2000 + 4 * 128, "0", "*")]


def test_oriented_rows_are_reverse_complemented(entry: Entry, genome: Path, tmp_path: Path) -> None:
    bed = "I\t1000\t2024\ta\t0\t+\nI\t1000\t2024\tb\t0\t-\nI\t1000\t2024\tc\t0\t.\n"
    loader = load(entry, genome, bed, tmp_path, oriented=True)
    assert [row[4] for row in ranges(loader)] == ["+", "-", "*"]
    plus, minus, none = (loader[i]["inputs"] for i in range(3))
    np.testing.assert_array_equal(minus, plus[::-1, ::-1])
    np.testing.assert_array_equal(none, plus)


def test_batches_have_what_the_schema_says(entry: Entry, genome: Path, tmp_path: Path) -> None:
    loader = load(entry, genome, "II\t0\t2500\n", tmp_path)
    (batch,) = list(loader.batch_iter(batch_size=8))
    assert batch["inputs"].shape == (3, 2048, 4)
    assert batch["metadata"]["ranges"]["start"].tolist() == [0, 1024, 2048]


def test_wrong_contigs_and_options(entry: Entry, genome: Path, tmp_path: Path) -> None:
    with pytest.raises(ContigError, match="chrII"):
        load(entry, genome, "chrII\t0\t100\n", tmp_path)
    with pytest.raises(ConfigError, match="centre is 'yes'"):
        load(entry, genome, "II\t0\t100\n", tmp_path, centre="yes")
    with pytest.raises(ConfigError, match="does not know its entry"):
        ft_s2a.ZooDataloader("a.bed", "a.fa")


def test_two_entries_keep_their_descriptions(entry: Entry, run: Path, tmp_path: Path) -> None:
    """Kipoi writes an entry's description onto the loader class."""
    import kipoi

    other = package(run, tmp_path / "toy/other", summary="Another.")
    text = (other.folder / "dataloader.yaml").read_text()
    (other.folder / "dataloader.yaml").write_text(text.replace("BED file of", "Table of"))
    first = kipoi.get_model(str(entry.folder), source="dir")
    second = kipoi.get_model(str(other.folder), source="dir")
    one, two = first.default_dataloader, second.default_dataloader
    assert one is not two
    assert one.args["intervals_file"].doc.startswith("BED file of")
    assert two.args["intervals_file"].doc.startswith("Table of")
    assert (one.entry().name, two.entry().name) == ("toy/small", "toy/other")
    example = one.init_example()
    assert len(example) == 3
    assert first.info.name == "toy/small"
    assert first.type == "custom"


def test_loader_arguments_are_those_of_the_yaml(entry: Entry) -> None:
    import inspect

    args = yaml.safe_load((entry.folder / "dataloader.yaml").read_text())["args"]
    signature = inspect.signature(ft_s2a.ZooDataloader)
    assert list(args) == list(signature.parameters)
    for name, parameter in signature.parameters.items():
        optional = parameter.default is not inspect.Parameter.empty
        assert args[name].get("optional", False) is optional


def test_pipeline_from_python(entry: Entry, genome: Path, tmp_path: Path) -> None:
    import kipoi

    bed = tmp_path / "r.bed"
    bed.write_text("II\t0\t2500\n")
    kwargs = {"intervals_file": str(bed), "fasta_file": str(genome)}
    model = kipoi.get_model(str(entry.folder), source="dir")
    predicted = model.pipeline.predict(kwargs, batch_size=2)
    assert predicted.shape == (3, 8, 5)
    graded = model.pipeline.input_grad(kwargs, batch_size=2, filter_idx=0)
    assert graded["grads"].shape == (3, 2048, 4)
    model.pipeline.predict_to_file(
        str(tmp_path / "p.h5"), kwargs, batch_size=2, keep_metadata=True, num_workers=0
    )
    import h5py

    with h5py.File(tmp_path / "p.h5") as file:
        np.testing.assert_allclose(file["preds"][:], predicted, rtol=1e-6)


def test_a_copy_of_an_entry_elsewhere_works(entry: Entry, tmp_path: Path) -> None:
    folder = tmp_path / "somewhere" / "copy"
    shutil.copytree(entry.folder, folder)
    render(folder, check=True)
    assert ft_s2a.ZooDataloader.for_entry(folder).entry().folder == folder
