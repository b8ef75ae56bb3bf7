from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ft_s2a.errors import ConfigError, FtS2aError
from ft_s2a.training import Recipe, load_recipe, recipe_names
from ft_s2a.training.recipe import parse_recipe, recipe_to_yaml


def test_shipped_recipes_are_valid_and_written_out_read_back() -> None:
    assert "yeast-basenji2" in recipe_names()
    for name in recipe_names():
        recipe = load_recipe(name)
        assert recipe.summary
        assert parse_recipe(recipe_to_yaml(recipe)) == recipe


def test_a_recipe_is_read_from_a_file(tmp_path: Path, make_recipe: Any) -> None:
    path = tmp_path / "mine.yml"
    path.write_text(recipe_to_yaml(make_recipe()))
    assert load_recipe(path) == load_recipe(str(path)) == make_recipe()


def test_defaults_are_written_out(make_recipe: Any) -> None:
    document = yaml.safe_load(recipe_to_yaml(make_recipe()))
    assert document["precision"] == "float32"
    assert document["model"]["norm_eps"] == 0.001
    assert document["optimizer"]["momentum"] == 0.99


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("stepz: 5\n", "unknown field 'stepz'"),
        ("steps: 0\n", "steps is 0: Input should be greater than or equal to 1"),
        ("seed: -1\n", "seed is -1"),
        ("precision: fp8\n", "precision is 'fp8'"),
        ("optimizer: {lr: 0}\n", "optimizer.lr is 0"),
        ("optimizer: {lr: .1, name: lion}\n", "optimizer.name is 'lion'"),
        ("clipping: {kind: each}\n", "clipping.kind is 'each'"),
        ("augmentation: {reverse_complement: 2}\n", "augmentation.reverse_complement is 2"),
        ("ema_decay: 1.0\n", "ema_decay is 1.0"),
        ("validation: {every_steps: 0}\n", "validation.every_steps is 0"),
        ("epochs: 5\n", "give steps or epochs, one of them"),
        ("steps: null\n", "give steps or epochs, one of them"),
        ("augmentation: {per: epoch}\n", "augmentation.per is 'epoch'"),
        ("model: {named: basenji2-prim}\n", "did you mean 'basenji2-prime'?"),
        ("model: {named: basenji2-prime, widths: 3}\n", "unknown field"),
        ("model: {architecture: enformer3}\n", "model.architecture is 'enformer3'"),
        ("model: {architecture: basenji2, input_length: 100}\n", "not a multiple of bin size"),
        ("model: {architecture: basenji2, stem_kernel: 2}\n", "stem_kernel is 2; an odd"),
        ("track_weights: [1, 2]\n", "track_weights is [1, 2]"),
    ],
)
def test_mistakes_are_named_with_file_and_field(
    tmp_path: Path, make_recipe: Any, change: str, message: str
) -> None:
    document = {**yaml.safe_load(recipe_to_yaml(make_recipe())), **yaml.safe_load(change)}
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(ConfigError) as caught:
        load_recipe(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a mapping"),
        ("- 1\n", "is not a mapping"),
        ("a: [\n", "is not valid YAML"),
        ("x: !!python/object:os.system {}\n", "is not valid YAML"),
    ],
)
def test_files_that_are_no_recipe(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(FtS2aError, match=message):
        load_recipe(path)


def test_names_and_paths_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no recipe 'yeast-basenji'; did you mean 'yeast-base"):
        load_recipe("yeast-basenji")
    with pytest.raises(FtS2aError, match=r"none.yaml: no such recipe"):
        load_recipe(tmp_path / "none.yaml")
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(FtS2aError, match=r"folder.yaml"):
        load_recipe(tmp_path / "folder.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FtS2aError, match=r"binary.yaml"):
        load_recipe(tmp_path / "binary.yaml")
    other = tmp_path / "recipe.txt"
    other.write_text("steps: 1\n")
    with pytest.raises(FtS2aError, match=r"recipe.txt: is no recipe by its name"):
        load_recipe(other)


def test_recipes_are_frozen(make_recipe: Any) -> None:
    recipe: Recipe = make_recipe()
    with pytest.raises(ValueError, match="frozen"):
        recipe.steps = 3


def test_patience_needs_the_best_weights() -> None:
    from ft_s2a.training.recipe import recipe_to_yaml

    text = recipe_to_yaml(load_recipe("yeast-basenji2"))
    assert parse_recipe(text).validation.keep == "last"
    with pytest.raises(ConfigError, match="patience needs keep: best"):
        parse_recipe(text.replace("patience: null", "patience: 3"))


@pytest.mark.parametrize("name", ["basenji2-kelley2020", "basenji2-prime", "basenji2-double-prime"])
def test_recipes_of_the_named_networks(name: str) -> None:
    """The network is stated once, its heads are the data's, and the run keeps all of it."""
    from ft_s2a.models import named

    recipe = load_recipe(name)
    assert recipe.model == named(name).with_heads(())
    document = yaml.safe_load(recipe_to_yaml(recipe))
    assert document["model"]["tower_channels"] == list(named(name).tower_channels)
    assert "named" not in document["model"]
    optimizer = recipe.optimizer
    assert (optimizer.name, optimizer.lr, optimizer.momentum) == ("sgd", 0.15, 0.99)
    assert (optimizer.schedule, optimizer.warmup_steps, optimizer.weight_decay) == (
        "constant",
        0,
        0,
    )
    assert (recipe.clipping.kind, recipe.clipping.norm) == ("per_variable", 2.0)
    assert (recipe.batch_size, recipe.accumulate, recipe.precision) == (4, 1, "float32")
    assert recipe.track_weights == "none"
    assert recipe.ema_decay is None
    validation = recipe.validation
    assert (validation.patience, validation.every_steps, validation.keep) == (16, None, "best")
    assert validation.transform == "target"
    drawn = recipe.augmentation
    if name == "basenji2-kelley2020":
        assert (drawn.reverse_complement, drawn.shift, drawn.random_start) == (0, 0, False)
    else:
        assert (drawn.per, drawn.reverse_complement, drawn.shift) == ("batch", 0.5, 3)


@pytest.mark.parametrize("name", ["enformer", "mediumenf", "smallenf"])
def test_recipes_of_the_enformers(name: str) -> None:
    from ft_s2a.models import named

    research, modern = load_recipe(name), load_recipe(f"{name}-modern")
    for recipe in (research, modern):
        assert recipe.model == named(name).with_heads(())
        assert recipe.model.input_length == 196_608
        assert (recipe.track_weights, recipe.frozen) == ("none", None)
        drawn = recipe.augmentation
        assert (drawn.reverse_complement, drawn.shift) == (0.5, 3)
    optimizer = research.optimizer
    assert (optimizer.name, optimizer.lr, optimizer.schedule) == ("adam", 1e-4, "constant")
    assert (optimizer.warmup_steps, optimizer.weight_decay) == (0, 0)
    assert (research.clipping.kind, research.ema_decay) == ("none", None)
    assert (research.batch_size, research.accumulate, research.epochs) == (2, 1, 200)
    assert (research.precision, research.checkpointing) == ("float32", "none")
    assert (research.augmentation.per, research.augmentation.random_start) == ("batch", False)
    optimizer = modern.optimizer
    assert (optimizer.name, optimizer.schedule) == ("adamw", "cosine")
    assert optimizer.warmup_steps > 0
    assert (modern.clipping.kind, modern.ema_decay) == ("global", 0.999)
    assert (modern.precision, modern.checkpointing) == ("bf16", "tower")


def test_the_yeast_smallenf_is_a_reduced_smallenf_beside_the_yeast_basenji2() -> None:
    from ft_s2a.models import named

    enformer, basenji2 = load_recipe("yeast-smallenf"), load_recipe("yeast-basenji2")
    small, full = enformer.model, named("smallenf")
    for field in ("depth", "feed_forward", "final_pointwise", "downsamples", "gamma"):
        assert getattr(small, field) == getattr(full, field)  # the same layers
    assert small.geometry == basenji2.model.geometry
    changes = {"summary", "model", "optimizer", "schema_version"}
    ours, theirs = (r.model_dump(exclude=changes) for r in (enformer, basenji2))
    assert ours == theirs


def test_fields_beside_a_name_replace_those_of_the_network(make_recipe: Any) -> None:
    from ft_s2a.models import named

    document = {
        **yaml.safe_load(recipe_to_yaml(make_recipe())),
        "model": {
            "named": "basenji2-prime", "dilations": [1, 2], "input_length": 65_536,
            "heads": [{"name": "a", "tracks": 2}],
        },
    }  # fmt: skip
    model = parse_recipe(yaml.safe_dump(document)).model
    assert (model.dilations, model.input_length) == ((1, 2), 65_536)
    assert [head.name for head in model.heads] == ["a"]
    assert model.block == named("basenji2-prime").block == "conv_norm_gelu"


def test_another_length_replaces_the_recipes(make_recipe: Any) -> None:
    recipe: Recipe = make_recipe(steps=5)
    assert recipe.with_length() is recipe
    longer = recipe.with_length(epochs=2)
    assert (longer.steps, longer.epochs) == (None, 2)
    assert longer.with_length(steps=5) == recipe


def test_networks_of_the_shipped_small_recipes_keep_torchs_running_variance() -> None:
    """As when their entries were trained."""
    for name in ("yeast-basenji2", "demo-basenji2"):
        assert load_recipe(name).model.norm_variance == "unbiased"
