from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ft_s2a.checkpoint import load_weights, read_config, save_weights
from ft_s2a.errors import ConfigError, FormatError, MissingFileError, OutputExistsError
from ft_s2a.models import Basenji2, Basenji2Config, HeadConfig, build

CONFIG = Basenji2Config(
    input_length=512,
    crop_bins=1,
    stem_channels=3,
    tower_channels=(4, 4),
    dilations=(1,),
    dilated_channels=2,
    final_channels=5,
    heads=(HeadConfig(name="tracks", tracks=2),),
)


@pytest.fixture
def network() -> Basenji2:
    torch.manual_seed(5)
    network = build(CONFIG)
    network(torch.rand(3, 512, 4), "tracks")  # moves the running statistics
    return network


def test_a_round_trip_is_bitwise(network: Basenji2, tmp_path: Path) -> None:
    path = save_weights(tmp_path / "w.safetensors", network)
    loaded = load_weights(path, CONFIG)
    assert loaded.config == CONFIG
    assert not loaded.training
    ours, theirs = network.state_dict(), loaded.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert ours["stem.2.num_batches_tracked"] == 1
    assert all(p.requires_grad and p.device.type == "cpu" for p in loaded.parameters())


def test_loading_draws_no_random_number(network: Basenji2, tmp_path: Path) -> None:
    path = save_weights(tmp_path / "w.safetensors", network)
    before = torch.random.get_rng_state()
    load_weights(path)
    assert torch.equal(before, torch.random.get_rng_state())


def test_weights_stay_when_their_file_is_replaced(network: Basenji2, tmp_path: Path) -> None:
    path = save_weights(tmp_path / "w.safetensors", network)
    loaded = load_weights(path)
    path.write_bytes(b"\0" * path.stat().st_size)
    torch.testing.assert_close(loaded.state_dict(), network.state_dict())


def test_the_header_states_the_config(network: Basenji2, tmp_path: Path) -> None:
    path = save_weights(tmp_path / "w.safetensors", network)
    length = int.from_bytes(path.read_bytes()[:8], "little")
    header = json.loads(path.read_bytes()[8 : 8 + length])
    stated = json.loads(header["__metadata__"]["ft_s2a_config"])
    assert stated["heads"] == [{"name": "tracks", "tracks": 2}]
    assert read_config(path) == CONFIG


def test_another_config_is_refused_by_its_first_difference(
    network: Basenji2, tmp_path: Path
) -> None:
    path = save_weights(tmp_path / "w.safetensors", network)
    other = CONFIG.model_copy(update={"gelu": "erf"})
    with pytest.raises(ConfigError, match="another network: gelu is 'sigmoid' in the file and"):
        load_weights(path, other)


def test_an_existing_file_is_kept_unless_told(network: Basenji2, tmp_path: Path) -> None:
    path = save_weights(tmp_path / "w.safetensors", network)
    before = path.read_bytes()
    with pytest.raises(OutputExistsError):
        save_weights(path, network)
    assert path.read_bytes() == before
    save_weights(path, network, overwrite=True)


@pytest.mark.parametrize("keep", [0, 4, 100, -1])
def test_a_truncated_file_is_explained(network: Basenji2, tmp_path: Path, keep: int) -> None:
    path = save_weights(tmp_path / "w.safetensors", network)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(FormatError, match="no complete safetensors file"):
        load_weights(path)


def test_foreign_safetensors_are_explained(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    path = tmp_path / "foreign.safetensors"
    save_file({"a": np.zeros(3, dtype=np.float32)}, path)
    with pytest.raises(FormatError, match="states no config"):
        load_weights(path)
    save_file({"a": np.zeros(3, dtype=np.float32)}, path, metadata={"ft_s2a_config": "{"})
    with pytest.raises(FormatError, match="states no config"):
        load_weights(path)


def test_a_missing_an_extra_and_a_misshapen_tensor_are_named(
    network: Basenji2, tmp_path: Path
) -> None:
    from safetensors.torch import save_file

    metadata = {"ft_s2a_config": CONFIG.model_dump_json()}
    for change, message in (
        ({"stem.1.weight": None}, r"'stem.1.weight' has shape None; expected shape \(3, 4, 15\)"),
        ({"extra": torch.zeros(2)}, r"'extra' has shape \(2,\); expected shape None"),
        ({"stem.2.bias": torch.zeros(4)}, r"'stem.2.bias' has shape \(4,\); expected shape \(3,\)"),
    ):
        state = {**network.state_dict(), **change}
        path = tmp_path / "w.safetensors"
        save_file({k: v for k, v in state.items() if v is not None}, path, metadata=metadata)
        with pytest.raises(FormatError, match=message):
            load_weights(path)


def test_no_file_and_a_folder_are_explained(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such weights file"):
        load_weights(tmp_path / "none.safetensors")
    with pytest.raises(FormatError, match="no complete safetensors file"):
        load_weights(tmp_path)
