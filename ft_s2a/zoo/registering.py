"""Weights that are published elsewhere become an entry of the zoo, without being fetched."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, cast, get_args
from urllib.parse import unquote, urlsplit

import yaml
from pydantic import ValidationError

from ft_s2a.checkpoint.formats import WeightsFormat, format_of
from ft_s2a.conventions.atomic import atomic_path, write_text
from ft_s2a.conventions.validation import describe
from ft_s2a.data.splits import SPLITS, Splits, splits_to_bed
from ft_s2a.entries import Entry, read_entry
from ft_s2a.entries.schema import (
    ENTRY_FILE,
    HashedFile,
    Training,
    Weights,
    check_heads,
    entry_yaml,
)
from ft_s2a.errors import ConfigError, FormatError, near_miss, require_file
from ft_s2a.genome.regions import read_bed
from ft_s2a.geometry import merge
from ft_s2a.models import ModelConfig, named, parse_config
from ft_s2a.models.config import HeadConfig, head_of
from ft_s2a.tracks import TrackTable, read_targets, read_tracks
from ft_s2a.tracks.joining import join_heads
from ft_s2a.tracks.track import COLUMNS, Track
from ft_s2a.zoo.card import card_fields, check_target
from ft_s2a.zoo.rendering import render

Targets = str | Path | Mapping[str, str | Path]

_TRACKS = "tracks.tsv"
_SPLITS = "splits.bed"


def register(
    entry_dir: str | Path,
    *,
    weights: str,
    config: str | Path | ModelConfig,
    head: str | None = None,
    targets: Targets | None = None,
    tracks: str | Path | None = None,
    transform: str | None = None,
    format: str | None = None,
    sha256: str | None = None,
    bytes: int | None = None,
    mirror_path: str | None = None,
    splits: str | Path | None = None,
    ensemble: Literal["none", "rc"] | None = None,
    procedure: str | None = None,
    name: str | None = None,
    summary: str | None = None,
    species: str | None = None,
    assembly: str | None = None,
    license: str | None = None,
    authors: Sequence[str] | None = None,
    citation: str | None = None,
    version: str | None = None,
    limitations: Sequence[str] | None = None,
    validation: str | None = None,
    overwrite: bool = False,
) -> Entry:
    """Make an entry for weights that are published elsewhere; nothing is fetched.

    Parameters
    ----------
    entry_dir : str or Path
        Folder of the entry, ``.../group/entry``.
    weights : str
        Public address of the weights.
    config : str, Path or ModelConfig
        The network: a name (see :func:`ft_s2a.models.named`), a JSON or YAML file, or a config.
    head : str, optional
        Head that the weights have; may be left out when the config has one.  A config without
        heads gets this one, with as many tracks as the table has.
    targets : str, Path or mapping of head to path, optional
        What the head predicts, in order: a published target table (``targets.txt``); of several
        heads one each, as in ``{"human": "targets_human.txt", "mouse": "targets_mouse.txt"}``.
        The entry gets these heads, whatever others the weights have; a name that several have
        becomes ``<head>.<name>``.
    tracks : str or Path, optional
        A track table instead, of one head or several.
    transform : str, optional
        With `targets`: the published order of operations; guessed from the table by default.
    format : {'safetensors', 'keras-h5', 'enformer-pytorch'}, optional
        By the address's ending, by default.
    sha256 : str, optional
        Hash of the weights.  Without it the entry is *unverified*.
    bytes : int, optional
        Their size.
    mirror_path : str, optional
        Their place under ``FT_S2A_MIRROR``; the default is the path in the address.
    splits : str or Path, optional
        BED whose names are train, valid and test; unknown without.
    ensemble : {'rc', 'none'}, optional
        What predictions average by default: both strands, unless told otherwise.
    procedure : str, optional
        How the network was trained.
    name, summary, species, assembly, license, citation, version, authors, limitations, validation
        What the card says; see :func:`ft_s2a.zoo.package`.
    overwrite : bool
        Replace an existing entry.

    Returns
    -------
    Entry

    Raises
    ------
    FtS2aError
        When config, head, table, address and hash do not fit together, or the entry exists.

    Examples
    --------
    ::

        register(
            "model_zoo/basenji2/human",
            weights="https://storage.googleapis.com/basenji_barnyard2/model_human.h5",
            config="basenji2-kelley2020",
            head="human",
            targets="targets_human.txt",
            license="Apache-2.0",
        )
    """
    target, old = check_target(entry_dir, overwrite=overwrite)
    form = _format(weights, format)
    network, table, where = _network_and_tracks(config, head, targets, tracks, transform)
    check_heads(table, network, where=where)
    text = table.to_tsv(without=("file", *_unused(table)))
    bed = None if splits is None else _splits_text(splits)
    fields = card_fields(
        target,
        old,
        default_summary=f"{network.architecture} for {len(table)} tracks, published elsewhere.",
        name=name,
        summary=summary,
        species=species,
        assembly=assembly,
        license=license,
        authors=authors,
        citation=citation,
        version=version,
        limitations=limitations,
        validation=validation,
    )
    try:
        entry = Entry.model_validate(
            {
                **fields,
                "model": network,
                "weights": Weights(
                    format=form,
                    url=weights,
                    path=mirror_path or _mirror_path(weights),
                    sha256=sha256 and sha256.lower(),
                    bytes=bytes,
                ),
                "tracks": _hashed(_TRACKS, text),
                "splits": "unknown" if bed is None else _hashed(_SPLITS, bed),
                "ensemble": ensemble or (old.ensemble if old is not None else "rc"),
                "training": Training(procedure=procedure or ""),
            }
        )
    except ValidationError as error:
        raise ConfigError(describe(error), where=target) from error
    with atomic_path(target, overwrite=overwrite) as folder:
        folder.mkdir()
        write_text(folder / _TRACKS, text)
        if bed is not None:
            write_text(folder / _SPLITS, bed)
        write_text(folder / ENTRY_FILE, entry_yaml(entry))
        render(folder)
    return read_entry(target)


def _format(address: str, stated: str | None) -> WeightsFormat:
    parts = urlsplit(address)
    if not parts.scheme or not parts.path.strip("/"):
        raise ConfigError(
            "is no address of weights",
            where=address,
            expected="for example https://host/folder/model.h5",
            remedy="`ft-s2a zoo package` makes an entry of a run on this machine",
        )
    known = get_args(WeightsFormat)
    if stated is not None and stated not in known:
        raise ConfigError(f"format {stated!r}", where=address, remedy=near_miss(stated, known))
    found = stated or format_of(parts.path)
    if found is None:
        raise ConfigError(
            "the format of the weights is unknown",
            where=address,
            remedy=f"state it (--format): {' or '.join(known)}",
        )
    return cast(WeightsFormat, found)


def _network_and_tracks(
    config: str | Path | ModelConfig,
    head: str | None,
    targets: Targets | None,
    tracks: str | Path | None,
    transform: str | None,
) -> tuple[ModelConfig, TrackTable, str | Path]:
    """Config with the heads that the entry has, their tracks, and where these stand."""
    network = _config(config)
    if (targets is None) == (tracks is None):
        raise ConfigError(
            "one table of the tracks is needed",
            remedy="name a published target table (--targets) or a track table (--tracks)",
        )
    if tracks is not None:
        if transform is not None:
            raise ConfigError(
                "a track table states its transforms", remedy="leave out the transform"
            )
        table, where = read_tracks(tracks), tracks
        wanted = (head,) if head is not None else table.heads
    else:
        assert targets is not None
        by_head = _by_head(network, head, targets)
        table = join_heads(
            [read_targets(path, transform=transform, head=name) for name, path in by_head.items()]
        )
        where = ", ".join(map(str, by_head.values()))
        wanted = tuple(by_head)
    if not network.heads:
        counts = {name: sum(track.head == name for track in table) for name in wanted}
        heads = [HeadConfig(name=name, tracks=max(1, count)) for name, count in counts.items()]
    elif tracks is not None and head is None:
        heads = list(network.heads)
    else:
        heads = [head_of(network, name) for name in wanted]
    return network.with_heads(heads), table, where


def _by_head(network: ModelConfig, head: str | None, targets: Targets) -> dict[str, str | Path]:
    """Target table of each head, in the config's order."""
    known = [each.name for each in network.heads]
    if isinstance(targets, Mapping):
        if head is not None:
            raise ConfigError(
                "the target tables name their heads", remedy="leave out the head (--head)"
            )
        if not targets:
            raise ConfigError("no target table is named", remedy="name one for each head")
        for name in targets:
            if known:
                head_of(network, name)  # explains what is wrong
        return {name: targets[name] for name in known or targets if name in targets}
    if head is not None:
        if known:
            head_of(network, head)
        return {head: targets}
    if len(known) != 1:
        raise ConfigError(
            f"the config has the heads {', '.join(known)}" if known else "the config has no head",
            remedy="name that of the weights (--head), or give each head its table "
            "(--targets HEAD=TABLE)",
        )
    return {known[0]: targets}


