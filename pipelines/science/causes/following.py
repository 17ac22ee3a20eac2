"""Do outcomes follow the answers as they did?

A weak model is hardly more wrong on labels of other rows: its mean loss moves by less than days
differ. What falls is how far outcomes rise with answers. Within days, so that what a whole day has
in common counts for nothing, the slope of the outcome on the probability (the calibration slope:
Cox, 1958, "Two Further Applications of a Model for Binary Regression", Biometrika 45) is held
beside that of the past.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.science.causes.blocks import Blocks
    from pipelines.science.causes.view import View
    from pipelines.science.changes.facts import Sample

    Array = NDArray[Any]

_LEAST_ROWS, _LEAST_DAYS = 100, 5
_ALIKE = 1e-4
"""By so much a loss may differ from what a probability and an outcome give."""


@dataclass(frozen=True)
class Following:
    """By how much outcomes rise with answers, within days, in the window and before; `p_value` of
    their difference.
    """

    now: float
    before: float
    p_value: float

    @property
    def relative(self) -> float:
        """The change of the slope, relative to what it was."""
        return (self.now - self.before) / max(abs(self.before), 1e-12)


@dataclass(frozen=True)
class _Slope:
    value: float
    spread: float
    """The variance of the slope that the days of this side show."""
    each: float
    """The same of a unit of the answers' sum of squares."""
    weight: float
    days: int


def measure_following(view: View) -> Following | None:
    """Return how outcomes follow the answers; None where that is not known of both sides.

    It is known of probabilities whose losses are -log or squares: these tell the outcome.
    """
    sides = [
        _slope(sample, blocks)
        for sample, blocks in zip((view.window, view.reference), view.blocks, strict=True)
    ]
    own, past = sides
    if own is None or past is None or past.value <= 0:
        return None
    # The past has more days to tell the spread by; the window's own counts where it is greater.
    error = (max(own.spread, past.each / own.weight) + past.spread) ** 0.5
    t = (own.value - past.value) / error if error > 0 else 0.0
    p = float(2 * stats.t.sf(abs(t), min(own.days, past.days) - 1))
    return Following(own.value, past.value, p)


def outcomes_of(sample: Sample) -> Array | None:
    """Return the outcome (n,), 0 or 1, of each row, NaN where its loss is not known.

    It is told by the probability and the loss. None where they are no such ones.
    """
    p, losses = sample.predictions, sample.losses
    if p is None or losses is None or p.dtype == object or len(p) != len(losses):
        return None
    known = np.isfinite(losses) & np.isfinite(p)
    if known.sum() < _LEAST_ROWS or p[known].min() < 0 or p[known].max() > 1:
        return None
    for right in (np.exp(-losses), 1 - np.sqrt(np.maximum(losses, 0.0))):
        yes, no = np.abs(right - p), np.abs(right - (1 - p))
        if (np.minimum(yes, no)[known] < _ALIKE).all():
            return np.where(known, (yes < no).astype(np.float64), np.nan)
    return None


def _slope(sample: Sample, blocks: Blocks) -> _Slope | None:
    y = outcomes_of(sample)
    if y is None or sample.predictions is None:
        return None
    rows = np.isfinite(y) & (np.abs(sample.predictions - 0.5) > _ALIKE)
    _, ids = np.unique(blocks.ids[rows], return_inverse=True)
    ids = ids.reshape(-1)
    counts = np.bincount(ids)
    if len(counts) < _LEAST_DAYS:
        return None

    def centre(values: Array) -> Array:
        return np.asarray(values - (np.bincount(ids, weights=values) / counts)[ids])

    outcome, answer = centre(y[rows]), centre(sample.predictions[rows])
    both, squares = (np.bincount(ids, weights=answer * other) for other in (outcome, answer))
    weight = float(squares.sum())
    if weight <= 0:
        return None
    value = float(both.sum()) / weight
    away = float(((both - value * squares) ** 2).sum()) * len(counts) / (len(counts) - 1)
    return _Slope(value, away / weight**2, away / weight, weight, len(counts))
