"""Convolutions along a sequence with fewer multiplications (Winograd's minimal filtering).

Four neighbouring outputs of a convolution with five taps take 20 products of channel matrices when
they are computed one by one, and eight when the sequence, the kernel and the outputs are looked at
as polynomials: evaluate two of them at eight points, multiply there, interpolate.
Source: Lavin & Gray 2016 (arXiv 1509.09308); the matrices are Cook and Toom's.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

TILE = 4  # outputs computed together
TAPS = (3, 5)  # with more taps, float32 loses too many digits
# Points of evaluation (and infinity), the best of the small ones for rounding errors.
_POINTS = (0.0, 1.0, -1.0, 0.5, -2.0, 2.0, -0.5)


def minimal_filter(
    outputs: int, taps: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Matrices that turn a convolution into products at points.

    Parameters
    ----------
    outputs, taps : int
        Neighbouring outputs, and length of the kernel; `outputs + taps - 1` points.

    Returns
    -------
    data [points, points], kernel [points, taps], output [outputs, points] : float64 arrays
        For a stretch ``x`` and a kernel ``w``: ``output @ ((data @ x) * (kernel @ w))``.

    Examples
    --------
    >>> data, kernel, output = minimal_filter(2, 3)
    >>> x, w = np.array([1.0, 2, 3, 4]), np.array([1.0, 0, -1])
    >>> output @ ((data @ x) * (kernel @ w)), np.correlate(x, w)
    (array([-2., -2.]), array([-2., -2.]))
    """
    points = np.array(_POINTS[: outputs + taps - 2])
    size = len(points) + 1
    data = np.zeros((size, size))
    kernel = np.zeros((size, taps))
    output = np.zeros((outputs, size))
    for i, point in enumerate(points):
        others = np.delete(points, i)
        data[i, :-1] = np.polynomial.polynomial.polyfromroots(others)
        kernel[i] = point ** np.arange(taps) / np.prod(point - others)
        output[:, i] = point ** np.arange(outputs)
    data[-1] = np.polynomial.polynomial.polyfromroots(points)  # at infinity: the last coefficient
    kernel[-1, -1] = output[-1, -1] = 1
    return data, kernel, output


class TiledConvolution(nn.Module):
    """A convolution of rows [positions, channels] without padding, four outputs at a time.

    Parameters
    ----------
    weight : float64 tensor [taps, inputs, outputs]
    """

    data: Tensor
    kernel: Tensor
    output: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        data, kernel, output = (torch.from_numpy(a) for a in minimal_filter(TILE, len(weight)))
        self.register_buffer("data", data.float())
        self.register_buffer("kernel", torch.einsum("pt,tio->pio", kernel, weight).float())
        self.register_buffer("output", output.float())

    def forward(self, rows: Tensor) -> Tensor:
        """Convolve contiguous rows [4 T + taps - 1, inputs] to [4 T, outputs]."""
        points, channels, outputs = self.kernel.shape
        tiles = (len(rows) - points) // TILE + 1
        # Neighbouring tiles share rows; all three products are matrix products of the library.
        shared = rows.as_strided((tiles, points, channels), (TILE * channels, channels, 1))
        values = torch.bmm(self.data.expand(tiles, -1, -1), shared)
        products = torch.bmm(values.transpose(0, 1), self.kernel)
        result = torch.bmm(self.output.expand(tiles, -1, -1), products.transpose(0, 1))
        return result.view(tiles * TILE, outputs)
