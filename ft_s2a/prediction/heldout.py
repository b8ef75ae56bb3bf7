"""Score a model on the held-out windows of a training set, beside a k-mer ridge."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ft_s2a.conventions.progress import track as progress
from ft_s2a.data.dataset import TrackDataset
from ft_s2a.errors import DataError, TrackError
from ft_s2a.evaluation.kmer_ridge import FLANK, fit_kmer_ridge
from ft_s2a.evaluation.kmers import WindowCounts
from ft_s2a.evaluation.windows import WindowScores
from ft_s2a.loading import SequenceModel
from ft_s2a.prediction.ensemble import Ensemble, predict_codes

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger(__name__)

# Bases predicted at once, and observed values that a ridge is fitted on.
_BATCH_BASES = 1 << 19
_RIDGE_BYTES = 1 << 30

Place = tuple[int, int]
Pair = tuple[NDArray[Any], NDArray[Any]]


def score_heldout(
    model: SequenceModel,
    data: str | Path,
    *,
    head: str | None = None,
    split: str = "test",
    fasta: str | Path | None = None,
    kmers: int | None = None,
    ensemble: Ensemble | None = None,
    draws: int = 400,
    seed: int = 1,
) -> pd.DataFrame:
    """Compare a model's predictions with the targets of a split, in target units.

    Parameters
    ----------
    model : SequenceModel
    data : str or Path
        Training set with the tracks of the head, in its order.
    head : str, optional
        May be left out when the model has one.
    split : {'test', 'valid', 'train'}
    fasta : str or Path, optional
        The genome, when it is not where the set was built.
    kmers : int, optional
        Also score a ridge on k-mer counts of this length (of a bin and two bins at each side),
        fitted on the train split, its penalty chosen on the valid split; of large sets on windows
        evenly taken from both.
    ensemble : {'none', 'rc'}, optional
        The default is the model's.
    draws, seed : int
        Resamples of the windows for the intervals.

    Returns
    -------
    DataFrame
        See :meth:`ft_s2a.evaluation.windows.WindowScores.table`.

    Raises
    ------
    DataError, TrackError
        When set and model do not fit, or the split is empty.

    Examples
    --------
    ::

        score_heldout(load_model("runs/human"), "human.zarr", kmers=5)
    """
    name = model.head(head)
    table = model.tracks(name)
    dataset = TrackDataset(data, fasta=fasta, geometry=model.geometry)
    if dataset.tracks.names not in (table.names, _own_names(table.names, name)):
        raise TrackError(
            f"the set has other tracks than head {name!r} of {model.name}",
            where=data,
            expected=f"{len(table)} tracks from {table.names[0]!r} to {table.names[-1]!r}",
        )
    if not len(dataset.indices(split)):
        raise DataError(f"the set has no {split} window", where=data)
    mean = np.array([record.mean for record in dataset.header.statistics])
    scores = WindowScores(model.name, mean)
    places = _places(dataset, split)
    for predicted, observed in _whole(_predict(model, dataset, places, name, ensemble), dataset):
        scores.add(predicted, observed)
    models = [scores]
    if kmers is not None:
        models.append(_score_ridge(dataset, places, mean, kmers))
    import pandas as pd

    tables = [scored.table(table.tracks, draws=draws, seed=seed) for scored in models]
    return pd.concat(tables, ignore_index=True)


def _predict(
    model: SequenceModel,
    data: TrackDataset,
    places: Sequence[Place],
    head: str,
    ensemble: Ensemble | None,
) -> Iterator[Pair]:
    size = max(1, _BATCH_BASES // model.geometry.input_length)
    starts = range(0, len(places), size)
    for first in progress(starts, "predicting", unit="batches"):
        examples = [data.part(*place) for place in places[first : first + size]]
        codes = np.stack([example[0] for example in examples])
        predicted = predict_codes(model, codes, head, ensemble=ensemble)
        for part, (_, observed) in zip(predicted, examples, strict=True):
            yield part, observed


def _whole(pairs: Iterable[Pair], data: TrackDataset) -> Iterator[Pair]:
    """Join predictions and targets of the parts of each stored window."""
    parts: list[Pair] = []
    for pair in pairs:
        parts.append(pair)
        if len(parts) == data.parts:
            predicted, observed = zip(*parts, strict=True)
            yield np.concatenate(predicted), np.concatenate(observed)
            parts = []


def _own_names(names: Sequence[str], head: str) -> tuple[str, ...]:
    """Names without the head, which training puts before those that several heads share."""
    return tuple(name.removeprefix(f"{head}.") for name in names)


def _places(data: TrackDataset, split: str) -> list[Place]:
    """Windows of a split, cut into as many parts as the network needs to see every bin."""
    return [(int(i), part) for i in data.indices(split) for part in range(data.parts)]


def _score_ridge(
    data: TrackDataset, places: Sequence[Place], mean: NDArray[np.float64], k: int
) -> WindowScores:
    train = _examples(data, "train")
    valid = _examples(data, "valid") if len(data.indices("valid")) else None
    ridge = fit_kmer_ridge(train, k=k, flank=FLANK, valid=valid)
    scores = WindowScores(f"kmer{k}", mean, deviance=False)
    predicted = ridge.predict(_source(data, places)).reshape(len(places), -1, len(mean))
    pairs = ((p, data.part(*place)[1]) for p, place in zip(predicted, places, strict=True))
    for window, observed in _whole(pairs, data):
        scores.add(window, observed)
    return scores


def _examples(data: TrackDataset, split: str) -> tuple[WindowCounts, NDArray[np.float64]]:
    """Bins of a split and their targets; of a large split some windows, evenly taken."""
    places = _places(data, split)
    bins, tracks = data.geometry.output_bins, len(data.tracks)
    most = max(1, _RIDGE_BYTES // (8 * bins * tracks))
    if len(places) > most:
        _log.info("the k-mer ridge sees %d of %d %s windows", most, len(places), split)
        places = [places[i * len(places) // most] for i in range(most)]
    targets = np.concatenate([data.part(*place)[1].astype(np.float64) for place in places])
    return _source(data, places), targets


def _source(data: TrackDataset, places: Sequence[Place]) -> WindowCounts:
    geometry = data.geometry
    return WindowCounts(
        lambda i: data.part(*places[i])[0], len(places), geometry.output_bins, geometry.bin_size
    )
