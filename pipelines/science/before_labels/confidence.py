"""A classifier's metric from its own probabilities, as far as these were true on held-out rows.

Confidence-based performance estimation, as NannyML describes it
(https://nannyml.readthedocs.io, "Confidence-based Performance Estimation"): each row counts as one
of every class, as heavy as its calibrated probability says. The metric of such rows is the one to
be expected: of a sum exactly, of a ratio up to what few rows do. It holds as long as a probability
means what it meant on the held-out rows. A changed concept is not seen.

Calibration: Kull, Silva Filho & Flach (2017), "Beta calibration", AISTATS (logistic regression on
log p and log(1 - p)); of several classes one against the rest, then normalised. Its error is seen
at the estimate without each of some stretches of held-out days (the jackknife).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats
from sklearn.linear_model import LogisticRegression

from pipelines.science.before_labels.estimate import (
    CONFIDENCE,
    MOST_ROWS,
    Answered,
    Estimate,
    Judged,
    thin,
)
from pipelines.science.before_labels.interval import cut_days, measure_noise, reach
from pipelines.science.draws import leave_out
from pipelines.science.metrics import resample, score
from pipelines.science.pieces import LEAST_FOR_INTERVAL
from pipelines.spec.metrics import find_metric

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pipelines.science.before_labels.interval import Days
    from pipelines.science.pieces import Span

    Array = NDArray[Any]
    Calibrate = Callable[[Array], Array]

LEAST_OF_CLASS = 10
"""Held-out rows of a class without which its probabilities cannot be calibrated."""
_STRETCHES = 20
"""Stretches of held-out days, each of which is left out once."""
_EDGE = 1e-6
_CELLS = 200_000
"""Rows times classes of a side, at most."""
_NOISE_ROWS, _NOISE_DRAWS = 2_000, 200
"""Rows, and draws of their outcomes, by which the noise of both sides is held beside each other."""
_UNFIT = 0.999
"""How sure it must be that calibrated probabilities do not fit, to say nothing."""
NO_SUMS = frozenset({"calibration_error"})
"""Metrics that are no number of rows which each count in parts: distances of groups scatter."""


def estimate_by_confidence(
    metric: str,
    held: Judged,
    window: Answered,
    *,
    span: Span = "day",
    threshold: float,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> Estimate:
    """Return what `metric` is expected to be on the window, whose `p` are probabilities.

    `p` is (n,) or (n, classes), as in `science.metrics`, and of the same classes on both sides.
    """
    found = Estimate("confidence", window.rows, confidence=confidence)
    classes = held.p.shape[1] if held.p.ndim > 1 else 2
    most = min(MOST_ROWS, _CELLS // classes)
    held = held.take(thin(len(held.y), most, seed))
    window = window.take(thin(window.rows, most, seed))
    if metric in NO_SUMS:
        return found.without(f"{metric} does not follow from probabilities, row by row")
    days = cut_days(held.times, window.times, (len(held.y), window.rows), span)
    why = _why_untold(held, days)
    if why:
        return found.without(why)
    calibrate = learn(held.y, held.p)
    asked = _Asked(metric, threshold)
    value = asked.expect(window.p, calibrate(window.p))
    influences, off = _errors_by_day(asked, held, calibrate(held.p), days)
    if not np.isfinite([value, off, *influences]).all():
        name = find_metric(metric).name
        return found.without(f"{name} is not defined on such rows, or not without one of the days")
    noise = measure_noise(influences, days)
    fit = stats.t.ppf((1 + _UNFIT) / 2, noise.freedom) * noise.past**0.5
    if abs(off) > max(fit, 1e-9):
        return found.without(
            f"on the held-out rows it would have been wrong by {off:+.3g}, beyond what chance does:"
            " the probabilities cannot be calibrated"
        )
    past = _error_of_estimate(asked, held, window, days) * noise.stretch
    scale = _noise(asked, window.p, calibrate, seed) / _noise(asked, held.p, calibrate, seed)
    far = reach(noise, confidence, past=past, scale=scale if np.isfinite(scale) else 1.0)
    bounds = find_metric(metric).bounds
    low, high = max(value - far, bounds[0]), min(value + far, bounds[1])
    if not np.isfinite([low, high]).all():
        return found.without("the held-out days are too alike, or too few, for an interval")
    return Estimate("confidence", found.rows, value, low, high, confidence)


def _why_untold(held: Judged, days: Days) -> str:
    if days.past.count < LEAST_FOR_INTERVAL:
        return (
            f"the held-out rows are of {days.past.words}, {LEAST_FOR_INTERVAL} are needed"
            " (train.holdout)"
        )
    counts = np.unique(held.y, return_counts=True)[1]
    if len(counts) < 2 or (held.p.ndim == 1 and counts.min() < LEAST_OF_CLASS):  # noqa: PLR2004
        return f"the held-out rows have fewer than {LEAST_OF_CLASS} of a class"
    return ""


@dataclass(frozen=True)
class _Asked:
    metric: str
    threshold: float

    def expect(self, p: Array, chances: Array) -> float:
        """Return the metric of rows (n,) that are of each class by these chances (n, classes)."""
        y, p, weights = _in_parts(p, chances)
        return score(self.metric, y, p, weights=weights, threshold=self.threshold)

    def measure(self, y: Array, p: Array) -> float:
        return score(self.metric, y, p, threshold=self.threshold)


def _in_parts(p: Array, chances: Array) -> tuple[Array, Array, Array]:
    """Return each row once for every class, and how much it counts there."""
    rows, classes = chances.shape
    return np.tile(np.arange(classes), rows), np.repeat(p, classes, axis=0), chances.reshape(-1)


def learn(y: Array, p: Array) -> Calibrate:
    """Return what gives the chance of each class (n, classes) from answers (n,) or (n, classes).

    A class of too few rows keeps the probability that the model gives it.
    """
    if p.ndim == 1:
        one = _learn_one(y == 1, p)

        def both(answers: Array) -> Array:
            chance = one(answers)
            return np.column_stack([1 - chance, chance])

        return both
    each = [_learn_one(y == place, p[:, place]) for place in range(p.shape[1])]

    def all_classes(answers: Array) -> Array:
        chances = np.column_stack([one(answers[:, k]) for k, one in enumerate(each)])
        return np.asarray(chances / chances.sum(axis=1, keepdims=True))

    return all_classes


def _learn_one(is_class: Array, p: Array) -> Calibrate:
    if min(is_class.sum(), (~is_class).sum()) < LEAST_OF_CLASS:
        return lambda answers: np.clip(answers, _EDGE, 1 - _EDGE)
    fit = LogisticRegression(C=1e4, solver="newton-cholesky", max_iter=50)
    fit.fit(_features(p), is_class)
    return lambda answers: np.asarray(fit.predict_proba(_features(answers))[:, 1])


def _features(p: Array) -> Array:
    inside = np.clip(p, _EDGE, 1 - _EDGE)
    return np.column_stack([np.log(inside), np.log1p(-inside)])


def _errors_by_day(asked: _Asked, held: Judged, chances: Array, days: Days) -> tuple[Array, float]:
    """Return what each held-out day adds (days,) to truth less estimate, and that difference."""
    of_row, count = days.past.of_row, days.past.count
    y, p, weights = _in_parts(held.p, chances)
    scorers = [
        resample(asked.metric, held.y, held.p, of_row, count, threshold=asked.threshold),
        resample(
            asked.metric,
            y,
            p,
            np.repeat(of_row, chances.shape[1]),
            count,
            weights=weights,
            threshold=asked.threshold,
        ),
    ]
    without = leave_out(scorers, lambda found: found[0] - found[1], count)
    off = asked.measure(held.y, held.p) - asked.expect(held.p, chances)
    return (count - 1) * (without.mean() - without), off


def _error_of_estimate(asked: _Asked, held: Judged, window: Answered, days: Days) -> float:
    """Return the variance of the window's estimate that the held-out days' chance makes."""
    parts = days.past.join(_STRETCHES)
    values = []
    for part in range(parts.count):
        rest = parts.of_row != part
        calibrate = learn(held.y[rest], held.p[rest])
        values.append(asked.expect(window.p, calibrate(window.p)))
    away = np.asarray(values) - np.mean(values)
    return float((parts.count - 1) / parts.count * (away @ away))


def _noise(asked: _Asked, p: Array, calibrate: Calibrate, seed: int) -> float:
    """Return how much the metric of rows like these scatters by their outcomes, times the rows."""
    rng = np.random.default_rng(seed)
    rows = rng.choice(len(p), min(len(p), _NOISE_ROWS), replace=False)
    steps = np.cumsum(calibrate(p[rows]), axis=1)[:, :-1]
    values = [
        asked.measure((rng.random((len(rows), 1)) > steps).sum(axis=1), p[rows])
        for _ in range(_NOISE_DRAWS)
    ]
    known = np.asarray(values)[np.isfinite(values)]
    return float(known.var() * len(rows)) if len(known) > _NOISE_DRAWS / 2 else float("nan")
