"""Are the answers more (or less) wrong than the rows explain?

The reference's losses are weighted by the odds that a row is one of the window (importance
weighting: Shimodaira, 2000, "Improving predictive inference under covariate shift", Journal of
Statistical Planning and Inference 90). What is left of the difference is not due to other rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from pipelines.science.causes.blocks import spread_of_means
from pipelines.science.causes.shift import degrees

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.science.causes.blocks import Blocks
    from pipelines.science.causes.view import View

    Array = NDArray[Any]

_LEAST_ROWS = 50


@dataclass(frozen=True)
class LossChange:
    """The mean loss of the window and of the reference, as it is and weighted to the window's rows;
    `p_value` of what the weights do not explain.
    """

    now: float
    before: float
    weighted: float
    p_value: float

    @property
    def relative(self) -> float:
        """What the weights do not explain, relative to the reference's loss."""
        return (self.now - self.weighted) / max(abs(self.weighted), 1e-12)


def measure_losses(view: View, weights: Array | None, usable: Array) -> LossChange | None:
    """Return how the losses changed; None where too few rows have one.

    `weights` (reference rows,) are those of the window's rows, None where all count alike; `usable`
    (window rows,) are those that can be compared.
    """
    own, past = view.window.losses, view.reference.losses
    if own is None or past is None:
        return None
    rows, others = np.isfinite(own) & usable, np.isfinite(past)
    if min(rows.sum(), others.sum()) < _LEAST_ROWS:
        return None
    # One row that is wrong beyond measure would speak for all: losses are cut at the same height.
    height = float(np.quantile(past[others], 0.99))
    now, then = np.minimum(own[rows], height), np.minimum(past[others], height)
    w = np.ones(len(then)) if weights is None else weights[others]
    mean = float((w * then).sum() / w.sum())
    error = _errors(now, view.blocks[0], rows, view.blocks[1], others, then, w, mean)
    t = (float(now.mean()) - mean) / error if error > 0 else 0.0
    p = float(2 * stats.t.sf(abs(t), degrees(*view.blocks)))
    return LossChange(float(now.mean()), float(then.mean()), mean, p)


def _errors(
    now: Array, own: Blocks, rows: Array, past: Blocks, others: Array, then: Array, w: Array,
    mean: float,
) -> float:  # fmt: skip
    """Return the standard error of the difference of the two means, by whole days."""
    sums = np.bincount(past.ids[others], weights=w * (then - mean), minlength=past.count)
    sizes = np.bincount(past.ids[others], weights=w, minlength=past.count)
    there = sizes > 0
    each = sums[there] / sizes[there].mean()
    count = int((sizes[there].sum() ** 2) / (sizes[there] ** 2).sum())
    days = len(np.unique(own.ids[rows]))
    even = np.ones(len(each))
    window = spread_of_means(each[:, None], days, stretch=own.stretch, weights=even)[0]
    # The window's own spread counts too: days of a changed world may differ more.
    level = np.bincount(own.ids[rows], weights=now - now.mean(), minlength=own.count)
    inside = level / (len(now) / max(days, 1))
    mine = float((inside**2).sum()) / max(days * (days - 1), 1) if days > 1 else 0.0
    reference = float((each**2).mean()) / max(count, 1)
    return float((max(window, mine) + reference) ** 0.5)
