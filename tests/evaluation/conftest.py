from __future__ import annotations

import itertools

import numpy as np
import pytest


@pytest.fixture
def write_bases():
    """Write per-base values (NaN: no value) with pyBigWig itself, in runs of equal values."""
    import pyBigWig

    def write(path, contigs):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = pyBigWig.open(str(path), "w")
        handle.addHeader([(name, len(values)) for name, values in contigs.items()])
        for name, values in contigs.items():
            values = np.asarray(values, dtype=np.float64)
            same = (values[1:] == values[:-1]) | (np.isnan(values[1:]) & np.isnan(values[:-1]))
            edges = np.concatenate(([0], np.flatnonzero(~same) + 1, [len(values)]))
            runs = [
                (int(left), int(right), float(values[left]))
                for left, right in itertools.pairwise(edges)
                if not np.isnan(values[left])
            ]
            if runs:
                starts, ends, numbers = (list(column) for column in zip(*runs, strict=True))
                handle.addEntries([name] * len(runs), starts, ends=ends, values=numbers)
        handle.close()
        return path

    return write


@pytest.fixture
def steps():
    """Per-base values in steps whose edges never meet those of a 128-bp grid."""

    def make(length, step=75, first=74, seed=0):
        random = np.random.default_rng(seed)
        values = random.gamma(0.7, 4.0, size=length // step + 2).astype(np.float32)
        return np.repeat(values, [first] + [step] * (len(values) - 1))[:length].astype(np.float64)

    return make
