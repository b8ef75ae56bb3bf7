from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ft_s2a.browser import write_page
from ft_s2a.browser.manifest import read_page
from ft_s2a.errors import ContigError, FormatError, FtS2aError, MissingFileError, OutputExistsError
from ft_s2a.tracks import TrackFile, read_files, write_files

pytestmark = pytest.mark.usefixtures("fake_igv")


@pytest.fixture
def page(toy, tmp_path: Path) -> Path:
    return write_page(
        tmp_path / "page",
        predicted=toy.predicted,
        observed=toy.observed,
        fasta=toy.fasta,
        annotation=toy.genes,
        locus="II:1000-3000",
    )


def urls_in(value: Any) -> list[str]:
    """Every address in a configuration."""
    if isinstance(value, dict):
        own = [v for k, v in value.items() if k.lower().endswith("url") and isinstance(v, str)]
        return own + [u for v in value.values() for u in urls_in(v)]
    if isinstance(value, list):
        return [u for v in value for u in urls_in(v)]
    return []


def test_all_that_is_referred_to_lies_in_the_folder(page: Path) -> None:
    html = (page / "index.html").read_text()
    config = json.loads((page / "page.json").read_text())
    local = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert {"igv.min.js", "page.js", "page.css"} <= set(local)
    for address in local + urls_in(config):
        if address == "data:,":  # the empty icon
            continue
        assert (page / address.partition("?")[0]).is_file(), address
    assert len(urls_in(config)) == 8  # FASTA, index, search, genes, four bigWigs
    assert json.loads((page / "lookup.json").read_text()) == []


def test_nothing_refers_to_the_outside(page: Path) -> None:
    for name in ("index.html", "page.js", "page.css", "page.json", "lookup.json"):
        assert not re.search(r"(https?:)?//[a-z0-9]", (page / name).read_text()), name
    html = (page / "index.html").read_text()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', html)
    assert policy is not None
    assert "connect-src 'self' data: blob:;" in policy[1].replace("&#39;", "'")
    assert "default-src 'none'" in policy[1].replace("&#39;", "'")
    # Scripts are files of the folder, so that the policy can forbid every other.
    assert "<script>" not in html
    assert " on" not in "".join(re.findall(r"<(?:body|div|input|button)[^>]*>", html))


def test_configuration_shows_predicted_over_observed(page: Path) -> None:
    shown = read_page(page)
    assert (shown.entry, shown.igv_version) == ("toy/net, version 2", "unknown")
    assert shown.igv["loadDefaultGenomes"] is False
    assert shown.igv["locus"] == "II:1001-3000"  # 1-based, closed
    assert shown.igv["reference"] == {
        "id": "toy",
        "name": "toy",
        "fastaURL": "data/genome/toy.fa",
        "indexURL": "data/genome/toy.fa.fai",
    }
    cage = shown.tracks[0]
    assert (cage["type"], cage["name"], cage["alpha"]) == ("merged", "CAGE", 0.6)
    below, above = cage["tracks"]
    assert (below["name"], above["name"]) == ("CAGE (observed)", "CAGE (predicted)")
    assert below["color"] == "rgb(140,140,140)"
    assert above["color"] == "rgb(170,51,119)"
    assert "max" not in cage
    assert shown.shown == (True, True)
    assert (page / "data" / "genome" / "toy.fa.fai").read_text().startswith("I\t20000\t")


def test_genes_become_bed12_of_known_contigs(page: Path) -> None:
    assert (page / "data" / "genes.bed").read_text().splitlines() == [
        "II\t1000\t2500\tABC1\t0\t+\t1000\t2500\t0\t1\t1500\t0",
        "II\t3000\t3001\tXYZ2\t0\t-\t3000\t3001\t0\t1\t1\t0",
    ]


def test_quantile_fixes_one_range_for_both(toy, tmp_path: Path) -> None:
    page = write_page(
        tmp_path / "page", predicted=toy.predicted, observed=toy.observed, quantile=0.9
    )
    cage = read_page(page).tracks[0]
    ranges = {(t["autoscale"], t["min"], t["max"]) for t in (cage, *cage["tracks"])}
    assert len(ranges) == 1
    assert next(iter(ranges))[:2] == (False, 0.0)


def test_without_fasta_the_lengths_do(toy, tmp_path: Path) -> None:
    page = write_page(tmp_path / "page", predicted=toy.predicted)
    shown = read_page(page)
    assert shown.igv["reference"]["format"] == "chromsizes"
    sizes = page / shown.igv["reference"]["fastaURL"]
    assert sizes.read_text() == "I\t20000\nII\t6000\n"
    # The first view is where the predictions begin, and one side alone is not merged.
    assert shown.igv["locus"] == "II:1-6000"
    assert [t["type"] for t in shown.tracks] == ["wig", "wig"]
    assert shown.tracks[0]["color"] == "rgb(170,51,119)"
    given = tmp_path / "toy.chrom.sizes"
    given.write_text("II\t6000\nI\t20000\n")
    other = write_page(tmp_path / "page2", predicted=toy.predicted, sizes=given)
    assert (other / "data" / "contigs.chrom.sizes").read_text() == "II\t6000\nI\t20000\n"


def test_links_copies_and_symbolic_links(toy, tmp_path: Path) -> None:
    source = toy.observed / "CAGE.bw"
    for way in ("auto", "copy", "symlink"):
        page = write_page(tmp_path / way, predicted=toy.predicted, observed=toy.observed, link=way)
        placed = page / "data" / "observed" / "0001.CAGE.bw"
        assert placed.read_bytes() == source.read_bytes()
        assert placed.samefile(source) == (way != "copy")
        assert placed.is_symlink() == (way == "symlink")
        linked = read_page(page).linked
        assert ("data/observed/0001.CAGE.bw" in linked) == (way == "symlink")


