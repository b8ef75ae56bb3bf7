"""Which windows a batch holds: a pure function of (seed, number of the batch).

Resume is then a seek, and ranks take slices of the same global batch.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from ft_s2a.conventions.randomness import generator

# Epochs whose order is remembered: readers are ahead of the loop.
_KEPT = 4


class Key(NamedTuple):
    """Address of an example.

    ``batch`` counts from the beginning of the run; ``epoch`` is that of the data set numbered
    ``data``; ``window`` counts its stored windows.
    """

    batch: int
    data: int
    epoch: int
    window: int


class Order:
    """Batches of one or several data sets, each of one of them.

    The windows of data set d are an endless stream, one permutation after the other, cut into
    batches of `batch_size` without a seam: no window is dropped, and none is repeated before all
    were seen.  Epoch e of the run has ``floor((e + 1) n_d / B) - floor(e n_d / B)`` batches of it,
    in a shuffled order with those of the other data sets.

    Parameters
    ----------
    indices : sequence of int64 arrays
        Training windows of each data set.
    batch_size : int
        Of all ranks together.
    seed : int

    Examples
    --------
    >>> order = Order([np.arange(8), np.arange(4)], batch_size=2, seed=1)
    >>> order.batches(epochs=1)
    6
    >>> sorted(order.data_of(batch) for batch in range(6))
    [0, 0, 0, 0, 1, 1]
    """

    def __init__(self, indices: Sequence[NDArray[np.int64]], *, batch_size: int, seed: int) -> None:
        self._indices = list(indices)
        self._counts = [len(some) for some in indices]
        self._batch_size = batch_size
        self._seed = seed
        self._epochs: dict[int, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}
        self._shuffled: dict[tuple[int, int], NDArray[np.int64]] = {}

    def batches(self, epochs: int) -> int:
        """Batches that the first `epochs` epochs have together."""
        return sum(epochs * count // self._batch_size for count in self._counts)

    def epochs(self, batches: int) -> int:
        """Epochs that the first `batches` batches complete; so the epoch that the next is in.

        The time that it takes does not grow with `batches`.
        """
        size, total = self._batch_size, sum(self._counts)
        # floor(e n / B) is above e n / B - 1, so e lies between these two.
        low, high = batches * size // total, (batches + len(self._counts)) * size // total + 1
        return low + bisect.bisect_right(range(low, high + 1), batches, key=self.batches) - 1

    def data_of(self, batch: int) -> int:
        """Number of the data set that a batch is of."""
        return self._place(batch)[0]

    def keys(self, batch: int) -> list[Key]:
        """Examples of a batch."""
        data, number = self._place(batch)
        found = []
        for place in range(number * self._batch_size, (number + 1) * self._batch_size):
            epoch, position = divmod(place, self._counts[data])
            window = int(self._permutation(data, epoch)[position])
            found.append(Key(batch, data, epoch, window))
        return found

    def _place(self, batch: int) -> tuple[int, int]:
        """Data set of a batch, and its number among the batches of that data set."""
        epoch = self.epochs(batch)
        if epoch not in self._epochs:
            self._epochs = dict([*self._epochs.items()][1 - _KEPT :])
            self._epochs[epoch] = self._arrange(epoch)
        data, numbers = self._epochs[epoch]
        position = batch - self.batches(epoch)
        return int(data[position]), int(numbers[position])

    def _arrange(self, epoch: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        size = self._batch_size
        firsts = [epoch * count // size for count in self._counts]
        ends = [(epoch + 1) * count // size for count in self._counts]
        lengths = np.subtract(ends, firsts)
        data = np.repeat(np.arange(len(lengths)), lengths)
        data = generator(self._seed, "data sets", epoch).permutation(data)
        numbers = np.empty_like(data)
        for which, (first, end) in enumerate(zip(firsts, ends, strict=True)):
            numbers[data == which] = np.arange(first, end)
        return data, numbers

    def _permutation(self, data: int, epoch: int) -> NDArray[np.int64]:
        if (data, epoch) not in self._shuffled:
            self._shuffled = dict([*self._shuffled.items()][1 - _KEPT * len(self._counts) :])
            draw = generator(self._seed, "order", epoch, *numbered(data))
            self._shuffled[data, epoch] = draw.permutation(self._indices[data])
        return self._shuffled[data, epoch]


def numbered(data: int) -> tuple[int, ...]:
    """What tells draws for a data set from those for the first, which are as if it were alone."""
    return (data,) if data else ()


class StepSampler(Sampler[list[Key]]):
    """Batches from `first` on to `end`; each rank takes its slice of the global batch.

    Parameters
    ----------
    order : Order
    first, end : int
        Numbers of batches.
    """

    def __init__(
        self, order: Order, *, end: int, first: int = 0, rank: int = 0, ranks: int = 1
    ) -> None:
        self._order = order
        self._first, self._end = first, end
        self._rank, self._ranks = rank, ranks

    def __len__(self) -> int:
        return self._end - self._first

    def __iter__(self) -> Iterator[list[Key]]:
        for batch in range(self._first, self._end):
            yield self._order.keys(batch)[self._rank :: self._ranks]
