"""The threshold above which a probability means class 1, chosen on rows that no fit has seen.

A metric of labels follows from the four counts of a confusion table, and these follow for every
threshold from one sort of the scores. A metric of the model's own follows from what each row
counts for either decision, summed in the same order.

The best of many thresholds flatters itself: its score on the rows that chose it is no estimate
(Fithian, Sun & Taylor 2014, "Optimal Inference After Model Selection"). So nothing is judged by it;
it only says how much was won on them over 0.5, and on how many rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.metrics import THRESHOLD, better_by, resample
from pipelines.science.own_metrics import RowMetric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.science.own_metrics import AnyMetric

    Array = NDArray[Any]

MOST = 1_000
"""Thresholds that are looked at, at most: evenly over the ranks of the distinct scores."""
_DIGITS = 6
"""Digits of a threshold, where they still part the two scores between which it lies."""
_SAME = 1e-9
"""Two values are a tie where they differ by less, as a share of the greatest of all."""


@dataclass(frozen=True)
class Curve:
    """A metric against the threshold: `thresholds` (t,) rise, `scores` (t,) may be NaN.

    `best` is the place of the chosen one, `default` that of 0.5.
    """

    thresholds: Array
    scores: Array
    best: int
    default: int

    @property
    def threshold(self) -> float:
        """The chosen threshold."""
        return float(self.thresholds[self.best])


def choose_threshold(metric: AnyMetric, y: Array, p: Array) -> Curve | None:
    """Return the metric's curve over the thresholds of probabilities (n,), and the best one.

    Of equal ones the one next to 0.5 is chosen, of two such the smaller. None where the metric is
    nowhere defined, or a probability is not finite. Raises ValueError for an own metric that does
    not follow from decisions.
    """
    if not len(p) or not np.isfinite(p).all():
        return None
    order = np.argsort(p, kind="stable")
    scores = np.asarray(p, dtype=np.float64)[order]
    thresholds = _thresholds(scores)
    negative = np.searchsorted(scores, thresholds, side="right")
    if isinstance(metric, RowMetric):
        values = _own_values(metric, order, negative)
    else:
        name = metric if isinstance(metric, str) else metric.name
        values = _catalogue_values(name, np.asarray(y)[order], negative)
    finite = np.isfinite(values)
    if not finite.any():
        return None
    gain = np.where(finite, better_by(metric, values, 0.0), -np.inf)
    slack = _SAME * max(1.0, float(np.abs(values[finite]).max()))
    ties = np.flatnonzero(gain >= gain.max() - slack)
    best = int(ties[np.argmin(np.abs(thresholds[ties] - THRESHOLD))])
    return Curve(thresholds, values, best, int(np.searchsorted(thresholds, THRESHOLD)))


def _thresholds(scores: Array) -> Array:
    """Return thresholds that part the sorted scores (n,) everywhere, or at `MOST` ranks: between
    two scores each, outside of all of them, and 0.5.
    """
    levels = np.unique(scores)
    ends = np.concatenate([[max(0.0, levels[0] - 1)], levels, [min(1.0, levels[-1] + 1)]])
    gaps = len(ends) - 1
    at = np.arange(gaps)
    if gaps > MOST:
        # A gap for each MOST-th part of the rows, not of the levels: there the decisions change.
        ranks = np.linspace(0, len(scores) - 1, MOST - 2).astype(np.int64)
        inner = np.searchsorted(levels, scores[ranks])
        at = np.unique(np.concatenate([[0], inner, [gaps - 1]]))
    low, high = ends[at], ends[at + 1]
    middle = (low + high) / 2
    short = np.round(middle, _DIGITS)
    thresholds = np.where((short > low) & (short < high), short, middle)
    inside = (thresholds > 0) & (thresholds < 1) & (thresholds >= low) & (thresholds < high)
    return np.unique(np.append(thresholds[inside], THRESHOLD))


def _catalogue_values(metric: str, y: Array, negative: Array) -> Array:
    """Return the metric (t,) where the first `negative` (t,) of the sorted rows are called 0.

    The four cells of the confusion table are four rows, drawn as often as they count.
    """
    positives = np.concatenate([[0], np.cumsum(y == 1)])
    missed = positives[negative]
    rejected = negative - missed
    hit = positives[-1] - missed
    false = len(y) - negative - hit
    truth, called = np.array([0, 0, 1, 1]), np.array([0.0, 1.0, 0.0, 1.0])
    cells = np.column_stack([rejected, false, missed, hit]).astype(np.float64)
    return np.asarray(resample(metric, truth, called, np.arange(4), 4).of(cells))


def _own_values(metric: RowMetric, order: Array, negative: Array) -> Array:
    if metric.by_decision is None:
        msg = f"{metric.name} does not follow from decisions"
        raise ValueError(msg)
    ordered = metric.by_decision[metric.positions[order]]
    below = np.concatenate([[0.0], np.cumsum(ordered[:, 0])])[negative]
    sums = np.concatenate([[0.0], np.cumsum(ordered[:, 1])])
    above = sums[-1] - sums[negative]
    return metric.of_sums(np.column_stack([below + above, np.full(len(negative), len(order))]))
