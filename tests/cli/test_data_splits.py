"""``ft-s2a data split``: what it writes, prints and refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ft_s2a.cli import main
from ft_s2a.data import TrackDataset, parse_splits
from ft_s2a.genome.lengths import contig_lengths

Run = Callable[..., tuple[int, str, str]]
SMALL = ("--shortest", "100", "--longest", "400")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in a folder with two genomes: (exit code, stdout, stderr)."""
    random = np.random.default_rng(5)
    for name, lengths in {"man": {"1": 9000, "2": 4000, "3": 90}, "mouse": {"c1": 7000}}.items():
        contigs = []
        for chrom, length in lengths.items():
            letters = random.choice(list("ACGT"), size=length)
            letters[length // 2 : length // 2 + 150] = "N"
            contigs.append(f">{chrom}\n{''.join(letters)}\n")
        (tmp_path / f"{name}.fa").write_text("".join(contigs))
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["data", "split", *arguments])
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return call


def test_one_genome(run: Run, tmp_path: Path) -> None:
    code, out, err = run("--genome", "man.fa", "-o", "splits", *SMALL)
    assert code == 0, err
    assert out.splitlines()[-1] == "splits/man.bed"
    assert [line.split()[:2] for line in out.splitlines()[1:-1]] == [
        ["man", "train"],
        ["man", "valid"],
        ["man", "test"],
    ]
    assert "man: 3 gaps (runs of at least 100 N in the FASTA)" not in err  # 3 has 45 N
    assert "man: 2 gaps (runs of at least 100 N in the FASTA)" in err
    assert "man.fa: 1 pieces below 100 bp are left out (90 bp of 12790 without gaps)" in err
    splits = parse_splits("splits/man.bed", contig_lengths("man.fa"))
    lengths = {name: sum(map(len, kept)) for name, kept in splits.items()}
    assert sum(lengths.values()) == 9000 + 4000 - 2 * 150
    for name in ("valid", "test"):
        assert 0.08 < lengths[name] / sum(lengths.values()) <= 0.1
    text = (tmp_path / "splits" / "man.bed").read_text()
    assert text.splitlines()[0].startswith("# ft-s2a ")
    # The same again is the same file; an existing one is not replaced without being told to.
    code, _, err = run("--genome", "man.fa", "-o", "splits", *SMALL)
    assert code == 2
    assert "splits/man.bed: the output exists already" in err
    assert run("--genome", "man.fa", "-o", "splits", "--overwrite", *SMALL)[0] == 0
    assert (tmp_path / "splits" / "man.bed").read_text() == text
    assert run("--genome", "man.fa", "-o", "other", "--seed", "2", *SMALL)[0] == 0
    assert (tmp_path / "other" / "man.bed").read_text() != text


def test_homologous_genomes_in_folds(run: Run, tmp_path: Path) -> None:
    (tmp_path / "aligned.tsv").write_text(
        "genome_a\tchrom_a\tstart_a\tend_a\tgenome_b\tchrom_b\tstart_b\tend_b\n"
        "man\t1\t100\t700\tmouse\tc1\t5000\t5600\nman\t2\t3000\t3900\tmouse\tc1\t0\t1000\n"
    )
    (tmp_path / "gaps.bed").write_text("1\t4000\t5000\n")
    code, out, err = run(
        "--genome", "human=man.fa", "--genome", "mouse=mouse.fa", "--gaps", "human=gaps.bed",
        "--connected", "aligned.tsv", "--folds", "4", "-o", "s", *SMALL, "--json",
    )  # fmt: skip
    assert code == 2
    assert "aligned.tsv, row 2: genome 'man' is not named by --genome; did you mean 'hum" in err
    code, out, err = run(
        "--genome", "man=man.fa", "--genome", "mouse=mouse.fa", "--gaps", "man=gaps.bed",
        "--connected", "aligned.tsv", "--folds", "4", "--min-aligned", "600", "-o", "s",
        *SMALL, "--json",
    )  # fmt: skip
    assert code == 0, err
    found = json.loads(out)
    assert found["files"] == ["s/man.bed", "s/mouse.bed"]
    assert [row["split"] for row in found["rows"]] == [f"fold{i}" for i in range(4)] * 2
    assert sum(row["bp"] for row in found["rows"]) == 9000 + 4000 - 1000 + 7000 - 150
    assert "man: 1 gaps in gaps.bed" in err
    assert "connected components" in err
    man = parse_splits("s/man.bed", contig_lengths("man.fa"), folds="test=fold0,train=rest")
    mouse = parse_splits("s/mouse.bed", contig_lengths("mouse.fa"), folds="test=fold0,train=rest")

    def inside(splits: dict[str, list[object]], chrom: str, position: int) -> str:
        (name,) = {
            name
            for name, kept in splits.items()
            for i in kept
            if i.chrom == chrom and i.start <= position < i.end  # type: ignore[attr-defined]
        }
        return name

    for left, right in (("1", 100), ("c1", 5000)), (("2", 3000), ("c1", 0)):
        assert inside(man, *left) == inside(mouse, *right)  # type: ignore[arg-type]


