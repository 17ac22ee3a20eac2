"""The metric of any model from its held-out rows, weighted to resemble the window's.

Importance weighting by a domain classifier's odds, as `effects.expectation` has it: that holds as
long as rows with the same inputs have the same outcomes, and as long as the window's rows are of a
kind that the held-out ones have too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.before_labels.estimate import (
    CONFIDENCE,
    MOST_ROWS,
    Answered,
    Estimate,
    Judged,
    thin,
)
from pipelines.science.before_labels.interval import cut_days, measure_noise, reach
from pipelines.science.causes.view import View
from pipelines.science.causes.weights import effective_rows, weigh_rows
from pipelines.science.changes.facts import Sample
from pipelines.science.draws import leave_out
from pipelines.science.effects.expectation import DOUBT, why_untold
from pipelines.science.metrics import resample, score
from pipelines.science.pieces import LEAST_FOR_INTERVAL
from pipelines.spec.metrics import find_metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.science.pieces import Span
    from pipelines.spec.metric import Metric

    Array = NDArray[Any]


def estimate_by_weighting(
    metric: str | Metric,
    held: Judged,
    window: Answered,
    *,
    span: Span = "day",
    threshold: float,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> Estimate:
    """Return what `metric` is expected to be on the window, by its inputs."""
    found = Estimate("weighting", window.rows, confidence=confidence)
    held = held.take(thin(len(held.y), MOST_ROWS, seed))
    window = window.take(thin(window.rows, MOST_ROWS, seed))
    view = View(Sample(window.columns, window.times), Sample(held.columns, held.times))
    if not view.names:
        return found.without("the champion's bundle does not hold the inputs of its held-out rows")
    days = cut_days(held.times, window.times, (len(held.y), window.rows), span)
    weights = weigh_rows(view, seed)
    heavy = np.bincount(days.past.of_row, weights=weights, minlength=days.past.count)
    worth = effective_rows(heavy)
    why = why_untold(view, effective_rows(weights), days.past.count)
    if not why and worth < LEAST_FOR_INTERVAL:
        why = (
            f"the held-out rows like the window's tell as much as {worth:.0f} of"
            f" {days.past.words}, {LEAST_FOR_INTERVAL} are needed (train.holdout)"
        )
    if why:
        return found.without(why)
    value = score(metric, held.y, held.p, weights=weights, threshold=threshold)
    scorer = resample(
        metric,
        held.y,
        held.p,
        days.past.of_row,
        days.past.count,
        weights=weights,
        threshold=threshold,
    )
    without = leave_out([scorer], lambda values: values[0], days.past.count)
    if not np.isfinite([value, *without]).all():
        return found.without("it is not defined on such rows, or not without one of the days")
    noise = measure_noise((days.past.count - 1) * (without.mean() - without), days, heavy)
    plain = score(metric, held.y, held.p, threshold=threshold)
    # The classifier is held back, so that it sees no more than there is: it sees a part of a shift.
    unseen = (DOUBT * (value - plain)) ** 2
    far = reach(noise, confidence, past=noise.past + unseen)
    bounds = (find_metric(metric) if isinstance(metric, str) else metric).bounds
    low, high = max(value - far, bounds[0]), min(value + far, bounds[1])
    return Estimate("weighting", found.rows, value, low, high, confidence)
