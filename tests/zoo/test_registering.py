"""Entries for weights that are published elsewhere, and the published Basenji2."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
import yaml

from ft_s2a.conventions.hashing import sha256_file
from ft_s2a.entries import Entry, read_entry
from ft_s2a.entries.description import describe_entry
from ft_s2a.errors import ChecksumError, ConfigError, FormatError, FtS2aError, OutputExistsError
from ft_s2a.geometry import Interval
from ft_s2a.loading import load_model
from ft_s2a.models import Basenji2Config, HeadConfig, build
from ft_s2a.tracks import read_targets
from ft_s2a.zoo import fetch, register, render, validate
from ft_s2a.zoo.rendering import render_texts

URL = "https://example.org/bucket/model_human.h5"
PATH = "bucket/model_human.h5"
CONFIG = Basenji2Config(
    input_length=1024,
    crop_bins=1,
    stem_channels=4,
    tower_channels=(4,) * 6,
    dilations=(1, 2),
    dilated_channels=4,
    final_channels=4,
    heads=(HeadConfig(name="human", tracks=3), HeadConfig(name="mouse", tracks=2)),
)
TARGETS = (
    "index\tgenome\tidentifier\tfile\tclip\tscale\tsum_stat\tdescription\n"
    "0\t0\tENCFF1\t/cluster/a.w5\t32\t2\tmean\tDNASE:cerebellum\n"
    "1\t0\tCNhs2\t/cluster/b.w5\t384\t1\tsum\tCAGE:liver, adult\n"
    "2\t0\tENCFF3\t/cluster/c.w5\t32\t2\tmean\tCHIP:CTCF:K562\n"
)
SPLITS = "chr1\t0\t3000\ttrain\nchr1\t2000\t4000\ttrain\nchr2\t0\t2500\ttest\n"


def write_keras(path: Path, config: Basenji2Config, head: str, *, seed: int = 1) -> torch.nn.Module:
    """Write a network with one head as Keras saves weights, and return it."""
    torch.manual_seed(seed)
    network = build(config.with_heads([h for h in config.heads if h.name == head])).eval()
    with torch.no_grad():
        for tensor in network.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand_like(tensor) * 0.5 + 0.1)
    names = []
    with h5py.File(path, "w") as file:
        counts = {"conv1d": 0, "batch_normalization": 0, "dense": 0}

        def add(kind: str, **weights: torch.Tensor) -> None:
            # Counted on by other models of the process: numbers say nothing.
            name = f"{kind}_{counts[kind] + 5}"
            counts[kind] += 1
            names.append(name)
            group = file.create_group(name)
            keys = [f"{name}/{key}:0" for key in weights]
            group.attrs["weight_names"] = [key.encode() for key in keys]
            for key, tensor in zip(keys, weights.values(), strict=True):
                group[key] = tensor.detach().numpy().T

        for module in network.modules():
            if isinstance(module, torch.nn.Conv1d):
                add("conv1d", kernel=module.weight)
            elif isinstance(module, torch.nn.BatchNorm1d):
                add(
                    "batch_normalization",
                    gamma=module.weight,
                    beta=module.bias,
                    moving_mean=module.running_mean,  # type: ignore[arg-type]
                    moving_variance=module.running_var,  # type: ignore[arg-type]
                )
            elif isinstance(module, torch.nn.Linear):
                add("dense", kernel=module.weight, bias=module.bias)
        file.attrs["layer_names"] = [name.encode() for name in names]
    return network


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FT_S2A_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FT_S2A_MIRROR", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def targets(tmp_path: Path) -> Path:
    path = tmp_path / "targets_human.txt"
    path.write_text(TARGETS)
    return path


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mirror in which the weights lie."""
    path = tmp_path / "mirror" / PATH
    path.parent.mkdir(parents=True)
    write_keras(path, CONFIG, "human")
    monkeypatch.setenv("FT_S2A_MIRROR", str(tmp_path / "mirror"))
    return path


Make = Callable[..., Entry]


@pytest.fixture
def make(tmp_path: Path, targets: Path) -> Make:
    def with_fields(**changes: Any) -> Entry:
        fields: dict[str, Any] = {
            "weights": URL,
            "config": CONFIG,
            "head": "human",
            "targets": targets,
            "license": "Apache-2.0",
            "species": "Homo sapiens",
            "assembly": "hg38",
            "citation": "Somebody, 2020",
            "procedure": "Trained for weeks.",
            **changes,
        }
        return register(tmp_path / "zoo/lab/human", **fields)

    return with_fields


