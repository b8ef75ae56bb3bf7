"""Look at bigWigs: a local page, a server for it, a figure of one region.

Needs neither torch nor a model: anybody's bigWigs can be browsed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ft_s2a.conventions.lazy import attach

if TYPE_CHECKING:
    from ft_s2a.browser.drawing import figure as figure
    from ft_s2a.browser.igv import find_igv as find_igv
    from ft_s2a.browser.igv import setup as setup
    from ft_s2a.browser.page import write_page as write_page
    from ft_s2a.browser.server import Server as Server
    from ft_s2a.browser.server import serve as serve

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Server": "server",
        "figure": "drawing",
        "find_igv": "igv",
        "serve": "server",
        "setup": "igv",
        "write_page": "page",
    },
)
