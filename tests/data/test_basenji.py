"""Published data sets: every fixture read exactly, resumed conversions, all that can be wrong."""

from __future__ import annotations

import gzip
import json
import pickle
import shutil
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ft_s2a.data import TrackDataset, basenji_conversion, from_basenji
from ft_s2a.data.store import open_store, read_unmappable
from ft_s2a.data.summary import describe_set, summarise_splits
from ft_s2a.data.tfrecord import example, write_records
from ft_s2a.errors import (
    ConfigError,
    ContigError,
    DataError,
    FormatError,
    FtS2aError,
    GeometryError,
    MissingFileError,
    OutputExistsError,
    TrackError,
)
from ft_s2a.genome.sequence import decode, encode
from ft_s2a.geometry import Geometry

Make = Callable[..., SimpleNamespace]


def targets_of(data: TrackDataset) -> NDArray[Any]:
    return np.stack([data.targets(index) for index in range(len(data))])


def codes_of(data: TrackDataset) -> NDArray[np.uint8]:
    return np.stack([data[index][0] for index in range(len(data))])


@pytest.fixture
def assembly(tmp_path: Path) -> Callable[..., Path]:
    """Write a FASTA in which the windows' sequences stand where sequences.bed says."""

    def write(source: SimpleNamespace, *, name: str = "chr1", length: int = 5000) -> Path:
        random = np.random.default_rng(1)
        contig = random.integers(0, 4, length).astype(np.uint8)
        for start, codes in zip(source.starts, source.codes, strict=True):
            contig[start : start + len(codes)] = codes
        path = tmp_path / f"{name}.{length}.fa"
        path.write_text(f">{name}\n{decode(contig)}\n")
        return path

    return write


# The fixtures


def oracle(mirror: Path, name: str) -> Path:
    folder = mirror.parent / "oracles" / "basenji2_tfrecords" / name
    if not folder.is_dir():
        pytest.skip(f"oracle: {folder} is missing")
    return folder


@pytest.mark.real_data
@pytest.mark.parametrize(
    "name",
    [
        "human_paper2020",
        "mouse_paper2020",
        "human_head",
        "human_published_naming",
        "folds_head_umap",
        "pipeline/out_basenji",
        "pipeline/out_basenji_2020",
    ],
)
def test_fixtures_of_basenji_are_read_exactly(mirror: Path, tmp_path: Path, name: str) -> None:
    folder = oracle(mirror, name)
    expected = np.load(folder / "expected.npz")
    rows = [line.split() for line in (folder / "sequences.bed").read_text().splitlines()]
    labels = [row[3] for row in rows]
    folds = "test=fold2,valid=fold1,train=rest" if "fold0" in labels else None
    data = from_basenji(folder, tmp_path / "set.zarr", folds=folds)
    mask = read_unmappable(open_store(data.path)[0])
    for label in dict.fromkeys(labels):
        chosen = [index for index, known in enumerate(labels) if known == label]
        np.testing.assert_array_equal(targets_of(data)[chosen], expected[f"{label}_target"])
        np.testing.assert_array_equal(codes_of(data)[chosen], expected[f"{label}_seq_index"])
        if f"{label}_umap" in expected.files:
            assert mask is not None
            np.testing.assert_array_equal(mask[chosen], expected[f"{label}_umap"])
    statistics = json.loads((folder / "statistics.json").read_text())
    geometry = data.geometry
    assert geometry.input_length == statistics["seq_length"]
    assert geometry.crop == statistics["crop_bp"]
    cropped = int(rows[0][2]) - int(rows[0][1]) == geometry.output_length
    left = 0 if cropped else geometry.crop
    assert data.windows["start"].tolist() == [int(row[1]) + left for row in rows]
    splits = {"fold2": "test", "fold1": "valid", "fold0": "train"}
    assert data.windows["split"].tolist() == [splits.get(label, label) for label in labels]