def statuses(entry: Entry) -> dict[str, str]:
    return {row.check: row.status for row in validate(entry.folder)}


# Making


def test_an_entry_is_made_without_the_weights(make: Make, own_cache: Path) -> None:
    entry = make(sha256="AB" * 32, bytes=1234, authors=["A. Person"], limitations=["None seen."])
    assert sorted(p.name for p in entry.folder.iterdir()) == [
        "README.md", "dataloader.yaml", "entry.yaml", "model.yaml", "tracks.tsv",
    ]  # fmt: skip
    assert entry.name == "lab/human"
    weights = entry.weights
    assert (weights.url, weights.path, weights.format) == (URL, PATH, "keras-h5")
    assert (weights.sha256, weights.bytes, weights.file) == ("ab" * 32, 1234, None)
    assert [(h.name, h.tracks) for h in entry.model.heads] == [("human", 3)]
    assert entry.model.with_heads(CONFIG.heads) == CONFIG
    assert (entry.splits, entry.example, entry.ensemble) == ("unknown", None, "rc")
    assert entry.training.procedure == "Trained for weeks."
    assert not own_cache.exists(), "something was fetched"
    render(entry.folder, check=True)


def test_tracks_are_those_of_the_published_table(make: Make, targets: Path) -> None:
    entry = make()
    table = entry.read_tracks()
    assert table.names == ("ENCFF1", "CNhs2", "ENCFF3")
    assert [t.assay for t in table] == ["DNASE", "CAGE", "CHIP"]
    assert [t.cell_type for t in table] == ["cerebellum", "liver, adult", "CTCF:K562"]
    for ours, theirs in zip(table, read_targets(targets), strict=True):
        for field in ("sum_stat", "scale", "clip", "clip_soft", "squash", "transform", "head"):
            assert getattr(ours, field) == getattr(theirs, field)
    text = (entry.folder / "tracks.tsv").read_text()
    # Neither somebody's paths, nor columns without a word.
    assert "/cluster" not in text
    assert text.splitlines()[0].split("\t") == [
        "name", "head", "assay", "cell_type", "sum_stat", "scale", "clip", "transform",
    ]  # fmt: skip


def test_splits_are_kept_joined(make: Make, tmp_path: Path) -> None:
    (tmp_path / "s.bed").write_text(SPLITS)
    entry = make(splits=tmp_path / "s.bed")
    path = entry.splits_path()
    assert path is not None
    assert path.read_text() == "chr1\t0\t4000\ttrain\nchr2\t0\t2500\ttest\n"
    (tmp_path / "s.bed").write_text("chr1\t0\t3000\tfold0\n")
    with pytest.raises(FormatError, match=r"a split is called 'fold0'; expected train"):
        make(splits=tmp_path / "s.bed", overwrite=True)


def test_what_is_not_given_is_kept_on_overwrite(make: Make) -> None:
    make(version="0.3.0", ensemble="none")
    with pytest.raises(OutputExistsError, match="--overwrite"):
        make()
    again = make(license=None, citation=None, overwrite=True)
    assert (again.license, again.citation) == ("Apache-2.0", "Somebody, 2020")
    assert (again.version, again.ensemble) == ("0.3.0", "none")


def test_configs_by_name_and_from_files(make: Make, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(CONFIG.model_dump_json())
    assert make(config=tmp_path / "config.json").model.heads[0].tracks == 3
    # A config without heads gets one as large as the table.
    headless = {**CONFIG.model_dump(mode="json"), "heads": []}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(headless))
    entry = make(config=str(tmp_path / "config.yaml"), overwrite=True)
    assert [(h.name, h.tracks) for h in entry.model.heads] == [("human", 3)]
    with pytest.raises(
        FtS2aError, match=r"3 tracks of head 'human', of which the network has 5313"
    ):
        make(config="basenji2-kelley2020", overwrite=True)
    with pytest.raises(ConfigError, match="did you mean 'basenji2-kelley2020'"):
        make(config="basenji2-kelly2020", overwrite=True)


