from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ft_s2a.browser.pairs import entries_of, pair_tracks
from ft_s2a.errors import FtS2aError, TrackError
from ft_s2a.genome import write_bigwig


def write(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    return write_bigwig(path, {"I": 10}, [("I", 0, np.ones(1))], bin_size=10)


def names(pairs: object) -> list[tuple[str, str | None, str | None]]:
    return [
        (p.name, p.predicted and p.predicted.file.name, p.observed and p.observed.file.name)
        for p in pairs  # type: ignore[attr-defined]
    ]


def test_tables_are_paired_by_name(toy) -> None:
    pairs = pair_tracks(toy.predicted, toy.observed)
    assert names(pairs) == [
        ("CAGE", "toy-net.CAGE.bw", "CAGE.bw"),
        ("ATAC", "toy-net.ATAC.bw", "ATAC.bw"),
    ]
    assert entries_of(pairs) == "toy/net, version 2"
    assert [f.file.name for f in pairs[0].files] == ["CAGE.bw", "toy-net.CAGE.bw"]
    assert (pairs[0].color, pairs[0].field("cell_type")) == ("#aa3377", "K562")


def test_bare_files_are_paired_by_their_endings(tmp_path: Path) -> None:
    for name in ("net.RNA.fwd", "net.fwd", "net.other"):
        write(tmp_path / "out" / f"{name}.bw")
    for name in ("RNA.fwd", "fwd", "lonely"):
        write(tmp_path / "obs" / f"{name}.bw")
    assert names(pair_tracks(tmp_path / "out", tmp_path / "obs")) == [
        ("net.RNA.fwd", "net.RNA.fwd.bw", "RNA.fwd.bw"),
        ("net.fwd", "net.fwd.bw", "fwd.bw"),
        ("net.other", "net.other.bw", None),
    ]


def test_one_side_is_enough(toy) -> None:
    assert [n[0] for n in names(pair_tracks(None, toy.observed))] == ["ATAC", "CAGE"]
    assert [n[0] for n in names(pair_tracks(toy.predicted, None))] == ["CAGE", "ATAC"]


@pytest.mark.parametrize("choice", ["AT*", "assay=ATAC", ["ATAC"]])
def test_tracks_are_chosen(toy, choice: str | list[str]) -> None:
    assert [p.name for p in pair_tracks(toy.predicted, toy.observed, choice)] == ["ATAC"]


def test_bad_input_is_explained(toy, tmp_path: Path) -> None:
    with pytest.raises(TrackError, match="--predicted, --observed"):
        pair_tracks(None, None)
    with pytest.raises(TrackError, match="no track matches 'RNA'"):
        pair_tracks(toy.predicted, toy.observed, "RNA")
    write(tmp_path / "strange" / "quite_different.bw")
    with pytest.raises(TrackError, match=r"no observed track is named like .*CAGE"):
        pair_tracks(toy.predicted, tmp_path / "strange")
    table = toy.predicted / "files.tsv"
    text = table.read_text()
    table.write_text(text.replace("#aa3377", "pink"))
    with pytest.raises(TrackError, match=r"color 'pink'.*#rrggbb"):
        pair_tracks(toy.predicted, toy.observed)
    table.write_text(text + text.splitlines()[1] + "\n")
    with pytest.raises(FtS2aError, match=r"CAGE.*more than once"):
        pair_tracks(toy.predicted, toy.observed)
