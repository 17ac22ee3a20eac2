"""Scores of a model's answers, by any metric of the catalogue.

A metric is declared in `pipelines.spec.metric_catalogue`; what it computes stands under the same
name in `pipelines.science.formulas`.

Shapes: `y` is (n,), `p` is (n,) for binary (the probability of 1) and regression (the value), and
(n, k) for multiclass, where `y` holds the class's position in 0..k-1, or -1 for a class that the
model does not know. Of quantiles `p` is (n, k), a column for each level; a metric is then asked by
its declaration with these levels (`Metric.of_levels`), not by its name. Of an anomaly model `p` is
the score, and `y` is 1 for an anomaly, 0 for none, and -1 where nobody has told: such rows do not
count, unless the metric needs no truth. `weights` (n,) say how much each row counts, as
scikit-learn's `sample_weight`: all alike where they are not given; a row of weight 0 is not there.
Above the `threshold` a probability (n,) means class 1; at it, and below, class 0.

What looks at the rows themselves (clusters) must be bound to them: `science.cluster_metrics`.

A metric that is not defined on the rows (one class only, no variance, a prediction that is not
finite) is NaN, never an error and never a number, and `why_undefined` says why in words: the gate
refuses what is not finite.

Where a metric is defined it is scikit-learn's (tests compare them to 1e-12).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pipelines.science.formulas import calibration, flags, labels, order, probabilities, values
from pipelines.science.formulas.kinds import Resampling
from pipelines.science.formulas.levels import formula_of_levels
from pipelines.science.own_metrics import Measures, RowMetric
from pipelines.science.usable_rows import (
    UNLABELLED,
    are_usable,
    drop_rows,
    find_fault,
    find_weights_fault,
)
from pipelines.spec.metrics import find_metric, metrics_for
from pipelines.tasks import Task, answers_scores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from pipelines.science.formulas.kinds import Formula
    from pipelines.science.own_metrics import AnyMetric
    from pipelines.spec.metric import Metric

    Array = NDArray[Any]

THRESHOLD = 0.5
"""Above it a probability means class 1, where a model names no other threshold."""
FORMULAS: dict[str, Formula] = {
    **order.FORMULAS,
    **probabilities.FORMULAS,
    **calibration.FORMULAS,
    **labels.FORMULAS,
    **values.FORMULAS,
}
"""What each metric of the catalogue computes, by its name (a test holds the two together)."""
FAMILIES: dict[str, Callable[[float], Formula]] = {
    **order.FAMILIES,
    **labels.FAMILIES,
    **values.FAMILIES,
    **flags.FAMILIES,
}
"""By family: how a formula follows from the number in a metric's name."""


class Directed(Protocol):
    """What knows which way is better: a metric of the catalogue, or of a model's own."""

    @property
    def greater_is_better(self) -> bool:
        """Whether a greater value is the better one."""


def score(
    metric: AnyMetric,
    y: Array,
    p: Array,
    *,
    weights: Array | None = None,
    threshold: float = THRESHOLD,
) -> float:
    """Return the metric over the rows, or NaN where it is not defined on them.

    Raises RequestError for an unknown metric.
    """
    if isinstance(metric, RowMetric):
        return metric.score(y, p, weights, threshold)
    found = _declaration(metric)
    y, p, weights, _ = drop_rows(found, y, p, weights)
    if found.sees == "rows" or not are_usable(found, y, p, weights):
        return float("nan")
    formula = _formula(found)
    return formula.score(y, _answers(formula, p, threshold), _floats(weights))


def resample(
    metric: AnyMetric,
    y: Array,
    p: Array,
    block: Array,
    count: int,
    *,
    weights: Array | None = None,
    threshold: float = THRESHOLD,
) -> Resampling:
    """Return how the metric follows from how often each block of rows is drawn.

    `block` (n,) is each row's block, 0..count-1. Raises RequestError for an unknown metric.
    """
    if isinstance(metric, RowMetric):
        of_rows = metric.sums(y, p, weights, threshold, block, count)
        return Resampling(lambda draws: metric.of_sums(draws @ of_rows), of_rows.shape[1])
    found = _declaration(metric)
    formula = _formula(found)
    y, p, weights, kept = drop_rows(found, y, p, weights)
    block = block if kept is None else block[kept]
    return formula.resample(y, _answers(formula, p, threshold), _floats(weights), block, count)


