"""Hashes against known digests."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ft_s2a.conventions.hashing import sha256_file, sha256_json


def test_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    assert sha256_file(tmp_path / "a") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
    large = bytes(range(256)) * 5000  # more than one block
    (tmp_path / "b").write_bytes(large)
    assert sha256_file(tmp_path / "b") == hashlib.sha256(large).hexdigest()


def test_of_json() -> None:
    assert sha256_json({"b": [1, 2.5], "a": "µ"}) == sha256_json({"a": "µ", "b": [1, 2.5]})
    assert sha256_json({"a": 1}) == hashlib.sha256(b'{"a":1}').hexdigest()
    assert sha256_json({"a": 1}) != sha256_json({"a": 2})
