from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ft_s2a.errors import ConfigError, GeometryError, TrackError
from ft_s2a.loading import SequenceModel
from ft_s2a.prediction import predict_codes
from ft_s2a.tracks import Track, TrackTable

PAIRS = [0, 2, 1, 3, 5, 4]


@pytest.fixture
def codes() -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 5, (3, 512)).astype(np.uint8)


def forward(model: SequenceModel, codes: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The network alone, on rows built here."""
    rows = np.concatenate([np.eye(4), np.zeros((1, 4))])[codes].astype(np.float32)
    with torch.no_grad():
        return model.network(torch.from_numpy(rows), "tracks").double().numpy()


def turned(model: SequenceModel, codes: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The other strand, brought back to this one."""
    complement = np.array([3, 2, 1, 0, 4], dtype=np.uint8)
    return forward(model, complement[codes[:, ::-1]])[:, ::-1][:, :, PAIRS]


def moved(codes: NDArray[np.uint8], by: int) -> NDArray[np.uint8]:
    result = np.full_like(codes, 4)
    if by >= 0:
        result[:, by:] = codes[:, : codes.shape[1] - by]
    else:
        result[:, :by] = codes[:, -by:]
    return result


def test_one_strand_is_the_network(model: Any, codes: NDArray[np.uint8]) -> None:
    found = predict_codes(model, codes, ensemble="none")
    assert found.shape == (3, 24, 6)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, forward(model, codes), rtol=1e-6)


def test_both_strands_are_averaged_with_partners_swapped(
    model: Any, codes: NDArray[np.uint8]
) -> None:
    expected = (forward(model, codes) + turned(model, codes)) / 2
    assert np.abs(expected - forward(model, codes)).max() > 0.1
    for ensemble in ("rc", None):  # the model's own is rc
        found = predict_codes(model, codes, ensemble=ensemble)
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_the_other_strand_of_an_input_predicts_the_swapped_tracks(
    model: Any, codes: NDArray[np.uint8]
) -> None:
    other = np.array([3, 2, 1, 0, 4], dtype=np.uint8)[codes[:, ::-1]]
    here, there = predict_codes(model, codes), predict_codes(model, other)
    np.testing.assert_allclose(there[:, ::-1][:, :, PAIRS], here, rtol=1e-5)


def test_shifts_move_the_sequence_before_strands_and_are_not_undone(
    model: Any, codes: NDArray[np.uint8]
) -> None:
    shifts = (-3, 0, 5)
    parts = []
    for by in shifts:
        parts.append(forward(model, moved(codes, by)))
        parts.append(turned(model, moved(codes, by)))
    found = predict_codes(model, codes, shifts=shifts)
    np.testing.assert_allclose(found, np.mean(parts, axis=0), rtol=1e-5)
    alone = predict_codes(model, codes, ensemble="none", shifts=(4,))
    np.testing.assert_allclose(alone, forward(model, moved(codes, 4)), rtol=1e-5)


@pytest.mark.parametrize("by", [100, -90])  # beyond the crop
def test_the_gap_of_a_shift_may_hold_another_value(
    model: Any, codes: NDArray[np.uint8], by: int
) -> None:
    rows = np.concatenate([np.eye(4), np.zeros((1, 4))])[moved(codes, by)].astype(np.float32)
    rows[:, slice(0, by) if by > 0 else slice(by, None)] = 0.25  # not the N of the sequence itself
    with torch.no_grad():
        here = model.network(torch.from_numpy(rows), "tracks").numpy()
        other = np.ascontiguousarray(rows[:, ::-1, ::-1])  # A and T, C and G swap
        there = model.network(torch.from_numpy(other), "tracks").numpy()[:, ::-1][:, :, PAIRS]
    found = predict_codes(model, codes, shifts=(by,), shift_pad=0.25)
    np.testing.assert_allclose(found, (here + there) / 2, rtol=1e-5)
    assert np.abs(found - predict_codes(model, codes, shifts=(by,))).max() > 1e-4
    unmoved = predict_codes(model, codes, shift_pad=0.25)
    np.testing.assert_array_equal(unmoved, predict_codes(model, codes))


def test_only_the_wanted_rows_and_their_partners_are_multiplied(
    model: Any, codes: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    widths: list[int] = []
    multiply = torch.nn.functional.linear

    def watched(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        widths.append(weight.shape[0])
        return multiply(x, weight, bias)

    monkeypatch.setattr("torch.nn.functional.linear", watched)
    every = predict_codes(model, codes)
    for names, count in (("plain", 1), ("x.fwd", 2), ("x.fwd,plain,total", 4)):
        widths.clear()
        chosen = model.tracks().select(names)
        some = predict_codes(model, codes, tracks=chosen)
        assert widths == [count, count]  # one product a strand
        columns = [model.tracks().index(track) for track in chosen]
        np.testing.assert_allclose(some, every[:, :, columns], rtol=1e-5)


@pytest.mark.parametrize("names", ["x.fwd", "x.rev,total", "y.fwd,y.rev,plain", "*"])
@pytest.mark.parametrize("ensemble", ["rc", "none"])
def test_a_subset_equals_the_columns_of_all(
    model: Any, codes: NDArray[np.uint8], names: str, ensemble: Any
) -> None:
    chosen = model.tracks().select(names)
    columns = [model.tracks().index(track) for track in chosen]
    every = predict_codes(model, codes, ensemble=ensemble)
    some = predict_codes(model, codes, tracks=chosen, ensemble=ensemble)
    np.testing.assert_allclose(some, every[:, :, columns], rtol=1e-5)


def test_a_subset_may_come_in_any_order(model: Any, codes: NDArray[np.uint8]) -> None:
    table = model.tracks()
    chosen = TrackTable((table[3], table[1]))
    np.testing.assert_allclose(
        predict_codes(model, codes, tracks=chosen), predict_codes(model, codes)[:, :, [3, 1]],
        rtol=1e-5,
    )  # fmt: skip


def test_what_cannot_be_is_explained(model: Any, codes: NDArray[np.uint8]) -> None:
    with pytest.raises(ConfigError, match="ensemble is 'RC'"):
        predict_codes(model, codes, ensemble="RC")  # type: ignore[arg-type]
    with pytest.raises(GeometryError, match="at least one, of at most 511 bp"):
        predict_codes(model, codes, shifts=())
    with pytest.raises(GeometryError, match="at most 511 bp"):
        predict_codes(model, codes, shifts=(0, -512))
    with pytest.raises(ConfigError, match="padding is 25; expected 0 to 1"):
        predict_codes(model, codes, shift_pad=25)
    with pytest.raises(ConfigError, match="no head 'mouse'"):
        predict_codes(model, codes, "mouse")
    with pytest.raises(TrackError, match="no track 'z'"):
        predict_codes(model, codes, tracks=TrackTable((Track("z"),)))


def test_bf16_gives_three_digits(model: Any, codes: NDArray[np.uint8]) -> None:
    import dataclasses

    quick = dataclasses.replace(model, precision="bf16")
    exact, rough = predict_codes(model, codes), predict_codes(quick, codes)
    assert rough.dtype == np.float32
    assert np.abs(rough - exact).max() > 0
    assert np.abs(rough - exact).max() < 0.05 * np.abs(exact).max()