@pytest.mark.real_data
@pytest.mark.parametrize(("name", "head", "tracks"), [("hg38", "human", 74), ("mm10", "mouse", 32)])
def test_real_sets_are_read_exactly(
    mirror: Path, tmp_path: Path, name: str, head: str, tracks: int
) -> None:
    folder = mirror / "calico_tiny" / name
    if not folder.is_dir():
        pytest.skip(f"real data: {folder} is missing")
    data = from_basenji(folder, tmp_path / "set.zarr", head=head)
    assert data.tracks.heads == (head,)
    assert len(data.tracks) == tracks
    assert data.geometry == Geometry(131_072, 32, 1024)
    with gzip.open(folder / "windows_131072.fa.gz", "rt") as handle:
        written = handle.read().split(">")[1:]
    assert len(written) == len(data)
    sequences = {}
    for entry in written:
        head_line, _, letters = entry.partition("\n")
        split, target = head_line.split()[1:]
        sequences[target.removeprefix("target=")] = (split, letters.replace("\n", ""))
    for index, row in enumerate(data.windows.itertuples()):
        split, letters = sequences[f"{row.chrom}:{row.start}-{row.end}"]
        assert row.split == split
        np.testing.assert_array_equal(data[index][0], encode(letters))
    np.testing.assert_array_equal(targets_of(data), inflated_targets(folder, tracks))


def inflated_targets(folder: Path, tracks: int) -> NDArray[np.float16]:
    """Targets in the order of sequences.bed, found by their place in the plain bytes alone."""
    size = 2048 * tracks * 2
    marks = bytes([0x0A, 0x06]) + b"target"
    by_split: dict[str, list[NDArray[np.float16]]] = {}
    for split in ("train", "valid", "test"):
        paths = list((folder / "tfrecords").glob(f"{split}-*.tfr"))
        for path in sorted(paths, key=lambda p: int(p.stem.split("-")[1])):
            plain, at = zlib.decompress(path.read_bytes()), 0
            while at < len(plain):
                length = int.from_bytes(plain[at : at + 8], "little")
                message = plain[at + 12 : at + 12 + length]
                at += length + 16
                first = message.index(marks) + len(marks) + 12  # three tags and lengths of 3 bytes
                values = np.frombuffer(message[first : first + size], dtype=np.float16)
                by_split.setdefault(split, []).append(values.reshape(2048, tracks))
    labels = [line.split()[3] for line in (folder / "sequences.bed").read_text().splitlines()]
    taken = {split: iter(values) for split, values in by_split.items()}
    return np.stack([next(taken[label]) for label in labels])


# What is built


@pytest.mark.parametrize("options", [{}, {"one_hot": True, "whole": True}, {"genome": "0-"}])
def test_windows_targets_and_sequence(
    published: Make, tmp_path: Path, options: dict[str, Any]
) -> None:
    source = published(**options)
    data = from_basenji(source.path, tmp_path / "set.zarr")
    np.testing.assert_array_equal(targets_of(data), source.targets)
    np.testing.assert_array_equal(codes_of(data), source.codes)
    assert data.windows["start"].tolist() == [start + 32 for start in source.starts]
    assert data.windows["split"].tolist() == list(source.labels)
    assert data.header.fasta == ""
    assert data.header.contigs == {}
    assert [track.transform for track in data.tracks] == ["basenji2020"] * 3
    rows = {row["split"]: row for row in summarise_splits(data)}
    assert rows["train"]["windows"] == 5
    assert rows["train"]["covered"] == 1


def test_statistics_are_those_of_the_training_windows(published: Make, tmp_path: Path) -> None:
    source = published()
    data = from_basenji(source.path, tmp_path / "set.zarr")
    y = source.targets[:5].astype(np.float64).reshape(-1, 3)
    for track, statistics in enumerate(data.header.statistics):
        mean = y[:, track].mean()
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(y[:, track] > 0, y[:, track] * np.log(y[:, track] / mean), 0)
        assert statistics.bins == len(y)
        assert statistics.mean == pytest.approx(mean, rel=1e-12)
        assert statistics.maximum == y[:, track].max()
        assert statistics.null_deviance == pytest.approx(2 * terms.mean(), rel=1e-9)


def test_rows_of_labels_that_alternate(published: Make, tmp_path: Path) -> None:
    source = published(("test", "train", "valid", "train", "test", "train"), per_file=1)
    data = from_basenji(source.path, tmp_path / "set.zarr")
    np.testing.assert_array_equal(targets_of(data), source.targets)
    assert data.windows["split"].tolist() == list(source.labels)


