"""Sequence, contigs, regions, annotation and the only bigWig reader and writer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ft_s2a.conventions.lazy import attach

if TYPE_CHECKING:
    from ft_s2a.genome.annotation import read_tss as read_tss
    from ft_s2a.genome.bigwig import BigWig as BigWig
    from ft_s2a.genome.bigwig import write_bigwig as write_bigwig
    from ft_s2a.genome.contigs import check_contig as check_contig
    from ft_s2a.genome.contigs import check_sizes as check_sizes
    from ft_s2a.genome.contigs import read_sizes as read_sizes
    from ft_s2a.genome.fasta import Genome as Genome
    from ft_s2a.genome.lengths import contig_lengths as contig_lengths
    from ft_s2a.genome.regions import read_bed as read_bed
    from ft_s2a.genome.regions import resolve_regions as resolve_regions

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "BigWig": "bigwig",
        "Genome": "fasta",
        "check_contig": "contigs",
        "check_sizes": "contigs",
        "contig_lengths": "lengths",
        "read_bed": "regions",
        "read_sizes": "contigs",
        "read_tss": "annotation",
        "resolve_regions": "regions",
        "write_bigwig": "bigwig",
    },
)
