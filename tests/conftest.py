"""Surroundings of every test: a HOME and a cache of its own, no display, one thread, real data.

This file sets environment variables only and imports nothing heavy, so that they hold before
torch, matplotlib or kipoi (which writes into HOME when it is imported) are loaded, and so that
sub-processes inherit them.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from ft_s2a.conventions.cache import cache_dir

REPOSITORY = Path(__file__).resolve().parent.parent
_scratch = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """Give this process (each worker of pytest-xdist is one) surroundings of its own."""
    if hasattr(config, "workerinput") or not _has_workers(config):
        scratch = Path(tempfile.mkdtemp(prefix="ft_s2a-tests-"))
        config.stash[_scratch] = scratch
        _isolate(scratch)
    _resolve_mirror()


def pytest_unconfigure(config: pytest.Config) -> None:
    scratch = config.stash.get(_scratch, None)
    if scratch is not None:
        shutil.rmtree(scratch, ignore_errors=True)


def _has_workers(config: pytest.Config) -> bool:
    # The process that only hands tests to workers keeps its HOME: they read the cache in it.
    return bool(getattr(config.option, "tx", None))


def _isolate(scratch: Path) -> None:
    home = Path.home()
    igv = cache_dir() / "igv"
    # matplotlib takes seconds to list the fonts; that list may be shared.
    os.environ.setdefault("MPLCONFIGDIR", str(home / ".cache" / "matplotlib"))
    os.environ["HOME"] = str(scratch / "home")
    os.environ["FT_S2A_CACHE"] = str(scratch / "cache")
    os.environ["MPLBACKEND"] = "Agg"
    os.environ["OMP_NUM_THREADS"] = "1"
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "FT_S2A_ZOO"):
        os.environ.pop(name, None)
    (scratch / "home").mkdir()
    if igv.is_dir():  # `make env` put it there; tests download nothing
        shutil.copytree(igv, cache_dir() / "igv")


def _resolve_mirror() -> None:
    """Make a relative FT_S2A_MIRROR absolute: tests and sub-processes run in other folders."""
    named = os.environ.get("FT_S2A_MIRROR")
    if named and "://" not in named:
        os.environ["FT_S2A_MIRROR"] = str((REPOSITORY / named).resolve())


@pytest.fixture(scope="session")
def mirror() -> Path:
    """Folder of the real data that FT_S2A_MIRROR names."""
    named = os.environ.get("FT_S2A_MIRROR")
    if not named:
        pytest.skip("real data: FT_S2A_MIRROR is not set")
    folder = Path(named)
    if not folder.is_dir():
        pytest.skip(f"real data: FT_S2A_MIRROR={named} is no folder")
    return folder


@pytest.fixture(scope="session")
def yeast(mirror: Path) -> Path:
    """Folder of the real yeast genome and tracks."""
    folder = mirror / "yeast"
    if not folder.is_dir():
        pytest.skip(f"real data: {folder} is missing")
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium to open pages in."""
    path = shutil.which("chromium") or shutil.which("chromium", path="/usr/bin")
    if path is None:
        pytest.skip("browser: no chromium on PATH or in /usr/bin")
    return path


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A tiny genome and tracks that follow from its sequence: count of a word near each base.

    Fields: `folder`, `fasta`, `tracks` (table of ``w.fwd``, ``w.rev`` (a strand pair) and ``gc``),
    `sizes`, `codes` (per contig) and `signal` (per track and contig, float64 per base, as written).
    """
    import numpy as np

    from ft_s2a.genome import write_bigwig

    folder = tmp_path_factory.mktemp("toy")
    random = np.random.default_rng(20)
    sizes = {"I": 24_000, "II": 9_000, "III": 6_005}
    codes = {name: random.integers(0, 4, size).astype(np.uint8) for name, size in sizes.items()}
    codes["II"][4_000:4_050] = 4
    lines = []
    for name, values in codes.items():
        letters = np.frombuffer(b"ACGTN", dtype=np.uint8)[values].tobytes().decode()
        letters = letters[:700].lower() + letters[700:]
        lines += [f">{name} a contig", *(letters[i : i + 60] for i in range(0, len(letters), 60))]
    fasta = folder / "toy.fa"
    fasta.write_text("\n".join(lines) + "\n")

    def near(hits: np.ndarray, width: int) -> np.ndarray:
        return np.convolve(hits.astype(np.float64), np.ones(width) / width, mode="same")

    signal: dict[str, dict[str, np.ndarray]] = {"w.fwd": {}, "w.rev": {}, "gc": {}}
    for name, values in codes.items():
        for track, word in (("w.fwd", (1, 1, 0)), ("w.rev", (3, 2, 2))):
            hits = np.ones(len(values), dtype=bool)
            for offset, letter in enumerate(word, start=-1):  # centred, so that strands mirror
                hits &= np.roll(values, -offset) == letter
            hits[[0, -1]] = False
            signal[track][name] = near(hits, 33)
        signal["gc"][name] = near((values == 1) | (values == 2), 65)
    rows = ["name\tfile\tassay\tstrand_pair\tscale\tsquash\tunits"]
    for track, pair, scale, squash in (
        ("w.fwd", "w.rev", "auto", "sqrt"),
        ("w.rev", "w.fwd", "auto", "sqrt"),
        ("gc", "", "2", "none"),
    ):
        for name in sizes:
            signal[track][name] = signal[track][name].astype(np.float32).astype(np.float64)
        pieces = [(name, 0, signal[track][name]) for name in sizes]
        write_bigwig(folder / f"{track}.bw", sizes, pieces, bin_size=1)
        rows.append(f"{track}\t{track}.bw\ttoy\t{pair}\t{scale}\t{squash}\tcounts")
    tracks = folder / "tracks.tsv"
    tracks.write_text("\n".join(rows) + "\n")
    return SimpleNamespace(
        folder=folder, fasta=fasta, tracks=tracks, sizes=sizes, codes=codes, signal=signal
    )
