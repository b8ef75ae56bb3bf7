"""A small published data set: TFRecords with their tables, and the arrays that are in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ft_s2a.data.tfrecord import example, write_records

INPUT, BINS, WIDTH, CROP, TRACKS = 256, 12, 16, 32, 3
TABLE = """index\tidentifier\tfile\tclip\tscale\tsum_stat\tdescription
0\tA\ta.w5\t32\t2\tmean\tDNASE:a
1\tB\tb.w5\t384\t1\tsum\tCAGE:b
2\tC\tc.w5\t64\t1\tmean\tCHIP:c
"""
Make = Callable[..., SimpleNamespace]


@pytest.fixture
def published(tmp_path: Path) -> Make:
    """Write a data set; its fields: `path`, `rows`, `codes`, `targets`, `umap`, `message`."""

    def make(
        labels: tuple[str, ...] = ("train",) * 5 + ("valid",) * 2 + ("test",) * 3,
        *,
        name: str = "source",
        per_file: int = 2,
        one_hot: bool = False,
        whole: bool = False,
        genome: str = "",
        umap: bool = False,
        codes: Any = None,
        chroms: tuple[str, ...] = ("chr1",),
        change: Callable[[int, dict[str, bytes]], dict[str, bytes]] = lambda index, strings: (
            strings
        ),
    ) -> SimpleNamespace:
        random = np.random.default_rng(4)
        count = len(labels)
        if codes is None:
            codes = random.integers(0, 5, (count, INPUT)).astype(np.uint8)
        targets = random.gamma(0.3, 4.0, (count, BINS, TRACKS)).astype(np.float16)
        targets[random.random(targets.shape) < 0.3] = 0
        mask = random.random((count, BINS)) < 0.2

        def message(index: int) -> bytes:
            sequence = codes[index]
            if one_hot:
                sequence = np.vstack([np.eye(4, dtype=np.uint8), np.zeros((1, 4), np.uint8)])[
                    sequence
                ]
            strings = {"sequence": sequence.tobytes(), "target": targets[index].tobytes()}
            if umap:
                strings["umap"] = mask[index].tobytes()
            return example(strings if change is None else change(index, strings))

        path = tmp_path / name
        (path / "tfrecords").mkdir(parents=True)
        rows = []
        for index, label in enumerate(labels):
            start = 1000 + 300 * index
            inner = 0 if whole else CROP
            end = start + INPUT - inner
            chrom = chroms[index % len(chroms)]
            rows.append(f"{chrom}\t{start + inner}\t{end}\t{label}\n")
        (path / "sequences.bed").write_text("".join(rows))
        statistics = {
            "num_targets": TRACKS, "seq_length": INPUT, "pool_width": WIDTH, "crop_bp": CROP,
            "target_length": BINS,
        }  # fmt: skip
        for label in dict.fromkeys(labels):
            chosen = [index for index, known in enumerate(labels) if known == label]
            statistics[f"{label}_seqs"] = len(chosen)
            for number, first in enumerate(range(0, len(chosen), per_file)):
                write_records(
                    path / "tfrecords" / f"{label}-{genome}{number}.tfr",
                    [message(index) for index in chosen[first : first + per_file]],
                )
        (path / "statistics.json").write_text(json.dumps(statistics))
        (path / "targets.txt").write_text(TABLE)
        return SimpleNamespace(
            path=path, labels=labels, codes=codes, targets=targets, umap=mask, message=message,
            starts=[1000 + 300 * index for index in range(count)],
        )  # fmt: skip

    return make
