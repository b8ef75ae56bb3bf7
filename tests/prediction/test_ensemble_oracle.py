"""The average over strands and shifts against calico/basenji's own ``build_ensemble``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from ft_s2a.loading import SequenceModel
from ft_s2a.models import load_keras_basenji2
from ft_s2a.prediction import predict_codes
from ft_s2a.tracks import Track, TrackTable

pytestmark = pytest.mark.real_data


@pytest.mark.parametrize(
    ("tag", "gelu", "pad"), [("paper2020", "sigmoid", 0.25), ("head", "tanh", 0.0)]
)
def test_both_strands_and_three_shifts(
    mirror: Path, tag: str, gelu: Literal["sigmoid", "tanh"], pad: float
) -> None:
    folder = mirror.parent / "oracles" / "basenji2"
    if not folder.is_dir():
        pytest.skip(f"oracles: {folder} is missing")
    path = folder / "model_human.h5"
    config = load_keras_basenji2(path).config.model_copy(update={"gelu": gelu})
    network = load_keras_basenji2(path, config)
    table = TrackTable(tuple(Track(f"t{i}", head="human") for i in range(6)))
    model = SequenceModel(network, table, "oracle")
    codes = np.load(folder / "input.npz")["seq_index"]
    expected = np.load(folder / f"ensemble_rc_shift101_{tag}.npz")["human"]
    found = predict_codes(model, codes, "human", ensemble="rc", shifts=(-1, 0, 1), shift_pad=pad)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)
    wrong = predict_codes(
        model, codes, "human", ensemble="rc", shifts=(-1, 0, 1), shift_pad=0.25 - pad
    )
    assert np.abs(wrong - expected).max() > 1e-4
