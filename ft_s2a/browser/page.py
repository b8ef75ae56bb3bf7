"""Write a local page: igv.js, the data and a table of tracks in one folder that can be served.

Nothing outside the folder is ever asked for: the reference is given inline, the list of public
genomes is switched off, searches go to a local file, and a Content-Security-Policy forbids the
rest.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from ft_s2a.browser.genes import read_genes
from ft_s2a.browser.igv import IgvScript, find_igv
from ft_s2a.browser.limits import quantile_limits
from ft_s2a.browser.manifest import MANIFEST_NAME, Page
from ft_s2a.browser.pairs import OBSERVED_COLOR, TrackPair, entries_of, pair_tracks
from ft_s2a.browser.placing import Placer
from ft_s2a.browser.reference import Reference, first_locus, open_reference, resolve_locus
from ft_s2a.conventions.atomic import atomic_path, refuse_existing
from ft_s2a.conventions.progress import track as progress
from ft_s2a.errors import FtS2aError, OutputExistsError
from ft_s2a.geometry import Interval, format_locus

_log = logging.getLogger(__name__)

_HEIGHT = 76
_SHOWN = 16
_ENDINGS = re.compile(r"(\.(fa|fasta|fna|bw|bigwig|chrom\.sizes))?(\.gz)?$", re.IGNORECASE)
_GENE_COLOR = "rgb(44,62,92)"
# Scripts, data and styles come from the folder only.
POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self' data: blob:; "
    "img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; font-src 'self' data:; "
    "base-uri 'none'; form-action 'none'"
)


def write_page(
    output: str | Path,
    *,
    predicted: str | Path | None = None,
    observed: str | Path | None = None,
    fasta: str | Path | None = None,
    sizes: str | Path | None = None,
    annotation: str | Path | None = None,
    locus: str | None = None,
    tracks: str | Sequence[str] | None = None,
    quantile: float | None = None,
    link: Literal["auto", "copy", "symlink"] = "auto",
    title: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a page that shows predicted over observed tracks.

    Parameters
    ----------
    output : str or Path
        Folder to make.
    predicted, observed : str or Path, optional
        A folder with ``files.tsv``, a track table, or a bigWig; at least one of the two.  Tracks
        are paired by name; see :func:`ft_s2a.browser.pairs.pair_tracks`.
    fasta : str or Path, optional
        The genome, for the sequence; without it only contig lengths are known.
    sizes : str or Path, optional
        ``chrom.sizes`` for a page without FASTA; the default is the contigs of the first bigWig.
    annotation : str or Path, optional
        Genes: BED, GTF or GFF3.  Their names can be searched for.
    locus : str, optional
        First view, ``CHROM`` or ``CHROM:START-END`` (0-based, half-open); the default is where
        the first track begins.
    tracks : str or sequence of str, optional
        Names, wildcards or ``column=value``.
    quantile : float, optional
        Fix the y axis of each pair at this quantile of its signal; the default follows the
        highest value in view.
    link : {'auto', 'copy', 'symlink'}
        How data get into the folder: hard links where possible and else copies, copies, or
        symbolic links (which need the originals to stay where they are).
    title : str, optional
        Heading; the default is the entry and its version.
    overwrite : bool
        Replace an existing page.

    Returns
    -------
    Path
        The folder.  Serve it with :func:`ft_s2a.browser.serve`; opened as a file it stays empty.

    Examples
    --------
    >>> write_page("page", predicted="out", observed="tracks.tsv", fasta="genome.fa",
    ...            annotation="genes.gtf", locus="II:100000-150000")  # doctest: +SKIP
    PosixPath('page')
    """
    target = _check_output(output, overwrite=overwrite)
    pairs = pair_tracks(predicted, observed, tracks)
    reference = open_reference(pairs, fasta=fasta, sizes=sizes)
    view = first_locus(pairs, reference) if locus is None else resolve_locus(locus, reference)
    genes = None
    if annotation is not None:
        genes = read_genes(annotation, reference.sizes, of=reference.name)
    limits: list[tuple[float, float] | None] = [None] * len(pairs)
    if quantile is not None:
        limits = [
            quantile_limits(pair, reference.sizes, quantile)
            for pair in progress(pairs, "y limits", unit="tracks")
        ]
    script = find_igv()

    with atomic_path(target, overwrite=overwrite) as folder:
        folder.mkdir()
        placer = Placer(folder, link)
        igv = _browser_config(reference, view, placer)
        if genes is not None:
            _write(folder / "data" / "genes.bed", [gene.to_bed12() for gene in genes])
            igv["tracks"] = [_gene_config()]
        configs = [
            _pair_config(pair, index, limit, placer)
            for index, (pair, limit) in enumerate(zip(pairs, limits, strict=True))
        ]
        page = Page(
            made_by=_made_by(),
            igv_version=script.version,
            entry=entries_of(pairs),
            igv=igv,
            tracks=tuple(configs),
            shown=tuple(index < _SHOWN for index in range(len(pairs))),
            linked=tuple(placer.linked),
        )
        (folder / MANIFEST_NAME).write_text(page.model_dump_json(indent=1) + "\n", encoding="utf-8")
        _write_assets(folder, script)
        html = _html(page, pairs, title or page.entry or "Tracks", reference, Path(target).name)
        (folder / "index.html").write_text(html, encoding="utf-8")
    _log.info("page with %d tracks, igv.js %s (%s)", len(pairs), script.version, script.source)
    return target