def test_a_track_table_instead_of_targets(make: Make, tmp_path: Path) -> None:
    (tmp_path / "tracks.tsv").write_text("name\thead\tsquash\na\tdna\tsqrt\nb\trna\tnone\n")
    config = CONFIG.with_heads([])
    entry = make(
        targets=None,
        tracks=tmp_path / "tracks.tsv",
        config=config,
        head=None,
        weights="https://example.org/w.safetensors",
    )
    assert entry.weights.format == "safetensors"
    assert [h.name for h in entry.model.heads] == ["dna", "rna"]
    assert [t.squash for t in entry.read_tracks()] == ["sqrt", "none"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"head": "mouse"}, "3 tracks of head 'mouse', of which the network has 2"),
        ({"head": "humn"}, "did you mean 'human'"),
        ({"head": None}, r"has the heads human, mouse; name that of the weights \(--head\)"),
        ({"targets": None}, "one table of the tracks is needed"),
        ({"sha256": "abc"}, "sha256"),
        ({"format": "keras"}, "format 'keras'; did you mean 'keras-h5'"),
        ({"weights": "https://example.org/model.ckpt"}, "model.ckpt: the format .* is unknown"),
        ({"weights": "https://example.org/model.bin"}, "enformer-pytorch are of an architecture"),
        ({"targets": {"human": "targets.txt"}}, r"name their heads; leave out the head \(--head"),
        ({"targets": {}, "head": None}, "no target table is named"),
        ({"targets": {"hmn": "t.txt"}, "head": None}, "did you mean 'human'"),
        ({"weights": "model_human.h5"}, "is no address of weights"),
        ({"mirror_path": "../up"}, "inside the entry's folder"),
        ({"transform": "basenji2021"}, "transform 'basenji2021'"),
        ({"version": "newest"}, "version is 'newest'"),
        ({"targets": "nowhere.txt"}, "nowhere.txt: no such target table"),
    ],
)
def test_wrong_input_is_named_and_leaves_nothing(
    make: Make, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(FtS2aError, match=message) as caught:
        make(**changes)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "zoo/lab/human").exists()


def test_keras_weights_have_one_head(make: Make) -> None:
    document = yaml.safe_load((make().folder / "entry.yaml").read_text())
    document["model"]["heads"].append({"name": "mouse", "tracks": 2})
    with pytest.raises(ValueError, match="keras-h5 have one head, not 2"):
        Entry.model_validate(document)


# Using


def test_keras_weights_are_loaded_in_place(make: Make, published: Path) -> None:
    entry = make(sha256=sha256_file(published), bytes=published.stat().st_size)
    model = load_model(entry.folder)
    network = write_keras(published.parent / "again.h5", CONFIG, "human")
    x = torch.nn.functional.one_hot(torch.randint(0, 4, (2, 1024)), 4).float()
    with torch.no_grad():
        torch.testing.assert_close(model(x), network(x, "human"))
    assert model.tracks().names == ("ENCFF1", "CNhs2", "ENCFF3")
    found = statuses(entry)
    assert (found["weights"], found["network"], found["example"]) == ("ok", "ok", "warning")


def test_validation_fetches_nothing(make: Make, own_cache: Path) -> None:
    found = statuses(make(sha256="ab" * 32))
    assert found["weights"] == "not fetched"
    assert "failed" not in found.values()
    assert "network" not in found
    assert not own_cache.exists()


def test_unverified_weights_are_trusted_when_they_load(
    make: Make, published: Path, own_cache: Path
) -> None:
    entry = make()
    assert statuses(entry)["weights"] == "unverified"
    with pytest.raises(ChecksumError, match=r"unverified.*--trust-on-first-use"):
        fetch(entry)
    with pytest.raises(ChecksumError, match="unverified"):
        load_model(entry.folder)
    assert fetch(entry, trust_on_first_use=True) == published
    assert load_model(entry.folder).heads == ("human",)
    found = statuses(entry)
    assert (found["weights"], found["network"]) == ("unverified", "ok")
    shown = {row["field"]: row["value"] for row in describe_entry(entry)}
    assert sha256_file(published) in shown["sha256"]
    assert shown["fetched"] == str(published)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3000])


def _web_page(path: Path) -> None:
    path.write_text("<!DOCTYPE html><html><body>404</body></html>")


def _other_network(path: Path) -> None:
    path.unlink()
    write_keras(path, CONFIG.model_copy(update={"final_channels": 6}), "human")


