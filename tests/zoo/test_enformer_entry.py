"""Entries of enformer-pytorch's weights with several heads, and the published Enformer."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import ft_s2a
from ft_s2a.checkpoint import lucidrains
from ft_s2a.conventions.hashing import sha256_file
from ft_s2a.entries import Entry, list_models, read_entry
from ft_s2a.entries.description import describe_entry
from ft_s2a.errors import ChecksumError, ConfigError, FtS2aError
from ft_s2a.loading import load_model
from ft_s2a.models import Basenji2Config, Enformer, EnformerConfig, HeadConfig, named
from ft_s2a.zoo import fetch, register, render, validate

URL = "https://example.org/hub/pytorch_model.bin"
PATH = "hub/pytorch_model.bin"
CONFIG = EnformerConfig(
    input_length=512,
    target_bins=4,
    dim=24,
    depth=1,
    attention_heads=2,
    key_size=4,
    downsamples=4,
    dim_divisible_by=4,
    heads=(HeadConfig(name="human", tracks=2), HeadConfig(name="mouse", tracks=1)),
)
HEADER = "index\tgenome\tidentifier\tfile\tclip\tscale\tsum_stat\tdescription\n"
HUMAN = (
    "0\t0\tENCFF1\t/cluster/a.w5\t32\t2\tmean\tDNASE:liver\n"
    "1\t0\tshared\t/cluster/b.w5\t384\t1\tsum\tCAGE:liver\n"
)
MOUSE = "2\t1\tshared\t/cluster/c.w5\t32\t2\tmean\tCHIP:CTCF:liver\n"

Make = Callable[..., Entry]


def write_state(path: Path, config: EnformerConfig = CONFIG) -> None:
    """Write random weights under the names of enformer-pytorch."""
    torch.manual_seed(1)
    state = {}
    for ours, tensor in Enformer(config).state_dict().items():
        drawn = torch.rand_like(tensor) if tensor.is_floating_point() else tensor
        drawn = drawn if "running_var" in ours or "num_batches" in ours else drawn - 0.5
        name = lucidrains._theirs(ours)
        if name.endswith("to_attn_logits.weight"):
            drawn = drawn[:, :, None, None]
        elif name.endswith(("rel_content_bias", "rel_pos_bias")):
            drawn = drawn[None, :, None]
        elif name.endswith("final_pointwise.1.2.weight"):
            drawn = drawn[:, :, None]
        state[f"module.{name}"] = drawn
    torch.save(state, path)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FT_S2A_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FT_S2A_MIRROR", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def targets(tmp_path: Path) -> dict[str, Path]:
    found = {}
    for head, rows in (("human", HUMAN), ("mouse", MOUSE)):
        found[head] = tmp_path / f"targets_{head}.txt"
        found[head].write_text(HEADER + rows)
    return found


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mirror in which the weights lie."""
    path = tmp_path / "mirror" / PATH
    path.parent.mkdir(parents=True)
    write_state(path)
    monkeypatch.setenv("FT_S2A_MIRROR", str(tmp_path / "mirror"))
    return path


@pytest.fixture
def make(tmp_path: Path, targets: dict[str, Path]) -> Make:
    def with_fields(*, name: str = "both", **changes: Any) -> Entry:
        fields = {"weights": URL, "config": CONFIG, "targets": targets, "license": "MIT", **changes}
        return register(tmp_path / "zoo/lab" / name, **fields)

    return with_fields


def statuses(entry: Entry) -> dict[str, str]:
    return {row.check: row.status for row in validate(entry.folder)}


