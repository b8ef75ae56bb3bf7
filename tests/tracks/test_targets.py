"""Published target tables: read, guessed, refused, written back; and tables of thousands."""

from __future__ import annotations

import logging
import math
import re
from collections import Counter
from pathlib import Path

import pytest

from ft_s2a.errors import FtS2aError, MissingFileError
from ft_s2a.tracks import Track, TrackTable, read_targets, targets_text
from ft_s2a.tracks.targets import is_target_table

OLD = "index\tgenome\tidentifier\tfile\tclip\tscale\tsum_stat\tdescription\n"
NEW = "\tidentifier\tfile\tclip\tclip_soft\tscale\tsum_stat\tstrand_pair\tdescription\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "targets.txt"
    path.write_text(text)
    return path


def test_a_table_of_2020(tmp_path: Path) -> None:
    rows = "5313\t1\tENCFF1\t/a/cov.w5\t32\t2\tmean\tDNASE:B6D2F1/J: 416B\n"
    rows += "5314\t1\tCNhs2\t/b/cov.w5\t384\t1\tsum\tno colon\n"
    path = write(tmp_path, OLD + rows)
    table = read_targets(path, head="mouse")
    assert table.names == ("ENCFF1", "CNhs2")
    first, second = table
    assert (first.transform, first.clip, first.scale) == ("basenji2020", 32.0, 2.0)
    assert (first.sum_stat, first.squash, first.head) == ("mean", "none", "mouse")
    assert (first.file, first.assay, first.cell_type) == ("/a/cov.w5", "DNASE", "B6D2F1/J: 416B")
    assert first.description == "DNASE:B6D2F1/J: 416B"
    assert (second.assay, second.cell_type, second.description) == ("", "", "no colon")
    assert second.clip_soft == math.inf
    assert is_target_table(path)


def test_a_table_with_strands(tmp_path: Path) -> None:
    """Indices need not begin at 0; a track paired with itself has no strand."""
    rows = "34\tR+\tr+.w5\t384\t64\t0.3\tsum_sqrt\t35\tRNA:liver\n"
    rows += "35\tR-\tr-.w5\t384\t64\t0.3\tsum_sqrt\t34\tRNA:liver\n"
    rows += "40\tD\td.w5\t128\t\t2\tmean\t40\tDNASE:liver\n"
    table = read_targets(write(tmp_path, NEW + rows))
    assert table.pairs().tolist() == [1, 0, 2]
    assert table[2].strand_pair == ""
    assert {t.transform for t in table} == {"hound"}
    assert (table[0].sum_stat, table[0].squash, table[0].clip_soft) == ("sum", "sqrt1p", 64.0)
    assert table[2].clip_soft == math.inf


@pytest.mark.parametrize(
    ("stat", "transform", "wanted"),
    [
        ("sum", "basenji2020", ("sum", "none")),
        ("avg", "basenji2020", ("mean", "none")),
        ("max", "basenji2020", ("max", "none")),
        ("sum_sqrt", "basenji2025", ("sum", "sqrt1p")),
        ("mean_sqrt", "hound", ("mean", "sqrt1p")),
        ("sum_exp75", "hound", ("sum", "pow0.75")),
        ("peak", "hound", ("mean", "peak")),
        ("sum_sqrt", "hound-old", ("sum", "pow0.75-bare")),
        ("avg_sqrt", "hound-old", ("mean", "pow0.75-bare")),
    ],
)
def test_poolings(tmp_path: Path, stat: str, transform: str, wanted: tuple[str, str]) -> None:
    path = write(tmp_path, f"identifier\tsum_stat\na\t{stat}\n")
    track = read_targets(path, transform=transform)[0]
    assert (track.sum_stat, track.squash) == wanted
    assert track.transform == transform


def test_a_squash_tells_the_later_code(tmp_path: Path) -> None:
    path = write(tmp_path, "identifier\tsum_stat\na\tsum_sqrt\nb\tmean\n")
    assert read_targets(path)[1].transform == "hound"


def test_names_become_legal_and_unique(tmp_path: Path) -> None:
    """The table's own names are kept where they can be."""
    path = write(tmp_path, "identifier\tsum_stat\na b\tsum\na.2\tsum\na\tsum\na\tsum\na\tsum\n")
    assert read_targets(path).names == ("a-b", "a.2", "a", "a.3", "a.4")


