"""Simulate a genome whose tracks follow from planted motifs, and write it with its truth."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ft_s2a.conventions.atomic import atomic_path, refuse_existing
from ft_s2a.conventions.progress import track
from ft_s2a.errors import ConfigError, FtS2aError, OutputExistsError
from ft_s2a.simulation.contig import simulate_contig
from ft_s2a.simulation.recipe import RECORD_FILE, Recipe, make_recipe
from ft_s2a.simulation.write import NAMES, read_ceilings, write_simulation

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SimulatedGenome:
    """Where the files of a simulated genome are.

    Parameters
    ----------
    folder : Path
        The folder; the other paths lie in it.
    fasta, sizes : Path
        Sequence (with its ``.fai``), and contig lengths.
    tracks : Path
        Track table of the bigWigs, ready for training.
    expected : Path
        Folder of the noise-free bigWigs with their ``files.tsv``.
    truth, genes, expression, enhancers : Path
        Planted sites with their effects; genes as BED; their expected tags; enhancer-gene pairs.
    motifs, recipe, summary : Path
        Matrices (MEME), recipe with seed and versions, and a row per track with its ceiling.
    ceilings : dict of str to float
        Track -> Pearson correlation of expectation and observation in 128-bp bins, ln(1 + x): the
        best that a model of the sequence can reach.
    """

    folder: Path
    fasta: Path
    sizes: Path
    tracks: Path
    expected: Path
    truth: Path
    genes: Path
    expression: Path
    enhancers: Path
    motifs: Path
    recipe: Path
    summary: Path
    ceilings: dict[str, float]

    @property
    def files(self) -> tuple[Path, ...]:
        """The files for people and programs, without the single bigWigs."""
        return (
            self.fasta, self.sizes, self.tracks, self.expected / "files.tsv", self.truth,
            self.genes, self.expression, self.enhancers, self.motifs, self.summary, self.recipe,
        )  # fmt: skip


def simulate_genome(
    out_dir: str | Path,
    *,
    length: int | None = None,
    contigs: int | None = None,
    seed: int | None = None,
    cell_types: Sequence[str] | None = None,
    depth: float | None = None,
    scramble_motifs: bool | None = None,
    recipe: Recipe | None = None,
    overwrite: bool = False,
) -> SimulatedGenome:
    """Simulate a small genome with planted motifs, tracks made from them, and the truth.

    Sites of an element open chromatin around them (activators for all cell types and for one
    each, raised by activators and lowered by repressors close by); core promoters start
    transcription in their direction, raised by enhancers some kb away.  Everything is determined
    by the recipe: the same recipe gives the same files.

    Parameters
    ----------
    out_dir : str or Path
        Folder to write; it appears when everything is there.
    length, contigs, seed, cell_types, depth, scramble_motifs
        Change these numbers of the recipe (see :class:`ft_s2a.simulation.Recipe`); by default
        2,000,000 bp, 3 contigs, seed 1, cell types A and B, depth 1, not scrambled.
    recipe : Recipe, optional
        All other numbers.
    overwrite : bool
        Replace a simulation that is there.

    Returns
    -------
    SimulatedGenome
        Paths of the files, and the noise ceiling of each track.

    Raises
    ------
    ConfigError
        When a number of the recipe is wrong, such as a length too short for the contigs.
    OutputExistsError
        When the folder holds something.

    Examples
    --------
    >>> import tempfile
    >>> made = simulate_genome(tempfile.mkdtemp(), length=60_000, contigs=2, seed=7)
    >>> sorted(made.ceilings)[:2]
    ['ATAC.A', 'ATAC.B']
    >>> made.truth.read_text().split()[:6]
    ['contig', 'start', 'end', 'motif', 'score', 'strand']
    """
    if recipe is not None and cell_types is not None:
        raise ConfigError(
            "cell types cannot be changed in a recipe, whose motifs belong to them",
            remedy="change cell_types and motifs in the recipe itself",
        )
    changed = make_recipe(
        recipe,
        length=length,
        contigs=contigs,
        seed=seed,
        cell_types=None if cell_types is None else tuple(cell_types),
        scramble_motifs=scramble_motifs,
    )
    if depth is not None:
        changed = make_recipe(changed, noise={**changed.noise.model_dump(), "depth": depth})
    target = _check_output(Path(out_dir), overwrite=overwrite)
    try:
        with atomic_path(target, overwrite=overwrite) as temporary:
            temporary.mkdir()
            numbered = range(changed.contigs)
            made = [simulate_contig(changed, i) for i in track(numbered, "contigs")]
            write_simulation(temporary, changed, made)
    except OSError as error:
        raise FtS2aError(f"cannot be written ({error.strerror or error})", where=target) from error
    _log.debug("simulated %s", target)
    return found_in(Path(out_dir))


def found_in(folder: Path) -> SimulatedGenome:
    """The files of a simulation in `folder`."""
    paths = {field: folder / name for field, name in NAMES.items()}
    return SimulatedGenome(folder=folder, ceilings=read_ceilings(paths["summary"]), **paths)


def _check_output(out_dir: Path, *, overwrite: bool) -> Path:
    target = out_dir.resolve()
    if target.exists() and not target.is_dir():
        raise OutputExistsError(
            "is a file", where=out_dir, expected="a folder to write", remedy="choose another name"
        )
    refuse_existing(out_dir, overwrite=overwrite)
    # Replacing removes the whole folder: only do so to what an earlier simulation has written.
    if target.is_dir() and any(target.iterdir()) and not (target / RECORD_FILE).exists():
        raise OutputExistsError(
            f"holds files but no {RECORD_FILE}, so it is no simulation to replace",
            where=out_dir,
            remedy="choose another name, or empty the folder",
        )
    return target
