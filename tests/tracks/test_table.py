"""Track tables: what may stand in them, what may not, and what comes back."""

from __future__ import annotations

import math
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ft_s2a.errors import FormatError, FtS2aError, MissingFileError, OutputExistsError, TrackError
from ft_s2a.tracks.table import TrackTable, read_tracks
from ft_s2a.tracks.track import COLUMNS, Track

steady = settings(deadline=None, derandomize=True)
inf, nan = math.inf, math.nan

YEAST = TrackTable(
    (
        Track("MNase", assay="MNase", squash="sqrt"),
        Track("PolII", assay="ChIP", scale=nan),
        Track("RNA.fwd", assay="RNA", strand_pair="RNA.rev", clip=384.0),
        Track("RNA.rev", assay="RNA", strand_pair="RNA.fwd", clip=384.0, scale=0.5),
        Track("CAGE", head="mouse", assay="CAGE", strand_pair="CAGE"),
    )
)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "tracks.tsv"
    path.write_text(text, encoding="utf-8")
    return path


def table(tmp_path: Path, *rows: str) -> TrackTable:
    return read_tracks(written(tmp_path, "\n".join(rows) + "\n"))


# --- One track ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": ""}, "track name ''"),
        ({"name": "two words"}, "track name 'two words'; expected letters, digits"),
        ({"name": "a/b"}, "track name 'a/b'"),
        ({"name": "a\n"}, "track name"),
        ({"head": ""}, "track 'a': head ''"),
        ({"head": "a b"}, "track 'a': head 'a b'"),
        ({"sum_stat": "median"}, "sum_stat is 'median'; expected mean or sum or max"),
        ({"squash": "log"}, "squash is 'log'; expected none or sqrt or log1p or pow0.75"),
        ({"missing": "NaN"}, "missing is 'NaN'; expected zero or nan"),
        ({"scale": 0.0}, "scale is 0.0; expected a number > 0, or auto"),
        ({"scale": -1}, "scale is -1.0"),
        ({"scale": inf}, "scale is inf"),
        ({"clip": 0.0}, "clip is 0.0; expected a number > 0, or nothing"),
        ({"clip": nan}, "clip is nan"),
        ({"clip_soft": -3.0}, "clip_soft is -3.0"),
        ({"color": "red"}, "color 'red'; expected #rrggbb"),
        ({"color": "#12345"}, "color '#12345'"),
        ({"description": "a\tb"}, "description has a tab or line break"),
        ({"file": "a\nb"}, "file has a tab or line break"),
    ],
)
def test_fields_that_are_wrong(fields: dict[str, object], words: str) -> None:
    with pytest.raises(TrackError, match=re.escape(words)):
        Track(**({"name": "a"} | fields))  # type: ignore[arg-type]


def test_numbers_are_pythons_own() -> None:
    """numpy writes its numbers as np.float64(2.0)."""
    track = Track("a", scale=np.float64(2.0), clip=np.float32(0.5), clip_soft=3)
    assert [type(v) for v in (track.scale, track.clip, track.clip_soft)] == [float] * 3
    assert "np." not in TrackTable((track,)).to_tsv()


# --- The table ---------------------------------------------------------------------------------


def test_names_heads_and_places() -> None:
    assert len(YEAST) == 5
    assert YEAST.names == ("MNase", "PolII", "RNA.fwd", "RNA.rev", "CAGE")
    assert YEAST.heads == ("tracks", "mouse")
    assert YEAST[1].name == "PolII"
    assert YEAST.index("RNA.rev") == YEAST.index(YEAST[3]) == 3
    assert [track.name for track in YEAST] == list(YEAST.names)
    with pytest.raises(TrackError, match=r"no track 'RNA\.rew'; did you mean 'RNA\.rev'\?"):
        YEAST.index("RNA.rew")


def test_pairs() -> None:
    assert YEAST.pairs().tolist() == [0, 1, 3, 2, 4]
    assert YEAST.pairs().dtype == np.int64
    with pytest.raises(TrackError, match=r"partner 'RNA\.rev' of 'RNA\.fwd' is missing"):
        YEAST.select("RNA.fwd").pairs()


