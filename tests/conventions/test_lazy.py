"""Names are imported at their first use, and only then."""

from __future__ import annotations

import subprocess
import sys

import pytest

import ft_s2a.genome
from ft_s2a.conventions.lazy import attach


def test_names_and_submodules() -> None:
    getattr_, dir_, all_ = attach(
        "ft_s2a.conventions", {"sha256_json": "hashing"}, subpackages=("cache",)
    )
    assert all_ == dir_() == ["cache", "sha256_json"]
    from ft_s2a.conventions.hashing import sha256_json

    assert getattr_("sha256_json") is sha256_json
    assert getattr_("cache").__name__ == "ft_s2a.conventions.cache"


def test_unknown_names() -> None:
    with pytest.raises(AttributeError, match=r"'ft_s2a\.genome' has no attribute 'Gnome'"):
        ft_s2a.genome.Gnome  # noqa: B018
    assert not hasattr(ft_s2a.genome, "Gnome")


def test_a_name_hidden_by_its_module_is_refused() -> None:
    with pytest.raises(ValueError, match="figure"):
        attach("ft_s2a.browser", {"figure": "figure"})
    with pytest.raises(ValueError, match="data"):
        attach("ft_s2a", {"data": "loading"}, subpackages=("data",))


def test_nothing_is_imported_early() -> None:
    code = (
        "import sys, ft_s2a, ft_s2a.genome, ft_s2a.tracks;"
        "print(sorted({'numpy', 'torch', 'pandas', 'pyBigWig', 'kipoi'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_a_name_may_come_from_another_package() -> None:
    getattr_, _, _ = attach("ft_s2a.genome", {"sha256_json": ".conventions.hashing"})
    from ft_s2a.conventions.hashing import sha256_json

    assert getattr_("sha256_json") is sha256_json
