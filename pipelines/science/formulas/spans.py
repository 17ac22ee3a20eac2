"""The metrics of intervals: for each row a lower and an upper end, between which it shall lie.

Shapes: `y`, `lower` and `upper` are (n,), in the target's unit; `weights` (n,) as in
`science.metrics`. No spec can name them yet: they are for models that answer with intervals. Where
an end is missing or infinite, or there is no row, they are NaN.

Source: Gneiting & Raftery (2007), "Strictly Proper Scoring Rules, Prediction, and Estimation",
Journal of the American Statistical Association 102, section 6.2 (the interval score, Winkler's).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


def coverage(y: Array, lower: Array, upper: Array, weights: Array | None = None) -> float:
    """Return the share of rows that lie between their ends, the ends included."""
    return _mean((y >= lower) & (y <= upper), y, lower, upper, weights)


def mean_width(y: Array, lower: Array, upper: Array, weights: Array | None = None) -> float:
    """Return the mean of upper - lower, in the target's unit; below 0 where they are crossed."""
    return _mean(upper - lower, y, lower, upper, weights)


def interval_score(
    y: Array, lower: Array, upper: Array, coverage_wanted: float, weights: Array | None = None
) -> float:
    """Return the mean width plus what rows outside cost: their distance to the nearer end, by
    2 / (1 - coverage_wanted). The less the better; in the target's unit.
    """
    price = 2 / (1 - coverage_wanted)
    outside = np.maximum(lower - y, 0) + np.maximum(y - upper, 0)
    return _mean(upper - lower + price * outside, y, lower, upper, weights)


def _mean(values: Array, y: Array, lower: Array, upper: Array, weights: Array | None) -> float:
    fit = len(y) > 0 and all(bool(np.isfinite(each).all()) for each in (y, lower, upper))
    heavy = np.ones(len(y)) if weights is None else weights
    return float(np.average(values, weights=heavy)) if fit and np.any(heavy) else float("nan")
