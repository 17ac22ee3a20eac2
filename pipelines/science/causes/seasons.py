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


def _month(days: Array) -> Array:
    return days.astype("datetime64[M]").astype(np.int64) % 12


def _is_weekend(days: Array) -> Array:
    return (days.astype("datetime64[D]").astype(np.int64) + 3) % 7 >= 5  # noqa: PLR2004 -- Saturday


def match_season(view: View) -> Array | None:
    """Return the weights (reference days,) that give the reference the window's season.

    None without times, or where the reference hardly knows the season.
    """
    if view.window.times is None or view.reference.times is None:
        return None
    own, past = (b.days for b in view.blocks)
    now, then = (_month(d) * 2 + _is_weekend(d) for d in (own, past))
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
    weekend = [float(_is_weekend(d).mean()) for d in (own, past)]
    months = float(np.abs(shares[0] - shares[1]).sum() / 2)
    return max(months, abs(weekend[0] - weekend[1]))


def same_season(view: View) -> Array | None:
    """Return which reference rows (m,) are of the window's months; None where it has too few."""
    if view.window.times is None or view.reference.times is None:
        return None
    months = np.unique(_month(view.blocks[0].days))
    rows = np.isin(_month(view.reference.times), months)
    return rows if rows.sum() >= 100 else None  # noqa: PLR2004 -- a share is told from as many
