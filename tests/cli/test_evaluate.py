"""``ft-s2a evaluate positions``: what it prints, writes and refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ft_s2a.cli import main
from ft_s2a.genome import write_bigwig
from ft_s2a.tracks.files import TrackFile, write_files

SIZES = {"I": 4_000, "II": 2_550}
BIN = 50


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    """Run the command in an own folder: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([str(a) for a in arguments])
        captured = capsys.readouterr()
        return ended.value.code or 0, captured.out, captured.err

    return call


@pytest.fixture
def toy(tmp_path):
    """A folder with FASTA, predictions (`out`) and observations (`obs`) of tracks a and b."""
    random = np.random.default_rng(0)
    (tmp_path / "g.fa").write_text(
        "".join(f">{c}\n{''.join(random.choice(list('ACGT'), n))}\n" for c, n in SIZES.items())
    )
    rows = []
    for name in ("a", "b"):
        pieces = [(c, 0, random.gamma(1.0, 3.0, -(-n // BIN))) for c, n in SIZES.items()]
        write_bigwig(tmp_path / "obs" / f"{name}.bw", SIZES, pieces, bin_size=BIN)
        noisy = [(c, 0, v + random.gamma(1.0, 1.0, len(v))) for c, _, v in pieces]
        path = write_bigwig(tmp_path / "out" / f"toy-net.{name}.bw", SIZES, noisy, bin_size=BIN)
        rows.append(TrackFile(path, name, grid=BIN, entry="toy/net"))
    write_files(tmp_path / "out", rows)
    (tmp_path / "tracks.tsv").write_text("name\tfile\na\tobs/a.bw\nb\tobs/b.bw\n")
    (tmp_path / "II.bed").write_text("II\t0\t2550\n")
    return tmp_path


GOOD = {
    "--predicted": "out",
    "--observed": "tracks.tsv",
    "--regions": "II.bed",
    "--block": "2",
    "--draws": "20",
    "-o": "result/eval",
}
BASELINE = {"--fasta": "g.fa", "--baseline": "kmer2", "--train": "I"}


def _arguments(changes, *more):
    options = {k: v for k, v in (GOOD | changes).items() if v is not None}
    return ["evaluate", "positions", *(p for item in options.items() for p in item), *more]


def test_table_and_files(run, toy):
    code, out, err = run(*_arguments(BASELINE))
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0].split() == [
        "model", "track", "n_bins", "r_log1p", "interval", "r", "spearman", "r2",
    ]  # fmt: skip
    assert [line.split()[:3] for line in lines[1:5]] == [
        ["toy/net", "a", "51"],
        ["toy/net", "b", "51"],
        ["kmer2", "a", "51"],
        ["kmer2", "b", "51"],
    ]
    assert lines[5:7] == ["result/eval/positions.tsv", "result/eval/positions.json"]
    assert "result/eval/scatter.png" in lines
    assert all((toy / line).is_file() for line in lines[5:])
    assert (toy / "result/eval/scatter.png").read_bytes()[:4] == b"\x89PNG"


def test_json_is_one_object(run, toy):
    code, out, _ = run(*_arguments({}, "--json"))
    assert code == 0
    document = json.loads(out)
    assert document["schema"] == "ft_s2a.evaluate.positions/1"
    assert [row["track"] for row in document["rows"]] == ["a", "b"]
    written = json.loads((toy / "result/eval/positions.json").read_text())
    assert document["rows"] == written["rows"]
    row = document["rows"][0]
    assert row["pearson_low"] < row["pearson"] < row["pearson_high"]
    assert "result/eval/positions.tsv" in document["files"]


def test_nothing_is_written_without_a_folder(run, toy):
    before = sorted(toy.rglob("*"))
    code, out, _ = run(*_arguments({"-o": None}))
    assert code == 0
    assert len(out.splitlines()) == 3
    assert sorted(toy.rglob("*")) == before


def test_regions_may_be_given_in_several_ways(run, toy):
    def bins(**changes):
        code, out, _ = run(*_arguments({"-o": None, "--tracks": "a", **changes}, "--json"))
        assert code == 0
        return json.loads(out)["rows"][0]["n_bins"]

    assert bins() == 51
    assert bins(**{"--regions": None, "--chrom": "I"}) == 80
    assert bins(**{"--regions": "I:0-1,000,II:50-120"}) == 22
    assert bins(**{"--chrom": "I"}) == 131


def test_help_has_an_example(run):
    code, out, _ = run("evaluate", "positions", "--help")
    assert code == 0
    assert "Example: ft-s2a evaluate positions" in " ".join(out.split())
    code, out, _ = run("evaluate", "--help")
    assert (code, "positions" in out) == (0, True)


def test_an_existing_output_is_kept_or_replaced(run, toy):
    assert run(*_arguments({}))[0] == 0
    kept = (toy / "result/eval/positions.json").read_text()
    code, out, err = run(*_arguments({"--seed": "2"}))
    assert (code, out) == (2, "")
    assert "result/eval: the output exists already" in err
    assert "--overwrite" in err
    assert (toy / "result/eval/positions.json").read_text() == kept
    (toy / "result/eval/old.txt").write_text("of the old evaluation")
    assert run(*_arguments({"--seed": "2"}, "--overwrite"))[0] == 0
    assert json.loads((toy / "result/eval/positions.json").read_text())["parameters"]["seed"] == 2
    assert not (toy / "result/eval/old.txt").exists()
    assert [p.name for p in (toy / "result").iterdir()] == ["eval"]


@pytest.mark.parametrize("folder", ["out", ".", "obs", "notes"])
def test_overwriting_spares_everything_but_evaluations(run, toy, folder):
    (toy / "notes").mkdir()
    (toy / "notes" / "mine.txt").write_text("dear")
    before = {p: p.read_bytes() for p in toy.rglob("*") if p.is_file()}
    code, _, err = run(*_arguments({"-o": folder, "--observed": "obs"}, "--overwrite"))
    assert code == 2
    assert "choose another output folder" in err
    assert {p: p.read_bytes() for p in toy.rglob("*") if p.is_file()} == before


def _bigwig(toy, name, sizes):
    pieces = [(c, 0, np.arange(-(-n // BIN)) + 1.0) for c, n in sizes.items()]
    for track in ("a", "b"):
        write_bigwig(toy / name / f"{track}.bw", sizes, pieces, bin_size=BIN)


def _text(toy, name, text):
    (toy / name).write_text(text)


# Name, what is prepared, options, what the message must hold.
BAD = {
    "predicted missing": (None, {"--predicted": "nowhere"}, ["nowhere", "no such"]),
    "observed missing": (None, {"--observed": "nowhere.tsv"}, ["nowhere.tsv", "no such"]),
    "bed missing": (None, {"--regions": "no.bed"}, ["no.bed", "no such"]),
    "fasta missing": (None, {"--fasta": "no.fa"}, ["no.fa", "no such FASTA file"]),
    "transform missing": (None, {"--transform": "no.tsv"}, ["no.tsv", "no such track table"]),
    "train bed missing": (None, BASELINE | {"--train": "no.bed"}, ["no.bed", "no such"]),
    "empty bed": (lambda t: _text(t, "e.bed", ""), {"--regions": "e.bed"}, ["e.bed", "no region"]),
    "comments only": (
        lambda t: _text(t, "e.bed", "# nothing\n"),
        {"--regions": "e.bed"},
        ["e.bed", "no region"],
    ),
    "bed is no bed": (
        lambda t: _text(t, "e.bed", "one\ttwo\tthree\n"),
        {"--regions": "e.bed"},
        ["e.bed", "row 1"],
    ),
    "past the contig": (
        lambda t: _text(t, "p.bed", "II\t0\t2551\n"),
        {"--regions": "p.bed"},
        ["p.bed, row 1", "II:0-2551", "2,550 bp"],
    ),
    "locus past the contig": (None, {"--regions": "II:0-9999"}, ["II:0-9999", "2,550 bp"]),
    "locus backwards": (None, {"--regions": "II:9-5"}, ["II:9-5", "START < END"]),
    "chrII for II": (
        lambda t: _text(t, "c.bed", "chrII\t0\t100\n"),
        {"--regions": "c.bed"},
        ["c.bed, row 1", "'chrII'", "calls it 'II'"],
    ),
    "chrom chrII for II": (
        None,
        {"--regions": None, "--chrom": "chrII"},
        ["'chrII'", "calls it 'II'"],
    ),
    "unknown contig": (None, {"--regions": None, "--chrom": "IIII"}, ["'IIII'", "mean 'II'"]),
    "no regions": (None, {"--regions": None}, ["--regions", "--chrom"]),
    "regions overlap": (
        lambda t: _text(t, "o.bed", "II\t0\t100\nII\t99\t200\n"),
        {"--regions": "o.bed"},
        ["II:0-100 and II:99-200 overlap"],
    ),
    "another assembly": (
        lambda t: _bigwig(t, "alien", {"I": 4_000, "II": 2_600}),
        {"--observed": "alien"},
        ["alien/a.bw", "'II' is 2,600 bp long, but 2,550 bp", "assembl"],
    ),
    "names of another assembly": (
        lambda t: _bigwig(t, "alien", {"chrI": 4_000, "chrII": 2_550}),
        {"--observed": "alien"},
        ["alien/a.bw", "'chrII'"],
    ),
    "fasta of another assembly": (
        lambda t: _text(t, "h.fa", ">I\nACGT\n>II\nACGTACGT\n"),
        {"--fasta": "h.fa"},
        ["h.fa", "'II'", "2,550 bp", "8 bp"],
    ),
    "fasta with other names": (
        lambda t: _text(t, "h.fa", ">chr1\nACGT\n>chr2\nACGTACGT\n"),
        {"--fasta": "h.fa"},
        ["h.fa", "'II'", "'chr2'"],
    ),
    "unknown column": (
        lambda t: _text(t, "t.tsv", "name\tfile\tcolour\na\tobs/a.bw\tred\n"),
        {"--observed": "t.tsv"},
        ["t.tsv", "'colour'", "'color'"],
    ),
    "duplicate names": (
        lambda t: _text(t, "t.tsv", "name\tfile\na\tobs/a.bw\na\tobs/b.bw\n"),
        {"--observed": "t.tsv"},
        ["t.tsv", "'a'"],
    ),
    "missing bigWig": (
        lambda t: _text(t, "t.tsv", "name\tfile\na\tobs/z.bw\n"),
        {"--observed": "t.tsv"},
        ["t.tsv, row 2", "obs/z.bw"],
    ),
    "no bigWig at all": (
        lambda t: _text(t, "obs/a.bw", "track type=wiggle_0\n"),
        {},
        ["obs/a.bw", "is not a bigWig"],
    ),
    "empty folder": (lambda t: (t / "void").mkdir(), {"--observed": "void"}, ["void", "no bigWig"]),
    "tracks without partner": (
        lambda t: _text(t, "t.tsv", "name\tfile\na\tobs/a.bw\nz\tobs/b.bw\n"),
        {"--observed": "t.tsv"},
        ["'b'", "'z'", "--tracks"],
    ),
    "no such track": (None, {"--tracks": "c"}, ["no track matches 'c'"]),
    "transform without the track": (
        lambda t: _text(t, "t.tsv", "name\na\n"),
        {"--transform": "t.tsv"},
        ["t.tsv", "no track 'b'"],
    ),
    "bin size unknown": (None, {"--predicted": "obs"}, ["obs", "--bin-size"]),
    "bin size 0": (None, {"--bin-size": "0"}, ["bin size", "0"]),
    "bin size no number": (None, {"--bin-size": "ten"}, ["--bin-size", "valid integer"]),
    "block 0": (None, {"--block": "0"}, ["blocks of 0 bins"]),
    "draws negative": (None, {"--draws": "-1"}, ["draws"]),
    "seed negative": (None, {"--seed": "-1"}, ["seed"]),
    "unknown baseline": (None, BASELINE | {"--baseline": "kmer9"}, ["'kmer9'", "kmer4"]),
    "baseline without genome": (None, BASELINE | {"--fasta": None}, ["--fasta"]),
    "baseline without training": (None, BASELINE | {"--train": None}, ["--train"]),
    "training without baseline": (None, {"--train": "I"}, ["--baseline"]),
    "training on the test": (
        None,
        BASELINE | {"--train": "II:2500-2550"},
        ["II:0-2550 (scored) overlaps II:2500-2550 (trained on)"],
    ),
    "validation on training": (
        None,
        BASELINE | {"--valid": "I:0-100"},
        ["I:0-100 (validated on) overlaps I:0-4000 (trained on)"],
    ),
    "training on an unknown contig": (None, BASELINE | {"--train": "chrI"}, ["calls it 'I'"]),
    "not predicted there": (
        lambda t: write_bigwig(t / "half" / "a.bw", SIZES, [("I", 0, np.ones(80))], bin_size=BIN),
        {"--predicted": "half", "--bin-size": "50", "--tracks": "a"},
        ["half/a.bw", "no predicted value"],
    ),
    "output is a file": (
        lambda t: _text(t, "taken", "text"),
        {"-o": "taken"},
        ["taken", "exists already"],
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(run, toy, case):
    prepare, changes, expected = BAD[case]
    if prepare is not None:
        prepare(toy)
    before = {p: p.read_bytes() for p in toy.rglob("*") if p.is_file()}
    code, out, err = run(*_arguments(changes))
    assert code == 2, err
    assert out == ""
    text = " ".join(err.replace("│", " ").split())
    for part in expected:
        assert part in text
    assert {p: p.read_bytes() for p in toy.rglob("*") if p.is_file()} == before
    assert not (toy / "result").exists()
    if "no number" not in case:
        # One line, after what was logged; typer explains usage errors in its own way.
        lines = err.splitlines()
        assert [line for line in lines if line.startswith("error: ")] == lines[-1:]


def test_overwriting_a_file_is_refused(run, toy):
    _text(toy, "taken", "text")
    code, _, err = run(*_arguments({"-o": "taken"}, "--overwrite"))
    assert code == 2
    assert "taken: is a file" in err
    assert (toy / "taken").read_text() == "text"


def test_windows_of_a_training_set(run, toy, tmp_path):
    """From tracks to a run to its scores, all by commands."""
    (tmp_path / "tiny.yaml").write_text(
        "model: {architecture: basenji2, input_length: 400, crop_bins: 1, stem_channels: 4,\n"
        "  tower_channels: [4, 4], dilations: [1], dilated_channels: 2, final_channels: 4}\n"
        "steps: 2\nbatch_size: 2\noptimizer: {lr: 0.01}\nvalidation: {every_steps: 2}\n"
    )
    source = ("--fasta", "g.fa", "--tracks", "tracks.tsv")
    split = ("--split", "train=I:0-2400,valid=I:2400-4000,test=II")
    geometry = ("--bin-size", "8", "--input-length", "400", "--crop-bins", "1")
    built = run("data", "from-bigwig", *source, *split, *geometry, "-o", "set.zarr")
    assert built[0] == 0
    trained = ("train", "tiny.yaml", "--data", "set.zarr", "-o", "run", "--workers", "0")
    assert run(*trained)[0] == 0
    command = ("evaluate", "windows", "run", "--data", "set.zarr", "--baseline", "kmer2")
    code, out, _ = run(*command, "--draws", "5", "-o", "windows.tsv")
    assert code == 0
    assert "windows.tsv" in out
    lines = (tmp_path / "windows.tsv").read_text().splitlines()
    header = lines[0].split("\t")
    rows = [dict(zip(header, line.split("\t"), strict=True)) for line in lines[1:]]
    assert [(row["model"], row["track"]) for row in rows] == [
        (model, track) for model in ("run", "kmer2") for track in ("a", "b", "median of 2")
    ]
    assert all(-1 <= float(row["pearson"]) <= 1 for row in rows if row["pearson"])
    code, out, _ = run(*command, "--json", "--draws", "0")
    assert json.loads(out)["schema"] == "ft_s2a.evaluate.windows/1"
    for wrong, said in (
        (("--split", "tset"), "unknown split 'tset'; expected train, valid, test"),
        (("--head", "mouse"), "no head 'mouse'"),
        (("--baseline", "kmer9"), "no baseline 'kmer9'"),
        (("-o", "windows.tsv"), "exists already"),
    ):
        code, out, err = run(*command, *wrong)
        assert code == 2, err
        assert said in err
        assert len(err.strip().splitlines()) == 1
