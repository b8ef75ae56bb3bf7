"""FASTA files of every make, against the text that was written."""

from __future__ import annotations

import gzip
import hashlib
import multiprocessing
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from Bio import bgzf
from hypothesis import given, settings
from hypothesis import strategies as st
from pyfaidx import Fasta

from ft_s2a.errors import ContigError, FormatError, FtS2aError, GeometryError, MissingFileError
from ft_s2a.genome import faidx, sequence
from ft_s2a.genome.fasta import Genome

steady = settings(deadline=None, derandomize=True)
IUPAC = "ACGTUNRYSWKMBDHVXacgtunryswkmbdhvx-.*"
CODES = {"A": 0, "C": 1, "G": 2, "T": 3, "U": 3}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FT_S2A_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def codes_of(text: str) -> list[int]:
    return [CODES.get(letter.upper(), 4) for letter in text]


def as_fasta(contigs: dict[str, str], width: int = 60, end: str = "\n") -> bytes:
    lines = []
    for name, text in contigs.items():
        lines.append(f">{name} some words")
        lines += [text[at : at + width] for at in range(0, len(text), width)]
    return (end.join(lines) + end).encode()


def plain(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def packed(path: Path, content: bytes) -> Path:
    return plain(path.with_name(path.name + ".gz"), gzip.compress(content))


def blocks(path: Path, content: bytes) -> Path:
    path = path.with_name(path.name + ".gz")
    with bgzf.BgzfWriter(str(path), "wb") as handle:
        handle.write(content)
    return path


CONTIGS = {
    "II": "".join(np.random.default_rng(0).choice(list(IUPAC[:6] + IUPAC[17:23]), size=150_000)),
    "Mito": "acgtnNRYK" * 13,
    "one": "G",
    "exact": "ACGTA" * 24,  # ends with a full line
}


@pytest.fixture(params=[plain, packed, blocks])
def fasta(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    write: Callable[[Path, bytes], Path] = request.param
    (tmp_path / "data").mkdir()
    return write(tmp_path / "data" / "genome.fa", as_fasta(CONTIGS))


def test_contigs_and_their_bases(fasta: Path) -> None:
    genome = Genome(fasta)
    assert list(genome.sizes.items()) == [(name, len(text)) for name, text in CONTIGS.items()]
    for name, text in CONTIGS.items():
        assert genome.letters(name, 0, len(text)) == text.encode()
        codes = genome.codes(name, 0, len(text))
        assert codes.dtype == np.uint8
        assert codes.tolist() == codes_of(text)


def test_any_region(fasta: Path) -> None:
    genome = Genome(fasta)
    random = np.random.default_rng(1)
    for name, text in CONTIGS.items():
        for _ in range(40):
            start = int(random.integers(-80, len(text) + 80))
            end = start + int(random.integers(0, 300))
            wanted = "".join(text[at] if 0 <= at < len(text) else "N" for at in range(start, end))
            assert genome.letters(name, start, end) == wanted.encode()
            assert genome.codes(name, start, end).tolist() == codes_of(wanted)


def test_nothing_is_written_beside_the_fasta(fasta: Path, cache: Path) -> None:
    genome = Genome(fasta)
    assert [path.name for path in fasta.parent.iterdir()] == [fasta.name]
    read, index = genome.indexed_fasta
    assert index.is_file()
    assert index.is_relative_to(cache)
    assert read == fasta or read.is_relative_to(cache)
    # What is given to other programs is a pair that fits.
    with Fasta(str(read), indexname=str(index), rebuild=False, build_index=False) as other:
        assert str(other["Mito"][3:9]) == CONTIGS["Mito"][3:9]


def test_the_index_is_built_once(fasta: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Genome(fasta)

    def never(*_: object) -> None:
        raise AssertionError("built again")

    monkeypatch.setattr(faidx, "_build", never)
    monkeypatch.setattr(faidx, "_unpack", never)
    assert Genome(fasta).sizes == first.sizes


def test_a_changed_file_is_read_anew(fasta: Path, tmp_path: Path) -> None:
    assert "II" in Genome(fasta).sizes
    other = as_fasta({"III": "ACGT" * 9, "IV": "TTTT"})
    content = {
        plain: other,
        packed: gzip.compress(other),
        blocks: blocks(tmp_path / "other.fa", other).read_bytes(),
    }
    kind = (
        plain if fasta.suffix == ".fa" else blocks if b"BC" in fasta.read_bytes()[:16] else packed
    )
    fasta.write_bytes(content[kind])
    os.utime(fasta, ns=(1, 10**18))
    assert Genome(fasta).sizes == {"III": 36, "IV": 4}
    assert Genome(fasta).codes("IV", 0, 4).tolist() == [3, 3, 3, 3]


def test_one_hot(fasta: Path) -> None:
    rows = Genome(fasta).one_hot("Mito", -1, 12)
    assert rows.shape == (13, 4)
    assert rows.dtype == np.float32
    wanted = "N" + CONTIGS["Mito"][:12]
    for row, letter in zip(rows.tolist(), wanted, strict=True):
        place = "ACGT".find(letter.upper())
        assert row == [float(index == place) for index in range(4)]


def test_codes_may_be_changed(fasta: Path) -> None:
    """A view of the file's bytes could not, and torch warns of it."""
    genome = Genome(fasta)
    for start in (0, -5):
        codes = genome.codes("II", start, 100)
        assert codes.flags.writeable
        assert codes.flags.c_contiguous
        codes[:] = 0
    assert genome.codes("II", 0, 100).tolist() == codes_of(CONTIGS["II"][:100])


def test_checksum_is_that_of_sam(fasta: Path) -> None:
    genome = Genome(fasta)
    for name, text in CONTIGS.items():
        assert genome.checksum(name) == hashlib.md5(text.upper().encode()).hexdigest()


def test_copies_and_workers(fasta: Path) -> None:
    genome = Genome(fasta)
    wanted = genome.codes("II", 70_000, 70_100).tolist()
    assert pickle.loads(pickle.dumps(genome)).codes("II", 70_000, 70_100).tolist() == wanted
    code = (
        "import pickle, sys; genome = pickle.load(sys.stdin.buffer);"
        "print(genome.codes('II', 70_000, 70_100).tolist())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], input=pickle.dumps(genome), capture_output=True, check=True
    )
    assert run.stdout.decode().strip() == str(wanted)


def _read(genome: Genome, start: int) -> None:
    for at in range(start, start + 20_000, 97):
        if genome.letters("II", at, at + 200) != CONTIGS["II"][at : at + 200].encode():
            sys.exit(1)
    sys.exit(0)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_forked_workers_do_not_share_a_position(fasta: Path) -> None:
    genome = Genome(fasta)
    assert genome.letters("one", 0, 1) == b"G"  # opened before the fork
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_read, args=(genome, at)) for at in (0, 60_000, 120_000)]
    for worker in workers:
        worker.start()
    for at in range(0, 140_000, 501):
        assert genome.letters("II", at, at + 300) == CONTIGS["II"][at : at + 300].encode()
    for worker in workers:
        worker.join(timeout=60)
        assert worker.exitcode == 0


@steady
@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z0-9_.|:]{1,8}", fullmatch=True),
        st.text(IUPAC, min_size=1, max_size=90),
        min_size=1,
        max_size=4,
    ),
    st.integers(1, 25),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.sampled_from([plain, packed, blocks]),
)
def test_any_fasta(
    tmp_path_factory: pytest.TempPathFactory,
    contigs: dict[str, str],
    width: int,
    end: str,
    last_end: bool,
    write: Callable[[Path, bytes], Path],
) -> None:
    content = as_fasta(contigs, width, end)
    if not last_end:
        content = content.rstrip(b"\r\n")
    genome = Genome(write(tmp_path_factory.mktemp("fasta") / "a.fa", content))
    assert genome.sizes == {name: len(text) for name, text in contigs.items()}
    for name, text in contigs.items():
        for start in range(-1, len(text), 7):
            assert (
                genome.letters(name, start + 1, start + 14)
                == (text + "N" * 99)[start + 1 : start + 14].encode()
            )


