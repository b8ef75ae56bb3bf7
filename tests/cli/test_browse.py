"""`ft-s2a browse` through main(): results, and bad input in one line with exit code 2."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from ft_s2a.browser import igv
from ft_s2a.cli import main
from ft_s2a.genome import write_bigwig
from ft_s2a.tracks import TrackFile, write_files

SIZES = {"I": 4000, "II": 2000}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in, with out/, observed.tsv, toy.fa, genes.bed, and files that are wrong."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    Path("out").mkdir()
    write_bigwig("out/net.A.bw", SIZES, [("II", 0, rng.random(20))], bin_size=100)
    write_files("out", [TrackFile(Path("out/net.A.bw"), "A", entry="toy/net", version="1")])
    write_bigwig(
        "A.bw", SIZES, [(c, 0, rng.random(n // 50)) for c, n in SIZES.items()], bin_size=50
    )
    write_bigwig("chr.bw", {"chrII": 2000}, [("chrII", 0, rng.random(20))], bin_size=100)
    write_bigwig("longer.bw", {"II": 2500}, [("II", 0, rng.random(20))], bin_size=100)
    Path("observed.tsv").write_text("name\tfile\nA\tA.bw\n")
    Path("unknown_column.tsv").write_text("name\tfile\tcolour\nA\tA.bw\tred\n")
    Path("no_file.tsv").write_text("name\tfile\nA\tmissing.bw\n")
    Path("toy.fa").write_text(f">I\n{'ACGT' * 1000}\n>II\n{'ACGT' * 500}\n")
    Path("chr.fa").write_text(f">chrI\n{'ACGT' * 1000}\n>chrII\n{'ACGT' * 500}\n")
    Path("genes.bed").write_text("II\t100\t900\tABC\t0\t+\n")
    Path("empty.bed").write_text("")
    Path("chr.bed").write_text("chrII\t100\t900\tABC\t0\t+\n")
    Path("past.bed").write_text("II\t100\t9000\tABC\t0\t+\n")
    Path("text.bw").write_text("not a bigWig")
    Path("page").mkdir()
    Path("page/mine.txt").write_text("kept")
    Path("region.png").write_text("kept")
    Path("igv.js").write_text("// not igv.js\n")
    monkeypatch.setenv("FT_S2A_IGV_JS", str(tmp_path / "igv.js"))
    monkeypatch.setenv("FT_S2A_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FT_S2A_MIRROR", raising=False)
    return tmp_path


def run(line: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(shlex.split(line))
    return int(ended.value.code or 0)


def test_page_and_figure(capsys: pytest.CaptureFixture[str]) -> None:
    both = "--predicted out --observed observed.tsv --annotation genes.bed --locus II:100-1000"
    assert run(f"browse page {both} --fasta toy.fa -o look --json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown == {"schema": "ft_s2a.browse.page/1", "rows": [], "files": ["look/index.html"]}
    assert Path("look/page.json").is_file()
    assert run(f"browse page {both} --fasta toy.fa -o look --link copy --overwrite") == 0
    assert capsys.readouterr().out == "look/index.html\n"
    assert run(f"browse figure {both} --tracks A --quantile 0.9 --title T -o a.svg") == 0
    assert capsys.readouterr().out == "a.svg\n"
    assert Path("a.svg").read_text().startswith("<?xml")


def test_setup_tells_where_igv_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = igv.IgvScript(folder / "igv.min.js", igv.VERSION, "cache")
    monkeypatch.setattr(igv, "setup", lambda: script)
    assert run("browse setup --json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["files"] == [str(folder / "igv.min.js")]
    assert shown["rows"][0]["igv.js"] == igv.VERSION


@pytest.mark.parametrize("command", ["page", "serve", "figure", "setup"])
def test_help_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(f"browse {command} --help") == 0
    assert f"Example: ft-s2a browse {command}" in " ".join(capsys.readouterr().out.split())


PAIR = "--predicted out --observed observed.tsv"
BAD = {
    f"page {PAIR} -o page": "page: the output exists already",
    f"page {PAIR} -o page --overwrite": "page: the folder is no page",
    "page -o new": "give --predicted, --observed or both",
    "page --predicted nowhere -o new": "nowhere: no such",
    "page --predicted out --observed no.tsv -o new": "no.tsv: no such",
    "page --predicted out --observed no_file.tsv -o new": "no such file 'missing.bw'",
    "page --predicted out --observed unknown_column.tsv -o new": "unknown column 'colour'",
    "page --predicted text.bw -o new": "text.bw: is not a bigWig file",
    "page --observed chr.bw --fasta toy.fa -o new": "contig 'chrII'",
    "page --observed longer.bw --fasta toy.fa -o new": "longer.bw: contig 'II' is 2,500 bp long",
    f"page {PAIR} --fasta no.fa -o new": "no.fa: no such FASTA file",
    f"page {PAIR} --fasta chr.fa -o new": "chr.fa, which calls it 'chrI'",
    f"page {PAIR} --sizes genes.bed -o new": "genes.bed",
    f"page {PAIR} --annotation no.gtf -o new": "no.gtf: no such annotation",
    f"page {PAIR} --annotation empty.bed -o new": "empty.bed: holds no gene",
    f"page {PAIR} --annotation chr.bed -o new": "contig 'chrII' is not in",
    f"page {PAIR} --annotation past.bed -o new": "past the contig's end at 2,000 bp",
    f"page {PAIR} --locus II:100-2001 -o new": "past the end of 'II', which has 2,000 bp",
    f"page {PAIR} --locus chrII:1-50 -o new": "which calls it 'II'",
    f"page {PAIR} --locus III -o new": "'III' is not in",
    f"page {PAIR} --locus II:9-5 -o new": "holds no base",
    f"page {PAIR} --locus II:x -o new": "cannot read the region",
    f"page {PAIR} --tracks B -o new": "no track matches 'B'",
    f"page {PAIR} --tracks colour=red -o new": "no column 'colour'",
    f"page {PAIR} --quantile 3 -o new": "at most 1",
    f"figure {PAIR} --locus II:0-900 -o region.png": "region.png: the output exists already",
    f"figure {PAIR} --locus II:0-900 -o new.gif": "expected .png or .svg or .pdf",
    f"figure {PAIR} --locus II:0-2001 -o new.png": "past the end of 'II'",
    f"figure {PAIR} --locus chrII:0-900 -o new.png": "which calls it 'II'",
    f"figure {PAIR} --locus II --tracks B -o new.png": "no track matches 'B'",
    f"figure {PAIR} --locus II --annotation chr.bed -o new.png": "contig 'chrII' is not in",
    "figure --predicted nowhere --locus II -o new.png": "nowhere: no such",
    "figure --predicted text.bw --locus II -o new.png": "text.bw: is not a bigWig file",
    "figure --predicted out --observed chr.bw --locus II -o new.png": "no observed track",
    "serve nowhere": "nowhere: no such folder",
    "serve out": "out: holds no index.html",
}


@pytest.mark.parametrize("line", BAD)
def test_bad_input_is_one_line_and_nothing_is_written(
    line: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def files() -> dict[str, bytes]:
        cached = folder / "cache"
        return {
            str(p): p.read_bytes()
            for p in folder.rglob("*")
            if p.is_file() and not p.is_relative_to(cached)
        }

    before = files()
    assert run(f"browse {line}") == 2
    told = capsys.readouterr()
    (error,) = [row for row in told.err.splitlines() if row.startswith("error: ")]
    assert BAD[line] in error
    assert told.out == ""
    assert files() == before
    assert not list(folder.glob(".*"))


def test_igv_with_another_hash_is_an_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("FT_S2A_IGV_JS")
    cached = folder / "cache" / "igv" / igv.VERSION / "igv.min.js"
    cached.parent.mkdir(parents=True)
    cached.write_text("// changed\n")
    assert run("browse page --predicted out -o new") == 2
    assert "igv.min.js: igv.js has sha256" in capsys.readouterr().err
    assert not Path("new").exists()


def test_igv_that_is_named_but_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FT_S2A_IGV_JS", "nowhere.js")
    assert run("browse page --predicted out -o new") == 2
    assert "nowhere.js: no such file" in capsys.readouterr().err


def test_failure_while_writing_leaves_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ft_s2a.browser.page._write_assets", interrupt)
    before = sorted(folder.iterdir())
    assert run("browse page --predicted out -o new") == 130
    assert sorted(folder.iterdir()) == before
