"""Names of a package that are imported at their first use (PEP 562)."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def attach(
    package: str, names: Mapping[str, str], subpackages: Sequence[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Make ``__getattr__``, ``__dir__`` and ``__all__`` for a package.

    A public name must differ from the submodule that defines it: once imported, the submodule is
    an attribute of the package and would hide the function of the same name.

    Parameters
    ----------
    package : str
        The package's ``__name__``.
    names : mapping of str to str
        Public name -> submodule that defines it, relative to the package; with a dot in front, to
        the package that holds it (``.checkpoint.keras`` from ``ft_s2a.models``).
    subpackages : sequence of str
        Submodules reachable as attributes.

    Returns
    -------
    tuple
        The two functions and the list, to be bound at the top of the package's ``__init__``.

    Raises
    ------
    ValueError
        When a name is also a submodule that it needs.

    Examples
    --------
    >>> getattr_, dir_, all_ = attach("ft_s2a.genome", {"Genome": "fasta"})
    >>> all_
    ['Genome']
    """
    public = sorted({*names, *subpackages})
    modules = {module.partition(".")[0] for module in names.values()} | set(subpackages)
    if hidden := sorted(set(names) & modules):
        raise ValueError(f"{package}: {hidden} would name both a submodule and something in it")

    def __getattr__(name: str) -> Any:
        if name in names:
            return getattr(importlib.import_module(f".{names[name]}", package), name)
        if name in subpackages:
            return importlib.import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return public

    return __getattr__, __dir__, public
