"""Scores for an entry: from an evaluation's JSON, or from a run's validation."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from pydantic import ValidationError

from ft_s2a.conventions.validation import describe
from ft_s2a.entries import Score
from ft_s2a.errors import FormatError, require_file
from ft_s2a.genome.regions import read_bed
from ft_s2a.geometry import Interval, merge, parse_locus
from ft_s2a.tracks import TrackTable

# More are not read one by one: an entry then states their medians.
_MOST_SCORES = 400

_METRICS = {  # column of `evaluate positions` -> metric, units
    "pearson_log1p": ("pearson", "ln(1 + {units})"),
    "pearson": ("pearson", "{units}"),
}


def read_scores(path: str | Path, splits: Path | None = None) -> tuple[Score, ...]:
    """Read scores from what ``ft-s2a evaluate positions`` wrote, or from a list of scores.

    Parameters
    ----------
    path : str or Path
        ``positions.json`` (or its folder), or a JSON list of :class:`ft_s2a.entries.Score`.
    splits : Path, optional
        ``splits.bed`` of the entry, to say which split the regions belong to.

    Raises
    ------
    FormatError
        When the file is neither.
    """
    found = require_file(path, "scores file")
    file = found / "positions.json" if found.is_dir() else found
    try:
        document = json.loads(require_file(file, "scores file").read_text(encoding="utf-8"))
        if isinstance(document, list):
            return tuple(Score.model_validate(row) for row in document)
        return tuple(_from_evaluation(document, splits))
    except ValidationError as error:
        raise FormatError(describe(error), where=file, expected="scores") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FormatError(
            f"cannot be read as scores ({type(error).__name__}: {error})",
            where=file,
            expected="positions.json of `ft-s2a evaluate positions -o`",
        ) from error


def validation_scores(
    provenance: Mapping[str, Any], recipe: Mapping[str, Any], heads: Sequence[str] = ()
) -> tuple[Score, ...]:
    """Best validation scores of a run: Pearson's r per track.

    Of a run with several `heads` the names of the scores begin with the head's.
    """
    transform = (recipe.get("validation") or {}).get("transform", "target")
    units = "ln(1 + target)" if transform == "log1p" else "target"
    prefixes = ("pearson.", *(f"{head}.pearson." for head in heads))
    found = []
    for key, value in (provenance.get("valid") or {}).items():
        prefix = next((text for text in prefixes if key.startswith(text)), None)
        if prefix and isinstance(value, (int, float)) and math.isfinite(value):
            track = key.removeprefix(prefix)
            found.append(Score(metric="pearson", units=units, on="valid", track=track, value=value))
    return tuple(found)


def condense(scores: Sequence[Score], table: TrackTable) -> tuple[Score, ...]:
    """Replace very many scores by their medians over the tracks of each assay."""
    if len(scores) <= _MOST_SCORES:
        return tuple(scores)
    assays = {track.name: track.assay or "tracks" for track in table}
    groups: dict[tuple[str, str, str, str], list[float]] = {}
    for score in scores:
        assay = assays.get(score.track, "tracks")
        groups.setdefault((score.metric, score.units, score.on, assay), []).append(score.value)
    return tuple(
        Score(
            metric=metric,
            units=units,
            on=on,
            track=f"median of {len(values)} {assay}",
            value=median(values),
        )
        for (metric, units, on, assay), values in groups.items()
    )


def _from_evaluation(document: Mapping[str, Any], splits: Path | None) -> Iterable[Score]:
    rows = document["rows"]
    regions = document["parameters"]["regions"]
    on = _name_of(regions, splits)
    ours = rows[0]["model"]
    for row in rows:
        for column, (metric, units) in _METRICS.items():
            if row.get(column) is None:
                continue
            yield Score(
                metric=metric if row["model"] == ours else f"{metric} of baseline {row['model']}",
                units=units.format(units=document["parameters"]["units"]),
                on=on,
                track=row["track"],
                value=row[column],
                low=row.get(f"{column}_low"),
                high=row.get(f"{column}_high"),
            )


def _name_of(regions: list[str], splits: Path | None) -> str:
    """Say which regions were scored, and of which split they are."""
    shown = ", ".join(regions[:4]) + (f" and {len(regions) - 4} more" if len(regions) > 4 else "")
    if splits is None:
        return shown
    named: dict[str, list[Interval]] = {}
    for interval in read_bed(splits):
        named.setdefault(interval.name, []).append(interval)
    for name, intervals in named.items():
        joined = merge(intervals)
        if all(any(j.contains(i) for j in joined) for i in map(_interval, regions)):
            return f"{name} ({shown})"
    return shown


def _interval(text: str) -> Interval:
    chrom, start, end = parse_locus(text)
    return Interval(chrom, start or 0, end if end is not None else 1)
