"""bigWigs: what is written is read, and what is read is exact."""

from __future__ import annotations

import itertools
import math
import multiprocessing
import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyBigWig
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ft_s2a.errors import (
    ContigError,
    DataError,
    FormatError,
    FtS2aError,
    GeometryError,
    MissingFileError,
    OutputExistsError,
)
from ft_s2a.genome import bigwig
from ft_s2a.genome.bigwig import BigWig, write_bigwig

steady = settings(deadline=None, derandomize=True, max_examples=150)
nan, inf = math.nan, math.inf


def write_steps(
    path: Path, sizes: dict[str, int], steps: Sequence[tuple[str, int, int, float]]
) -> Path:
    """Write (chrom, start, end, value) with pyBigWig itself, as other programs do."""
    handle = pyBigWig.open(str(path), "w")
    handle.addHeader(list(sizes.items()))
    if steps:
        chroms, starts, ends, values = zip(*steps, strict=True)
        handle.addEntries(list(chroms), list(starts), ends=list(ends), values=list(values))
    handle.close()
    return path


def per_base(path: Path, chrom: str, length: int) -> NDArray[np.float64]:
    """Bases from the file's own intervals, NaN where there is none."""
    result = np.full(length, np.nan)
    with pyBigWig.open(str(path)) as handle:
        for start, end, value in handle.intervals(chrom) or ():
            result[start:end] = value
    return result


def pool(
    bases: NDArray[np.float64], start: int, end: int, bin_size: int, stat: str, missing: str
) -> list[float]:
    """One base at a time: the definition."""
    result = []
    for left in range(start, end, bin_size):
        inside = [
            bases[at] for at in range(left, min(left + bin_size, end)) if 0 <= at < len(bases)
        ]
        known = [value for value in inside if math.isfinite(value)]
        if missing == "zero":
            total, count = math.fsum(known), len(inside)
            mean = total / count if count else 0.0
            result.append(mean if stat == "mean" else total)
        else:
            mean = math.fsum(known) / len(known) if known else nan
            result.append(mean if stat == "mean" else mean * len(inside))
    return result


# --- Reading ---------------------------------------------------------------------------------


@pytest.fixture
def steps_of_75(tmp_path: Path) -> Path:
    """Steps as deepTools writes them: 75 bp after a first of 74, with gaps and a contig without."""
    random = np.random.default_rng(0)
    steps, start = [], 0
    for index in range(60):
        end = start + (74 if index == 0 else 75)
        if index not in (7, 20, 21, 22, 23):
            steps.append(("II", start, end, float(random.gamma(1.0, 20.0))))
        start = end
    steps.append(("XVI", 3, 4, 5.0))
    return write_steps(tmp_path / "steps.bw", {"II": 4600, "Mito": 300, "XVI": 1000}, steps)


@pytest.mark.parametrize("missing", ["zero", "nan"])
@pytest.mark.parametrize("stat", ["mean", "sum"])
@pytest.mark.parametrize(
    ("start", "end", "bin_size"),
    [
        (0, 4600, 128),
        (0, 4600, 75),
        (13, 4099, 1),
        (-200, 5000, 128),
        (100, 101, 128),
        (0, 4600, 5000),
    ],
)
def test_bins_that_do_not_align_are_exact(
    steps_of_75: Path,
    start: int,
    end: int,
    bin_size: int,
    stat: Literal["mean", "sum"],
    missing: Literal["zero", "nan"],
) -> None:
    bases = per_base(steps_of_75, "II", 4600)
    expected = pool(bases, start, end, bin_size, stat, missing)
    with BigWig(steps_of_75) as track:
        found = track.binned("II", start, end, bin_size=bin_size, stat=stat, missing=missing)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-13)


@steady
@given(data=st.data())
def test_any_bins_over_any_steps(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    length = data.draw(st.integers(1, 200))
    cuts = sorted(data.draw(st.sets(st.integers(0, length), min_size=2, max_size=20), "cuts"))
    values = st.one_of(st.floats(-1e6, 1e6, width=32), st.sampled_from([nan, inf, -inf]))
    steps = [
        ("a", left, right, data.draw(values))
        for left, right in itertools.pairwise(cuts)
        if data.draw(st.booleans())
    ]
    path = write_steps(tmp_path_factory.mktemp("bw") / "a.bw", {"a": length}, steps)
    bases = np.full(length, nan)
    for _, left, right, value in steps:
        bases[left:right] = np.float32(value)
    start = data.draw(st.integers(-50, length + 10))
    end = start + data.draw(st.integers(1, 300))
    bin_size = data.draw(st.integers(1, 64))
    block = data.draw(st.integers(1, 80))  # far smaller than in earnest, so that edges are met
    with pytest.MonkeyPatch.context() as patch, BigWig(path) as track:
        patch.setattr(bigwig, "_BLOCK", block)
        for stat in ("mean", "sum"):
            for missing in ("zero", "nan"):
                found = track.binned("a", start, end, bin_size=bin_size, stat=stat, missing=missing)
                expected = pool(bases, start, end, bin_size, stat, missing)
                np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-9)
        read = track.values("a", start, end)
    for at, value in zip(range(start, end), read, strict=True):
        wanted = bases[at] if 0 <= at < length else nan
        assert value == wanted or (math.isnan(value) and math.isnan(wanted))


