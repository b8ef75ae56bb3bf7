"""Pages in a real browser: drawn, without errors, and without any request to the outside."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ft_s2a.browser import Server, igv, write_page
from ft_s2a.browser.manifest import read_page
from ft_s2a.errors import MissingFileError

pytestmark = pytest.mark.browser

_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Visit:
    """An open page and all that happened on it."""

    tab: Any
    url: str
    requests: list[str] = field(default_factory=list)
    ranged: list[int] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tab.on("request", lambda r: self.requests.append(r.url))
        self.tab.on("response", self._response)
        self.tab.on("requestfailed", lambda r: self.problems.append(f"failed: {r.url}"))
        self.tab.on("pageerror", lambda e: self.problems.append(f"error: {e}"))
        self.tab.on("console", self._console)

    def _response(self, response: Any) -> None:
        if "range" in response.request.headers:
            self.ranged.append(response.status)
        elif response.status >= 400:
            self.problems.append(f"{response.status}: {response.url}")

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(f"{message.type}: {message.text}")

    def outside(self) -> list[str]:
        return [r for r in self.requests if not r.startswith((self.url, "data:", "blob:"))]

    def open(self) -> Visit:
        self.tab.goto(self.url)
        self.tab.wait_for_selector("body[data-ready]", timeout=30_000)
        self.settle()
        return self

    def settle(self) -> None:
        self.tab.wait_for_load_state("networkidle")
        self.tab.wait_for_timeout(300)

    def tracks(self) -> list[str]:
        """Names of the tracks that igv.js shows, apart from ruler, ideogram and sequence."""
        found: list[str] = self.tab.evaluate(
            "browser.trackViews.map(v => v.track).filter(t => t.order >= 0).map(t => t.name)"
        )
        return found

    def ink(self, name: str) -> float:
        """Share of a track's canvas that is painted."""
        share: float = self.tab.evaluate(
            """name => {
              const view = browser.trackViews.find(v => v.track.name === name);
              const canvas = view.viewports[0].canvas;
              const context = canvas.getContext("2d");
              const data = context.getImageData(0, 0, canvas.width, canvas.height).data;
              let painted = 0;
              for (let i = 3; i < data.length; i += 4) painted += data[i] > 0;
              return 4 * painted / data.length;
            }""",
            name,
        )
        return share


@pytest.fixture(scope="module")
def engine(chromium: str) -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="browser: playwright is not installed")
    with warnings.catch_warnings():
        # playwright leaves the pipes to its driver to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        with api.sync_playwright() as playwright:
            launched = playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
            yield launched
            launched.close()


