"""Is one model better than another on the same rows? Between which ends does a metric lie?

A paired block bootstrap. Rows are cut into pieces of evidence (`pieces`: whole days by themselves),
which are drawn; of fewer than 20, and of those that are like their neighbours (`dependence`),
Student's t tells (`student`), and of too few nobody does. Both models are scored on the same draw,
so what makes a day easy or hard for both cancels.

How an interval's ends follow from the draws is told in `draws`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.evidence import Evidence, Question
from pipelines.science.formulas.kinds import Resampling
from pipelines.science.metrics import THRESHOLD, better_by, resample, score, usable
from pipelines.science.own_metrics import RowMetric
from pipelines.science.pieces import LEAST_FOR_INTERVAL, LEAST_TO_COMPARE, pieces_of
from pipelines.science.student import PLAIN, Scale, Student, scale_between
from pipelines.spec.metrics import find_metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.science.own_metrics import AnyMetric
    from pipelines.science.pieces import Pieces, Span, Unit

    Array = NDArray[Any]


@dataclass(frozen=True)
class Comparison:
    """How a challenger did against an opponent on the same rows.

    `difference` and `lower` are positive where it is better.
    """

    metric: str
    challenger: float
    opponent: float
    difference: float
    lower: float
    """The one-sided lower confidence bound of the difference.

    -inf or NaN where it could not be found.
    """
    p_better: float
    """The share of resamples in which the challenger is better; or how sure it is (Student's t)."""
    confidence: float
    blocks: int
    unit: Unit
    as_many: int | None = None
    """How many independent blocks would say as much, where neighbours are alike; else None."""
    is_drawn: bool = True
    """Whether the bound comes from resamples; else from Student's t."""
    untold: str = ""
    """Why nobody can tell which is better, in words; empty where the bound holds."""
    upper: float = float("inf")
    """The one-sided upper bound of the difference; infinite where it could not be found."""


@dataclass(frozen=True)
class Spread:
    """One model's metric on some rows and how far chance may have moved it.

    `good_end` and `bad_end` each end a one-sided interval with the given confidence; the good end
    is the better one, whichever way the metric points. NaN or infinite where an end could not be
    found.
    """

    metric: str
    value: float
    bad_end: float
    good_end: float
    confidence: float
    blocks: int
    unit: Unit
    untold: str = ""
    """Why there are no ends, in words; empty where there are."""


def compare(  # noqa: PLR0913 -- two models, each with its own threshold
    metric: AnyMetric,
    y: Array,
    *,
    challenger: Array,
    opponent: Array,
    event_times: Array | None = None,
    groups: Array | None = None,
    span: Span = "day",
    confidence: float,
    seed: int,
    weights: Array | None = None,
    challenger_threshold: float = THRESHOLD,
    opponent_threshold: float = THRESHOLD,
    rises: bool = False,
) -> Comparison:
    """Return the comparison of two models' predictions for the same rows (shapes as in `metrics`).

    The seed fixes the draws. `groups` (n,) stands in for the times of rows that have none; where
    rows have both, the worse bound of the two ways to cut them counts. `span` is how long rows
    with a time are alike. Each model has its own threshold, above which a probability means class
    1. The bound is -inf where nobody can tell. Where the challenger is fitted again from part to
    part, its gain `rises` with what it learns, which is no doubt about it.
    """
    sides = ((challenger, challenger_threshold), (opponent, opponent_threshold))
    one, other = (score(metric, y, p, weights=weights, threshold=t) for p, t in sides)
    stand_in = _stand_in(metric, one, other, usable(metric, y, opponent, weights=weights))
    other = other if stand_in is None else stand_in

    def scorers(pieces: Pieces) -> list[Resampling]:
        found = [
            resample(metric, y, p, pieces.of_row, pieces.count, weights=weights, threshold=t)
            for p, t in sides
        ]
        if stand_in is not None:
            found[1] = Resampling(lambda draws: np.full(len(draws), stand_in), 1)
        return found

    # What two models differ by is no more skewed to one side than to the other, so a correction
    # would only make the gate bolder than it says, the more so the fewer the days.
    question = Question(
        scorers,
        lambda found: better_by(metric, *found),
        LEAST_TO_COMPARE,
        seed,
        skewed=False,
        rises=rises,
    )
    ways = pieces_of(event_times, groups, span)
    if np.isfinite(one) and np.isfinite(other):
        found = [question.weigh(pieces) for pieces in ways]
    else:
        found = [Evidence(ways[0], None)]
    evidence, lower = min(
        ((e, -np.inf if e.ends is None else _known(e.ends.bad_end(confidence))) for e in found),
        key=lambda pair: pair[1],
    )
    return Comparison(
        metric=metric if isinstance(metric, str) else metric.name,
        challenger=one,
        opponent=other,
        difference=float(better_by(metric, one, other)),
        lower=lower,
        p_better=0.0 if evidence.ends is None else evidence.ends.p_better,
        confidence=confidence,
        blocks=evidence.pieces.count,
        unit=evidence.pieces.unit,
        as_many=evidence.as_many,
        is_drawn=not isinstance(evidence.ends, Student),
        untold=evidence.untold,
        upper=max(np.inf if e.ends is None else e.ends.good_end(confidence) for e in found),
    )


def _known(bound: float) -> float:
    return bound if np.isfinite(bound) else -np.inf


def spread(  # noqa: PLR0913 -- rows by their times or their groups, and how they count
    metric: AnyMetric,
    y: Array,
    p: Array,
    *,
    event_times: Array | None = None,
    groups: Array | None = None,
    span: Span = "day",
    confidence: float,
    seed: int,
    weights: Array | None = None,
    threshold: float = THRESHOLD,
) -> Spread:
    """Return a model's metric on rows (shapes as in `metrics`) with its one-sided bounds.

    The seed fixes the draws. `groups` and `span` as in `compare`.

    A draw on which the metric is not defined (one class only) could have been anything: it counts
    as the best for the good end and as the worst for the bad end.
    """
    value = score(metric, y, p, weights=weights, threshold=threshold)
    sign = float(better_by(metric, 1.0, 0.0))

    def scorers(pieces: Pieces) -> list[Resampling]:
        of_row, count = pieces.of_row, pieces.count
        return [resample(metric, y, p, of_row, count, weights=weights, threshold=threshold)]

    question = Question(
        scorers,
        lambda found: better_by(metric, found[0], 0.0),
        LEAST_FOR_INTERVAL,
        seed,
        scale=_scale_of(metric, sign),
    )
    ways = pieces_of(event_times, groups, span)
    if np.isfinite(value):
        found = [question.weigh(pieces) for pieces in ways]
    else:
        found = [Evidence(ways[0], None)]
    wide = max(found, key=lambda e: _width(e, confidence))
    ends = (float("nan"), float("nan"))
    if wide.ends is not None:
        ends = (sign * wide.ends.bad_end(confidence), sign * wide.ends.good_end(confidence))
    name = metric if isinstance(metric, str) else metric.name
    count, unit = wide.pieces.count, wide.pieces.unit
    return Spread(name, value, *ends, confidence, count, unit, wide.untold)


def _width(evidence: Evidence, confidence: float) -> float:
    """Return how wide the interval is; infinite where there is none."""
    if evidence.ends is None:
        return float("inf")
    width = evidence.ends.good_end(confidence) - evidence.ends.bad_end(confidence)
    return width if np.isfinite(width) else float("inf")


def _scale_of(metric: AnyMetric, sign: float) -> Scale:
    """Return the scale without bounds of a metric, turned so that the greater is the better."""
    if isinstance(metric, RowMetric):  # nobody knows between which bounds such a one lies
        return PLAIN
    low, high = (find_metric(metric) if isinstance(metric, str) else metric).bounds
    return scale_between(*((low, high) if sign > 0 else (-high, -low)))


def two_sided(  # noqa: PLR0913 -- as `spread`
    metric: AnyMetric,
    y: Array,
    p: Array,
    *,
    event_times: Array | None = None,
    groups: Array | None = None,
    span: Span = "day",
    confidence: float,
    seed: int,
    weights: Array | None = None,
    threshold: float = THRESHOLD,
) -> tuple[float, float]:
    """Return the lower and the upper end of the interval that holds the metric with so much
    confidence: each end is that of a one-sided interval with (1 + confidence) / 2.
    """
    found = spread(
        metric,
        y,
        p,
        event_times=event_times,
        groups=groups,
        span=span,
        confidence=(1 + confidence) / 2,
        seed=seed,
        weights=weights,
        threshold=threshold,
    )
    return min(found.bad_end, found.good_end), max(found.bad_end, found.good_end)


def _stand_in(
    metric: AnyMetric,
    one: float,
    other: float,
    answered: bool,  # noqa: FBT001
) -> float | None:
    """Return what stands in for an opponent's score that is not defined; None where nothing does.

    Where the challenger's is defined on the same rows, the opponent's answers are the cause, as of
    a champion that calls no row positive when precision decides. It has the worst score then: else
    nobody could ever take its place.
    """
    if isinstance(metric, RowMetric):  # nobody knows the worst that such a one can be
        return None
    if not answered or not np.isfinite(one) or np.isfinite(other):
        return None
    found = find_metric(metric) if isinstance(metric, str) else metric
    worst = found.bounds[0 if found.greater_is_better else 1]
    return worst if np.isfinite(worst) else None