def test_blocks_do_not_show(tmp_path: Path) -> None:
    """More bases than are read at once, in bins that no block is a multiple of."""
    random = np.random.default_rng(1)
    length = 3 * bigwig._BLOCK + 12_345
    values = random.random(length // 100 + 1).astype(np.float32)
    path = write_bigwig(tmp_path / "a.bw", {"a": length}, [("a", 0, values)], bin_size=100)
    bases = np.repeat(values.astype(np.float64), 100)[:length]
    asked: list[int] = []

    class Counting(BigWig):
        def values(self, chrom: str, start: int, end: int) -> NDArray[np.float32]:
            asked.append(end - start)
            return super().values(chrom, start, end)

    with Counting(path) as track:
        for bin_size in (127, 100_000, 2 * bigwig._BLOCK + 1):
            edges = np.arange(0, length, bin_size)
            sums = np.add.reduceat(bases, edges)
            found = track.binned("a", 0, length, bin_size=bin_size, stat="sum")
            np.testing.assert_allclose(found, sums, rtol=1e-12)
    assert max(asked) <= bigwig._BLOCK  # memory does not grow with contig or bin
    assert len(asked) < 20


def test_a_sum_loses_no_small_values(tmp_path: Path) -> None:
    """float32 would: 2^24 + 1 is 2^24 there."""
    path = write_steps(tmp_path / "a.bw", {"a": 4000}, [("a", 0, 1, 2.0**24), ("a", 1, 4000, 1.0)])
    with BigWig(path) as track:
        assert track.binned("a", 0, 4000, bin_size=4000, stat="sum")[0] == 2.0**24 + 3999


def test_a_contig_without_data(steps_of_75: Path) -> None:
    with BigWig(steps_of_75) as track:
        assert np.isnan(track.values("Mito", 0, 300)).all()
        assert track.binned("Mito", 0, 300, bin_size=128).tolist() == [0.0, 0.0, 0.0]
        assert np.isnan(track.binned("Mito", 0, 300, bin_size=128, missing="nan")).all()


def test_a_file_without_data(tmp_path: Path) -> None:
    """pyBigWig gives an empty array then, of whatever is asked for."""
    path = write_steps(tmp_path / "a.bw", {"a": 100}, [])
    with BigWig(path) as track:
        assert track.sizes == {"a": 100}
        assert np.isnan(track.values("a", 10, 20)).all()
        assert track.binned("a", 0, 100, bin_size=50).tolist() == [0.0, 0.0]


def test_regions_beyond_the_contig(steps_of_75: Path) -> None:
    with BigWig(steps_of_75) as track:
        assert track.values("XVI", -2, 6).tolist()[5] == 5.0
        for start, end in ((-20, -10), (1000, 1010)):
            assert np.isnan(track.values("XVI", start, end)).all()
            assert track.binned("XVI", start, end, bin_size=5).tolist() == [0.0, 0.0]
            assert np.isnan(track.binned("XVI", start, end, bin_size=5, missing="nan")).all()
        assert track.values("XVI", 7, 7).shape == (0,)


def test_requests_that_make_no_sense(steps_of_75: Path) -> None:
    with BigWig(steps_of_75) as track:
        with pytest.raises(ContigError, match=r"steps\.bw: contig 'chrII'.*which calls it 'II'"):
            track.binned("chrII", 0, 10, bin_size=5)
        with pytest.raises(ContigError, match="'V' is not in this bigWig"):
            track.values("V", 0, 10)
        with pytest.raises(GeometryError, match="before"):
            track.values("II", 10, 5)
        with pytest.raises(GeometryError, match="bin size"):
            track.binned("II", 0, 10, bin_size=0)
        with pytest.raises(ValueError, match="median"):
            track.binned("II", 0, 10, bin_size=5, stat="median")  # type: ignore[arg-type]


def test_many_calls(steps_of_75: Path) -> None:
    whole = per_base(steps_of_75, "II", 4600)
    with BigWig(steps_of_75) as track:
        for start in range(0, 4500, 7):
            found = track.values("II", start, start + 100)
            np.testing.assert_array_equal(found, whole[start : start + 100].astype(np.float32))


def test_closing_and_copying(steps_of_75: Path) -> None:
    track = BigWig(steps_of_75)
    before = track.values("II", 0, 100)
    handle = track._file()
    assert track._file() is handle  # opened once
    track.close()
    track.close()
    with pytest.raises(RuntimeError, match="not open"):
        handle.values("II", 0, 100)
    np.testing.assert_array_equal(track.values("II", 0, 100), before)  # opened again
    copy = pickle.loads(pickle.dumps(track))
    track.close()
    np.testing.assert_array_equal(copy.values("II", 0, 100), before)


def _sums(track: BigWig) -> list[float]:
    return [float(track.binned("II", s, s + 75, bin_size=75)[0]) for s in range(0, 4500, 50)]


def _child(track: BigWig, expected: list[float]) -> None:
    parents = track._handle
    same = _sums(track) == expected
    # A handle of its own; the parent's stays open, since closing it would move its position.
    sys.exit(0 if same and track._handle is not parents and track._inherited is parents else 1)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_forked_workers_read_for_themselves(steps_of_75: Path) -> None:
    context = multiprocessing.get_context("fork")
    with BigWig(steps_of_75) as track:
        expected = _sums(track)
        workers = [context.Process(target=_child, args=(track, expected)) for _ in range(2)]
        for worker in workers:
            worker.start()
        for _ in range(5):
            assert _sums(track) == expected  # meanwhile
        for worker in workers:
            worker.join(timeout=60)
            assert worker.exitcode == 0


def test_spawned_workers_read_for_themselves(steps_of_75: Path) -> None:
    with BigWig(steps_of_75) as track:
        expected = track.binned("II", 0, 4600, bin_size=128).tolist()
        code = (
            "import pickle, sys; track = pickle.load(sys.stdin.buffer);"
            "print(track.binned('II', 0, 4600, bin_size=128).tolist())"
        )
        run = subprocess.run(
            [sys.executable, "-c", code], input=pickle.dumps(track), capture_output=True, check=True
        )
    assert run.stdout.decode().strip() == str(expected)


# --- Files that are no bigWigs ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not a bigWig file"),
        (b"I\t0\t5\t1.0\n", "is not a bigWig file; expected a .bw file"),
        (b"\xeb\xf2\x89\x87" + bytes(100), "is not a bigWig file"),  # bigBed
        (b"\x88\x8f\xfc\x26" + bytes(100), "is a big-endian bigWig file"),
        (b"\x26\xfc\x8f\x88", "is truncated"),
    ],
)
def test_what_is_no_bigwig(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "a.bw").write_bytes(content)
    with pytest.raises(FormatError, match=words) as caught, BigWig(tmp_path / "a.bw") as track:
        track.values("a", 0, 1)
    assert "a.bw" in str(caught.value)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"a\.bw: no such bigWig file"):
        BigWig(tmp_path / "a.bw")
    with pytest.raises(FormatError, match="is a folder"):
        BigWig(tmp_path).values("a", 0, 1)