@pytest.fixture(params=["cache", "igv-notebook"])
def script(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each igv.js that can be there: the cached one and igv-notebook's."""
    monkeypatch.delenv("FT_S2A_IGV_JS", raising=False)
    if request.param == "igv-notebook":
        monkeypatch.setattr(igv, "VERSION", "none")
    try:
        found = igv.find_igv()
    except MissingFileError:
        pytest.skip("browser: there is no igv.js")
    if found.source != request.param:
        pytest.skip(f"browser: igv.js is not in the {request.param}")
    return found.version


@pytest.fixture
def visit(engine: Any) -> Iterator[Any]:
    running: list[Server] = []
    tabs: list[Any] = []

    def start(page: Path) -> Visit:
        running.append(Server(page).__enter__())
        tabs.append(engine.new_page(viewport={"width": 1200, "height": 800}))
        return Visit(tabs[-1], running[-1].url).open()

    yield start
    for tab in tabs:
        tab.close()
    for server in running:
        server.__exit__(None, None, None)


def test_page_draws_its_tracks_and_asks_nothing_outside(
    toy, tmp_path: Path, visit, script: str
) -> None:
    page = write_page(
        tmp_path / "page", predicted=toy.predicted, observed=toy.observed, fasta=toy.fasta,
        annotation=toy.genes, locus="II:500-5500",
    )  # fmt: skip
    seen = visit(page)
    assert seen.problems == []
    assert seen.outside() == []
    assert seen.tracks() == ["Genes", "CAGE", "ATAC"]
    assert seen.tab.evaluate("browser.currentLoci()") in (["II:501-5500"], "II:501-5500")
    assert script in seen.tab.inner_text("header")
    for name in ("Genes", "CAGE", "ATAC"):
        assert seen.ink(name) > 0.01, name
    # Files were read piece by piece, and both parts of a pair have one scale.
    assert len(seen.ranged) >= 4
    assert set(seen.ranged) == {206}
    scales = seen.tab.evaluate(
        "browser.trackViews.filter(v => v.track.type === 'merged')"
        ".map(v => v.track.tracks.map(t => [t.dataRange.min, t.dataRange.max]))"
    )
    assert all(below == above for below, above in scales)
    assert scales[0][0] != scales[1][0]


def test_tracks_are_hidden_and_shown_again(toy, tmp_path: Path, visit, script: str) -> None:
    page = write_page(tmp_path / "page", predicted=toy.predicted, observed=toy.observed)
    seen = visit(page)
    seen.tab.uncheck("#track-0")
    seen.settle()
    assert seen.tracks() == ["ATAC"]
    seen.tab.check("#track-0")
    seen.settle()
    assert seen.tracks() == ["CAGE", "ATAC"]
    seen.tab.evaluate("browser.removeTrackByName('ATAC')")
    assert not seen.tab.is_checked("#track-1")
    seen.tab.click("#none")
    seen.settle()
    assert seen.tracks() == []
    seen.tab.fill("#filter", "atac k562")
    assert seen.tab.locator("#chooser tbody tr:visible").count() == 1
    seen.tab.click("#all")
    seen.settle()
    assert seen.tracks() == ["ATAC"]
    assert seen.ink("ATAC") > 0.01
    assert (seen.problems, seen.outside()) == ([], [])


def test_searches_stay_inside(toy, tmp_path: Path, visit, script: str) -> None:
    page = write_page(
        tmp_path / "page", predicted=toy.predicted, fasta=toy.fasta, annotation=toy.genes,
        locus="I:0-5000",
    )  # fmt: skip
    seen = visit(page)
    seen.tab.evaluate("browser.search('XYZ2')")
    seen.settle()
    assert "II:" in str(seen.tab.evaluate("browser.currentLoci()"))
    seen.tab.evaluate("browser.search('no_such_gene').catch(() => null)")
    seen.settle()
    assert seen.outside() == []
    assert seen.problems == []


def test_page_without_sequence_and_with_symbolic_links(
    toy, tmp_path: Path, visit, script: str
) -> None:
    page = write_page(
        tmp_path / "page", predicted=toy.predicted, observed=toy.observed, link="symlink",
        quantile=0.9,
    )  # fmt: skip
    seen = visit(page)
    assert (seen.problems, seen.outside()) == ([], [])
    assert seen.tracks() == ["CAGE", "ATAC"]
    assert seen.ink("CAGE") > 0.01
    merged = "browser.trackViews.find(v => v.track.name === 'CAGE').track"
    assert seen.tab.evaluate(f"{merged}.dataRange.max") == read_page(page).tracks[0]["max"]


def test_policy_stops_what_a_missing_file_makes_igv_ask_for(
    toy, tmp_path: Path, visit, script: str
) -> None:
    page = write_page(tmp_path / "page", predicted=toy.predicted, locus="II:500-5500")
    seen = visit(page)
    (page / "data" / "predicted" / "0001.toy-net.CAGE.bw").unlink()
    seen.tab.reload()
    seen.settle()
    # igv.js looks for a list of moved files at its own site: blocked before it leaves.
    assert all(f"failed: {url}" in seen.problems for url in seen.outside())
    assert any(p.startswith("404") or "404" in p for p in seen.problems)


def test_page_opened_as_a_file_says_what_to_do(toy, tmp_path: Path, engine, script: str) -> None:
    page = write_page(tmp_path / "page", predicted=toy.predicted)
    tab = engine.new_page()
    try:
        tab.goto((page / "index.html").as_uri())
        tab.wait_for_selector("#problem:not([hidden])")
        assert "ft-s2a browse serve page" in tab.inner_text("#problem")
        assert tab.locator("#chooser tbody tr").count() == 2
    finally:
        tab.close()
