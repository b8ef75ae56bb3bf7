"""``ft-s2a zoo`` and ``ft-s2a bigwig``, and what they say about bad input."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
import yaml

from ft_s2a.checkpoint import save_weights
from ft_s2a.cli import main
from ft_s2a.entries import read_entry
from ft_s2a.entries.schema import entry_yaml
from ft_s2a.genome import BigWig
from ft_s2a.models import Basenji2Config, HeadConfig, build
from ft_s2a.zoo import render

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line: exit code, stdout, stderr."""

    def call(*arguments: str | Path) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main([str(a) for a in arguments])
        printed = capsys.readouterr()
        code = caught.value.code
        return code if isinstance(code, int) else 0, printed.out, printed.err

    return call


@pytest.fixture
def fails(run: Run) -> Callable[..., str]:
    """Run a command that must fail with one line and exit code 2; returns the line."""

    def call(*arguments: str | Path) -> str:
        code, _, err = run(*arguments)
        lines = [line for line in err.splitlines() if line.startswith("error:")]
        assert (code, len(lines)) == (2, 1), err
        assert "Traceback" not in err
        return lines[0]

    return call


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with random weights: 1,024 bp, 6 bins."""
    folder = tmp_path_factory.mktemp("runs") / "toy"
    folder.mkdir()
    config = Basenji2Config(
        input_length=1024,
        crop_bins=1,
        stem_channels=4,
        tower_channels=(4,) * 6,
        dilations=(1,),
        dilated_channels=4,
        final_channels=4,
        heads=(HeadConfig(name="tracks", tracks=2),),
    )
    torch.manual_seed(1)
    save_weights(folder / "weights.safetensors", build(config))
    (folder / "config.json").write_text(config.model_dump_json())
    (folder / "tracks.tsv").write_text("name\tstrand_pair\na.fwd\ta.rev\na.rev\ta.fwd\n")
    (folder / "splits.bed").write_text("I\t0\t2000\ttest\n")
    return folder


@pytest.fixture(scope="module")
def packaged(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("zoo")
    with pytest.raises(SystemExit) as caught:
        main(
            ["zoo", "package", str(trained), str(root / "toy/small"), "--license", "MIT",
             "--species", "none", "--assembly", "toy1", "--citation", "Nobody, 2026"]
        )  # fmt: skip
    assert not caught.value.code
    return root


@pytest.fixture
def zoo(packaged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A zoo with the entry toy/small that a test may harm."""
    root = tmp_path / "zoo"
    shutil.copytree(packaged, root)
    monkeypatch.setenv("FT_S2A_ZOO", str(root))
    return root


def test_ls_show_fetch(run: Run, zoo: Path) -> None:
    code, out, _ = run("zoo", "ls", "toy")
    assert code == 0
    assert "toy/small" in out
    code, out, _ = run("zoo", "ls", "toy", "--json")
    document = json.loads(out)
    assert document["schema"] == "zoo ls"
    assert document["rows"][0]["bins"] == 6
    code, out, _ = run("zoo", "show", "toy/small")
    assert code == 0
    assert "Nobody, 2026" in out
    code, out, _ = run("zoo", "show", "toy/small", "--tracks", "--json")
    assert [row["name"] for row in json.loads(out)["rows"]] == ["a.fwd", "a.rev"]
    code, out, _ = run("zoo", "fetch", "toy/small", "--json")
    assert json.loads(out)["files"] == [str(zoo / "toy/small/weights.safetensors")]


def test_package_validate_render(run: Run, trained: Path, tmp_path: Path) -> None:
    folder = tmp_path / "toy/other"
    code, out, err = run("zoo", "package", trained, folder, "--license", "MIT", "--author", "A")
    assert code == 0, err
    assert "toy/other 0.1.0" in out
    code, out, _ = run("zoo", "validate", folder, "--json")
    assert code == 0
    found = {row["check"]: row["status"] for row in json.loads(out)["rows"]}
    assert found["example"] == "ok"
    assert found["citation"] == "warning"
    code, out, _ = run("zoo", "render", "--check", folder)
    assert code == 0
    assert out.count("current") == 3


@pytest.mark.parametrize(
    "command",
    ["ls", "show", "fetch", "package", "register", "validate", "render"],
)
def test_help_has_an_example(run: Run, command: str) -> None:
    code, out, _ = run("zoo", command, "--help")
    assert code == 0
    assert f"Example: ft-s2a zoo {command}" in " ".join(out.split())


@pytest.mark.parametrize("command", ["kipoi", "bigwig"])
def test_help_of_the_others_has_an_example(run: Run, command: str) -> None:
    code, out, _ = run(command, "--help")
    assert code == 0
    assert f"Example: ft-s2a {command}" in " ".join(out.split())


# Bad input: one line that names the file or the name, exit code 2, nothing half-written.


def test_unknown_entries(fails: Callable[..., str], zoo: Path) -> None:
    assert "did you mean 'toy/small'" in fails("zoo", "show", "toy/smal")
    assert "did you mean 'toy/small'" in fails("zoo", "validate", "toy/smal")
    assert "no entry matches 'toi'" in fails("zoo", "ls", "toi")
    assert "no such entry folder" in fails("zoo", "fetch", "./toy")


