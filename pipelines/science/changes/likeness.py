"""How alike neighbouring pieces are, how long that lasts, and what a past of them is worth.

Sources: Kendall (1954), "Note on bias in the estimation of autocorrelation", Biometrika 41; Bayley
& Hammersley (1946), "The 'Effective' Number of Independent Observations in an Autocorrelated Time
Series", JRSS Supplement 8 (how many independent values a mean and a variance are worth); Lazarus,
Lewis, Stock & Watson (2018), "HAR Inference: Recommendations for Practice", JBES 36 (Student's t by
how few independent stretches a variance is known); Efron & Morris (1973), "Stein's Estimation Rule
and Its Competitors", JASA 68 (what many series say of one); Bretherton et al. (1999), "The
Effective Number of Spatial Degrees of Freedom of a Time-Varying Field", Journal of Climate 12 (how
many independent series some are worth); Burman, Chow & Nolan (1994), "A Cross-Validatory Method for
Dependent Data", Biometrika 81 (neighbours are left out on both sides); Leadbetter (1983), "Extremes
and Local Dependence in Stationary Sequences", Z. Wahrscheinlichkeitstheorie 65 (extremes come in
clusters, and are worth fewer).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri, stdtrit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[Any]

LEAST_TO_MEASURE = 5
"""Of fewer pieces likeness of neighbours is not measured."""
_CHANCE = 0.16
"""The share of independent series that are taken for alike, and pay with longer blocks."""
_MOST = 0.97
REACH = 7
"""Likeness is added up over so many neighbours at most: a week of days."""
_STRETCHES = 1.5
"""So many independent stretches is a stretch of the past worth, by Bartlett's weights."""
_LEAST_TO_POOL = 4
"""Of fewer series the spread of their estimates says nothing."""
_LEAST_SEEN = 0.1
"""Of what likeness does at least so much is seen beside the past's own mean."""
_FADED = 0.15
"""What is alike by no more hides nothing."""
_MOST_FOLLOWERS = 1 / 4
"""Of the past, that a window is not held against."""
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