def test_truncated_files_never_crash(tmp_path: Path) -> None:
    """pyBigWig alone crashes on some lengths, so this runs in a process of its own."""
    random = np.random.default_rng(0)
    pieces = [("a", 0, random.random(3000)), ("b", 0, random.random(2000))]
    path = write_bigwig(tmp_path / "a.bw", {"a": 96_000, "b": 64_000}, pieces, bin_size=32)
    code = """
import sys, pathlib
import numpy as np
from ft_s2a.errors import FormatError
from ft_s2a.genome.bigwig import BigWig
path = pathlib.Path(sys.argv[1])
whole = path.read_bytes()
expected = BigWig(path).values("b", 0, 64_000)
cut = path.with_name("cut.bw")
refused = 0
lengths = [*range(0, 700, 7), *range(700, len(whole), len(whole) // 200), len(whole) - 1]
for length in lengths:
    cut.write_bytes(whole[:length])
    try:
        with BigWig(cut) as track:
            np.testing.assert_array_equal(track.values("b", 0, 64_000), expected)
    except FormatError as error:
        assert "cut.bw" in str(error)
        refused += 1
print(refused, len(lengths))
"""
    run = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    refused, tried = map(int, run.stdout.split())
    # Only what is cut behind the data and their indices reads as before.
    assert refused > 0.9 * tried


