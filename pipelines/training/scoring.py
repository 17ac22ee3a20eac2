"""What answers to some rows are worth by a metric of the spec, at the threshold that it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.anomaly import threshold_at_rate
from pipelines.science.decision_threshold import choose_threshold
from pipelines.science.metrics import THRESHOLD, constant_threshold, score
from pipelines.science.own_metrics import RowMetric
from pipelines.spec.anomaly import needs_truth
from pipelines.spec.threshold import LABELS, ThresholdAtRate

if TYPE_CHECKING:
    from pipelines.science.own_metrics import AnyMetric
    from pipelines.spec import Spec

    Array = np.ndarray[Any, Any]


def fold_score(metric: AnyMetric, y: Array, p: Array, spec: Spec) -> float:
    """Return a setting's score on the rows of a fold; NaN where it is not defined.

    A metric of decisions is taken at the spec's fixed threshold. Where the threshold is chosen
    later, it is taken at the one that is best on these rows: this flatters all settings alike,
    while at 0.5 those would win whose probabilities lie there by chance.
    """
    if isinstance(spec.threshold, ThresholdAtRate):
        return _score_at_rate(metric, y, p, spec.threshold.rate)
    threshold = THRESHOLD
    if isinstance(spec.threshold, float):
        threshold = spec.threshold
    elif spec.threshold is not None and decides(metric, spec):
        curve = choose_threshold(metric, y, p)
        threshold = curve.threshold if curve else THRESHOLD
    return score(metric, y, p, threshold=threshold)


def _score_at_rate(metric: AnyMetric, y: Array, p: Array, rate: float) -> float:
    """Return the score of rows of a fold whose strangest ones are flagged at a rate.

    Where the metric needs the truth, the threshold is taken on these rows, alike for all settings.
    Where it asks how well the rate is kept that would be no question: the first half of the rows
    sets the threshold, and the second, which in time comes later, is judged.
    """
    if not isinstance(metric, RowMetric) and not needs_truth(_name(metric)):
        half = len(p) // 2
        threshold = threshold_at_rate(p[:half], rate)
        y, p = y[half:], p[half:]
    else:
        threshold = threshold_at_rate(p, rate)
    return score(metric, y, p, threshold=np.inf if threshold is None else threshold)


def constants_threshold(metric: AnyMetric, y: Array, constant: Array, spec: Spec) -> float:
    """Return where a constant (n,) decides as well as a constant can on these rows.

    It may call all rows positive or none, whichever is better. Models without a threshold are
    compared, by metrics of the catalogue, as these say (see `science.metrics`).
    """
    asked = not isinstance(metric, str) or spec.threshold is not None
    if spec.task == "binary" and asked and decides(metric, spec):
        curve = choose_threshold(metric, y, constant)
        return curve.threshold if curve else THRESHOLD
    return THRESHOLD if isinstance(metric, RowMetric) else constant_threshold(metric)


def decides(metric: AnyMetric, spec: Spec) -> bool:
    """Tell whether a metric of a binary model depends on the threshold."""
    if isinstance(metric, RowMetric):
        return metric.by_decision is not None
    return spec.metric_named(_name(metric)).sees == LABELS


def _name(metric: AnyMetric) -> str:
    return metric if isinstance(metric, str) else metric.name
