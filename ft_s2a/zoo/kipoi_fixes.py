"""Repairs of Kipoi 0.8.6's writers; applied when the model class is imported.

Kipoi is not maintained any more (last release 2022).  The stock ``kipoi`` command loads the model
before it asks for a writer, so what is replaced here holds for it as well:

- HDF5 writing asks for ``np.string_``, which numpy 2 does not have;
- an HDF5 file appears under its name when it is complete, and an existing one is refused before
  anything is predicted, not after the first batch;
- ``.bed`` is always a TypeError, and a KeyError without ``-m``;
- ``.tsv`` (and ``pipeline.predict_to_file``) stumble over arguments meant for other writers;
- an unknown format ends with exit code 0.
"""

from __future__ import annotations

import os
import uuid
import weakref
from pathlib import Path
from typing import Any

import numpy as np
from kipoi import writers

from ft_s2a.conventions.atomic import refuse_existing
from ft_s2a.errors import FtS2aError, OutputExistsError

_original_get_writer = writers.get_writer


class _Numpy:
    """numpy with the two names that Kipoi still asks for."""

    string_ = np.bytes_
    unicode_ = np.str_

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


class Hdf5Writer(writers.HDF5BatchWriter):  # type: ignore[misc]  # kipoi is untyped
    """Kipoi's HDF5 writer; the file gets its name when it is complete."""

    def __init__(self, file_path: str, chunk_size: int = 10_000) -> None:
        target = Path(file_path)
        try:
            refuse_existing(target, overwrite=False)
        except OutputExistsError as error:
            raise OutputExistsError(
                error.what, where=target, remedy="choose another name or remove it"
            ) from None
        self._target = target
        temporary = target.with_name(f".{target.stem}.{uuid.uuid4().hex[:8]}.partial.h5")
        super().__init__(file_path=str(temporary), chunk_size=chunk_size)
        self._discard = weakref.finalize(self, _discard, temporary, os.getpid())

    def close(self) -> None:
        """Write what is left and give the file its name."""
        super().close()
        os.replace(self.file_path, self._target)
        self._discard.detach()


class BedWriter(writers.BedBatchWriter):  # type: ignore[misc]  # kipoi is untyped
    """Kipoi's BED writer, which says what it needs."""

    def batch_write(self, batch: dict[str, Any]) -> None:
        """Write a batch, which must have kept its metadata."""
        if "metadata" not in batch:
            raise FtS2aError(
                "a .bed file needs the intervals",
                where=self.file_path,
                remedy="add -m (--keep_metadata)",
            )
        super().batch_write(batch)


def get_writer(output_file: str, metadata_schema: Any = None, **kwargs: Any) -> Any:
    """Kipoi's choice of a writer by the file's ending, with the repairs above."""
    ending = output_file.rsplit(".", 1)[-1]
    if ending in ("h5", "hdf5"):
        chunk = kwargs.get("hdf5_chunk_size")
        return Hdf5Writer(output_file) if chunk is None else Hdf5Writer(output_file, chunk)
    if ending == "tsv":
        return writers.TsvBatchWriter(file_path=output_file, nested_sep="/")
    if ending == "bed" and metadata_schema is not None:
        return BedWriter(output_file, metadata_schema=metadata_schema, header=True)
    if ending == "zarr":
        raise FtS2aError(
            "Kipoi cannot write zarr", where=output_file, remedy="use .h5, .parquet, .tsv or .bed"
        )
    return _original_get_writer(output_file, metadata_schema=metadata_schema, **kwargs)


def _discard(temporary: Path, process: int) -> None:
    # Forked workers end as well, and the file is not theirs.
    if os.getpid() == process:
        temporary.unlink(missing_ok=True)


def apply() -> None:
    """Put the repairs in place; doing it twice changes nothing."""
    if not hasattr(np, "string_"):
        writers.np = _Numpy()
    writers.get_writer = get_writer