def test_more_than_ten_files_are_read_in_the_order_of_their_numbers(
    published: Make, tmp_path: Path
) -> None:
    source = published(("train",) * 12, per_file=1)
    data = from_basenji(source.path, tmp_path / "set.zarr")
    np.testing.assert_array_equal(targets_of(data), source.targets)


@pytest.mark.parametrize("content", [b"", zlib.compress(b"")])
def test_an_empty_last_file(published: Make, tmp_path: Path, content: bytes) -> None:
    source = published()
    (source.path / "tfrecords" / "train-3.tfr").write_bytes(content)
    assert len(from_basenji(source.path, tmp_path / "set.zarr")) == 10


def test_folds_become_splits(published: Make, tmp_path: Path) -> None:
    source = published(("fold0", "fold1", "fold2", "fold3", "fold0"))
    text = "test=fold3,valid=fold1+fold2,train=rest"
    data = from_basenji(source.path, tmp_path / "set.zarr", folds=text)
    assert data.windows["split"].tolist() == ["train", "valid", "valid", "test", "train"]
    assert data.header.provenance["split"] == text


def test_folds_that_are_not_named_are_left_out(published: Make, tmp_path: Path) -> None:
    source = published(("fold0", "fold1", "fold2", "fold1", "fold0"))
    data = from_basenji(source.path, tmp_path / "set.zarr", folds="test=fold2,train=fold1")
    assert data.windows["split"].tolist() == ["train", "test", "train"]
    for index, record in enumerate((1, 2, 3)):
        np.testing.assert_array_equal(data[index][0], source.codes[record])
        np.testing.assert_array_equal(data[index][1], source.targets[record])


@pytest.mark.parametrize(
    ("folds", "said"),
    [
        (None, "sequences.bed: has the labels fold0, fold1; expected train, valid or test"),
        ("test=fold9,train=rest", "'fold9' does not occur in"),
        ("testing=fold1,train=rest", "unknown split 'testing'"),
        ("test=fold1,valid=fold1,train=rest", "'fold1' is named twice"),
        ("fold1", "'fold1' is no split; expected SPLIT=FOLD"),
    ],
)
def test_folds_that_are_none(published: Make, tmp_path: Path, folds: str | None, said: str) -> None:
    source = published(("fold0", "fold1"))
    with pytest.raises(DataError) as caught:
        from_basenji(source.path, tmp_path / "set.zarr", folds=folds)
    assert said in str(caught.value)


def test_umap_is_kept_and_told(published: Make, tmp_path: Path) -> None:
    source = published(umap=True)
    data = from_basenji(source.path, tmp_path / "set.zarr")
    mask = read_unmappable(open_store(data.path)[0])
    assert mask is not None
    np.testing.assert_array_equal(mask, source.umap)
    facts = {row["fact"]: row["value"] for row in describe_set(data.header, unmappable=0.25)}
    assert facts["unmappable bins"] == "25.00%"
    assert "keeps its own sequence" in facts["genome"]
    assert facts["made by"].startswith("ft-s2a data from-basenji source (ft_s2a")
    plain = from_basenji(published(name="plain").path, tmp_path / "plain.zarr")
    assert read_unmappable(open_store(plain.path)[0]) is None
    assert plain.checksum != data.checksum


# Pooling


def test_pooling_inverts_the_transform(published: Make, tmp_path: Path) -> None:
    """basenji2020: target = scale * min(pooled, clip); sums of 64 bp are 4 sums of 16 bp."""
    source = published(umap=True)
    data = from_basenji(source.path, tmp_path / "set.zarr", pool=2, dtype="float32")
    assert data.geometry == Geometry(256, 32, 1)
    pairs = source.targets.astype(np.float64).reshape(10, 6, 2, 3)
    for column, (scale, clip, total) in enumerate(((2, 32, False), (1, 384, True), (1, 64, False))):
        narrow = np.minimum(pairs[..., column] / scale, clip)
        pooled = narrow.sum(axis=2) if total else narrow.mean(axis=2)
        wanted = scale * np.minimum(pooled, clip)
        np.testing.assert_allclose(targets_of(data)[:, :, column], wanted, rtol=1e-6)
    mask = read_unmappable(open_store(data.path)[0])
    assert mask is not None
    np.testing.assert_array_equal(mask, source.umap.reshape(10, 6, 2).any(axis=2))
    np.testing.assert_array_equal(codes_of(data), source.codes)


