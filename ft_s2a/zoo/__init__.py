"""Making, checking and rendering zoo entries; what Kipoi loads of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ft_s2a.conventions.lazy import attach

if TYPE_CHECKING:
    from ft_s2a.zoo.bigwigs import write_bigwigs as write_bigwigs
    from ft_s2a.zoo.fetching import fetch as fetch
    from ft_s2a.zoo.packaging import package as package
    from ft_s2a.zoo.registering import register as register
    from ft_s2a.zoo.rendering import render as render
    from ft_s2a.zoo.validation import validate as validate

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "fetch": "fetching",
        "package": "packaging",
        "register": "registering",
        "render": "rendering",
        "validate": "validation",
        "write_bigwigs": "bigwigs",
    },
)
