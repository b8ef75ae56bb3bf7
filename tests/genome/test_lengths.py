"""Contig lengths are read from any file that states them."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from ft_s2a.errors import FtS2aError
from ft_s2a.genome import contig_lengths, write_bigwig

LENGTHS = {"b": 7, "a": 130}


def test_each_kind_of_file_gives_the_same(tmp_path: Path) -> None:
    fasta = "".join(f">{name}\n{'A' * length}\n" for name, length in LENGTHS.items())
    (tmp_path / "g.fa").write_text(fasta)
    (tmp_path / "g.fa.gz").write_bytes(gzip.compress(fasta.encode()))
    (tmp_path / "g.sizes").write_text("b\t7\na\t130\n")
    write_bigwig(tmp_path / "g.bw", LENGTHS, [("b", 0, np.ones(1))], bin_size=7)
    for name in ("g.fa", "g.fa.gz", "g.sizes", "g.bw"):
        found = contig_lengths(tmp_path / name)
        assert found == LENGTHS
        assert list(found) == list(LENGTHS)


@pytest.mark.parametrize(("content", "said"), [(b"a\tlong\n", "row 1"), (b"", "no contig")])
def test_other_content_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "g.sizes"
    path.write_bytes(content)
    with pytest.raises(FtS2aError, match=said):
        contig_lengths(path)
