"""files.tsv: what the bigWigs of a folder are."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from ft_s2a.errors import FtS2aError, MissingFileError, OutputExistsError, TrackError
from ft_s2a.tracks.files import (
    TrackFile,
    bigwig_name,
    files_of_tracks,
    read_files,
    slug,
    write_files,
)
from ft_s2a.tracks.table import TrackTable
from ft_s2a.tracks.track import Track


@pytest.fixture
def bigwigs(tmp_path: Path) -> list[TrackFile]:
    folder = tmp_path / "out"
    (folder / "deep").mkdir(parents=True)
    paths = [folder / "a b.bw", folder / "deep" / "b.bw", tmp_path / "other.bw"]
    for path in paths:
        path.write_bytes(b"")
    return [
        TrackFile(
            paths[0], "RNA.fwd", "tracks", "RNA", 'liver, "adult"', "CPM", "#112233", 128,
            "yeast/basenji2", "1.0", "predicted", "RNA.rev",
        ),
        TrackFile(paths[1], "RNA.rev", kind="observed"),
        TrackFile(paths[2], "c", grid=32),
    ]  # fmt: skip


def test_what_is_written_is_read(tmp_path: Path, bigwigs: list[TrackFile]) -> None:
    path = write_files(tmp_path / "out", bigwigs)
    assert path == tmp_path / "out" / "files.tsv"
    assert read_files(tmp_path / "out") == bigwigs
    assert read_files(path) == bigwigs
    with pytest.raises(OutputExistsError):
        write_files(tmp_path / "out", bigwigs)


def test_a_folder_may_move(tmp_path: Path, bigwigs: list[TrackFile]) -> None:
    write_files(tmp_path / "out", bigwigs[:2])
    (tmp_path / "out").rename(tmp_path / "moved")
    found = read_files(tmp_path / "moved")
    assert [f.file for f in found] == [
        tmp_path / "moved" / "a b.bw",
        tmp_path / "moved" / "deep" / "b.bw",
    ]


def test_relative_paths(
    tmp_path: Path, bigwigs: list[TrackFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a command line gives them: relative to where one is, not to the table."""
    monkeypatch.chdir(tmp_path)
    names = ["out/a b.bw", "out/deep/b.bw", "other.bw"]
    given = [
        dataclasses.replace(file, file=Path(name))
        for file, name in zip(bigwigs, names, strict=True)
    ]
    write_files("out", given)
    assert read_files("out") == bigwigs
    text = (tmp_path / "out" / "files.tsv").read_text().splitlines()
    assert [line.split("\t")[0] for line in text[1:3]] == ["a b.bw", "deep/b.bw"]
    assert text[3].split("\t")[0] == str(tmp_path / "other.bw")


def test_a_folder_without_a_table(tmp_path: Path, bigwigs: list[TrackFile]) -> None:
    for name in ("b.bigWig", "c.BW", ".hidden.bw", "d.txt"):
        (tmp_path / "out" / name).write_bytes(b"")
    found = read_files(tmp_path / "out", kind="observed")
    assert [(f.file.name, f.track, f.kind) for f in found] == [
        ("a b.bw", "a b", "observed"),
        ("b.bigWig", "b", "observed"),
        ("c.BW", "c", "observed"),
    ]
    assert all(f.file.is_absolute() for f in found)


def test_one_bigwig(tmp_path: Path, bigwigs: list[TrackFile]) -> None:
    assert read_files(tmp_path / "other.bw") == [TrackFile(tmp_path / "other.bw", "other")]


def test_a_track_table(tmp_path: Path, bigwigs: list[TrackFile]) -> None:
    table = TrackTable((Track("c", "other.bw", head="mouse", assay="CAGE", units="CPM"),))
    path = table.write(tmp_path / "tracks.tsv")
    wanted = [TrackFile(tmp_path / "other.bw", "c", "mouse", "CAGE", units="CPM", kind="observed")]
    assert read_files(path, kind="observed") == wanted
    resolved = TrackTable((dataclasses.replace(table[0], file=str(tmp_path / "other.bw")),))
    assert files_of_tracks(resolved) == wanted


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file\ttrack\n", "holds no row of a files.tsv"),
        ("file\ttrack\tgird\nother.bw\ta\t5\n", "unknown column 'gird'; did you mean 'grid'?"),
        ("track\tgrid\na\t5\n", "no column 'file'"),
        ("file\ttrack\nother.bw\ta\nnone.bw\tb\n", "row 3: no such file 'none.bw'"),
        ("file\ttrack\n\ta\n", "row 2: no such file ''"),
        ("file\ttrack\nother.bw\t\n", "row 2: the track is empty"),
        ("file\ttrack\tgrid\nother.bw\ta\twide\n", "row 2: grid is 'wide'"),
        ("file\ttrack\tkind\nother.bw\ta\tguess\n", "row 2: track 'a': kind is 'guess'"),
        ("file\ttrack\nother.bw\ta\tx\n", "row 2 has 3 cells"),
    ],
)
def test_tables_that_are_wrong(
    tmp_path: Path, bigwigs: list[TrackFile], text: str, words: str
) -> None:
    (tmp_path / "files.tsv").write_text(text)
    with pytest.raises(FtS2aError, match=re.escape(words)) as caught:
        read_files(tmp_path / "files.tsv")
    assert "files.tsv" in str(caught.value)


def test_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such folder, table or bigWig"):
        read_files(tmp_path / "none")
    with pytest.raises(MissingFileError, match=r"holds no bigWig; expected files\.tsv"):
        read_files(tmp_path)


def test_files_that_make_no_sense(tmp_path: Path) -> None:
    with pytest.raises(TrackError, match="no track name"):
        TrackFile(tmp_path / "a.bw", "")
    with pytest.raises(TrackError, match="grid is -1"):
        TrackFile(tmp_path / "a.bw", "a", grid=-1)


@pytest.mark.parametrize(
    ("entry", "track", "name"),
    [
        ("yeast/basenji2", "RNA.fwd", "yeast-basenji2.RNA.fwd.bw"),
        ("demo", "CD4+ T cell", "demo.CD4+-T-cell.bw"),
        ("/a//b/", "x", "a-b.x.bw"),
    ],
)
def test_names_of_files(entry: str, track: str, name: str) -> None:
    assert bigwig_name(entry, track) == name
    assert slug(track) in name


def test_the_strand_stays_in_the_name_of_a_file() -> None:
    names = [bigwig_name("basenji2/human", f"CNhs10752{strand}") for strand in ("+", "-", "")]
    assert names == [f"basenji2-human.CNhs10752{strand}.bw" for strand in ("+", "-", "")]
