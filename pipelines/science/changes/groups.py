"""Statistics of how a part of the rows differs from the rest, from sums over pieces alone.

A group of statistics reads its own columns of a matrix of sums: a row for each piece (a day, say),
a column for each feature. Whichever pieces are put together, what they hold together is the sum of
their rows: so a thousand splits cost one product of matrices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pipelines.science.changes.distances import DISTANCES, share_outside, share_unseen

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.science.changes.coding import Kind
    from pipelines.science.changes.facts import Family
    from pipelines.spec.drift import Method

    Array = NDArray[Any]


class Group(Protocol):
    """Statistics that are found together."""

    @property
    def family(self) -> Family:
        """The family they are of."""
        ...

    @property
    def labels(self) -> list[tuple[str, str]]:
        """The name and the method of each statistic (q)."""
        ...

    def differ(self, part: Array, rest: Array, rows: Array, others: Array) -> Array:
        """Return the statistics (k, q) of k parts.

        `part` and `rest` (k, features) are sums, `rows` and `others` (k,) numbers of rows.
        """
        ...

    def series(self, sums: Array, rows: Array) -> list[Array]:
        """Return what each statistic (q) looks at, piece by piece (pieces, any)."""
        ...

    def floors(self, rows: float) -> Array:
        """Return what each statistic (q,) must differ by to count as one deviation at least."""
        ...


SHARES = frozenset({"missing", "infinite", "coverage", "level"})
OF_VALUES = frozenset({"wasserstein", "ed", "t_test"})
"""Distances on the scale of the scores."""
_OF_CUMULATED = frozenset({"ks", "cramer_von_mises"})
_ROWS_OF_CHANCE = 1.5
"""What so many of a part's rows can do is no more than one deviation, however rare it was: else
the first rare row after a long time without one would be a change."""


def _mean(sums: Array, rows: Array) -> Array:
    return np.asarray(sums / np.maximum(rows, 1.0)[:, None])


@dataclass(frozen=True)
class Histogram:
    """How a column's values are distributed; its features are counts of its bins."""

    family: Family
    name: str
    kind: Kind
    method: Method
    scores: Array

    @property
    def labels(self) -> list[tuple[str, str]]:
        """The distance the spec asks for, and what it may be blind to."""
        more = ("mean", "spread", "outside") if self.kind == "number" else ("share", "unseen")
        return [(self.name, method) for method in (self.method, *more)]

    def differ(self, part: Array, rest: Array, rows: Array, others: Array) -> Array:
        """Return the statistics; of shares among the rows that hold a value."""
        del rows, others  # missing values are a family of their own
        first, second = (_mean(sums, sums.sum(axis=1)) for sums in (part, rest))
        distance = DISTANCES[self.method](first, second, self.scores)
        if self.kind == "number":
            away = first - second
            more = [away @ self.scores, away @ self.scores**2, share_outside(first, second)]
        else:
            middle = (first * part.sum(axis=1)[:, None] + second * rest.sum(axis=1)[:, None]) / (
                np.maximum(part.sum(axis=1) + rest.sum(axis=1), 1.0)[:, None]
            )
            # The category whose share is most standard errors away: one of five in a hundred rows
            # is seen beside a dozen that stay.
            errors = np.sqrt(np.maximum(middle * (1 - middle), 1e-9))
            more = [np.abs((first - second) / errors).max(axis=1), share_unseen(first, second)]
        found = np.column_stack([distance, *more])
        found[(part.sum(axis=1) == 0) | (rest.sum(axis=1) == 0)] = 0.0
        return found

    def series(self, sums: Array, rows: Array) -> list[Array]:
        """Return the shares of the bins, the mean and the spread."""
        del rows
        shares = _mean(sums, sums.sum(axis=1))
        if self.kind == "text":
            return [shares, shares, shares]
        mean, spread = (shares @ scores for scores in (self.scores, self.scores**2))
        return [shares @ _cosines(self.scores), mean[:, None], spread[:, None], shares]

    def floors(self, rows: float) -> Array:
        """Return what a few rows at the end of the scale, or in an empty bin, can do."""
        share = _ROWS_OF_CHANCE / rows
        if self.kind == "text":
            return np.array([(share / 2) ** 0.5, share**0.5, share])
        far = float(np.abs(self.scores).max())
        moved = (share / 2) ** 0.5
        if self.method in OF_VALUES:
            moved = share * far
        elif self.method in _OF_CUMULATED:
            moved = share
        return np.array([moved, share * far, share * far**2, share])


def _cosines(scores: Array) -> Array:
    """Return smooth functions of the scores (bins, 6): the slow waves of a distribution."""
    places = np.linspace(0, 1, len(scores)) if len(scores) > 1 else np.zeros(1)
    return np.asarray(np.cos(np.pi * np.outer(places, np.arange(1, 7))))


@dataclass(frozen=True)
class Means:
    """Means of features over all rows; each is a statistic of its own."""

    family: Family
    names: list[str]
    method: str

    @property
    def labels(self) -> list[tuple[str, str]]:
        """Each feature by its name."""
        return [(name, self.method) for name in self.names]

    def differ(self, part: Array, rest: Array, rows: Array, others: Array) -> Array:
        """Return how far the means are apart, with the sign."""
        return _mean(part, rows) - _mean(rest, others)

    def series(self, sums: Array, rows: Array) -> list[Array]:
        """Return each mean."""
        return list(_mean(sums, rows).T[:, :, None])

    def floors(self, rows: float) -> Array:
        """Return what a few rows can do to shares; a mean of any size has no floor."""
        share = _ROWS_OF_CHANCE / rows if self.method in SHARES else 0.0
        return np.full(len(self.names), share)


@dataclass(frozen=True)
class Kernel:
    """How far two samples are apart in all columns together: the maximum mean discrepancy.

    Its features are random cosines of the scores, whose means differ where any smooth function of
    all columns does. Sources: Gretton et al. (2012), "A Kernel Two-Sample Test", JMLR 13; Rahimi &
    Recht (2007), "Random Features for Large-Scale Kernel Machines", NIPS.
    """

    family: Family
    name: str

    @property
    def labels(self) -> list[tuple[str, str]]:
        """One statistic."""
        return [(self.name, "kernel")]

    def differ(self, part: Array, rest: Array, rows: Array, others: Array) -> Array:
        """Return the discrepancy."""
        away = _mean(part, rows) - _mean(rest, others)
        return np.asarray((away**2).mean(axis=1, keepdims=True) ** 0.5)

    def series(self, sums: Array, rows: Array) -> list[Array]:
        """Return all features."""
        return [_mean(sums, rows)]

    def floors(self, rows: float) -> Array:
        """Return none: a mean of cosines is never rare."""
        del rows
        return np.zeros(1)
