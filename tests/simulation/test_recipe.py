from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ft_s2a.errors import ConfigError, MissingFileError
from ft_s2a.simulation import SimulationRecord, make_recipe, read_record


def test_contigs_fall_in_length_and_add_up() -> None:
    recipe = make_recipe(length=1_000_001, contigs=4)
    assert sum(recipe.sizes) == 1_000_001
    assert list(recipe.sizes) == sorted(recipe.sizes, reverse=True)
    assert recipe.sizes[3] == int(1_000_001 * 0.25 / (1 + 1 / 2 + 1 / 3 + 1 / 4))
    assert recipe.contig_names == ("sim1", "sim2", "sim3", "sim4")


def test_a_recipe_survives_yaml(tmp_path: Path) -> None:
    recipe = make_recipe(length=70_000, contigs=2, seed=9, cell_types=("K562", "GM12878"))
    path = tmp_path / "simulation.yaml"
    path.write_text(SimulationRecord(recipe=recipe, versions={"numpy": "2"}).to_yaml())
    assert read_record(path).recipe == recipe
    assert [m.cell_type for m in recipe.motifs].count("K562") == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"length": 50_000}, "the shortest 9,090 bp; expected at least 20,000 bp"),
        ({"length": 0}, "length is 0"),
        ({"contigs": 1}, "contigs is 1"),
        ({"seed": -1}, "seed is -1"),
        ({"cell_types": ("A", "A")}, "different names"),
        ({"cell_types": ("A", "")}, "cell_types.1"),
        ({"cell_types": tuple("ABCDE")}, "more than 4 cell types"),
        ({"step": 10}, "step is 10"),
        ({"noise": {"depth": float("nan")}}, "noise.depth is nan"),
        ({"noise": {"dept": 1.0}}, "unknown field 'noise.dept'"),
        ({"elements": {"distance_min": 900}}, "distance_mean must be above"),
        ({"affinity": {"chance": 0.5}}, "chance must not be above planted"),
        ({"motifs": ({"name": "X", "consensus": "ACGTAC", "role": "core"},)}, "an activator"),
        ({"motifs": ({"name": "X", "consensus": "ACGTAC", "role": "activator"},)}, "role core"),
        ({"motifs": ({"name": "X", "consensus": "ACGU--", "role": "core"},)}, "consensus"),
    ],
)
def test_wrong_numbers_are_named(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_recipe(**changes)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("recipe: [", "cannot be read as YAML"),
        ("", "SimulationRecord"),
        ("recipe: {sed: 1}", "unknown field 'recipe.sed'"),
        ("schema_version: 2\nrecipe: {}", "schema_version is 2"),
    ],
)
def test_a_recipe_that_cannot_be_used_is_named(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_record(path)
    assert str(path) in str(caught.value)
    assert says in str(caught.value)


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such simulation recipe"):
        read_record(tmp_path / "none.yaml")
