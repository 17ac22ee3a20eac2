"""By how much quantiles must be moved so that they hold on rows that were not learnt from.

Each level is corrected by itself: the score of a row is its outcome less the answer at the level,
and the shift is a quantile of the scores of n calibration rows, with the correction for their
number. Then, whatever the model is, for a further row that is exchangeable with them

- of a level u above one half, it lies above the answer with a probability of at most 1 - u;
- of a level l below one half, it lies below the answer with a probability of at most l;

so it lies between the two with a probability of at least u - l, and (where no two scores are
equal) of at most u - l + 2 / (n + 1). Of one model for all levels this is split conformal
prediction, of a model for each level conformalised quantile regression with both tails held.

That holds on average over calibrations and rows: not for every kind of row by itself, and not for
rows of another time if the world has changed since.

Where rows come in groups, the groups are exchangeable, not the rows: each group counts once.

Sources: Lei, G'Sell, Rinaldo, Tibshirani & Wasserman (2018), "Distribution-Free Predictive
Inference for Regression", JASA 113 (the split); Romano, Patterson & Candès (2019), "Conformalized
Quantile Regression", NeurIPS 32, theorem 2 (each tail by itself); Lee, Barber & Willett (2023),
"Distribution-free inference with hierarchical data", arXiv 2306.06342 (groups).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[Any]

_ROUNDING = 1e-9
_MEDIAN = 0.5


def conformal_shifts(scores: Array, levels: Sequence[float], groups: Array | None = None) -> Array:
    """Return the shift (k,) of each level.

    `scores` (n, k) are outcomes less answers at the k levels; `groups` (n,) numbers the rows'
    groups, None where each row is its own. Infinite where there are too few rows for a level: of
    one below one half -inf.
    """
    count, mass = _masses(len(scores), groups)
    return np.array([_shift(scores[:, i], mass, count, level) for i, level in enumerate(levels)])


def _masses(rows: int, groups: Array | None) -> tuple[int, Array]:
    """Return how many groups there are, and each row's share (n,) of its group."""
    if groups is None:
        return rows, np.ones(rows)
    _, position, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    return len(sizes), 1 / sizes[position]


def _shift(scores: Array, mass: Array, count: int, level: float) -> float:
    if level > _MEDIAN:
        return _upper(scores, mass, count, level)
    if level < _MEDIAN:
        return -_upper(-scores, mass, count, 1 - level)
    # The median has no safe side: the middle of both.
    ends = _upper(scores, mass, count, level), -_upper(-scores, mass, count, level)
    return sum(ends) / 2 if np.isfinite(ends).all() else 0.0


def _upper(scores: Array, mass: Array, count: int, level: float) -> float:
    """Return the least score below which `level` of all lie, the further row counted as above."""
    order = np.argsort(scores, kind="stable")
    below = np.cumsum(mass[order])
    at = int(np.searchsorted(below, level * (count + 1) - _ROUNDING))
    return float(scores[order[at]]) if at < len(scores) else float("inf")
