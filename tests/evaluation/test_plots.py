"""Pictures: what is counted, written on them and left out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from ft_s2a.evaluation.bootstrap import BlockBootstrap
from ft_s2a.evaluation.plots import CELLS, draw_panels, make_panel, write_scatter
from ft_s2a.evaluation.scores import score_track


def _panel(track="a", scale=1.0, *, color="#aa3377", constant=False, negative=False, seed=0):
    random = np.random.default_rng(seed)
    observed = scale * random.gamma(0.7, 3.0, size=600)
    predicted = observed * random.lognormal(0, 0.5, size=600)
    if constant:
        predicted[:] = scale
    if negative:
        observed[0] = -2.0
    predicted[7] = np.nan
    score = score_track(predicted, observed, np.arange(0, 600, 60), BlockBootstrap(10, 50, 1))
    panel = make_panel(predicted, observed, score, track=track, model="toy/net", color=color)
    return panel, predicted, observed


def _texts(figure):
    figure.draw_without_rendering()
    return [text.get_text() for axes in figure.axes for text in (*axes.texts, axes._left_title)]


def test_every_bin_is_counted_in_its_cell():
    panel, predicted, observed = _panel()
    assert panel.counts.sum() == 599
    assert panel.counts.shape == (CELLS, CELLS)
    width = (panel.high - panel.low) / CELLS
    expected = np.zeros((CELLS, CELLS))
    for x, y in zip(np.log1p(observed), np.log1p(predicted), strict=True):
        if not math.isnan(y):
            expected[int((x - panel.low) / width), int((y - panel.low) / width)] += 1
    assert_allclose(panel.counts, expected)


def test_r_and_its_interval_are_written():
    panel, predicted, observed = _panel("MNase")
    known = ~np.isnan(predicted)
    r = stats.pearsonr(np.log1p(predicted[known]), np.log1p(observed[known])).statistic
    texts = _texts(draw_panels([panel]))
    low, high = panel.score.pearson_log1p_low, panel.score.pearson_log1p_high
    assert f"r = {r:.3f}  ({low:.3f} to {high:.3f})\ntoy/net, 599 bins" in texts
    assert "MNase" in texts


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"constant": True}, "no r: the predicted is constant"),
        ({"negative": True}, "no r: values of -1 or less"),
    ],
)
def test_without_a_correlation_the_picture_says_why(options, expected):
    texts = _texts(draw_panels([_panel(**options)[0]]))
    assert any(text.startswith(expected) for text in texts)


def test_panels_have_the_tracks_colours_and_one_axis_each():
    panels = [
        _panel(name, color=color)[0]
        for name, color in zip("abc", ("#ff0000", "x", "#00ff00"), strict=True)
    ]
    figure = draw_panels(panels)
    reds, fallback, greens = (axes.collections[0].get_cmap()(0.5) for axes in figure.axes)
    assert reds[0] > 0.9 > 0.1 > reds[1]
    assert greens[1] > 0.9 > 0.1 > greens[0]
    assert fallback[2] > max(fallback[:2])  # the default blue
    for axes in figure.axes:
        assert axes.get_xlim() == axes.get_ylim()


@pytest.mark.parametrize("scale", [1e-7, 1e-3, 0.05, 1.0, 40.0, 1e5])
def test_ticks_are_values_at_their_logarithm(scale):
    axes = draw_panels([_panel(scale=scale)[0]]).axes[0]
    positions = axes.get_xticks()
    labels = [float(label.get_text()) for label in axes.get_xticklabels()]
    assert_allclose(np.log1p(labels), positions, rtol=1e-9)
    assert len(labels) >= 2
    low, high = axes.get_xlim()
    assert low <= positions[0]
    assert positions[-1] <= high
    # No two labels sit on each other.
    assert (np.diff(positions) > 0.14 * (high - low)).all()


def test_long_names_are_cut_in_the_middle():
    texts = _texts(draw_panels([_panel("a_very_long_name_of_a_sample.of.tissue.fwd")[0]]))
    assert "a_very_long_name_o…issue.fwd" in texts


def test_rows_of_many_tracks():
    figure = draw_panels([_panel(f"t{i}", seed=i)[0] for i in range(7)])
    assert len(figure.axes) == 10
    assert sum(axes.axison for axes in figure.axes) == 7


def test_the_same_data_give_the_same_files(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_scatter([_panel("x/y")[0]], tmp_path / name, units="observed")
    found = (tmp_path / "one").rglob("*.*")
    files = sorted(path.relative_to(tmp_path / "one").as_posix() for path in found)
    assert files == [
        "scatter.png",
        "scatter.svg",
        "scatter/x-y.png",
        "scatter/x-y.svg",
    ]
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_no_panel_no_file(tmp_path):
    assert write_scatter([], tmp_path, units="observed") == []
    assert list(tmp_path.iterdir()) == []