# --- Files that are wrong ----------------------------------------------------------------------


@pytest.mark.parametrize("write", [plain, packed, blocks])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"ACGT\nACGT\n", "start|cannot be read as FASTA"),
        (b"I\t0\t500\n", "start|cannot be read as FASTA"),
        (b">a\nACGT\n>a\nTTTT\n", "cannot be read as FASTA.*[Dd]uplicate.*unique contig names"),
        (b">a\nACGT\nAC\nACGT\n", "cannot be read as FASTA.*lines of equal length"),
        (b">a\nAC\nACGTACGTACGTACGTACGTACGTACGT\n>b\nACG\n", "cannot be read as FASTA"),
        (b">a\nAC\nACGTACGTACGTACGTACGTACGTACGT\n", "cannot be read as FASTA"),
        (b">a\nACGT\n\nACGT\n", "cannot be read as FASTA"),
        (b">\nACGT\n", "cannot be read as FASTA"),
        (b">a\nAC\xc3\x28GT\n", "cannot be read as FASTA"),
        (b">a\n>b\n", "holds no base|cannot be read as FASTA"),
    ],
)
def test_what_is_no_fasta(
    tmp_path: Path, cache: Path, content: bytes, words: str, write: Callable[[Path, bytes], Path]
) -> None:
    path = write(tmp_path / "bad.fa", content)
    for _ in range(2):  # what the first attempt leaves must not make the second one pass
        with pytest.raises(FormatError, match=words) as caught:
            Genome(path)
        assert path.name in str(caught.value)
        assert "\n" not in str(caught.value)
    assert [p.name for p in cache.rglob("*") if ".partial" in p.name] == []


