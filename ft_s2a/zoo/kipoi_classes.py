"""What model.yaml and dataloader.yaml name: ``ft_s2a.ZooModel``, ``ft_s2a.ZooDataloader``."""

from __future__ import annotations

from typing import Any

from ft_s2a.zoo import kipoi_fixes
from ft_s2a.zoo.kipoi_dataloader import subclass_here
from ft_s2a.zoo.kipoi_model import ZooModel

kipoi_fixes.apply()


def class_for_kipoi(name: str) -> Any:
    """Give the class that Kipoi asks for; each look-up of the loader gives a class of its own.

    Kipoi looks classes up in the entry's folder, and writes the entry's description onto the
    loader class: a shared one would forget the first of two entries.
    """
    return ZooModel if name == "ZooModel" else subclass_here()
