"""The metrics of quantiles: `p` is (n, k), a column for each of k increasing levels.

Source of the interval score: Gneiting & Raftery (2007), "Strictly Proper Scoring Rules, Prediction,
and Estimation", Journal of the American Statistical Association 102, section 6.2 (Winkler's).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.levels import MEDIAN
from pipelines.science.formulas import values
from pipelines.science.formulas.kinds import OfSums, mean
from pipelines.spec.levels import place_of_level, wanted_levels

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pipelines.science.formulas.kinds import Formula, Resampling
    from pipelines.spec.metric import Metric

    Array = NDArray[Any]


@dataclass(frozen=True)
class OfColumn:
    """A metric of values (n,), taken of one column of the answers (n, k)."""

    formula: Formula
    column: int
    labels: bool = False

    def score(self, y: Array, p: Array, weights: Array | None = None) -> float:
        """Return the metric over the rows."""
        return self.formula.score(y, p[:, self.column], weights)

    def resample(
        self, y: Array, p: Array, weights: Array | None, block: Array, count: int
    ) -> Resampling:
        """Return how the metric follows from the blocks' weights."""
        return self.formula.resample(y, p[:, self.column], weights, block, count)


def formula_of_levels(metric: Metric) -> Formula:
    """Return what a metric computes of answers at `metric.levels`.

    Raises ValueError where these lack a level that it looks at; `check` refuses such a spec.
    """
    wanted = wanted_levels(metric, metric.levels)
    places = [place_of_level(level, metric.levels) for level in wanted]
    if not wanted or None in places:
        msg = f"{metric.name} needs levels that the answers {metric.levels} do not have"
        raise ValueError(msg)
    columns = [place for place in places if place is not None]
    if metric.looks_at == "levels":
        return OfSums(lambda y, p: (mean_losses(y, p, metric.levels),), mean)
    if metric.formula == "coverage" and len(columns) == 1:
        return OfSums(lambda y, p: (_beyond(y, p[:, 0], metric.levels[0]),), mean)
    if metric.looks_at in {"span", "reach"}:
        share = wanted[1] - wanted[0]
        row = _SPANS[metric.formula]
        lower, upper = columns
        return OfSums(lambda y, p: (row(y, p[:, lower], p[:, upper], share),), mean)
    of_value = (
        values.FORMULAS[metric.formula]
        if metric.number is None
        else values.FAMILIES[metric.formula](metric.number)
    )
    return OfColumn(of_value, columns[0])


def mean_losses(y: Array, p: Array, levels: tuple[float, ...]) -> Array:
    """Return the pinball loss of each row (n,), the mean over the levels."""
    off = np.asarray(y, dtype=np.float64)[:, None] - np.asarray(p, dtype=np.float64)
    of_level = np.asarray(levels)
    return np.asarray(np.where(off >= 0, of_level * off, (of_level - 1) * off).mean(axis=1))


def _is_between(y: Array, lower: Array, upper: Array, _: float) -> Array:
    return np.asarray((y >= lower) & (y <= upper), dtype=np.float64)


def _beyond(y: Array, answer: Array, level: float) -> Array:
    """Return which rows lie on the long side of a single level."""
    return np.asarray(y <= answer if level >= MEDIAN else y >= answer, dtype=np.float64)


def _width(_y: Array, lower: Array, upper: Array, _: float) -> Array:
    return np.asarray(upper - lower)


def _interval_score(y: Array, lower: Array, upper: Array, coverage: float) -> Array:
    price = 2 / (1 - coverage)
    outside = np.maximum(lower - y, 0) + np.maximum(y - upper, 0)
    return np.asarray(upper - lower + price * outside)


NAMES = frozenset({"pinball", "coverage", "width", "interval_score"})
"""The metrics of the catalogue that only answers at levels have."""
_SPANS: dict[str, Callable[[Array, Array, Array, float], Array]] = {
    "coverage": _is_between,
    "width": _width,
    "interval_score": _interval_score,
}
