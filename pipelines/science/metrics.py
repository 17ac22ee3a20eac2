"""The formulas of the catalogue's metrics, each written once, for plain and for resampled
(block-weighted) rows alike.

A metric is declared in `pipelines.spec.metrics.METRICS`; here is what it computes (`FORMULAS`).

Shapes: `y` is (n,), `p` is (n,) for binary (the probability of 1) and regression (the value), and
(n, k) for multiclass, where `y` holds the class's position in 0..k-1, or -1 for a class that the
model does not know. A metric that is not defined on the rows (one class only, no variance, a
prediction that is not finite) is NaN, never an error and never a number: the gate refuses what is
not finite.

Definitions are scikit-learn's (tests compare them); `wape` is sum|y - p| / sum|y| (Kolassa & Schütz
2007).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pipelines.science.own_metrics import RowMetric
from pipelines.science.ranking import Ranking, average_precision, roc_auc
from pipelines.spec.metrics import find_metric, metrics_for
from pipelines.spec.tasks import REGRESS, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    Array = NDArray[Any]

THRESHOLD = 0.5
"""Above it a probability means class 1, where a model names no other threshold."""
_ROUNDING = 1e-6
"""How far float32 may carry a probability out of [0, 1]."""


class Directed(Protocol):
    """What knows which way is better: a metric of the catalogue, or of a model's own."""

    @property
    def greater_is_better(self) -> bool:
        """Whether a greater value is the better one."""


def score(
    metric: str | RowMetric,
    y: Array,
    p: Array,
    *,
    weights: Array | None = None,
    threshold: float = THRESHOLD,
) -> float:
    """Return the metric over the rows, or NaN where it is not defined on them.

    `weights` (n,) say how much each row counts, not negative: all alike where they are not given.
    Above the `threshold` a probability (n,) means class 1. Raises RequestError for an unknown
    metric.
    """
    if isinstance(metric, RowMetric):
        return metric.score(y, p, weights, threshold)
    if not usable(metric, y, p, weights=weights):
        return float("nan")
    return FORMULAS[metric].score(y, _answers(metric, p, threshold), weights)


def resample(
    metric: str | RowMetric,
    y: Array,
    p: Array,
    block: Array,
    count: int,
    *,
    weights: Array | None = None,
    threshold: float = THRESHOLD,
) -> Resampling:
    """Return how the metric follows from how often each block of rows is drawn.

    `block` (n,) is each row's block, 0..count-1; weights and threshold are those of `score`.
    Raises RequestError for an unknown metric.
    """
    if isinstance(metric, RowMetric):
        sums = metric.sums(y, p, weights, threshold, block, count)
        return Resampling(lambda draws: metric.of_sums(draws @ sums), sums.shape[1])
    find_metric(metric)
    return FORMULAS[metric].resample(y, _answers(metric, p, threshold), weights, block, count)


def scores(
    task: Task,
    y: Array,
    p: Array,
    *,
    own: Iterable[RowMetric] = (),
    weights: Array | None = None,
    threshold: float = THRESHOLD,
) -> dict[str, float | None]:
    """Return every metric that fits the task, and the model's `own`; what is not finite is None.

    Weights and threshold are those of `score`.
    """
    named: dict[str, str | RowMetric] = {name: name for name in metrics_for(task)}
    named |= {metric.name: metric for metric in own}
    values = {
        name: score(metric, y, p, weights=weights, threshold=threshold)
        for name, metric in named.items()
    }
    return {metric: value if np.isfinite(value) else None for metric, value in values.items()}


def better_by(metric: str | Directed, one: Array | float, other: Array | float) -> Any:
    """Return by how much `one` is better than `other` (positive is better, whichever way the metric
    points). Raises RequestError for an unknown metric.
    """
    found: Directed = find_metric(metric) if isinstance(metric, str) else metric
    sign = 1.0 if found.greater_is_better else -1.0
    return (np.asarray(one) - np.asarray(other)) * sign


def usable(metric: str, y: Array, p: Array, *, weights: Array | None = None) -> bool:
    """Tell whether rows and predictions can be scored at all.

    There must be rows, of equal number, all finite, and probabilities in [0, 1]; weights that are
    not negative, and not all 0. Raises RequestError for an unknown metric.
    """
    regression = find_metric(metric).tasks == REGRESS
    if len(y) == 0 or len(y) != len(p) or not np.isfinite(y).all() or not np.isfinite(p).all():
        return False
    if weights is not None and not (
        len(weights) == len(y)
        and np.isfinite(weights).all()
        and float(np.min(weights)) >= 0
        and float(np.max(weights)) > 0
    ):
        return False
    if regression:
        return True
    labels_fit = p.ndim > 1 or bool(np.isin(y, (0, 1)).all())
    return labels_fit and float(p.min()) >= -_ROUNDING and float(p.max()) <= 1 + _ROUNDING


def unfit(answers: Array, task: Task) -> int:
    """Count the rows of answers (n, k) that nobody may be served.

    They are not finite, or no probabilities where they should be.
    """
    fit = np.isfinite(answers)
    if task != "regression":
        fit &= (answers >= -_ROUNDING) & (answers <= 1 + _ROUNDING)
    return int((~fit.all(axis=1)).sum())


