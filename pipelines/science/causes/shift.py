"""How far a window's columns lie from the reference's, against the spread of days.

The standard error of a cell's share is that of a ratio over whole days (Cochran, 1977, "Sampling
Techniques", chapter 6), taken from the reference, where the days are many; of a stretch of days
from the stretches of the past. It is never less than that of independent rows. A column's cells are
tested together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from pipelines.science.causes.blocks import spread_of_means
from pipelines.science.causes.cells import MISSING, distance, shares

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.science.causes.blocks import Blocks

    Array = NDArray[Any]

LEAST_DEGREES = 4.0
"""With fewer stretches of the past than this a p-value tells nothing."""
_HUGE = 1e12
"""Beyond this a tangent is the reciprocal of its angle, and more exact than that."""
LEAST_SHARE = 0.02
"""Rows that a cell must win or lose to be looked at."""


@dataclass(frozen=True)
class Shift:
    """How far a column has moved.

    `distance` is the share of rows (0..1) that would have to move, and `noise` what days alone make
    of it; `p_value` is that of all its cells together; `z` (cells,) are signed standard errors, 0
    of a cell that has won and lost less than `LEAST_SHARE` of the rows.
    """

    distance: float
    noise: float
    p_value: float
    window: Array
    reference: Array
    z: Array


def degrees(window: Blocks, reference: Blocks) -> float:
    """Return how many independent pieces of the past the spread is measured by, less one."""
    length = window.count if window.stretch else 1
    return max(reference.count / max(length, 1) - 1, 1.0)


def measure_shift(
    window: Array,
    reference: Array,
    cells: int,
    *,
    blocks: tuple[Blocks, Blocks],
    weights: Array | None = None,
    ordered: bool = False,
) -> Shift:
    """Return how far codes (n,) of the window lie from the reference's (m,).

    `blocks` are the window's and the reference's, `weights` (reference blocks,) how much each of
    its days counts; None where all count alike. The cells of numbers are `ordered`.
    """
    own, other = blocks
    tally = other.tally(reference, cells)
    sizes = tally.sum(axis=1)
    weights = np.ones(other.count) if weights is None else weights
    total = float(weights @ sizes)
    if not len(window) or total <= 0:
        zero = np.zeros(cells)
        return Shift(0.0, 0.0, 1.0, zero, zero, zero)
    past = weights @ tally / total
    now = shares(window, cells)
    # Beside the cells themselves, of numbers their middle rank: a shift of all is no cell's alone.
    seen = np.column_stack([np.eye(cells), ranks(past)]) if ordered else np.eye(cells)
    scores = seen.shape[1] - cells
    residuals = (tally - past * sizes[:, None]) @ seen / (total / weights.sum())
    effective = weights.sum() ** 2 / (weights**2).sum()
    days = spread_of_means(residuals, own.count, stretch=own.stretch, weights=weights)
    # Where the reference has fewer rows a day, its days differ by drawing more than the window's.
    drawn = _variance(past, seen) * (1 / sizes.mean() - own.count / len(window))
    days = np.maximum(days - np.maximum(drawn, 0.0) / own.count, days / 10)
    each = spread_of_means(residuals, 1, stretch=False, weights=weights) / effective
    both = (now * len(window) + past * total) / (len(window) + total)
    rows = _variance(both, seen) * (1 / len(window) + 1 / (sizes.sum() * effective / other.count))
    # A cell that was empty has no spread of its own: its rows are taken for as alike as others'.
    alike = max(1.0, float((days + each).sum() / rows.sum())) if rows.sum() > 0 else 1.0
    empty = np.append(past < LEAST_SHARE / 4, np.zeros(scores, dtype=bool))
    error = np.sqrt(np.maximum(days + each, np.where(empty, alike, 1.0) * rows))
    away = (now - past) @ seen
    z = np.divide(away, error, out=np.zeros(len(away)), where=error > 0)
    # Of small shares that come in heaps, no t tells: a cell must have won or lost some rows.
    z = np.where(np.abs(away) >= LEAST_SHARE, z, 0.0)
    p_values = np.where(z == 0, 0.5, 2 * stats.t.sf(np.abs(z), degrees(own, other)))
    p = combine(p_values[np.append(both > 0, np.ones(scores, dtype=bool))])
    noise = float(0.4 * error[:cells].sum())
    return Shift(distance(now, past), noise, p, now, past, z[:cells])


def ranks(past: Array) -> Array:
    """Return the middle rank (cells,) of each cell of numbers, 0 to 1; of the missing it is 1/2."""
    known = past.copy()
    known[MISSING] = 0.0
    total = known.sum()
    middle = (np.cumsum(known) - known / 2) / total if total > 0 else np.full(len(past), 0.5)
    middle[MISSING] = 0.5
    return np.asarray(middle)


def _variance(shares_of: Array, seen: Array) -> Array:
    """Return the variance of one row's indicators and scores, by the shares (cells,) of rows."""
    return np.asarray(shares_of @ seen**2 - (shares_of @ seen) ** 2)


def combine(p_values: Array) -> float:
    """Return one p-value for several that depend on each other in any way (Liu & Xie, 2020,
    "Cauchy combination test", Journal of the American Statistical Association 115).
    """
    if not len(p_values):
        return 1.0
    # What is no evidence at all shall not outweigh what is: hence not beyond 0.95.
    p = np.clip(p_values, 1e-300, 0.95)
    # For the least the tangent is 1 / (pi p), which keeps what a float of 0.5 - p loses.
    tangents = np.where(p < 1e-15, 1 / (np.pi * p), np.tan((0.5 - p) * np.pi))  # noqa: PLR2004
    mean = float(tangents.mean())
    if mean > _HUGE:
        return float(1 / (np.pi * mean))
    return float(0.5 - np.arctan(mean) / np.pi)
