"""How much memory a recipe's training step takes, before it is run."""

from __future__ import annotations

from typing import Any, Literal

from ft_s2a.data.store import open_store
from ft_s2a.errors import ConfigError
from ft_s2a.models.config import HeadConfig
from ft_s2a.models.enformer_config import EnformerConfig
from ft_s2a.models.memory import TrainingMemory, training_memory
from ft_s2a.training.recipe import Optimizer, Recipe
from ft_s2a.training.sets import Paths, fit_crop, mapping

Checkpointing = Literal["none", "tower", "all"]
_CHOICES: tuple[Checkpointing, ...] = ("none", "tower", "all")
_GIB = 2**30


def step_memory(
    recipe: Recipe, *, ranks: int = 1, checkpointing: Checkpointing | None = None
) -> TrainingMemory | None:
    """Estimate the peak of a training step on each of `ranks` devices, as in float32.

    Parameters
    ----------
    recipe : Recipe
        Its network's heads count; those that the data bring are not known to it.
    ranks : int
        Devices that share the batch.
    checkpointing : {'none', 'tower', 'all'}, optional
        Instead of the recipe's.

    Returns
    -------
    TrainingMemory or None
        None for networks of which no estimate is known (only of an enformer one is).

    Examples
    --------
    >>> from ft_s2a.training import load_recipe
    >>> memory = step_memory(load_recipe("smallenf"))
    >>> memory.total > 2**30
    True
    """
    if not isinstance(recipe.model, EnformerConfig):
        return None
    return training_memory(
        recipe.model,
        batch_size=max(1, recipe.batch_size // ranks),
        checkpoint=checkpointing or recipe.checkpointing,
        optimizer_states=_remembered(recipe.optimizer) + (recipe.ema_decay is not None),
    )


def estimate(recipe: Recipe, data: Paths | None = None, *, ranks: int = 1) -> list[dict[str, Any]]:
    """Estimate a training step with each choice of checkpointing, as rows for people.

    Parameters
    ----------
    recipe : Recipe
    data : path, or mapping of head to path, optional
        Training sets, for the size of their heads; without them heads are left out.
    ranks : int
        Devices that share the batch.

    Returns
    -------
    list of dict
        ``checkpointing``, ``recipe`` (whether it is the recipe's choice), and GiB of
        ``parameters``, ``optimizer`` (and averaged weights), ``activations`` (and gradients) and
        in ``total``.

    Raises
    ------
    ConfigError
        When no estimate is known for the network.
    """
    if data is not None:
        recipe = fit_crop(recipe, data)
        recipe = recipe.model_copy(update={"model": recipe.model.with_heads(_heads(data))})
    rows = []
    for choice in _CHOICES:
        memory = step_memory(recipe, ranks=ranks, checkpointing=choice)
        if memory is None:
            raise ConfigError(
                f"no estimate is known for a {recipe.model.architecture}",
                expected="a recipe for an enformer",
            )
        parts = {
            "parameters": memory.parameters,
            "optimizer": memory.optimizer,
            "activations": memory.activations,
            "total": memory.total,
        }
        rows.append(
            {
                "checkpointing": choice,
                "recipe": choice == recipe.checkpointing,
                **{f"{name} (GiB)": round(size / _GIB, 2) for name, size in parts.items()},
            }
        )
    return rows


def _remembered(optimizer: Optimizer) -> int:
    """Numbers that an optimizer keeps of each parameter."""
    return 2 if optimizer.name in ("adam", "adamw") else int(optimizer.momentum > 0)


def _heads(data: Paths) -> list[HeadConfig]:
    found = []
    for name, path in mapping(data).items():
        tracks = open_store(path)[1].tracks
        found.append(HeadConfig(name=name or "tracks", tracks=len(tracks)))
    return found
