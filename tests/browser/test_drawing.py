from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure

from ft_s2a.browser import drawing, figure
from ft_s2a.browser.gene_lane import plan_lane
from ft_s2a.browser.genes import Gene
from ft_s2a.browser.pairs import pair_tracks
from ft_s2a.errors import FormatError, OutputExistsError
from ft_s2a.genome import BigWig
from ft_s2a.geometry import Interval
from ft_s2a.tracks import TrackFile, write_files


def drawn(monkeypatch: pytest.MonkeyPatch, *args: Any, **kwargs: Any) -> Figure:
    """The figure that is written, before it is closed over."""
    kept: list[Figure] = []
    original = drawing._draw

    def keep(*a: Any) -> Figure:
        kept.append(original(*a))
        return kept[0]

    monkeypatch.setattr(drawing, "_draw", keep)
    figure(*args, **kwargs)
    return kept[0]


def texts(found: Figure) -> list[str]:
    return [t.get_text() for axes in found.axes for t in axes.texts]


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_figure_is_written_and_the_same_each_time(toy, tmp_path: Path, kind: str) -> None:
    given = {"predicted": toy.predicted, "observed": toy.observed, "annotation": toy.genes}
    first = figure(tmp_path / f"a.{kind}", locus="II:500-5500", **given)
    second = figure(tmp_path / f"b.{kind}", locus="II:500-5500", **given)
    assert first.read_bytes() == second.read_bytes()
    start = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[kind]
    assert first.read_bytes().startswith(start)
    assert sorted(p.name for p in tmp_path.glob("*a.*")) == [f"a.{kind}"]


def test_drawing_leaves_pyplot_and_its_global_figures_alone() -> None:
    code = "import sys, ft_s2a.browser.drawing; sys.exit('matplotlib.pyplot' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_picture_shows_the_colours_of_the_tracks(toy, tmp_path: Path) -> None:
    path = figure(tmp_path / "a.png", predicted=toy.predicted, observed=toy.observed, locus="II")
    pixels = (matplotlib.image.imread(path)[..., :3] * 255).round().astype(int).reshape(-1, 3)
    for color in ("#aa3377", "#228833", "#8c8c8c"):
        wanted = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
        share = (np.abs(pixels - wanted).max(axis=1) <= 1).mean()
        assert share > 0.01, color