def _answers(metric: str, p: Array, threshold: float) -> Array:
    """Return what the metric sees of the model's answers: scores and values, or labels (n,)."""
    if find_metric(metric).sees != "labels":
        return p
    # A probability at the threshold itself is class 0, as `predict` decides.
    return p.argmax(axis=1) if p.ndim > 1 else p > threshold


@dataclass(frozen=True)
class Resampling:
    """A function from the blocks' weights (b, blocks) to the metric (b,), and how many numbers it
    holds for each draw.
    """

    of: Callable[[Array], Array]
    width: int


@dataclass(frozen=True)
class OfSums:
    """A metric that follows from sums over rows.

    `terms` are what is summed, each (n,). `value` takes their sums and at last the number of rows,
    each (b,), and returns the metric (b,).
    """

    terms: Callable[[Array, Array], tuple[Array, ...]]
    value: Callable[..., Array]

    def score(self, y: Array, p: Array, weights: Array | None = None) -> float:
        """Return the metric over the rows."""
        return float(self._value(self._rows(y, p, weights).sum(axis=0)[None, :])[0])

    def resample(
        self, y: Array, p: Array, weights: Array | None, block: Array, count: int
    ) -> Resampling:
        """Return how the metric follows from the blocks' weights."""
        sums = np.column_stack(
            [np.bincount(block, column, minlength=count) for column in self._rows(y, p, weights).T]
        )
        return Resampling(lambda draws: self._value(draws @ sums), sums.shape[1])

    def _rows(self, y: Array, p: Array, weights: Array | None) -> Array:
        """Return per row what is summed: (n, m), the last column being its weight."""
        rows = np.column_stack([*self.terms(y, p), np.ones(len(y))])
        return rows if weights is None else rows * np.asarray(weights, np.float64)[:, None]

    def _value(self, sums: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.where(sums[:, -1] > 0, self.value(*sums.T), np.nan))


@dataclass(frozen=True)
class OfOrder:
    """A metric of how scores rank the rows.

    `value` takes the positives and the negatives at each level of the score, each (b, levels), the
    best level first, and returns the metric (b,).
    """

    value: Callable[[Array, Array], Array]

    def score(self, y: Array, p: Array, weights: Array | None = None) -> float:
        """Return the metric over the rows."""
        return Ranking(y, p, weights=weights).score(self.value)

    def resample(
        self, y: Array, p: Array, weights: Array | None, block: Array, count: int
    ) -> Resampling:
        """Return how the metric follows from the blocks' weights."""
        ranking = Ranking(y, p, weights=weights)
        return Resampling(ranking.resample(self.value, block, count), ranking.levels)


def _error(y: Array, p: Array) -> Array:
    return np.asarray(y, dtype=np.float64) - np.asarray(p, dtype=np.float64)


def _spread(y: Array, p: Array) -> tuple[Array, Array, Array]:
    """Return squared errors, and how y lies about its mean: sums of squares far from zero would
    cancel badly.
    """
    deviation = y - np.mean(y)
    return _error(y, p) ** 2, deviation, deviation**2


def _explained_share(squares: Array, deviation: Array, spread: Array, rows: Array) -> Array:
    around = spread - deviation**2 / rows
    return 1 - squares / _positive(around)


def _positive(sums: Array) -> Array:
    """Return the sums, NaN where one is not above 0 and so nothing can be divided by it."""
    return np.where(sums > 0, sums, np.nan)


def _surprise(y: Array, p: Array) -> Array:
    """Return -log of the probability that each row's own class was given, clipped as scikit-learn
    clips it.
    """
    p = np.asarray(p, dtype=np.float64)
    by_class = np.column_stack([1 - p, p]) if p.ndim == 1 else p
    truth = np.where(y < 0, 0.0, by_class[np.arange(len(y)), np.maximum(y, 0).astype(np.int64)])
    eps = np.finfo(np.float64).eps
    return np.asarray(-np.log(np.clip(truth, eps, 1 - eps)))


def _mean(total: Array, rows: Array) -> Array:
    return total / rows


FORMULAS: dict[str, OfSums | OfOrder] = {
    "roc_auc": OfOrder(roc_auc),
    "average_precision": OfOrder(average_precision),
    "brier": OfSums(lambda y, p: (_error(y, p) ** 2,), _mean),
    "log_loss": OfSums(lambda y, p: (_surprise(y, p),), _mean),
    "accuracy": OfSums(lambda y, label: (label == y,), _mean),
    "mae": OfSums(lambda y, p: (np.abs(_error(y, p)),), _mean),
    "rmse": OfSums(lambda y, p: (_error(y, p) ** 2,), lambda total, n: np.sqrt(total / n)),
    "r2": OfSums(_spread, _explained_share),
    "wape": OfSums(
        lambda y, p: (np.abs(_error(y, p)), np.abs(y)),
        lambda off, size, _: off / _positive(size),
    ),
}
"""What each metric of the catalogue computes, by its name (a test holds the two together)."""
