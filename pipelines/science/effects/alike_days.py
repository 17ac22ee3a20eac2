"""How far the means of two sides may differ by chance, by whole days that may be alike.

What a day has of its own is chance; the rest is a level, which is like that of the day before. How
large its share is, and how long it lasts, nobody knows, and few days show little of it. So no
likeness is measured and taken for certain: each of a grid counts for as much as the days of both
sides make it plausible, and the interval is that of all of them together. Whatever likeness holds,
the days' own spread is that of independent ones once it is known, so each is Student's t, with two
sides that need not vary alike. Few days that are much alike say little of how alike they are:
then nothing can be said. A window of one day has no spread of its own: the past's days say it.

Sources: Harville (1974), "Bayesian inference for variance components using only error contrasts",
Biometrika 61 (how plausible a likeness is, beside a mean that is not known); Harvey & Phillips
(1979), "Maximum likelihood estimation of regression models with autoregressive-moving average
disturbances", Biometrika 66 (by a Kalman filter); Welch (1947), "The generalization of 'Student's'
problem when several different population variances are involved", Biometrika 34.
`benchmarks/effects.py` measures what holds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import optimize, stats
from scipy.special import logsumexp

from pipelines.plurals import how_many

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from pipelines.science.causes.blocks import Blocks

    Array = NDArray[Any]

LEAST_WORTH = 5
"""Of days worth fewer independent ones nobody can tell how alike they are."""
_SURE = 0.8
"""So plausible it must be that they are worth fewer. An interval by days that may be alike is wide,
and holds; one that is told only where days happen to look independent would not."""
_INDEPENDENT = 0.6
"""How plausible it is, before any day is seen, that days are not alike. The rest is spread over the
grid by how alike neighbours would be: it is these that few days must not overlook."""
_LASTING = (0.2, 0.4, 0.6, 0.75, 0.85, 0.92, 0.96, 0.98)
"""How much of a level may stay until the next day."""
_SHARES = (0.25, 0.5, 0.75, 1.0)
"""The shares that levels may have in what days differ by."""
_PAST_DAYS = 2
"""By how many days' worth of the past's spread the window's own is steadied: two or three days that
happen to be equal do not say that days hardly differ."""
_TURNS = 3
"""By so many turns a reach is found that depends on itself; each is a small part of the last."""
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Days:
    """What each day (n,) adds to the mean of a side, as a difference to it, in the order of time.

    `gaps` (n - 1,) are the days from each to the next; None where the data have no time, and days
    are groups of rows that are independent. `within` is the standard deviation of a day's rows,
    and `size` how many there are on average.
    """

    values: Array
    gaps: Array | None
    within: float = 0.0
    size: float = 1.0


@dataclass(frozen=True)
class Chance:
    """How far the difference of two means may lie from what it is in the long run.

    `untold` says why that cannot be known; "" where it can.
    """

    reach: float
    untold: str = ""


def cut_days(values: Array, known: Array, blocks: Blocks, *, timed: bool) -> Days:
    """Return the days of a side's known rows, by what they hold of `values` (n,)."""
    rows = values[known]
    # Equal rows differ from their mean by nothing, and not by rounding.
    rows = np.zeros(len(rows)) if np.ptp(rows) == 0 else rows - rows.mean()
    sums = np.bincount(blocks.ids[known], weights=rows, minlength=blocks.count)
    sizes = np.bincount(blocks.ids[known], minlength=blocks.count)
    there = sizes > 0
    gaps = np.diff(blocks.days[there].astype(np.int64)) if timed else None
    size = float(sizes[there].mean())
    return Days(sums[there] / size, gaps, _within(rows, sums[there], sizes[there]), size)


def _within(rows: Array, sums: Array, sizes: Array) -> float:
    """Return the standard deviation of a day's rows; of all rows where days have one each."""
    top = float(np.abs(rows).max(initial=0.0))
    if not top > 0:
        return 0.0
    squares, beside = float(((rows / top) ** 2).sum()), len(rows) - len(sums)
    if beside > 0:
        squares = max(squares - float(((sums / top) ** 2 / sizes).sum()), 0.0)
    return top * math.sqrt(squares / (beside or max(len(rows) - 1, 1)))


def exponent_of(*values: Array) -> int:
    """Return the power of two that is just above all of these; 0 of nothing but zeros.

    Divided by it numbers keep all their digits, and their squares are neither 0 nor beyond all
    floats.
    """
    return int(np.frexp(max(float(np.abs(each).max(initial=0.0)) for each in values))[1])


def raise_by(exponent: int, value: float) -> float:
    """Return the value times that power of two; infinite where that is beyond all floats."""
    with np.errstate(over="ignore"):
        return float(np.ldexp(value, exponent))


def _grid() -> tuple[Array, Array, Array]:
    """Return how much of a level stays, its share, and how plausible both are beforehand."""
    pairs = [(0.0, 0.0), *((stays, share) for stays in _LASTING for share in _SHARES)]
    stays, shares = np.array(pairs).T
    neighbours = stays * shares
    before = (1 - _INDEPENDENT) * neighbours / neighbours.sum()
    before[0] = _INDEPENDENT
    return stays, shares, before


_STAYS, _LEVELS, _BEFORE = _grid()


@dataclass(frozen=True)
class _Seen:
    """What a side's days say by each likeness (q,).

    `plausible` is the logarithm of how plausible it is, `spread` the variance of a day, `worth` as
    how many independent days they tell.
    """

    plausible: Array
    spread: Array
    worth: Array
    freedom: int


