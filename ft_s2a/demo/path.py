"""``run_demo``: data, entry, ``kipoi predict``, bigWigs, evaluation, figure, page."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ft_s2a.browser import figure, write_page
from ft_s2a.conventions.atomic import refuse_existing, write_text
from ft_s2a.conventions.cache import cache_dir
from ft_s2a.demo import sources
from ft_s2a.demo.sources import DemoData
from ft_s2a.demo.training import train_entry
from ft_s2a.entries import find_entry
from ft_s2a.errors import FtS2aError
from ft_s2a.evaluation import correlate_positions
from ft_s2a.genome import Genome, resolve_regions
from ft_s2a.zoo import write_bigwigs

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DemoResult:
    """What the demo measured and where things are."""

    table: pd.DataFrame
    places: dict[str, Path]
    runs: list[dict[str, Any]] = field(default_factory=list)


def run_demo(
    out_dir: str | Path,
    *,
    data: Literal["simulated", "yeast"] = "simulated",
    train: bool = False,
    seeds: Sequence[int] = (1,),
    workers: int | None = None,
    overwrite: bool = False,
) -> DemoResult:
    """Go the whole path once.

    Parameters
    ----------
    out_dir : str or Path
        Folder for everything.
    data : {'simulated', 'yeast'}
        A genome simulated now, or real yeast tracks (fetched by hash).
    train : bool
        Train the entry anew, one run per seed, instead of using the shipped one.
    seeds : sequence of int
        Of the runs; the best by validation is used.
    workers : int, optional
        Reading processes while training.
    overwrite : bool
        Replace an earlier demo.

    Returns
    -------
    DemoResult
    """
    out = refuse_existing(out_dir, overwrite=overwrite)
    _clear(out)
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / _MARK, "made by `ft-s2a demo`\n", overwrite=True)
    _log.info("1/6  %s", "simulating a genome" if data == "simulated" else "fetching yeast data")
    found = sources.simulated(out) if data == "simulated" else sources.yeast(out)
    runs: list[dict[str, Any]] = []
    if train:
        _log.info("2/6  training %s with seed %s", found.entry, ", ".join(map(str, seeds)))
        entry, runs = train_entry(found, out, seeds=seeds, workers=workers)
    else:
        entry = find_entry(found.entry).folder
        _log.info("2/6  using the shipped entry %s", found.entry)
    _log.info("3/6  kipoi predict")
    predictions = _kipoi_predict(found, entry, out)
    _log.info("4/6  writing bigWigs")
    genome = Genome(found.fasta)
    predicted = out / "predicted"
    write_bigwigs(predictions, entry, genome.sizes, predicted)
    _log.info("5/6  evaluating on %s, which the model never saw", "+".join(found.test))
    table = _evaluate(found, predicted, out)
    _log.info("6/6  drawing a figure and a page")
    picture = figure(
        out / "region.png",
        predicted=predicted,
        observed=found.tracks,
        locus=found.locus,
        annotation=found.annotation,
    )
    page = write_page(
        out / "page",
        predicted=predicted,
        observed=found.tracks,
        fasta=found.fasta,
        annotation=found.annotation,
        locus=found.locus,
    )
    places = {
        "bigWigs": predicted,
        "evaluation": out / "evaluation",
        "figure": picture,
        "page": page,
        "entry": entry,
    }
    return DemoResult(table, places, runs)


_MARK = "DEMO"


def _clear(out: Path) -> None:
    """Empty the folder of an earlier demo; nobody else's folder is touched."""
    if not out.exists() or not any(out.iterdir()):
        return
    if not (out / _MARK).exists():
        raise FtS2aError(
            "is no folder of an earlier demo; nothing in it is removed",
            where=out,
            remedy="name another with -o",
        )
    shutil.rmtree(out)


def _kipoi_predict(data: DemoData, entry: Path, out: Path) -> Path:
    """Run Kipoi's own command as a user would, in a process of its own."""
    regions = resolve_regions(Genome(data.fasta).sizes, loci=data.test)
    rows = "".join(f"{r.chrom}\t{r.start}\t{r.end}\n" for r in regions)
    bed = write_text(out / "test.bed", rows)
    target = out / "predictions.h5"
    arguments = {"intervals_file": str(bed.resolve()), "fasta_file": str(data.fasta.resolve())}
    command = [
        sys.executable, "-m", "kipoi", "predict", str(entry.resolve()), "--source=dir",
        f"--dataloader_args={json.dumps(arguments)}", "--batch_size=16",
        "-m", "-o", str(target.resolve()),
    ]  # fmt: skip
    # Kipoi writes a configuration into HOME; the demo leaves the user's alone.
    home = out / "kipoi_home"
    home.mkdir(exist_ok=True)
    environment = {
        **os.environ,
        "HOME": str(home.resolve()),
        "FT_S2A_CACHE": str(cache_dir().resolve()),
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0 or not target.exists():
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise FtS2aError(
            f"kipoi predict ended with {done.returncode}: {last}",
            where=entry,
            remedy="run it by hand: " + " ".join(command[1:5]) + " ...",
        )
    return target


def _evaluate(data: DemoData, predicted: Path, out: Path) -> pd.DataFrame:
    """Table of r per track: the model, a 4-mer ridge, and for simulated data the ceiling."""
    table = correlate_positions(
        predicted,
        data.tracks,
        regions=list(data.test),
        fasta=data.fasta,
        baseline="kmer4",
        train=list(data.train),
        valid=list(data.valid),
        out_dir=out / "evaluation",
    )
    log1p = table.pivot(index="track", columns="model", values="pearson_log1p")
    model = next(name for name in log1p.columns if name != "kmer4")
    rows = table[table["model"] == model].set_index("track")
    summary = rows[["n_bins", "pearson_log1p", "pearson_log1p_low", "pearson_log1p_high"]].copy()
    summary.columns = ["bins", "r", "low", "high"]
    summary["r_raw"] = rows["pearson"]
    summary["kmer4"] = log1p["kmer4"]
    if data.truth is not None:
        truth = correlate_positions(
            predicted, data.truth, regions=list(data.test), draws=0
        ).set_index("track")
        ceiling = correlate_positions(
            data.truth, data.tracks, regions=list(data.test), draws=0, bin_size=128
        ).set_index("track")
        summary["r_truth"] = truth["pearson_log1p"]
        summary["ceiling"] = ceiling["pearson_log1p"]
    return summary.reset_index()
