from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import ft_s2a
from ft_s2a.checkpoint import load_weights
from ft_s2a.entries import Entry
from ft_s2a.errors import ConfigError, DataError, MissingFileError
from ft_s2a.genome import sequence

pytestmark = pytest.mark.kipoi

# tracks.tsv: atac, rna.fwd, dnase.fwd, rna.rev, dnase.rev. The network gives
# dna (atac, dnase.fwd, dnase.rev), then rna (rna.fwd, rna.rev).
ORDER = [0, 3, 1, 4, 2]
# The same tracks seen from the other strand.
SWAPPED = [0, 3, 4, 1, 2]


@pytest.fixture(scope="module")
def codes() -> NDArray[np.uint8]:
    codes = np.random.default_rng(0).integers(0, 4, (3, 2048), dtype=np.uint8)
    codes[0, 1000:1010] = 4
    return codes


@pytest.fixture(scope="module")
def model(entry: Entry) -> Any:
    return ft_s2a.ZooModel(entry.folder)


@pytest.fixture(scope="module")
def network(run: Path) -> Any:
    """The network in float64, without anything of ours around it."""
    return load_weights(run / "weights.safetensors").double()


def forward(network: Any, rows: torch.Tensor) -> torch.Tensor:
    return torch.cat([network(rows, "dna"), network(rows, "rna")], dim=2)[:, :, ORDER]


def both_strands(network: Any, rows: torch.Tensor) -> torch.Tensor:
    """The definition: mean of the sequence and of its reverse complement, turned back."""
    complement = rows[:, :, [3, 2, 1, 0]]
    other = forward(network, torch.flip(complement, dims=[1]))
    return (forward(network, rows) + torch.flip(other, dims=[1])[:, :, SWAPPED]) / 2


def test_predictions_are_the_mean_of_both_strands_in_table_order(
    model: Any, network: Any, codes: NDArray[np.uint8]
) -> None:
    rows = sequence.one_hot(codes)
    with torch.no_grad():
        expected = both_strands(network, torch.from_numpy(rows).double()).numpy()
    found = model.predict_on_batch(rows)
    assert found.shape == (3, 8, 5)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-5)
    # The test would not see a wrong order of tracks whose predictions are alike.
    assert np.abs(expected[:, :, 0] - expected[:, :, 2]).max() > 0.01
    np.testing.assert_array_equal(model.predict_on_batch(codes), found)
    np.testing.assert_array_equal(model.predict_on_batch({"seq": rows}), found)


def test_rows_that_are_not_one_hot_are_predicted_as_they_are(
    model: Any, network: Any, codes: NDArray[np.uint8]
) -> None:
    rows = 0.5 * sequence.one_hot(codes)
    with torch.no_grad():
        expected = both_strands(network, torch.from_numpy(rows).double()).numpy()
    np.testing.assert_allclose(model.predict_on_batch(rows), expected, rtol=2e-5, atol=1e-5)


