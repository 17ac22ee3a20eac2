"""Between which ends lies what a metric loses without one input?

The rows that an input's values are taken from are as much a sample as the rows that get them: where
an input is the same for a whole day, 30 days are 30 values of it, however many rows there are. So
the jackknife leaves a piece of evidence out on both sides at once, and Student's t tells of what
remains. A loss that is told from none cannot fall as far as it may rise: its ends are found on the
scale of its logarithm. Drawing the receiving rows again, with the values as they were shuffled,
holds the truth in 63 to 72 of 100 worlds where such an input is judged by RMSE.

Sources: Breiman (2001), "Random Forests", Machine Learning 45 (the loss by shuffling); Arvesen
(1969), "Jackknifing U-statistics", Annals of Mathematical Statistics 40 (leaving a row out of every
pair that it is in). `benchmarks/importance.py` measures what holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.dependence import are_alike, widening
from pipelines.science.metrics import THRESHOLD, better_by, score
from pipelines.science.own_metrics import RowMetric
from pipelines.science.pieces import LEAST_FOR_INTERVAL
from pipelines.science.student import PLAIN, by_student, scale_between

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipelines.science.own_metrics import AnyMetric
    from pipelines.science.pieces import Pieces
    from pipelines.science.student import Scale

    Array = NDArray[Any]

MOST_PIECES = 30
"""Pieces that are left out one by one; more are put together, neighbours with neighbours."""
_ABOVE_NOTHING = scale_between(0.0, float("inf"))


@dataclass(frozen=True)
class Shuffling:
    """The answers to rows whose one input was taken from other rows.

    `answers` are (n,) or (n, k); `donors` (n,) are the places of the rows that the input is from.
    """

    answers: Array
    donors: Array


@dataclass(frozen=True)
class Loss:
    """What the metric loses, positive where it gets worse, and the ends of its interval.

    NaN where an end could not be found; `untold` then says why.
    """

    value: float
    low: float
    high: float
    untold: str = ""


def loss_by_shuffling(
    metric: AnyMetric,
    y: Array,
    answers: Array,
    shufflings: Sequence[Shuffling],
    pieces: Pieces,
    *,
    threshold: float = THRESHOLD,
    confidence: float,
) -> Loss:
    """Return what the metric of these answers loses by shuffling, the mean of the shufflings.

    Each end is that of a one-sided interval with the given confidence.
    """
    pieces = pieces.join(MOST_PIECES)

    def measure(p: Array, mask: Array) -> float:
        held = metric.take(np.flatnonzero(mask)) if isinstance(metric, RowMetric) else metric
        return score(held, y[mask], p[mask], threshold=threshold)

    def lost(piece: int) -> float:
        kept = pieces.of_row != piece
        losses = []
        for s in shufflings:
            both = kept & kept[s.donors]  # the same rows before and after, so that noise cancels
            losses.append(better_by(metric, measure(answers, both), measure(s.answers, both)))
        return float(np.mean(losses))

    value = lost(-1)
    nothing = float("nan")
    if pieces.count < LEAST_FOR_INTERVAL:
        few = f"of {pieces.words} nobody can tell, {LEAST_FOR_INTERVAL} are needed"
        return Loss(value, nothing, nothing, few)
    without = np.array([lost(piece) for piece in range(pieces.count)])
    alike = pieces.in_order and are_alike(without)
    wider = widening(without) if pieces.in_order and not alike else 1.0
    low, high = _ends(value, without, PLAIN, confidence, alike=alike, wider=wider)
    if low > 0 and (without > 0).all():
        low, high = _ends(value, without, _ABOVE_NOTHING, confidence, alike=alike, wider=wider)
    if not (np.isfinite(low) and np.isfinite(high)):
        return Loss(value, nothing, nothing, "the metric is not defined without each piece")
    return Loss(value, low, high)


def _ends(
    value: float, without: Array, scale: Scale, confidence: float, *, alike: bool, wider: float
) -> tuple[float, float]:
    found = by_student(value, without, scale, alike=alike, wider=wider)
    return found.bad_end(confidence), found.good_end(confidence)
