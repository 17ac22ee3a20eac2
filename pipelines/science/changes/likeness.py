"""How alike neighbouring pieces are, and how long that lasts.

Sources: Kendall (1954), "Note on bias in the estimation of autocorrelation", Biometrika 41; Bayley
& Hammersley (1946), "The 'Effective' Number of Independent Observations in an Autocorrelated Time
Series", JRSS Supplement 8 (how many independent values a mean and a variance are worth).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[Any]

LEAST_TO_MEASURE = 5
"""Of fewer pieces likeness of neighbours is not measured."""
_CHANCE = 0.16
"""The share of independent series that are taken for alike, and pay with longer blocks."""
_MOST = 0.97
_ROUNDING = 1e-12


def correlate_neighbours(series: Sequence[Array]) -> Array:
    """Return the correlation of neighbours in each series (pieces, any), as it is measured."""
    return np.array([_correlate(values) for values in series])


def _correlate(values: Array) -> float:
    if len(values) < LEAST_TO_MEASURE:
        return 0.0
    away = values - values.mean(axis=0)
    total = float((away * away).sum())
    if total <= _ROUNDING * float((values * values).sum()):
        return 0.0
    return float((away[1:] * away[:-1]).sum()) / total


def are_alike(correlations: Array, count: int) -> bool:
    """Tell whether neighbours of `count` pieces are alike by more than chance, in any series or in
    all together.
    """
    if count < LEAST_TO_MEASURE or not len(correlations):
        return False
    each = -float(ndtri(_CHANCE / len(correlations)))
    root = count**0.5
    return bool(correlations.max() * root > each or correlations.mean() * root > 1)


def widen(correlations: Array, count: int) -> Array:
    """Return the factors (at least 1) by which a likeness too weak to be told from chance widens
    what chance does.
    """
    first = np.clip(correlations + 1 / max(count, 1), 0.0, 0.5)
    return np.asarray((1 + 2 * first) ** 0.5)


def remove_bias(correlations: Array, count: int) -> Array:
    """Return correlations that are not too low on average, between 0 and 0.97."""
    return np.clip((count * correlations + 1) / max(count - 3, 1), 0.0, _MOST)


def worth(correlations: Array, count: int) -> tuple[Array, Array]:
    """Return how many independent pieces a mean, and a variance, of `count` pieces are worth."""
    mean = count * (1 - correlations) / (1 + correlations)
    squared = correlations**2
    return mean, count * (1 - squared) / (1 + squared)
