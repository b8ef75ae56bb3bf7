"""Tables that describe a training set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ft_s2a.data.dataset import TrackDataset
from ft_s2a.data.splits import SPLITS
from ft_s2a.data.store import StoreHeader, open_store, read_unmappable, window_contigs

Rows = list[dict[str, Any]]


def summarise_splits(data: TrackDataset | str | Path) -> Rows:
    """Per split: intervals, their length in bp, windows, and the share of bases in windows."""
    group, header = open_store(data.path if isinstance(data, TrackDataset) else data)
    names = window_contigs(group)
    contig, start = np.asarray(group["window_contig"]), np.asarray(group["window_start"])
    split = np.asarray(group["window_split"])
    length = header.target_bins * header.bin_size
    rows = []
    for code, name in enumerate(SPLITS):
        intervals = [(c, s, e) for c, s, e, n in header.splits if n == name]
        chosen = np.flatnonzero(split == code)
        if not intervals:
            continue
        bases = sum(e - s for _, s, e in intervals)
        covered = 0
        for chrom in dict.fromkeys(c for c, _, _ in intervals):
            if chrom not in names:
                continue
            starts = np.sort(start[chosen[contig[chosen] == names.index(chrom)]])
            ends = starts + length
            if chrom in header.contigs:  # a set that keeps its own sequence knows no lengths
                ends = np.minimum(ends, header.contigs[chrom].length)
            starts = np.maximum(starts, 0)
            if len(starts):
                gained = ends - np.maximum(starts, np.concatenate(([starts[0]], ends[:-1])))
                covered += int(np.maximum(gained, 0).sum())
        rows.append(
            {
                "split": name,
                "intervals": len(intervals),
                "bp": bases,
                "windows": len(chosen),
                "covered": round(covered / bases, 4),
            }
        )
    return rows


def summarise_tracks(header: StoreHeader) -> Rows:
    """Per track: how it was brought into target units, and its training statistics."""
    return [
        {
            "track": track.name,
            "assay": track.assay,
            "cell_type": track.cell_type,
            "sum_stat": track.sum_stat,
            "scale": track.scale,
            "squash": track.squash,
            "strand_pair": track.strand_pair,
            "mean": statistics.mean,
            "max": statistics.maximum,
            "null_deviance": statistics.null_deviance,
        }
        for track, statistics in zip(header.table, header.statistics, strict=True)
    ]


def describe_set(header: StoreHeader, *, unmappable: float | None = None) -> Rows:
    """What the set is: geometry, type, genome or own sequence, checksum, how it was made.

    Parameters
    ----------
    header : StoreHeader
    unmappable : float, optional
        Share of the bins that are unmappable, where the set says.
    """
    made = header.provenance
    transforms = dict.fromkeys(track.transform for track in header.table)
    lengths = [f"{k} {v.length:,} bp" for k, v in header.contigs.items()]
    rest = f", and {len(lengths) - 6} more" if len(lengths) > 6 else ""
    genome = header.fasta
    if header.keeps_sequence:
        genome = "none: the set keeps its own sequence"
    facts = {
        "bin size": f"{header.bin_size} bp",
        "target": f"{header.target_bins} bins, {header.target_bins * header.bin_size:,} bp",
        "longest input": f"{header.input_length:,} bp",
        "targets": header.dtype,
        "transform": ", ".join(transforms),
        "unmappable bins": "not known" if unmappable is None else f"{unmappable:.2%}",
        "genome": genome,
        "contigs": ", ".join(lengths[:6]) + rest if lengths else "lengths not known",
        "split": made.get("split", ""),
        "kept apart": "targets only" if made.get("splits") == "targets" else "whole inputs",
        "training starts": made.get("train_starts", ""),
        "made by": f"ft-s2a data {made.get('command', '?')} {made.get('folder', '')}".strip()
        + f" (ft_s2a {made.get('ft_s2a', '?')})",
        "checksum": header.checksum,
    }
    return [{"fact": key, "value": str(value)} for key, value in facts.items() if str(value)]


def unmappable_share(path: str | Path) -> float | None:
    """Share of a set's bins that are unmappable; None when it does not say."""
    mask = read_unmappable(open_store(path)[0])
    return None if mask is None else float(mask.mean())