def test_hard_links_that_fail_become_copies(
    toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    page = write_page(tmp_path / "page", predicted=toy.predicted)
    placed = page / "data" / "predicted" / "0001.toy-net.CAGE.bw"
    source = toy.predicted / "toy-net.CAGE.bw"
    assert placed.read_bytes() == source.read_bytes()
    assert not placed.samefile(source)


def test_odd_names_are_harmless(toy, tmp_path: Path) -> None:
    file = tmp_path / "ö <b>& 'q'.bw"
    file.write_bytes((toy.predicted / "toy-net.CAGE.bw").read_bytes())
    name = '<script>alert(1)</script>"&'
    (tmp_path / "odd").mkdir()
    write_files(tmp_path / "odd", [TrackFile(file, name, cell_type="<i>")])
    page = write_page(tmp_path / "page", predicted=tmp_path / "odd", title="<u>title</u>")
    html = (page / "index.html").read_text()
    assert "<script>alert" not in html
    assert "<u>" not in html
    assert "&lt;script&gt;alert(1)" in html
    (config,) = read_page(page).tracks
    assert config["name"] == name
    assert re.fullmatch(r"data/predicted/0001\.[A-Za-z0-9._-]+", config["url"])
    assert (page / config["url"]).is_file()


def test_many_tracks_are_not_all_shown_at_first(toy, tmp_path: Path) -> None:
    file = read_files(toy.predicted)[0]
    (tmp_path / "many").mkdir()
    many = [TrackFile(file.file, f"t{i}") for i in range(20)]
    write_files(tmp_path / "many", many)
    page = write_page(tmp_path / "page", predicted=tmp_path / "many")
    assert sum(read_page(page).shown) == 16
    html = (page / "index.html").read_text()
    assert (html.count('type="checkbox"'), html.count(" checked")) == (20, 16)


def test_existing_output_is_refused_and_replaced_on_request(page: Path, toy) -> None:
    before = sorted(p.name for p in page.parent.iterdir())
    with pytest.raises(OutputExistsError, match="--overwrite"):
        write_page(page, predicted=toy.predicted)
    (page / "data" / "genes.bed").write_text("old")
    write_page(page, predicted=toy.predicted, overwrite=True)
    assert not (page / "data" / "genes.bed").exists()
    assert sorted(p.name for p in page.parent.iterdir()) == before


def test_only_a_page_is_ever_overwritten(toy, tmp_path: Path) -> None:
    with pytest.raises(OutputExistsError, match="no page"):
        write_page(toy.observed, predicted=toy.predicted, overwrite=True)
    assert (toy.observed / "CAGE.bw").is_file()
    with pytest.raises(OutputExistsError, match="is a file"):
        write_page(toy.fasta, predicted=toy.predicted, overwrite=True)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"predicted": "nowhere"}, MissingFileError, "nowhere"),
        ({"fasta": "no.fa"}, MissingFileError, "no.fa: no such FASTA"),
        ({"annotation": "no.gtf"}, MissingFileError, "no.gtf"),
        ({"locus": "chrII:1-50"}, ContigError, "'chrII' is not in toy.fa, which calls it 'II'"),
        ({"locus": "II:5000-6001"}, ContigError, "past the end of 'II', which has 6,000 bp"),
        ({"locus": "II:50"}, FtS2aError, "cannot read the region"),
        ({"tracks": "RNA"}, FtS2aError, "no track matches 'RNA'"),
        ({"quantile": 2.0}, FtS2aError, "at most 1"),
        ({"link": "soft"}, FtS2aError, "auto or copy or symlink"),
    ],
)
def test_bad_input_leaves_nothing(
    toy, tmp_path: Path, change: dict[str, Any], error: type[FtS2aError], message: str
) -> None:
    given: dict[str, Any] = {
        "predicted": toy.predicted, "observed": toy.observed, "fasta": toy.fasta,
    }  # fmt: skip
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(error, match=message):
        write_page(tmp_path / "new" / "page", **(given | change))
    assert [p for p in sorted(tmp_path.rglob("*")) if p not in before] in ([], [tmp_path / "new"])


def test_other_assembly_is_refused(toy, tmp_path: Path) -> None:
    toy.fasta.write_text(">chrI\nACGT\n>chrII\nACGT\n")
    with pytest.raises(ContigError, match="which calls it"):
        write_page(tmp_path / "page", predicted=toy.predicted, fasta=toy.fasta)
    toy.fasta.write_text(">I\nACGT\n>II\nACGT\n")
    with pytest.raises(ContigError, match=r"20,000 bp long, but 4 bp in toy\.fa"):
        write_page(tmp_path / "page", predicted=toy.predicted, fasta=toy.fasta)
    toy.fasta.write_text("no FASTA")
    with pytest.raises(FormatError):
        write_page(tmp_path / "page", predicted=toy.predicted, fasta=toy.fasta)


def test_same_input_gives_the_same_page(page: Path, toy, tmp_path: Path) -> None:
    again = write_page(
        tmp_path / "again" / "page", predicted=toy.predicted, observed=toy.observed,
        fasta=toy.fasta, annotation=toy.genes, locus="II:1000-3000",
    )  # fmt: skip
    for file in page.rglob("*"):
        if file.is_file():
            assert (again / file.relative_to(page)).read_bytes() == file.read_bytes()


def test_browser_needs_neither_torch_nor_kipoi() -> None:
    code = (
        "import sys; from ft_s2a.browser import write_page, figure, Server; "
        "assert not {'torch', 'kipoi', 'matplotlib.pyplot'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