def test_an_entry_without_weights(fails: Callable[..., str], zoo: Path, tmp_path: Path) -> None:
    (zoo / "toy/small/weights.safetensors").unlink()
    assert "weights.safetensors: entry 'toy/small' has no weights" in fails(
        "zoo", "fetch", "toy/small"
    )
    assert "weights failed" in fails("zoo", "validate", "toy/small")
    (tmp_path / "g.fa").write_text(">I\nACGT\n")
    line = fails("predict", "toy/small", "--fasta", tmp_path / "g.fa", "-o", tmp_path / "out")
    assert "has no weights" in line
    assert not (tmp_path / "out").exists()


def test_a_wrong_hash(fails: Callable[..., str], zoo: Path) -> None:
    weights = zoo / "toy/small/weights.safetensors"
    recorded = str(read_entry(zoo / "toy/small").weights.sha256)
    weights.write_bytes(weights.read_bytes() + b"\0")
    line = fails("zoo", "fetch", "toy/small")
    assert str(weights) in line
    assert recorded in line


def test_weights_without_a_hash(fails: Callable[..., str], run: Run, zoo: Path) -> None:
    folder = zoo / "toy/small"
    entry = read_entry(folder)
    changed = entry.weights.model_copy(update={"sha256": None})
    (folder / "entry.yaml").write_text(entry_yaml(entry.model_copy(update={"weights": changed})))
    render(folder)
    code, out, _ = run("zoo", "validate", "toy/small")
    assert code == 0
    assert "unverified" in out
    assert "--trust-on-first-use" in fails("zoo", "fetch", "toy/small")
    code, _, err = run("zoo", "fetch", "toy/small", "--trust-on-first-use")
    assert code == 0
    assert "trusting the weights of toy/small" in err
    assert run("zoo", "fetch", "toy/small")[0] == 0


def test_unknown_fields_and_columns(fails: Callable[..., str], zoo: Path, trained: Path,
                                    tmp_path: Path) -> None:  # fmt: skip
    file = zoo / "toy/small/entry.yaml"
    document: dict[str, Any] = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({**document, "licence": "MIT"}))
    assert "unknown field 'licence'" in fails("zoo", "show", "toy/small")
    shutil.copytree(trained, tmp_path / "run")
    (tmp_path / "run/tracks.tsv").write_text("name\tcolour\na\t#aabbcc\n")
    line = fails("zoo", "package", tmp_path / "run", tmp_path / "toy/new")
    assert "tracks.tsv" in line
    assert "unknown column 'colour'" in line
    assert not (tmp_path / "toy").exists()


def test_existing_outputs(fails: Callable[..., str], run: Run, zoo: Path, trained: Path) -> None:
    folder = zoo / "toy/small"
    assert "--overwrite" in fails("zoo", "package", trained, folder)
    code, _, err = run("zoo", "package", trained, folder, "--overwrite", "--version", "0.2.0")
    assert code == 0, err
    assert (read_entry(folder).version, read_entry(folder).license) == ("0.2.0", "MIT")


def test_a_run_without_weights(fails: Callable[..., str], trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "run")
    (tmp_path / "run/weights.safetensors").unlink()
    assert "the run folder has no weights.safetensors" in fails(
        "zoo", "package", tmp_path / "run", tmp_path / "toy/new"
    )
    assert "no such run folder" in fails("zoo", "package", tmp_path / "gone", tmp_path / "toy/new")
    assert not (tmp_path / "toy").exists()


def test_stale_files(fails: Callable[..., str], run: Run, zoo: Path) -> None:
    card = zoo / "toy/small/README.md"
    card.write_text(card.read_text() + "Excellent.\n")
    assert str(card) in fails("zoo", "render", "--check", "toy/small")
    assert run("zoo", "render", "toy/small")[0] == 0
    assert run("zoo", "render", "--check", "toy/small")[0] == 0


def predictions(path: Path, chrom: str = "I") -> Path:
    with h5py.File(path, "w") as file:
        file["preds"] = np.full((2, 6, 2), 3.0, dtype=np.float32)
        text = h5py.string_dtype()
        file.create_dataset("metadata/ranges/chr", data=[chrom, chrom], dtype=text)
        file["metadata/ranges/start"] = [768, 0]
        file["metadata/ranges/end"] = [1000, 768]
        file.create_dataset("metadata/ranges/strand", data=["*", "*"], dtype=text)
    return path


def test_bigwig(run: Run, fails: Callable[..., str], zoo: Path, tmp_path: Path) -> None:
    file = predictions(tmp_path / "p.h5")
    sizes = tmp_path / "sizes"
    sizes.write_text("I\t1000\n")
    command = ("bigwig", file, "--entry", "toy/small", "--sizes", sizes, "-o", tmp_path / "out")
    code, out, err = run(*command)
    assert code == 0, err
    assert "toy-small.a.fwd.bw" in out
    with BigWig(tmp_path / "out/toy-small.a.fwd.bw") as track:
        np.testing.assert_array_equal(track.values("I", 0, 1000), np.full(1000, 3.0))
    assert "--overwrite" in fails(*command)
    assert run(*command, "--overwrite")[0] == 0


