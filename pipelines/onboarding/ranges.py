"""The ranges in which the figures of a column of numbers are expected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.margins import QUANTILES, bounds_of, outward

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.onboarding.figures import ColumnFigures

    Array = NDArray[Any]

FEW_CODES = 20
"""Different values up to which a number is held to range and mean: its quantiles jump."""


def quantile_ranges(column: ColumnFigures) -> list[tuple[float, float]]:
    """Return the bounds of each quantile.

    The outermost ones may come as far in as their neighbours: where many rows share a
    value, such as 0, a few rows decide whether an outer quantile is that value.
    """
    rows = float(np.median(column.rows * column.filled))
    step = 1.0 if column.is_whole else 0.0
    ranges = [
        bounds_of(column.quantiles[:, i], spread=column.spread, rows=rows * min(q, 1 - q))
        for i, q in enumerate(QUANTILES)
    ]
    ranges[0] = (ranges[0][0], max(ranges[0][1], ranges[1][1]))
    ranges[-1] = (min(ranges[-1][0], ranges[-2][0]), ranges[-1][1])
    return [outward(low - step, high + step) for low, high in ranges]


def mean_range(column: ColumnFigures) -> tuple[float, float]:
    """Return the bounds of the mean."""
    rows = float(np.median(column.rows * column.filled))
    return bounds_of(column.means, spread=column.spread, rows=rows)


def outside_codes(column: ColumnFigures) -> tuple[float, float]:
    """Return the range that codes stay in: their own, and its width on either side."""
    low, high = min(column.distinct), max(column.distinct)
    width = (high - low) or 1
    return low - width, high + width


def breaks_ranges(judge: ColumnFigures, values: ColumnFigures) -> Array:
    """Return in which batches (b,) the values would break what is expected of `judge`."""
    outside: Array = np.zeros(len(values.parts), dtype=bool)
    if len(judge.distinct) <= FEW_CODES:
        low, high = mean_range(judge)
        outside |= (values.means < low) | (values.means > high)
        low, high = outside_codes(judge)
        beyond = [((v < low) | (v > high)).mean() if len(v) else 0.0 for v in values.numbers]
        return outside | (np.array(beyond) > 0.01)  # noqa: PLR2004 -- the suite's `mostly`
    for i, (low, high) in enumerate(quantile_ranges(judge)):
        outside |= (values.quantiles[:, i] < low) | (values.quantiles[:, i] > high)
    return outside