@pytest.mark.parametrize(
    ("text", "transform", "words"),
    [
        (OLD + "0\t0\tA\ta.w5\t32\t2\tmedian\tx\n", None, "row 2: track 'A': sum_stat is 'median'"),
        (OLD + "0\t0\tA\ta.w5\tmany\t2\tmean\tx\n", None, "row 2: track 'A': clip is 'many'"),
        (OLD + "0\t0\tA\ta.w5\t32\t0\tmean\tx\n", None, "row 2: track 'A': scale is 0.0"),
        (OLD + "0\t0\tA\ta.w5\t-1\t2\tmean\tx\n", None, "clip is -1.0; expected a number > 0"),
        (OLD + "0\t0\t\ta.w5\t32\t2\tmean\tx\n", None, "row 2: the identifier is empty"),
        (OLD + "x\t0\tA\ta.w5\t32\t2\tmean\tx\n", None, "row 2: index 'x'"),
        (OLD + "1\t0\tA\t\t1\t1\tsum\tx\n1\t0\tB\t\t1\t1\tsum\tx\n", None, "row 3: index '1'"),
        (OLD, None, "holds no row of a target table"),
        ("index\tfile\n0\ta\n", None, "no column 'identifier'"),
        (OLD.replace("clip", "clipp") + "0\t0\tA\ta\t1\t1\tsum\tx\n", None, "'clipp'"),
        (NEW + "0\tA\ta\t9\t9\t1\tsum\t7\tx\n", None, "row 2: strand_pair is '7'"),
        (NEW + "0\tA\ta\t9\t9\t1\tsum\t1\tx\n1\tB\ta\t9\t9\t1\tsum\t\tx\n", None, "strand_pair of"),
        (OLD + "0\t0\tA\ta\t1\t1\tsum\tx\n", "plain", "expected basenji2020 or basenji2025 or"),
        ("identifier\tsum_stat\na\tsum_exp75\n", "basenji2025", "sum_stat is 'sum_exp75'"),
        ("identifier\tsum_stat\na\tsum_sqrt\n", "basenji2020", "expected sum, mean, avg, max"),
    ],
)
def test_tables_that_are_wrong(
    tmp_path: Path, text: str, transform: str | None, words: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(FtS2aError, match=re.escape(words)) as caught:
        read_targets(path, transform=transform)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_are_looked_for_on_demand(tmp_path: Path) -> None:
    path = write(tmp_path, OLD + "0\t0\tA\ta.bw\t32\t2\tmean\tx\n")
    with pytest.raises(MissingFileError, match=r"row 2: no such file 'a\.bw'"):
        read_targets(path, need_files=True)
    (tmp_path / "a.bw").touch()
    assert read_targets(path, need_files=True)[0].file == str(tmp_path / "a.bw")


@pytest.mark.parametrize("transform", ["hound", "hound-old"])
def test_written_and_read_again(tmp_path: Path, transform: str) -> None:
    rows = "34\tR+\tr+.w5\t384\t64\t0.3\tsum_sqrt\t35\tRNA:liver\n"
    rows += "35\tR-\tr-.w5\t384\t64\t0.3\tsum_sqrt\t34\tRNA:liver\n"
    rows += '36\tD\td.w5\t128\t\t2\tpeak\t36\tDNASE:liver, 2 "x"\n'.replace('"', "'")
    table = read_targets(write(tmp_path, NEW + rows), transform=transform)
    text = targets_text(table, first=34)
    assert text.splitlines()[1].split("\t")[:3] == ["34", "R+", "r+.w5"]
    assert read_targets(write(tmp_path, text), transform=transform) == table


def test_what_a_target_table_cannot_state(caplog: pytest.LogCaptureFixture) -> None:
    table = TrackTable((Track("a", squash="sqrt", assay="CAGE", cell_type="liver"), Track("b")))
    with caplog.at_level(logging.WARNING):
        text = targets_text(table)
    assert text.splitlines()[1:] == [
        "0\ta\t\t\t1\tmean\tCAGE:liver",
        "1\tb\t\t\t1\tmean\tb",
    ]
    assert "cannot state the squash of 1 tracks ('a', ...)" in caplog.text


def test_thousands_of_tracks_are_not_searched_one_by_one() -> None:
    """Looking up each of 5,000 tracks in a list of 5,000 would take a minute."""
    names = [f"t{i}" for i in range(5_000)]
    tracks = [Track(n, strand_pair=names[i ^ 1]) for i, n in enumerate(names)]
    table = TrackTable(tuple(tracks))
    assert [table.index(name) for name in names] == list(range(5_000))
    assert len(table.select(names)) == 5_000
    assert len(table.with_partners(table.select(names[::2]))) == 5_000


@pytest.mark.real_data
def test_the_published_tables(mirror: Path, tmp_path: Path) -> None:
    """Counts per assay and transform as the reference states them."""
    folder = mirror / "basenji2_targets"
    human = read_targets(folder / "targets_human.txt")
    mouse = read_targets(folder / "targets_mouse.txt", head="mouse")
    counts = Counter((t.assay, t.clip, t.scale, t.sum_stat) for t in human)
    assert counts == {
        ("CHIP", 32, 2, "mean"): 3832,
        ("CHIP", 64, 1, "sum"): 159,
        ("DNASE", 32, 2, "mean"): 674,
        ("CAGE", 384, 1, "sum"): 638,
        ("ATAC", 64, 1, "sum"): 10,
    }
    assert len(mouse) == 1643
    assert {t.transform for t in (*human, *mouse)} == {"basenji2020"}
    assert read_targets(write(tmp_path, targets_text(human))) == human


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["hg38/targets.txt", "hg38/targets_rna.txt", "mm10/targets.txt"])
def test_the_tables_with_strands(mirror: Path, name: str) -> None:
    table = read_targets(mirror / "calico_tiny" / name)
    partners = table.pairs()
    assert (partners[partners] == range(len(table))).all()
    for track, partner in zip(table, partners.tolist(), strict=True):
        other = table[partner].name
        assert other == (
            track.name[:-1] + "+-"[track.name.endswith("+")] if track.strand_pair else track.name
        )
    assert {t.transform for t in table} == {"hound"}
