"""What an entry says: ``entry.yaml``, validated (torch-free)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)

from ft_s2a.checkpoint.formats import ARCHITECTURES, WeightsFormat
from ft_s2a.conventions.hashing import sha256_file
from ft_s2a.conventions.validation import describe
from ft_s2a.errors import ChecksumError, ConfigError, MissingFileError, TrackError
from ft_s2a.models.config import ModelConfig, parse_config
from ft_s2a.tracks.table import TrackTable, read_tracks

ENTRY_FILE = "entry.yaml"
_SHA256 = r"^[0-9a-f]{64}$"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _inside(path: str) -> str:
    """Accept a relative path that stays in the entry's folder."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts:
        raise ValueError("a path inside the entry's folder is needed")
    return path


class HashedFile(_Frozen):
    """A file of the entry's folder and its SHA-256."""

    file: str
    sha256: str = Field(pattern=_SHA256)

    _check_path = field_validator("file")(_inside)


class Weights(_Frozen):
    """Where the weights lie: in the entry's folder (`file`), or at a `url`.

    `path` is the file's place under ``FT_S2A_MIRROR``.  Without `sha256` the entry is
    *unverified* and its weights are refused unless they are trusted on first use.  `format` is
    ours, or that in which others published their weights, which are read as they are.
    """

    format: WeightsFormat = "safetensors"
    file: str | None = None
    url: str | None = None
    path: str | None = None
    sha256: str | None = Field(default=None, pattern=_SHA256)
    bytes: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _one_place(self) -> Weights:
        if (self.file is None) == (self.url is None):
            raise ValueError("either file or url is needed")
        for path in (self.file, self.path):
            if path is not None:
                _inside(path)
        return self


class Example(_Frozen):
    """A tiny input and the predictions that the entry must give for it.

    Parameters
    ----------
    fasta, intervals, expect : HashedFile
        Sequence, BED rows, and HDF5 with ``inputs`` and ``preds``.
    precision_decimal : int
        Predictions agree when they differ by less than ``1.5 * 10**-precision_decimal``
        (target units; the rule of ``kipoi test``).
    """

    fasta: HashedFile
    intervals: HashedFile
    expect: HashedFile
    precision_decimal: int = Field(default=4, ge=0, le=7)


class Author(_Frozen):
    """A person or group."""

    name: str = Field(min_length=1)
    github: str | None = None
    email: str | None = None
    orcid: str | None = None


class Contig(_Frozen):
    """A contig that was trained on: length in bp, MD5 of its upper-case letters."""

    length: int = Field(ge=1)
    md5: str | None = None


class Training(_Frozen):
    """How the weights came to be, as recorded by the run."""

    procedure: str = ""
    data: str = ""
    data_sha256: str | None = None
    contigs: dict[str, Contig] = Field(default_factory=dict)
    seed: int | None = None
    steps: int | None = Field(default=None, ge=0)
    best_step: int | None = Field(default=None, ge=0)
    recipe: dict[str, Any] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)


class Score(_Frozen):
    """One measured number and where it was measured.

    Parameters
    ----------
    metric : str
        For example ``pearson``.
    units : str
        Space in which it was measured, for example ``ln(1 + observed)``.
    on : str
        Regions or split, for example ``test (II)``.
    track : str
        A track of the table, or a summary such as ``median of 5``.
    value, low, high : float
        The number and the ends of its 95 % interval.
    """

    metric: str = Field(min_length=1)
    units: str = ""
    on: str = Field(min_length=1)
    track: str = ""
    value: float
    low: float | None = None
    high: float | None = None


