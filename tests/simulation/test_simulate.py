from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ft_s2a.errors import ConfigError, FtS2aError, OutputExistsError
from ft_s2a.genome import BigWig, Genome, read_bed, read_sizes
from ft_s2a.simulation import SimulatedGenome, make_recipe, read_record, simulate_genome
from ft_s2a.tracks import read_files, read_tracks

STEP = 16


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def signal(made: SimulatedGenome, track: str, *, expected: bool = False) -> dict[str, np.ndarray]:
    """Mean of each step, for each contig."""
    folder = made.expected if expected else made.folder
    with BigWig(folder / f"{track}.bw") as file:
        return {n: file.binned(n, 0, s, bin_size=STEP) for n, s in file.sizes.items()}


def at(values: dict[str, np.ndarray], contig: str, position: int) -> float:
    """Mean of 96 bp around a position."""
    middle = position // STEP
    return float(values[contig][middle - 3 : middle + 3].mean())


def test_the_same_seed_gives_the_same_bytes(simulated: SimulatedGenome, tmp_path: Path) -> None:
    recipe = read_record(simulated.recipe).recipe
    again = simulate_genome(tmp_path / "again", recipe=recipe)
    assert contents(again.folder) == contents(simulated.folder)


def test_contigs_agree_in_all_files(simulated: SimulatedGenome) -> None:
    sizes = read_sizes(simulated.sizes)
    assert sizes == {"sim1": 60_000, "sim2": 30_000}
    assert Genome(simulated.fasta).sizes == sizes
    table = read_tracks(simulated.tracks, need_files=True)
    assert table.names == (
        "ATAC.A", "ATAC.B", "CAGE.A.fwd", "CAGE.A.rev", "CAGE.B.fwd", "CAGE.B.rev"
    )  # fmt: skip
    assert table.pairs().tolist() == [0, 1, 3, 2, 5, 4]
    for track in table:
        with BigWig(track.file) as file:
            assert file.sizes == sizes
    described = read_files(simulated.expected)
    assert [entry.track for entry in described] == list(table.names)
    assert {(entry.kind, entry.grid) for entry in described} == {("predicted", STEP)}
    for interval in read_bed(simulated.genes, sizes):
        assert interval.strand in "+-"


def test_every_base_has_a_finite_value_not_below_zero(simulated: SimulatedGenome) -> None:
    for folder in (simulated.folder, simulated.expected):
        for path in sorted(folder.glob("*.bw")):
            with BigWig(path) as file:
                for name, size in file.sizes.items():
                    values = file.values(name, 0, size)
                    assert np.isfinite(values).all()
                    assert values.min() >= 0
                    assert values.max() > 5


def test_ceiling_is_the_correlation_of_the_files(simulated: SimulatedGenome) -> None:
    summary = pd.read_csv(simulated.summary, sep="\t").set_index("track")
    for track, ceiling in simulated.ceilings.items():
        pairs = []
        for folder in (simulated.expected, simulated.folder):
            with BigWig(folder / f"{track}.bw") as file:
                bases = [file.values(n, 0, s).astype(np.float64) for n, s in file.sizes.items()]
            bins = [[b[i : i + 128].mean() for i in range(0, len(b), 128)] for b in bases]
            pairs.append(np.concatenate(bins))
        assert 0.5 < ceiling <= 1
        assert ceiling == pytest.approx(stats.pearsonr(*np.log1p(pairs)).statistic, abs=1e-5)
        raw = summary.loc[track, "ceiling_raw"]
        assert raw == pytest.approx(stats.pearsonr(*pairs).statistic, abs=1e-5)


def test_accessibility_peaks_at_sites_of_the_own_cell_type(simulated: SimulatedGenome) -> None:
    truth = pd.read_csv(simulated.truth, sep="\t")
    for cell, other in (("A", "B"), ("B", "A")):
        values = signal(simulated, f"ATAC.{cell}")
        level = np.mean([v.mean() for v in values.values()])
        strong = truth[truth[f"effect.ATAC.{cell}"] > 3_000]
        silent = truth[(truth["motif"] == f"ACT-{other}") & (truth[f"effect.ATAC.{cell}"] == 0)]
        assert min(len(strong), len(silent)) > 5
        high = [at(values, r.contig, r.start) for r in strong.itertuples()]
        low = [at(values, r.contig, r.start) for r in silent.itertuples()]
        assert np.median(high) > 3 * level
        assert np.median(low) < 1.2 * level


def test_transcription_starts_at_start_sites_on_the_own_strand(simulated: SimulatedGenome) -> None:
    genes = pd.read_csv(simulated.expression, sep="\t")
    bed = {interval.name: interval for interval in read_bed(simulated.genes)}
    tracks = {s: signal(simulated, f"CAGE.A.{s}") for s in ("fwd", "rev")}
    agree = []
    for gene in genes.itertuples():
        interval = bed[gene.gene]
        assert interval.strand == gene.strand
        assert gene.tss == (interval.start if gene.strand == "+" else interval.end - 1)
        own, other = ("fwd", "rev") if gene.strand == "+" else ("rev", "fwd")
        here, there = (at(tracks[s], gene.contig, gene.tss) for s in (own, other))
        agree.append(here > there)
    assert len(agree) > 15
    assert np.mean(agree) > 0.9


