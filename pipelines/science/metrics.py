"""The metrics of the catalogue, each written once, for plain and for resampled (block-weighted)
rows alike.

Shapes: `y` is (n,), `p` is (n,) for binary (the probability of 1) and regression (the value), and
(n, k) for multiclass, where `y` holds the class's position in 0..k-1, or -1 for a class that the
model does not know. A metric that is not defined on the rows (one class only, no variance, a
prediction that is not finite) is NaN, never an error and never a number: the gate refuses what is
not finite.

Definitions are scikit-learn's (tests compare them); `wape` is sum|y - p| / sum|y| (Kolassa & Schütz
2007).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.ranking import RANKING, Ranking
from pipelines.spec.catalogue import METRICS, Task, metrics_for

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

PROBABILITY = frozenset({"brier", "log_loss", "accuracy", "average_precision", "roc_auc"})
_ROUNDING = 1e-6
"""How far float32 may carry a probability out of [0, 1]."""


def score(metric: str, y: Array, p: Array) -> float:
    """Return the metric over the rows, or NaN where it is not defined on them."""
    if not usable(metric, y, p):
        return float("nan")
    if metric in RANKING:
        return Ranking(y, p).score(metric)
    return float(combined(metric, parts(metric, y, p).sum(axis=0)[None, :])[0])


def scores(task: Task, y: Array, p: Array) -> dict[str, float | None]:
    """Return every metric that fits the task; what is not finite is None."""
    values = {metric: score(metric, y, p) for metric in metrics_for(task)}
    return {metric: value if np.isfinite(value) else None for metric, value in values.items()}


def better_by(metric: str, one: Array | float, other: Array | float) -> Any:
    """Return by how much `one` is better than `other` (positive is better, whichever way the metric
    points).
    """
    return (np.asarray(one) - np.asarray(other)) * (
        1.0 if METRICS[metric].greater_is_better else -1.0
    )


def usable(metric: str, y: Array, p: Array) -> bool:
    """Tell whether rows and predictions can be scored at all.

    Some rows, equal lengths, all finite, probabilities in [0, 1].
    """
    if len(y) == 0 or len(y) != len(p) or not np.isfinite(y).all() or not np.isfinite(p).all():
        return False
    if metric not in PROBABILITY:
        return True
    labels_fit = p.ndim > 1 or bool(np.isin(y, (0, 1)).all())
    return labels_fit and float(p.min()) >= -_ROUNDING and float(p.max()) <= 1 + _ROUNDING


def unfit(answers: Array, task: Task) -> int:
    """Count the rows of answers (n, k) that nobody may be served.

    Not finite, or no probabilities where they should be.
    """
    fit = np.isfinite(answers)
    if task != "regression":
        fit &= (answers >= -_ROUNDING) & (answers <= 1 + _ROUNDING)
    return int((~fit.all(axis=1)).sum())


def parts(metric: str, y: Array, p: Array) -> Array:
    """Return per row what the metric sums up: shape (n, m), the last column being 1."""
    one = np.ones(len(y))
    if metric == "log_loss":
        return np.column_stack([-np.log(_chance_of_truth(y, p)), one])
    if metric == "accuracy":
        guess = p.argmax(axis=1) if p.ndim > 1 else p > 0.5  # noqa: PLR2004 -- as `predict` decides; a tie is class 0
        return np.column_stack([guess == y, one])
    error = np.asarray(y, dtype=np.float64) - np.asarray(p, dtype=np.float64)
    if metric in {"brier", "rmse"}:
        return np.column_stack([error**2, one])
    if metric == "mae":
        return np.column_stack([np.abs(error), one])
    if metric == "wape":
        return np.column_stack([np.abs(error), np.abs(y), one])
    centred = y - np.mean(y)  # r2: sums of squares far from zero would cancel badly
    return np.column_stack([error**2, centred, centred**2, one])


def _chance_of_truth(y: Array, p: Array) -> Array:
    """Return the probability that each row's own class was given, clipped as scikit-learn clips
    it.
    """
    p = np.asarray(p, dtype=np.float64)
    by_class = np.column_stack([1 - p, p]) if p.ndim == 1 else p
    truth = np.where(y < 0, 0.0, by_class[np.arange(len(y)), np.maximum(y, 0).astype(np.int64)])
    eps = np.finfo(np.float64).eps
    return np.clip(truth, eps, 1 - eps)


def combined(metric: str, sums: Array) -> Array:
    """Return the metric from sums of `parts`: (b, m) to (b,)."""
    total = sums[:, -1]
    with np.errstate(divide="ignore", invalid="ignore"):
        if metric == "wape":
            value = sums[:, 0] / np.where(sums[:, 1] > 0, sums[:, 1], np.nan)
        elif metric == "r2":
            spread = sums[:, 2] - sums[:, 1] ** 2 / total
            value = 1 - sums[:, 0] / np.where(spread > 0, spread, np.nan)
        else:
            value = sums[:, 0] / total
            value = np.sqrt(value) if metric == "rmse" else value
    return np.asarray(np.where(total > 0, value, np.nan))