def test_an_entry_has_both_heads(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    entry = make()
    assert entry.weights.format == "enformer-pytorch"
    assert entry.model == CONFIG
    table = entry.read_tracks()
    # Names are unique in the entry: what both tables have is told apart.
    assert table.names == ("ENCFF1", "human.shared", "mouse.shared")
    assert [track.head for track in table] == ["human", "human", "mouse"]
    assert "1 track names occur in several heads" in caplog.text
    render(entry.folder, check=True)
    card = (entry.folder / "README.md").read_text()
    assert f"| weights | at {URL} (enformer-pytorch), **unverified**" in card
    assert "--head human" in card


def test_heads_stand_in_the_order_of_the_network(make: Make, targets: dict[str, Path]) -> None:
    entry = make(targets=dict(reversed(targets.items())))
    assert [head.name for head in entry.model.heads] == ["human", "mouse"]
    assert entry.read_tracks().heads == ("human", "mouse")


def test_a_config_without_heads_gets_those_of_the_tables(make: Make) -> None:
    entry = make(config=CONFIG.with_heads(()))
    assert [(h.name, h.tracks) for h in entry.model.heads] == [("human", 2), ("mouse", 1)]


def test_entries_of_one_head_share_the_file(
    make: Make, published: Path, targets: dict[str, Path]
) -> None:
    sha256 = sha256_file(published)
    both = load_model(make(sha256=sha256).folder)
    one_hot = torch.nn.functional.one_hot(torch.randint(0, 4, (1, 512)), 4).float()
    for head in ("human", "mouse"):
        entry = make(name=head, head=head, targets=targets[head], sha256=sha256)
        assert entry.weights == read_entry(entry.folder.parent / "both").weights
        alone = load_model(entry.folder)
        assert alone.heads == (head,)
        with torch.no_grad():
            assert torch.equal(alone(one_hot), both(one_hot, head))


def test_the_position_features_are_those_that_the_entry_names(make: Make, published: Path) -> None:
    sha256 = sha256_file(published)
    one_hot = torch.nn.functional.one_hot(torch.randint(0, 4, (1, 512)), 4).float()
    found = []
    for form in ("torch", "tensorflow"):
        config = CONFIG.model_copy(update={"gamma": form})
        model = load_model(make(name=form, config=config, sha256=sha256).folder)
        with torch.no_grad():
            found.append(model.embed(one_hot))
    assert (found[0] - found[1]).abs().max() > 1e-4 * found[0].abs().max()


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def _web_page(path: Path) -> None:
    path.write_text("<!DOCTYPE html><html><body>404</body></html>")


def _pointer(path: Path) -> None:
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")


def _deeper(path: Path) -> None:
    write_state(path, CONFIG.model_copy(update={"depth": 2}))


def _basenji2(path: Path) -> None:
    from ft_s2a.models import build

    config = Basenji2Config(
        input_length=512, crop_bins=0, stem_channels=4, tower_channels=(4,) * 3, dilations=(1,),
        dilated_channels=4, final_channels=4, heads=CONFIG.heads,
    )  # fmt: skip
    torch.save(build(config).state_dict(), path)


def _code(path: Path) -> None:
    torch.save({"stem.0.weight": Path("runs/when/loaded")}, path)


def _not_a_number(path: Path) -> None:
    state = torch.load(path, weights_only=True)
    state["module.stem.0.bias"][0] = torch.nan
    torch.save(state, path)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (_web_page, "is a web page, no weights file; expected a state dict saved by torch.save"),
        (_pointer, "is no weights file; expected a state dict"),
        (_cut, "is no complete weights file"),
        (_deeper, "another network: depth is 2 in them and 1 in the config"),
        (_basenji2, "has no tensor"),
        (_code, "holds more than tensors, which is not run"),
        (_not_a_number, "tensor 'stem.0.bias' holds NaN"),
    ],
)
@pytest.mark.parametrize("place", ["mirror", "address"])
def test_wrong_weights_are_never_trusted(
    make: Make, published: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch,
    harm: Callable[[Path], None], message: str, place: str,
) -> None:  # fmt: skip
    harm(published)
    url = URL
    if place == "address":
        monkeypatch.delenv("FT_S2A_MIRROR")
        url = published.as_uri()
    entry = make(weights=url)
    with pytest.raises(FtS2aError, match=message) as caught:
        fetch(entry, trust_on_first_use=True)
    named_place = published.as_uri() if place == "address" else str(published)
    assert str(caught.value).startswith(named_place)
    assert "\n" not in str(caught.value)
    assert not [p for p in own_cache.rglob("*") if p.is_file()]
    with pytest.raises(ChecksumError, match="unverified"):
        fetch(entry)


def test_a_recorded_hash_keeps_everything_else_out(
    make: Make, published: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha256 = sha256_file(published)
    _web_page(published)
    with pytest.raises(ChecksumError, match="SHA-256 is"):
        fetch(make(sha256=sha256))
    monkeypatch.delenv("FT_S2A_MIRROR")
    with pytest.raises(ChecksumError, match="SHA-256 is"):
        fetch(make(weights=published.as_uri(), sha256=sha256, overwrite=True))
    assert not [p for p in own_cache.rglob("*") if p.is_file()]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "keras-h5"}, "format keras-h5 are of an architecture basenji2, not enformer"),
        ({"format": "enformer"}, "did you mean 'enformer-pytorch'"),
        ({"head": "human"}, "the target tables name their heads"),
        ({"config": "enformer"}, "2 tracks of head 'human', of which the network has 5313"),
    ],
)
def test_what_does_not_fit(make: Make, tmp_path: Path, changes: Any, message: str) -> None:
    with pytest.raises(FtS2aError, match=message):
        make(**changes)
    assert not (tmp_path / "zoo").exists()


def test_a_table_for_one_of_two_heads_must_name_it(make: Make, targets: dict[str, Path]) -> None:
    with pytest.raises(ConfigError, match=r"has the heads human, mouse; name that .*HEAD=TABLE"):
        make(targets=targets["human"])
    entry = make(targets={"mouse": targets["mouse"]})
    assert entry.model.heads == (HeadConfig(name="mouse", tracks=1),)


# The published model


def _zoo() -> Path:
    package = Path(ft_s2a.__file__).parent
    wheel = package / "_entries"
    return wheel if wheel.is_dir() else package.parent / "model_zoo"


