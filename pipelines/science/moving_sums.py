"""Is a column a moving sum of another, and does it end at a later row?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[Any]

SURE = 0.97
"""Correlation from which two changes go together, and are no accident."""
LENGTHS = (2, 3, 5, 7, 10, 12, 14, 24, 28, 30)
"""Rows of the moving sums that are tried."""
FEW_ROWS = 50
"""Below so many rows a correlation says nothing."""


def moves_with_later(x: Array, y: Array, shifts: Sequence[int]) -> bool:
    """Tell whether x is a moving sum of y that ends at its own row or at a later one.

    `shifts` are how many rows later are tried.

    From row to row such a sum changes by a new target less an old one: of `length` rows that end
    `ahead` rows later, x[t+1] - x[t] = y[t+1+ahead] - y[t+1+ahead-length]. One that ends at the row
    before (`ahead` -1) was known in time.
    """
    change = np.diff(x)
    scores = {
        ahead: max(_goes_with(change, y, ahead, length) for length in LENGTHS)
        for ahead in (-1, 0, *shifts)
    }
    known = scores.pop(-1)
    return max(scores.values()) > max(SURE, known)


def _goes_with(change: Array, y: Array, ahead: int, length: int) -> float:
    first, last = max(0, length - 1 - ahead), len(change) - max(0, ahead)
    if last - first < FEW_ROWS:
        return 0.0
    rows = np.arange(first, last) + 1 + ahead
    return _correlation(change[first:last], y[rows] - y[rows - length])


def _correlation(one: Array, other: Array) -> float:
    known = np.isfinite(one) & np.isfinite(other)
    if known.sum() < FEW_ROWS or not np.ptp(one[known]) or not np.ptp(other[known]):
        return 0.0
    return abs(float(np.corrcoef(one[known], other[known])[0, 1]))
