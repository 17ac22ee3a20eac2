"""Does what one piece of evidence says go on into the next? Measured from the metric itself.

What the metric is without each piece makes a series in the order of time. Where neighbours are
alike, pieces are not independent: the standard error then comes from the slow part of the series
alone (its first cosines), for that is what an average over all pieces keeps. It has as many degrees
of freedom as cosines, and they are few where the likeness lasts long. What rises and falls within
a week is faster than that and does not count as a doubt about the whole.

Sources: Müller (2007), "A theory of robust long-run variance estimation", Journal of Econometrics
141 (the average of squared cosine transforms, and its t); Lazarus, Lewis, Stock & Watson (2018),
"HAR Inference: Recommendations for Practice", Journal of Business & Economic Statistics 36 (how
many cosines); Kendall (1954), "Note on bias in the estimation of autocorrelation", Biometrika 41.
`benchmarks/dependence.py` measures what holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

LEAST_TO_MEASURE = 5
"""Of fewer pieces likeness of neighbours is not measured."""
_CHANCE = 1.0
"""Standard errors beyond which neighbours count as alike. One in eight series of independent pieces
is taken for alike as well, and pays with a somewhat wider interval."""
_LEAST_COSINES = 2
_TIMES_AS_LONG = 2.0
"""How many autocorrelation times there must be for each cosine."""
_MOST_CORRELATION = 0.97
_ROUNDING = 1e-12
"""What differs by less, relative to itself, differs by rounding and not by what it measures."""
_MOST_WIDENING = 0.5


def are_alike(influences: Array) -> bool:
    """Tell whether neighbours in this series (count,) are alike by more than chance."""
    count = len(influences)
    return count >= LEAST_TO_MEASURE and _correlation(influences) > _CHANCE / count**0.5


def without_rise(influences: Array) -> Array:
    """Return the series (count,) without the line along which it rises; as it is where none does.

    What a recipe gains over a champion that learns nothing more grows as it learns: this is what is
    asked for, and no likeness of neighbours. A line takes one number from the series, a level for
    each part of it would take the likeness itself.
    """
    away = np.arange(len(influences)) - (len(influences) - 1) / 2
    slope = float(away @ influences) / max(float(away @ away), 1.0)
    return influences - slope * away if slope > 0 else influences


def slow_variance(influences: Array, *, first: int = 1) -> tuple[float, int]:
    """Return the variance of the mean of the series (count,) by its slow part, and its degrees of
    freedom: how many cosines it is the average of.

    They begin with the `first`: of a series without its line, which is almost the first cosine, it
    is the second.
    """
    count = len(influences)
    cosines = _cosines(influences)
    middle = (np.arange(count) + 0.5) / count
    waves = np.cos(np.pi * np.arange(first, first + cosines)[:, None] * middle)
    sizes = (2 / count) ** 0.5 * waves @ (influences - influences.mean())
    return float(np.mean(sizes**2)) / count, cosines


def widening(influences: Array) -> float:
    """Return the factor (at least 1) by which a likeness of neighbours too weak to be told from
    chance widens an interval.
    """
    count = len(influences)
    if count < 3:  # noqa: PLR2004 -- two neighbours and a third
        return 1.0
    first = _correlation(influences) + 1 / count
    return float((1 + 2 * min(max(first, 0.0), _MOST_WIDENING)) ** 0.5)


def _cosines(influences: Array) -> int:
    """Return how many cosines are slow enough: fewer, the longer the likeness lasts."""
    count = len(influences)
    first = min((count * _correlation(influences) + 1) / (count - 3), _MOST_CORRELATION)
    lasts = (1 + first) / (1 - first) if first > 0 else 1.0
    most = min(count / (_TIMES_AS_LONG * lasts), 0.4 * count ** (2 / 3))
    return max(_LEAST_COSINES, int(most))


def _correlation(influences: Array) -> float:
    """Return the correlation of neighbours; 0 where nothing varies."""
    away = influences - influences.mean()
    if np.abs(away).max() <= _ROUNDING * np.abs(influences).max():
        return 0.0
    return float(away[1:] @ away[:-1]) / float(away @ away)