def scores(  # noqa: PLR0913 -- which rows, which metrics, and where is decided
    task: Task,
    y: Array,
    p: Array,
    *,
    also: Iterable[str] = (),
    own: Iterable[RowMetric] = (),
    levels: tuple[float, ...] = (),
    weights: Array | None = None,
    threshold: float = THRESHOLD,
    of_constant: bool = False,
) -> dict[str, float | None]:
    """Return the metrics that are always computed for the task, `also` others, and the model's
    `own`.

    What is not finite is None. `levels` are those of a model of quantiles. `of_constant`: the
    answers are a constant, and each metric has the threshold that is best for it.
    """
    mine = {metric.name: metric for metric in own}
    # Without any truth only those are looked at that are asked for, and say why they have no value.
    has_labels = not answers_scores(task) or bool((np.asarray(y) != UNLABELLED).any())
    named: dict[str, AnyMetric] = {
        name: Measures(levels=tuple(levels), of_scores=answers_scores(task)).find(name)
        for name in (*(metrics_for(task, levels) if has_labels else ()), *also)
        if name not in mine
    }
    named |= mine
    values = {
        name: score(
            metric,
            y,
            p,
            weights=weights,
            threshold=(
                constant_threshold(metric)
                if of_constant and not isinstance(metric, RowMetric)
                else threshold
            ),
        )
        for name, metric in named.items()
    }
    return {metric: value if np.isfinite(value) else None for metric, value in values.items()}


def constant_threshold(metric: str | Metric) -> float:
    """Return above which probability the best constant answer means class 1.

    Where a metric is best when every row is called positive, as F1, it is below every probability.
    Raises RequestError for an unknown metric.
    """
    return -1.0 if _declaration(metric).constant == "positive" else THRESHOLD


def better_by(metric: str | Directed, one: Array | float, other: Array | float) -> Any:
    """Return by how much `one` is better than `other` (positive is better, whichever way the metric
    points). Raises RequestError for an unknown metric.
    """
    found: Directed = find_metric(metric) if isinstance(metric, str) else metric
    sign = 1.0 if found.greater_is_better else -1.0
    return (np.asarray(one) - np.asarray(other)) * sign


def usable(metric: AnyMetric, y: Array, p: Array, *, weights: Array | None = None) -> bool:
    """Tell whether rows and predictions can be scored at all.

    There must be rows, of equal number, all finite, and probabilities in [0, 1]; weights that are
    not negative, and not all 0; and what the metric needs of them. Raises RequestError for an
    unknown metric.
    """
    if isinstance(metric, RowMetric):
        return bool(len(y) and len(y) == len(p) and np.isfinite(p).all())
    found = _declaration(metric)
    y, p, weights, _ = drop_rows(found, y, p, weights)
    return are_usable(found, y, p, weights)


def why_undefined(
    metric: AnyMetric,
    y: Array,
    p: Array,
    *,
    weights: Array | None = None,
    threshold: float = THRESHOLD,
) -> str:
    """Return in words why a metric has no value on the rows; empty where it has one.

    Raises RequestError for an unknown metric.
    """
    if isinstance(metric, RowMetric):
        value = metric.score(y, p, weights, threshold)
        return "" if np.isfinite(value) else metric.undefined
    found = _declaration(metric)
    if np.isfinite(score(metric, y, p, weights=weights, threshold=threshold)):
        return ""
    if len(y) == 0 or len(y) != len(p):
        return f"there are {len(y):,} true values and {len(p):,} answers"
    fault = find_weights_fault(y, weights)
    if not fault:
        y, p, weights, _ = drop_rows(found, y, p, weights)
        fault = find_fault(found, y, p) if len(y) else "no row has a label"
    if found.sees == "rows" and not fault and np.isfinite(p).all():
        return f"{found.undefined}, or the rows are not at hand"
    return fault or found.undefined or "its sums are no finite numbers"


def _declaration(metric: str | Metric) -> Metric:
    """Return a metric's declaration. Raises RequestError for an unknown name."""
    return find_metric(metric) if isinstance(metric, str) else metric


def _formula(metric: Metric) -> Formula:
    if metric.levels:
        return formula_of_levels(metric)
    if metric.number is None:
        return FORMULAS[metric.formula]
    return FAMILIES[metric.formula](metric.number)


def _floats(weights: Array | None) -> Array | None:
    return None if weights is None else np.asarray(weights, dtype=np.float64)


def _answers(formula: Formula, p: Array, threshold: float) -> Array:
    """Return what the formula takes of the model's answers: as they are, or labels (n,)."""
    if not formula.labels:
        return p
    # A probability at the threshold itself is class 0, as `predict` decides.
    return p.argmax(axis=1) if p.ndim > 1 else p > threshold
