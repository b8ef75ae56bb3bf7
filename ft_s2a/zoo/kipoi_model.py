"""The model that ``model.yaml`` names: an entry's network behind Kipoi's interface."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from kipoi.model import BaseModel, GradientMixin, LayerActivationMixin
from numpy.typing import NDArray

from ft_s2a.entries import find_entry, read_entry
from ft_s2a.errors import ConfigError, DataError, near_miss

if TYPE_CHECKING:
    from torch import Tensor

    from ft_s2a.loading import SequenceModel

# Bases of input computed at once, so that Kipoi's default batch of 32 fits into memory.
_BATCH_BASES = 262_144
_TRUNK = "trunk"


class ZooModel(BaseModel, GradientMixin, LayerActivationMixin):  # type: ignore[misc]  # untyped
    """The entry in the working directory (where Kipoi makes the object), or a named one.

    Weights are loaded, and fetched where needed, at the first prediction.  Predictions are in
    target units, ``[B, bins, tracks]`` in the order of ``tracks.tsv``, averaged as the entry says
    (both strands by default): the numbers of ``ft-s2a predict`` before they become bigWigs.

    Parameters
    ----------
    entry : str or Path, optional
        Name or folder; the default is the working directory.

    Examples
    --------
    ::

        model = ft_s2a.ZooModel("yeast/basenji2")
        model.predict_on_batch(one_hot)  # float32 [B, L, 4] -> [B, bins, tracks]
    """

    # Kipoi sets type, args, info, schema, dependencies, test, default_dataloader, name, source,
    # source_name, source_dir, writers and pipeline on the object: no name here may be one of them.

    def __init__(self, entry: str | Path | None = None) -> None:
        found = read_entry(Path.cwd()) if entry is None else find_entry(entry)
        self._entry = found
        self._expectation: Any = None

    @property
    def test(self) -> Any:
        """Kipoi's description of the entry's test."""
        return self._expectation

    @test.setter
    def test(self, description: Any) -> None:
        # Kipoi would look for a relative path in the user's folder, not in the entry's.
        if isinstance(getattr(description, "expect", None), str):
            description.expect = os.path.join(self._entry.folder, description.expect)
        self._expectation = description

    @cached_property
    def sequence_model(self) -> SequenceModel:
        """The loaded network, its geometry and its tracks."""
        import torch

        from ft_s2a.loading import load_model

        device = "cuda" if torch.cuda.is_available() else "cpu"
        return load_model(self._entry.folder, device=device)

    def predict_on_batch(self, x: Any) -> NDArray[np.float32]:
        """Predict windows.

        Parameters
        ----------
        x : float array [B, L, 4] or uint8 array [B, L]
            One-hot DNA (order ACGT, N is an all-zero row) or codes (A0 C1 G2 T3 N4).  Rows that
            are neither (as interpolating attribution methods make) are predicted as they are.

        Returns
        -------
        float32 array [B, bins, tracks]
            Target units, tracks in the order of ``tracks.tsv``.
        """
        inputs = self._checked(x)
        size = max(1, _BATCH_BASES // inputs.shape[1])
        with _float32():
            parts = [self._predict(inputs[i : i + size]) for i in range(0, len(inputs), size)]
        return np.concatenate(parts)

    def input_grad(
        self,
        x: Any,
        filter_idx: Any = None,
        avg_func: str | None = None,
        layer: str | None = None,
        final_layer: bool = True,
        selected_fwd_node: Any = None,
        pre_nonlinearity: bool = False,
        **kwargs: Any,
    ) -> NDArray[np.float32]:
        """Gradient of the selected, summed predictions with respect to the one-hot input.

        Parameters
        ----------
        x : float array [B, L, 4]
        filter_idx : int, slice or tuple, optional
            Index of the last axis (a track), or of ``(bins, tracks)``; all by default.
        avg_func : {'sum', 'max', 'min', 'absmax'}, optional
            How the selected values become one per window; their sum by default.
        layer, final_layer : str, bool
            Start at a layer's output instead of the predictions; see
            :meth:`predict_activation_on_batch`.
        kwargs
            Ignored (Kipoi's pipeline passes its own arguments on).

        Returns
        -------
        float32 array [B, L, 4]
        """
        import torch

        _refuse(pre_nonlinearity, selected_fwd_node)
        inputs = self._checked(x)
        size = max(1, _BATCH_BASES // inputs.shape[1])
        reduce = _reduction(avg_func)
        gradients = []
        for first in range(0, len(inputs), size):
            rows = torch.tensor(inputs[first : first + size], device=self.sequence_model.device)
            rows.requires_grad_(True)
            with _float32():
                values = self._averaged(rows) if layer is None else self._activation(rows, layer)
                index = filter_idx if isinstance(filter_idx, tuple) else (..., filter_idx)
                selected = values if filter_idx is None else values[(slice(None), *index)]
                total = reduce(selected.reshape(len(rows), -1)).sum()
                (gradient,) = torch.autograd.grad(total, rows)
            gradients.append(gradient.cpu().numpy())
        return np.concatenate(gradients)

    def predict_activation_on_batch(
        self, x: Any, layer: str, pre_nonlinearity: bool = False
    ) -> NDArray[np.float32]:
        """Output of a layer for the given strand, not averaged.

        Parameters
        ----------
        x : float array [B, L, 4]
        layer : str
            ``trunk`` (what enters the heads, [B, bins, channels]), a head's name, or a module of
            the network such as ``tower.3`` ([B, channels, positions]).
        """
        import torch

        _refuse(pre_nonlinearity, None)
        inputs = self._checked(x)
        size = max(1, _BATCH_BASES // inputs.shape[1])
        with torch.no_grad(), _float32():
            parts = [
                self._activation(torch.from_numpy(inputs[i : i + size]), layer).cpu().numpy()
                for i in range(0, len(inputs), size)
            ]
        return np.concatenate(parts)

    def _checked(self, x: Any) -> NDArray[np.float32]:
        from ft_s2a.genome.sequence import N_CODE, one_hot

        value = next(iter(x.values())) if isinstance(x, Mapping) and len(x) == 1 else x
        array = np.asarray(value)
        if array.ndim == 2 and array.dtype == np.uint8 and (array <= N_CODE).all():
            array = one_hot(array)
        length = self._entry.model.input_length
        if array.ndim != 3 or array.shape[1:] != (length, 4) or not len(array):
            raise DataError(
                f"an input of shape {array.shape}",
                expected=f"one-hot DNA [batch, {length}, 4] or uint8 codes [batch, {length}]",
            )
        return np.ascontiguousarray(array, dtype=np.float32)

    def _predict(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        codes = _codes(inputs)
        if codes is None:
            import torch

            with torch.no_grad():
                raw = self._averaged(torch.from_numpy(inputs)).cpu().numpy()
            return np.asarray(raw, dtype=np.float32)
        from ft_s2a.prediction.ensemble import predict_codes

        model = self.sequence_model
        parts = [predict_codes(model, codes, head) for head in model.heads]
        return np.ascontiguousarray(np.concatenate(parts, axis=2)[:, :, self._columns])

    @cached_property
    def _columns(self) -> list[int]:
        """Where each track of ``tracks.tsv`` stands among the outputs of all heads."""
        model = self.sequence_model
        outputs = [track.name for head in model.heads for track in model.tracks(head)]
        places = {name: place for place, name in enumerate(outputs)}
        return [places[track.name] for track in model.table]

    def _averaged(self, one_hot: Tensor) -> Tensor:
        """Predict as `predict_codes` does, but for any rows and with gradients."""
        import torch

        model = self.sequence_model
        parts = []
        for head in model.heads:
            raw = model(one_hot, head)
            if model.ensemble == "rc":
                # ACGT backwards is TGCA: turning both axes round gives the other strand.
                other = model(one_hot.flip((1, 2)), head).flip(1)
                raw = (raw + other[:, :, model.tracks(head).pairs().tolist()]) / 2
            parts.append(raw)
        return torch.cat(parts, dim=2)[:, :, self._columns]

    def _activation(self, one_hot: Tensor, layer: str) -> Tensor:
        model = self.sequence_model
        if layer == _TRUNK:
            return model.embed(one_hot)
        if layer in model.heads:
            return model(one_hot, layer)
        modules = dict(model.network.named_modules())
        modules.pop("", None)
        if layer not in modules:
            known = [_TRUNK, *model.heads, *modules]
            raise ConfigError(f"no layer {layer!r}", remedy=near_miss(str(layer), known))
        kept: list[Tensor] = []
        hook = modules[layer].register_forward_hook(lambda *call: kept.append(call[2]))
        try:
            for head in model.heads:
                model.network(one_hot.to(model.device), head)
                if kept:
                    break
        finally:
            hook.remove()
        return kept[0]


def _float32() -> AbstractContextManager[None]:
    """Keep convolutions at full precision: TF32 would differ from the CPU in the third digit."""
    import torch

    flags = torch.backends.cudnn.flags
    return flags(enabled=True, benchmark=False, deterministic=False, allow_tf32=False)


def _codes(inputs: NDArray[np.float32]) -> NDArray[np.uint8] | None:
    """Codes of one-hot rows; None when some row is not one-hot."""
    total = inputs.sum(axis=2)
    if not (((inputs == 0) | (inputs == 1)).all() and (total <= 1).all()):
        return None
    return np.where(total == 0, 4, inputs.argmax(axis=2)).astype(np.uint8)


def _refuse(pre_nonlinearity: bool, selected_fwd_node: Any) -> None:
    if pre_nonlinearity or selected_fwd_node is not None:
        raise ConfigError("pre_nonlinearity and selected_fwd_node are not supported")


def _reduction(name: str | None) -> Callable[[Tensor], Tensor]:
    reductions: dict[str, Callable[[Tensor], Tensor]] = {
        "sum": lambda v: v.sum(dim=1),
        "max": lambda v: v.amax(dim=1),
        "min": lambda v: v.amin(dim=1),
        "absmax": lambda v: v.gather(1, v.abs().argmax(dim=1, keepdim=True))[:, 0],
    }
    if name is None:
        return reductions["sum"]
    if name not in reductions:
        raise ConfigError(f"avg_func is {name!r}", remedy=near_miss(str(name), reductions))
    return reductions[name]