def _config(config: str | Path | ModelConfig) -> ModelConfig:
    """Give a config, a named one, or one read from a file."""
    if not isinstance(config, (str, Path)):
        return config
    path = Path(config)
    if isinstance(config, str) and path.suffix not in (".json", ".yaml", ".yml"):
        return named(config)
    try:
        document = yaml.safe_load(require_file(path, "config").read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FormatError(f"cannot be read as JSON or YAML ({error})", where=path) from error
    if not isinstance(document, dict):
        raise FormatError("is not a config", where=path, expected="an object")
    return parse_config(document, where=str(path))


def _unused(table: TrackTable) -> list[str]:
    """Columns that say nothing but the default, or nothing new: tables of thousands stay small."""
    default = Track("default")
    unused = [
        column
        for column in COLUMNS
        if column not in ("name", "head", "file")
        and all(getattr(track, column) == getattr(default, column) for track in table)
    ]
    if all(track.description == f"{track.assay}:{track.cell_type}" for track in table):
        unused.append("description")
    return unused


def _mirror_path(address: str) -> str:
    return unquote(urlsplit(address).path).lstrip("/")


def _splits_text(path: str | Path) -> str:
    """Splits of a BED file, windows of one split that overlap or touch joined."""
    splits: Splits = {}
    for interval in read_bed(path):
        if interval.name not in SPLITS:
            raise FormatError(
                f"a split is called {interval.name!r}", where=path, expected=", ".join(SPLITS)
            )
        splits.setdefault(interval.name, []).append(interval)
    return splits_to_bed({name: merge(kept) for name, kept in splits.items()})


def _hashed(name: str, text: str) -> HashedFile:
    return HashedFile(file=name, sha256=hashlib.sha256(text.encode()).hexdigest())