def choose_reach(within: int, count: int, length: int = 1) -> int:
    """Return over how many neighbours of `count` blocks likeness is added up: as many as the window
    has, and no more than a week of days has, where the past is long enough to know it.

    A block is `length` pieces.
    """
    return max(1, min(within, -(-REACH // length), count // 2))


@dataclass(frozen=True)
class Inflation:
    """How many times the variances (q,) of means of neighbours are what they were of independent
    pieces, and by how many degrees of freedom (q,) that is known.

    `independent` is how many independent series the q are worth.
    """

    times: Array
    freedom: Array
    independent: float

    def widen(self, level: float) -> Array:
        """Return by how much statistics (q,), which share a level, must be the greater."""
        share = level / self.independent / 2
        return np.asarray(np.sqrt(self.times) * stdtrit(self.freedom, share) / ndtri(share))


def measure_inflation(series: Sequence[Array], reach: int) -> Inflation:
    """Return how much likeness inflates means of `reach` neighbours in each series (pieces, any).

    Of one series few stretches are known, of many more: so each estimate is drawn to the mean of
    all, the more so the less they differ beyond chance. One that stands out keeps its own.
    """
    own = np.array([_inflate(values, reach) for values in series])
    varies = np.isfinite(own)
    if not varies.any():
        return Inflation(np.ones(len(own)), np.full(len(own), np.inf), 1.0)
    known = max(1.0, _STRETCHES * len(series[0]) / reach)
    mean = float(own[varies].mean())
    weight = 0.0
    if varies.sum() >= _LEAST_TO_POOL:
        apart = float(own[varies].var(ddof=1))
        weight = min(1.0, 2 * mean**2 / known / apart) if apart > 0 else 1.0
    independent = _count_independent([s for s, v in zip(series, varies, strict=True) if v])
    error = weight**2 / independent + (1 - weight) ** 2
    times = weight * mean + (1 - weight) * np.where(varies, own, mean)
    return Inflation(np.maximum(times, 1.0), np.full(len(own), known / error), independent)


def _inflate(values: Array, reach: int) -> float:
    """Return the inflation, below 1 too where chance has it; NaN of what does not vary."""
    count = len(values)
    away = values - values.mean(axis=0)
    total = float((away * away).sum())
    if total <= _ROUNDING * float((values * values).sum()):
        return float("nan")
    # Sums of all stretches hold each lag as often as the mean of a stretch does (Bartlett).
    edge = np.zeros((reach, values.shape[1]))
    added = np.cumsum(np.vstack([edge, away, edge[1:]]), axis=0)
    stretches = added[reach:] - added[:-reach]
    found = float((stretches * stretches).sum()) / reach / total
    # The past's own mean, which is taken off, hides a share of it.
    return found / max(1 - reach / count + found / count, _LEAST_SEEN)


def _count_independent(series: Sequence[Array]) -> float:
    """Return how many independent series these are worth, by how alike they are to each other."""
    parts = [values - values.mean(axis=0) for values in series]
    everything = np.hstack([part / (part * part).sum() ** 0.5 for part in parts])
    tall = len(everything) > everything.shape[1]
    products = everything.T @ everything if tall else everything @ everything.T
    return float(np.trace(products) ** 2 / (products * products).sum())


def remove_bias(correlations: Array, count: int) -> Array:
    """Return correlations that are not too low on average, between 0 and 0.97."""
    return np.clip((count * correlations + 1) / max(count - 3, 1), 0.0, _MOST)


def learn_from_others(correlations: Array, count: int) -> Array:
    """Return correlations of which none is lower than those of the others make likely.

    Of many the lowest are so by chance, and just those have windows that seem to differ little.
    """
    others = len(correlations) - 3
    if others < 1:
        return correlations
    mean = correlations.mean()
    away = correlations - mean
    differ = float((away * away).sum())
    weight = others / count / differ if differ > others / count else 1.0
    return np.asarray(np.maximum(correlations, mean + (1 - weight) * away))


def worth(correlations: Array, count: int) -> tuple[Array, Array]:
    """Return how many independent pieces a mean, and a variance, of `count` pieces are worth."""
    mean = count * (1 - correlations) / (1 + correlations)
    squared = correlations**2
    return mean, count * (1 - squared) / (1 + squared)


@dataclass(frozen=True)
class Stretches:
    """A stretch of rows for each row: from `first` (n,) to before `end` (n,)."""

    first: Array
    end: Array

    def sum(self, values: Array) -> Array:
        """Return the sums of values (n, ...) over the stretch of each row."""
        added = np.concatenate([np.zeros_like(values[:1]), np.cumsum(values, axis=0)])
        return np.asarray(added[self.end] - added[self.first])


def find_near(correlations: Array, count: int, apart: int = 0) -> Stretches:
    """Return what is near each of `count` windows and, last, near the newest, which is so many
    windows `apart` from them.

    Near are a window itself, those after it that are alike to it in any series, and as many of
    those before it as lie between the newest and the past. Of the newest nothing of that is there:
    so what a past window is held against is as far from it as the past is from the newest.
    """
    most = float(correlations.max())
    followers = int(np.log(_FADED) / np.log(most)) if most > _FADED else 0
    followers = min(followers, int(count * _MOST_FOLLOWERS))
    places = np.append(np.arange(count), count + apart)
    first = np.searchsorted(places, places - min(followers, apart))
    return Stretches(first, np.searchsorted(places, places + followers, side="right"))


def count_rivals(freedom: Array, count: int) -> float:
    """Return how many independent windows the newest is as likely to outdo as these `count`.

    `freedom` (q,) is how many independent ones they are worth. A window amid the past outdoes its
    neighbours on both sides, the newest on one side only. Where the next window depends on the last
    alone, both sides are independent given the window: so what its likeness costs on one side is
    the root of what it costs on both.
    """
    return float((count * np.median(freedom)) ** 0.5)