def test_partners_are_added_in_order() -> None:
    chosen = YEAST.with_partners(YEAST.select("RNA.rev,MNase"))
    assert chosen.names == ("MNase", "RNA.fwd", "RNA.rev")
    assert chosen.pairs().tolist() == [0, 2, 1]


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        (None, YEAST.names),
        ("PolII", ("PolII",)),
        ("RNA.rev,MNase", ("MNase", "RNA.rev")),  # in table order
        ("RNA.*", ("RNA.fwd", "RNA.rev")),
        ("*", YEAST.names),
        ("assay=RNA", ("RNA.fwd", "RNA.rev")),
        ("assay=C*", ("PolII", "CAGE")),
        ("head=mouse, MNase", ("MNase", "CAGE")),
        ("MNase,", ("MNase",)),
        (["RNA.fwd", "RNA.fwd"], ("RNA.fwd",)),
        ("squash=sqrt", ("MNase",)),
    ],
)
def test_choosing(expression: str | list[str] | None, names: tuple[str, ...]) -> None:
    assert YEAST.select(expression).names == names


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("mnase", "no track matches 'mnase'; did you mean 'MNase'?"),
        ("MNase,XX*", "no track matches 'XX*'"),
        ("essay=RNA", "no column 'essay'; did you mean 'assay'?"),
        ("assay=DNase", "no track matches 'assay=DNase'"),
        ("", "no track matches ''"),
    ],
)
def test_choosing_what_is_not_there(expression: str, words: str) -> None:
    with pytest.raises(TrackError, match=re.escape(words)):
        YEAST.select(expression)


def test_one_head() -> None:
    assert YEAST.for_head("mouse").names == ("CAGE",)
    with pytest.raises(TrackError, match="no head 'Mouse'; did you mean 'mouse'"):
        YEAST.for_head("Mouse")


def test_other_rows() -> None:
    assert YEAST.replace(YEAST.tracks[:1]).names == ("MNase",)


def test_as_a_frame() -> None:
    frame = YEAST.to_frame()
    assert frame.columns.tolist() == list(COLUMNS)
    assert frame["name"].tolist() == list(YEAST.names)


def test_copies_are_equal() -> None:
    one = YEAST.select("RNA.*")
    assert pickle.loads(pickle.dumps(one)) == one


@pytest.mark.parametrize(
    ("tracks", "words"),
    [
        ([], "the track table is empty"),
        ([Track("a"), Track("a")], "track name 'a' occurs twice"),
        (
            [Track("a", strand_pair="b"), Track("b")],
            "strand_pair of 'a' is 'b', but that of 'b' is ''",
        ),
        (
            [Track("a", strand_pair="b"), Track("b", strand_pair="c"), Track("c", strand_pair="b")],
            "strand_pair of 'a' is 'b', but that of 'b' is 'c'",
        ),
        (
            [Track("a", strand_pair="b"), Track("b", strand_pair="a", head="mouse")],
            "head is 'tracks' for 'a', but 'mouse' for its strand partner 'b'",
        ),
        (
            [Track("a", strand_pair="b", clip=3), Track("b", strand_pair="a")],
            "clip is 3.0 for 'a', but inf for its strand partner 'b'",
        ),
        (
            [Track("a", strand_pair="b", squash="sqrt"), Track("b", strand_pair="a")],
            "squash is 'sqrt' for 'a', but 'none' for its strand partner 'b'; expected the same",
        ),
    ],
)
def test_tables_that_are_wrong(tracks: list[Track], words: str) -> None:
    with pytest.raises(TrackError, match=re.escape(words)):
        TrackTable(tuple(tracks))


# --- Reading and writing -----------------------------------------------------------------------

names = st.from_regex(r"[A-Za-z0-9._+-]{1,12}", fullmatch=True)
texts = st.text(
    st.characters(blacklist_categories=["Cc", "Cs"], blacklist_characters="\ufeff"), max_size=12
)
positive = st.floats(1e-300, 1e300)


@st.composite
def tables(draw: st.DrawFn) -> TrackTable:
    tracks: list[Track] = []
    chosen = draw(st.lists(names, unique=True, min_size=1, max_size=6))
    position = 0
    while position < len(chosen):
        fields = {
            "head": draw(names),
            "sum_stat": draw(st.sampled_from(["mean", "sum"])),
            "clip": draw(positive | st.just(inf)),
            "clip_soft": draw(positive | st.just(inf)),
            "squash": draw(st.sampled_from(["none", "sqrt", "log1p", "pow0.75"])),
            "missing": draw(st.sampled_from(["zero", "nan"])),
        }
        stranded = draw(st.booleans()) and position + 1 < len(chosen)
        group = chosen[position : position + 1 + stranded]
        for name, partner in zip(group, reversed(group), strict=True):
            tracks.append(
                Track(
                    name,
                    **fields,
                    file=draw(texts),
                    assay=draw(texts),
                    cell_type=draw(texts),
                    description=draw(texts),
                    units=draw(texts),
                    color=draw(st.from_regex(r"#[0-9a-f]{6}", fullmatch=True)),
                    scale=draw(positive | st.just(nan)),
                    strand_pair=partner if stranded or draw(st.booleans()) else "",
                )
            )
        position += len(group)
    return TrackTable(tuple(draw(st.permutations(tracks))))


@steady
@given(tables())
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, wanted: TrackTable
) -> None:
    path = tmp_path_factory.mktemp("tracks") / "tracks.tsv"
    found = read_tracks(wanted.write(path))
    assert found.to_frame().equals(wanted.to_frame())  # in which NaN equals NaN
    assert found.pairs().tolist() == wanted.pairs().tolist()


