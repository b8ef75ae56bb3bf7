from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest

from ft_s2a.errors import FtS2aError, OutputExistsError

pytestmark = pytest.mark.kipoi


@pytest.fixture
def writers() -> Any:
    from kipoi import writers

    from ft_s2a.zoo import kipoi_fixes

    kipoi_fixes.apply()
    kipoi_fixes.apply()
    return writers


@pytest.fixture
def batch() -> dict[str, Any]:
    return {
        "preds": np.arange(12, dtype=np.float32).reshape(2, 3, 2),
        "metadata": {
            "ranges": {
                "chr": np.array(["I", "I"]),
                "start": np.array([0, 3]),
                "end": np.array([3, 6]),
                "id": np.array(["a", "b"]),
                "strand": np.array(["*", "*"]),
            }
        },
    }


def test_hdf5_appears_when_it_is_complete(
    writers: Any, batch: dict[str, Any], tmp_path: Path
) -> None:
    target = tmp_path / "p.h5"
    writer = writers.get_writer(str(target), hdf5_chunk_size=1, num_workers=2)
    writer.batch_write(batch)
    assert not target.exists()
    writer.close()
    assert [p.name for p in tmp_path.iterdir()] == ["p.h5"]
    with h5py.File(target) as file:
        np.testing.assert_array_equal(file["preds"][:], batch["preds"])
        assert file["preds"].chunks == (1, 3, 2)
        assert file["metadata/ranges/chr"][0] == b"I"
    with pytest.raises(OutputExistsError, match=r"p\.h5"):
        writers.get_writer(str(target), hdf5_chunk_size=1)


def test_an_interrupted_hdf5_leaves_nothing(
    writers: Any, batch: dict[str, Any], tmp_path: Path
) -> None:
    writer = writers.get_writer(str(tmp_path / "p.h5"))
    writer.batch_write(batch)
    assert list(tmp_path.iterdir())
    del writer
    assert list(tmp_path.iterdir()) == []


def test_tsv_and_bed_with_a_chunk_size(writers: Any, batch: dict[str, Any], tmp_path: Path) -> None:
    from kipoi.specs import DataLoaderSchema

    schema = DataLoaderSchema.from_config(
        {
            "inputs": {"x": {"shape": (3, 2), "doc": "x"}},
            "metadata": {"ranges": {"type": "GenomicRanges", "doc": "ranges"}},
        }
    ).metadata
    for name in ("p.tsv", "p.bed"):
        writer = writers.get_writer(str(tmp_path / name), schema, hdf5_chunk_size=1)
        writer.batch_write(dict(batch))
        writer.close()
    table = pd.read_csv(tmp_path / "p.tsv", sep="\t")
    assert table["preds/2/1"].tolist() == [5.0, 11.0]
    bed = pd.read_csv(tmp_path / "p.bed", sep="\t")
    assert list(bed.columns[:4]) == ["chr", "start", "end", "name"]
    assert bed["preds/0/1"].tolist() == [1.0, 7.0]
    writer = writers.get_writer(str(tmp_path / "q.bed"), schema)
    with pytest.raises(FtS2aError, match="add -m"):
        writer.batch_write({"preds": batch["preds"]})


def test_zarr_is_refused(writers: Any, tmp_path: Path) -> None:
    with pytest.raises(FtS2aError, match="cannot write zarr"):
        writers.get_writer(str(tmp_path / "p.zarr"))
