"""Messages are one line that says what, where, what was expected and what to do."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from ft_s2a import errors
from ft_s2a.errors import FtS2aError, MissingFileError, near_miss, require_file

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, FtS2aError)
]


def test_a_message_has_all_its_parts() -> None:
    error = FtS2aError("is bad", where="a.bed", expected="better", remedy="mend it")
    assert str(error) == "a.bed: is bad; expected better; mend it"


def test_a_message_is_one_line() -> None:
    error = FtS2aError("two\nlines  and\tblanks", where=Path("a.bed"), remedy="mend\r\nit")
    assert str(error) == "a.bed: two lines and blanks; mend it"


def test_parts_may_be_left_out() -> None:
    assert str(FtS2aError("is bad")) == "is bad"
    assert str(FtS2aError("is bad", remedy="mend it")) == "is bad; mend it"


@pytest.mark.parametrize("kind", KINDS)
def test_errors_cross_processes(kind: type[FtS2aError]) -> None:
    error = kind("is bad", where="a.bed", expected="better", remedy="mend it")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert str(copy) == str(error)
    assert (copy.what, copy.where, copy.expected, copy.remedy) == (
        "is bad", "a.bed", "better", "mend it",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "known", "words"),
    [
        ("MNas", ["PolII", "MNase"], "did you mean 'MNase'?"),
        ("mnase", ["PolII", "MNase"], "did you mean 'MNase'?"),
        ("q", ["PolII", "MNase"], "known: PolII, MNase"),
        ("q", [], "none is known"),
        ("q", [f"track{i}" for i in range(10)], "track7, ..."),
    ],
)
def test_near_misses(name: str, known: list[str], words: str) -> None:
    assert near_miss(name, known).endswith(words)


def test_a_file_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "a.bed").write_text("")
    assert require_file(str(tmp_path / "a.bed")) == tmp_path / "a.bed"
    assert require_file(tmp_path) == tmp_path


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"a\.bed: no such BED file; check the path"):
        require_file(tmp_path / "a.bed", "BED file")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(MissingFileError, match="link"):
        require_file(tmp_path / "link")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    (closed / "a.bed").write_text("")
    (closed / "a.bed").chmod(0o000)
    with pytest.raises(FtS2aError, match="permission denied"):
        require_file(closed / "a.bed")
    closed.chmod(0o000)
    try:
        with pytest.raises(MissingFileError):
            require_file(closed / "a.bed")
    finally:
        closed.chmod(0o700)
