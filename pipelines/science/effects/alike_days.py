"""How far the means of two sides may differ by chance, by whole days that may be alike.

What a day has of its own is chance; the rest is a level, which is like that of the day before. How
large its share is, and how long it lasts, nobody knows, and few days show little of it. So no
likeness is measured and taken for certain: each of a grid counts for as much as the days of both
sides make it plausible, and the interval is that of all of them together. Whatever likeness holds,
the days' own spread is that of independent ones once it is known, so each is Student's t, with two
sides that need not vary alike. Few days that are much alike say little of how alike they are:
then nothing can be said.

Sources: Harville (1974), "Bayesian inference for variance components using only error contrasts",
Biometrika 61 (how plausible a likeness is, beside a mean that is not known); Harvey & Phillips
(1979), "Maximum likelihood estimation of regression models with autoregressive-moving average
disturbances", Biometrika 66 (by a Kalman filter); Welch (1947), "The generalization of 'Student's'
problem when several different population variances are involved", Biometrika 34.
`benchmarks/effects.py` measures what holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import optimize, stats
from scipy.special import logsumexp

if TYPE_CHECKING:
    from collections.abc import Sequence

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
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Days:
    """What each day (n,) adds to the mean of a side, as a difference to it, in the order of time.

    `gaps` (n - 1,) are the days from each to the next; None where the data have no time, and days
    are groups of rows that are independent.
    """

    values: Array
    gaps: Array | None


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
    return Days(sums[there] / sizes[there].mean(), gaps)


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


def reach_of_means(*sides: Days, confidence: float) -> Chance:
    """Return how far the mean of a side, or the difference of the means of two, may lie from what
    it is in the long run. The last side is the past.
    """
    seen = [_look(side) for side in sides]
    weights = np.log(_BEFORE) + sum(side.plausible for side in seen)
    if any(side.gaps is None for side in sides):
        weights = np.where(_LEVELS > 0, -np.inf, weights)
    weights = np.exp(weights - logsumexp(weights))
    days, most = len(sides[-1].values), _bound_worth(weights, seen[-1].worth)
    untold = ""
    if days < LEAST_WORTH:
        untold = f"the past has {days} days, and {LEAST_WORTH} are needed"
    elif most < LEAST_WORTH:
        untold = (
            f"days are so alike that the past's {days} hardly tell as much as {int(most) + 1}"
            f" independent ones, and more than {LEAST_WORTH} are needed"
        )
    return Chance(_reach(weights, seen, confidence), untold)


def _bound_worth(weights: Array, worth: Array) -> float:
    """Return what the past's days are worth at most, as far as that is as good as sure."""
    order = np.argsort(worth)
    return float(worth[order][np.searchsorted(np.cumsum(weights[order]), _SURE)])


def _reach(weights: Array, sides: Sequence[_Seen], confidence: float) -> float:
    """Return what is exceeded as seldom as asked, over all likenesses together."""
    parts = np.array(_steady(sides))
    freedoms = np.array([side.freedom for side in sides])[:, None]
    variance = parts.sum(axis=0)
    if not variance.max() > 0:
        return 0.0
    freedom = variance**2 / (parts**2 / freedoms).sum(axis=0)
    each = stats.t.ppf((1 + confidence) / 2, freedom) * variance**0.5

    def missed(reach: float) -> float:
        beyond = 2 * stats.t.sf(reach / variance**0.5, freedom)
        return float(weights @ beyond) - (1 - confidence)

    ends = float(each.min()) * (1 - 1e-9), float(each.max()) * (1 + 1e-9)
    return float(optimize.brentq(missed, *ends))


def _steady(sides: Sequence[_Seen]) -> list[Array]:
    """Return the variances of the means, the window's with a part of the past's spread in it."""
    *window, past = sides
    found = [
        (_PAST_DAYS * past.spread + each.freedom * each.spread) / (_PAST_DAYS + each.freedom)
        for each in window
    ]
    return [spread / side.worth for spread, side in zip([*found, past.spread], sides, strict=True)]


def _look(side: Days) -> _Seen:
    """Return what the days say, by a Kalman filter over them that tries all likenesses at once."""
    count = len(side.values)
    gaps = np.ones(count - 1) if side.gaps is None else side.gaps
    kept = _STAYS[None, :] ** gaps[:, None]  # (count - 1, q): of a level, until the next day
    level = np.zeros((2, len(_STAYS)))  # of the values, and of ones, which stand for the mean
    spread, own = _LEVELS.copy(), 1 - _LEVELS
    logs, products = np.zeros(len(_STAYS)), np.zeros((3, len(_STAYS)))
    near, pairs = np.zeros(len(_STAYS)), np.zeros(len(_STAYS))
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
        return _Seen(np.zeros(len(worth)), np.zeros(len(worth)), worth, count - 1)
    plausible = -(logs + np.log(products[2]) + (count - 1) * np.log(squares)) / 2
    return _Seen(plausible, squares / (count - 1), worth, count - 1)
