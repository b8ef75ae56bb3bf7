"""Text files, however they are packed, with rows counted as an editor counts them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from Bio import bgzf

from ft_s2a.conventions.text import text_lines, tsv_rows
from ft_s2a.errors import FormatError, MissingFileError

TEXT = "one\n\nthree\n"
LINES = [(1, "one"), (2, ""), (3, "three")]


def test_plain(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(TEXT)
    assert list(text_lines(tmp_path / "a")) == LINES


def test_gzip_is_known_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "a.bed").write_bytes(gzip.compress(TEXT.encode()))
    assert list(text_lines(tmp_path / "a.bed")) == LINES
    (tmp_path / "plain.gz").write_text(TEXT)
    assert list(text_lines(tmp_path / "plain.gz")) == LINES


def test_bgzip_of_several_blocks(tmp_path: Path) -> None:
    with bgzf.BgzfWriter(str(tmp_path / "a.gz"), "wb") as handle:
        handle.write(b"x\n" * 100_000)
    assert sum(1 for _ in text_lines(tmp_path / "a.gz")) == 100_000


def test_windows_ends_and_byte_order_marks(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfone\r\n\r\nthree")
    assert list(text_lines(tmp_path / "a")) == LINES


def test_odd_separators_are_no_line_ends(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a\x0bb\u2028c\n2\n", encoding="utf-8")
    assert [number for number, _ in text_lines(tmp_path / "a")] == [1, 2]


def test_what_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"good\n\xff\xfe\x00")
    with pytest.raises(FormatError, match="a: is no text"):
        list(text_lines(tmp_path / "a"))
    with pytest.raises(FormatError, match="is a folder; expected a BED file"):
        list(text_lines(tmp_path, "BED file"))
    with pytest.raises(MissingFileError, match="no such BED file"):
        list(text_lines(tmp_path / "b", "BED file"))


def test_a_gzip_file_that_is_cut_off_or_damaged(tmp_path: Path) -> None:
    packed = gzip.compress("".join(f"{i}\n" for i in range(9000)).encode())
    (tmp_path / "cut").write_bytes(packed[: len(packed) // 2])
    (tmp_path / "bad").write_bytes(packed[:200] + bytes(100) + packed[300:])
    (tmp_path / "crc").write_bytes(packed[:-8] + bytes(8))
    for name in ("cut", "bad", "crc"):
        with pytest.raises(FormatError, match=f"{name}: is not a complete gzip file"):
            list(text_lines(tmp_path / name))


def rows(tmp_path: Path, text: str) -> list[tuple[int, dict[str, str]]]:
    (tmp_path / "t.tsv").write_text(text)
    return tsv_rows(tmp_path / "t.tsv", ("a", "b", "c"), ("a",), "test table")


def test_tables(tmp_path: Path) -> None:
    found = rows(tmp_path, 'b\ta\n1 \t2\n\n"x\ty"\t"say ""no"""\n5" UTR\tz\n9\n')
    assert found == [
        (2, {"b": "1", "a": "2"}),
        (4, {"b": "x\ty", "a": 'say "no"'}),
        (5, {"b": '5" UTR', "a": "z"}),
        (6, {"b": "9", "a": ""}),  # a short row
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no row of a test table"),
        ("a\tb\n", "holds no row of a test table"),
        ("a\tB1\n1\t2\n", "unknown column 'B1'"),
        ("a\tb\ta\n1\t2\t3\n", "column 'a' occurs twice"),
        ("b\tc\n1\t2\n", "no column 'a'"),
        ("a\tb\n1\t2\n1\t2\t3\n", "row 3 has 3 cells; expected the 2 columns"),
        ('a\tb\n1\t"2\n', "row 2 cannot be read"),
    ],
)
def test_tables_that_are_wrong(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(FormatError, match=words) as caught:
        rows(tmp_path, text)
    assert "t.tsv" in str(caught.value)
