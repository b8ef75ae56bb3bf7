"""What an entry predicts for its example, through the same classes that Kipoi loads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ft_s2a.conventions.atomic import atomic_path
from ft_s2a.errors import FormatError

Floats = NDArray[np.float32]


def predict_example(folder: Path, intervals: str, fasta: str) -> tuple[Floats, Floats]:
    """Predict the example of the entry in `folder`.

    Returns
    -------
    inputs : float32 array [N, L, 4]
    predictions : float32 array [N, bins, tracks]
        Target units.
    """
    from ft_s2a.zoo.kipoi_dataloader import subclass
    from ft_s2a.zoo.kipoi_model import ZooModel

    loader = subclass(folder)(str(folder / intervals), str(folder / fasta))
    inputs: Floats = np.stack([loader[index]["inputs"] for index in range(len(loader))])
    return inputs, ZooModel(folder).predict_on_batch(inputs)


def write_expectation(path: Path, inputs: Floats, predictions: Floats) -> Path:
    """Write ``inputs`` and ``preds`` as HDF5, one window a chunk, for ``kipoi test``."""
    import h5py

    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        for name, values in (("inputs", inputs), ("preds", predictions)):
            file.create_dataset(
                name, data=values, chunks=(1, *values.shape[1:]), compression="gzip", shuffle=True
            )
    return path


def read_expectation(path: Path) -> tuple[Floats, Floats]:
    """Read ``inputs`` and ``preds``.

    Raises
    ------
    FormatError
        When the file is damaged or lacks them.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return file["inputs"][:], file["preds"][:]
    except (OSError, KeyError) as error:
        raise FormatError(
            f"cannot be read ({error})", where=path, expected="HDF5 with inputs and preds"
        ) from error