def test_bigwig_bad_input(fails: Callable[..., str], zoo: Path, tmp_path: Path) -> None:
    sizes = tmp_path / "sizes"
    sizes.write_text("I\t1000\n")
    rest = ("--entry", "toy/small", "--sizes", sizes, "-o", tmp_path / "out")
    assert "no such predictions file" in fails("bigwig", tmp_path / "p.h5", *rest)
    assert "'chrI'" in fails("bigwig", predictions(tmp_path / "p.h5", "chrI"), *rest)
    (tmp_path / "p.h5").write_text("no")
    assert "not a complete HDF5 file" in fails("bigwig", tmp_path / "p.h5", *rest)
    assert not (tmp_path / "out").exists()


# Weights that are published elsewhere


@pytest.fixture
def register(trained: Path, tmp_path: Path) -> list[str | Path]:
    """A command that registers weights for the network of `trained`."""
    (tmp_path / "targets.txt").write_text(
        "index\tidentifier\tfile\tclip\tscale\tsum_stat\tdescription\n"
        "0\tA\ta.w5\t32\t2\tmean\tDNASE:one\n1\tB\tb.w5\t384\t1\tsum\tCAGE:two\n"
    )
    return [
        *("zoo", "register", tmp_path / "zoo/lab/theirs", "--config", trained / "config.json"),
        *("--targets", tmp_path / "targets.txt", "--license", "Apache-2.0"),
    ]


def test_register_show_validate_fetch(
    run: Run, fails: Callable[..., str], register: list[str | Path], trained: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    url = "https://example.org/bucket/w.safetensors"
    code, out, err = run(*register, "--weights", url, "--species", "Homo sapiens", "--json")
    assert code == 0, err
    document = json.loads(out)
    assert document["schema"] == "zoo register"
    assert {row["file"] for row in document["rows"]} == {
        "README.md", "dataloader.yaml", "entry.yaml", "model.yaml", "tracks.tsv",
    }  # fmt: skip
    monkeypatch.setenv("FT_S2A_ZOO", str(tmp_path / "zoo"))
    monkeypatch.setenv("FT_S2A_MIRROR", str(tmp_path / "mirror"))
    (tmp_path / "mirror/bucket").mkdir(parents=True)
    rows = json.loads(run("zoo", "show", "lab/theirs", "--json")[1])["rows"]
    shown = {row["field"]: row["value"] for row in rows}
    assert shown["weights"] == url
    assert shown["sha256"] == "unverified: none is recorded"
    assert shown["fetched"] == "no: `ft-s2a zoo fetch lab/theirs --trust-on-first-use`"
    assert shown["assays"] == ["DNASE (1)", "CAGE (1)"]
    assert run("zoo", "ls", "lab/theirs")[0] == 0
    code, out, _ = run("zoo", "validate", "lab/theirs")
    assert code == 0
    assert "unverified" in out
    assert run("zoo", "render", "--check", "lab/theirs")[0] == 0
    place = tmp_path / "mirror/bucket/w.safetensors"
    # A server's error page, then the weights.
    place.write_text("<html>not found</html>")
    line = fails("zoo", "fetch", "lab/theirs", "--trust-on-first-use")
    assert f"{place}: is a web page, no weights file" in line
    assert "--trust-on-first-use" in fails("zoo", "fetch", "lab/theirs")
    shutil.copy(trained / "weights.safetensors", place)
    assert run("zoo", "fetch", "lab/theirs", "--trust-on-first-use")[0] == 0
    code, out, _ = run("zoo", "fetch", "lab/theirs", "--json")
    assert json.loads(out)["files"] == [str(place)]


def test_register_bad_input(
    fails: Callable[..., str], register: list[str | Path], tmp_path: Path
) -> None:
    url = ("--weights", "https://example.org/w.h5")
    assert "format 'keras'; did you mean 'keras-h5'" in fails(*register, *url, "--format", "keras")
    assert "sha256 is 'abc'" in fails(*register, *url, "--sha256", "abc")
    assert "no head 'mouse'" in fails(*register, *url, "--head", "mouse")
    assert "is no address of weights" in fails(*register, "--weights", "w.h5")
    table = (tmp_path / "targets.txt").read_text().splitlines(keepends=True)
    (tmp_path / "targets.txt").write_text("".join(table[:2]))
    assert "1 tracks of head 'tracks', of which the network has 2" in fails(*register, *url)
    assert not (tmp_path / "zoo").exists()


def test_package_takes_a_head(fails: Callable[..., str], trained: Path, tmp_path: Path) -> None:
    line = fails("zoo", "package", trained, tmp_path / "toy/new", "--head", "track")
    assert "no head 'track'; did you mean 'tracks'" in line
