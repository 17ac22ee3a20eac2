"""The metrics of the catalogue, each written once, for plain and for resampled (block-weighted) rows alike.

Shapes: `y` is (n,), `p` is (n,) for binary (the probability of 1) and regression (the value), and (n, k) for multiclass, where
`y` holds the class's position in 0..k-1, or -1 for a class that the model does not know. A metric that is not defined on the
rows (one class only, no variance, a prediction that is not finite) is NaN, never an error and never a number: the gate
refuses what is not finite.

Definitions are scikit-learn's (tests compare them); `wape` is sum|y - p| / sum|y| (Kolassa & Schütz 2007).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.spec.catalogue import METRICS, Task, metrics_for

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

RANKING = frozenset({"roc_auc", "average_precision"})
"""Metrics of the order of scores; all others are functions of sums over rows."""

PROBABILITY = frozenset({"brier", "log_loss", "accuracy", "average_precision", "roc_auc"})
_ROUNDING = 1e-6
"""How far float32 may carry a probability out of [0, 1]."""


def score(metric: str, y: Array, p: Array) -> float:
    """Return the metric over the rows, or NaN where it is not defined on them."""
    if not usable(metric, y, p):
        return float("nan")
    if metric in RANKING:
        order = Ranking(y, p)
        return float(order.score(metric, np.ones((1, len(y)), dtype=np.int64))[0])
    return float(combined(metric, parts(metric, y, p).sum(axis=0)[None, :])[0])


def scores(task: Task, y: Array, p: Array) -> dict[str, float | None]:
    """Return every metric that fits the task; what is not finite is None."""
    values = {metric: score(metric, y, p) for metric in metrics_for(task)}
    return {metric: value if np.isfinite(value) else None for metric, value in values.items()}


def better_by(metric: str, one: Array | float, other: Array | float) -> Any:
    """Return by how much `one` is better than `other` (positive is better, whichever way the metric points)."""
    return (np.asarray(one) - np.asarray(other)) * (1.0 if METRICS[metric].greater_is_better else -1.0)


def usable(metric: str, y: Array, p: Array) -> bool:
    """Tell whether rows and predictions can be scored at all: some rows, equal lengths, all finite, probabilities in [0, 1]."""
    if len(y) == 0 or len(y) != len(p) or not np.isfinite(y).all() or not np.isfinite(p).all():
        return False
    if metric not in PROBABILITY:
        return True
    labels_fit = p.ndim > 1 or bool(np.isin(y, (0, 1)).all())
    return labels_fit and float(p.min()) >= -_ROUNDING and float(p.max()) <= 1 + _ROUNDING


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
    """Return the probability that each row's own class was given, clipped as scikit-learn clips it."""
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


class Ranking:
    """Rows in the order of their scores, from which weighted ranking metrics follow by cumulative sums."""

    def __init__(self, y: Array, p: Array) -> None:
        """Sort once, best score first; rows of equal score form one group."""
        self.order = np.argsort(-np.asarray(p, dtype=np.float64), kind="stable")
        ranked = np.asarray(p, dtype=np.float64)[self.order]
        self._positive = np.asarray(y)[self.order] == 1
        starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
        group = np.searchsorted(starts, np.flatnonzero(self._positive), side="right") - 1
        self._first = starts[group]
        self._end = np.concatenate([starts[1:], [len(ranked)]])[group]

    def score(self, metric: str, weights: Array) -> Array:
        """Return the metric per row of `weights` (b, n), integers in the rows' original order; NaN where a class is missing."""
        return self.score_ranked(metric, weights[:, self.order])

    def score_ranked(self, metric: str, weights: Array) -> Array:
        """Return the metric per row of `weights` (b, n), integers in the order of the scores."""
        positive = weights[:, self._positive]
        below = np.zeros((weights.shape[0], weights.shape[1] + 1), dtype=np.int64)
        np.cumsum(weights, axis=1, out=below[:, 1:])
        total_positive = positive.sum(axis=1).astype(np.float64)
        total_negative = below[:, -1] - total_positive
        if metric == "roc_auc":
            return self._roc_auc(weights, positive, total_positive, total_negative)
        hits = np.zeros_like(below)
        np.cumsum(weights * self._positive, axis=1, out=hits[:, 1:])
        with np.errstate(divide="ignore", invalid="ignore"):
            precision = np.where(positive > 0, hits[:, self._end] / below[:, self._end], 0.0)
            return np.asarray((positive * precision).sum(axis=1) / np.where(total_positive > 0, total_positive, np.nan))

    def pairs_lost(self, block: Array, count: int) -> Array:
        """Return (count, count): how many pairs of a positive in block a and a negative in block c are ranked wrong, ties half.

        Blocks drawn w times (b, count) then lose the quadratic form w @ lost @ w, without a look at the rows.
        """
        ranked = block[self.order]
        misses = np.zeros((len(ranked) + 1, count), dtype=np.int32)
        negative = np.flatnonzero(~self._positive)
        misses[negative + 1, ranked[negative]] = 1
        np.cumsum(misses, axis=0, out=misses)
        above = (misses[self._first] + misses[self._end]) / 2
        owner = ranked[self._positive]
        return np.array([above[owner == a].sum(axis=0) for a in range(count)])

    def _roc_auc(self, weights: Array, positive: Array, total_positive: Array, total_negative: Array) -> Array:
        """Return P(a positive ranks above a negative), ties counting half (Mann-Whitney)."""
        misses = np.zeros((weights.shape[0], weights.shape[1] + 1), dtype=np.int64)
        np.cumsum(weights * ~self._positive, axis=1, out=misses[:, 1:])
        above = (misses[:, self._first] + misses[:, self._end]) / 2
        lost = np.einsum("bi,bi->b", positive, above)
        pairs = total_positive * total_negative
        return np.asarray(1 - lost / np.where(pairs > 0, pairs, np.nan))
