"""ft_s2a: from DNA sequence to activity.

Public names are resolved at their first use, so that ``import ft_s2a`` stays quick and needs
neither torch nor kipoi.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ft_s2a.conventions.lazy import attach

__version__ = "0.1.0"

if TYPE_CHECKING:
    from ft_s2a.entries import list_models as list_models
    from ft_s2a.errors import FtS2aError as FtS2aError
    from ft_s2a.genome import Genome as Genome
    from ft_s2a.geometry import Geometry as Geometry
    from ft_s2a.loading import SequenceModel as SequenceModel
    from ft_s2a.loading import load_model as load_model
    from ft_s2a.prediction import predict_tracks as predict_tracks

_lazy, __dir__, __all__ = attach(
    __name__,
    {
        "FtS2aError": "errors",
        "Genome": "genome",
        "Geometry": "geometry",
        "SequenceModel": "loading",
        "list_models": "entries",
        "load_model": "loading",
        "predict_tracks": "prediction",
    },
    subpackages=(
        "browser",
        "data",
        "entries",
        "evaluation",
        "genome",
        "models",
        "prediction",
        "simulation",
        "tracks",
        "training",
        "zoo",
    ),
)


__all__ = sorted([*__all__, "ZooDataloader", "ZooModel"])


def __getattr__(name: str) -> Any:
    # Kipoi writes an entry's description onto the loader class, so each look-up gets a class of
    # its own; the model class is found the same way (kipoi follows attributes of this package).
    if name in ("ZooModel", "ZooDataloader"):
        from ft_s2a.zoo.kipoi_classes import class_for_kipoi

        return class_for_kipoi(name)
    return _lazy(name)