def _check_output(output: str | Path, *, overwrite: bool) -> Path:
    target = refuse_existing(output, overwrite=overwrite)
    if target.is_dir() and any(target.iterdir()) and not (target / MANIFEST_NAME).is_file():
        # Overwriting removes the folder: never one that holds something else.
        raise OutputExistsError(
            f"the folder is no page (it holds no {MANIFEST_NAME})",
            where=target,
            remedy="choose another name, or remove it yourself",
        )
    if target.is_file():
        raise OutputExistsError("is a file", where=target, expected="a folder to make")
    return target


def _browser_config(reference: Reference, view: Interval, placer: Placer) -> dict[str, Any]:
    return {
        "reference": _reference_config(reference, placer),
        "locus": format_locus(view),
        "loadDefaultGenomes": False,
        "queryParametersSupported": False,
        # Names that are neither a locus nor a gene would be asked for at igv.org.
        "search": {"url": "lookup.json?q=$FEATURE$", "type": "json"},
        "showCenterGuideButton": False,
        "showSampleNameButton": False,
        "tracks": [],
    }


def _reference_config(reference: Reference, placer: Placer) -> dict[str, Any]:
    name = _ENDINGS.sub("", reference.name)
    config: dict[str, Any] = {"id": name, "name": name}
    if reference.genome is None:
        rows = [f"{name}\t{length}" for name, length in reference.sizes.items()]
        _write(placer.folder / "data" / "contigs.chrom.sizes", rows)
        return {**config, "format": "chromsizes", "fastaURL": "data/contigs.chrom.sizes"}
    fasta, index = reference.genome.indexed_fasta
    config["fastaURL"] = placer.place(fasta, "data/genome")
    config["indexURL"] = placer.place(index, "data/genome")
    blocks = index.with_suffix(".gzi")
    if fasta.suffix == ".gz":
        config["compressedIndexURL"] = placer.place(blocks, "data/genome")
    return config


def _gene_config() -> dict[str, Any]:
    return {
        "name": "Genes",
        "type": "annotation",
        "format": "bed",
        "url": "data/genes.bed",
        "displayMode": "EXPANDED",
        "searchable": True,
        "color": _GENE_COLOR,
        "order": 0,
        "removable": False,
    }


def _pair_config(
    pair: TrackPair, index: int, limits: tuple[float, float] | None, placer: Placer
) -> dict[str, Any]:
    inner = []
    for file in pair.files:
        kind = "observed" if file is pair.observed else "predicted"
        # Grey is for what lies below a prediction; alone, a track has its own colour.
        colour = OBSERVED_COLOR if kind == "observed" and pair.predicted else file.color
        config: dict[str, Any] = {
            "name": f"{pair.name} ({kind})",
            "type": "wig",
            "format": "bigwig",
            "url": placer.place(file.file, f"data/{kind}", f"{index + 1:04d}"),
            "color": _rgb(colour),
        }
        if limits is not None:
            config |= {"autoscale": False, "min": limits[0], "max": limits[1]}
        inner.append(config)
    outer = {"name": pair.name, "height": _HEIGHT, "order": index + 1}
    if len(inner) == 1:
        return {**inner[0], **outer}
    # A merged track scales all its parts alike, by the highest value in view or as given here.
    config = {**outer, "type": "merged", "alpha": 0.6, "tracks": inner}
    if limits is not None:
        config |= {"autoscale": False, "min": limits[0], "max": limits[1]}
    return config


def _rgb(color: str) -> str:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgb({red},{green},{blue})"


def _made_by() -> str:
    from ft_s2a import __version__

    return f"ft_s2a {__version__}"


def _write(path: Path, rows: Sequence[str]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")


def _asset(name: str) -> str:
    return (resources.files("ft_s2a.browser") / "assets" / name).read_text(encoding="utf-8")


def _write_assets(folder: Path, script: IgvScript) -> None:
    try:
        shutil.copyfile(script.path, folder / "igv.min.js")
        if script.licence is not None:
            shutil.copyfile(script.licence, folder / "igv.LICENSE.txt")
    except OSError as error:
        raise FtS2aError(f"cannot be copied ({error.strerror})", where=script.path) from error
    for name in ("page.js", "page.css"):
        (folder / name).write_text(_asset(name), encoding="utf-8")
    # The answer to every search that igv.js cannot resolve by itself.
    (folder / "lookup.json").write_text(json.dumps([]), encoding="utf-8")


def _about(pair: TrackPair) -> list[str]:
    values = [pair.field(column) for column in ("assay", "cell_type", "units")]
    return [value for value in values if value and value != pair.name]


def _html(
    page: Page, pairs: Sequence[TrackPair], title: str, reference: Reference, folder: str
) -> str:
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    rows = [
        {
            "name": pair.name,
            "color": pair.color,
            "about": _about(pair),
            "kinds": [k for k in ("observed", "predicted") if getattr(pair, k)],
            "shown": shown,
        }
        for pair, shown in zip(pairs, page.shown, strict=True)
    ]
    return environment.from_string(_asset("index.html.j2")).render(
        policy=POLICY,
        title=title,
        rows=rows,
        reference=reference,
        observed_color=OBSERVED_COLOR,
        both=any(pair.predicted and pair.observed for pair in pairs),
        page=page,
        bins=sorted({p.predicted.grid for p in pairs if p.predicted and p.predicted.grid}),
        folder=folder,
    )
