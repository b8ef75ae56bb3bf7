"""Render ``model.yaml``, ``dataloader.yaml`` and the card of an entry from ``entry.yaml``."""

from __future__ import annotations

import difflib
import json
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ft_s2a.conventions.atomic import write_text
from ft_s2a.entries import Entry, Score, read_entry
from ft_s2a.entries.registry import entry_folders, find_folder
from ft_s2a.errors import FormatError
from ft_s2a.genome.regions import read_bed
from ft_s2a.tracks.table import Track, TrackTable
from ft_s2a.tracks.units import ORDERS

RENDERED = ("model.yaml", "dataloader.yaml", "README.md")
_TEMPLATES = Path(__file__).parent / "templates"
# The first version whose classes read these files.
_PACKAGE_VERSION = "0.1"
_SHOWN_TRACKS = 40
_SHOWN_SCORES = 60


def render(entry_dir: str | Path, *, check: bool = False) -> list[Path]:
    """Write the rendered files of an entry, or check that they are current.

    Parameters
    ----------
    entry_dir : str or Path
        Folder with ``entry.yaml``.
    check : bool
        Write nothing; raise when a file is missing or differs.

    Returns
    -------
    list of Path
        The rendered files.

    Raises
    ------
    FormatError
        With `check`: naming the first file that differs, and the line.

    Examples
    --------
    ::

        render("model_zoo/yeast/basenji2", check=True)
    """
    entry = read_entry(entry_dir)
    texts = render_texts(entry)
    if check:
        stale = [name for name in RENDERED if _read(entry.folder / name) != texts[name]]
        if stale:
            first = entry.folder / stale[0]
            others = f" (as do {', '.join(stale[1:])})" if stale[1:] else ""
            raise FormatError(
                f"differs from what entry.yaml says{others}: {_difference(first, texts[stale[0]])}",
                where=first,
                remedy=f"run `ft-s2a zoo render {entry_dir}`",
            )
    else:
        for name, text in texts.items():
            write_text(entry.folder / name, text, overwrite=True)
    return [entry.folder / name for name in RENDERED]


def render_named(entries: Sequence[str] | None, *, check: bool) -> list[dict[str, str]]:
    """Render several entries, given names or folders; all of the zoo for None."""
    folders = entry_folders().values() if entries is None else map(find_folder, entries)
    status = "current" if check else "written"
    return [
        {"file": str(file), "status": status}
        for folder in folders
        for file in render(folder, check=check)
    ]


