"""How a champion does on the labelled rows of a window, against what it promised."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.plurals import how_many
from pipelines.science.bootstrap import spread
from pipelines.science.metrics import THRESHOLD, better_by
from pipelines.science.own_metrics import RowMetric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.science.own_metrics import AnyMetric
    from pipelines.science.pieces import Span
    from pipelines.spec.drift import Performance

    Array = NDArray[Any]


@dataclass(frozen=True)
class PerformanceFact:
    """The champion's `metric` on the window's labelled rows (of clusters on all that it answered)
    against what it reached on its holdout (`expected`).

    `good_end` and `bad_end` are the ends of two one-sided intervals, "good" being the better one
    whichever way the metric points; None where they could not be found. Where the held-out rows are
    known, they hold the difference to `expected`, which is a sample's score too: both errors count.
    `worse`: even the good end misses `expected` by more than the spec tolerates, if it says.
    """

    metric: str
    live: float
    good_end: float | None
    expected: float | None
    rows: int
    worse: bool
    bad_end: float | None = None
    greater_is_better: bool | None = None
    """Whether a greater value is better; None where the catalogue says it."""
    unit: str = ""
    """What the metric is counted in; empty where it has no unit."""
    untold: str = ""
    """Why there are no ends, in words; empty where there are."""
    tolerance: float | None = None
    """How much worse than promised is tolerated, as a share of it; None where no rule says it."""
    needs_labels: bool = True
    """Whether the rows are those with a label; a metric of clusters is measured on any."""

    @property
    def rows_in_words(self) -> str:
        """How many rows it was measured on, and which."""
        return how_many(self.rows, "labelled row" if self.needs_labels else "row")

    @property
    def rises(self) -> bool:
        """Whether a greater value is better."""
        if self.greater_is_better is None:
            return float(better_by(self.metric, 1.0, 0.0)) > 0
        return self.greater_is_better

    @property
    def behind(self) -> str:
        """The unit as it stands behind a number."""
        return f" {self.unit}" if self.unit else ""


def measure_performance(  # noqa: PLR0913 -- which rows, and how they are alike
    metric: AnyMetric,
    y: Array,
    p: Array,
    *,
    event_times: Array,
    span: Span = "day",
    expected: float | None,
    rule: Performance,
    seed: int,
    threshold: float = THRESHOLD,
    uncertain: tuple[float, float] = (0.0, 0.0),
) -> PerformanceFact:
    """Return how the champion does on labelled rows (shapes as in `metrics`).

    `threshold` is the champion's.
    `live` is NaN where the metric is not defined on them. `uncertain`: by how much `expected` may
    be too good, and too bad, by the same confidence (see `uncertainty`).
    """
    interval = spread(
        metric,
        y,
        p,
        event_times=event_times,
        span=span,
        confidence=rule.confidence,
        seed=seed,
        threshold=threshold,
    )
    sign = float(better_by(metric, 1.0, 0.0))
    ends = (
        interval.value + sign * hypot(interval.good_end - interval.value, uncertain[0]),
        interval.value - sign * hypot(interval.bad_end - interval.value, uncertain[1]),
    )
    good, bad = (end if isfinite(end) else None for end in ends)
    worse = (
        good is not None
        and expected is not None
        and rule.tolerance is not None
        and float(better_by(metric, expected, good)) > rule.tolerance * abs(expected)
    )
    return PerformanceFact(
        interval.metric,
        interval.value,
        good,
        expected,
        len(y),
        worse,
        bad,
        greater_is_better=sign > 0,
        unit=metric.unit if isinstance(metric, RowMetric) else "",
        untold=interval.untold,
        tolerance=rule.tolerance,
    )


def uncertainty(
    metric: AnyMetric,
    y: Array,
    p: Array,
    *,
    event_times: Array | None,
    span: Span,
    confidence: float,
    seed: int,
    threshold: float,
) -> tuple[float, float]:
    """Return by how much a metric of held-out rows may be too good, and by how much too bad.

    What chance does to either of two independent samples adds up as its squares. 0 where it cannot
    be told, so that the interval is of the live metric alone.
    """
    found = spread(
        metric,
        y,
        p,
        event_times=event_times,
        groups=np.arange(len(y)) if event_times is None else None,
        span=span,
        confidence=confidence,
        seed=seed,
        threshold=threshold,
    )
    too_good, too_bad = abs(found.value - found.bad_end), abs(found.good_end - found.value)
    return (
        too_good if isfinite(too_good) else 0.0,
        too_bad if isfinite(too_bad) else 0.0,
    )
