"""The median of an error, for plain rows and for resampled blocks of rows.

Up to `LEVELS` different errors each is counted by itself and every resample is exact. Beyond that,
neighbours share a level, in the resamples only, and the median is interpolated within its level;
each resample is shifted by what the levels change in the median of the rows.

Source: Hyndman & Fan (1996), "Sample Quantiles in Statistical Packages", The American Statistician
50, definition 2: the mean of two neighbours where exactly half of the rows lies on each side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.formulas.kinds import Resampling, sum_by
from pipelines.science.ranking import LEVELS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Array = NDArray[Any]

_ROUNDING = 1e-12
"""What sums of weights may be off, as a share of them."""


@dataclass(frozen=True)
class OfMedian:
    """A metric that is the median of a number (n,) of each row."""

    number: Callable[[Array, Array], Array]
    labels: bool = False

    def score(self, y: Array, p: Array, weights: Array | None = None) -> float:
        """Return the median over the rows."""
        numbers = self.number(y, p)
        if weights is None:
            return float(np.median(numbers))
        order = np.argsort(numbers, kind="stable")
        return float(_exact_median(weights[order][None, :], numbers[order])[0])

    def resample(
        self, y: Array, p: Array, weights: Array | None, block: Array, count: int
    ) -> Resampling:
        """Return how the median follows from the blocks' weights."""
        numbers = self.number(y, p)
        values, position, sizes = np.unique(numbers, return_inverse=True, return_counts=True)
        exact = len(values) <= LEVELS
        if exact:
            level, levels, low, high = position, len(values), values, values
        else:
            of_value = (np.cumsum(sizes) - sizes) * LEVELS // len(numbers)
            of_value = np.cumsum(np.diff(of_value, prepend=of_value[0]) > 0)
            levels = int(of_value[-1]) + 1
            first = np.searchsorted(of_value, np.arange(levels))
            level, low = of_value[position], values[first]
            high = np.append(low[1:], values[-1])
        cells = sum_by(block * levels + level, weights, count * levels).reshape(count, levels)
        if exact:
            return Resampling(lambda draws: _exact_median(draws @ cells, values), levels)
        shift = self.score(y, p, weights) - float(
            _near_median(cells.sum(axis=0)[None, :], low, high)[0]
        )
        return Resampling(lambda draws: _near_median(draws @ cells, low, high) + shift, levels)


def _exact_median(sizes: Array, values: Array) -> Array:
    """Return the median (b,) of sorted values (levels,) that are there so often (b, levels)."""
    below = np.cumsum(sizes, axis=1)
    half = below[:, -1:] / 2
    slack = _ROUNDING * half
    last = len(values) - 1
    at = np.minimum((below < half - slack).sum(axis=1), last)
    beyond = np.minimum((below <= half + slack).sum(axis=1), last)
    return np.where(half[:, 0] > 0, (values[at] + values[beyond]) / 2, np.nan)


def _near_median(sizes: Array, low: Array, high: Array) -> Array:
    """Return the median (b,), interpolated within the level that holds it."""
    below = np.cumsum(sizes, axis=1)
    half = below[:, -1] / 2
    at = np.minimum((below < half[:, None]).sum(axis=1), len(low) - 1)
    row = np.arange(len(sizes))
    size = sizes[row, at]
    inside = 1 - (below[row, at] - half) / np.where(size > 0, size, 1.0)
    return np.where(half > 0, low[at] + inside * (high[at] - low[at]), np.nan)