def test_pooling_of_a_soft_clipped_square_root(published: Make, tmp_path: Path) -> None:
    """hound: y = sqrt(1 + s p) - 1, above c: c - 1 + sqrt(y - c + 1), at most the clip."""
    source = published()
    (source.path / "targets.txt").write_text(
        "index\tidentifier\tfile\tclip\tclip_soft\tscale\tsum_stat\tdescription\n"
        + "".join(f"{i}\tT{i}\tt.w5\t384\t4\t0.3\tsum_sqrt\tRNA:x\n" for i in range(3))
    )
    data = from_basenji(source.path, tmp_path / "set.zarr", pool=2, dtype="float32")
    assert data.tracks[0].transform == "hound"
    y = np.minimum(source.targets.astype(np.float64), 384)
    hard = np.where(y > 4, np.square(y - 4 + 1) + 4 - 1, y)
    pooled = ((np.square(hard + 1) - 1) / 0.3).reshape(10, 6, 2, 3).sum(axis=2)
    z = np.sqrt(1 + 0.3 * pooled) - 1
    wanted = np.minimum(np.where(z > 4, 4 - 1 + np.sqrt(np.maximum(z - 4, 0) + 1), z), 384)
    np.testing.assert_allclose(targets_of(data), wanted, rtol=1e-5)


@pytest.mark.parametrize(
    ("pool", "said"),
    [
        (5, "the target of 12 bins cannot be pooled by 5"),
        (3, "the crop of 2 bins cannot be pooled by 3"),
        (0, "--pool is 0"),
    ],
)
def test_bins_that_cannot_be_pooled(published: Make, tmp_path: Path, pool: int, said: str) -> None:
    with pytest.raises(GeometryError, match=said):
        from_basenji(published().path, tmp_path / "set.zarr", pool=pool)


# With a genome


def test_a_set_with_a_genome_keeps_no_codes(
    published: Make, assembly: Callable[..., Path], tmp_path: Path
) -> None:
    source = published(one_hot=True)
    fasta = assembly(source)
    data = from_basenji(source.path, tmp_path / "set.zarr", fasta=fasta)
    assert "codes" not in open_store(data.path)[0]
    assert data.header.contigs["chr1"].length == 5000
    np.testing.assert_array_equal(codes_of(data), source.codes)
    # Longer inputs are read from the genome: only targets are kept apart.
    longer = TrackDataset(data.path, geometry=Geometry(512, 16, 10), check_sequence=True)
    np.testing.assert_array_equal(longer[0][0][128:384], source.codes[0])
    assert data.header.provenance["splits"] == "targets"


def test_random_bases_where_the_genome_has_n_are_no_difference(
    published: Make, assembly: Callable[..., Path], tmp_path: Path
) -> None:
    plain = published()
    written = np.where(plain.codes == 4, 2, plain.codes).astype(np.uint8)
    source = published(name="random", codes=written)
    data = from_basenji(source.path, tmp_path / "set.zarr", fasta=assembly(plain))
    np.testing.assert_array_equal(codes_of(data), plain.codes)


def test_another_assembly(published: Make, assembly: Callable[..., Path], tmp_path: Path) -> None:
    source = published()
    shifted = SimpleNamespace(starts=[s + 1 for s in source.starts], codes=source.codes)
    with pytest.raises(DataError) as caught:
        from_basenji(source.path, tmp_path / "set.zarr", fasta=assembly(shifted))
    message = str(caught.value)
    assert "train-0.tfr, record 1: its sequence differs from" in message
    assert "of 256 bases at chr1:1032-1224" in message
    assert not [p for p in tmp_path.iterdir() if "set.zarr" in p.name]
    with pytest.raises(ContigError, match=r"does not lie in 'chr1', which has 4,000 bp"):
        from_basenji(
            published(("train",) * 11, name="longer").path, tmp_path / "set.zarr",
            fasta=assembly(source, length=4000),
        )  # fmt: skip


