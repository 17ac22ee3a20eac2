"""What statistics do where nothing has changed: by windows of the past, or by blocks that are
drawn.

Statistics of one family are put on one scale (standard deviations of what chance does to each,
after a power that makes it about normal), and the greatest of them decides: so the level holds for
all together, and critical values follow from what the statistics have in common (max-T). Sources:
Westfall & Young (1993), "Resampling-Based Multiple Testing"; Wilson & Hilferty (1931), "The
Distribution of Chi-Square", PNAS 17 (the power); Phipson & Smyth (2010), "Permutation P-values
Should Never Be Zero", Statistical Applications in Genetics and Molecular Biology 9.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from pipelines.science.changes.likeness import worth

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

_POWER = 2 / 3
"""A distance to this power is a chi-square's cube root."""
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Judged:
    """What a null says of statistics (q,), each with its critical value and its p-value, which are
    those of all together.
    """

    critical: Array
    p_values: Array


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
    spread = np.maximum(spread, floors**_POWER)
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


def least_draws(level: float) -> int:
    """Return how many draws a level needs: ten of them are beyond it."""
    return int(np.ceil(10 / level))


def judge_by_windows(found: Array, level: float, correlations: Array, floors: Array) -> Judged:
    """Return what windows of the past say: `found` (windows + 1, q), the last is the window itself.

    `correlations` (q,) are those of neighbouring windows. Each window is held against all others,
    with their mean and deviation: a Student's t with as many degrees of freedom as the past is
    worth independent windows. The greatest t of a window must be above those of the past, and
    beyond what as many normal values reach or what the past's greatest reach by a Gumbel
    distribution, whichever is the nearer.
    """
    count = len(found) - 1
    powers = np.abs(found) ** _POWER
    least = floors**_POWER
    away = _leave_out(powers, least)
    mean_worth, freedom = worth(correlations, count)
    freedom = np.maximum(freedom - 1, 1.0)
    factor = np.sqrt((1 + 1 / mean_worth) / np.maximum(1 - 1 / mean_worth, 0.1))
    plain = ((count + 1) / count) ** 0.5
    scores = np.vstack(
        [_to_normal(away[:-1] / plain, freedom), _to_normal(away[-1] / factor, freedom)]
    )
    greatest = scores[:-1].max(axis=1)
    p_values = _p_of_greatest(scores[-1], greatest, found.shape[1])
    low, high = 0.0, 40.0
    for _ in range(60):
        middle = (low + high) / 2
        beyond = _p_of_greatest(np.array([middle]), greatest, found.shape[1])[0] > level
        low, high = (middle, high) if beyond else (low, middle)
    past = powers[:-1]
    t_limit = -stdtrit(freedom, ndtr(-min(high, 37.0))) * factor
    reach = np.minimum(t_limit, count**0.5)
    spread = np.maximum(past.std(axis=0, ddof=1), least)
    critical = np.maximum(past.mean(axis=0) + reach * spread, 0.0) ** (1 / _POWER)
    return Judged(critical, p_values)


def _leave_out(powers: Array, floors: Array) -> Array:
    """Return how many deviations each row is from the mean of the others; at most their root."""
    count = len(powers) - 1
    total, squares = powers.sum(axis=0), (powers**2).sum(axis=0)
    mean = (total - powers) / count
    variance = ((squares - powers**2) - count * mean**2) / max(count - 1, 1)
    spread = np.maximum(np.sqrt(np.maximum(variance, 1e-18)), floors)
    away = (powers - mean) / spread
    away[np.abs(powers - mean) < _ROUNDING] = 0.0
    return np.asarray(np.clip(away, -(count**0.5), count**0.5))


def _to_normal(away: Array, freedom: Array) -> Array:
    """Return Student's t values as normal ones."""
    return np.asarray(-ndtri(np.clip(stdtr(freedom, -away), 1e-300, 1 - 1e-16)))


def _p_of_greatest(scores: Array, greatest: Array, tests: int) -> Array:
    """Return how likely the greatest of the tests is beyond each score where nothing changed."""
    count = len(greatest)
    single = ndtr(-scores)
    several = -np.expm1(tests * np.log1p(-np.minimum(single, 1 - 1e-12)))
    centre, spread = greatest.mean(), max(float(greatest.std(ddof=1)), 1e-9)
    away = _to_normal((scores - centre) / spread / (1 + 1 / count) ** 0.5, np.array(count - 1.0))
    gumbel = -np.expm1(-np.exp(-(np.pi / 6**0.5 * away + np.euler_gamma)))
    share = (greatest[None, :] >= scores[:, None]).mean(axis=1)
    return np.asarray(np.maximum(np.minimum(several, gumbel), share))
