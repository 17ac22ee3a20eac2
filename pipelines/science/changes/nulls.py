"""What statistics do where nothing has changed: by windows of the past, or by blocks that are
drawn.

Statistics of one family are put on one scale (standard deviations of what chance does to each,
after a power that makes it about normal), and the greatest of them decides: so the level holds for
all together, and critical values follow from what the statistics have in common (max-T). Sources:
Westfall & Young (1993), "Resampling-Based Multiple Testing"; Wilson & Hilferty (1931), "The
Distribution of Chi-Square", PNAS 17 (the power); Phipson & Smyth (2010), "Permutation P-values
Should Never Be Zero", Statistical Applications in Genetics and Molecular Biology 9; Gumbel (1958),
"Statistics of Extremes" (the greatest of many, fitted by mean and deviation).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from pipelines.science.changes.likeness import count_rivals, worth

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.science.changes.likeness import Stretches

    Array = NDArray[Any]

_POWER = 2 / 3
"""A distance to this power is a chi-square's cube root."""
_ROUNDING = 1e-12
_FARTHEST = 30.0
"""Normal values beyond it are no numbers any more."""


@dataclass(frozen=True)
class Judged:
    """What a null says of statistics (q,), each with its critical value and its p-value, which are
    those of all together.
    """

    critical: Array
    p_values: Array


@lru_cache(maxsize=2)  # the families of one window draw the same
def draw_parts(within: int, count: int, draws: int, seed: int) -> Array:
    """Return which pieces are in each of `draws` parts of as many as the window's (draws, count);
    the first part is the window, whose pieces are the last.
    """
    rng = np.random.default_rng(seed)
    order = rng.random((draws, count), dtype=np.float32)
    order[0] = np.arange(count, 0, -1)
    chosen = np.argpartition(order, within - 1, axis=1)[:, :within]
    parts = np.zeros((draws, count), dtype=np.float32)
    np.put_along_axis(parts, chosen, 1.0, axis=1)
    parts.flags.writeable = False
    return parts


def judge_by_draws(found: Array, level: float, wider: Array, floors: Array) -> Judged:
    """Return what draws say: `found` (draws, q), of which the first is the window itself.

    `wider` (q,) is by how much the window's statistics must be the greater, as neighbours are
    alike. `floors` (q,) are what a statistic must differ by to count as one deviation at least.
    """
    sizes = np.abs(found)
    sizes[0] /= wider
    powers = sizes**_POWER
    mean, spread = powers.mean(axis=0), _spread(powers)
    spread = np.maximum(spread, _floor(mean, floors))
    away = (powers - mean) / np.where(spread > 0, spread, np.inf)
    greatest = away.max(axis=1)
    ordered = np.sort(greatest[1:])[::-1]
    # A statistic is changed where at most so many draws, and the window, are as far away.
    allowed = int(level * len(found) + 1e-9) - 1
    limit = ordered[allowed]
    above = 1 + len(ordered) - np.searchsorted(ordered[::-1], away[0], side="left")
    critical = np.maximum(mean + limit * spread, 0.0) ** (1 / _POWER) * wider
    return Judged(critical, np.asarray(above / len(found)))


