"""The forms in which an entry's weights may be published, and loading any of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ft_s2a.errors import ConfigError, FormatError, require_file
from ft_s2a.models.config import Basenji2Config, ModelConfig

if TYPE_CHECKING:
    from ft_s2a.models.network import Network

WeightsFormat = Literal["safetensors", "keras-h5"]

_SUFFIXES: dict[str, WeightsFormat] = {
    ".safetensors": "safetensors",
    ".h5": "keras-h5",
    ".hdf5": "keras-h5",
}
_HDF5 = b"\x89HDF\r\n\x1a\n"


def format_of(name: str) -> WeightsFormat | None:
    """Guess the form of weights from their file's name.

    Examples
    --------
    >>> format_of("model_human.h5"), format_of("model.bin")
    ('keras-h5', None)
    """
    return _SUFFIXES.get(Path(name).suffix.lower())


def check_signature(path: str | Path, form: WeightsFormat) -> None:
    """Check by a file's first bytes that it is of a form at all, without loading it (torch-free).

    Raises
    ------
    FormatError
        When it is not, as an error page of a web server.
    """
    found = require_file(path, "weights file")
    with open(found, "rb") as handle:
        start = handle.read(16)
    if form == "keras-h5":
        good = start.startswith(_HDF5)
    else:  # the length of a JSON header, and its beginning
        header = int.from_bytes(start[:8], "little")
        good = start[8:9] == b"{" and header <= found.stat().st_size - 8
    if not good:
        page = start.lstrip().startswith(b"<")
        raise FormatError(
            "is a web page, no weights file" if page else "is no weights file",
            where=found,
            expected="HDF5 written by Keras" if form == "keras-h5" else "safetensors",
        )


def load_network(path: str | Path, config: ModelConfig, form: WeightsFormat) -> Network:
    """Load weights of any form into the network that `config` describes, in evaluation mode.

    Parameters
    ----------
    path : str or Path
        The weights.
    config : ModelConfig
        With ``keras-h5``, of one head: that of the file.
    form : {'safetensors', 'keras-h5'}
        ``safetensors`` as written by :func:`ft_s2a.checkpoint.save_weights`, or what Keras wrote
        for the published Basenji2, which is read as it is.

    Raises
    ------
    ConfigError, FormatError
        When the weights are another network's, or damaged.

    Examples
    --------
    ::

        load_network("model_human.h5", entry.model, "keras-h5")
    """
    if form == "keras-h5":
        from ft_s2a.checkpoint.keras import load_keras_basenji2

        if not isinstance(config, Basenji2Config):
            raise ConfigError(
                f"the format {form} is of a basenji2, not of a {config.architecture}", where=path
            )
        return load_keras_basenji2(path, config, head=config.heads[0].name)
    from ft_s2a.checkpoint.files import load_weights

    return load_weights(path, config)
