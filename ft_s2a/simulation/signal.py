"""From activity to tracks: the noise-free expectation, and counts that scatter around it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ft_s2a.conventions.randomness import generator
from ft_s2a.simulation.draws import Purpose
from ft_s2a.simulation.grammar import Activity, Floats
from ft_s2a.simulation.layout import Layout
from ft_s2a.simulation.recipe import Recipe
from ft_s2a.tracks.table import Track, TrackTable

_FOOTPRINTS = 4.0  # standard deviations after which a profile is cut
# ATAC, CAGE forward and CAGE reverse of each cell type.
_COLORS = (
    ("#3b6fb6", "#c8502b", "#8f2f12"),
    ("#2c9a86", "#8a4fb0", "#5a2a80"),
    ("#b8860b", "#3f8f3f", "#245424"),
    ("#7a7a7a", "#c23b75", "#7d1f49"),
)


def track_table(recipe: Recipe) -> TrackTable:
    """The tracks of a simulation: ATAC of each cell type, then CAGE of both strands of each."""
    atac, cage = [], []
    for i, cell in enumerate(recipe.cell_types):
        color, forward, reverse = _COLORS[i % len(_COLORS)]
        name = f"ATAC.{cell}"
        atac.append(
            Track(
                name,
                f"{name}.bw",
                assay="ATAC",
                cell_type=cell,
                description=f"simulated accessibility of cell type {cell}",
                units="reads per base",
                color=color,
                scale=float("nan"),
                squash="sqrt",
            )
        )
        for strand, other, shade in (("fwd", "rev", forward), ("rev", "fwd", reverse)):
            name = f"CAGE.{cell}.{strand}"
            cage.append(
                Track(
                    name,
                    f"{name}.bw",
                    assay="CAGE",
                    cell_type=cell,
                    description=f"simulated transcription starts of cell type {cell}, {strand}",
                    units=f"tag starts per {recipe.step} bp",
                    color=shade,
                    scale=float("nan"),
                    squash="sqrt",
                    strand_pair=f"CAGE.{cell}.{other}",
                )
            )
    return TrackTable((*atac, *cage))


def covered_steps(recipe: Recipe) -> int:
    """Steps that an ATAC read covers: odd, so that coverage stays centred."""
    return 2 * round((recipe.accessibility.read_length / recipe.step - 1) / 2) + 1


def expected_counts(recipe: Recipe, length: int, layout: Layout, activity: Activity) -> Floats:
    """Expected read and tag positions per step, at the recipe's depth, float64 [tracks, steps]."""
    steps = -(-length // recipe.step)
    cells = len(recipe.cell_types)
    widths = np.array([motif.width for motif in recipe.motifs])
    opening, start = recipe.accessibility, recipe.transcription
    result = np.empty((3 * cells, steps))

    result[:cells] = opening.background * recipe.step / 1_000
    middle = layout.site_start + widths[layout.site_motif] / 2
    _deposit(result[:cells], middle, opening.reads * activity.opening, opening.sd, recipe.step)

    result[cells:] = start.background * recipe.step / 1_000
    genes = layout.promoters
    for strand in (1, -1):
        here = genes[layout.strand[genes] == strand]
        tss = layout.anchor[here] + 0.5
        tags = activity.expression[here]
        upstream = tss - strand * start.divergent_offset
        same, other = (0, 1) if strand > 0 else (1, 0)
        _deposit(result[cells + same :: 2], tss, tags, start.sd, recipe.step)
        _deposit(
            result[cells + other :: 2], upstream, start.divergent * tags, start.sd, recipe.step
        )
    return recipe.noise.depth * result


def _deposit(rows: Floats, position: Floats, amount: Floats, sd: float, step: int) -> None:
    """Add Gaussian profiles to rows [R, steps]: amounts [n, R] at positions [n] in bp."""
    steps = rows.shape[1]
    half = int(np.ceil(_FOOTPRINTS * sd / step))
    index = (position // step).astype(np.int64)[:, None] + np.arange(-half, half + 1)
    weight = np.exp(-0.5 * np.square(((index + 0.5) * step - position[:, None]) / sd))
    weight /= weight.sum(axis=1, keepdims=True)
    inside = (index >= 0) & (index < steps)
    for row, amounts in zip(rows, amount.T, strict=True):
        values = (weight * amounts[:, None])[inside]
        row += np.bincount(index[inside], weights=values, minlength=steps)


def draw_counts(recipe: Recipe, expected: Floats, contig: int) -> NDArray[np.int64]:
    """Draw counts around their expectation, int64 [tracks, steps].

    Counts are negative binomial given a smooth log-normal factor of mean 1.
    """
    from scipy.ndimage import gaussian_filter1d

    numbers = recipe.noise
    result = np.empty(expected.shape, dtype=np.int64)
    smooth = numbers.variability_scale / recipe.step
    impulse = np.zeros(2 * int(8 * smooth) + 9)
    impulse[len(impulse) // 2] = 1.0
    norm = float(np.sqrt(np.square(gaussian_filter1d(impulse, smooth)).sum()))
    for track, mean in enumerate(expected):
        rng = generator(recipe.seed, Purpose.NOISE, contig, track)
        rate = mean
        if numbers.variability > 0:
            field = gaussian_filter1d(rng.standard_normal(len(mean)), smooth, mode="wrap") / norm
            rate = rate * np.exp(numbers.variability * field - numbers.variability**2 / 2)
        if numbers.dispersion > 0:
            rate = rate * rng.gamma(1 / numbers.dispersion, numbers.dispersion, len(mean))
        result[track] = rng.poisson(rate)
    return result


def coverage(recipe: Recipe, counts: Floats | NDArray[np.int64]) -> NDArray[np.float32]:
    """Bring positions per step into the units of the bigWigs, float32 [tracks, steps].

    ATAC reads are extended to both sides; CAGE tags stay where they start.
    """
    result = counts.astype(np.float32)
    box = np.ones(covered_steps(recipe))
    for row in range(len(recipe.cell_types)):
        result[row] = np.convolve(counts[row], box, mode="same")
    return result


def bases_per_count(recipe: Recipe) -> Floats:
    """Sum over bases of the bigWig that one read or tag brings, float64 [tracks]."""
    cells = len(recipe.cell_types)
    return np.array(
        [covered_steps(recipe) * recipe.step] * cells + [recipe.step] * 2 * cells, float
    )


def site_effects(recipe: Recipe, activity: Activity) -> Floats:
    """Expected signal, summed over bases, that is lost when a site is destroyed, [n, tracks].

    Negative for repressors.
    """
    divergent = recipe.transcription.divergent
    forward, reverse = activity.lost_tags[..., 0], activity.lost_tags[..., 1]
    tags = np.stack([forward + divergent * reverse, reverse + divergent * forward], axis=2)
    reads = recipe.accessibility.reads * activity.lost_opening
    effects = np.concatenate([reads, tags.reshape(len(tags), -1)], axis=1)
    result: Floats = effects * recipe.noise.depth * bases_per_count(recipe)
    return result
