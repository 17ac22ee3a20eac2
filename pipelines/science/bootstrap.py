"""Is one model better than another on the same rows?

A paired block bootstrap of the difference of a metric.

The same draws of one model alone tell between which ends its metric lies (`spread`).

Rows of one day are alike, so days are drawn, not rows: whole calendar days (UTC) of event time, or
hours where there are fewer than 20 days, or single rows where there are fewer than 20 hours. More
than 512 days or rows are drawn in groups of neighbours. Both models are scored on the same draw, so
what makes a day easy or hard for both cancels.

Source: Carlstein (1986), "The use of subseries values for estimating the variance of a general
statistic from a stationary sequence", Annals of Statistics 14 (blocks that do not overlap). How an
interval's ends follow from the draws is told in `draws`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pipelines.science.draws import Draws, draw
from pipelines.science.formulas.kinds import Resampling
from pipelines.science.metrics import THRESHOLD, better_by, resample, score, usable
from pipelines.science.own_metrics import RowMetric
from pipelines.spec.metrics import find_metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.science.own_metrics import AnyMetric

    Array = NDArray[Any]

MIN_BLOCKS = 20
MAX_BLOCKS = 512
"""More blocks than this are put together, neighbours in time with neighbours.

More would cost much and tell nothing more.
"""
Unit = Literal[
    "days",
    "hours",
    "rows",
    "groups of days",
    "groups of rows",
    "groups",
    "sets of groups",
    "folds",
]
"""What is drawn; `groups` are those that the spec names, `folds` are no draws (see `refits`)."""


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
    """The share of resamples in which the challenger is better."""
    confidence: float
    blocks: int
    unit: Unit


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


def blocks_of(event_times: Array) -> tuple[Array, Unit]:
    """Return each row's block (n,) as 0..blocks-1 in the order of time, and what a block is."""
    times = np.asarray(event_times).astype("datetime64[us]")
    days, day = np.unique(times.astype("datetime64[D]"), return_inverse=True)
    if len(days) > MAX_BLOCKS:
        return day * MAX_BLOCKS // len(days), "groups of days"
    if len(days) >= MIN_BLOCKS:
        return day, "days"
    hours, hour = np.unique(times.astype("datetime64[h]"), return_inverse=True)
    if len(hours) >= MIN_BLOCKS:
        return hour, "hours"
    if len(times) <= MAX_BLOCKS:
        return np.arange(len(times)), "rows"
    position = np.empty(len(times), dtype=np.int64)
    position[np.argsort(times, kind="stable")] = np.arange(len(times))
    return position * MAX_BLOCKS // len(times), "groups of rows"


def blocks_of_groups(groups: Array) -> tuple[Array, Unit]:
    """Return each row's block (n,) as 0..blocks-1 for rows without a time, and what a block is.

    `groups` (n,) numbers the rows' groups from 0; each row may be its own. Of more than 512 groups
    neighbours are put together.
    """
    count = len(np.unique(groups))
    alone = count == len(groups)
    if count <= MAX_BLOCKS:
        return groups, "rows" if alone else "groups"
    return groups * MAX_BLOCKS // count, "groups of rows" if alone else "sets of groups"


def _blocks(event_times: Array | None, groups: Array | None) -> tuple[Array, Unit]:
    if event_times is not None:
        return blocks_of(event_times)
    if groups is None:
        msg = "either the event times or the groups must be given"
        raise ValueError(msg)
    return blocks_of_groups(groups)


def compare(  # noqa: PLR0913 -- two models, each with its own threshold
    metric: AnyMetric,
    y: Array,
    *,
    challenger: Array,
    opponent: Array,
    event_times: Array | None = None,
    groups: Array | None = None,
    confidence: float,
    seed: int,
    weights: Array | None = None,
    challenger_threshold: float = THRESHOLD,
    opponent_threshold: float = THRESHOLD,
) -> Comparison:
    """Return the comparison of two models' predictions for the same rows (shapes as in `metrics`).

    The seed fixes the draws. `groups` (n,) stands in for the times of rows that have none. Each
    model has its own threshold, above which a probability means class 1.
    """
    block, unit = _blocks(event_times, groups)
    count = int(block.max()) + 1 if len(block) else 0
    sides = ((challenger, challenger_threshold), (opponent, opponent_threshold))
    one, other = (score(metric, y, p, weights=weights, threshold=t) for p, t in sides)
    stand_in = _stand_in(metric, one, other, usable(metric, y, opponent, weights=weights))
    gains = Draws(np.nan, np.array([-np.inf]), None, count)
    if stand_in is not None:
        other = stand_in
    if count > 1 and np.isfinite(one) and np.isfinite(other):
        scorers = [
            resample(metric, y, p, block, count, weights=weights, threshold=t) for p, t in sides
        ]
        if stand_in is not None:
            scorers[1] = Resampling(lambda draws: np.full(len(draws), stand_in), 1)
        # What two models differ by is no more skewed to one side than to the other, so a correction
        # would only make the gate bolder than it says, the more so the fewer the days.
        gains = draw(scorers, lambda found: better_by(metric, *found), count, seed, correct=False)
    return Comparison(
        metric=metric if isinstance(metric, str) else metric.name,
        challenger=one,
        opponent=other,
        difference=float(better_by(metric, one, other)),
        lower=gains.bad_end(confidence),
        p_better=float(np.mean(gains.worst > 0)),
        confidence=confidence,
        blocks=count,
        unit=unit,
    )


def spread(  # noqa: PLR0913 -- rows by their times or their groups, and how they count
    metric: AnyMetric,
    y: Array,
    p: Array,
    *,
    event_times: Array | None = None,
    groups: Array | None = None,
    confidence: float,
    seed: int,
    weights: Array | None = None,
    threshold: float = THRESHOLD,
) -> Spread:
    """Return a model's metric on rows (shapes as in `metrics`) with its one-sided bounds.

    The seed fixes the draws. `groups` (n,) stands in for the times of rows that have none.

    A draw on which the metric is not defined (one class only) could have been anything: it counts
    as the best for the good end and as the worst for the bad end.
    """
    block, unit = _blocks(event_times, groups)
    count = int(block.max()) + 1 if len(block) else 0
    value = score(metric, y, p, weights=weights, threshold=threshold)
    ends = (float("nan"), float("nan"))
    if count > 1 and np.isfinite(value):
        draws = draw_scores(metric, y, p, block, count, seed, weights=weights, threshold=threshold)
        sign = float(better_by(metric, 1.0, 0.0))
        ends = (sign * draws.bad_end(confidence), sign * draws.good_end(confidence))
    name = metric if isinstance(metric, str) else metric.name
    return Spread(name, value, *ends, confidence, count, unit)


def draw_scores(
    metric: AnyMetric,
    y: Array,
    p: Array,
    block: Array,
    count: int,
    seed: int,
    *,
    weights: Array | None = None,
    threshold: float = THRESHOLD,
) -> Draws:
    """Return the draws of blocks (n,), 0..count-1: by how much the metric is better than 0."""
    scorer = resample(metric, y, p, block, count, weights=weights, threshold=threshold)
    return draw([scorer], lambda found: better_by(metric, found[0], 0.0), count, seed)


def two_sided(
    metric: AnyMetric,
    y: Array,
    p: Array,
    *,
    event_times: Array,
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
