"""Homologous blocks stay together, against a search base by base."""

from __future__ import annotations

import gzip
import logging
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from ft_s2a.data.blocks import Block
from ft_s2a.data.homology import COLUMNS, Aligned, connect, crossing, read_aligned
from ft_s2a.data.partition import Partition, split_genomes
from ft_s2a.errors import ContigError, DataError, FormatError, FtS2aError
from ft_s2a.geometry import Interval

GENOMES = {"man": {"1": 4000, "2": 2500}, "mouse": {"c1": 3000, "c2": 1200, "c3": 900}}


def random_pairs(seed: int, number: int, longest: int = 120) -> list[Aligned]:
    random = np.random.default_rng(seed)

    def side(genome: str) -> tuple[str, Interval]:
        chrom = str(random.choice(list(GENOMES[genome])))
        start = int(random.integers(0, GENOMES[genome][chrom] - longest))
        return genome, Interval(chrom, start, start + int(random.integers(1, longest)))

    names = [("man", "mouse"), ("mouse", "man"), ("man", "man")]
    return [
        Aligned(side(a), side(b)) for a, b in (names[random.integers(3)] for _ in range(number))
    ]


def random_blocks(seed: int) -> list[Block]:
    random = np.random.default_rng(seed)
    blocks = []
    for genome, sizes in GENOMES.items():
        for chrom, length in sizes.items():
            start = 0
            while start + 160 < length:
                end = start + int(random.integers(60, 150))
                blocks.append(Block(genome, Interval(chrom, start, end)))
                start = end + int(random.choice([0, 0, 17]))
    return blocks


def by_bases(
    blocks: list[Block], pairs: list[Aligned], min_aligned: int, min_overlap: int
) -> set[frozenset[int]]:
    """Connected components by the bases that are shared: slow, and without a clever step."""
    bases = [
        {(b.genome, b.interval.chrom, p) for p in range(b.interval.start, b.interval.end)}
        for b in blocks
    ]
    links: dict[int, set[int]] = defaultdict(set)
    for pair in pairs:
        sides = []
        for genome, interval in (pair.a, pair.b):
            covered = {(genome, interval.chrom, p) for p in range(interval.start, interval.end)}
            sides.append({i for i, own in enumerate(bases) if len(own & covered) >= min_overlap})
        long_enough = min(len(pair.a[1]), len(pair.b[1])) >= min_aligned
        if all(sides) and long_enough:
            for index in sides[0] | sides[1]:
                links[index] |= sides[0] | sides[1]
    found, seen = set(), set()
    for start in range(len(blocks)):
        if start in seen:
            continue
        group, todo = set(), [start]
        while todo:
            index = todo.pop()
            if index not in group:
                group.add(index)
                todo += links[index]
        seen |= group
        found.add(frozenset(group))
    return found


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("min_aligned", "min_overlap"), [(0, 1), (60, 1), (30, 40)])
def test_groups_are_the_components_of_the_shared_bases(
    seed: int, min_aligned: int, min_overlap: int
) -> None:
    blocks, pairs = random_blocks(seed), random_pairs(seed, 5 + 4 * seed)
    found = connect(blocks, pairs, min_aligned=min_aligned, min_overlap=min_overlap)
    assert sorted(index for group in found for index in group) == list(range(len(blocks)))
    assert [group[0] for group in found] == sorted(group[0] for group in found)
    assert {frozenset(g) for g in found} == by_bases(blocks, pairs, min_aligned, min_overlap)
    # The order of the table does not matter.
    assert connect(blocks, pairs[::-1], min_aligned=min_aligned, min_overlap=min_overlap) == found


def test_a_partner_outside_all_blocks_connects_nothing() -> None:
    blocks = [Block("man", Interval("1", s, s + 10)) for s in (0, 10)]
    aligned = [Aligned(("man", Interval("1", 5, 15)), ("mouse", Interval("c1", 0, 9)))]
    assert connect(blocks, aligned) == [[0], [1]]
    # A whole chain: 0 - 2 by one pair, 2 - 1 by another.
    blocks.append(Block("mouse", Interval("c1", 0, 10)))
    aligned = [
        Aligned(("man", Interval("1", 0, 5)), ("mouse", Interval("c1", 0, 5))),
        Aligned(("mouse", Interval("c1", 9, 10)), ("man", Interval("1", 19, 20))),
    ]
    assert connect(blocks, aligned) == [[0, 1, 2]]


