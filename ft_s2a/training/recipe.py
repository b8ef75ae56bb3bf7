"""Recipes: everything that decides a training run, as validated YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from ft_s2a.conventions.text import text_lines
from ft_s2a.conventions.validation import describe
from ft_s2a.errors import ConfigError, FormatError, GeometryError, near_miss
from ft_s2a.models.config import ModelConfig

_SHIPPED = Path(__file__).parent / "recipes"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Optimizer(_Frozen):
    """Optimizer and its schedule: linear warm-up, then constant or cosine to zero.

    ``weight_decay`` acts on matrices and kernels, not on biases and norms; of Adam and SGD it is
    a part of the gradient, of AdamW it is apart from it.
    """

    name: Literal["adamw", "adam", "sgd"] = "adamw"
    lr: float = Field(gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    momentum: float = Field(default=0.99, ge=0, lt=1, description="SGD only.")
    warmup_steps: int = Field(default=0, ge=0)
    schedule: Literal["constant", "cosine"] = "constant"


class Clipping(_Frozen):
    """Gradient clipping by the global norm, or of each variable by itself (Keras ``clipnorm``)."""

    kind: Literal["none", "global", "per_variable"] = "none"
    norm: float = Field(default=1.0, gt=0)


class Augmentation(_Frozen):
    """Augmentation of training examples.

    ``reverse_complement`` is a probability; ``shift`` the largest shift in bp to either side
    (targets stay); both are drawn ``per`` example, or once per batch.  ``random_start`` draws the
    first bin of each example when windows are longer than the output.
    """

    per: Literal["example", "batch"] = "example"
    reverse_complement: float = Field(default=0.5, ge=0, le=1)
    shift: int = Field(default=0, ge=0)
    random_start: bool = True


class Validation(_Frozen):
    """When to validate and when to stop.

    ``every_steps`` None is at the end of each epoch.  The score is the mean over tracks of
    Pearson's r over all validation bins, target units, without averaging over strands.  ``keep``
    says which weights a run keeps: those of the best validation, or the last ones, which a
    schedule that ends at zero has settled and which no noise of a small validation set has
    picked.  ``patience`` counts validations without a better score and needs ``keep: best``; of
    several heads the one with the fewest decides.
    """

    every_steps: int | None = Field(default=None, ge=1)
    patience: int | None = Field(default=None, ge=1)
    transform: Literal["target", "log1p"] = "target"
    keep: Literal["best", "last"] = "best"

    @model_validator(mode="after")
    def _patience_keeps_the_best(self) -> Validation:
        if self.keep == "last" and self.patience is not None:
            raise ValueError("patience needs keep: best")
        return self


class Recipe(_Frozen):
    """A training run.

    ``model`` is a config, or ``named`` and what differs from that named network; its heads are
    left to the data.  The run is ``steps`` optimizer steps or ``epochs`` epochs long.

    ``checkpointing`` says what an Enformer computes again in the backward pass to save memory (see
    :class:`ft_s2a.models.Enformer`); weights come out the same.  ``frozen`` names the stage up to
    which (inclusive) the trunk is kept as it is, or ``trunk``; see :func:`ft_s2a.models.freeze`.

    Examples
    --------
    >>> recipe = load_recipe("yeast-basenji2")
    >>> recipe.model.geometry.output_bins
    112
    """

    schema_version: Literal[1] = 1
    summary: str = ""
    model: ModelConfig
    steps: int | None = Field(default=None, ge=1)
    epochs: int | None = Field(default=None, ge=1)
    batch_size: int = Field(ge=1)
    accumulate: int = Field(default=1, ge=1, description="Batches per optimizer step.")
    seed: int = Field(default=1, ge=0)
    optimizer: Optimizer
    clipping: Clipping = Clipping()
    augmentation: Augmentation = Augmentation()
    track_weights: Literal["none", "null_deviance"] = "none"
    ema_decay: float | None = Field(default=None, gt=0, lt=1)
    precision: Literal["float32", "bf16", "fp16"] = "float32"
    checkpointing: Literal["none", "tower", "all"] = "none"
    frozen: str | None = None
    validation: Validation = Validation()

    @field_validator("model", mode="before")
    @classmethod
    def _named_model(cls, model: Any) -> Any:
        if not isinstance(model, dict) or "named" not in model:
            return model
        from ft_s2a.models import named

        changes = {key: value for key, value in model.items() if key != "named"}
        try:
            known = named(str(model["named"]))
        except ConfigError as error:
            raise ValueError(error.what + (f"; {error.remedy}" if error.remedy else "")) from error
        return {**known.model_dump(), "heads": (), **changes}

    @model_validator(mode="after")
    def _one_length(self) -> Recipe:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("give steps or epochs, one of them")
        return self

    @model_validator(mode="after")
    def _something_to_checkpoint(self) -> Recipe:
        if self.checkpointing != "none" and self.model.architecture != "enformer":
            raise ValueError(
                f"checkpointing is {self.checkpointing}, which only an enformer offers, "
                f"no {self.model.architecture}"
            )
        return self

    def with_length(self, *, steps: int | None = None, epochs: int | None = None) -> Recipe:
        """Return the recipe with another length; the same when neither is given."""
        if steps is None and epochs is None:
            return self
        return Recipe.model_validate({**self.model_dump(), "steps": steps, "epochs": epochs})


def recipe_names() -> list[str]:
    """Names of the recipes that come with the package."""
    return sorted(path.stem for path in _SHIPPED.glob("*.yaml"))


def load_recipe(name_or_path: str | Path) -> Recipe:
    """Read a recipe: a shipped one by name, or a YAML file.

    Raises
    ------
    MissingFileError, FormatError, ConfigError
        Naming the file and the field that is wrong.
    """
    text = str(name_or_path)
    path = Path(text)
    if path.suffix not in (".yaml", ".yml"):
        if path.is_file():
            raise ConfigError(
                "is no recipe by its name", where=path, expected="a file that ends in .yaml"
            )
        path = _SHIPPED / f"{text}.yaml"
        if not path.exists():
            raise ConfigError(f"no recipe {text!r}", remedy=near_miss(text, recipe_names()))
    lines = [line for _, line in text_lines(path, "recipe")]
    return parse_recipe("\n".join(lines), where=str(path))


def parse_recipe(text: str, *, where: str = "recipe") -> Recipe:
    """Validate a recipe's YAML text."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise FormatError(f"is not valid YAML ({' '.join(str(error).split())})", where=where) from (
            error
        )
    if not isinstance(document, dict):
        raise FormatError("is not a mapping", where=where, expected="a recipe")
    try:
        return Recipe.model_validate(document)
    except ValidationError as error:
        raise ConfigError(describe(error), where=where) from error
    except GeometryError as error:
        raise ConfigError(error.what, where=where, remedy=error.remedy) from error


def recipe_to_yaml(recipe: Recipe) -> str:
    """Write a recipe with every field, defaults included."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False)
