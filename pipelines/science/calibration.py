"""Are probabilities true? Observed shares in groups of rows of like probability."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

BINS = 10
Z95 = 1.959963984540054
"""The normal quantile of a two-sided interval of 95 %."""


@dataclass(frozen=True)
class Bin:
    """Rows of like probability: how many, their mean probability, the share that came true, and
    between which ends that share may lie (95 %, rows taken as independent).
    """

    rows: int
    predicted: float
    observed: float
    low: float
    high: float


def calibration(y: Array, p: Array) -> list[Bin]:
    """Return up to ten bins of about equally many rows; y (n,) is 0 or 1, p (n,) a probability.

    Equal probabilities are never split.
    """
    if not len(y):
        return []
    edges = np.unique(np.quantile(p, np.linspace(0, 1, BINS + 1)[1:-1], method="lower"))
    place = np.searchsorted(edges, p, side="left")
    found = []
    for i in np.unique(place):
        rows = place == i
        count, hits = int(rows.sum()), float((y[rows] == 1).sum())
        low, high = wilson(hits, count)
        found.append(Bin(count, float(p[rows].mean()), hits / count, low, high))
    return found


def wilson(hits: float, rows: int) -> tuple[float, float]:
    """Return the ends of the 95 % interval of a share (Wilson 1927, JASA 22)."""
    share, z2 = hits / rows, Z95**2
    middle = (share + z2 / (2 * rows)) / (1 + z2 / rows)
    reach = Z95 / (1 + z2 / rows) * sqrt(share * (1 - share) / rows + z2 / (4 * rows**2))
    return max(0.0, middle - reach), min(1.0, middle + reach)
