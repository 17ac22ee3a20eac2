"""The kinds of formulas, each for plain rows and for resampled (block-weighted) rows alike.

Each kind holds a numpy formula over draws: (b, ...) arrays with one line for each draw. What it
sums is counted once by block, so a draw is a product of matrices, whatever the number of rows.
Shapes as in `science.metrics`; `weights` (n,) are the rows', None where all count alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pipelines.science.ranking import Ranking

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Array = NDArray[Any]


@dataclass(frozen=True)
class Resampling:
    """A function from the blocks' weights (b, blocks) to the metric (b,), and how many numbers it
    holds for each draw.
    """

    of: Callable[[Array], Array]
    width: int


class Formula(Protocol):
    """What a metric computes."""

    @property
    def labels(self) -> bool:
        """Whether it takes labels (n,) instead of the model's answers."""

    def score(self, y: Array, p: Array, weights: Array | None) -> float:
        """Return the metric over the rows; NaN where it is not defined on them."""

    def resample(
        self, y: Array, p: Array, weights: Array | None, block: Array, count: int
    ) -> Resampling:
        """Return how the metric follows from the blocks' weights."""


@dataclass(frozen=True)
class OfSums:
    """A metric that follows from sums over rows.

    `terms` are what is summed, each (n,). `value` takes their sums and at last the number of rows,
    each (b,), and returns the metric (b,).
    """

    terms: Callable[[Array, Array], tuple[Array, ...]]
    value: Callable[..., Array]
    labels: bool = False

    def score(self, y: Array, p: Array, weights: Array | None = None) -> float:
        """Return the metric over the rows."""
        with np.errstate(over="ignore", invalid="ignore"):
            terms = self.terms(y, p)
        sums = (
            [float(np.sum(term, dtype=np.float64)) for term in terms] + [float(len(y))]
            if weights is None
            else [float(np.dot(weights, term)) for term in terms] + [float(weights.sum())]
        )
        return float(self._value(np.array([sums]))[0])

    def resample(
        self, y: Array, p: Array, weights: Array | None, block: Array, count: int
    ) -> Resampling:
        """Return how the metric follows from the blocks' weights."""
        with np.errstate(over="ignore", invalid="ignore"):
            sums = np.column_stack(
                [
                    sum_by(block, term if weights is None else term * weights, count)
                    for term in (*self.terms(y, p), np.ones(len(y)))
                ]
            )
        return Resampling(lambda draws: self._value(draws @ sums), sums.shape[1])

    def _value(self, sums: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.where(sums[:, -1] > 0, self.value(*sums.T), np.nan))


@dataclass(frozen=True)
class OfClasses:
    """A metric of the rows of each class, of those called so, and of those rightly called so.

    `value` takes the three, each (b, k), and returns the metric (b,). A class that the model does
    not know (-1) is a class like others, which nobody is called.
    """

    value: Callable[[Array, Array, Array], Array]
    labels: bool = True

    def score(self, y: Array, p: Array, weights: Array | None = None) -> float:
        """Return the metric over the rows."""
        block = np.zeros(len(y), dtype=np.int64)
        return float(self.resample(y, p, weights, block, 1).of(np.ones((1, 1)))[0])

    def resample(
        self, y: Array, p: Array, weights: Array | None, block: Array, count: int
    ) -> Resampling:
        """Return how the metric follows from the blocks' weights."""
        true, called = np.asarray(y).astype(np.int64), np.asarray(p).astype(np.int64)
        classes = max(int(true.max()), int(called.max()), 0) + 2
        true = np.where(true < 0, classes - 1, true)
        hit = true == called
        counts = [
            sum_by(
                block[rows] * classes + values[rows],
                None if weights is None else weights[rows],
                count * classes,
            ).reshape(count, classes)
            for values, rows in ((true, slice(None)), (called, slice(None)), (true, hit))
        ]

        def value(draws: Array) -> Array:
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.asarray(self.value(*(draws @ each for each in counts)))

        return Resampling(value, 3 * classes)


@dataclass(frozen=True)
class OfOrder:
    """A metric of how scores rank the rows.

    `value` takes the positives and the negatives at each level of the score, each (b, levels), the
    best level first, and returns the metric (b,).
    """

    value: Callable[[Array, Array], Array]
    labels: bool = False

    def score(self, y: Array, p: Array, weights: Array | None = None) -> float:
        """Return the metric over the rows."""
        return Ranking(y, p, weights=weights).score(self.value)

    def resample(
        self, y: Array, p: Array, weights: Array | None, block: Array, count: int
    ) -> Resampling:
        """Return how the metric follows from the blocks' weights."""
        ranking = Ranking(y, p, weights=weights)
        return Resampling(ranking.resample(self.value, block, count), ranking.levels)


def sum_by(group: Array, values: Array | None, count: int) -> Array:
    """Return the sum of the values (n,) in each of `count` groups; None where each value is 1."""
    return np.bincount(group, values, minlength=count).astype(np.float64)


def positive_part(sums: Array) -> Array:
    """Return the sums, NaN where one is not above 0 and so nothing can be divided by it."""
    return np.where(sums > 0, sums, np.nan)


def mean(total: Array, rows: Array) -> Array:
    """Return the mean (b,) of a sum over so many rows."""
    return total / rows
