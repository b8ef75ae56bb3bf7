"""What an entry says about itself, as rows for people."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ft_s2a.entries.download import local_weights, trusted_hash
from ft_s2a.entries.registry import weights_bytes
from ft_s2a.entries.schema import Entry, Score
from ft_s2a.models.counting import count_parameters


def describe_entry(entry: Entry) -> list[dict[str, Any]]:
    """Describe an entry field by field; nothing is fetched or loaded.

    Returns
    -------
    list of dict
        Rows of `field` and `value`; scores and limitations have a row each.
    """
    model, geometry = entry.model, entry.model.geometry
    parameters = count_parameters(model)
    splits = entry.splits if isinstance(entry.splits, str) else entry.splits.file
    fields: dict[str, Any] = {
        "name": entry.name,
        "version": entry.version,
        "summary": entry.summary,
        "species": entry.species,
        "assembly": entry.assembly,
        "licence": entry.license,
        "citation": entry.citation,
        "architecture": model.architecture,
        "parameters": f"{parameters.trained:,} trained, {parameters.statistics:,} statistics",
        "input length": model.input_length,
        "bin size": model.bin_size,
        "output bins": geometry.output_bins,
        "heads": [f"{head.name} ({head.tracks})" for head in model.heads],
        "assays": _assays(entry),
        "ensemble": entry.ensemble,
        "splits": splits,
        "weights": entry.weights.file or entry.weights.url,
        "format": entry.weights.format,
        "bytes": weights_bytes(entry),
        "sha256": _hash(entry),
        "fetched": _fetched(entry),
        "folder": str(entry.folder),
    }
    rows = [{"field": field, "value": value} for field, value in fields.items()]
    rows += [{"field": "score", "value": _score(score)} for score in entry.scores]
    rows += [{"field": "limitation", "value": text} for text in entry.limitations]
    if entry.validation:
        rows.append({"field": "validation", "value": entry.validation})
    return rows


def _assays(entry: Entry) -> list[str]:
    counts = Counter(track.assay or "unstated" for track in entry.read_tracks())
    return [f"{assay} ({count})" for assay, count in counts.most_common()]


def _hash(entry: Entry) -> str:
    if entry.weights.sha256 is not None:
        return entry.weights.sha256
    trusted = trusted_hash(entry)
    if trusted is None:
        return "unverified: none is recorded"
    return f"unverified: none is recorded; trusted on this machine: {trusted}"


def _fetched(entry: Entry) -> str:
    path = local_weights(entry)
    if path is not None:
        return str(path)
    if entry.weights.url is None:
        return "missing"
    trust = "" if entry.weights.sha256 or trusted_hash(entry) else " --trust-on-first-use"
    return f"no: `ft-s2a zoo fetch {entry.name}{trust}`"


def _score(score: Score) -> str:
    interval = "" if score.low is None else f" ({score.low:.3f} - {score.high:.3f})"
    units = f" of {score.units}" if score.units else ""
    return f"{score.track}: {score.metric}{units} {score.value:.3f}{interval} on {score.on}"