def _other_species(path: Path) -> None:
    path.unlink()
    write_keras(path, CONFIG, "mouse")


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (_cut, "damaged HDF5|truncated"),
        (_web_page, "is a web page, no weights file; expected HDF5 written by Keras"),
        (_other_network, r"has shape \(1, 4, 6\); expected \(1, 4, 4\)"),
        (_other_species, r"has shape \(4, 2\); expected \(4, 3\)"),
    ],
)
@pytest.mark.parametrize("place", ["mirror", "address"])
def test_wrong_weights_are_never_trusted(
    make: Make,
    published: Path,
    own_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    harm: Callable[[Path], None],
    message: str,
    place: str,
) -> None:
    harm(published)
    url = URL
    if place == "address":
        monkeypatch.delenv("FT_S2A_MIRROR")
        url = published.as_uri()
    entry = make(weights=url)
    with pytest.raises(FormatError, match=message) as caught:
        fetch(entry, trust_on_first_use=True)
    # The place that the user knows, not a temporary name.
    named = published.as_uri() if place == "address" else str(published)
    assert str(caught.value).startswith(named)
    assert "\n" not in str(caught.value)
    assert not [p for p in own_cache.rglob("*") if p.is_file()]
    with pytest.raises(ChecksumError, match="unverified"):
        fetch(entry)


# Cards


def test_the_card_of_an_entry_elsewhere(make: Make) -> None:
    entry = make()
    card = render_texts(entry)["README.md"]
    for text in (
        f"| weights | at {URL} (keras-h5), **unverified**: no hash is recorded |",
        "| ENCFF1 | human | DNASE | cerebellum | – | mean of the bin, clip 32, × 2 |",
        "ft-s2a zoo fetch lab/human --trust-on-first-use",
        "Trained for weeks.",
        "is **unknown**",
    ):
        assert text in card
    assert "Not recorded." not in card


def test_the_card_counts_what_it_cannot_list(make: Make, tmp_path: Path) -> None:
    rows = [
        f"{5313 + i}\t1\tE{i}\tf{i}.w5\t{32 if i % 3 else 384}\t2\tmean\tDNASE:cell {i}\n"
        for i in range(60)
    ]
    (tmp_path / "many.txt").write_text(TARGETS.splitlines(keepends=True)[0] + "".join(rows))
    config = CONFIG.with_heads([HeadConfig(name="human", tracks=60)])
    texts = render_texts(make(config=config, targets=tmp_path / "many.txt"))
    card = texts["README.md"]
    assert "| 40 | human | DNASE | – | mean of the bin, clip 32, × 2 |" in card
    assert "| 20 | human | DNASE | – | mean of the bin, clip 384, × 2 |" in card
    assert "cell 7" not in card
    assert "`tracks.tsv`" in card
    assert "--tracks E0 -o predicted/" in card
    assert (
        "E0, E1, E2 and 57 more" in yaml.safe_load(texts["model.yaml"])["schema"]["targets"]["doc"]
    )


# The published models


def test_published_entries() -> None:
    """What `model_zoo/basenji2` says agrees with the public records."""
    human, mouse = (read_entry(_zoo() / "basenji2" / name) for name in ("human", "mouse"))
    assert human.weights.sha256 == (
        "3f74da002918d3e695bbf9e6f8a685e860196679372ba0964bd1faa26a82eed1"
    )
    assert human.weights.bytes == 120_813_856
    assert mouse.weights.sha256 is None
    for entry, tracks, assembly in ((human, 5313, "hg38"), (mouse, 1643, "mm10")):
        assert (entry.track_count, entry.assembly) == (tracks, assembly)
        assert (entry.license, entry.weights.format) == ("Apache-2.0", "keras-h5")
        assert "10.1371/journal.pcbi.1008050" in entry.citation
        assert (entry.model.gelu, entry.model.input_length) == ("sigmoid", 131_072)
        assert entry.model.geometry.output_bins == 896
        table = entry.read_tracks()
        assert {t.transform for t in table} == {"basenji2020"}
        assert (entry.folder / "tracks.tsv").stat().st_size < 1_200_000
        assert len((entry.folder / "README.md").read_text()) < 6_000
        assert "failed" not in statuses(entry).values()
    shown = {row["field"]: row["value"] for row in describe_entry(human)}
    # Kelley 2020 by Keras's count: 30,123,584, of which 30,088,228 are trained.
    assert shown["parameters"] == "30,088,228 trained, 35,356 statistics"
    assert shown["assays"] == ["CHIP (3991)", "DNASE (674)", "CAGE (638)", "ATAC (10)"]
    assert shown["fetched"] == "no: `ft-s2a zoo fetch basenji2/human`"
    shown = {row["field"]: row["value"] for row in describe_entry(mouse)}
    assert shown["sha256"] == "unverified: none is recorded"
    assert shown["assays"] == ["CHIP (1058)", "CAGE (357)", "ATAC (127)", "DNASE (101)"]


