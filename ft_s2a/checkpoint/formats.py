"""The forms in which an entry's weights may be published, and loading any of them."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ft_s2a.errors import ConfigError, FormatError, require_file
from ft_s2a.models.config import Basenji2Config, ModelConfig
from ft_s2a.models.enformer_config import EnformerConfig

if TYPE_CHECKING:
    from ft_s2a.models.network import Network

WeightsFormat = Literal["safetensors", "keras-h5", "enformer-pytorch"]

# Whose weights a form holds, and what else to call it.
ARCHITECTURES: dict[WeightsFormat, str] = {"keras-h5": "basenji2", "enformer-pytorch": "enformer"}
_CALLED: dict[WeightsFormat, str] = {
    "safetensors": "safetensors",
    "keras-h5": "HDF5 written by Keras",
    "enformer-pytorch": "a state dict saved by torch.save",
}

_SUFFIXES: dict[str, WeightsFormat] = {
    ".safetensors": "safetensors",
    ".h5": "keras-h5",
    ".hdf5": "keras-h5",
    ".bin": "enformer-pytorch",
    ".pt": "enformer-pytorch",
    ".pth": "enformer-pytorch",
}
_HDF5 = b"\x89HDF\r\n\x1a\n"
_PICKLE = b"\x80"  # as torch.save wrote before it wrote archives


def format_of(name: str) -> WeightsFormat | None:
    """Guess the form of weights from their file's name.

    Examples
    --------
    >>> format_of("model_human.h5"), format_of("pytorch_model.bin"), format_of("model.ckpt")
    ('keras-h5', 'enformer-pytorch', None)
    """
    return _SUFFIXES.get(Path(name).suffix.lower())


def check_signature(path: str | Path, form: WeightsFormat) -> None:
    """Check that a file is of a form at all, without loading it (torch-free).

    Raises
    ------
    FormatError
        When it is not, as an error page of a web server, or an archive without its end.
    """
    found = require_file(path, "weights file")
    with open(found, "rb") as handle:
        start = handle.read(16)
    if form == "keras-h5":
        good = start.startswith(_HDF5)
    elif form == "enformer-pytorch":
        if start.startswith(b"PK") and not zipfile.is_zipfile(found):
            raise FormatError("is no complete weights file", where=found, remedy="fetch it again")
        good = start.startswith((b"PK", _PICKLE))
    else:  # the length of a JSON header, and its beginning
        header = int.from_bytes(start[:8], "little")
        good = start[8:9] == b"{" and header <= found.stat().st_size - 8
    if not good:
        page = start.lstrip().startswith(b"<")
        raise FormatError(
            "is a web page, no weights file" if page else "is no weights file",
            where=found,
            expected=_CALLED[form],
        )


def load_network(path: str | Path, config: ModelConfig, form: WeightsFormat) -> Network:
    """Load weights of any form into the network that `config` describes, in evaluation mode.

    Parameters
    ----------
    path : str or Path
        The weights.
    config : ModelConfig
        With ``keras-h5``, of one head: that of the file.  With ``enformer-pytorch``, of those
        heads of the file that are wanted.
    form : {'safetensors', 'keras-h5', 'enformer-pytorch'}
        ``safetensors`` as written by :func:`ft_s2a.checkpoint.save_weights`; or what Keras wrote
        for the published Basenji2, or what enformer-pytorch saved, which are read as they are.

    Raises
    ------
    ConfigError, FormatError
        When the weights are another network's, or damaged.

    Examples
    --------
    ::

        load_network("model_human.h5", entry.model, "keras-h5")
    """
    wanted = ARCHITECTURES.get(form, config.architecture)
    if wanted != config.architecture:
        raise ConfigError(
            f"the format {form} is of {_with_article(wanted)}, "
            f"not of {_with_article(config.architecture)}",
            where=path,
        )
    if form == "keras-h5":
        from ft_s2a.checkpoint.keras import load_keras_basenji2

        assert isinstance(config, Basenji2Config)
        return load_keras_basenji2(path, config, head=config.heads[0].name)
    if form == "enformer-pytorch":
        from ft_s2a.checkpoint.lucidrains import load_lucidrains_enformer

        assert isinstance(config, EnformerConfig)
        return load_lucidrains_enformer(path, config)
    from ft_s2a.checkpoint.files import load_weights

    return load_weights(path, config)


def _with_article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"
