"""One signal: what it is, and how it is brought into target units."""

from __future__ import annotations

import dataclasses
import math
import re
from dataclasses import dataclass
from typing import Literal

from ft_s2a.errors import TrackError

TRANSFORMS = ("plain", "basenji2020", "basenji2025", "hound", "hound-old")
SQUASHES = ("none", "sqrt", "log1p", "pow0.75", "sqrt1p", "pow0.75-bare", "peak")
_CHOICES = {
    "sum_stat": ("mean", "sum", "max"),
    "squash": SQUASHES,
    "missing": ("zero", "nan"),
    "transform": TRANSFORMS,
}
NUMBERS = ("scale", "clip", "clip_soft")
_NAME = re.compile(r"[A-Za-z0-9._+-]+")
_TEXTS = ("file", "assay", "cell_type", "description", "units")


@dataclass(frozen=True)
class Track:
    """One signal and how it is brought into target units.

    Target units are, in this order: pool the bases of a bin (`sum_stat`), multiply by `scale`,
    cut at `clip`, compress above `clip_soft` (c - 1 + sqrt(y - c + 1)), then `squash`.  Clip
    values are in scaled units, before the squash.  That is the `transform` plain; the published
    ones take the same numbers in the orders that :mod:`ft_s2a.tracks.units` states.

    Parameters
    ----------
    name : str
        Unique name; letters, digits, ``. _ + -``.
    file : str
        bigWig, relative to the table's folder; empty in an entry.
    head : str
        Head of the network that predicts it.
    assay, cell_type, description, units, color : str
        For people: units of the observed signal per base; color as ``#rrggbb``.
    sum_stat : {'mean', 'sum', 'max'}
        How the bases of a bin are pooled.
    scale : float
        Factor; NaN means "auto": set to 1 / mean of the training bins when a set is built.
    clip, clip_soft : float
        Thresholds; infinity is none.
    squash : {'none', 'sqrt', 'log1p', 'pow0.75', 'sqrt1p', 'pow0.75-bare', 'peak'}
        y, sqrt(y), ln(1 + y), (1 + y)^0.75 - 1, sqrt(1 + y) - 1, y^0.75, min(sqrt(4 y), 1).
    strand_pair : str
        Name of the track of the other strand; its own name or empty when unstranded.
    missing : {'zero', 'nan'}
        Bases without a value count as 0, or are left out of loss and metrics.
    transform : {'plain', 'basenji2020', 'basenji2025', 'hound', 'hound-old'}
        In which order the numbers apply: ours, or that of a published script.

    Raises
    ------
    TrackError
        Naming the track and the field.

    Examples
    --------
    >>> Track("MNase", scale=2, squash="sqrt").scale
    2.0
    >>> Track("MNase", squash="cube")
    Traceback (most recent call last):
    ft_s2a.errors.TrackError: track 'MNase': squash is 'cube'; expected none or sqrt or log1p \
or pow0.75 or sqrt1p or pow0.75-bare or peak
    """

    name: str
    file: str = ""
    head: str = "tracks"
    assay: str = ""
    cell_type: str = ""
    description: str = ""
    units: str = ""
    color: str = "#4477aa"
    sum_stat: Literal["mean", "sum", "max"] = "mean"
    scale: float = 1.0
    clip: float = math.inf
    clip_soft: float = math.inf
    squash: str = "none"
    strand_pair: str = ""
    missing: Literal["zero", "nan"] = "zero"
    transform: Literal["plain", "basenji2020", "basenji2025", "hound", "hound-old"] = "plain"

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise TrackError(
                f"track name {self.name!r}", expected="letters, digits and . _ + - (no blanks)"
            )
        of = f"track {self.name!r}"
        if not _NAME.fullmatch(self.head):
            raise TrackError(f"{of}: head {self.head!r}", expected="letters, digits and . _ + -")
        for field, allowed in _CHOICES.items():
            if (value := getattr(self, field)) not in allowed:
                raise TrackError(f"{of}: {field} is {value!r}", expected=" or ".join(allowed))
        for field in NUMBERS:
            # Python's own float: a numpy number would be written as "np.float64(2.0)".
            object.__setattr__(self, field, float(getattr(self, field)))
        if not (math.isnan(self.scale) or 0 < self.scale < math.inf):
            raise TrackError(f"{of}: scale is {self.scale}", expected="a number > 0, or auto")
        for field in ("clip", "clip_soft"):
            if not (limit := getattr(self, field)) > 0:
                raise TrackError(f"{of}: {field} is {limit}", expected="a number > 0, or nothing")
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", self.color):
            raise TrackError(f"{of}: color {self.color!r}", expected="#rrggbb")
        for field in _TEXTS:
            if re.search(r"[\x00-\x1f\x7f]", getattr(self, field)):
                raise TrackError(f"{of}: {field} has a tab or line break", expected="one line")
            object.__setattr__(self, field, getattr(self, field).strip())


COLUMNS = tuple(field.name for field in dataclasses.fields(Track))