def _spread(powers: Array) -> Array:
    """Return the deviations (q,); greater ones where the upper end is longer than a normal one's,
    which would else set the critical value of all.
    """
    place = max(1, len(powers) // 200)
    high = -np.partition(-powers, place, axis=0)[place]
    long = (high - powers.mean(axis=0)) / -float(ndtri(place / len(powers)))
    return np.asarray(np.maximum(powers.std(axis=0), long))


def _floor(mean: Array, floors: Array) -> Array:
    """Return what floors of statistics add to their mean, in squares, on the scale of powers."""
    mean = np.maximum(mean, 0.0)
    return np.asarray((mean**3 + floors**2) ** (1 / 3) - mean)


def least_draws(level: float) -> int:
    """Return how many draws a level needs: ten of them are beyond it."""
    return int(np.ceil(10 / level))


def judge_by_windows(
    found: Array,
    level: float,
    correlations: Array,
    floors: Array,
    near: Stretches,
) -> Judged | None:
    """Return what windows of the past say: `found` (windows + 1, q), the last is the window itself.

    `correlations` (q,) are those of neighbouring windows. Each window is held against all others
    but those `near` it, with their mean and deviation: a Student's t with as many degrees of
    freedom as the past is worth independent windows. The greatest t of the window must be among the
    greatest `level` of the past's and its own, or above all where that is less than one, and beyond
    what a Gumbel distribution (that of greatest values) with the past's mean and deviation leaves
    to `level`. None where no value could be beyond that.
    """
    count = len(found) - 1
    powers = np.abs(found) ** _POWER
    away = _leave_out(powers, floors, near)
    _, freedom = worth(correlations, count)
    independent = count_rivals(freedom, count)
    freedom = np.maximum(freedom - 1, 1.0)
    greatest = _to_normal(away[:-1], freedom).max(axis=1)
    centre, spread = float(greatest.mean()), max(float(greatest.std(ddof=1)), _ROUNDING)
    spread *= (1 + 1 / independent) ** 0.5
    limit = centre + spread * float(_from_normal(_gumbel(level), independent - 1.0))
    # The window counts as one of them (Phipson & Smyth): of 100 at 1 % none may be as far away.
    allowed = max(int(level * (independent + 1) + 1e-9) - 1, 0)
    limit = max(limit, np.sort(greatest)[count - 1 - allowed])
    if limit > _FARTHEST:
        return None
    scores = _to_normal(away[-1], freedom)
    reduced = _to_normal((scores - centre) / spread, independent - 1.0)
    fitted = -np.expm1(-np.exp(-(np.pi / 6**0.5 * reduced + np.euler_gamma)))
    beyond = count - np.searchsorted(np.sort(greatest), scores, side="left")
    share = np.where(beyond > 0, np.minimum((1 + beyond) / (independent + 1), 1.0), 0.0)
    past = powers[:-1]
    deviation = np.maximum(past.std(axis=0, ddof=1), _floor(past.mean(axis=0), floors))
    # As in `_leave_out`: the window is one more than those whose mean and deviation these are.
    one_more = (1 + 1 / count) ** 0.5
    reach = past.mean(axis=0) + _from_normal(limit, freedom) * deviation * one_more
    return Judged(np.maximum(reach, 0.0) ** (1 / _POWER), np.maximum(fitted, share))


def _gumbel(level: float) -> float:
    """Return how many deviations from its mean a Gumbel distribution leaves `level` beyond."""
    return float(-(np.log(-np.log1p(-level)) + np.euler_gamma) * 6**0.5 / np.pi)


def _leave_out(powers: Array, floors: Array, near: Stretches) -> Array:
    """Return how many deviations each row is from the mean of those that are not near it."""
    count = len(powers) - near.sum(np.ones((len(powers), 1)))
    mean = (powers.sum(axis=0) - near.sum(powers)) / count
    squares = (powers**2).sum(axis=0) - near.sum(powers**2)
    variance = (squares - count * mean**2) / np.maximum(count - 1, 1)
    spread = np.maximum(np.sqrt(np.maximum(variance, _ROUNDING)), _floor(mean, floors))
    return np.asarray((powers - mean) / (spread * (1 + 1 / count) ** 0.5))


def _to_normal(away: Array, freedom: Array | float) -> Array:
    """Return Student's t values as normal ones."""
    return np.asarray(-ndtri(np.clip(stdtr(freedom, -away), 1e-300, 1 - 1e-16)))


def _from_normal(scores: Array | float, freedom: Array | float) -> Array:
    """Return normal values as Student's t ones."""
    return np.asarray(-stdtrit(freedom, ndtr(-np.asarray(scores))))