class Entry(_Frozen):
    """A model of the zoo: everything but the weights' bytes.

    Examples
    --------
    >>> Entry.model_validate({"schema_version": 1})  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
        ...
    pydantic_core._pydantic_core.ValidationError: 10 validation errors for Entry
    """

    schema_version: Literal[1] = 1
    name: str = Field(pattern=r"^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)+$")
    version: str = Field(pattern=r"^\d+(\.\d+)*[A-Za-z0-9.+-]*$")
    summary: str = Field(min_length=1)
    species: str = Field(min_length=1)
    assembly: str = Field(min_length=1)
    license: str = Field(min_length=1)
    authors: tuple[Author, ...] = ()
    citation: str = ""
    model: ModelConfig
    weights: Weights
    tracks: HashedFile
    splits: HashedFile | Literal["unknown"] = "unknown"
    example: Example | None = None
    ensemble: Literal["none", "rc"] = "rc"
    training: Training = Field(default_factory=Training)
    scores: tuple[Score, ...] = ()
    limitations: tuple[str, ...] = ()
    validation: str = ""

    _folder: Path | None = PrivateAttr(default=None)

    @field_validator("model", mode="before")
    @classmethod
    def _known_architecture(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        try:
            return parse_config(value)
        except ConfigError as error:
            raise ValueError(f"{error.what}; {error.remedy or ''}".rstrip("; ")) from error

    @field_validator("model")
    @classmethod
    def _some_head(cls, value: ModelConfig) -> ModelConfig:
        if not value.heads:
            raise ValueError("a network without heads (only recipes may leave them open)")
        return value

    @model_validator(mode="after")
    def _weights_of_the_network(self) -> Entry:
        form, architecture = self.weights.format, self.model.architecture
        if ARCHITECTURES.get(form, architecture) != architecture:
            raise ValueError(
                f"weights of the format {form} are of an architecture {ARCHITECTURES[form]}, "
                f"not {architecture}"
            )
        if self.weights.format == "keras-h5" and len(self.model.heads) != 1:
            raise ValueError(
                f"weights of the format keras-h5 have one head, not {len(self.model.heads)}"
            )
        return self

    @property
    def folder(self) -> Path:
        """Folder that the entry was read from.

        Raises
        ------
        ConfigError
            When the entry was made in memory.
        """
        if self._folder is None:
            raise ConfigError(f"entry {self.name!r} was not read from a folder")
        return self._folder

    @property
    def track_count(self) -> int:
        """Tracks of all heads."""
        return sum(head.tracks for head in self.model.heads)

    def read_tracks(self) -> TrackTable:
        """Read the entry's track table; its hash and the heads' counts are checked.

        Raises
        ------
        ChecksumError, TrackError
        """
        path = self.checked(self.tracks)
        table = read_tracks(path)
        check_heads(table, self.model, where=path)
        return table

    def splits_path(self) -> Path | None:
        """``splits.bed`` (hash checked), or None when the splits are unknown."""
        return None if isinstance(self.splits, str) else self.checked(self.splits)

    def checked(self, file: HashedFile) -> Path:
        """Path of a file of the entry after checking its hash."""
        path = self.folder / file.file
        if not path.is_file():
            raise MissingFileError(
                f"the entry has no {file.file}", where=path, remedy="package the entry again"
            )
        found = sha256_file(path)
        if found != file.sha256:
            raise ChecksumError(
                f"SHA-256 is {found}",
                where=path,
                expected=file.sha256,
                remedy="restore the file, or package the entry again",
            )
        return path


def check_heads(table: TrackTable, config: ModelConfig, *, where: str | Path) -> None:
    """Check that a track table has each head's tracks, no more and no fewer."""
    wanted = {head.name: head.tracks for head in config.heads}
    for head in table.heads:
        if head not in wanted:
            raise TrackError(
                f"tracks of head {head!r}, which the network does not have",
                where=where,
                expected=", ".join(wanted),
            )
    for head, count in wanted.items():
        found = sum(track.head == head for track in table)
        if found != count:
            raise TrackError(
                f"{found} tracks of head {head!r}, of which the network has {count}", where=where
            )
        table.for_head(head).pairs()


def read_entry(path: str | Path) -> Entry:
    """Read ``entry.yaml``, given it or its folder.

    Raises
    ------
    MissingFileError, ConfigError
        Naming the file and the field.
    """
    found = Path(path)
    file = found / ENTRY_FILE if found.is_dir() else found
    if not file.is_file():
        raise MissingFileError(
            f"no {ENTRY_FILE}" if found.is_dir() else "no such entry",
            where=found,
            remedy=f"name an entry ('group/entry') or a folder with {ENTRY_FILE}",
        )
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read as YAML ({error})", where=file) from error
    if not isinstance(document, dict):
        raise ConfigError("holds no fields", where=file, expected="an entry (see `zoo package`)")
    if document.get("schema_version", 1) != 1:
        raise ConfigError(
            f"schema_version is {document['schema_version']!r}",
            where=file,
            expected="1",
            remedy="update ft_s2a",
        )
    try:
        entry = Entry.model_validate(document)
    except ValidationError as error:
        raise ConfigError(describe(error), where=file) from error
    entry._folder = file.parent.resolve()
    return entry


def entry_yaml(entry: Entry) -> str:
    """Text of ``entry.yaml``; fields that say nothing are left out.

    Examples
    --------
    >>> from ft_s2a.models import Basenji2Config, HeadConfig
    >>> entry = Entry(name="a/b", version="1", summary="A test.", species="none", assembly="none",
    ...     license="MIT", model=Basenji2Config(heads=(HeadConfig(name="tracks", tracks=1),)),
    ...     weights=Weights(file="w.safetensors"),
    ...     tracks=HashedFile(file="tracks.tsv", sha256="0" * 64))
    >>> Entry.model_validate(yaml.safe_load(entry_yaml(entry))) == entry
    True
    """
    document = entry.model_dump(mode="json", exclude_none=True)
    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)
    return text