def write_table(path: Path, pairs: list[Aligned]) -> Path:
    rows = ["\t".join(COLUMNS)]
    rows += [
        "\t".join(str(v) for g, i in (p.a, p.b) for v in (g, i.chrom, i.start, i.end))
        for p in pairs
    ]
    path.write_text("\n".join(rows) + "\n")
    return path


def sizes_files(folder: Path) -> dict[str, Path]:
    files = {}
    for genome, sizes in GENOMES.items():
        files[genome] = folder / f"{genome}.sizes"
        files[genome].write_text("".join(f"{c}\t{n}\n" for c, n in sizes.items()))
    return files


def labels_of(partition: Partition) -> dict[tuple[str, str, int], str]:
    found: dict[tuple[str, str, int], str] = {}
    for genome, splits in partition.splits.items():
        for name, kept in splits.items():
            for interval in kept:
                for position in range(interval.start, interval.end):
                    key = (genome, interval.chrom, position)
                    assert key not in found
                    found[key] = name
    return found


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("folds", [None, 3])
def test_no_aligned_pair_crosses_splits(tmp_path: Path, seed: int, folds: int | None) -> None:
    pairs = random_pairs(seed, 25, longest=60)
    # Dense blocks: the least lengths leave no contig out.
    partition = split_genomes(
        sizes_files(tmp_path),
        connected=write_table(tmp_path / "aligned.tsv", pairs),
        folds=folds, shortest=20, longest=60, min_aligned=15, seed=seed,
    )  # fmt: skip
    labels = labels_of(partition)
    assert len(labels) == sum(sum(sizes.values()) for sizes in GENOMES.values())
    crossed = 0
    for pair in pairs:
        touched = {
            labels[genome, interval.chrom, position]
            for genome, interval in (pair.a, pair.b)
            for position in range(interval.start, interval.end)
        }
        crossed += len(touched) > 1
        if len(pair) >= 15:
            assert len(touched) == 1, pair
    assert partition.crossing == crossed
    assert len(set(labels.values())) == 3
    assert partition.components < partition.blocks
    for name in ("valid", "test") if folds is None else ():
        share = sum(label == name for label in labels.values()) / len(labels)
        assert 0.05 < share <= 0.1
    # The same again, and another choice with another seed.
    options = {"connected": tmp_path / "aligned.tsv", "folds": folds, "shortest": 20, "longest": 60,
               "min_aligned": 15}  # fmt: skip
    genomes = sizes_files(tmp_path)
    assert split_genomes(genomes, seed=seed, **options).splits == partition.splits  # type: ignore[arg-type]
    assert split_genomes(genomes, seed=seed + 1, **options).splits != partition.splits  # type: ignore[arg-type]


def test_genomes_without_a_table_are_split_each_on_its_own(tmp_path: Path) -> None:
    files = sizes_files(tmp_path)
    both = split_genomes(files, shortest=10, longest=50, valid=0.2, test=0.1)
    alone = split_genomes({"man": files["man"]}, shortest=10, longest=50, valid=0.2, test=0.1)
    assert both.splits["man"] == alone.splits["man"]
    shares = {(r["genome"], r["split"]): r["share"] for r in both.rows()}
    for genome in GENOMES:
        assert shares[genome, "valid"] == pytest.approx(0.2, abs=0.02)
        assert shares[genome, "test"] == pytest.approx(0.1, abs=0.02)


