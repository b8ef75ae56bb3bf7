from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ft_s2a.genome import Genome
from ft_s2a.genome.sequence import encode, reverse_complement
from ft_s2a.simulation import SimulatedGenome, read_record
from ft_s2a.simulation.recipe import Background
from ft_s2a.simulation.sequence import draw_background

BASES = "ACGT"


def dinucleotides(codes: np.ndarray) -> np.ndarray:
    pairs = codes[:-1].astype(int) * 4 + codes[1:]
    return np.bincount(pairs, minlength=16).reshape(4, 4) / len(pairs)


def test_background_has_the_composition_asked_for() -> None:
    background = Background(gc=0.4, gc_sd=0.0, cpg=0.3)
    codes = draw_background(background, 400_000, np.random.default_rng(3))
    assert codes.dtype == np.uint8
    assert len(codes) == 400_000
    single = np.bincount(codes, minlength=4) / len(codes)
    np.testing.assert_allclose(single, [0.3, 0.2, 0.2, 0.3], atol=0.006)
    ratio = dinucleotides(codes) / np.outer(single, single)
    assert ratio[1, 2] == pytest.approx(0.3, abs=0.06)
    assert ratio[3, 0] < 0.9 < 1.0 < ratio[0, 0]
    # The same on both strands: XY as often as its reverse complement.
    turned = ratio[::-1, ::-1].T
    np.testing.assert_allclose(ratio, turned, atol=0.04)


def test_gc_varies_along_the_contig_more_than_by_chance() -> None:
    def spread(gc_sd: float) -> float:
        background = Background(gc_sd=gc_sd, domain=200)
        codes = draw_background(background, 500_000, np.random.default_rng(4))
        return float(((codes == 1) | (codes == 2)).reshape(-1, 10_000).mean(axis=1).std())

    assert spread(0.05) > 5 * spread(0.0)
    assert 0.02 < spread(0.05) < 0.08


def naive_score(consensus: str, codes: np.ndarray) -> float:
    """Bits by the documented meaning of the consensus' letters (strong and weak ones only)."""
    high = [0.94 if letter.isupper() else 0.7 for letter in consensus]
    return sum(
        np.log2((p if BASES[c] == letter.upper() else (1 - p) / 3) / 0.25)
        for p, c, letter in zip(high, codes, consensus, strict=True)
    )


def test_truth_positions_hold_their_motif(simulated: SimulatedGenome) -> None:
    genome = Genome(simulated.fasta)
    recipe = read_record(simulated.recipe).recipe
    motifs = {motif.name: motif for motif in recipe.motifs}
    truth = pd.read_csv(simulated.truth, sep="\t")
    assert set(truth["strand"]) == {"+", "-"}
    assert set(truth["motif"]) == set(motifs)
    for row in truth.itertuples():
        codes = genome.codes(row.contig, row.start, row.end)
        if row.strand == "-":
            codes = reverse_complement(codes)
        found = naive_score(motifs[row.motif].consensus, codes)
        assert found == pytest.approx(row.score, abs=1e-3)
        bits = found - recipe.affinity.middle * motifs[row.motif].best
        expected = 1 / (1 + np.exp(-bits / recipe.affinity.slope))
        assert row.occupancy == pytest.approx(expected, abs=1e-3)
        assert row.occupancy >= recipe.affinity.planted - 1e-6


def test_no_functional_match_lies_outside_the_truth(simulated: SimulatedGenome) -> None:
    genome = Genome(simulated.fasta)
    recipe = read_record(simulated.recipe).recipe
    truth = pd.read_csv(simulated.truth, sep="\t")
    known = set(zip(truth["contig"], truth["start"], truth["motif"], truth["strand"], strict=True))
    found = set()
    for name, size in genome.sizes.items():
        codes = genome.codes(name, 0, size)
        for motif in recipe.motifs:
            letters = encode(motif.consensus)
            high = np.array([0.94 if letter.isupper() else 0.7 for letter in motif.consensus])
            for strand, sequence in (("+", codes), ("-", reverse_complement(codes))):
                windows = np.lib.stride_tricks.sliding_window_view(sequence, motif.width)
                fits = np.where(windows == letters, high, (1 - high) / 3)
                bits = np.log2(fits / 0.25).sum(axis=1)
                middle = recipe.affinity.middle * motif.best
                occupancy = 1 / (1 + np.exp(-(bits - middle) / recipe.affinity.slope))
                for at in np.flatnonzero(occupancy > recipe.affinity.planted - 1e-9).tolist():
                    start = at if strand == "+" else size - at - motif.width
                    found.add((name, start, motif.name, strand))
    assert found == known


def test_fasta_has_sixty_letters_a_line_and_its_index(simulated: SimulatedGenome) -> None:
    lines = simulated.fasta.read_text().splitlines()
    assert lines[0] == ">sim1"
    body = [line for line in lines if not line.startswith(">")]
    assert max(map(len, body)) == 60
    assert set("".join(body)) == set(BASES)
    index = (simulated.folder / "genome.fa.fai").read_text().splitlines()
    raw = simulated.fasta.read_bytes()
    for line in index:
        name, length, offset, width, stride = line.split("\t")
        assert raw[: int(offset)].endswith(f">{name}\n".encode())
        assert (width, stride) == ("60", "61")
        last = int(offset) + (int(length) - 1) // 60 * 61 + (int(length) - 1) % 60
        assert raw[last + 1 : last + 2] == b"\n"
        assert raw[last + 2 : last + 3] in (b">", b"")