def test_damaged_data_are_told(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random(3000)
    path = write_bigwig(tmp_path / "a.bw", {"a": 96_000}, [("a", 0, values)], bin_size=32)
    content = bytearray(path.read_bytes())
    start = int.from_bytes(content[16:24], "little")  # of the data
    content[start + 20 : start + 2000] = bytes(1980)
    path.write_bytes(content)
    with pytest.raises(FormatError, match="a:0-96000 cannot be read"), BigWig(path) as track:
        track.values("a", 0, 96_000)


# --- Writing ---------------------------------------------------------------------------------


NUMBERS = st.one_of(
    st.floats(-(2.0**100), 2.0**100, width=32), st.sampled_from([nan, inf, -inf, 1e300])
)
PIECES = st.lists(st.tuples(st.integers(0, 60), st.lists(NUMBERS, max_size=12)), max_size=4)


@steady
@given(st.integers(1, 40), st.lists(st.tuples(st.integers(1, 300), PIECES), min_size=1, max_size=3))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    bin_size: int,
    contigs: list[tuple[int, list[tuple[int, list[float]]]]],
) -> None:
    sizes = {f"chr{10 - index}": length for index, (length, _) in enumerate(contigs)}
    expected = {name: np.full(length, nan, dtype=np.float32) for name, length in sizes.items()}
    pieces = []
    for (name, length), (_, drawn) in zip(sizes.items(), contigs, strict=True):
        start = 0
        for gap, values in drawn:
            start += gap
            if start >= length:
                break
            pieces.append((name, start, np.array(values, dtype=np.float64)))
            for value in values:
                if abs(value) <= float(np.finfo(np.float32).max):  # finite as float32
                    expected[name][start : start + bin_size] = value
                start += bin_size
    path = tmp_path_factory.mktemp("bw") / "a.bw"
    write_bigwig(path, sizes, pieces, bin_size=bin_size)
    if all(np.isnan(bases).all() for bases in expected.values()):
        expected["chr10"][0] = 0.0  # the single base that says nothing is there
    with BigWig(path) as track:
        assert list(track.sizes.items()) == list(sizes.items())
        for name, length in sizes.items():
            np.testing.assert_array_equal(track.values(name, 0, length), expected[name])
    with pyBigWig.open(str(path)) as handle:
        for name, length in sizes.items():
            assert max((last for _, last, _ in handle.intervals(name) or ()), default=0) <= length


def test_the_last_bin_has_its_true_span(tmp_path: Path) -> None:
    path = write_bigwig(
        tmp_path / "a.bw", {"a": 300, "b": 256}, [
            ("a", 0, np.array([1.0, 2.0, 3.0])), ("b", 0, np.array([4.0, 5.0, 6.0])),
        ], bin_size=128,
    )  # fmt: skip
    with pyBigWig.open(str(path)) as handle:
        assert handle.intervals("a") == ((0, 128, 1.0), (128, 256, 2.0), (256, 300, 3.0))
        assert handle.intervals("b") == ((0, 128, 4.0), (128, 256, 5.0))  # nothing beyond


def test_gaps_are_gaps(tmp_path: Path) -> None:
    values = np.array([nan, 1.0, inf, 2.0, 2.0, -inf, nan, 3.0])
    path = write_bigwig(tmp_path / "a.bw", {"a": 75}, [("a", 0, values)], bin_size=10)
    with pyBigWig.open(str(path)) as handle:
        assert handle.intervals("a") == (
            (10, 20, 1.0), (30, 40, 2.0), (40, 50, 2.0), (70, 75, 3.0),
        )  # fmt: skip


@pytest.mark.parametrize(
    "values", [[1.0, nan, 3.0], [nan] * 3, [inf, -inf, 1e300], [], [0.25], [nan, nan, 3.0]]
)
def test_header_does_not_crash(tmp_path: Path, values: list[float]) -> None:
    """One NaN in a file makes header() crash the process, so it is asked elsewhere."""
    pieces = [("a", 0, np.array(values))]
    path = write_bigwig(tmp_path / "a.bw", {"a": 300, "b": 9}, pieces, bin_size=128)
    code = "import pyBigWig, sys; print(pyBigWig.open(sys.argv[1]).header()['nBasesCovered'])"
    run = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    covered = sum(
        end - start
        for (start, end), value in zip([(0, 128), (128, 256), (256, 300)], values, strict=False)
        if abs(value) < 1e38
    )
    assert int(run.stdout) == (covered or 1)


