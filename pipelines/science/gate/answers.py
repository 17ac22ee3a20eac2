"""What two models answer to the same rows, and how they are scored on some of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.metrics import THRESHOLD, resample, score
from pipelines.science.pieces import pieces_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.science.formulas.kinds import Resampling
    from pipelines.science.own_metrics import AnyMetric, Measures
    from pipelines.science.pieces import Pieces, Span

    Array = NDArray[Any]


@dataclass(frozen=True)
class TwoAnswers:
    """What challenger (`ours`) and opponent (`theirs`) answer to the same rows: (n,) or (n, k).

    `truth`, `event_times` and `groups` are (n,); shapes and thresholds as in `science.metrics`.
    `measures` are bound to all rows.
    """

    measures: Measures
    truth: Array
    ours: Array
    theirs: Array
    event_times: Array | None
    groups: Array | None
    span: Span = "day"
    our_threshold: float = THRESHOLD
    their_threshold: float = THRESHOLD

    def take(self, rows: Array) -> TwoAnswers:
        """Return the answers to some of the rows, by their positions."""
        groups = self.groups
        return replace(
            self,
            measures=self.measures.take(rows),
            truth=self.truth[rows],
            ours=self.ours[rows],
            theirs=self.theirs[rows],
            event_times=None if self.event_times is None else self.event_times[rows],
            groups=None if groups is None else np.unique(groups[rows], return_inverse=True)[1],
        )

    @property
    def sides(self) -> tuple[tuple[Array, float], ...]:
        """Each model's answers and its threshold: the challenger's, then the opponent's."""
        return ((self.ours, self.our_threshold), (self.theirs, self.their_threshold))

    @property
    def pieces(self) -> list[Pieces]:
        """Each way to cut the rows into pieces of evidence."""
        return pieces_of(self.event_times, self.groups, self.span)

    def measure(self, metric: str) -> AnyMetric:
        """Return a metric by its name, bound to the rows."""
        return self.measures.find(metric)

    def scores(self, metric: str) -> tuple[float, float]:
        """Return each model's metric over the rows; NaN where it is not defined."""
        found = self.measures.find(metric)
        one, other = (score(found, self.truth, p, threshold=t) for p, t in self.sides)
        return one, other

    def scorers(self, metric: str, pieces: Pieces) -> list[Resampling]:
        """Return how each model's metric follows from the pieces' weights."""
        found = self.measures.find(metric)
        return [
            resample(found, self.truth, p, pieces.of_row, pieces.count, threshold=t)
            for p, t in self.sides
        ]
