"""The metrics of the order of scores, for plain rows and for resampled blocks of rows, in time that
grows with the rows.

A resample draws whole blocks of rows. What a ranking metric needs of a block is how many positives
and negatives it has at each level of the score. So rows are counted once, by block and level, and a
resample is a product of two small matrices.

Up to `LEVELS` different scores, each is a level and every value is exact. Beyond that, neighbours
in the ranking share a level and count as ties, in the resamples only: a level holds at most about
1/LEVELS of the positives and of all rows. The score of the rows themselves is always exact, and
each resample is shifted by what the levels change in it.

Definitions: Hanley & McNeil (1982), "The meaning and use of the area under a ROC curve", Radiology
143 (the share of pairs that are ranked right, ties counting half); average precision as
scikit-learn defines it, one step for each different score.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Array = NDArray[Any]
    Formula = Callable[[Array, Array], Array]
    """From positives and negatives by level (b, levels), the best level first, to a metric (b,)."""
    Counts = Callable[[Array], tuple[Array, Array]]
    """From the blocks' weights (b, blocks) to positives and negatives by level (b, levels)."""

LEVELS = 4_096
"""Different scores up to which resamples are exact."""
_PIECE = 2**18
"""Numbers that a piece of the draws may hold, so that it stays in the processor's cache."""
_DENSE = 128
"""Up to so many cells of block and level for each row, tables of cells are faster than the rows."""


class Ranking:
    """Binary rows (n,) in the order of their scores (n,), best first."""

    def __init__(
        self,
        y: Array,
        p: Array,
        levels: int = LEVELS,
        *,
        weights: Array | None = None,
        focus: float | None = None,
    ) -> None:
        """Sort once; rows of equal score are one step of the ranking.

        `weights` (n,) say for how many rows each one counts: for one where they are not given.
        Where a metric looks at the best ranked rows alone, `focus` is their share.
        """
        order = np.argsort(-np.asarray(p, dtype=np.float64), kind="stable")
        scores = np.asarray(p, dtype=np.float64)[order]
        new = np.concatenate([[True], scores[1:] != scores[:-1]])
        starts = np.flatnonzero(new)
        self._positive = np.asarray(y) == 1
        self._weights = weights
        sizes = np.ones(len(scores)) if weights is None else np.asarray(weights, np.float64)[order]
        self._steps = (
            np.add.reduceat(np.where(self._positive[order], sizes, 0.0), starts),
            np.add.reduceat(np.where(self._positive[order], 0.0, sizes), starts),
        )
        self._order, self._new = order, new
        self._most, self._focus = levels, focus

    @cached_property
    def _level_of_step(self) -> Array:
        return _levels(self._steps[0], self._steps[0] + self._steps[1], self._most, self._focus)

    @cached_property
    def _level(self) -> Array:
        """Each row's level (n,): a resample needs it, a score does not."""
        level = np.empty(len(self._order), dtype=np.int64)
        level[self._order] = self._level_of_step[np.cumsum(self._new) - 1]
        return level

    def score(self, formula: Formula) -> float:
        """Return the metric over the rows, exactly; NaN where a class is missing."""
        positive, negative = self._steps
        return float(formula(positive[None, :], negative[None, :])[0])

    def resample(self, formula: Formula, block: Array, count: int) -> Callable[[Array], Array]:
        """Return a function from the blocks' weights (b, count) to the metric (b,).

        NaN where a draw misses a class.
        """
        levels = self.levels
        few = count * levels > _DENSE * len(self._order)
        counts = self._count_rows(block) if few else self._count_cells(block, count)
        shift = 0.0
        if levels < len(self._level_of_step):
            shift = self.score(formula) - float(formula(*counts(np.ones((1, count))))[0])
        most = max(1, _PIECE // len(self._order))

        def value(weights: Array) -> Array:
            step = most if few else len(weights)
            pieces = [weights[start : start + step] for start in range(0, len(weights), step)]
            return np.concatenate([formula(*counts(piece)) for piece in pieces]) + shift

        return value

    def _count_cells(self, block: Array, count: int) -> Counts:
        """Return how draws count the rows of each level: by what each block has of them."""
        levels = self.levels
        cell = block * levels + self._level
        positive, negative = (
            np.bincount(
                cell[rows],
                None if self._weights is None else self._weights[rows],
                minlength=count * levels,
            )
            .reshape(count, levels)
            .astype(np.float64)
            for rows in (self._positive, ~self._positive)
        )
        return lambda weights: (weights @ positive, weights @ negative)

    def _count_rows(self, block: Array) -> Counts:
        """Return the same of few rows in many blocks: row by row."""
        order = self._order
        level = self._level_of_step[np.cumsum(self._new) - 1]
        starts = np.flatnonzero(np.diff(level, prepend=-1))
        sizes = np.ones(len(order)) if self._weights is None else self._weights[order]
        of_block, positive = block[order], self._positive[order] * sizes

        def counts(weights: Array) -> tuple[Array, Array]:
            drawn = weights[:, of_block]
            hits = np.add.reduceat(drawn * positive, starts, axis=1)
            return hits, np.add.reduceat(drawn * sizes, starts, axis=1) - hits

        return counts

    @property
    def levels(self) -> int:
        """How many levels a resample counts."""
        return int(self._level_of_step[-1]) + 1


def _levels(positive: Array, rows: Array, most: int, focus: float | None) -> Array:
    """Return each step's level (steps,), counted from 0 without gaps.

    A level is one step, or where there are too many, several neighbours together; half of the
    levels are for the best ranked rows, three times as many as the `focus`.
    """
    if len(rows) <= most:
        return np.arange(len(rows))
    before = [np.cumsum(part) - part for part in (positive, rows)]
    shares = [part / (float(part[-1]) or 1.0) for part in before]
    place = (shares[0] + shares[1]) / 2
    if focus is not None:
        place = (place + np.minimum(shares[1] / min(3 * focus, 1.0), 1.0)) / 2
    level = np.floor(place * (most - 1)).astype(np.int64)
    return np.cumsum(np.concatenate([[False], level[1:] != level[:-1]]))


def roc_auc(positive: Array, negative: Array) -> Array:
    """Return the share of pairs that are ranked right (b,), of counts by level (b, levels)."""
    above = np.cumsum(negative, axis=1)
    wrong_pairs = np.einsum("bl,bl->b", positive, above - negative / 2)
    pairs = positive.sum(axis=1) * above[:, -1]
    return np.asarray(1 - wrong_pairs / np.where(pairs > 0, pairs, np.nan))


def average_precision(positive: Array, negative: Array) -> Array:
    """Return the average precision (b,) of counts by level (b, levels)."""
    all_positive = positive.sum(axis=1)
    hits = np.cumsum(positive, axis=1)
    retrieved = hits + np.cumsum(negative, axis=1)
    precision = hits / np.where(retrieved > 0, retrieved, 1.0)
    return np.asarray(
        np.einsum("bl,bl->b", positive, precision)
        / np.where(all_positive > 0, all_positive, np.nan)
    )
