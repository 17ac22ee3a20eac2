"""Does a change go away beside rows of the same season: the same months, the same days of the week?

Each day of the reference weighs so much that its months and weekends are mixed as the window's are
(post-stratification: Cochran, 1977, "Sampling Techniques", chapter 5A).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.science.causes.view import View

    Array = NDArray[Any]

_YEAR = 366
_LEAST_COVERED = 0.8
"""The share of the window's days whose regime the reference must know."""
_LEAST_DAYS = 3
_OF_CALENDAR = 0.02
"""The part of its variance that the calendar leaves of a column that is made from it."""


def _month(days: Array) -> Array:
    return days.astype("datetime64[M]").astype(np.int64) % 12


def is_weekend(days: Array) -> Array:
    """Return which days or moments (n,) lie in a weekend."""
    return (days.astype("datetime64[D]").astype(np.int64) + 3) % 7 >= 5  # noqa: PLR2004 -- Saturday


def match_season(view: View) -> Array | None:
    """Return the weights (reference days,) that give the reference the window's season.

    None without times, or where the reference hardly knows the season.
    """
    if view.window.times is None or view.reference.times is None:
        return None
    own, past = (b.days for b in view.blocks)
    now, then = (_month(d) * 2 + is_weekend(d) for d in (own, past))
    wanted = np.bincount(now, minlength=24) / len(now)
    there = np.bincount(then, minlength=24)
    known = there >= _LEAST_DAYS
    if wanted[known].sum() < _LEAST_COVERED:
        return None
    weights: Array = np.where(known, wanted / np.maximum(there, 1), 0.0)[then]
    return np.asarray(weights * len(past) / weights.sum())


def how_far_season(view: View) -> float:
    """Return how far the window's months and weekends are from the reference's mix (0..1)."""
    own, past = (b.days for b in view.blocks)
    shares = [np.bincount(_month(d), minlength=12) / len(d) for d in (own, past)]
    weekend = [float(is_weekend(d).mean()) for d in (own, past)]
    months = float(np.abs(shares[0] - shares[1]).sum() / 2)
    return max(months, abs(weekend[0] - weekend[1]))


def same_season(view: View) -> Array | None:
    """Return which reference rows (m,) are of the window's months; None where it has too few."""
    if view.window.times is None or view.reference.times is None:
        return None
    months = np.unique(_month(view.blocks[0].days))
    rows = np.isin(_month(view.reference.times), months)
    return rows if rows.sum() >= 100 else None  # noqa: PLR2004 -- a share is told from as many


def same_kind_of_day(times: Array, past: Array) -> Array:
    """Return which moments of the past (m,) are of the same kinds of day: weekends or not."""
    return np.isin(is_weekend(past), np.unique(is_weekend(times)))


def is_of_calendar(values: Array, times: Array) -> bool:
    """Tell whether a column (n,) hardly varies but with the hour and the day of the week: it is
    made from the time.
    """
    known = np.isfinite(values)
    values, times = values[known], times[known]
    if not len(values):
        return False
    days = times.astype("datetime64[D]")
    hours = (times - days).astype("timedelta64[h]").astype(np.int64)
    cells = (days.astype(np.int64) + 3) % 7 * 24 + hours
    rows = np.bincount(cells, minlength=7 * 24)
    level = np.bincount(cells, weights=values, minlength=7 * 24) / np.maximum(rows, 1)
    left = float(np.mean((values - level[cells]) ** 2))
    return left <= _OF_CALENDAR * float(np.var(values))


_LAST_DAY = 366
"""The greatest number that a calendar gives to a day, as month, week or day of the year."""


def is_later_in_calendar(view: View, name: str, value: float) -> bool:
    """Tell whether a value lies above all of the reference in a column of whole numbers that all
    rows of a day share, as the month is: after 1 to 3 comes 6, where the window is one of June.
    """
    past = view.reference.columns[name]
    if not np.nanmax(past, initial=-np.inf) < value <= _LAST_DAY:
        return False
    for side in (view.window, view.reference):
        if side.times is None:
            return False
        values = side.columns[name]
        known = np.isfinite(values)
        days = side.times[known].astype("datetime64[D]")
        pairs = set(zip(days.tolist(), values[known].tolist(), strict=True))
        if len(pairs) > len(np.unique(days)) or (values[known] % 1).any():
            return False
    return True
