"""How long a run is and after which steps it validates, in steps or in epochs."""

from __future__ import annotations

from ft_s2a.training.order import Order
from ft_s2a.training.recipe import Recipe


class Schedule:
    """A recipe's length and validations, for the data at hand.

    Parameters
    ----------
    recipe : Recipe
    order : Order
        Of its batches.
    """

    def __init__(self, recipe: Recipe, order: Order) -> None:
        self._order = order
        self._accumulate = recipe.accumulate
        self._every = recipe.validation.every_steps
        steps = recipe.steps
        if steps is None:
            assert recipe.epochs is not None
            # The last step takes what it lacks from the next epoch: no window is left out.
            steps = max(1, -(-order.batches(recipe.epochs) // recipe.accumulate))
        self.steps = steps

    def epochs(self, step: int) -> int:
        """Epochs that the first `step` steps complete."""
        return self._order.epochs(step * self._accumulate)

    def validates(self, step: int) -> bool:
        """Whether there is a validation after the first `step` steps; always after the last."""
        if step == self.steps:
            return True
        if self._every is not None:
            return step % self._every == 0
        return self.epochs(step) > self.epochs(step - 1)