def test_contigs_of_another_name(
    published: Make, assembly: Callable[..., Path], tmp_path: Path
) -> None:
    source = published()
    with pytest.raises(ContigError, match=r"contig 'chr1' is not in .*, which calls it '1'"):
        from_basenji(source.path, tmp_path / "set.zarr", fasta=assembly(source, name="1"))


# The set as a torch Dataset


def test_shorter_inputs_are_cut_from_the_middle(published: Make, tmp_path: Path) -> None:
    source = published()
    path = from_basenji(source.path, tmp_path / "set.zarr").path
    data = TrackDataset(path, geometry=Geometry(128, 16, 1))
    assert (data.geometry.output_bins, data.parts) == (6, 2)
    codes, targets = data.item(3, 4)
    begin = 32 + 4 * 16 - 16
    np.testing.assert_array_equal(codes, source.codes[3, begin : begin + 128])
    np.testing.assert_array_equal(targets, source.targets[3, 4:10])
    again = pickle.loads(pickle.dumps(data))  # as worker processes get it
    np.testing.assert_array_equal(again.part(3, 1)[0], data.part(3, 1)[0])


def test_longer_inputs_and_another_genome_are_refused(
    published: Make, assembly: Callable[..., Path], tmp_path: Path
) -> None:
    source = published()
    path = from_basenji(source.path, tmp_path / "set.zarr").path
    with pytest.raises(DataError, match=r"sees 48 bp .* keeps 32 bp of sequence there; build the"):
        TrackDataset(path, geometry=Geometry(288, 16, 3))
    with pytest.raises(DataError, match="keeps its own sequence; leave --fasta out"):
        TrackDataset(path, fasta=assembly(source))


def test_lost_sequence_is_noticed(published: Make, tmp_path: Path) -> None:
    path = from_basenji(published().path, tmp_path / "set.zarr").path
    next(iter((path / "codes").glob("c.*"))).unlink()
    with pytest.raises(FormatError, match="lacks the sequence of 1 of 10 windows"):
        TrackDataset(path)
    shutil.rmtree(path / "codes")
    with pytest.raises(FormatError, match="lacks an array"):
        TrackDataset(path)


# Interruptions


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int, BaseException], None]]:
    """Make a conversion fail when it writes its n-th window (counted over all conversions)."""
    original = basenji_conversion._write
    count = 0

    def at(number: int, error: BaseException) -> None:
        nonlocal count
        count = 0

        def write(job: Any, place: Any) -> Any:
            nonlocal count
            count += 1
            if count == number:
                raise error
            return original(job, place)

        monkeypatch.setattr(basenji_conversion, "_write", write)

    yield at
    monkeypatch.setattr(basenji_conversion, "_write", original)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("first", [2, 5, 6, 9])
