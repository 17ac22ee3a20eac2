"""What a challenger must beat where no champion answers: the best constant, or of a forecast the
value of one season ago.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pipelines.training.answers import constant

if TYPE_CHECKING:
    from pipelines.spec import Spec

    Array = np.ndarray[Any, Any]


def stand_in(rows: pa.Table, spec: Spec, y: Array, classes: list[str] | None) -> Array:
    """Return what the opponent without a model answers to the rows: (n,), or (n, k) by class.

    `y` are the targets of the rows to learn from. Where the value of one season ago is not known,
    the best constant takes its place.
    """
    judged_by = spec.metric_named(spec.gate.versus_champion.metric)
    guess = constant(y, spec.task, judged_by, rows.num_rows, classes)
    naive = seasonal_naive(rows, spec)
    return guess if naive is None else np.where(np.isnan(naive), guess, naive)


def seasonal_naive(rows: pa.Table, spec: Spec) -> Array | None:
    """Return the target of one season ago (n,), NaN where it is not known; None of other tasks.

    Of the newest season that is known a horizon ahead (Hyndman & Athanasopoulos 2021, "Forecasting:
    Principles and Practice", 3rd edition, section 5.2).
    """
    if spec.series is None:
        return None
    column = rows[spec.series.naive].cast(pa.float64())
    values: Array = column.to_numpy(zero_copy_only=False)
    return values


def mean_scaled_error(truth: Array, answers: Array, y: Array, naive: Array) -> float | None:
    """Return the MASE: the mean error (n,) in units of the seasonal naive's on the rows to learn
    from.

    `y` and `naive` (m,) are of those rows; None where the naive is never known there, or never
    wrong (Hyndman & Koehler 2006, "Another look at measures of forecast accuracy", International
    Journal of Forecasting 22).
    """
    known = ~np.isnan(naive)
    scale = float(np.abs(y[known] - naive[known]).mean()) if known.any() else 0.0
    return float(np.abs(truth - answers).mean()) / scale if scale > 0 and len(truth) else None
