"""A run folder becomes an entry of the zoo."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from ft_s2a.checkpoint import read_config
from ft_s2a.conventions.atomic import atomic_path, write_text
from ft_s2a.conventions.hashing import sha256_file
from ft_s2a.conventions.validation import describe
from ft_s2a.entries import Entry, Score, read_entry
from ft_s2a.entries.schema import (
    ENTRY_FILE,
    Contig,
    Example,
    HashedFile,
    Training,
    Weights,
    check_heads,
    entry_yaml,
)
from ft_s2a.errors import ConfigError, FormatError, MissingFileError, require_file
from ft_s2a.models.config import ModelConfig, head_of
from ft_s2a.tracks import TrackTable, read_tracks
from ft_s2a.zoo import example as examples
from ft_s2a.zoo.card import card_fields, check_target
from ft_s2a.zoo.rendering import render
from ft_s2a.zoo.scores import condense, read_scores, validation_scores

_log = logging.getLogger(__name__)

_WEIGHTS = "weights.safetensors"
_SPLITS = "splits.bed"
# Larger predictions of the example are no tiny file any more: the entry goes without.
_EXAMPLE_BYTES = 5_000_000


def package(
    run_dir: str | Path,
    entry_dir: str | Path,
    *,
    head: str | None = None,
    name: str | None = None,
    summary: str | None = None,
    species: str | None = None,
    assembly: str | None = None,
    license: str | None = None,
    authors: Sequence[str] | None = None,
    citation: str | None = None,
    version: str | None = None,
    limitations: Sequence[str] | None = None,
    scores: str | Path | Sequence[Score] | None = None,
    validation: str | None = None,
    overwrite: bool = False,
) -> Entry:
    """Make an entry from a run folder.

    The entry holds the weights, the tables, a tiny random example with the predictions that the
    weights give for it, and the rendered files.  The whole folder appears at once.

    Parameters
    ----------
    run_dir : str or Path
        Written by training: ``weights.safetensors`` and ``tracks.tsv``, and where present
        ``splits.bed``, ``recipe.yaml`` and ``provenance.json``.
    entry_dir : str or Path
        Folder of the entry, ``.../group/entry``.
    head : str, optional
        Of a run with several heads, take this one only: its best weights, its tracks, and the
        splits of its data.  Without it the entry has all heads.
    name : str, optional
        Name of the entry; the default is the last two parts of `entry_dir`.
    summary, species, assembly, license, citation, version, authors, limitations, validation
        What the card says.  What is not given is kept from an entry that is overwritten; else
        the summary comes from the recipe and the rest is "unstated".
    scores : path or sequence of Score, optional
        ``positions.json`` of ``ft-s2a evaluate positions``, or scores; the default is the run's
        validation.
    overwrite : bool
        Replace an existing entry; its whole folder is written anew.

    Returns
    -------
    Entry

    Raises
    ------
    FtS2aError
        When the run folder is incomplete, or the entry exists already.

    Examples
    --------
    ::

        package("runs/yeast", "model_zoo/yeast/basenji2", license="MIT")
    """
    run = require_file(run_dir, "run folder")
    target, old = check_target(entry_dir, overwrite=overwrite)
    weights, config = _weights(run, head)
    table = read_tracks(_need(run, "tracks.tsv"))
    if head is not None:
        table = table.for_head(head)
    check_heads(table, config, where=run / "tracks.tsv")
    recipe, provenance = _recipe(run), _of_head(_provenance(run), head)
    splits = _splits(run, head)
    fields = card_fields(
        target,
        old,
        default_summary=recipe.get("summary") or f"{config.architecture} for {len(table)} tracks.",
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
    text = table.to_tsv(without=("file",))
    digest = hashlib.sha256(text.encode()).hexdigest()
    try:
        entry = Entry.model_validate(
            {
                **fields,
                "model": config,
                "weights": Weights(
                    file=_WEIGHTS,
                    sha256=sha256_file(weights),
                    bytes=weights.stat().st_size,
                ),
                "tracks": HashedFile(file="tracks.tsv", sha256=digest),
                "splits": "unknown"
                if splits is None
                else HashedFile(file=_SPLITS, sha256=sha256_file(splits)),
                "training": _training(recipe, provenance),
                "scores": condense(_scores(scores, splits, provenance, recipe, table), table),
            }
        )
    except ValidationError as error:
        raise ConfigError(describe(error), where=target) from error
    with atomic_path(target, overwrite=overwrite) as folder:
        folder.mkdir()
        shutil.copyfile(weights, folder / _WEIGHTS)
        write_text(folder / "tracks.tsv", text)
        if splits is not None:
            shutil.copyfile(splits, folder / _SPLITS)
        write_text(folder / ENTRY_FILE, entry_yaml(entry))
        if _has_small_example(entry):
            entry = entry.model_copy(update={"example": _example(folder, entry)})
            write_text(folder / ENTRY_FILE, entry_yaml(entry), overwrite=True)
        render(folder)
    return read_entry(target)


def _need(run: Path, name: str) -> Path:
    if not (run / name).is_file():
        raise MissingFileError(
            f"the run folder has no {name}", where=run, remedy="train it to its end first"
        )
    return run / name


def _weights(run: Path, head: str | None) -> tuple[Path, ModelConfig]:
    """Weights of a run and their config: of all heads, or those that suit one head best."""
    if head is not None and (run / f"weights.{head}.safetensors").is_file():
        path = run / f"weights.{head}.safetensors"
        return path, read_config(path)
    path = _need(run, _WEIGHTS)
    config = read_config(path)
    if head is not None:
        head_of(config, head)  # explains an unknown one
        if len(config.heads) > 1:
            _need(run, f"weights.{head}.safetensors")
    return path, config


def _splits(run: Path, head: str | None) -> Path | None:
    names = [_SPLITS] if head is None else [f"splits.{head}.bed", _SPLITS]
    found = next((run / name for name in names if (run / name).is_file()), None)
    if found is None:
        several = sorted(path.name for path in run.glob("splits.*.bed"))
        _log.warning(
            "%s: the entry's splits are unknown%s",
            f"{run} has no {_SPLITS}" + (f", but {', '.join(several)}" if several else ""),
            " (package one head with --head to keep its own)" if several else "",
        )
    return found


def _recipe(run: Path) -> dict[str, Any]:
    path = run / "recipe.yaml"
    if not path.is_file():
        return {}
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise FormatError(f"cannot be read as YAML ({error})", where=path) from error
    return document if isinstance(document, dict) else {}


def _provenance(run: Path) -> dict[str, Any]:
    path = run / "provenance.json"
    if not path.is_file():
        _log.warning("%s has no provenance.json: the entry will not say how it was trained", run)
        return {}
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise FormatError(f"cannot be read as JSON ({error})", where=path) from error
    return document if isinstance(document, dict) else {}


def _of_head(provenance: dict[str, Any], head: str | None) -> dict[str, Any]:
    """What the provenance says of one head, where it tells several apart."""
    data, heads = provenance.get("data") or {}, provenance.get("heads") or {}
    several = bool(data) and "checksum" not in data
    if head is not None:
        data = data.get(head, {}) if several else data
        return {**provenance, **heads.get(head, {}), "data": data}
    if several:
        # Contigs of two genomes may have the same names: they are left out.
        data = {"name": ", ".join(f"{key}: {value.get('name')}" for key, value in data.items())}
    return {**provenance, "data": data}


def _training(recipe: dict[str, Any], provenance: dict[str, Any]) -> Training:
    data = provenance.get("data") or {}
    return Training(
        procedure=_procedure(recipe, provenance),
        data=str(data.get("name") or ""),
        data_sha256=data.get("checksum"),
        contigs={
            name: Contig(length=contig["length"], md5=contig.get("md5"))
            for name, contig in (data.get("contigs") or {}).items()
        },
        seed=provenance.get("seed"),
        steps=provenance.get("steps"),
        best_step=provenance.get("best_step"),
        # The network is stated once, in `model`.
        recipe={key: value for key, value in recipe.items() if key not in ("model", "summary")},
        versions=provenance.get("versions") or {},
    )


def _procedure(recipe: dict[str, Any], provenance: dict[str, Any]) -> str:
    if not provenance.get("steps"):
        return ""
    loss = "Poisson loss"
    if recipe.get("track_weights") == "null_deviance":
        loss += ", each track weighted by 1 / its null deviance"
    averaged = ", averaged weights (EMA)" if recipe.get("ema_decay") else ""
    kept = (
        "the last weights were kept"
        if recipe.get("validation", {}).get("keep") == "last"
        else f"the best of the steps validated (step {provenance.get('best_step')}) was kept"
    )
    return f"{provenance['steps']} steps, {loss}{averaged}; {kept}."


def _scores(
    given: str | Path | Sequence[Score] | None,
    splits: Path | None,
    provenance: dict[str, Any],
    recipe: dict[str, Any],
    table: TrackTable,
) -> tuple[Score, ...]:
    if given is None:
        return validation_scores(provenance, recipe, table.heads)
    if isinstance(given, (str, Path)):
        return read_scores(given, splits)
    return tuple(given)


def _hashed(folder: Path, name: str) -> HashedFile:
    return HashedFile(file=name, sha256=sha256_file(folder / name))


def _has_small_example(entry: Entry) -> bool:
    size = examples.WINDOWS * entry.model.geometry.output_bins * entry.track_count * 4
    if size > _EXAMPLE_BYTES:
        _log.warning("the entry gets no example: its predictions would take %.0f MB", size / 1e6)
    return size <= _EXAMPLE_BYTES


def _example(folder: Path, entry: Entry) -> Example:
    """Write the example and what the weights predict for it."""
    from ft_s2a.zoo.expectation import predict_example, write_expectation

    examples.write_example(folder, entry.model.geometry)
    inputs, predictions = predict_example(folder, examples.INTERVALS, examples.FASTA)
    write_expectation(folder / examples.EXPECT, inputs, predictions)
    return Example(
        fasta=_hashed(folder, examples.FASTA),
        intervals=_hashed(folder, examples.INTERVALS),
        expect=_hashed(folder, examples.EXPECT),
        precision_decimal=examples.precision_decimal(predictions),
    )
