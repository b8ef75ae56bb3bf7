"""Which windows predict which regions: one grid per region, every base exactly once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ft_s2a.errors import ContigError, GeometryError
from ft_s2a.genome.contigs import check_contig
from ft_s2a.geometry import Geometry, Interval, count_bins


@dataclass(frozen=True)
class Piece:
    """A region and its windows: outputs start at `starts`, only `bins` bins in all are kept."""

    region: Interval
    starts: tuple[int, ...]
    bins: int


def plan(
    regions: Sequence[Interval],
    sizes: Mapping[str, int],
    geometry: Geometry,
    *,
    centre: bool = False,
) -> list[Piece]:
    """Lay windows over regions, in genome order.

    Ends are rounded up to whole bins of the region's own grid (at a contig's end the last bin is
    cut); regions that then overlap are joined, on the grid of the first, since a base has one
    value.

    Parameters
    ----------
    regions : sequence of Interval
        At least one, inside their contigs.
    sizes : mapping of str to int
        Contig lengths in genome order.
    geometry : Geometry
    centre : bool
        One window around each region's centre instead of the region itself; before a contig's
        start there is nothing to predict, so a window that would begin there is moved right.

    Returns
    -------
    list of Piece
        They share no base.

    Raises
    ------
    GeometryError
        Without a region.
    ContigError
        When one lies on no contig, or past its end.

    Examples
    --------
    >>> geometry = Geometry(512, 128, 1)
    >>> plan([Interval("I", 100, 500)], {"I": 600}, geometry)[0].starts
    (100, 356)
    """
    if not regions:
        raise GeometryError("no region to predict", expected="at least one")
    order = {name: index for index, name in enumerate(sizes)}
    for region in regions:
        length = check_contig(region.chrom, sizes, where=f"region {region}", of="the FASTA")
        if region.start < 0 or region.end > length:
            raise ContigError(
                f"the region {region} reaches past {region.chrom!r}",
                expected=f"positions in 0-{length}",
            )
    wanted = [_centred(r, geometry) if centre else r for r in regions]
    wanted.sort(key=lambda r: (order[r.chrom], r.start, r.end))
    joined: list[Interval] = []
    for region in wanted:
        rounded = _rounded(max(0, region.start), region.end, region.chrom, sizes, geometry)
        last = joined[-1] if joined else None
        if last is not None and last.chrom == rounded.chrom and rounded.start < last.end:
            end = max(last.end, rounded.end)
            joined[-1] = _rounded(last.start, end, last.chrom, sizes, geometry)
        else:
            joined.append(rounded)
    return [
        Piece(
            region,
            tuple(geometry.tile(region.start, region.end)),
            count_bins(region.start, region.end, geometry.bin_size),
        )
        for region in joined
    ]


def _rounded(
    start: int, end: int, chrom: str, sizes: Mapping[str, int], geometry: Geometry
) -> Interval:
    whole = start + count_bins(start, end, geometry.bin_size) * geometry.bin_size
    return Interval(chrom, start, min(whole, sizes[chrom]))


def _centred(region: Interval, geometry: Geometry) -> Interval:
    start = geometry.centred_on(region.centre)
    return Interval(region.chrom, start, start + geometry.output_length)
