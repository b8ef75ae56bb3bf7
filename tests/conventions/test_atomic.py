"""Nothing half-written stays under a final name, and nothing is replaced unasked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ft_s2a.conventions import atomic
from ft_s2a.conventions.atomic import atomic_path, refuse_existing, write_bytes, write_text
from ft_s2a.errors import FtS2aError, OutputExistsError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "a.bw"
    with atomic_path(target) as temporary:
        assert temporary.suffix == ".bw"  # some writers choose the format by it
        assert temporary.parent == target.parent
        temporary.write_bytes(b"half")
        assert not target.exists()
        temporary.write_bytes(b"whole")
    assert target.read_bytes() == b"whole"
    assert names(target.parent) == ["a.bw"]


def fail_halfway(target: Path, error: type[BaseException]) -> None:
    with atomic_path(target, overwrite=True) as temporary:
        if target.is_dir():
            (temporary / "deep").mkdir(parents=True)
            (temporary / "deep" / "half").write_text("half")
        else:
            temporary.write_bytes(b"half")
        raise error


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("before", [None, b"old"])
def test_a_failure_leaves_what_was(
    tmp_path: Path, error: type[BaseException], before: bytes | None
) -> None:
    target = tmp_path / "a.bin"
    if before is not None:
        target.write_bytes(before)
    with pytest.raises(error):
        fail_halfway(target, error)
    assert names(tmp_path) == ([] if before is None else ["a.bin"])
    assert before is None or target.read_bytes() == before


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failure_leaves_no_folder(tmp_path: Path, error: type[BaseException]) -> None:
    old = tmp_path / "set.zarr"
    old.mkdir()
    (old / "kept").write_text("old")
    with pytest.raises(error):
        fail_halfway(old, error)
    assert names(tmp_path) == ["set.zarr"]
    assert names(old) == ["kept"]


def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    code = """
    import signal, sys, time
    from ft_s2a.conventions.atomic import atomic_path
    # A shell that starts the tests in the background has them ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with atomic_path(sys.argv[1]) as temporary:
        temporary.write_text("half")
        print("writing", flush=True)
        time.sleep(60)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "a.txt")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
        assert len(names(tmp_path)) == 1
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)
    assert process.returncode != 0
    assert names(tmp_path) == []


def test_a_folder_replaces_a_folder(tmp_path: Path) -> None:
    target = tmp_path / "run"
    target.mkdir()
    (target / "old").write_text("old")
    with atomic_path(target, overwrite=True) as temporary:
        temporary.mkdir()
        (temporary / "new").write_text("new")
        assert names(target) == ["old"]
    assert names(target) == ["new"]
    assert names(tmp_path) == ["run"]


def test_an_empty_folder_counts_as_free(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with atomic_path(tmp_path / "run") as temporary:
        temporary.mkdir()
        (temporary / "new").write_text("new")
    assert names(tmp_path / "run") == ["new"]


def test_a_folder_may_replace_a_file(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    with atomic_path(tmp_path / "run", overwrite=True) as temporary:
        temporary.mkdir()
    assert (tmp_path / "run").is_dir()
    assert names(tmp_path) == ["run"]


def test_a_file_never_replaces_a_folder(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "kept").write_text("kept")
    with pytest.raises(FtS2aError, match="is a folder"):
        write_text(tmp_path / "run", "text", overwrite=True)
    assert names(tmp_path / "run") == ["kept"]
    assert names(tmp_path) == ["run"]


def test_a_rename_that_fails_brings_the_old_folder_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "run"
    target.mkdir()
    (target / "kept").write_text("kept")
    rename = os.rename

    def failing(source: Path, destination: Path) -> None:
        if Path(destination) == target and ".partial" in Path(source).name:
            raise OSError(28, "No space left on device")
        rename(source, destination)

    monkeypatch.setattr(atomic.os, "rename", failing)
    with pytest.raises(OSError, match="No space"), atomic_path(target, overwrite=True) as temporary:
        temporary.mkdir()
    assert names(target) == ["kept"]
    assert names(tmp_path) == ["run"]


def test_what_exists_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    write_text(target, "old")
    with pytest.raises(OutputExistsError, match=r"a\.txt: the output exists already.*--overwrite"):
        write_text(target, "new")
    with pytest.raises(OutputExistsError):
        refuse_existing(target, overwrite=False)
    assert target.read_text() == "old"
    assert refuse_existing(target, overwrite=True) == target
    write_bytes(target, b"new", overwrite=True)
    assert target.read_text() == "new"


def test_a_full_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert refuse_existing(tmp_path / "run", overwrite=False) == tmp_path / "run"
    (tmp_path / "run" / ".hidden").write_text("")
    with pytest.raises(OutputExistsError):
        refuse_existing(tmp_path / "run", overwrite=False)


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("output", [".", "..", "sub/.."])
def test_the_folder_one_is_in_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str, overwrite: bool
) -> None:
    work = tmp_path / "work"
    (work / "sub").mkdir(parents=True)
    monkeypatch.chdir(work)
    with pytest.raises(FtS2aError), atomic_path(output, overwrite=overwrite) as temporary:
        temporary.mkdir()
    assert names(tmp_path) == ["work"]
    assert names(work) == ["sub"]


def test_home_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "me").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    with (
        pytest.raises(FtS2aError, match="replace your home"),
        atomic_path(tmp_path, overwrite=True) as temporary,
    ):
        temporary.mkdir()
    assert names(tmp_path) == ["me"]


def test_a_relative_path_survives_a_change_of_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    monkeypatch.chdir(tmp_path / "one")
    with atomic_path("a.txt") as temporary:
        temporary.write_text("text")
        os.chdir(tmp_path / "two")
    assert (tmp_path / "one" / "a.txt").read_text() == "text"


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    (tmp_path / "scratch" / "run").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "scratch" / "run")
    with atomic_path(tmp_path / "run") as temporary:
        temporary.mkdir()
        (temporary / "new").write_text("new")
    assert (tmp_path / "run").is_symlink()
    assert names(tmp_path / "scratch" / "run") == ["new"]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FtS2aError, match="the output folder cannot be made"):
        write_text(tmp_path / "file" / "a.txt", "text")
    assert names(tmp_path) == ["file"]


def test_a_folder_that_is_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic.os, "access", lambda path, mode: False)  # root may always write
    with pytest.raises(FtS2aError, match="the output folder is not writable"):
        write_text(tmp_path / "a.txt", "text")


def test_a_block_that_writes_nothing_is_a_bug(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nothing was written"), atomic_path(tmp_path / "a"):
        pass


def test_all_is_on_the_disk_before_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []
    monkeypatch.setattr(atomic, "_fsync", lambda path: flushed.append(path.name))
    with atomic_path(tmp_path / "run") as temporary:
        (temporary / "deep").mkdir(parents=True)
        (temporary / "a").write_text("a")
        (temporary / "deep" / "b").write_text("b")
    assert {"a", "b", "deep"} <= set(flushed)
    assert flushed[-1] == tmp_path.name


def test_texts_are_utf8(tmp_path: Path) -> None:
    assert write_text(tmp_path / "a.txt", "µ±−").read_bytes() == "µ±−".encode()
