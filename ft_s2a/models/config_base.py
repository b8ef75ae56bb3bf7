"""What the configs of all networks have in common (torch-free)."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from ft_s2a.errors import ConfigError, near_miss


class NetworkConfig(BaseModel):
    """Base of the configs: no field can be changed or misspelt."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class HeadConfig(NetworkConfig):
    """One output head: its name and number of tracks."""

    name: str = Field(min_length=1, pattern=r"^[A-Za-z0-9_-]+$")
    tracks: int = Field(ge=1)


def find_head(heads: Sequence[HeadConfig], name: str) -> HeadConfig:
    """Find a head by name, or raise ConfigError with the known ones."""
    for head in heads:
        if head.name == name:
            return head
    raise ConfigError(f"no head {name!r}", remedy=near_miss(name, [h.name for h in heads]))


def check_head_names(heads: Sequence[HeadConfig]) -> None:
    """Raise ValueError when two heads have the same name."""
    names = [head.name for head in heads]
    if len(set(names)) != len(names):
        raise ValueError(f"two heads have the same name: {names}")
