"""Which rows and answers a metric can take, and in words why it cannot take others.

Shapes as in `science.metrics`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.tasks import CLASSIFY, Task, answers_probabilities

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.spec.metric import Metric, Need

    Array = NDArray[Any]

UNLABELLED = -1
"""The true value of a row of an anomaly model of which nobody has told whether it is one."""
_ROUNDING = 1e-6
"""How far float32 may carry a probability out of [0, 1]."""


def count_unfit(answers: Array, task: Task) -> int:
    """Count the rows of answers (n, k) that nobody may be served.

    They are not finite, or no probabilities where they should be.
    """
    fit = np.isfinite(answers)
    if answers_probabilities(task):
        fit &= (answers >= -_ROUNDING) & (answers <= 1 + _ROUNDING)
    return int((~fit.all(axis=1)).sum())


def are_usable(metric: Metric, y: Array, p: Array, weights: Array | None) -> bool:
    """Tell whether rows and predictions can be scored by the metric at all."""
    if len(y) == 0 or len(y) != len(p) or find_weights_fault(y, weights):
        return False
    if not np.isfinite(p).all() or not (np.isfinite(y).all() or not metric.needs_truth):
        return False
    if not metric.needs_truth:
        return True
    if not metric.tasks & CLASSIFY:
        return all(bool(_meets(need, y, p).all()) for need in metric.needs)
    labels_fit = p.ndim > 1 or bool(_is_binary(y).all())
    if _takes_scores(metric, p):
        return labels_fit
    return labels_fit and float(p.min()) >= -_ROUNDING and float(p.max()) <= 1 + _ROUNDING


def find_fault(metric: Metric, y: Array, p: Array) -> str:
    """Return in words which rows the metric cannot take; empty where it takes all."""
    faults = [
        (_count_rows(~np.isfinite(y)), "true values are missing or infinite"),
        (_count_rows(~np.isfinite(p)), "answers are missing or infinite"),
    ]
    if not metric.needs_truth:
        return next((f"{rows:,} of {len(y):,} {what}" for rows, what in faults[1:] if rows), "")
    if not metric.tasks & CLASSIFY:
        faults += [(_count_rows(~_meets(need, y, p)), need.broken) for need in metric.needs]
    else:
        if not _takes_scores(metric, p):
            wrong = (p < -_ROUNDING) | (p > 1 + _ROUNDING)
            faults.append((_count_rows(wrong), "answers are no probabilities"))
        if p.ndim == 1:
            faults.append((int((~_is_binary(y)).sum()), "true values are neither 0 nor 1"))
    return next((f"{rows:,} of {len(y):,} {what}" for rows, what in faults if rows), "")


def find_weights_fault(y: Array, weights: Array | None) -> str:
    """Return in words what is wrong with the weights; empty where nothing is."""
    if weights is None:
        return ""
    if len(weights) != len(y):
        return f"there are {len(weights):,} weights for {len(y):,} rows"
    if not np.isfinite(weights).all() or (len(weights) and float(np.min(weights)) < 0):
        return "a weight is missing, infinite or below 0"
    return "" if np.any(weights) else "all weights are 0"


def drop_rows(
    metric: Metric, y: Array, p: Array, weights: Array | None
) -> tuple[Array, Array, Array | None, Array | None]:
    """Return the rows that count, and which they are (None where all do).

    These are the rows whose weight is not 0 and, where a metric of anomalies needs the truth,
    those whose truth is known.
    """
    if len(y) != len(p) or (weights is not None and len(weights) != len(y)):
        return y, p, weights, None
    kept = np.ones(len(y), dtype=bool)
    if weights is not None and np.any(weights):
        kept = np.asarray(weights) != 0
    if metric.needs_truth and _takes_scores(metric, p):
        kept = kept & (np.asarray(y) != UNLABELLED)
    if kept.all():
        return y, p, weights, None
    return y[kept], p[kept], None if weights is None else weights[kept], kept


def _takes_scores(metric: Metric, p: Array) -> bool:
    """Tell whether a metric takes scores of any size, as those of an anomaly model are."""
    return metric.takes_scores and p.ndim == 1


def _is_binary(y: Array) -> Array:
    return np.asarray((y == 0) | (y == 1))


def _meets(need: Need, y: Array, p: Array) -> Array:
    values = y if need.side == "truth" else p
    compare = {">": np.greater, ">=": np.greater_equal, "!=": np.not_equal}[need.sign]
    return np.asarray(compare(values, need.bound))


def _count_rows(wrong: Array) -> int:
    return int((wrong if wrong.ndim == 1 else wrong.any(axis=1)).sum())