def reach_of_means(
    *sides: Days, confidence: float, least: Callable[[float], float] | None = None
) -> Chance:
    """Return how far the mean of a side, or the difference of the means of two, may lie from what
    it is in the long run. The last side is the past.

    The variance of a window's day is so many times that of the past's as `least` says, or more,
    where the mean may lie so far (0 at first) from where it is.
    """
    exponent = exponent_of(*(side.values for side in sides))
    sides = tuple(
        replace(
            side,
            values=np.ldexp(side.values, -exponent),
            within=raise_by(-exponent, side.within),
        )
        for side in sides
    )
    seen = [_look(side) for side in sides]
    weights = np.log(_BEFORE) + sum(side.plausible for side in seen)
    if any(side.gaps is None for side in sides):
        weights = np.where(_LEVELS > 0, -np.inf, weights)
    weights = np.exp(weights - logsumexp(weights))
    days, most = len(sides[-1].values), _bound_worth(weights, seen[-1].worth)
    untold = ""
    if days < LEAST_WORTH:
        untold = f"the past has {how_many(days, 'day')}, and {LEAST_WORTH} are needed"
    elif most < LEAST_WORTH:
        untold = (
            f"days are so alike that the past's {days} hardly tell as much as {int(most) + 1}"
            f" independent ones, and more than {LEAST_WORTH} are needed"
        )
    fewer = [_fewer(side, sides[-1]) for side in sides[:-1]]
    reach = 0.0
    for _ in range(1 if least is None else _TURNS):
        times = 0.0 if least is None else least(raise_by(exponent, reach))
        reach = _reach(weights, seen, _steady(seen, fewer, times), confidence)
    return Chance(raise_by(exponent, reach), untold)


def _bound_worth(weights: Array, worth: Array) -> float:
    """Return what the past's days are worth at most, as far as that is as good as sure."""
    order = np.argsort(worth)
    return float(worth[order][np.searchsorted(np.cumsum(weights[order]), _SURE)])


def _fewer(window: Days, past: Days) -> float:
    """Return by how much a day's variance is greater than the past's as it has fewer rows."""
    return max(window.within, past.within) ** 2 * max(1 / window.size - 1 / past.size, 0.0)


def _reach(weights: Array, sides: Sequence[_Seen], parts: Array, confidence: float) -> float:
    """Return what is exceeded as seldom as asked, over all likenesses together, by the variances
    (sides, q) of the means.
    """
    freedoms = np.array([side.freedom for side in sides])[:, None]
    variance = parts.sum(axis=0)
    if not variance.max() > 0:
        return 0.0
    if freedoms.min() > 0:
        freedom = variance**2 / (parts**2 / freedoms).sum(axis=0)
    else:  # all that is known of a window of one day is known of the past's
        freedom = np.full(len(variance), max(sides[-1].freedom, 1))
    each = stats.t.ppf((1 + confidence) / 2, freedom) * variance**0.5

    def excess(reach: float) -> float:
        beyond = 2 * stats.t.sf(reach / variance**0.5, freedom)
        return float(weights @ beyond) - (1 - confidence)

    ends = float(each.min()) * (1 - 1e-9), float(each.max()) * (1 + 1e-9)
    return float(optimize.brentq(excess, *ends))


def _steady(sides: Sequence[_Seen], fewer: Sequence[float], least: float) -> Array:
    """Return the variances (sides, q) of the means, the window's with a part of the past's spread
    in it.
    """
    *window, past = sides
    found = []
    for each, more in zip(window, fewer, strict=True):
        like_past, days = past.spread + more, _PAST_DAYS + each.freedom
        spread = (_PAST_DAYS * like_past + each.freedom * each.spread) / days
        found.append(np.maximum(spread, least * like_past))
    return np.array([s / side.worth for s, side in zip([*found, past.spread], sides, strict=True)])


def _look(side: Days) -> _Seen:
    """Return what the days say, by a Kalman filter over them that tries all likenesses at once."""
    count, none = len(side.values), np.zeros(len(_STAYS))
    if side.gaps is None:  # but one likeness counts, and there is nothing to filter
        squared = float(((side.values - side.values.mean()) ** 2).sum())
        return _Seen(none, none + squared / max(count - 1, 1), none + count, count - 1)
    kept = _STAYS[None, :] ** side.gaps[:, None]  # (count - 1, q): of a level, until the next day
    level = np.zeros((2, len(_STAYS)))  # of the values, and of ones, which stand for the mean
    spread, own = _LEVELS.copy(), 1 - _LEVELS
    logs, products = none.copy(), np.zeros((3, len(_STAYS)))
    near, pairs = none, none.copy()
    for place, value in enumerate(side.values):
        whole = spread + own
        away = np.array([[value], [1.0]]) - level
        logs += np.log(whole)
        products += np.array([away[0] ** 2, away[0] * away[1], away[1] ** 2]) / whole
        level = level + spread / whole * away
        spread = spread * own / whole
        if place < count - 1:
            level = level * kept[place]
            spread = spread * kept[place] ** 2 + _LEVELS * (1 - kept[place] ** 2)
            near = kept[place] * (near + 1)
            pairs += near
    squares = products[0] - products[1] ** 2 / products[2]
    worth = count**2 / (count + 2 * _LEVELS * pairs)
    if not (squares > _ROUNDING * products[0]).all():
        return _Seen(none, none, worth, count - 1)
    plausible = -(logs + np.log(products[2]) + (count - 1) * np.log(squares)) / 2
    return _Seen(plausible, squares / (count - 1), worth, count - 1)
