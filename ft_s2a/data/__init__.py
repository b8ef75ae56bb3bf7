"""Raw inputs to a training set: windows, targets, splits, augmentation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ft_s2a.conventions.lazy import attach

if TYPE_CHECKING:
    from ft_s2a.data.basenji import from_basenji as from_basenji
    from ft_s2a.data.bigwigs import from_bigwigs as from_bigwigs
    from ft_s2a.data.dataset import TrackDataset as TrackDataset
    from ft_s2a.data.splits import parse_splits as parse_splits
    from ft_s2a.data.to_basenji import export_basenji as export_basenji
    from ft_s2a.data.to_bigwigs import export_bigwigs as export_bigwigs

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "TrackDataset": "dataset",
        "export_basenji": "to_basenji",
        "export_bigwigs": "to_bigwigs",
        "from_basenji": "basenji",
        "from_bigwigs": "bigwigs",
        "parse_splits": "splits",
    },
)