def test_files_that_are_missing_or_empty(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"a\.fa: no such FASTA file"):
        Genome(tmp_path / "a.fa")
    with pytest.raises(FormatError, match="is empty"):
        Genome(plain(tmp_path / "a.fa", b""))
    with pytest.raises(FormatError, match="is a folder"):
        Genome(tmp_path)
    with pytest.raises(FormatError, match=r"does not start with '>'"):
        Genome(packed(tmp_path / "b.fa", b""))


@pytest.mark.parametrize("write", [packed, blocks])
def test_files_that_are_cut_off(tmp_path: Path, write: Callable[[Path, bytes], Path]) -> None:
    path = write(tmp_path / "a.fa", as_fasta(CONTIGS))
    whole = path.read_bytes()
    for length in (20, 100, len(whole) // 2, len(whole) - 40):
        cut = plain(tmp_path / f"{length}.fa.gz", whole[:length])
        with pytest.raises(FormatError, match=rf"{length}\.fa\.gz"):
            Genome(cut)


def test_letters_that_are_no_bases(fasta: Path, tmp_path: Path) -> None:
    genome = Genome(plain(tmp_path / "p.fa", b">p\nACGTMEEPLQ\nNN\n"))
    assert genome.codes("p", 0, 4).tolist() == [0, 1, 2, 3]
    for read in (genome.letters, genome.codes, genome.one_hot):
        with pytest.raises(FormatError, match=r"p\.fa: contig 'p' holds 'E'.*IUPAC"):
            read("p", 0, 10)


def test_contigs_that_are_not_there(fasta: Path) -> None:
    genome = Genome(fasta)
    with pytest.raises(ContigError, match="'chrII' is not in this FASTA, which calls it 'II'"):
        genome.codes("chrII", 0, 5)
    with pytest.raises(GeometryError, match="ends before it starts"):
        genome.codes("II", 5, 4)
    assert genome.codes("II", 5, 5).shape == (0,)


def test_contigs_without_bases_are_left_out(tmp_path: Path) -> None:
    genome = Genome(plain(tmp_path / "a.fa", b">a\nACGT\n>void\n>b\nAC\n"))
    assert genome.sizes == {"a": 4, "b": 2}
    assert genome.codes("b", 0, 2).tolist() == [0, 1]


@pytest.mark.parametrize("head", [b"\n\n", b"; a comment\n"])
def test_lines_before_the_first_contig(tmp_path: Path, head: bytes) -> None:
    genome = Genome(plain(tmp_path / "a.fa", head + b">a\nACGT\nAC\n"))
    assert genome.letters("a", 0, 6) == b"ACGTAC"


def test_bgzip_under_another_name(tmp_path: Path) -> None:
    """pyfaidx goes by the name; the content decides here."""
    path = blocks(tmp_path / "a.fa", as_fasta(CONTIGS)).rename(tmp_path / "a.fasta")
    assert Genome(path).letters("II", 99, 199) == CONTIGS["II"][99:199].encode()
    with pytest.raises(FormatError, match=r"is not compressed, although its name ends in \.gz"):
        Genome(plain(tmp_path / "b.fa.gz", as_fasta(CONTIGS)))


# --- Indices -----------------------------------------------------------------------------------


def beside(fasta: Path, text: str, *, later: int = 10) -> Path:
    index = fasta.with_name(fasta.name + ".fai")
    index.write_text(text)
    at = fasta.stat().st_mtime_ns + later * 10**9
    os.utime(index, ns=(at, at))
    return index


SMALL = b">a x\nACGTA\nCG\n>b\nTTTTT\nTTTTT\n"
FITTING = "a\t7\t5\t5\t6\nb\t10\t17\t5\t6\n"


def test_an_index_beside_the_fasta_is_used(tmp_path: Path) -> None:
    fasta = plain(tmp_path / "a.fa", SMALL)
    index = beside(fasta, FITTING)
    genome = Genome(fasta)
    assert genome.indexed_fasta == (fasta, index)
    assert genome.letters("a", 0, 7) == b"ACGTACG"
    assert genome.letters("b", 0, 10) == b"T" * 10


def test_an_old_index_is_not_used(tmp_path: Path, cache: Path) -> None:
    fasta = plain(tmp_path / "a.fa", SMALL)
    index = beside(fasta, FITTING, later=-10)
    assert Genome(fasta).indexed_fasta[1].is_relative_to(cache)
    assert index.read_text() == FITTING  # and not touched


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense\n",
        "a\t7\t5\t5\n",
        "a\t7\t5\t5\t6\n",  # b is missing
        "a\t7\t5\t5\t6\nc\t10\t17\t5\t6\n",
        "a\t6\t5\t5\t6\nb\t10\t17\t5\t6\n",
        "a\t7\t4\t5\t6\nb\t10\t17\t5\t6\n",
        "a\t7\t5\t5\t6\nb\t10\t16\t5\t6\n",
        "a\t7\t5\t5\t6\nb\t9\t17\t5\t6\n",
        "a\t7\t5\t5\t6\nb\t500\t17\t5\t6\n",
        "a\t7\t5\t6\t7\nb\t10\t17\t5\t6\n",
        "a\t7\t5\t5\t6\nb\t10\t99999999\t5\t6\n",
    ],
)
def test_an_index_of_another_file_is_not_used(
    tmp_path: Path, cache: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It would give wrong bases without a word."""
    fasta = plain(tmp_path / "a.fa", SMALL)
    index = beside(fasta, text)
    with caplog.at_level("WARNING", logger="ft_s2a"):
        genome = Genome(fasta)
    assert "does not fit its FASTA" in caplog.text
    assert genome.indexed_fasta[1].is_relative_to(cache)
    assert index.read_text() == text
    assert genome.letters("a", 0, 7) == b"ACGTACG"
    assert genome.letters("b", 0, 10) == b"T" * 10


def test_a_file_from_the_future(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clocks differ; an index older than its FASTA would be built at each opening."""
    fasta = plain(tmp_path / "a.fa", SMALL)
    os.utime(fasta, ns=(4 * 10**18, 4 * 10**18))
    assert Genome(fasta).sizes == {"a": 7, "b": 10}
    assert Genome(fasta).letters("a", 0, 7) == b"ACGTACG"


@pytest.mark.parametrize("write", [plain, blocks])
def test_many_processes_build_one_index(
    tmp_path: Path, cache: Path, write: Callable[[Path, bytes], Path]
) -> None:
    """As the shards of an array job do; none may read half of another's index."""
    contigs = {f"c{i}": "ACGTTGCA" * 5 for i in range(3000)}
    fasta = write(tmp_path / "a.fa", as_fasta(contigs))
    code = (
        "import sys; from ft_s2a.genome.fasta import Genome; genome = Genome(sys.argv[1]);"
        "assert len(genome.sizes) == 3000;"
        "assert genome.letters('c2999', 0, 8) == b'ACGTTGCA'"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(fasta)], stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    for process in running:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said.decode()
    kept = sorted(path.name for path in cache.rglob("*") if path.is_file())
    assert kept == sorted(
        {fasta.name + ".fai"} | ({fasta.name + ".gzi"} if write is blocks else set())
    )


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fasta = plain(tmp_path / "a.fa", SMALL)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FT_S2A_CACHE", str(tmp_path / "file"))
    with pytest.raises(FtS2aError, match=r"the cache folder cannot be written to.*FT_S2A_CACHE"):
        Genome(fasta)
    beside(fasta, FITTING)
    assert Genome(fasta).sizes == {"a": 7, "b": 10}  # which needs no cache


# --- Letters and codes -------------------------------------------------------------------------


def test_letters_are_codes() -> None:
    for byte in range(256):
        letter = chr(byte)
        code = sequence.encode(bytes([byte]))[0]
        strict = sequence.strict_codes(bytes([byte]))[0]
        assert code == CODES.get(letter.upper() if letter.isascii() else "", 4)
        assert strict == (code if letter in IUPAC else 255)
        assert sequence.foreign_letter(bytes([byte])) == (None if letter in IUPAC else letter)


@steady
@given(st.text("ACGTNacgtnRYé", max_size=50))
def test_reverse_complement(text: str) -> None:
    codes = sequence.encode(text)
    assert codes.tolist() == codes_of(text)
    turned = sequence.reverse_complement(codes)
    partner = {"A": "T", "C": "G", "G": "C", "T": "A"}
    assert sequence.decode(turned) == "".join(
        partner.get(letter.upper(), "N") for letter in reversed(text)
    )
    assert turned.flags.c_contiguous  # torch takes no reversed views
    np.testing.assert_array_equal(sequence.reverse_complement(turned), codes)
    # Complementing is turning the four columns of one-hot rows round.
    np.testing.assert_array_equal(sequence.one_hot(turned), sequence.one_hot(codes)[::-1, ::-1])


def test_batches() -> None:
    codes = np.array([[0, 1, 4], [3, 3, 2]], dtype=np.uint8)
    assert sequence.one_hot(codes).shape == (2, 3, 4)
    assert sequence.reverse_complement(codes).tolist() == [[4, 2, 3], [1, 0, 0]]