def test_a_resumed_conversion_gives_the_same_set(
    published: Make,
    tmp_path: Path,
    interrupt: Any,
    first: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    source = published(umap=True)
    (source.path / "tfrecords" / "train-3.tfr").write_bytes(zlib.compress(b""))
    whole = from_basenji(source.path, tmp_path / "whole.zarr")
    out = tmp_path / "set.zarr"
    interrupt(first, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        from_basenji(source.path, out)
    assert not out.exists()
    assert f"{first - 1} of 10 windows are done: go on with --resume" in caplog.text
    with pytest.raises(OutputExistsError, match=r"an interrupted run left \.set\.zarr\.unfinished"):
        from_basenji(source.path, out)
    with pytest.raises(ConfigError, match="started with other files or options"):
        from_basenji(source.path, out, pool=2, resume=True)
    interrupt(2, OSError(28, "No space left on device"))
    if first < 9:
        with pytest.raises(FtS2aError, match=r"set\.zarr: cannot be written \(No space left"):
            from_basenji(source.path, out, resume=True)
    interrupt(0, KeyboardInterrupt())
    data = from_basenji(source.path, out, resume=True)
    assert data.checksum == whole.checksum
    assert contents(out) == contents(whole.path)
    assert not out.with_name(".set.zarr.unfinished").exists()


def test_only_what_is_missing_is_converted(
    published: Make, tmp_path: Path, interrupt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = published()
    interrupt(6, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        from_basenji(source.path, tmp_path / "set.zarr")
    interrupt(0, KeyboardInterrupt())
    original = basenji_conversion._write
    windows: list[int] = []

    def write(job: Any, place: Any) -> Any:
        windows.append(place.window)
        return original(job, place)

    monkeypatch.setattr(basenji_conversion, "_write", write)
    from_basenji(source.path, tmp_path / "set.zarr", resume=True)
    assert sorted(windows) == [5, 6, 7, 8, 9]


def test_resuming_what_was_not_interrupted(published: Make, tmp_path: Path) -> None:
    source, out = published(), tmp_path / "set.zarr"
    with pytest.raises(MissingFileError, match="nothing was interrupted there"):
        from_basenji(source.path, out, resume=True)
    with pytest.raises(FtS2aError, match="exclude each other"):
        from_basenji(source.path, out, resume=True, overwrite=True)
    from_basenji(source.path, out)
    with pytest.raises(OutputExistsError, match="the output exists already"):
        from_basenji(source.path, out)
    assert len(from_basenji(source.path, out, overwrite=True)) == 10


def test_a_killed_conversion_can_be_resumed_or_replaced(published: Make, tmp_path: Path) -> None:
    """A kill leaves no journal when it comes within seconds: all is done again."""
    source, out = published(), tmp_path / "set.zarr"
    (tmp_path / ".set.zarr.unfinished" / "output").mkdir(parents=True)
    assert len(from_basenji(source.path, out, resume=True)) == 10
    (tmp_path / ".set.zarr.unfinished").mkdir()
    assert len(from_basenji(source.path, out, overwrite=True)) == 10
    assert not (tmp_path / ".set.zarr.unfinished").exists()


def test_damage_to_what_was_interrupted(published: Make, tmp_path: Path, interrupt: Any) -> None:
    source, out = published(), tmp_path / "set.zarr"
    interrupt(6, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        from_basenji(source.path, out)
    left = tmp_path / ".set.zarr.unfinished"
    (left / "output" / "targets" / "c.1.0.0").unlink()
    with pytest.raises(FormatError, match="has lost window 1; start anew with --overwrite"):
        from_basenji(source.path, out, resume=True)
    (left / "journal.npz").write_bytes(b"PK")
    with pytest.raises(FormatError, match="the journal of the interrupted conversion cannot be"):
        from_basenji(source.path, out, resume=True)


# Bad input


def refused(source: SimpleNamespace, out: Path, **options: Any) -> str:
    """One line; nothing under the final name, and nothing beside it."""
    before = set(out.parent.iterdir())
    with pytest.raises(FtS2aError) as caught:
        from_basenji(source.path, out, **options)
    assert set(out.parent.iterdir()) == before
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("value", "word"), [(np.nan, "NaN"), (np.inf, "infinite"), (-1.5, "negative")]
)
def test_bad_targets(published: Make, tmp_path: Path, value: float, word: str) -> None:
    def change(index: int, strings: dict[str, bytes]) -> dict[str, bytes]:
        if index != 3:
            return strings
        values = np.frombuffer(strings["target"], dtype=np.float16).copy()
        values[3 * 5 + 1] = value
        return {**strings, "target": values.tobytes()}

    message = refused(published(change=change), tmp_path / "set.zarr")
    assert f"train-1.tfr, record 2: track 'B' is {word}" in message
    assert "at chr1:1932-2124, bin 5" in message


def test_minus_zero_is_zero(published: Make, tmp_path: Path) -> None:
    def change(index: int, strings: dict[str, bytes]) -> dict[str, bytes]:
        values = np.frombuffer(strings["target"], dtype=np.float16)
        return {**strings, "target": np.where(values == 0, np.float16(-0.0), values).tobytes()}

    source = published(change=change)
    data = from_basenji(source.path, tmp_path / "set.zarr")
    np.testing.assert_array_equal(targets_of(data), source.targets)


@pytest.mark.parametrize(
    ("strings", "said"),
    [
        ({"sequence": bytes(256)}, "record 2: no feature 'target' of bytes in it; expected"),
        ({"target": bytes(72)}, "no feature 'sequence' of bytes in it"),
        ({"target": bytes(48), "sequence": bytes(256)}, "expected 3 tracks of 12 bins in float16"),
        ({"target": bytes(12 * 4 * 2), "sequence": bytes(256)}, "96 bytes, which is 4 tracks of"),
        ({"target": bytes(72), "sequence": bytes(255)}, "its sequence has 255 bytes; expected 256"),
        ({"target": bytes(72), "sequence": bytes([5]) * 256}, "something else than bases"),
        ({"target": bytes(72), "sequence": bytes([1, 1, 0, 0]) * 256}, "something else than bases"),
        ({"target": bytes(72), "sequence": bytes([2, 0, 0, 0]) * 256}, "something else than bases"),
        (
            {"target": bytes(72), "sequence": bytes(256), "umap": bytes(5)},
            "its umap has 5 bytes; expected 12",
        ),
        (
            {"target": bytes(72), "sequence": bytes(256), "umap": bytes(12)},
            "record 2: has a feature 'umap', unlike those before",
        ),
    ],
)
def test_bad_records(published: Make, tmp_path: Path, strings: dict[str, bytes], said: str) -> None:
    source = published(change=lambda index, good: strings if index == 1 else good)
    message = refused(source, tmp_path / "set.zarr")
    assert "train-0.tfr, record 2" in message
    assert said in message


def test_what_is_no_message_and_what_is_cut_off(published: Make, tmp_path: Path) -> None:
    source, out = published(), tmp_path / "set.zarr"
    path = source.path / "tfrecords" / "valid-0.tfr"
    intact = path.read_bytes()
    path.write_bytes(intact[: len(intact) // 2])
    assert "valid-0.tfr: is cut off in record" in refused(source, out)
    path.write_bytes(gzip.compress(zlib.decompress(intact)))
    assert "valid-0.tfr: is compressed with gzip" in refused(source, out)
    path.write_bytes(zlib.decompress(intact))
    assert "valid-0.tfr: is not compressed" in refused(source, out)
    write_records(path, [b"\xff\xff\xff", b""])
    assert "valid-0.tfr, record 1: is no tf.train.Example" in refused(source, out)


def test_counts_that_disagree(published: Make, tmp_path: Path) -> None:
    source, out = published(), tmp_path / "set.zarr"
    path = source.path / "tfrecords" / "train-2.tfr"
    write_records(path, [])
    assert "'train' has 4 records in 3 files, but 5 rows in sequences.bed" in refused(source, out)
    write_records(path, [source.message(4), source.message(4)])
    message = refused(source, out)
    assert "train-2.tfr, record 2: is one more than the 5 rows of 'train'" in message
    path.unlink()
    assert "'train' has 4 records in 2 files" in refused(source, out)
    (source.path / "tfrecords" / "train-0.tfr").unlink()
    assert "no file train-0.tfr; fetch it again" in refused(source, out)
    (source.path / "tfrecords" / "train-1.tfr").unlink()
    assert "no file of 'train'; expected train-0.tfr" in refused(source, out)


def test_files_of_no_label_and_of_two_genomes(published: Make, tmp_path: Path) -> None:
    source, out = published(), tmp_path / "set.zarr"
    folder = source.path / "tfrecords"
    write_records(folder / "extra-0.tfr", [example({})])
    assert "extra-0.tfr, record 1: is one more than the 0 rows of 'extra'" in refused(source, out)
    (folder / "extra-0.tfr").rename(folder / "extra.tfr")
    assert "holds 'extra.tfr'; expected names as train-0.tfr" in refused(source, out)
    (folder / "extra.tfr").rename(folder / "train-1-0.tfr")
    assert "holds files of two genomes" in refused(source, out)


def statistics(source: SimpleNamespace, **changes: Any) -> None:
    path = source.path / "statistics.json"
    known = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({k: v for k, v in known.items() if v is not None}))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"num_targets": 4},
            "targets.txt: has 3 tracks, but statistics.json states num_targets: 4",
        ),
        ({"num_targets": None}, "statistics.json: num_targets is missing; expected a whole number"),
        ({"seq_length": "256"}, "statistics.json: seq_length is 256"),
        ({"target_length": 11}, "256 bp without 32 bp at each side is not 11 bins of 16 bp"),
        ({"pool_width": 8, "target_length": 24, "crop_bp": 31}, "without 31 bp at each side"),
        ({"crop_bp": 36, "target_length": 23, "pool_width": 8}, "crop of 36 bp is no whole number"),
        ({"train_seqs": 6}, "has 5 rows of 'train', but statistics.json states train_seqs: 6"),
        ({"fold7_seqs": 1}, "has 0 rows of 'fold7'"),
        ({"crop_bp": 16, "target_length": 14}, "row 1 is 192 bp long; expected 256 bp (the seq"),
    ],
)
def test_statistics_that_disagree(
    published: Make, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    source = published()
    statistics(source, **changes)
    assert said in refused(source, tmp_path / "set.zarr")


def test_statistics_without_a_crop_are_enough(published: Make, tmp_path: Path) -> None:
    source = published()
    statistics(source, crop_bp=None)
    assert from_basenji(source.path, tmp_path / "set.zarr").geometry.crop == 32


@pytest.mark.parametrize(
    ("content", "said"),
    [("{", "is no JSON"), ("[1]", "is no JSON object"), ('{"num_targets": NaN}', "is nan")],
)
def test_statistics_that_cannot_be_read(
    published: Make, tmp_path: Path, content: str, said: str
) -> None:
    source = published()
    (source.path / "statistics.json").write_text(content)
    assert said in refused(source, tmp_path / "set.zarr")


@pytest.mark.parametrize("name", ["statistics.json", "sequences.bed", "targets.txt", "tfrecords"])
def test_missing_files(published: Make, tmp_path: Path, name: str) -> None:
    source = published()
    (source.path / name).rename(source.path / "elsewhere")
    assert f"source: no {name} in it; expected" in refused(source, tmp_path / "set.zarr")
    source.path = source.path / "elsewhere"
    assert "elsewhere" in refused(source, tmp_path / "set.zarr")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("chr1\t1032\t1224\n", "row 11 is 'chr1\\t1032\\t1224'; expected contig, start, end"),
        ("chr1\tx\t1224\ttrain\n", "row 11 is"),
        ("chr1\t1032\t1288\ttrain\n", "row 11 is 256 bp long; expected 192 bp as in the rows be"),
        ("chr1\t1032\t1224\t \n", "row 11 has no label"),
    ],
)
def test_bad_rows(published: Make, tmp_path: Path, line: str, said: str) -> None:
    source = published()
    with open(source.path / "sequences.bed", "a") as handle:
        handle.write(line)
    assert said in refused(source, tmp_path / "set.zarr")