def test_rows_of_a_pair_share_limits_and_all_share_coordinates(
    toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = drawn(
        monkeypatch, tmp_path / "a.png", predicted=toy.predicted, observed=toy.observed,
        annotation=toy.genes, locus="II:500-5500",
    )  # fmt: skip
    observed, predicted, *_ = found.axes
    assert len(found.axes) == 5
    assert observed.get_ylim() == predicted.get_ylim()
    assert {axes.get_xlim() for axes in found.axes} == {(500.0, 5500.0)}
    # Aligned, or the eye would compare the wrong places.
    assert len({round(axes.get_position().x0, 6) for axes in found.axes}) == 1
    assert len({round(axes.get_position().x1, 6) for axes in found.axes}) == 1
    with BigWig(toy.observed / "CAGE.bw") as o, BigWig(toy.predicted / "toy-net.CAGE.bw") as p:
        top = max(
            o.binned("II", 500, 5500, bin_size=4).max(), p.binned("II", 500, 5500, bin_size=4).max()
        )
    assert observed.get_ylim()[1] == pytest.approx(1.08 * top)
    shown = texts(found)
    assert shown.count("observed") == shown.count("predicted") == 2
    assert {"CAGE", "ATAC", "CPM", "ABC1", "XYZ2", "genes"} <= set(shown)
    assert found.get_suptitle() == "toy/net, version 2 · II:501–5,500"
    assert found.axes[-1].get_xlabel() == "II (kb)"


def test_drawn_values_are_means_of_the_bases(toy) -> None:
    pair = pair_tracks(toy.predicted, toy.observed)[0]
    region = Interval("I", 130, 20_000)
    observed, predicted = drawing._signals(pair, region)
    with BigWig(toy.observed / "CAGE.bw") as bigwig:
        bases = bigwig.values("I", 130, 20_000).astype(np.float64)
    width = 13  # 19,870 bp in at most 1,600 columns
    expected = [bases[i : i + width].mean() for i in range(0, len(bases), width)]
    np.testing.assert_allclose(observed.values, expected)
    assert len(drawing._edges(region)) == len(expected) + 1
    assert np.isnan(predicted.values).all()  # nothing is predicted on I


def test_region_without_prediction_says_so(
    toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = drawn(
        monkeypatch, tmp_path / "a.png", predicted=toy.predicted, locus="I:0-500", title="T"
    )
    assert texts(found).count("nothing predicted here") == 2
    assert found.get_suptitle() == "T · I:1–500"


def test_values_above_a_quantile_limit_are_marked(
    toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = drawn(
        monkeypatch, tmp_path / "a.png", predicted=toy.predicted, locus="II", quantile=0.8,
        tracks="CAGE",
    )  # fmt: skip
    (axes,) = found.axes
    (marks,) = axes.collections
    with BigWig(toy.predicted / "toy-net.CAGE.bw") as bigwig:
        values = bigwig.binned("II", 0, 6000, bin_size=4, missing="nan")
    high = axes.get_ylim()[1] / 1.08
    assert len(marks.get_paths()) == int((values > high).sum()) > 0


@pytest.mark.parametrize("number", [1, 20])
def test_labels_do_not_overlap(
    toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    (tmp_path / "many").mkdir()
    file = toy.predicted / "toy-net.CAGE.bw"
    many = [TrackFile(file, f"CAGE_of_cell_type_{i}", units="CPM") for i in range(number)]
    write_files(tmp_path / "many", many)
    (tmp_path / "obs").mkdir()
    write_files(tmp_path / "obs", [TrackFile(f.file, f.track, kind="observed") for f in many])
    found = drawn(
        monkeypatch, tmp_path / "a.png", predicted=tmp_path / "many", observed=tmp_path / "obs",
        annotation=toy.genes, locus="II:500-5500",
    )  # fmt: skip
    assert len(found.axes) == 2 * number + 1
    renderer = found.canvas.get_renderer()  # type: ignore[attr-defined]
    labels = [t for axes in found.axes for t in axes.texts if t.get_text()]
    labels += [t for axes in found.axes for t in axes.get_yticklabels()]
    boxes = [label.get_window_extent(renderer) for label in labels]
    for index, box in enumerate(boxes):
        for other, label in zip(boxes[:index], labels, strict=False):
            assert not box.overlaps(other), (labels[index].get_text(), label.get_text())
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= found.bbox.x1
        assert box.y1 <= found.bbox.y1


def gene(start: int, end: int, strand: str = "+", name: str = "NAME") -> Gene:
    return Gene(Interval("I", start, end, name, strand), ((start, end),))


def test_genes_that_overlap_take_rows() -> None:
    region = Interval("I", 0, 10_000)
    lane = plan_lane([gene(0, 4000), gene(2000, 6000), gene(7000, 9000)], region, width=8.0)
    assert [(p.row, p.named) for p in lane.placed] == [(0, True), (1, True), (0, True)]
    # The name of a - gene stands to the left of its start site, here over the gene before.
    lane = plan_lane([gene(0, 4000), gene(4100, 4200, "-")], region, width=8.0)
    assert [p.row for p in lane.placed] == [0, 1]


def test_names_and_arrows_give_way_to_genes() -> None:
    region = Interval("I", 0, 100_000)
    named = plan_lane([gene(i * 2000, i * 2000 + 500) for i in range(50)], region, width=8.0)
    assert all(p.named for p in named.placed[:-2])
    long = "a_long_name_of_a_gene_model"
    bare = plan_lane(
        [gene(i * 1000, i * 1000 + 500, "+", long) for i in range(100)], region, width=8.0
    )
    assert not any(p.named for p in bare.placed)
    assert not bare.crowded
    crowd = plan_lane(
        [gene(i * 100, i * 100 + 50, "+-"[i % 2]) for i in range(900)], region, width=8.0
    )
    assert (crowd.crowded, crowd.rows, len(crowd.placed)) == (True, 2, 900)
    assert {p.row for p in crowd.placed if p.gene.interval.strand == "-"} == {1}


def test_empty_lane_is_drawn(toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = drawn(
        monkeypatch, tmp_path / "a.png", predicted=toy.predicted, annotation=toy.genes,
        locus="I:0-900",
    )  # fmt: skip
    assert "no genes here" in texts(found)


def test_bad_outputs(toy, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"'.jpg'; expected .png or .svg or .pdf"):
        figure(tmp_path / "a.jpg", predicted=toy.predicted)
    (tmp_path / "a.png").write_text("kept")
    with pytest.raises(OutputExistsError, match="--overwrite"):
        figure(tmp_path / "a.png", predicted=toy.predicted)
    assert (tmp_path / "a.png").read_text() == "kept"
    figure(tmp_path / "a.png", predicted=toy.predicted, overwrite=True)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
