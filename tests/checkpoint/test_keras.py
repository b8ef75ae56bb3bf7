"""Weights that Keras saved: files are written here, layer by layer, as Keras lays them out."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ft_s2a.checkpoint import load_keras_basenji2
from ft_s2a.errors import ConfigError, FormatError, MissingFileError
from ft_s2a.models import Basenji2Config, HeadConfig

Layer = dict[str, Any]
Weights = dict[str, dict[str, NDArray[np.float32]]]

TINY = Basenji2Config(
    input_length=256,
    crop_bins=2,
    stem_channels=5,
    stem_kernel=7,
    tower_channels=(6, 8),
    tower_kernel=3,
    dilations=(1, 3),
    dilated_channels=4,
    final_channels=9,
    heads=(HeadConfig(name="human", tracks=3),),
)


class KerasModel:
    """Layers and random weights of a functional model, named by counters that start anywhere."""

    def __init__(self, config: Basenji2Config, *, start: int = 0, gamma: Any = "Ones") -> None:
        self.config, self.start, self.gamma = config, start, gamma
        self.layers: list[Layer] = []
        self.weights: Weights = {}
        self.counts: dict[str, int] = {}
        self.random = np.random.default_rng(8)
        self._add("InputLayer", "input", {"batch_input_shape": [None, config.input_length, 4]}, [])
        self._add("StochasticShift", "stochastic_shift", {"shift_max": 0, "pad": "uniform"})
        widths = (config.stem_channels, *config.tower_channels)
        self._block(4, config.stem_channels, config.stem_kernel, pool=True)
        for before, after in pairwise(widths):
            self._block(before, after, config.tower_kernel, pool=True)
        inner, channels = config.dilated_channels, widths[-1]
        for dilation in config.dilations:
            stream = self.last
            self._block(channels, inner, config.dilated_kernel, dilation=dilation)
            self._block(inner, channels, 1, dropout=config.dilated_dropout, skip=stream)
        if config.crop_bins:
            self._add("Cropping1D", "cropping1d", {"cropping": [config.crop_bins] * 2})
        self._block(channels, config.final_channels, 1, dropout=config.final_dropout)
        self._add("GELU", "gelu", {})
        tracks = config.heads[0].tracks
        self._add("Dense", "dense", {"units": tracks, "activation": "softplus", "use_bias": True})
        self.weights[self.last] = {
            "kernel": self._draw(config.final_channels, tracks), "bias": self._draw(tracks)
        }  # fmt: skip

    @property
    def last(self) -> str:
        return str(self.layers[-1]["name"])

    def _draw(self, *shape: int) -> NDArray[np.float32]:
        return self.random.uniform(0.1, 1, shape).astype(np.float32)

    def _add(self, kind: str, base: str, settings: Layer, inputs: list[str] | None = None) -> None:
        number = self.counts.setdefault(base, self.start)
        self.counts[base] += 1
        name = f"{base}_{number}" if number else base
        sources = [self.last] if inputs is None else inputs
        nodes = [[[source, 0, 0, {}] for source in sources]] if sources else []
        self.layers.append(
            {"class_name": kind, "name": name, "config": settings, "inbound_nodes": nodes}
        )

    def _block(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        dilation: int = 1,
        dropout: float = 0.0,
        skip: str | None = None,
        pool: bool = False,
    ) -> None:
        config = self.config
        self._add("GELU", "gelu", {})
        self._add(
            "Conv1D",
            "conv1d",
            {
                "filters": outputs, "kernel_size": [kernel], "strides": [1], "padding": "same",
                "dilation_rate": [dilation], "activation": "linear", "use_bias": config.conv_bias,
            },
        )  # fmt: skip
        self.weights[self.last] = {"kernel": self._draw(kernel, inputs, outputs)}
        if config.conv_bias:
            self.weights[self.last]["bias"] = self._draw(outputs)
        gamma = "Zeros" if skip else self.gamma
        start = None if gamma is None else {"class_name": gamma, "config": {}}
        self._add(
            "BatchNormalization",
            "batch_normalization",
            {
                "momentum": 1 - config.norm_momentum,
                "epsilon": config.norm_eps,
                "gamma_initializer": start,
            },
        )
        names = ("gamma", "beta", "moving_mean", "moving_variance")
        self.weights[self.last] = {name: self._draw(outputs) for name in names}
        if dropout:
            self._add("Dropout", "dropout", {"rate": dropout})
        if skip:
            self._add("Add", "add", {}, [skip, self.last])
        if pool:
            self._add("MaxPooling1D", "max_pooling1d", {"pool_size": [2], "strides": [2]})

    def layer(self, kind: str, number: int = 0) -> Layer:
        return [layer for layer in self.layers if layer["class_name"] == kind][number]

    def drop(self, kind: str) -> None:
        """Take out the layers of a kind that has one input."""
        for layer in [layer for layer in self.layers if layer["class_name"] == kind]:
            (before,) = [node[0] for node in layer["inbound_nodes"][0]]
            text = json.dumps(self.layers).replace(f'[["{layer["name"]}", ', f'[["{before}", ')
            self.layers = [x for x in json.loads(text) if x["name"] != layer["name"]]

    def document(self) -> Layer:
        return {"class_name": "Functional", "config": {"name": "model", "layers": self.layers}}

    def save(self, path: Path, *, weights_only: bool = False) -> Path:
        with h5py.File(path, "w") as file:
            group = file if weights_only else file.create_group("model_weights")
            if not weights_only:
                file.attrs["model_config"] = json.dumps(self.document()).encode()
                file.create_dataset("optimizer_weights/SGD/conv1d/kernel/momentum:0", data=[1.0])
            names = [layer["name"] for layer in self.layers]
            group.attrs["layer_names"] = np.array(names, dtype="S")
            for name in names:
                arrays = self.weights.get(name, {})
                layer = group.create_group(name)
                layer.attrs["weight_names"] = np.array(
                    [f"{name}/{weight}:0" for weight in arrays], dtype="S"
                )
                for weight, values in arrays.items():
                    layer[f"{name}/{weight}:0"] = values
        return path


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return KerasModel(TINY).save(tmp_path / "tiny.h5")


def changed(**changes: Any) -> Basenji2Config:
    return Basenji2Config.model_validate({**TINY.model_dump(), **changes})


def same_weights(network: torch.nn.Module, model: KerasModel) -> None:
    """Each tensor is that of the layer at its place, turned around."""
    ours = dict(network.state_dict())
    for arrays in model.weights.values():
        if "gamma" in arrays:
            names = ["gamma", "beta", "moving_mean", "moving_variance"]
        else:
            names = ["kernel", "bias"] if "bias" in arrays else ["kernel"]
        for name in names:
            key = next(iter(ours))
            np.testing.assert_array_equal(ours.pop(key).numpy(), arrays[name].T, err_msg=key)
        if "gamma" in arrays:
            assert ours.pop(next(iter(ours))) == 0  # num_batches_tracked
    assert not ours


@pytest.mark.parametrize(
    "config",
    [
        TINY,
        changed(crop_bins=0),
        changed(dilated_dropout=0.0, final_dropout=0.0),
        changed(conv_bias=True, norm_eps=1e-5, norm_momentum=0.01),
        changed(tower_channels=(7, 9, 4, 11), dilations=(2, 4, 8), stem_kernel=1, tower_kernel=5),
        changed(dilations=(1,), dilated_kernel=5, dilated_channels=2, input_length=512),
        changed(dilations=(), dilated_channels=384, dilated_dropout=0.3),
        changed(tower_channels=(), tower_kernel=5),
        changed(heads=[{"name": "human", "tracks": 1}]),
    ],
)
def test_a_full_model_describes_itself(tmp_path: Path, config: Basenji2Config) -> None:
    model = KerasModel(config)
    network = load_keras_basenji2(model.save(tmp_path / "m.h5"))
    assert network.config == config
    assert not network.training
    same_weights(network, model)
    bins = config.geometry.output_bins
    letters = torch.zeros(1, config.input_length, 4)
    assert network(letters, "human").shape == (1, bins, config.heads[0].tracks)


def test_names_count_from_anywhere(tmp_path: Path) -> None:
    model = KerasModel(TINY, start=17)
    assert model.layers[3]["name"] == "conv1d_17"
    same_weights(load_keras_basenji2(model.save(tmp_path / "m.h5")), model)


def test_loading_draws_no_random_number(tiny: Path) -> None:
    before = torch.random.get_rng_state()
    load_keras_basenji2(tiny)
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_layout_of_save_weights_needs_a_config(tmp_path: Path) -> None:
    model = KerasModel(TINY)
    path = model.save(tmp_path / "w.h5", weights_only=True)
    with pytest.raises(ConfigError, match=r"w\.h5: holds weights only.*give its config, such as"):
        load_keras_basenji2(path)
    network = load_keras_basenji2(path, changed(gelu="tanh"))
    assert network.config == changed(gelu="tanh")
    same_weights(network, model)
    headless = load_keras_basenji2(path, changed(heads=()), head="mouse")
    assert headless.config.heads == (HeadConfig(name="mouse", tracks=3),)


def test_of_several_heads_the_named_one_is_used(tiny: Path) -> None:
    two = changed(heads=[{"name": "mouse", "tracks": 2}, {"name": "human", "tracks": 3}])
    assert load_keras_basenji2(tiny, two).config.heads == (HeadConfig(name="human", tracks=3),)
    with pytest.raises(ConfigError, match="no head 'humna'; did you mean 'human'"):
        load_keras_basenji2(tiny, two, head="humna")
    with pytest.raises(FormatError, match="kernel of layer 'dense' has shape"):
        load_keras_basenji2(tiny, two, head="mouse")
    assert load_keras_basenji2(tiny, head="liver").config.heads[0].name == "liver"
    with pytest.raises(ConfigError, match="'a b'"):
        load_keras_basenji2(tiny, head="a b")


def test_long_lists_of_names_are_split(tmp_path: Path, tiny: Path) -> None:
    with h5py.File(tiny, "r+") as file:
        group = file["model_weights"]
        names = group.attrs["layer_names"]
        del group.attrs["layer_names"]
        group.attrs["layer_names0"], group.attrs["layer_names1"] = names[:9], names[9:]
    same_weights(load_keras_basenji2(tiny), KerasModel(TINY))


def _augmented(model: KerasModel) -> None:
    model.drop("StochasticShift")
    (node,) = model.layer("GELU")["inbound_nodes"]
    model.layers.insert(
        1, {"class_name": "StochasticReverseComplement", "name": "rc", "config": {},
            "inbound_nodes": [node]},
    )  # fmt: skip
    model.layer("GELU")["inbound_nodes"] = [[["rc", 0, 0, {}]]]
    model.layers.append(
        {"class_name": "SwitchReverse", "name": "switch", "config": {},
         "inbound_nodes": [[["dense", 0, 0, {}], ["rc", 0, 1, {}]]]}
    )  # fmt: skip


def _keras_3(model: KerasModel) -> None:
    for layer in model.layers:
        nodes = [
            {
                "args": [
                    {"class_name": "__keras_tensor__", "config": {"keras_history": source[:3]}}
                    for source in node
                ],
                "kwargs": {},
            }
            for node in layer["inbound_nodes"]
        ]
        layer["inbound_nodes"] = nodes
    settings = model.layer("InputLayer")["config"]
    settings["batch_shape"] = settings.pop("batch_input_shape")


def _registered(model: KerasModel) -> None:
    for layer in model.layers:
        if layer["class_name"] == "GELU":
            layer["class_name"] = "basenji>GELU"


@pytest.mark.parametrize(
    "change",
    [lambda model: model.drop("StochasticShift"), _augmented, _keras_3, _registered],
    ids=["no augmentation", "augmentation", "nodes of keras 3", "registered class"],
)
def test_other_descriptions_of_the_same(
    tmp_path: Path, change: Callable[[KerasModel], None]
) -> None:
    model = KerasModel(TINY)
    change(model)
    network = load_keras_basenji2(model.save(tmp_path / "m.h5"))
    assert network.config == TINY
    same_weights(network, model)


@pytest.mark.parametrize(
    ("gamma", "approximate", "form"),
    [
        ("Ones", None, "sigmoid"),  # the code of 2020
        (None, None, "tanh"),  # since October 2021
        ("GlorotUniform", None, "tanh"),
        ("Ones", True, "tanh"),
        ("Ones", False, "erf"),
    ],
)
def test_the_form_of_gelu(
    tmp_path: Path, gamma: str | None, approximate: bool | None, form: str
) -> None:
    model = KerasModel(TINY, gamma=gamma)
    if approximate is not None:
        for layer in model.layers:
            if layer["class_name"] == "GELU":
                layer["config"] = {"approximate": approximate}
    assert load_keras_basenji2(model.save(tmp_path / "m.h5")).config.gelu == form


def test_a_config_may_say_what_the_file_does_not(tiny: Path) -> None:
    config = changed(
        gelu="tanh", input_length=512, dilated_dropout=0.0, final_dropout=0.2, norm_momentum=0.5
    )
    assert load_keras_basenji2(tiny, config).config == config


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"crop_bins": 1}, "crop_bins is 2 in the file and 1 in the config"),
        ({"dilations": (1, 4)}, "dilations is (1, 3) in the file and (1, 4) in the config"),
        ({"norm_eps": 1e-5}, "norm_eps is 0.001 in the file and 1e-05 in the config"),
        ({"stem_channels": 6}, "stem_channels is 5 in the file and 6 in the config"),
        (
            {"block": "conv_norm_gelu"},
            "block is 'gelu_conv_norm' in the file and 'conv_norm_gelu' in the config",
        ),
    ],
)
def test_a_full_model_is_not_loaded_into_another(
    tiny: Path, changes: dict[str, Any], difference: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_keras_basenji2(tiny, changed(**changes))
    assert str(caught.value) == f"{tiny}: is another network: {difference}"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"tower_channels": (6, 7)},
            "kernel of layer 'conv1d_2' has shape (3, 6, 8); expected (3, 6, 7) (tower.1.1 of the "
            "config)",
        ),
        (
            {"stem_kernel": 15},
            "kernel of layer 'conv1d' has shape (7, 4, 5); expected (15, 4, 5) (stem.1 of the "
            "config)",
        ),
        (
            {"conv_bias": True},
            "bias of layer 'conv1d' has shape None; expected (5,) (stem.1 of the config)",
        ),
        (
            {"dilations": (1, 3, 5)},
            "kernel of layer 'conv1d_7' has shape (1, 8, 9); expected (3, 8, 4) "
            "(dilated.2.body.1 of the config)",
        ),
        (
            {"heads": [{"name": "human", "tracks": 4}]},
            "kernel of layer 'dense' has shape (9, 3); expected (9, 4) (heads.human.linear of the "
            "config)",
        ),
    ],
)
def test_weights_of_another_shape_are_refused_by_the_first_difference(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    path = KerasModel(TINY).save(tmp_path / "w.h5", weights_only=True)
    with pytest.raises(FormatError) as caught:
        load_keras_basenji2(path, changed(**changes))
    assert str(caught.value) == f"{path}: {message}"


@pytest.mark.parametrize(
    ("take", "message"),
    [
        ("dense", "has 16 layers with weights, and nothing for 'heads.human.linear'; expected 17"),
        ("conv1d_3", "layer 'batch_normalization_3' is a norm; expected a convolution (dilated.0"),
        ("batch_normalization", "layer 'conv1d_1' is a convolution; expected a norm (stem.2"),
    ],
)
def test_a_missing_layer_is_named(tmp_path: Path, take: str, message: str) -> None:
    model = KerasModel(TINY)
    model.layers = [layer for layer in model.layers if layer["name"] != take]
    path = model.save(tmp_path / "w.h5", weights_only=True)
    with pytest.raises(FormatError) as caught:
        load_keras_basenji2(path, TINY)
    assert str(caught.value).startswith(f"{path}: {message}")


def test_a_layer_too_many_is_named(tmp_path: Path) -> None:
    model = KerasModel(TINY)
    model._add("Dense", "dense", {})
    model.weights["dense_1"] = {"kernel": np.ones((3, 2), dtype=np.float32)}
    path = model.save(tmp_path / "w.h5", weights_only=True)
    with pytest.raises(FormatError, match="has 18 layers with weights, one of them 'dense_1'"):
        load_keras_basenji2(path, TINY)
    with pytest.raises(FormatError, match=r"'dense_1' \(Dense\) is not .*nothing after the head"):
        load_keras_basenji2(model.save(tmp_path / "m.h5"))


def test_other_kinds_of_layers_are_named(tmp_path: Path) -> None:
    model = KerasModel(TINY)
    model.weights["dense"] = {
        name: np.ones((2, 2, 2), dtype=np.float32) for name in ("q_kernel", "r_w_bias")
    }
    path = model.save(tmp_path / "w.h5", weights_only=True)
    with pytest.raises(FormatError, match="layer 'dense' holds q_kernel, r_w_bias; expected the"):
        load_keras_basenji2(path, TINY)
    model = KerasModel(TINY)
    model.layers.pop()
    path = model.save(tmp_path / "x.h5", weights_only=True)
    with pytest.raises(FormatError, match="has no head; expected a dense layer"):
        load_keras_basenji2(path, changed(heads=()))


def _set(kind: str, number: int, **settings: Any) -> Callable[[KerasModel], None]:
    return lambda model: model.layer(kind, number)["config"].update(settings)


def _rename(kind: str, number: int, to: str) -> Callable[[KerasModel], None]:
    return lambda model: model.layer(kind, number).update(class_name=to)


def _unchain(model: KerasModel) -> None:
    model.layer("Conv1D", 2)["inbound_nodes"] = [[["gelu_1", 0, 0, {}]]]


def _other_skip(model: KerasModel) -> None:
    model.layer("Add", 1)["inbound_nodes"][0][0][0] = "max_pooling1d_2"


def _two_inputs_gone(model: KerasModel) -> None:
    model.layer("Add", 0)["inbound_nodes"][0].pop(0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_rename("GELU", 0, "ReLU"), "layer 'gelu' (ReLU) is not that of a Basenji2; expected G"),
        (
            _rename("BatchNormalization", 1, "LayerNormalization"),
            "layer 'batch_normalization_1' (LayerNormalization) is not that of a Basenji2; "
            "expected BatchNormalization",
        ),
        (
            _rename("Conv1D", 4, "MultiheadAttention"),
            "layer 'conv1d_4' (MultiheadAttention) is not that of a Basenji2; expected Conv1D",
        ),
        (_set("Conv1D", 1, padding="valid"), "layer 'conv1d_1' (Conv1D)"),
        (_set("Conv1D", 1, strides=[2]), "layer 'conv1d_1' (Conv1D)"),
        (_set("Conv1D", 1, activation="relu"), "layer 'conv1d_1' (Conv1D)"),
        (_set("Conv1D", 1, dilation_rate=[2]), "layer 'conv1d_1' (Conv1D)"),
        (_set("Conv1D", 1, use_bias=True), "conv_bias is True at layer 'conv1d_1' and False"),
        (_set("Conv1D", 2, kernel_size=[5]), "tower_kernel is 5 at layer 'conv1d_2' and 3 before"),
        (_set("Conv1D", 5, filters=5), "dilated_channels is 5 at layer 'conv1d_5' and 4 before"),
        (_set("Conv1D", 6, filters=5), "layer 'conv1d_6' (Conv1D) is not that of a Basenji2; "
         "expected 8 channels"),
        (_set("Conv1D", 4, kernel_size=[3]), "layer 'conv1d_4' (Conv1D)"),
        (_set("Conv1D", 7, kernel_size=[3]), "layer 'conv1d_7' (Conv1D)"),
        (_set("Conv1D", 0, kernel_size=[6]), "stem_kernel is 6; an odd kernel is needed"),
        (_set("BatchNormalization", 3, epsilon=0.1), "norm_eps is 0.1 at layer 'conv1d_3'"),
        (_set("Dropout", 1, rate=0.1), "dilated_dropout is 0.1 at layer 'conv1d_6'"),
        (_set("MaxPooling1D", 1, pool_size=[4]), "layer 'max_pooling1d_1' (MaxPooling1D)"),
        (_set("Cropping1D", 0, cropping=[1, 2]), "layer 'cropping1d' (Cropping1D)"),
        (_set("Cropping1D", 0, cropping=[99, 99]), "32 bins cropped by 99 at each side leave none"),
        (_set("Dense", 0, activation="relu"), "layer 'dense' (Dense)"),
        (_set("InputLayer", 0, batch_input_shape=[None, None, 4]), "layer 'input' (InputLayer)"),
        (_set("InputLayer", 0, batch_input_shape=[None, 250, 4]), "input length 250"),
        (_unchain, "layer 'conv1d_2' (Conv1D) is fed by gelu_1; expected a Basenji2, where it"),
        (_other_skip, "layer 'conv1d_6' (Conv1D)"),
        (_two_inputs_gone, "layer 'add' (Add)"),
        (lambda m: m.drop("MaxPooling1D"), "has 0 pooled blocks of convolutions and 8 others"),
        (lambda m: m.layers.pop(), "ends after layer 'gelu_8'; expected a Basenji2, with"),
        (lambda m: m.layers.clear(), "has no layers; expected"),
        (lambda m: m.layer("Conv1D", 1).pop("config"), "its model_config is incomplete (KeyError"),
        (
            lambda m: m.layer("MaxPooling1D", 1)["config"].clear(),
            "its model_config is incomplete (KeyError",
        ),
    ],
)  # fmt: skip
def test_other_networks_are_refused_by_their_layer(
    tmp_path: Path, change: Callable[[KerasModel], Any], message: str
) -> None:
    model = KerasModel(TINY)
    change(model)
    path = model.save(tmp_path / "m.h5") if model.layers else tmp_path / "m.h5"
    if not model.layers:
        with h5py.File(path, "w") as file:
            file.attrs["model_config"] = json.dumps(model.document())
    with pytest.raises((FormatError, ConfigError)) as caught:
        load_keras_basenji2(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("layer", "weight", "value", "message"),
    [
        ("conv1d_3", "kernel", np.nan, "kernel of layer 'conv1d_3' holds NaN or infinite values"),
        ("dense", "bias", np.inf, "bias of layer 'dense' holds NaN or infinite values"),
        (
            "batch_normalization_2", "moving_variance", -1.0,
            "moving_variance of layer 'batch_normalization_2' is negative",
        ),
    ],
)  # fmt: skip
def test_weights_that_cannot_be_are_refused(
    tmp_path: Path, layer: str, weight: str, value: float, message: str
) -> None:
    model = KerasModel(TINY)
    model.weights[layer][weight].flat[1] = value
    path = model.save(tmp_path / "m.h5")
    with pytest.raises(FormatError) as caught:
        load_keras_basenji2(path)
    assert str(caught.value).startswith(f"{path}: {message}")


def test_weights_that_are_no_numbers_are_refused(tiny: Path) -> None:
    with h5py.File(tiny, "r+") as file:
        group = file["model_weights/conv1d_1/conv1d_1"]
        del group["kernel:0"]
        group["kernel:0"] = np.ones((3, 5, 6), dtype=np.int32)
    with pytest.raises(FormatError, match="kernel of layer 'conv1d_1' is of type int32"):
        load_keras_basenji2(tiny)


def test_other_files_are_refused(tmp_path: Path, tiny: Path) -> None:
    with pytest.raises(MissingFileError, match="no such weights file"):
        load_keras_basenji2(tmp_path / "none.h5")
    page = tmp_path / "page.h5"
    page.write_text("<html>not found</html>")
    with pytest.raises(FormatError, match=r"page\.h5: is no HDF5 file; expected a model saved by"):
        load_keras_basenji2(page)
    with pytest.raises(FormatError, match="is no HDF5 file"):
        load_keras_basenji2(tmp_path)
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["x"] = [1.0]
    with pytest.raises(FormatError, match="holds no Keras layers"):
        load_keras_basenji2(tmp_path / "data.h5", TINY)
    with h5py.File(tmp_path / "text.h5", "w") as file:
        file.attrs["model_config"] = "{"
    with pytest.raises(FormatError, match="its model_config is no JSON"):
        load_keras_basenji2(tmp_path / "text.h5")
    with h5py.File(tmp_path / "list.h5", "w") as file:
        file.attrs["model_config"] = "[1]"
    with pytest.raises(FormatError, match="its model_config is incomplete"):
        load_keras_basenji2(tmp_path / "list.h5")


@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_a_file_that_was_cut_off_is_damaged(tmp_path: Path, tiny: Path, share: float) -> None:
    whole = tiny.read_bytes()
    cut = tmp_path / "cut.h5"
    cut.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(FormatError, match=r"cut\.h5: is a damaged HDF5 file .*fetch it again"):
        load_keras_basenji2(cut)


def test_a_layer_that_is_listed_and_missing_is_damage(tiny: Path) -> None:
    with h5py.File(tiny, "r+") as file:
        del file["model_weights/conv1d_1/conv1d_1/kernel:0"]
    with pytest.raises(FormatError, match="is a damaged HDF5 file"):
        load_keras_basenji2(tiny)


@pytest.mark.real_data
def test_both_layouts_of_calicos_file_hold_the_same(mirror: Path) -> None:
    folder = mirror.parent / "oracles" / "basenji2"
    if not folder.is_dir():
        pytest.skip(f"oracles: {folder} is missing")
    full = load_keras_basenji2(folder / "model_human.h5")
    bare = load_keras_basenji2(folder / "model_human.weights_only.h5", full.config)
    torch.testing.assert_close(bare.state_dict(), full.state_dict(), rtol=0, atol=0)
    expected = json.loads((folder / "params_paper2020.json").read_text())["model"]
    assert full.config.input_length == expected["seq_length"]
    assert full.config.norm_momentum == pytest.approx(1 - expected["bn_momentum"])
    assert full.config.gelu == "sigmoid"
    assert full.config.dilations == (1, 2, 3, 4, 6, 9, 14, 21, 32, 48, 72)
