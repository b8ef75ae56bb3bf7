"""Keep what attentions make of position features: while their weights stay, it stays the same."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ft_s2a.models.attention import RelativeAttention

_LENGTHS = 2  # kept at a time: 70 MB each in a full-size network


@dataclass(frozen=True)
class _Kept:
    weights: Tensor
    keys: list[Tensor]


class ProjectionCache:
    """The keys of distances of several attentions, by the length of the sequence.

    No part of a network's state: neither saved nor copied.  Weights are compared with those that
    the keys were made of, since there are ways to change them that leave no trace.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[int, torch.dtype, torch.device], _Kept] = OrderedDict()

    def get(self, attentions: Sequence[RelativeAttention], features: Tensor) -> list[Tensor]:
        """Project `features` by each attention, in evaluation and without gradients."""
        place = (len(features), features.dtype, features.device)
        # Results of an inference mode could not be used by a later gradient; nor may a caller's
        # autocast decide on their type.
        with (
            torch.inference_mode(False),
            torch.no_grad(),
            torch.autocast(features.device.type, enabled=False),
        ):
            weights = torch.stack([a.to_rel_k.weight for a in attentions])
            kept = self._kept.pop(place, None)
            if kept is None or not torch.equal(kept.weights, weights):
                kept = _Kept(weights, [a.project(features) for a in attentions])
            self._kept[place] = kept
            while len(self._kept) > _LENGTHS:
                self._kept.popitem(last=False)
        return kept.keys

    def __deepcopy__(self, memo: dict[int, Any]) -> ProjectionCache:
        return ProjectionCache()

    def __getstate__(self) -> dict[str, Any]:
        return {"_kept": OrderedDict()}