def test_columns_may_be_left_out(tmp_path: Path) -> None:
    path = YEAST.write(tmp_path / "tracks.tsv", without=("file", "color"))
    header = path.read_text().splitlines()[0].split("\t")
    assert header == [c for c in COLUMNS if c not in ("file", "color")]
    assert read_tracks(path).names == YEAST.names
    with pytest.raises(OutputExistsError):
        YEAST.write(path)


def test_defaults(tmp_path: Path) -> None:
    found = table(tmp_path, "name\tscale\tclip\tsquash", "a\t\t\t", "b\t2\tinf\tsqrt", "c\tauto")
    assert found[0] == Track("a")
    assert found[1] == Track("b", scale=2.0, squash="sqrt")
    assert math.isnan(found[2].scale)


def test_rows_of_calico(tmp_path: Path) -> None:
    """Their strand_pair is a row's number."""
    found = table(tmp_path, "name\tstrand_pair", "a\t0", "b\t2", "c\t1", "4\t4", "d\t")
    assert [track.strand_pair for track in found] == ["a", "c", "b", "4", ""]
    assert found.pairs().tolist() == [0, 2, 1, 3, 4]


def test_editors_leave_traces(tmp_path: Path) -> None:
    path = tmp_path / "tracks.tsv"
    path.write_bytes('\ufeffname\tdescription\r\n a \t"one ""two"""\r\n\r\n'.encode())
    assert read_tracks(path).tracks == (Track("a", description='one "two"'),)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([""], "holds no row of a track table"),
        (["name\tscale"], "holds no row of a track table"),
        (["name\tassey", "a\tx"], "unknown column 'assey'; did you mean 'assay'?"),
        (["name\tscale\tscale", "a\t1\t1"], "column 'scale' occurs twice"),
        (["assay\tscale", "x\t1"], "no column 'name'"),
        (["name,scale", "a,1"], "unknown column 'name,scale'"),
        (["name\tscale", "a\t1\t2"], "row 2 has 3 cells; expected the 2 columns"),
        (
            ["name\tscale", "a\t1", "", "b\tlots"],
            "row 4: scale is 'lots'; expected a number or auto",
        ),
        (["name\tscale", "a\tnan"], "row 2: scale is 'nan'; expected a number or auto"),
        (["name\tclip", "a\tauto"], "row 2: clip is 'auto'; expected a number"),
        (["name\tclip", "a\t-1"], "row 2: track 'a': clip is -1.0"),
        (["name\tscale", "a\t1", "\t2"], "row 3: the name is empty"),
        (["name", "a", "b", "a"], "row 4: track name 'a' occurs twice"),
        (["name", "two words"], "row 2: track name 'two words'"),
        (["name\tstrand_pair", "a\tc", "b\ta"], "strand_pair of 'a' is 'c', which is no track"),
        (["name\tstrand_pair", "a\t1", "b\t7"], "strand_pair of 'b' is '7', which is no track"),
        (["name\tstrand_pair", "a\tb", "b\t"], "strand_pair of 'a' is 'b', but that of 'b' is ''"),
    ],
)
def test_files_that_are_wrong(tmp_path: Path, rows: list[str], words: str) -> None:
    with pytest.raises(FtS2aError, match=re.escape(words)) as caught:
        table(tmp_path, *rows)
    assert str(caught.value).startswith(str(tmp_path / "tracks.tsv"))
    assert "\n" not in str(caught.value)


def test_what_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such track table"):
        read_tracks(tmp_path / "none.tsv")
    with pytest.raises(FormatError, match="is a folder"):
        read_tracks(tmp_path)
    (tmp_path / "a.bw").write_bytes(b"\x26\xfc\x8f\x88\x04\x00")
    with pytest.raises(FormatError, match="is no text"):
        read_tracks(tmp_path / "a.bw")


def test_files_are_beside_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bw").mkdir()
    (tmp_path / "bw" / "a.bw").write_bytes(b"")
    (tmp_path / "elsewhere").mkdir()
    path = written(tmp_path, "name\tfile\na\tbw/a.bw\n")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert read_tracks(path, need_files=True)[0].file == str(tmp_path / "bw" / "a.bw")
    assert read_tracks("../tracks.tsv", need_files=True)[0].file == str(tmp_path / "bw" / "a.bw")
    assert read_tracks(path)[0].file == "bw/a.bw"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name\na\n", "no column 'file'"),
        ("name\tfile\na\t\n", "row 2: track 'a' has no file"),
        ("name\tfile\n\na\tb.bw\n", "row 3: no such file 'b.bw' for track 'a'"),
        ("name\tfile\na\t.\n", "row 2: no such file '.'"),
    ],
)
def test_files_that_are_missing(tmp_path: Path, text: str, words: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(FtS2aError, match=re.escape(words)):
        read_tracks(path, need_files=True)