def _zoo() -> Path:
    import ft_s2a

    package = Path(ft_s2a.__file__).parent
    wheel = package / "_entries"
    return wheel if wheel.is_dir() else package.parent / "model_zoo"


@pytest.mark.real_data
def test_published_entries_are_made_by_their_script(mirror: Path, tmp_path: Path) -> None:
    targets = mirror / "basenji2_targets"
    if not targets.is_dir():
        pytest.skip(f"real data: {targets} is missing")
    scripts = str(Path(sys.executable).parent)
    subprocess.run(
        ["sh", str(_zoo() / "basenji2/register.sh"), str(targets), str(tmp_path)],
        env={"PATH": f"{scripts}:/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        check=True,
        timeout=120,
    )
    for species in ("human", "mouse"):
        folder = _zoo() / "basenji2" / species
        for path in folder.iterdir():
            made = tmp_path / "basenji2" / species / path.name
            assert made.read_bytes() == path.read_bytes(), path.name


@pytest.fixture
def oracle(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Models that calico/basenji saved with Keras: random weights, scaled down."""
    folder = mirror.parent / "oracles" / "basenji2"
    if not folder.is_dir():
        pytest.skip(f"real data: {folder} is missing")
    monkeypatch.setenv("FT_S2A_MIRROR", str(folder))
    return folder


@pytest.mark.real_data
@pytest.mark.kipoi
def test_from_the_published_file_to_predictions(oracle: Path, make: Make, tmp_path: Path) -> None:
    """Keras file, entry, predictions: the numbers of the authors' code."""
    import ft_s2a
    from ft_s2a.genome import BigWig, sequence
    from ft_s2a.prediction import predict_tracks

    config = Basenji2Config(
        input_length=4096,
        crop_bins=4,
        stem_channels=16,
        tower_channels=(17, 20, 24, 28, 33, 38),
        dilated_channels=12,
        final_channels=24,
        heads=(HeadConfig(name="human", tracks=6), HeadConfig(name="mouse", tracks=4)),
    )
    table = TARGETS.splitlines(keepends=True)[0] + "".join(
        f"{i}\t0\tT{i}\tt{i}.w5\t384\t1\t{'sum' if i % 2 else 'mean'}\tCAGE:cell {i}\n"
        for i in range(6)
    )
    (tmp_path / "targets.txt").write_text(table)
    file = oracle / "model_human.h5"
    entry = make(
        config=config,
        targets=tmp_path / "targets.txt",
        mirror_path="model_human.h5",
        sha256=sha256_file(file),
        bytes=file.stat().st_size,
        ensemble="none",
    )
    found = statuses(entry)
    assert (found["weights"], found["network"]) == ("ok", "ok")
    with np.load(oracle / "input.npz") as arrays:
        codes = arrays["seq_index"]
    one_hot = sequence.one_hot(codes)
    with np.load(oracle / "output_paper2020.npz") as arrays:
        expected = arrays["human"]
    model = load_model(entry.folder)
    with torch.no_grad():
        np.testing.assert_allclose(model(torch.from_numpy(one_hot)), expected, atol=1e-5)
    kipoi_model = ft_s2a.ZooModel(entry.folder)
    np.testing.assert_allclose(kipoi_model.predict_on_batch(one_hot), expected, atol=1e-5)
    # On a genome: the contig is the first sequence, the region its predicted middle.
    (tmp_path / "g.fa").write_text(f">chr1\n{sequence.decode(codes[0])}\n")
    start, end = model.geometry.target_interval(0)
    files = predict_tracks(
        model,
        tmp_path / "g.fa",
        [Interval("chr1", start, end)],
        head="human",
        out_dir=tmp_path / "out",
    )
    assert len(files) == 6
    for i in range(6):
        with BigWig(tmp_path / "out" / f"lab-human.T{i}.bw") as track:
            values = track.values("chr1", start, end)[::128]
        per_base = 128 if i % 2 else 1
        np.testing.assert_allclose(values * per_base, expected[0, :, i], rtol=1e-5, atol=1e-5)
