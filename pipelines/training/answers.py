"""What a model is fed, and what it answers, in the shapes that all else is computed from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pipelines.bundle.rows import frame_from_table
from pipelines.bundle.strangeness import strangeness
from pipelines.science.cluster_metrics import random_assignment
from pipelines.spec.metric import Metric
from pipelines.spec.metrics import find_metric
from pipelines.tasks import (
    answers_probabilities,
    answers_scores,
    finds_classes,
    has_named_classes,
    learns_named_classes,
    learns_nothing,
)

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.bundle.schema import InputSchema
    from pipelines.spec.own_metrics import OwnMetric

Array = np.ndarray[Any, Any]

_THREE = ("0", "1", "2")
"""As many clusters as a random assignment has where nobody says how many."""


def give_types(table: pa.Table, inputs: list[str], like: pa.Table | None = None) -> pa.Table:
    """Give a type to the inputs of null's own type, which have no value in any batch.

    That of `like`, or a number's.
    """
    for name in (n for n in inputs if pa.types.is_null(table.schema.field(n).type)):
        kind = like.schema.field(name).type if like is not None else pa.null()
        column = table[name].cast(pa.float64() if pa.types.is_null(kind) else kind)
        table = table.set_column(table.column_names.index(name), name, column)
    return table


def frame(schema: InputSchema, table: pa.Table) -> pd.DataFrame:
    """Return the inputs as a model is fed them.

    Float32 numbers, and text with "" for null (see `bundle.rows`).
    """
    return frame_from_table(schema.columns, table)


def answers(pipeline: Any, inputs: pd.DataFrame, task: str, classes: list[str] | None) -> Array:
    """Return the predictions: (n,) probability of 1 or value, or (n, k) by class or level.

    A class never learnt has probability 0.
    """
    if answers_scores(task):
        return strangeness(pipeline, inputs)
    with np.errstate(
        over="ignore", invalid="ignore", divide="ignore"
    ):  # what is not finite is refused by the metrics
        if not answers_probabilities(task):
            return np.asarray(pipeline.predict(inputs), dtype=np.float64)
        probabilities = np.asarray(pipeline.predict_proba(inputs), dtype=np.float64)
    if finds_classes(task):
        return probabilities
    width = len(classes) if classes else 2
    wide = np.zeros((len(probabilities), width))
    wide[:, np.asarray(pipeline.classes_, dtype=np.int64)] = probabilities
    return wide if has_named_classes(task) else wide[:, 1]


def constant(
    y: Array, task: str, metric: str | OwnMetric | Metric, rows: int, classes: list[str] | None
) -> Array:
    """Return what the best constant learnt from `y` would predict for `rows` rows.

    Shares, or the value that is best by the metric, such as the mean, or for mae the median; the
    mean for a metric of the model's own, of which nobody knows the best one. Of clusters a random
    one for each row; zeros for a task whose answers are scores.
    """
    if finds_classes(task):
        return random_assignment(rows, len(classes or _THREE), seed=0)
    if learns_named_classes(task):
        shares = np.bincount(y[y >= 0], minlength=len(classes or [])) / max(len(y), 1)
        return np.tile(shares, (rows, 1))
    if learns_nothing(task):
        return np.zeros(rows)
    declared = find_metric(metric) if isinstance(metric, str) else metric
    return np.full(rows, _best_value(np.asarray(y, dtype=np.float64), declared))


def _best_value(y: Array, metric: Metric | OwnMetric) -> float:
    """Return the constant that is best on `y` (n,) by a metric."""
    if not isinstance(metric, Metric):
        return float(np.mean(y))
    if metric.constant == "median":
        return float(np.median(y))
    if metric.constant == "quantile" and metric.number is not None:
        return float(np.quantile(y, metric.number))
    if metric.constant == "log_mean" and (y > -1).all():
        return float(np.expm1(np.mean(np.log1p(y))))
    if metric.constant == "relative_median" and (y != 0).all():
        order = np.argsort(y)
        heavy = np.cumsum(1 / np.abs(y[order]))
        return float(y[order][np.searchsorted(heavy, heavy[-1] / 2)])
    return float(np.mean(y))