def test_a_component_larger_than_a_split_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pair = Aligned(("man", Interval("1", 0, 4000)), ("mouse", Interval("c1", 0, 3000)))
    table = write_table(tmp_path / "a.tsv", [pair])
    options = {"connected": table, "shortest": 20, "longest": 60, "min_aligned": 1}
    with caplog.at_level(logging.INFO, logger="ft_s2a"):
        found = split_genomes(sizes_files(tmp_path), **options)  # type: ignore[arg-type]
    # All blocks but those of 2, c2 and c3 (2500 + 1200 + 900 bp) are one component.
    assert found.largest == pytest.approx(7000 / 11600)
    (warning,) = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert "component holds 60.3 % of the bp, more than a split is to have (10 %)" in warning
    # With a threshold it is not connected, and crosses.
    options["min_aligned"] = 3001
    assert split_genomes(sizes_files(tmp_path), **options).crossing == 1  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("row", "kind", "message"),
    [
        ("rat 1 0 5 mouse c1 0 5", DataError, "row 3: genome 'rat' is not named by --genome"),
        ("man chr1 0 5 mouse c1 0 5", ContigError, "row 3: contig 'chr1' is not in genome 'man'"),
        ("man 1 0 5 mouse c9 0 5", ContigError, "row 3: contig 'c9' is not in genome 'mouse'"),
        ("man 1 0 4001 mouse c1 0 5", ContigError, "row 3: 1:0-4001 reaches past the end of '1'"),
        ("man 1 5 5 mouse c1 0 5", FormatError, "row 3: start_a '5' and end_a '5'; expected 0 <="),
        ("man 1 0 5 mouse c1 -1 5", FormatError, "row 3: start_b '-1' and end_b '5'"),
        ("man 1 0 5 mouse c1 0 5.0", FormatError, "row 3: start_b '0' and end_b '5.0'"),
        ("man 1 0 5", DataError, "row 3: genome '' is not named by --genome"),
        ("man 1 0 5 mouse c1 0 5 9", FormatError, "row 3 has 9 cells"),
    ],
)
def test_mistakes_in_the_table_are_explained(
    tmp_path: Path, row: str, kind: type[FtS2aError], message: str
) -> None:
    good = "man 1 0 5 mouse c1 0 5"
    table = tmp_path / "aligned.tsv.gz"
    text = "\n".join(["\t".join(COLUMNS), *(r.replace(" ", "\t") for r in (good, row))])
    table.write_bytes(gzip.compress(text.encode()))
    with pytest.raises(kind) as caught:
        read_aligned(table, GENOMES)
    assert message in str(caught.value)
    assert "aligned.tsv.gz" in str(caught.value)


def test_a_table_without_its_header_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "a.tsv"
    table.write_text("man\t1\t0\t5\tmouse\tc1\t0\t5\n")
    with pytest.raises(FormatError, match=r"a.tsv: unknown column 'man'; "):
        read_aligned(table, GENOMES)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"valid": -0.1}, "--valid -0.1; expected a fraction from 0 to below 1"),
        ({"test": 1.0}, "--test 1; expected a fraction"),
        ({"valid": float("nan")}, "--valid nan; expected"),
        ({"valid": 0.5, "test": 0.5}, "expected fractions that leave some for training"),
        ({"valid": 0.0, "test": 0.0}, "not both 0"),
        ({"folds": 1}, "--folds 1; expected 2 or more"),
        ({"folds": 900}, "nothing is left for fold"),
        ({"seed": -1}, "seed -1"),
        ({"min_overlap": 0}, "min-overlap 0"),
        ({"gaps": {"men": "x.bed"}}, "--gaps: gaps of genome 'men', which --genome does not name"),
        ({"shortest": 5000, "longest": 10_000}, "man.sizes: no contig is long enough"),
        ({"test": 0.001}, "man: nothing is left for test: of 192 blocks the smallest has 31 bp"),
    ],
)
def test_choices_that_cannot_be(tmp_path: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(DataError) as caught:
        split_genomes(sizes_files(tmp_path), **{"shortest": 20, "longest": 60, **options})  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_crossing_pairs_are_counted() -> None:
    blocks = [Block("man", Interval("1", s, s + 10)) for s in (0, 10, 20)]
    pairs = [
        Aligned(("man", Interval("1", 0, 5)), ("man", Interval("1", 12, 15))),
        Aligned(("man", Interval("1", 8, 12)), ("man", Interval("1", 12, 15))),
        Aligned(("man", Interval("1", 8, 12)), ("man", Interval("1", 90, 95))),  # no partner
        Aligned(("man", Interval("1", 0, 3)), ("man", Interval("1", 25, 26))),  # one split
    ]
    assert crossing(pairs, blocks, ["train", "test", "train"]) == (2, 5 + 4)