def test_the_published_entry() -> None:
    """What `model_zoo/enformer` says agrees with the public records."""
    entry = read_entry(_zoo() / "enformer" / "official")
    assert entry.model == named("enformer")
    assert entry.model.gamma == "tensorflow"
    assert entry.weights.model_dump() == {
        "format": "enformer-pytorch",
        "file": None,
        "url": "https://huggingface.co/EleutherAI/enformer-official-rough/resolve/"
        "affe5713ae9017460706a44108289b13c5fee16c/pytorch_model.bin",
        "path": "EleutherAI/enformer-official-rough/pytorch_model.bin",
        "sha256": lucidrains._OFFICIAL_SHA256,
        "bytes": lucidrains._OFFICIAL_BYTES,
    }
    assert (entry.license, entry.species) == ("CC-BY-4.0", "Homo sapiens and Mus musculus")
    assert "10.1038/s41592-021-01252-x" in entry.citation
    assert "failed" not in statuses(entry).values()
    shown = {row["field"]: row["value"] for row in describe_entry(entry)}
    assert shown["parameters"].startswith("251,221,292 trained")
    assert shown["heads"] == ["human (5313)", "mouse (1643)"]
    assert shown["assays"] == ["CHIP (5049)", "CAGE (995)", "DNASE (775)", "ATAC (137)"]
    assert len((entry.folder / "README.md").read_text()) < 6_000
    row = list_models("enformer/official").iloc[0]
    assert (row["tracks"], row["bins"], row["input_length"]) == (6956, 896, 196_608)


def test_the_published_tracks_are_those_of_the_basenji2_entries() -> None:
    found = read_entry(_zoo() / "enformer" / "official").read_tracks()
    for head in ("human", "mouse"):
        theirs = read_entry(_zoo() / "basenji2" / head).read_tracks()
        assert list(found.for_head(head)) == list(theirs)


@pytest.mark.real_data
def test_the_published_entry_is_made_by_its_script(mirror: Path, tmp_path: Path) -> None:
    targets = mirror / "basenji2_targets"
    if not targets.is_dir():
        pytest.skip(f"real data: {targets} is missing")
    scripts = str(Path(sys.executable).parent)
    subprocess.run(
        ["sh", str(_zoo() / "enformer/register.sh"), str(targets), str(tmp_path)],
        env={"PATH": f"{scripts}:/usr/bin:/bin", "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        check=True,
        timeout=120,
    )
    for path in (_zoo() / "enformer" / "official").iterdir():
        made = tmp_path / "enformer" / "official" / path.name
        assert made.read_bytes() == path.read_bytes(), path.name


@pytest.mark.real_data
@pytest.mark.kipoi
def test_from_the_peers_file_to_predictions(
    mirror: Path, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """State dict, entry, predictions: the numbers of enformer-pytorch, in Python and in Kipoi."""
    folder = mirror.parent / "oracles" / "enformer"
    if not folder.is_dir():
        pytest.skip(f"real data: {folder} is missing")
    monkeypatch.setenv("FT_S2A_MIRROR", str(folder))
    hparams = json.loads((folder / "hparams.json").read_text())
    config = EnformerConfig(
        input_length=32_768,
        target_bins=128,
        dim=384,
        depth=3,
        attention_heads=4,
        heads=(HeadConfig(name="human", tracks=12), HeadConfig(name="mouse", tracks=7)),
    )
    assert config.dim == hparams.get("dim", 384)
    tables = {}
    for head in config.heads:
        tables[head.name] = tmp_path / f"{head.name}.txt"
        rows = (
            f"{i}\t0\t{head.name}{i}\tt{i}.w5\t384\t1\tmean\tCAGE:cell {i}\n"
            for i in range(head.tracks)
        )
        tables[head.name].write_text(HEADER + "".join(rows))
    file = folder / "state_dict.pt"
    entry = make(
        weights="https://example.org/state_dict.pt",
        config=config,
        targets=tables,
        sha256=sha256_file(file),
        bytes=file.stat().st_size,
        ensemble="none",
    )
    monkeypatch.setenv("FT_S2A_ZOO", str(tmp_path / "zoo"))
    assert list_models("lab/both")["tracks"].tolist() == [19]
    found = statuses(entry)
    assert (found["weights"], found["network"]) == ("ok", "ok")
    assert "failed" not in found.values()
    stored = torch.load(folder / "io.pt", weights_only=True)
    model = load_model("lab/both")
    assert model.heads == ("human", "mouse")
    with torch.no_grad():
        for head in model.heads:
            expected = stored[f"{head}_float64"].float()
            torch.testing.assert_close(model(stored["input"], head), expected, atol=1e-5, rtol=0)
    kipoi_model = ft_s2a.ZooModel("lab/both")
    expected = torch.cat([stored["human"], stored["mouse"]], dim=2).numpy()
    inputs = stored["input"].numpy()
    for rows in (inputs, inputs[:1]):  # with rows that are not one-hot, and without
        preds = kipoi_model.predict_on_batch(rows)
        np.testing.assert_allclose(preds, expected[: len(rows)], atol=1e-5)
    schema = yaml.safe_load((entry.folder / "model.yaml").read_text())["schema"]
    assert schema["targets"]["shape"] == "(128, 19)"