def test_no_row(published: Make, tmp_path: Path) -> None:
    source = published()
    (source.path / "sequences.bed").write_text("\n")
    assert "sequences.bed: holds no row" in refused(source, tmp_path / "set.zarr")


def test_bad_heads_and_transforms(published: Make, tmp_path: Path) -> None:
    source = published()
    assert "head 'a.b'" in refused(source, tmp_path / "set.zarr", head="a.b")
    assert "transform 'x'" in refused(source, tmp_path / "set.zarr", transform="x")
    with pytest.raises(TrackError):
        from_basenji(source.path, tmp_path / "set.zarr", transform="plain")


def test_a_folder_that_is_no_set_is_not_replaced(published: Make, tmp_path: Path) -> None:
    source = published()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("kept")
    with pytest.raises(OutputExistsError, match="no training set; it is not replaced"):
        from_basenji(source.path, tmp_path / "mine", overwrite=True)


def test_splits_that_share_bases_are_told(
    published: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = published(("train", "test"))
    bed = source.path / "sequences.bed"
    bed.write_text("chr1\t1000\t1192\ttrain\nchr1\t1100\t1292\ttest\n")
    from_basenji(source.path, tmp_path / "set.zarr")
    assert "the targets of train and test share bases at chr1:1100-1192" in caplog.text
