"""The metrics of how scores rank the rows: of all, of the best ranked, and of each class against
the others.

A metric of the best ranked looks at a number or a share of the rows, a part of a row included; rows
of equal score share the last places, as if they were ranked by chance. In a resample, where days of
many rows may be drawn more often than days of few, a number of rows stands for its share of all.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.formulas.kinds import OfOrder, Resampling, positive_part, sum_by
from pipelines.science.ranking import LEVELS, Ranking, average_precision, roc_auc

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pipelines.science.formulas.kinds import Formula

    Array = NDArray[Any]

_LEAST_LEVELS = 64
"""Different scores that each class has in a resample, however many classes there are."""


@dataclass(frozen=True)
class OfTop:
    """The precision, or the recall, of the best ranked rows: of `number` rows, or of that share."""

    number: float
    is_share: bool
    recall: bool
    labels: bool = False

    def score(self, y: Array, p: Array, weights: Array | None = None) -> float:
        """Return the metric over the rows."""
        return Ranking(y, p, weights=weights).score(self._formula(y, weights))

    def resample(
        self, y: Array, p: Array, weights: Array | None, block: Array, count: int
    ) -> Resampling:
        """Return how the metric follows from the blocks' weights."""
        share = self._share(y, weights)
        ranking = Ranking(y, p, weights=weights, focus=share)
        formula = self._formula(y, weights)
        return Resampling(ranking.resample(formula, block, count), ranking.levels)

    def _share(self, y: Array, weights: Array | None) -> float:
        if self.is_share:
            return self.number
        return self.number / (len(y) if weights is None else float(weights.sum()))

    def _formula(self, y: Array, weights: Array | None) -> Callable[[Array, Array], Array]:
        return partial(_best_ranked, self._share(y, weights), recall=self.recall)


def _best_ranked(share: float, positive: Array, negative: Array, *, recall: bool) -> Array:
    """Return precision or recall (b,) of the best ranked share of the rows."""
    sizes = positive + negative
    ends = np.cumsum(sizes, axis=1)
    wanted = share * ends[:, -1]
    # The share of each level that is among the best ranked.
    taken = np.clip((wanted[:, None] - ends + sizes) / np.where(sizes > 0, sizes, 1.0), 0.0, 1.0)
    hits = np.einsum("bl,bl->b", positive, taken)
    of = positive.sum(axis=1) if recall else wanted
    # Sums of weights may be off by their rounding.
    return np.where(share <= 1, np.minimum(hits / positive_part(of), 1.0), np.nan)


@dataclass(frozen=True)
class OfEachClass:
    """A metric of each class's scores against all other classes, in the mean over the classes.

    A class that the rows do not show has none, and the mean is over the others; of fewer than two
    there is no mean. A class that the model does not know (-1) gets the score 0 on every row.
    """

    value: Callable[[Array, Array], Array]
    by_rows: bool = False
    """Whether a class is as heavy as its rows; else all are alike."""
    labels: bool = False

    def score(self, y: Array, p: Array, weights: Array | None = None) -> float:
        """Return the metric over the rows."""
        y, p = _with_unknown(y, p)
        values = [
            Ranking(y == c, p[:, c], weights=weights).score(self.value) for c in range(p.shape[1])
        ]
        rows = sum_by(np.asarray(y).astype(np.int64), weights, p.shape[1])
        return float(self._mean(np.array([values]), rows[None, :])[0])

    def resample(
        self, y: Array, p: Array, weights: Array | None, block: Array, count: int
    ) -> Resampling:
        """Return how the metric follows from the blocks' weights."""
        y, p = _with_unknown(y, p)
        classes = p.shape[1]
        levels = max(_LEAST_LEVELS, LEVELS // classes)
        rankings = [Ranking(y == c, p[:, c], levels, weights=weights) for c in range(classes)]
        scorers = [ranking.resample(self.value, block, count) for ranking in rankings]
        rows = sum_by(
            block * classes + np.asarray(y).astype(np.int64), weights, count * classes
        ).reshape(count, classes)

        def value(draws: Array) -> Array:
            return self._mean(np.column_stack([of(draws) for of in scorers]), draws @ rows)

        return Resampling(value, max(classes, *(ranking.levels for ranking in rankings)))

    def _mean(self, values: Array, rows: Array) -> Array:
        there = (rows > 0) & np.isfinite(values)
        heavy = np.where(there, rows if self.by_rows else 1.0, 0.0)
        total = (heavy * np.where(there, values, 0.0)).sum(axis=1)
        return np.where(there.sum(axis=1) > 1, total / positive_part(heavy.sum(axis=1)), np.nan)


def _with_unknown(y: Array, p: Array) -> tuple[Array, Array]:
    unknown = np.asarray(y) < 0
    if not unknown.any():
        return y, p
    return np.where(unknown, p.shape[1], y), np.column_stack([p, np.zeros(len(y))])


FORMULAS: dict[str, Formula] = {
    "roc_auc": OfOrder(roc_auc),
    "average_precision": OfOrder(average_precision),
    "roc_auc_ovr": OfEachClass(roc_auc),
    "roc_auc_ovr_weighted": OfEachClass(roc_auc, by_rows=True),
    "average_precision_macro": OfEachClass(average_precision),
}
FAMILIES: dict[str, Callable[[float], Formula]] = {
    "precision_at": lambda rows: OfTop(rows, is_share=False, recall=False),
    "recall_at": lambda rows: OfTop(rows, is_share=False, recall=True),
    "precision_at_percent": lambda share: OfTop(share / 100, is_share=True, recall=False),
    "recall_at_percent": lambda share: OfTop(share / 100, is_share=True, recall=True),
}
