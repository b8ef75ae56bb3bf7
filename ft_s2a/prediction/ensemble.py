"""Predict windows, averaged over strands and shifts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ft_s2a.data.augment import shift
from ft_s2a.errors import GeometryError
from ft_s2a.genome.sequence import reverse_complement
from ft_s2a.loading import SequenceModel
from ft_s2a.models.layers import one_hot
from ft_s2a.tracks.table import TrackTable

Ensemble = Literal["none", "rc"]


def predict_codes(
    model: SequenceModel,
    codes: NDArray[np.uint8],
    head: str | None = None,
    *,
    tracks: TrackTable | None = None,
    ensemble: Ensemble | None = None,
    shifts: Sequence[int] = (0,),
) -> NDArray[np.float32]:
    """Predict a batch of windows in target units.

    The mean over `shifts` and, with ``rc``, over both strands: the reverse complement's bins are
    reversed and strand partners swapped.  Each oriented sequence is moved right by the shift
    (the gap is N) and the output is not moved back (calico/basenji, ``EnsembleShift``).

    Parameters
    ----------
    codes : uint8 array [B, L]
        A0 C1 G2 T3 N4.
    head : str, optional
        May be left out when the model has one.
    tracks : TrackTable, optional
        Tracks of the head that are wanted; their strand partners are computed along and cut.
    ensemble : {'none', 'rc'}, optional
        The default is the entry's.
    shifts : sequence of int
        In bp.

    Returns
    -------
    float32 array [B, bins, tracks]
    """
    name = model.head(head)
    table = model.tracks(name)
    wanted = table if tracks is None else tracks
    computed = table.with_partners(wanted)
    rows = None
    if len(computed) < len(table):
        rows = torch.tensor([table.index(track) for track in computed], device=model.device)
    chosen = [computed.index(track) for track in wanted]
    pairs = computed.pairs()
    if not shifts:
        raise GeometryError("no shift is named", expected="at least one, such as 0")
    strands = (False, True) if (ensemble or model.ensemble) == "rc" else (False,)
    total: NDArray[np.float32] | None = None
    for reverse in strands:
        oriented = reverse_complement(codes) if reverse else codes
        for by in shifts:
            moved = torch.from_numpy(np.ascontiguousarray(shift(oriented, by)))
            with torch.inference_mode():
                raw = model(one_hot(moved.to(model.device)), name, rows).cpu().numpy()
            predicted = raw[:, ::-1][:, :, pairs] if reverse else raw
            total = predicted.copy() if total is None else total + predicted
    assert total is not None
    total /= len(strands) * len(shifts)
    return total[:, :, chosen]