def test_expected_tags_lie_under_the_peaks(simulated: SimulatedGenome) -> None:
    genes = pd.read_csv(simulated.expression, sep="\t")
    crowded = genes.groupby("contig")["tss"].diff().abs().fillna(1e9) < 1_500
    crowded |= crowded.shift(-1, fill_value=False)
    alone = genes[~crowded]
    assert len(alone) > 3
    for cell in "AB":
        for strand, suffix in (("+", "fwd"), ("-", "rev")):
            values = signal(simulated, f"CAGE.{cell}.{suffix}", expected=True)
            background = 5 * STEP / 1_000
            for gene in alone[alone["strand"] == strand].itertuples():
                middle = gene.tss // STEP
                peak = values[gene.contig][middle - 12 : middle + 13] - background
                tags = getattr(gene, "_6" if cell == "A" else "_7")
                assert peak.sum() == pytest.approx(tags, rel=0.01, abs=0.1)


def test_enhancers_and_genes_agree(simulated: SimulatedGenome) -> None:
    pairs = pd.read_csv(simulated.enhancers, sep="\t")
    truth = pd.read_csv(simulated.truth, sep="\t")
    beyond = pairs["distance"] > 6_000
    assert beyond.any()
    assert (pairs.loc[beyond, ["effect.A", "effect.B"]] == 0).all(axis=None)
    assert pairs[["effect.A", "effect.B"]].to_numpy().max() < 1
    assert (pairs["effect.A"] > 0.1).sum() > 10
    # Nearer enhancers of the same activity do more.
    active = pairs[~beyond & (pairs["activity.A"] > 0)]
    assert stats.spearmanr(active["distance"], active["effect.A"]).statistic < -0.3
    # An enhancer holds its sites.
    for enhancer in pairs.drop_duplicates("element").itertuples():
        sites = truth[truth["element"] == enhancer.element]
        assert (sites["start"].min(), sites["end"].max()) == (enhancer.start, enhancer.end)


def test_scrambling_keeps_the_signals_and_removes_their_cause(
    simulated: SimulatedGenome, scrambled: SimulatedGenome
) -> None:
    before, after = contents(simulated.folder), contents(scrambled.folder)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"genome.fa", "simulation.yaml"}
    truth = pd.read_csv(simulated.truth, sep="\t")
    recipe = read_record(scrambled.recipe).recipe
    motifs = {motif.name: motif.consensus.upper() for motif in recipe.motifs}

    def matching(made: SimulatedGenome) -> float:
        """Fraction of consensus letters found at the truth's forward sites."""
        genome = Genome(made.fasta)
        found = [
            np.mean(
                [
                    a == b
                    for a, b in zip(
                        genome.letters(r.contig, r.start, r.end).decode(),
                        motifs[r.motif],
                        strict=True,
                    )
                ]
            )
            for r in truth[truth["strand"] == "+"].itertuples()
        ]
        return float(np.mean(found))

    assert matching(simulated) > 0.85
    assert matching(scrambled) == pytest.approx(0.25, abs=0.08)


def test_scrambled_sequence_holds_the_motifs_elsewhere(scrambled: SimulatedGenome) -> None:
    recipe = read_record(scrambled.recipe).recipe
    letters = scrambled.fasta.read_text().replace("\n", "")
    strong = [m for m in recipe.motifs if m.consensus.upper() in letters]
    assert len(strong) >= 3


def test_depth_scales_the_expectation(simulated: SimulatedGenome, tmp_path: Path) -> None:
    recipe = read_record(simulated.recipe).recipe
    deep = simulate_genome(tmp_path / "deep", recipe=recipe, depth=4.0)
    for track in ("ATAC.A", "CAGE.B.rev"):
        plain, more = (signal(made, track, expected=True) for made in (simulated, deep))
        np.testing.assert_allclose(more["sim1"], 4 * plain["sim1"], rtol=1e-5)
    # The background of ATAC is what depth makes clear; CAGE is limited by its dispersion.
    assert deep.ceilings["ATAC.A"] > simulated.ceilings["ATAC.A"] + 0.02


def test_existing_output_is_kept_unless_overwritten(
    simulated: SimulatedGenome, tmp_path: Path
) -> None:
    recipe = read_record(simulated.recipe).recipe
    shutil.copytree(simulated.folder, tmp_path / "out")
    before = contents(tmp_path / "out")
    with pytest.raises(OutputExistsError, match="--overwrite"):
        simulate_genome(tmp_path / "out", recipe=recipe, seed=3)
    assert contents(tmp_path / "out") == before
    simulate_genome(tmp_path / "out", recipe=recipe, seed=recipe.seed + 1, overwrite=True)
    after = contents(tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    # Another seed gives another genome of the same form.
    assert list(before) == list(after)
    same = {name for name in before if before[name] == after[name]}
    assert same == {
        "genome.chrom.sizes", "genome.fa.fai", "motifs.meme", "tracks.tsv", "expected/files.tsv"
    }  # fmt: skip


def test_overwriting_spares_what_is_no_simulation(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputExistsError, match="no simulation to replace"):
        simulate_genome(tmp_path, overwrite=True)
    with pytest.raises(OutputExistsError, match="is a file"):
        simulate_genome(tmp_path / "thesis.txt", overwrite=True)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_nothing_is_left_when_writing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ft_s2a.simulation.write as write

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(write, "_write_bed", full)
    with pytest.raises(FtS2aError, match="No space left on device"):
        simulate_genome(tmp_path / "out", length=60_000, contigs=2)
    assert list(tmp_path.iterdir()) == []


def test_cell_types_belong_to_a_recipe_motifs(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cell types"):
        simulate_genome(tmp_path / "out", recipe=make_recipe(), cell_types=("X",))