def render_texts(entry: Entry) -> dict[str, str]:
    """Text of each rendered file."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # YAML and Markdown, from files that we validated
    )
    environment.filters.update(
        # A JSON string is a YAML string.
        yaml=lambda value: json.dumps(str(value), ensure_ascii=False),
        cell=lambda text: str(text).replace("|", "\\|") or "–",
        interval=_interval,
        target_units=_target_units,
    )
    context = _context(entry)
    return {
        name: environment.get_template(f"{name}.j2").render(context).rstrip("\n") + "\n"
        for name in RENDERED
    }


def _context(entry: Entry) -> dict[str, Any]:
    tracks = entry.read_tracks()
    splits = _splits(entry)
    return {
        "entry": entry,
        "geometry": entry.model.geometry,
        "tracks": list(tracks),
        "groups": _groups(tracks) if len(tracks) > _SHOWN_TRACKS else [],
        "heads": [head.name for head in entry.model.heads],
        "clipped": any(math.isfinite(t.clip) or math.isfinite(t.clip_soft) for t in tracks),
        "weights": _weights(entry),
        "package_version": _PACKAGE_VERSION,
        "targets_doc": _targets_doc(entry, tracks),
        "trained_on": _trained_on(entry, splits),
        "training": _training(entry),
        "splits": splits,
        "chrom": _example_chrom(splits),
        "scores": [s for s in entry.scores if math.isfinite(s.value)][:_SHOWN_SCORES],
        "scores_left_out": max(0, len(entry.scores) - _SHOWN_SCORES),
    }


def _weights(entry: Entry) -> str:
    weights = entry.weights
    place = "" if weights.url is None else f"at {weights.url} ({weights.format}), "
    size = f"{weights.bytes:,} bytes, " if weights.bytes else ""
    if weights.sha256 is None:
        return f"{place}{size}**unverified**: no hash is recorded"
    return f"{place}{size}SHA-256 `{weights.sha256}`"


def _targets_doc(entry: Entry, tracks: TrackTable) -> str:
    shown = len(tracks) if len(tracks) <= _SHOWN_TRACKS else 3
    names = ", ".join(tracks.names[:shown])
    more = "" if len(tracks) == shown else f" and {len(tracks) - shown:,} more"
    return (
        f"[bins of {entry.model.bin_size} bp, tracks] in target units, genome order; "
        f"tracks in the order of tracks.tsv: {names}{more}"
    )


def _groups(tracks: TrackTable) -> list[dict[str, Any]]:
    """Count tracks that differ in name and cell type only, the many first."""
    counts = Counter(
        (track.head, track.assay, track.units, _target_units(track)) for track in tracks
    )
    names = ("head", "assay", "units", "target_units")
    return [
        {**dict(zip(names, group, strict=True)), "count": count}
        for group, count in counts.most_common()
    ]


def _trained_on(entry: Entry, splits: list[dict[str, Any]] | None) -> str:
    where = "splits unknown"
    if splits is not None:
        where = next(
            (
                f"{row['bases']:,} bp of {row['contigs']}"
                for row in splits
                if row["name"] == "train"
            ),
            "no training interval",
        )
    data = f"{entry.training.data}: " if entry.training.data else ""
    return f"{data}{entry.species} ({entry.assembly}), {where}"


def _training(entry: Entry) -> list[tuple[str, str]]:
    training = entry.training
    recipe = training.recipe
    optimizer = dict(recipe.get("optimizer") or {})
    optimizer = {"": optimizer.pop("name", ""), **optimizer}
    rows: list[tuple[str, Any]] = [
        ("data", training.data),
        ("data checksum", training.data_sha256 and f"`{training.data_sha256[:16]}`"),
        ("steps", training.steps),
        ("best step by validation", training.best_step),
        ("batch size", recipe.get("batch_size")),
        ("optimizer", ", ".join(f"{key} {value}".strip() for key, value in optimizer.items())),
        ("seed", training.seed),
        ("versions", ", ".join(f"{key} {value}" for key, value in training.versions.items())),
    ]
    return [(key, str(value)) for key, value in rows if value not in (None, "")]


def _splits(entry: Entry) -> list[dict[str, Any]] | None:
    path = entry.splits_path()
    if path is None:
        return None
    rows: dict[str, dict[str, Any]] = {}
    for interval in read_bed(path):
        row = rows.setdefault(
            interval.name, {"name": interval.name, "intervals": 0, "bases": 0, "chroms": {}}
        )
        row["intervals"] += 1
        row["bases"] += len(interval)
        row["chroms"][interval.chrom] = None
    for row in rows.values():
        names = list(row["chroms"])
        row["contigs"] = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return list(rows.values())


def _example_chrom(splits: list[dict[str, Any]] | None) -> str | None:
    """Find a contig for the card's commands: one of the test split, or else any."""
    ordered = sorted(splits or [], key=lambda row: row["name"] != "test")
    return next((next(iter(row["chroms"])) for row in ordered), None)


def _interval(score: Score) -> str:
    if score.low is None or score.high is None:
        return "–"
    return f"{score.low:.3f} – {score.high:.3f}"


def _target_units(track: Track) -> str:
    """Say how a track's target units come from the observed ones, in the transform's order."""
    scale = [] if track.scale == 1 else [f"× {track.scale:.4g}"]
    clip = [f"clip {track.clip:g}"] if math.isfinite(track.clip) else []
    soft = [f"soft clip {track.clip_soft:g}"] if math.isfinite(track.clip_soft) else []
    squash = [] if track.squash == "none" else [track.squash]
    order = ORDERS[track.transform]
    steps = squash + soft + clip if order.squash_first else clip + soft + squash
    steps = scale + steps if order.scale_first else steps + scale
    return ", ".join([f"{track.sum_stat} of the bin", *steps])


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _difference(path: Path, text: str) -> str:
    found = _read(path)
    if found is None:
        return "it is missing"
    lines = difflib.unified_diff(found.splitlines(), text.splitlines(), lineterm="", n=0)
    changed = [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    return repr(changed[0][:100]) if changed else "line ends"
