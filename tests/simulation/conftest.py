from __future__ import annotations

import pytest

from ft_s2a.simulation import SimulatedGenome, simulate_genome

LENGTH, CONTIGS, SEED = 90_000, 2, 11


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> SimulatedGenome:
    """A tiny simulated genome."""
    return simulate_genome(
        tmp_path_factory.mktemp("simulated") / "out", length=LENGTH, contigs=CONTIGS, seed=SEED
    )


@pytest.fixture(scope="session")
def scrambled(tmp_path_factory: pytest.TempPathFactory) -> SimulatedGenome:
    """The null control of the same genome."""
    return simulate_genome(
        tmp_path_factory.mktemp("scrambled") / "out",
        length=LENGTH,
        contigs=CONTIGS,
        seed=SEED,
        scramble_motifs=True,
    )
