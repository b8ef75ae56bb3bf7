"""What Enformer's attention knows of the distance between two bins, as a table over distances.

Source: Avsec 2021 (doi 10.1038/s41592-021-01252-x).  The table depends on the number of bins, and
on nothing that is learned, so it is computed once.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import gammaln
from torch import Tensor
from torch.nn import functional

from ft_s2a.errors import ConfigError

GammaForm = Literal["torch", "tensorflow"]
Array = NDArray[np.float32]

_LOG2 = math.log(2.0)
_FLOOR = 1e-8  # added to the densities


def position_features(bins: int, features: int, gamma: GammaForm = "torch") -> Tensor:
    """Tabulate the features of the distances ``1 - bins`` to ``bins - 1``.

    Parameters
    ----------
    bins : int
        Length of the sequence that attends to itself.
    features : int
        A multiple of 6: exponential decays, central masks and gamma densities, a third of each
        half; the second half is the first with the sign of the distance.
    gamma : {'torch', 'tensorflow'}
        Each density divided by the largest of its distance (enformer-pytorch), or by its own
        largest over the distances (the published network).

    Returns
    -------
    float32 tensor [2 bins - 1, features]

    Examples
    --------
    >>> position_features(4, 6)[:, 3:].shape  # distances -3 ... 3, signed features
    torch.Size([7, 3])
    >>> position_features(4, 6)[3].tolist()  # distance 0
    [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    """
    return _table(bins, features, gamma).clone()


def framed_features(bins: int, features: int, gamma: GammaForm, like: Tensor) -> Tensor:
    """Give :func:`position_features` between two rows of zeros, in the type and place of `like`.

    The same tensor each time, which must not be changed.  With the frame, rows of the attention's
    products are aligned, and shifting them is a view.
    """
    return _placed(bins, features, gamma, like.dtype, like.device)


@functools.lru_cache(maxsize=16)
def _placed(
    bins: int, features: int, gamma: GammaForm, dtype: torch.dtype, device: torch.device
) -> Tensor:
    # Made outside of a caller's inference mode: a later training step may use it, too.
    with torch.inference_mode(False), torch.no_grad():
        return functional.pad(_table(bins, features, gamma), (0, 0, 1, 1)).to(device, dtype)


@functools.lru_cache(maxsize=16)
def _table(bins: int, features: int, gamma: GammaForm) -> Tensor:
    if bins < 1 or features < 6 or features % 6:
        raise ConfigError(
            f"{features} position features of {bins} bins", expected="a multiple of 6, and a bin"
        )
    # On the CPU whatever the default device is, so that all devices get the same numbers.
    with torch.inference_mode(False), torch.no_grad(), torch.device("cpu"):
        distance = torch.arange(bins, dtype=torch.float32)[:, None]
        count = features // 6
        density = _gamma_torch if gamma == "torch" else _gamma_tensorflow
        half = torch.cat(
            [_decay(distance, count), _mask(distance, count), density(distance, count)], dim=1
        )
        signed = half.clone()
        signed[0] = 0
        return torch.cat([torch.cat([half, -signed], 1).flip(0)[:-1], torch.cat([half, signed], 1)])


def _decay(distance: Tensor, count: int) -> Tensor:
    """Exponential decays with half-lives from 8 bins to all."""
    half_life = 2 ** torch.linspace(3.0, math.log2(len(distance)), count)
    return torch.exp(-_LOG2 / half_life * distance)


def _mask(distance: Tensor, count: int) -> Tensor:
    """Whether the distance is below 1, 3, 7, 15, ... bins."""
    return (2 ** torch.arange(1, count + 1).float() - 1 > distance).float()


def _gamma_torch(distance: Tensor, count: int) -> Tensor:
    """Densities of gamma distributions, relative to the largest at the same distance.

    Rounded to float32 where enformer-pytorch rounds: exponents reach thousands, so that this moves
    the densities' third digit, and such are the features that networks were trained on.  Logarithms
    are rounded correctly, so that all machines get the same.
    """
    bins = len(distance)
    spread = bins / (2 * count)
    mean = torch.linspace(bins / count, bins, count)
    shape = (mean / spread) ** 2
    rate = mean / spread**2
    exponent = (shape - 1.0) * _rounded(torch.log, distance)
    norm = _rounded(torch.lgamma, shape) - shape * _rounded(torch.log, rate)
    density = torch.exp(exponent - rate * distance - norm) + _FLOOR
    return density / density.amax(dim=1, keepdim=True)


def _rounded(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    return function(x.double()).float()


def _gamma_tensorflow(distance: Tensor, count: int) -> Tensor:
    """Densities of gamma distributions, relative to each one's largest over the distances.

    Rounded as TensorFlow rounds them on CPUs, with its own logarithms, which is why this is numpy:
    it equals the table of 1,536 bins that enformer-pytorch carries within 2.4e-7; the same formula
    in exact arithmetic is up to 2.5e-3 away from it.
    """
    one = np.float32(1)
    x = distance.numpy()
    bins = len(x)
    spread = np.float32(bins / (2 * count))
    mean = np.linspace(bins / count, bins, count, dtype=np.float32)
    shape = (mean / spread) ** 2
    rate = mean / np.float32(spread**2)
    log = _log(np.maximum(x, one))
    exponent = (shape - one) * log
    exponent[x[:, 0] == 0] = -np.inf
    exponent = exponent - (rate * x + (_log_gamma(shape) - shape * _log(rate)))
    density = np.exp(exponent) + np.float32(_FLOOR)
    return torch.from_numpy(density / density.max(axis=0, keepdims=True))


def _log(x: Array) -> Array:
    """Logarithm in float32 by a polynomial (Cephes' logf, as vectorised libraries compute it)."""
    mantissa, power = np.frexp(x)
    mantissa, power = mantissa.astype(np.float32), power.astype(np.float32)
    low = mantissa < np.float32(0.707106781186547524)
    y = np.where(low, mantissa + mantissa, mantissa) - np.float32(1)
    power = power - low
    square = y * y
    cube = square * y
    p = [np.float32(value) for value in _LOG_POLYNOMIAL]
    high = (p[0] * y + p[1]) * y + p[2]
    middle = (p[3] * y + p[4]) * y + p[5]
    rest = (p[6] * y + p[7]) * y + p[8]
    tail = ((high * cube + middle) * cube + rest) * cube - np.float32(0.5) * square
    result: Array = power * np.float32(_LOG2) + (y + tail)
    return result.astype(np.float32)


_LOG_POLYNOMIAL = (
    7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
    -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
)  # fmt: skip


def _log_gamma(x: Array) -> Array:
    """Logarithm of the gamma function in float32, as C libraries compute it: Stirling's series."""
    one, half = np.float32(1), np.float32(0.5)
    inverse = one / x
    square = inverse * inverse
    series: Array = np.full_like(x, _STIRLING[-1])
    for value in _STIRLING[-2:0:-1]:
        series = np.float32(value) + square * series
    series = np.float32(_STIRLING[0]) + inverse * series
    result = (x - half) * (np.log(x) - one) + series
    return np.where(x < 8, gammaln(x.astype(np.float64)), result).astype(np.float32)


_STIRLING = (
    4.1893854737e-1, 8.3333335817e-2, -2.7777778450e-3, 7.9365057172e-4, -5.9518753551e-4,
    8.3633989561e-4, -1.6309292987e-3,
)  # fmt: skip
