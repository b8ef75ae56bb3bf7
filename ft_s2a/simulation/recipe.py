"""The recipe of a simulation: every number that decides about the result, validated."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ft_s2a.conventions.validation import describe
from ft_s2a.errors import ConfigError, require_file
from ft_s2a.simulation.motifs import MAX_CELL_TYPES, Motif, default_motifs

MIN_CONTIG = 20_000  # a window of 16,384 bp and the margins
RECORD_FILE = "simulation.yaml"

_CELL_TYPE = r"^[A-Za-z0-9_+-]+$"
CellType = Annotated[str, Field(pattern=_CELL_TYPE)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Background(_Frozen):
    """The sequence between the motifs: a Markov chain of order 1 in domains of varying GC.

    Parameters
    ----------
    gc, gc_sd : float
        Mean of the GC fraction, and its standard deviation between domains.
    gc_scale : int
        Distance in bp over which GC stays alike.
    domain : int
        Length in bp of a piece with one composition.
    cpg : float
        CpG, observed over expected (0.2-0.4 in vertebrates).
    """

    gc: float = Field(default=0.42, ge=0.2, le=0.8)
    gc_sd: float = Field(default=0.05, ge=0, le=0.2)
    gc_scale: int = Field(default=20_000, ge=1)
    domain: int = Field(default=1_000, ge=50)
    cpg: float = Field(default=0.35, gt=0, le=1)


class Affinity(_Frozen):
    """How a site's score becomes its occupancy: ``1 / (1 + exp(-(bits - middle) / slope))``.

    Parameters
    ----------
    middle : float
        Score of occupancy 0.5, as a fraction of the consensus' score.
    slope : float
        Bits.
    planted, chance : float
        Planted sites have at least the occupancy `planted`; matches elsewhere in the sequence that
        reach `chance` are mutated away, so that the truth table is complete.
    """

    middle: float = Field(default=0.7, gt=0, lt=1)
    slope: float = Field(default=1.5, gt=0)
    planted: float = Field(default=0.25, gt=0, lt=1)
    chance: float = Field(default=0.1, gt=0, lt=1)

    @model_validator(mode="after")
    def _ordered(self) -> Affinity:
        if self.chance > self.planted:
            raise ValueError("chance must not be above planted")
        return self


class Elements(_Frozen):
    """Where promoters and enhancers lie, and which sites they hold.

    Parameters
    ----------
    margin : int
        Bases at each contig end without elements.
    distance_min, distance_mean : int
        Bases between neighbouring elements: a minimum, and the mean (exponential above it).
    promoters : float
        Fraction of elements that are promoters (the others are enhancers).
    shared : float
        Fraction of elements that are open in every cell type; the others belong to one.
    activators_mean, activators_max : float, int
        Activator sites of an element: 1 + Poisson, at most so many.
    repressors : float
        Chance that an element holds a repressor site.
    gap_min, gap_max : int
        Bases between neighbouring sites of an element.
    inert_per_kb : float
        Inert sites per kb, placed anywhere.
    """

    margin: int = Field(default=1_000, ge=500, le=5_000)
    distance_min: int = Field(default=300, ge=1)
    distance_mean: int = Field(default=900, ge=2)
    promoters: float = Field(default=0.4, gt=0, lt=1)
    shared: float = Field(default=0.4, ge=0, le=1)
    activators_mean: float = Field(default=2.4, ge=1)
    activators_max: int = Field(default=5, ge=1, le=6)
    repressors: float = Field(default=0.3, ge=0, le=1)
    gap_min: int = Field(default=5, ge=1)
    gap_max: int = Field(default=40, ge=1, le=100)
    inert_per_kb: float = Field(default=0.5, ge=0, le=5)

    @model_validator(mode="after")
    def _ordered(self) -> Elements:
        if self.distance_mean <= self.distance_min:
            raise ValueError("distance_mean must be above distance_min")
        if self.gap_max < self.gap_min:
            raise ValueError("gap_max must not be below gap_min")
        return self


class Accessibility(_Frozen):
    """ATAC: a footprint at each activator site, times the grammar of its element.

    Parameters
    ----------
    reads : float
        Reads of a site with effect 1 and full occupancy, at depth 1.
    sd : float
        Standard deviation in bp of the footprint (a Gaussian).
    background : float
        Reads per kb outside elements.
    read_length : int
        Bases that a read covers (rounded to an odd number of steps).
    synergy, synergy_range : float
        Activators ``d`` bp apart raise each other by ``synergy * exp(-(d / range)^2)``.
    repression, repression_range : float
        A repressor ``d`` bp away takes the fraction ``repression * exp(-(d / range)^2)`` of an
        activator's effect.
    """

    reads: float = Field(default=30.0, gt=0)
    sd: float = Field(default=60.0, gt=0, le=500)
    background: float = Field(default=40.0, ge=0)
    read_length: int = Field(default=112, ge=1, le=1_000)
    synergy: float = Field(default=0.3, ge=0)
    synergy_range: float = Field(default=80.0, gt=0)
    repression: float = Field(default=0.9, ge=0, le=1)
    repression_range: float = Field(default=100.0, gt=0)


class Transcription(_Frozen):
    """CAGE: tags at the start sites, raised by the promoter's own activators and by enhancers.

    ``tags * core * (basal + own * promoter activity + sum of exp(-d / decay) * activity)``, the sum
    over enhancers at most `reach` bp from the start site (as in the activity-by-contact model of
    Fulco et al. 2019, with an exponential contact).

    Parameters
    ----------
    tags : float
        Tags of a gene whose bracket is 1 and whose core site is fully occupied, at depth 1.
    basal, own : float
        Activity of a core promoter alone, and weight of the promoter's own activators.
    decay, reach : float, int
        Distance in bp over which an enhancer's effect falls by e, and the largest distance.
    sd : float
        Standard deviation in bp of the tags around a start site.
    divergent, divergent_offset : float, int
        Fraction of tags on the other strand, and how far upstream they start.
    background : float
        Tags per kb and strand outside promoters.
    """

    tags: float = Field(default=30.0, gt=0)
    basal: float = Field(default=0.2, ge=0)
    own: float = Field(default=0.5, ge=0)
    decay: float = Field(default=2_000.0, gt=0)
    reach: int = Field(default=6_000, ge=0)
    sd: float = Field(default=30.0, gt=0, le=500)
    divergent: float = Field(default=0.1, ge=0, le=1)
    divergent_offset: int = Field(default=150, ge=0, le=1_000)
    background: float = Field(default=5.0, ge=0)


class Noise(_Frozen):
    """How counts scatter around their expectation.

    Parameters
    ----------
    depth : float
        Factor on all expected counts.
    dispersion : float
        Negative binomial per step: variance ``m + dispersion * m^2`` (0 is Poisson).
    variability, variability_scale : float
        Standard deviation (of the logarithm) of a smooth random factor that sequence does not
        explain, and the distance in bp over which it stays alike.
    """

    depth: float = Field(default=1.0, gt=0, le=1_000)
    dispersion: float = Field(default=0.2, ge=0)
    variability: float = Field(default=0.3, ge=0, le=2)
    variability_scale: float = Field(default=150.0, gt=0)


class Recipe(_Frozen):
    """All that decides about a simulated genome.

    Parameters
    ----------
    seed : int
        Every draw is a function of it.
    length, contigs : int
        Bases in all, and number of contigs (lengths 1 : 1/2 : 1/3 ...).
    cell_types : tuple of str
        One ATAC track and one pair of CAGE tracks each.
    step : int
        Bases per value of the bigWigs.
    scramble_motifs : bool
        Null control: the sequence carries another arrangement of the motifs than the one that
        made the signals, so it says nothing about them.
    motifs : tuple of Motif
        Defaults to invented ones for the cell types.
    """

    seed: int = Field(default=1, ge=0, lt=2**63)
    length: int = Field(default=2_000_000, ge=1, le=500_000_000)
    contigs: int = Field(default=3, ge=2, le=1_000)
    cell_types: tuple[CellType, ...] = ("A", "B")
    step: Literal[8, 16, 32, 64] = 16
    scramble_motifs: bool = False
    background: Background = Background()
    affinity: Affinity = Affinity()
    elements: Elements = Elements()
    accessibility: Accessibility = Accessibility()
    transcription: Transcription = Transcription()
    noise: Noise = Noise()
    motifs: tuple[Motif, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _fill_motifs(cls, given: Any) -> Any:
        if not isinstance(given, dict) or given.get("motifs"):
            return given
        cells = given.get("cell_types", ("A", "B"))
        if not isinstance(cells, (list, tuple)) or not all(_is_cell_type(name) for name in cells):
            return given  # the field's own check says what is wrong
        if len(cells) > MAX_CELL_TYPES:
            raise ValueError(f"more than {MAX_CELL_TYPES} cell types need motifs of their own")
        return {**given, "motifs": default_motifs(cells)}

    @model_validator(mode="after")
    def _fits(self) -> Recipe:
        if not self.cell_types or len(set(self.cell_types)) != len(self.cell_types):
            raise ValueError("cell_types must be one or more different names")
        if len({motif.name for motif in self.motifs}) != len(self.motifs):
            raise ValueError("motif names must be unique")
        for motif in self.motifs:
            if motif.cell_type is not None and motif.cell_type not in self.cell_types:
                raise ValueError(f"motif {motif.name} acts in {motif.cell_type}, no cell type")
        cores = [motif for motif in self.motifs if motif.role == "core"]
        if len(cores) != 1 or cores[0].cell_type is not None:
            raise ValueError("one motif of role core is needed, for all cell types")
        if not any(m.role == "activator" and m.cell_type is None for m in self.motifs):
            raise ValueError("an activator for all cell types is needed")
        shortest = self.sizes[-1]
        if shortest < MIN_CONTIG:
            raise ValueError(
                f"{self.length:,} bp in {self.contigs} contigs make the shortest {shortest:,} bp; "
                f"expected at least {MIN_CONTIG:,} bp (one window of 16,384 bp): "
                "choose a larger length or fewer contigs"
            )
        return self

    @property
    def sizes(self) -> tuple[int, ...]:
        """Contig lengths in bp, falling, as chromosomes do."""
        weights = [1 / (i + 1) for i in range(self.contigs)]
        lengths = [int(self.length * weight / sum(weights)) for weight in weights]
        lengths[0] += self.length - sum(lengths)
        return tuple(lengths)

    @property
    def contig_names(self) -> tuple[str, ...]:
        """``sim1``, ``sim2``, ..."""
        return tuple(f"sim{i + 1}" for i in range(self.contigs))

    def occupancy_limits(self, motif: Motif) -> tuple[float, float]:
        """Smallest score of planted sites, and of matches that are mutated away, in bits."""
        middle = self.affinity.middle * motif.best
        low, high = (math.log(o / (1 - o)) for o in (self.affinity.chance, self.affinity.planted))
        return middle + self.affinity.slope * high, middle + self.affinity.slope * low


class SimulationRecord(_Frozen):
    """``simulation.yaml``: a recipe and the versions that ran it."""

    schema_version: Literal[1] = 1
    recipe: Recipe
    versions: dict[str, str] = {}

    def to_yaml(self) -> str:
        """The record as YAML."""
        document = self.model_dump(mode="json")
        text: str = yaml.safe_dump(document, sort_keys=False, width=100)
        return text


def make_recipe(base: Recipe | None = None, **changes: Any) -> Recipe:
    """Make a recipe, or change one; None keeps what is there.

    Raises
    ------
    ConfigError
        Naming the first field that is wrong.

    Examples
    --------
    >>> make_recipe(length=300_000, contigs=2).sizes
    (200000, 100000)
    """
    given = {name: value for name, value in changes.items() if value is not None}
    kept = {} if base is None else base.model_dump()
    try:
        return Recipe.model_validate({**kept, **given})
    except ValidationError as error:
        raise ConfigError(describe(error), where="simulation recipe") from error


def read_record(path: str | Path) -> SimulationRecord:
    """Read a ``simulation.yaml`` (as each simulation writes it; `versions` may be left out)."""
    found = require_file(path, "simulation recipe")
    try:
        document = yaml.safe_load(found.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, IsADirectoryError) as error:
        line = " ".join(str(error).split())
        raise ConfigError(f"cannot be read as YAML ({line})", where=found) from error
    try:
        return SimulationRecord.model_validate(document)
    except ValidationError as error:
        raise ConfigError(
            describe(error), where=found, expected=f"a {RECORD_FILE} as simulations write it"
        ) from error


def _is_cell_type(name: object) -> bool:
    return isinstance(name, str) and re.match(_CELL_TYPE, name) is not None