def test_large_batches_are_computed_in_parts(
    model: Any, codes: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = model.predict_on_batch(codes)
    monkeypatch.setattr("ft_s2a.zoo.kipoi_model._BATCH_BASES", 2048)
    np.testing.assert_allclose(model.predict_on_batch(codes), whole, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("filter_idx", "avg_func"),
    [(None, None), (1, "sum"), ((slice(2, 4), 3), None), (slice(0, 2), "max"), (4, "absmax")],
)
def test_gradients_match_differences(
    model: Any, network: Any, codes: NDArray[np.uint8], filter_idx: Any, avg_func: str | None
) -> None:
    rows = sequence.one_hot(codes[:1])
    found = model.input_grad(rows, filter_idx=filter_idx, avg_func=avg_func, num_workers=0)
    assert found.shape == rows.shape

    def selected(values: torch.Tensor) -> float:
        with torch.no_grad():
            out = both_strands(network, values)
        index = (..., slice(None)) if filter_idx is None else filter_idx
        index = index if isinstance(index, tuple) else (..., index)
        flat = out[(slice(None), *index)].reshape(-1)
        if avg_func == "max":
            return float(flat.max())
        if avg_func == "absmax":
            return float(flat[flat.abs().argmax()])
        return float(flat.sum())

    centre = torch.from_numpy(rows).double()
    direction = torch.from_numpy(np.random.default_rng(1).standard_normal(rows.shape))
    step = 1e-6
    slope = (selected(centre + step * direction) - selected(centre - step * direction)) / (2 * step)
    assert float((torch.from_numpy(found).double() * direction).sum()) == pytest.approx(
        slope, rel=1e-3, abs=1e-3
    )


def test_layers(model: Any, network: Any, codes: NDArray[np.uint8]) -> None:
    rows = sequence.one_hot(codes)
    with torch.no_grad():
        double = torch.from_numpy(rows).double()
        trunk, head = network.embed(double).numpy(), network(double, "rna").numpy()
        stem = network.stem(double.transpose(1, 2)).numpy()
    for name, expected in (("trunk", trunk), ("rna", head), ("stem", stem)):
        found = model.predict_activation_on_batch(rows, name)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    with pytest.raises(ConfigError, match="did you mean 'trunk'"):
        model.predict_activation_on_batch(rows, "trunc")
    # From a layer back to the input.
    gradient = model.input_grad(rows, layer="trunk", filter_idx=2)
    values = double.requires_grad_(True)
    network.embed(values)[..., 2].sum().backward()
    np.testing.assert_allclose(gradient, values.grad.numpy(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((1, 2048), dtype=np.float32),
        np.zeros((1, 1024, 4), dtype=np.float32),
        np.full((1, 2048), 5, dtype=np.uint8),
        np.zeros((2048, 4), dtype=np.float32),
        np.zeros((0, 2048, 4), dtype=np.float32),
    ],
)
def test_other_shapes_are_refused(model: Any, wrong: NDArray[Any]) -> None:
    with pytest.raises(DataError, match=r"expected one-hot DNA \[batch, 2048, 4\]"):
        model.predict_on_batch(wrong)


def test_what_is_not_supported_is_refused(model: Any, codes: NDArray[np.uint8]) -> None:
    rows = sequence.one_hot(codes)
    with pytest.raises(ConfigError, match="pre_nonlinearity"):
        model.input_grad(rows, pre_nonlinearity=True)
    with pytest.raises(ConfigError, match="avg_func is 'mean'"):
        model.input_grad(rows, avg_func="mean")


def test_kipoi_may_set_its_names(entry: Entry, codes: NDArray[np.uint8]) -> None:
    model = ft_s2a.ZooModel(entry.folder)
    before = model.predict_on_batch(codes)
    names = ["type", "args", "info", "schema", "dependencies", "default_dataloader", "name"]
    names += ["source", "source_name", "source_dir", "writers", "pipeline"]
    for name in names:
        assert name not in vars(type(model)), f"{name} is Kipoi's"
        setattr(model, name, "set by kipoi")
    np.testing.assert_array_equal(model.predict_on_batch(codes), before)


def test_the_expectation_is_looked_for_in_the_entry(entry: Entry) -> None:
    model = ft_s2a.ZooModel(entry.folder)
    model.test = SimpleNamespace(expect="example/expect.h5", precision_decimal=3)
    assert Path(model.test.expect) == entry.folder / "example/expect.h5"
    model.test = SimpleNamespace(expect=None)
    assert model.test.expect is None


def test_weights_are_loaded_at_the_first_prediction(
    entry: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, codes: NDArray[np.uint8]
) -> None:
    folder = tmp_path / "toy/small"
    shutil.copytree(entry.folder, folder)
    (folder / "weights.safetensors").unlink()
    monkeypatch.chdir(folder)
    model = ft_s2a.ZooModel()
    # The folder is that of the construction.
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingFileError, match="has no weights"):
        model.predict_on_batch(codes)
    shutil.copy(entry.folder / "weights.safetensors", folder)
    assert model.predict_on_batch(codes).shape == (3, 8, 5)
