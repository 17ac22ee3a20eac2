"""Between which ends a window's metric will lie, by how much days differ.

A day is one piece of evidence, on both sides. What the estimate rests on are the held-out days;
what the truth will rest on are the window's. So the error is that of a mean of some days which
foretells the mean of others (Student's prediction interval): s² (1/m + 1/n), where s² is the
variance from day to day. Where days are like the days before, s² is taken from the slow part of
their series, which has fewer degrees of freedom (`science.dependence`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from pipelines.science.dependence import are_alike, slow_variance, widening
from pipelines.science.pieces import pieces_of_groups, pieces_of_times

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.science.pieces import Pieces, Span

    Array = NDArray[Any]


@dataclass(frozen=True)
class Noise:
    """How far chance moves a mean of days: as many as the past has, and as the window has.

    `past` and `window` are variances, `freedom` their degrees of freedom; `stretch` is by how much
    more than for independent days the past's variance is.
    """

    past: float
    window: float
    freedom: int
    stretch: float


@dataclass(frozen=True)
class Days:
    """The pieces of both sides: the past's, and how many the window has and how large they are."""

    past: Pieces
    window: int
    smaller: float
    """How many times as many rows a piece of the past has as one of the window."""


def cut_days(past: Array | None, window: Array | None, rows: tuple[int, int], span: Span) -> Days:
    """Return the pieces of the past's `rows[0]` rows and of the window's `rows[1]`.

    Without times on both sides each row stands for itself.
    """
    if past is None or window is None:
        held = pieces_of_groups(np.arange(rows[0]))
        return Days(held, min(rows[1], held.count), held.count / min(rows[1], held.count))
    held, own = pieces_of_times(past, span), pieces_of_times(window, span)
    ratio = (rows[0] / held.count) / (rows[1] / own.count)
    # A day's level may be shared by all its rows, however many: fewer rows blur it, more do not
    # sharpen it. Single rows share nothing.
    return Days(held, own.count, ratio if span == "row" else max(ratio, 1.0))


def measure_noise(influences: Array, days: Days, heavy: Array | None = None) -> Noise:
    """Return how far chance moves the mean of `influences` (days,), one for each past day.

    `heavy` (days,) is how much each of them weighs; all alike where it is None.
    """
    count, few = len(influences), days.window
    alone = float(influences @ influences) / (count * (count - 1))
    if heavy is None:
        one = alone * count
    else:
        share = np.where(heavy > 0, heavy / heavy.mean(), np.inf)
        one = float((influences**2 / share).sum()) / (count - 1)
    one *= days.smaller
    if not days.past.in_order or alone <= 0:
        return Noise(alone, one / few, count - 1, 1.0)
    if not are_alike(influences):
        wider = widening(influences) ** 2
        return Noise(alone * wider, one * wider / few, count - 1, wider)
    slow, freedom = slow_variance(influences)
    slow = max(slow, alone)
    stretch = slow / alone
    # A mean of days scatters no more than a single day does about the long run.
    window = min(one * stretch / few, one + slow)
    return Noise(slow, window, min(freedom, count - 1), stretch)


def reach(
    noise: Noise, confidence: float, *, past: float | None = None, scale: float = 1.0
) -> float:
    """Return how far from the estimate the truth may lie.

    `past` is the variance of the estimate, where it is not that of the past days' mean; `scale`
    is how many times as much the window's days vary as those of the past.
    """
    variance = (noise.past if past is None else past) + noise.window * scale
    return float(stats.t.ppf((1 + confidence) / 2, noise.freedom) * variance**0.5)