def test_lengths_without_sequence_know_no_gaps(run: Run, tmp_path: Path) -> None:
    (tmp_path / "man.sizes").write_text("1\t9000\n2\t4000\n")
    code, _, err = run("--genome", "man.sizes", "-o", "s", *SMALL)
    assert code == 0, err
    assert "man: gaps are not known, since man.sizes holds no sequence (see --gaps)" in err
    (tmp_path / "gaps.bed").write_text("1\t4000\t5000\nalt\t0\t50\n")
    code, _, err = run("--genome", "man.sizes", "--gaps", "gaps.bed", "-o", "t", *SMALL)
    assert code == 0, err
    assert "gaps.bed: 1 rows on contigs that man.sizes lacks are left out" in err
    code, _, err = run("--genome", "man.fa", "--min-gap", "0", "-o", "u", *SMALL)
    assert code == 0, err
    assert "man.fa: 1 pieces below 100 bp are left out (90 bp of 13090 without gaps)" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--genome", "men.fa"], "men.fa: no such chromosome sizes file; check the path"),
        (["--genome", "a/b=man.fa"], "--genome: genome 'a/b'; expected letters"),
        (["--genome", "=man.fa"], "--genome: '=man.fa' names no genome; expected NAME=FILE"),
        (["--genome", "man="], "--genome: 'man=' names no genome; expected NAME=FILE"),
        (["--genome", "man.fa", "--genome", "man=mouse.fa"], "genome 'man' is named twice"),
        (["--genome", "h=."], "is a folder; expected a FASTA, chrom.sizes or bigWig"),
        (["--genome", "man.fa", "--gaps", "men=man.fa"], "gaps of genome 'men', which --genome"),
        (["--genome", "man.fa", "--genome", "mouse.fa", "--gaps", "g.bed"], "'g.bed' names no gen"),
        (["--genome", "man.fa", "--gaps", "g.bed"], "g.bed: no such BED file"),
        (["--genome", "man.fa", "--folds", "8", "--test", "0.2"], "--folds beside --valid or --te"),
        (["--genome", "man.fa", "--valid", "1.5"], "--valid 1.5; expected a fraction"),
        (["--genome", "man.fa", "--longest", "150"], "blocks of 100 to 150 bp cannot be made"),
        (["--genome", "man.fa", "--connected", "no.tsv"], "no.tsv: no such table of aligned inter"),
        (["--genome", "man.fa", "--shortest", "6000", "--longest", "12000"],
         "man.fa: no contig is long enough: the longest piece without a gap has 4,500 bp"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(
    run: Run, arguments: list[str], message: str, tmp_path: Path
) -> None:
    code, out, err = run(*SMALL, "-o", "s", *arguments)
    assert code == 2
    assert out == ""
    (line,) = [x for x in err.splitlines() if not x.startswith(("indexing", "man: ", "man.fa: 1"))]
    assert message in line
    assert not (tmp_path / "s").exists()


def test_a_set_of_folds_with_gaps_and_strides(
    toy: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Folds that `split` made, as the splits of a set; windows by brute force."""
    folder = tmp_path / "splits"
    bed = tmp_path / "gaps.bed"
    bed.write_text("I\t6000\t6100\n")

    def call(*arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["data", *arguments])
        captured = capsys.readouterr()
        assert not ended.value.code, captured.err
        return captured.err

    # The folds know the gap of II (50 N), not that of the file.
    call("split", "--genome", f"toy={toy.fasta}", "--folds", "4", "--min-gap", "50",
         "--shortest", "700", "--longest", "2000", "-o", str(folder))  # fmt: skip
    message = call(
        "from-bigwig", "--fasta", str(toy.fasta), "--tracks", str(toy.tracks),
        "--split", str(folder / "toy.bed"), "--folds", "test=fold2,valid=fold3,train=rest",
        "--bin-size", "16", "--input-length", "640", "--crop-bins", "4",
        "--gaps", str(bed), "--stride", "0.5", "--eval-stride", "96", "--snap", "32",
        "-o", str(tmp_path / "set.zarr"),
    )  # fmt: skip
    labels = {chrom: np.array([""] * size, dtype="U5") for chrom, size in toy.sizes.items()}
    for line in (folder / "toy.bed").read_text().splitlines()[1:]:
        chrom, start, end, fold = line.split("\t")
        split = {"fold2": "test", "fold3": "valid"}.get(fold, "train")
        labels[chrom][int(start) : int(end)] = split
    labels["I"][6000:6100] = ""
    assert set(labels["II"][4000:4050]) == {""}
    expected = []
    for chrom, size in toy.sizes.items():
        own = labels[chrom]
        edges = [0, *(np.flatnonzero(own[1:] != own[:-1]) + 1).tolist(), size]
        for start, end in pairwise(edges):
            step = 256 if own[start] == "train" else 96
            first = -(-(start + (64 if start else 0)) // 32) * 32
            if not own[start]:
                continue
            for target in range(first, end, step):
                last = target + 512 + (0 if end == size else 64)
                if last <= end or (end == size and (target == first or target - step + 512 < end)):
                    expected.append((chrom, target, target + 512, own[start]))
    found = TrackDataset(tmp_path / "set.zarr")
    rows = found.windows[["chrom", "start", "end", "split"]].itertuples(index=False, name=None)
    assert list(rows) == expected
    provenance = found.header.provenance
    assert provenance["folds"] == "test=fold2,valid=fold3,train=rest"
    assert provenance["gaps"] == "gaps.bed"
    assert "windows of 32 bins" in message