def test_zoom_levels_are_there(tmp_path: Path) -> None:
    """Whole-contig views would read everything without."""
    values = np.random.default_rng(0).random(100_000)
    path = write_bigwig(tmp_path / "a.bw", {"a": 3_200_000}, [("a", 0, values)], bin_size=32)
    with pyBigWig.open(str(path)) as handle:
        assert handle.header()["nLevels"] >= 3


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ([("b", 0, 2), ("a", 0, 2)], "a:0 overlaps or precedes"),
        ([("a", 20, 2), ("a", 0, 2)], "a:0 overlaps or precedes"),
        ([("a", 0, 2), ("a", 10, 2)], "a:10 overlaps or precedes"),
        ([("a", 0, 2), ("b", 0, 2), ("a", 50, 2)], "a:50 overlaps or precedes"),
        ([("a", -10, 2)], "a piece starts at a:-10; expected a start in 0-100"),
        ([("a", 100, 2)], "a piece starts at a:100"),
        ([("a", 500, 20)], "a piece starts at a:500"),
        ([("chrA", 0, 2)], "contig 'chrA' is not in the chromosome sizes, which calls it 'a'"),
        ([("c", 0, 2)], "contig 'c' is not in the chromosome sizes"),
    ],
)
def test_pieces_out_of_order(
    tmp_path: Path, pieces: list[tuple[str, int, int]], words: str
) -> None:
    made = ((chrom, start, np.ones(number)) for chrom, start, number in pieces)
    with pytest.raises(ContigError, match=words) as caught:
        write_bigwig(tmp_path / "a.bw", {"a": 100, "b": 50}, made, bin_size=10)
    assert "a.bw" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_other_input_that_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "a.bw"
    with pytest.raises(ContigError, match="no contig"):
        write_bigwig(path, {}, [], bin_size=10)
    with pytest.raises(ContigError, match="without bases"):
        write_bigwig(path, {"a": 0}, [], bin_size=10)
    with pytest.raises(GeometryError, match="bin size of 0"):
        write_bigwig(path, {"a": 9}, [], bin_size=0)
    with pytest.raises(DataError, match=r"shape \(2, 2\)"):
        write_bigwig(path, {"a": 9}, [("a", 0, np.ones((2, 2)))], bin_size=2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("after", [0, 1])
def test_a_failure_leaves_nothing(tmp_path: Path, error: type[BaseException], after: int) -> None:
    def pieces() -> Any:
        for index in range(after):
            yield "a", index * 10, np.ones(1)
        raise error

    with pytest.raises(error):
        write_bigwig(tmp_path / "a.bw", {"a": 100}, pieces(), bin_size=10)
    assert list(tmp_path.iterdir()) == []


def test_existing_files_are_refused(tmp_path: Path) -> None:
    path = write_bigwig(tmp_path / "a.bw", {"a": 10}, [("a", 0, np.ones(1))], bin_size=10)
    with pytest.raises(OutputExistsError):
        write_bigwig(path, {"a": 10}, [("a", 0, np.zeros(1))], bin_size=10)
    assert BigWig(path).values("a", 0, 1)[0] == 1.0
    write_bigwig(path, {"a": 10}, [("a", 0, np.zeros(1))], bin_size=10, overwrite=True)
    assert BigWig(path).values("a", 0, 1)[0] == 0.0


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="no folder that refuses files")
def test_a_place_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """pyBigWig crashes the process there; /proc refuses files even from root."""
    monkeypatch.setattr(os, "access", lambda path, mode: True)
    with pytest.raises(FtS2aError, match="cannot be written"):
        write_bigwig("/proc/self/a.bw", {"a": 10}, [("a", 0, np.ones(1))], bin_size=10)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_any_float_and_any_stride(tmp_path: Path, kind: type[np.floating[Any]]) -> None:
    both = np.arange(12, dtype=kind).reshape(6, 2)
    path = write_bigwig(tmp_path / "a.bw", {"a": 60}, [("a", 0, both[:, 1])], bin_size=10)
    with BigWig(path) as track:
        assert track.binned("a", 0, 60, bin_size=10).tolist() == [1, 3, 5, 7, 9, 11]


def test_numpy_numbers_as_places(tmp_path: Path) -> None:
    sizes = {"a": np.int64(55)}
    pieces = [("a", np.int64(10), np.arange(5.0))]
    path = write_bigwig(tmp_path / "a.bw", sizes, pieces, bin_size=10)  # type: ignore[arg-type]
    with BigWig(path) as track:
        assert track.binned("a", 10, 55, bin_size=10).tolist() == [0, 1, 2, 3, 4]
