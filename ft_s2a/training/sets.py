"""The training sets of a run: one per head, opened and checked before anything is written."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ft_s2a.conventions.hashing import sha256_json
from ft_s2a.data.dataset import TrackDataset
from ft_s2a.data.store import open_store
from ft_s2a.errors import ConfigError, DataError, near_miss
from ft_s2a.models.config import HeadConfig
from ft_s2a.tracks.joining import join_heads
from ft_s2a.tracks.table import TrackTable
from ft_s2a.training.recipe import Recipe

_log = logging.getLogger(__name__)

Paths = str | Path | Mapping[str, str | Path]


@dataclass(frozen=True)
class HeadSet:
    """A training set and the head that it trains; `tracks` name that head."""

    head: str
    data: TrackDataset
    tracks: TrackTable

    @property
    def config(self) -> HeadConfig:
        """The head's part of a network's config."""
        return HeadConfig(name=self.head, tracks=len(self.tracks))


def open_sets(recipe: Recipe, data: Paths, fasta: Paths | None = None) -> tuple[HeadSet, ...]:
    """Open the training sets of a run, in the order of the recipe's heads where it has any.

    Parameters
    ----------
    recipe : Recipe
        Its network's geometry cuts the windows.
    data : path, or mapping of head to path
        One path trains the head that its track table names; a mapping's heads replace those.
    fasta : path, or mapping of head to path, optional
        Genomes that are not where the sets were built.

    Raises
    ------
    FtS2aError
        Naming the set that does not fit, or lacks a train or valid window.
    """
    paths, genomes = _by_head(data, fasta)
    named = [head.name for head in recipe.model.heads]
    if set(paths) == set(named):
        paths = {head: paths[head] for head in named}
    found = []
    for name, path in paths.items():
        opened = TrackDataset(
            path,
            fasta=genomes.get(name),
            geometry=recipe.model.geometry,
            check_sequence=True,
        )
        for split in ("train", "valid"):
            if not len(opened.indices(split)):
                raise DataError(f"the set has no {split} window", where=path)
        head = _head_of(opened) if name is None else name
        table = TrackTable(tuple(dataclasses.replace(t, head=head) for t in opened.tracks))
        found.append(HeadSet(head, opened, table))
    return _with_unique_names(found)


def fit_crop(recipe: Recipe, data: Paths) -> Recipe:
    """Let the network crop more bins where a set knows fewer than it would predict.

    Released sets hold what they hold: theirs cannot be built again for another network, whose
    weights do not depend on the crop.
    """
    model = recipe.model
    inputs, output = model.geometry.input_bins, model.geometry.output_bins
    stored = [open_store(path)[1].geometry for path in mapping(data).values()]
    fewest = min((geometry.output_bins for geometry in stored), default=output)
    crop = (inputs - fewest) // 2
    # Anything else is an error of the set's, which opening it explains.
    fits = all(g.bin_size == model.bin_size and g.crop >= crop * g.bin_size for g in stored)
    if fewest >= output or (inputs - fewest) % 2 or not fits:
        return recipe
    _log.warning(
        "the training windows have %d bins, not the %d of the recipe: the network crops %d "
        "instead of %d bins at each side",
        fewest,
        output,
        crop,
        model.crop_bins,
    )
    changed = model.with_crop(crop)
    return recipe.model_copy(update={"model": changed})


def with_heads(recipe: Recipe, sets: Sequence[HeadSet]) -> Recipe:
    """Give the recipe's network the data's heads, unless it names others."""
    heads = tuple(some.config for some in sets)
    if recipe.model.heads not in ((), heads):
        named, found = (
            ", ".join(f"{head.name} of {head.tracks} tracks" for head in some)
            for some in (recipe.model.heads, heads)
        )
        several = len(sets) > 1
        raise ConfigError(
            f"the recipe's network has the heads {named}; the training "
            f"{'sets have' if several else 'set has'} {found}",
            where=", ".join(str(some.data.path) for some in sets),
            remedy="leave `heads` out of the recipe, or use the training "
            f"{'sets' if several else 'set'} it was made for",
        )
    return recipe.model_copy(update={"model": recipe.model.with_heads(heads)})


def all_tracks(sets: Sequence[HeadSet]) -> TrackTable:
    """Tracks of all heads, one head after the other."""
    return TrackTable(tuple(track for some in sets for track in some.tracks))


def run_key(recipe: Recipe, sets: Sequence[HeadSet]) -> str:
    """Hash of recipe and data: what a state belongs to.

    A run may go on with other ``checkpointing``, since weights come out the same.
    """
    data: Any = [some.data.checksum for some in sets]
    settings = recipe.model_dump(mode="json", exclude={"checkpointing"})
    return sha256_json({"recipe": settings, "data": data})


def track_weights(some: HeadSet, recipe: Recipe) -> Tensor:
    """Loss weights, mean 1: all equal, or 1 / null Poisson deviance of the training bins."""
    if recipe.track_weights == "none":
        return torch.ones(len(some.tracks))
    deviances = [s.null_deviance for s in some.data.header.statistics]
    for track, deviance in zip(some.tracks, deviances, strict=True):
        if not deviance > 0:
            raise DataError(
                f"track {track.name!r} is constant over the training bins",
                where=some.data.path,
                remedy="leave it out, or use track_weights: none",
            )
    weights = 1.0 / torch.tensor(deviances, dtype=torch.float64)
    return (weights / weights.mean()).float()


_ByHead = dict[str | None, str | Path]


def _by_head(data: Paths, fasta: Paths | None) -> tuple[_ByHead, _ByHead]:
    """Both as mappings; None is the only head, which the track table names."""
    paths = mapping(data)
    if not paths:
        raise ConfigError("no training set is named")
    if fasta is None:
        return paths, {}
    if not isinstance(fasta, Mapping):
        if len(paths) > 1:
            raise ConfigError(
                f"one genome is given for {len(paths)} training sets",
                where=fasta,
                expected="HEAD=FASTA for each that is not where it was",
            )
        return paths, dict.fromkeys(paths, fasta)
    known = [head for head in paths if head is not None]
    for head in fasta:
        if head not in known:
            raise ConfigError(
                f"a genome is given for the head {head!r}, which no training set has",
                remedy=near_miss(head, known) if known else "name the training set likewise",
            )
    return paths, mapping(fasta)


def mapping(named: Paths) -> _ByHead:
    """Training sets by head; None is a head that a set's track table names."""
    return dict(named.items()) if isinstance(named, Mapping) else {None: named}


def _head_of(data: TrackDataset) -> str:
    """Head that a data set trains: its tracks must name one."""
    heads = data.tracks.heads
    if len(heads) != 1:
        raise DataError(
            f"the tracks name {len(heads)} heads ({', '.join(heads)})",
            where=data.path,
            expected="one head per data set",
        )
    return heads[0]


def _with_unique_names(sets: Sequence[HeadSet]) -> tuple[HeadSet, ...]:
    """Put the head before the names that tracks of several heads share: one table holds all."""
    joined = join_heads([some.tracks for some in sets])  # said before anything is written
    return tuple(dataclasses.replace(some, tracks=joined.for_head(some.head)) for some in sets)
