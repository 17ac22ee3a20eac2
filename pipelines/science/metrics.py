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

from pipelines.science.formulas import flags, labels, order, probabilities, values
from pipelines.science.formulas.kinds import Resampling
from pipelines.science.formulas.levels import formula_of_levels
from pipelines.science.own_metrics import Measures, RowMetric
from pipelines.spec.metrics import find_metric, metrics_for
from pipelines.tasks import CLASSIFY, Task, answers_probabilities, answers_scores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from pipelines.science.formulas.kinds import Formula
    from pipelines.science.own_metrics import AnyMetric
    from pipelines.spec.metric import Metric, Need

    Array = NDArray[Any]

THRESHOLD = 0.5
"""Above it a probability means class 1, where a model names no other threshold."""
UNLABELLED = -1
"""The true value of a row of an anomaly model of which nobody has told whether it is one."""
_ROUNDING = 1e-6
"""How far float32 may carry a probability out of [0, 1]."""

FORMULAS: dict[str, Formula] = {
    **order.FORMULAS,
    **probabilities.FORMULAS,
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
    y, p, weights, _ = _drop_rows(found, y, p, weights)
    if found.sees == "rows" or not _usable(found, y, p, weights):
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
    y, p, weights, kept = _drop_rows(found, y, p, weights)
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
    y, p, weights, _ = _drop_rows(found, y, p, weights)
    return _usable(found, y, p, weights)


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
    fault = _weights_fault(y, weights)
    if not fault:
        y, p, weights, _ = _drop_rows(found, y, p, weights)
        fault = _fault(found, y, p) if len(y) else "no row has a label"
    if found.sees == "rows" and not fault and np.isfinite(p).all():
        return f"{found.undefined}, or the rows are not at hand"
    return fault or found.undefined or "its sums are no finite numbers"


def _fault(metric: Metric, y: Array, p: Array) -> str:
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
        if not _scores_rows(metric, p):
            wrong = (p < -_ROUNDING) | (p > 1 + _ROUNDING)
            faults.append((_count_rows(wrong), "answers are no probabilities"))
        if p.ndim == 1:
            faults.append((int((~_is_binary(y)).sum()), "true values are neither 0 nor 1"))
    return next((f"{rows:,} of {len(y):,} {what}" for rows, what in faults if rows), "")


def unfit(answers: Array, task: Task) -> int:
    """Count the rows of answers (n, k) that nobody may be served.

    They are not finite, or no probabilities where they should be.
    """
    fit = np.isfinite(answers)
    if answers_probabilities(task):
        fit &= (answers >= -_ROUNDING) & (answers <= 1 + _ROUNDING)
    return int((~fit.all(axis=1)).sum())


def _declaration(metric: str | Metric) -> Metric:
    """Return a metric's declaration. Raises RequestError for an unknown name."""
    return find_metric(metric) if isinstance(metric, str) else metric


def _formula(metric: Metric) -> Formula:
    if metric.levels:
        return formula_of_levels(metric)
    if metric.number is None:
        return FORMULAS[metric.formula]
    return FAMILIES[metric.formula](metric.number)


def _usable(metric: Metric, y: Array, p: Array, weights: Array | None) -> bool:
    if len(y) == 0 or len(y) != len(p) or _weights_fault(y, weights):
        return False
    if not np.isfinite(p).all() or not (np.isfinite(y).all() or not metric.needs_truth):
        return False
    if not metric.needs_truth:
        return True
    if not metric.tasks & CLASSIFY:
        return all(bool(_meets(need, y, p).all()) for need in metric.needs)
    labels_fit = p.ndim > 1 or bool(_is_binary(y).all())
    if _scores_rows(metric, p):
        return labels_fit
    return labels_fit and float(p.min()) >= -_ROUNDING and float(p.max()) <= 1 + _ROUNDING


def _weights_fault(y: Array, weights: Array | None) -> str:
    """Return in words what is wrong with the weights; empty where nothing is."""
    if weights is None:
        return ""
    if len(weights) != len(y):
        return f"there are {len(weights):,} weights for {len(y):,} rows"
    if not np.isfinite(weights).all() or (len(weights) and float(np.min(weights)) < 0):
        return "a weight is missing, infinite or below 0"
    return "" if np.any(weights) else "all weights are 0"


def _drop_rows(
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
    if metric.needs_truth and _scores_rows(metric, p):
        kept = kept & (np.asarray(y) != UNLABELLED)
    if kept.all():
        return y, p, weights, None
    return y[kept], p[kept], None if weights is None else weights[kept], kept


def _scores_rows(metric: Metric, p: Array) -> bool:
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


def _floats(weights: Array | None) -> Array | None:
    return None if weights is None else np.asarray(weights, dtype=np.float64)


def _answers(formula: Formula, p: Array, threshold: float) -> Array:
    """Return what the formula takes of the model's answers: as they are, or labels (n,)."""
    if not formula.labels:
        return p
    # A probability at the threshold itself is class 0, as `predict` decides.
    return p.argmax(axis=1) if p.ndim > 1 else p > threshold
