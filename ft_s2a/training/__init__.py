"""Training: recipes, the loop, its checkpoints and curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ft_s2a.conventions.lazy import attach

if TYPE_CHECKING:
    from ft_s2a.training.recipe import Recipe as Recipe
    from ft_s2a.training.recipe import load_recipe as load_recipe
    from ft_s2a.training.recipe import recipe_names as recipe_names
    from ft_s2a.training.run import train as train

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Recipe": "recipe",
        "load_recipe": "recipe",
        "recipe_names": "recipe",
        "train": "run",
    },
)
