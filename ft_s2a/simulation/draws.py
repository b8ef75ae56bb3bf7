"""What the simulation draws random numbers for."""

from __future__ import annotations

from enum import StrEnum


class Purpose(StrEnum):
    """Purpose of a draw.  The texts are part of the result: add new ones, never rename."""

    BACKGROUND = "simulation background"
    LAYOUT = "simulation layout"
    SITES = "simulation sites"
    NOISE = "simulation noise"
    INERT = "simulation inert"
    DECOY_LAYOUT = "simulation decoy layout"
    DECOY_SITES = "simulation decoy sites"
