"""Models from run folders and entries, and what a SequenceModel gives."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from ft_s2a.checkpoint import save_weights
from ft_s2a.errors import ChecksumError, ConfigError, FtS2aError, MissingFileError, TrackError
from ft_s2a.loading import SequenceModel, load_model
from ft_s2a.models import Basenji2, Basenji2Config, HeadConfig, build

TRACKS = "name\thead\tstrand_pair\na.fwd\tone\ta.rev\na.rev\tone\ta.fwd\nb\ttwo\t\n"


@pytest.fixture
def network() -> Basenji2:
    torch.manual_seed(1)
    config = Basenji2Config(
        input_length=512, crop_bins=4, stem_channels=4, stem_kernel=5, tower_channels=(4, 4, 4),
        dilations=(1,), dilated_channels=2, final_channels=4,
        heads=(HeadConfig(name="one", tracks=2), HeadConfig(name="two", tracks=1)),
    )  # fmt: skip
    return build(config).eval()


@pytest.fixture
def run(network: Basenji2, tmp_path: Path) -> Path:
    folder = tmp_path / "my-run"
    folder.mkdir()
    (folder / "config.json").write_text(network.config.model_dump_json())
    (folder / "tracks.tsv").write_text(TRACKS)
    save_weights(folder / "weights.safetensors", network)
    return folder


@pytest.fixture
def entry(network: Basenji2, tmp_path: Path) -> Path:
    folder = tmp_path / "zoo" / "toy" / "small"
    folder.mkdir(parents=True)
    weights = save_weights(folder / "weights.safetensors", network)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    (folder / "tracks.tsv").write_text(TRACKS)
    document = {
        "schema_version": 1, "name": "toy/small", "version": "2.1", "summary": "A toy.",
        "species": "none", "assembly": "toy1", "license": "MIT", "ensemble": "none",
        "model": network.config.model_dump(mode="json"),
        "weights": {"file": weights.name, "sha256": digest},
        "tracks": {"file": "tracks.tsv", "sha256": hashlib.sha256(TRACKS.encode()).hexdigest()},
    }  # fmt: skip
    (folder / "entry.yaml").write_text(yaml.safe_dump(document))
    return folder


def test_a_run_folder_is_loaded(run: Path, network: Basenji2) -> None:
    model = load_model(run)
    assert (model.name, model.version, model.ensemble) == ("my-run", "run", "rc")
    assert model.heads == ("one", "two")
    assert model.geometry.output_bins == 24
    assert model.config == network.config
    assert model.tracks("one").names == ("a.fwd", "a.rev")
    x = torch.rand(2, 512, 4)
    with torch.no_grad():
        torch.testing.assert_close(model(x, "one"), network(x, "one"))
        torch.testing.assert_close(model.embed(x), network.embed(x))
    assert not model.network.training


def test_an_entry_is_loaded_by_path_and_by_name(
    entry: Path, network: Basenji2, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FT_S2A_ZOO", str(entry.parents[1]))
    for name in (entry, str(entry), "toy/small"):
        model = load_model(name)
        assert (model.name, model.version, model.ensemble) == ("toy/small", "2.1", "none")
        torch.testing.assert_close(model.network.state_dict(), network.state_dict())


def test_a_head_must_be_named_when_there_are_several(run: Path) -> None:
    model = load_model(run)
    with pytest.raises(ConfigError, match="my-run has the heads one, two; name one"):
        model(torch.zeros(1, 512, 4))
    with pytest.raises(ConfigError, match="no head 'onne'; did you mean 'one'"):
        model.tracks("onne")
    assert model(torch.zeros(1, 512, 4), "two").shape == (1, 24, 1)


def test_one_head_as_a_module(run: Path) -> None:
    model = load_model(run)
    x = torch.rand(2, 512, 4)
    plain = model.for_head("one", torch.tensor([1]))
    torch.testing.assert_close(plain(x.transpose(1, 2)), model(x, "one")[:, :, [1]])
    rows = model.for_head("one", channels_first=False)
    torch.testing.assert_close(rows(x), model(x, "one"))
    assert isinstance(plain, torch.nn.Module)
    assert len(list(plain.parameters())) == len(list(model.network.parameters()))


def test_gradients_reach_the_input(run: Path) -> None:
    x = torch.rand(1, 512, 4, requires_grad=True)
    load_model(run)(x, "one").sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0


def test_gradients_of_a_head_go_through_layers_that_can_be_hooked(run: Path) -> None:
    model = load_model(run)
    plain = model.for_head("one", channels_first=False)
    seen: list[str] = []
    for name, module in model.network.named_modules():
        module.register_forward_hook(lambda *_, name=name: seen.append(name))
    x = torch.rand(1, 512, 4)
    quick = plain(x)
    assert not seen
    slow = plain(x.requires_grad_(True))
    assert {"stem.0", "dilated.0.body.4", "final.3"} <= set(seen)
    torch.testing.assert_close(slow, quick)


def test_the_fast_form_is_a_copy(run: Path) -> None:
    model = load_model(run, compile=True)
    assert model.compile
    x = torch.rand(1, 512, 4)
    model = load_model(run)
    before = model(x, "one")
    with torch.no_grad():
        for parameter in model.network.parameters():
            parameter.zero_()
    assert torch.equal(model(x, "one"), before)
    assert "fast" not in repr(model)


def test_bf16_comes_back_as_float32(run: Path) -> None:
    exact, quick = load_model(run), load_model(run, precision="bf16")
    x = torch.rand(1, 512, 4)
    with torch.no_grad():
        assert quick(x, "one").dtype == quick.embed(x).dtype == torch.float32
        torch.testing.assert_close(quick(x, "one"), exact(x, "one"), rtol=0.05, atol=0.05)
    with pytest.raises(ConfigError, match="precision is 'fp16'; expected float32 or bf16"):
        load_model(run, precision="fp16")  # type: ignore[arg-type]


@pytest.mark.parametrize("device", ["cuda:99", "gpu", "warp"])
def test_a_device_that_is_not_there_is_told(run: Path, device: str) -> None:
    with pytest.raises(ConfigError, match=f"device '{device}' cannot be used"):
        load_model(run, device=device)


def test_what_is_missing_or_does_not_fit_is_named(run: Path, tmp_path: Path) -> None:
    with pytest.raises(FtS2aError, match="no entry 'toy/none'"):
        load_model("toy/none")
    with pytest.raises(MissingFileError, match="no such entry folder"):
        load_model(str(tmp_path / "none"))
    text = (run / "tracks.tsv").read_text()
    (run / "tracks.tsv").write_text(text.replace("b\ttwo\t\n", ""))
    with pytest.raises(TrackError, match="0 tracks of head 'two'"):
        load_model(run)
    (run / "tracks.tsv").write_text(text)
    config = json.loads((run / "config.json").read_text())
    for content, message in (
        (json.dumps({**config, "gelu": "erf"}), "another network: gelu"),
        ("{", "is not JSON"),
        ("[]", "is not a config"),
        ("{}", "architecture is None"),
    ):
        (run / "config.json").write_text(content)
        with pytest.raises(FtS2aError, match=message):
            load_model(run)
    (run / "config.json").write_text(json.dumps(config))
    (run / "weights.safetensors").unlink()
    with pytest.raises(MissingFileError, match="the run has no weights yet"):
        load_model(run)


def test_weights_of_a_wrong_hash_are_refused(entry: Path) -> None:
    weights = entry / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ChecksumError, match=r"weights\.safetensors"):
        load_model(entry)


def test_the_package_gives_the_same_names() -> None:
    import ft_s2a

    names: Any = (ft_s2a.load_model, ft_s2a.SequenceModel)
    assert names == (load_model, SequenceModel)
