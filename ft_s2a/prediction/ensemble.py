"""Predict windows, averaged over strands and shifts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ft_s2a.data.augment import shift
from ft_s2a.errors import ConfigError, GeometryError
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
    shift_pad: float = 0.0,
) -> NDArray[np.float32]:
    """Predict a batch of windows in target units.

    The mean over `shifts` and, with ``rc``, over both strands: the reverse complement's bins are
    reversed and strand partners swapped.  The sequence is moved right by the shift, then taken
    from either strand, and the output is not moved back (calico/basenji, ``build_ensemble``).

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
    shift_pad : float
        Value of all four letters in the gap that a shift leaves: 0 is N; the code of 2020 took
        0.25.

    Returns
    -------
    float32 array [B, bins, tracks]

    Raises
    ------
    ConfigError, TrackError
        When the model has no such head, ensemble or track, or the padding is no fraction.
    GeometryError
        When no shift is named, or one leaves nothing of the window.
    """
    name = model.head(head)
    used = model.ensemble if ensemble is None else ensemble
    if used not in ("none", "rc"):
        raise ConfigError(f"ensemble is {used!r}", expected="none or rc")
    longest = codes.shape[-1] - 1
    if not shifts or max(abs(by) for by in shifts) > longest:
        raise GeometryError(
            f"the shifts {list(shifts)}", expected=f"at least one, of at most {longest} bp"
        )
    if not 0 <= shift_pad <= 1:
        raise ConfigError(f"the shift's padding is {shift_pad}", expected="0 to 1")
    rows, pairs, chosen = _columns(model.tracks(name), tracks, model.device)
    strands = (False, True) if used == "rc" else (False,)
    total: NDArray[np.float32] | None = None
    for by in shifts:
        moved = shift(codes, by)
        for reverse in strands:
            oriented = np.ascontiguousarray(reverse_complement(moved) if reverse else moved)
            with torch.inference_mode():
                letters = one_hot(torch.from_numpy(oriented).to(model.device))
                if by and shift_pad:
                    _gap(letters, -by if reverse else by).fill_(shift_pad)
                raw = model(letters, name, rows).cpu().numpy()
            predicted = raw[:, ::-1][:, :, pairs] if reverse else raw
            total = predicted.copy() if total is None else total + predicted
    assert total is not None
    total /= len(strands) * len(shifts)
    return total if chosen is None else total[:, :, chosen]


def _gap(letters: torch.Tensor, by: int) -> torch.Tensor:
    """Rows of [B, L, 4] that a shift by so many bases left empty."""
    return letters[:, :by] if by > 0 else letters[:, by:]


def _columns(
    table: TrackTable, wanted: TrackTable | None, device: torch.device
) -> tuple[torch.Tensor | None, NDArray[np.int64], list[int] | None]:
    """Rows of the head to compute, their strand partners, and which of them are wanted.

    None stands for all.  Partners are computed along, since the other strand needs them.
    """
    if wanted is None or wanted.names == table.names:
        return None, table.pairs(), None
    place = {name: row for row, name in enumerate(table.names)}
    for name in wanted.names:
        if name not in place:
            table.index(name)  # explains it
    computed = table.with_partners(wanted)
    rows = torch.tensor([place[track_name] for track_name in computed.names], device=device)
    column = {name: row for row, name in enumerate(computed.names)}
    return rows, computed.pairs(), [column[track_name] for track_name in wanted.names]
