"""How far probabilities are from the shares that come true: the expected calibration error.

Rows are cut into ten bins of about equally many by their probability, equal ones never apart; the
distance of mean probability and share is averaged over the bins, each as heavy as its rows. Of more
than two classes the likeliest counts: its probability, and whether it is the true one.

Of few rows the error is above 0 even where all probabilities are true, since shares scatter: by
about 0.8 sqrt(10 p (1 - p) / n) for n rows whose probabilities are near p.

Sources: Naeini, Cooper & Hauskrecht (2015), "Obtaining Well Calibrated Probabilities Using Bayesian
Binning", AAAI (the error); Nguyen & O'Connor (2015), "Posterior calibration and exploratory
analysis for natural language processing models", EMNLP (bins of equal mass); Guo, Pleiss, Sun &
Weinberger (2017), "On Calibration of Modern Neural Networks", ICML (the likeliest class).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.calibration import BINS
from pipelines.science.formulas.kinds import Resampling

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.science.formulas.kinds import Formula

    Array = NDArray[Any]

LEVELS = 4_096
"""Different probabilities up to which resamples are exact; beyond, neighbours are one."""


@dataclass(frozen=True)
class OfCalibration:
    """The expected calibration error; bins are cut anew in each resample."""

    labels: bool = False

    def score(self, y: Array, p: Array, weights: Array | None) -> float:
        """Return the error over the rows."""
        hit, sure = _top(y, p)
        _, level = np.unique(sure, return_inverse=True)
        sizes, gaps = _sums(level, hit - sure, weights, np.zeros(len(sure), np.int64), 1)
        return float(_error(sizes, gaps)[0])

    def resample(
        self, y: Array, p: Array, weights: Array | None, block: Array, count: int
    ) -> Resampling:
        """Return how the error follows from the blocks' weights."""
        hit, sure = _top(y, p)
        level = _few_levels(sure)
        sizes, gaps = _sums(level, hit - sure, weights, block, count)
        return Resampling(lambda draws: _error(draws @ sizes, draws @ gaps), sizes.shape[1])


def _top(y: Array, p: Array) -> tuple[Array, Array]:
    """Return whether what was said came true (n,), and the probability it was given (n,)."""
    p = np.asarray(p, dtype=np.float64)
    if p.ndim == 1:
        return (np.asarray(y) == 1).astype(np.float64), p
    return (p.argmax(axis=1) == y).astype(np.float64), p.max(axis=1)


def _few_levels(sure: Array) -> Array:
    """Return each row's level (n,), by its probability: one for each, or for neighbours."""
    values, level, sizes = np.unique(sure, return_inverse=True, return_counts=True)
    if len(values) <= LEVELS:
        return np.asarray(level)
    # By the place of a value's first row, so that equal ones are of one level here too.
    first = np.cumsum(sizes) - sizes
    return np.asarray((first * LEVELS // len(sure))[level])


def _sums(
    level: Array, gap: Array, weights: Array | None, block: Array, count: int
) -> tuple[Array, Array]:
    """Return by block and level how much the rows weigh, and their gaps: both (count, levels)."""
    levels = int(level.max()) + 1
    cell = block * levels + level
    sized = np.ones(len(gap)) if weights is None else np.asarray(weights, dtype=np.float64)
    sums = (np.bincount(cell, each, minlength=count * levels) for each in (sized, sized * gap))
    sizes, gaps = (each.reshape(count, levels) for each in sums)
    return sizes, gaps


def _error(sizes: Array, gaps: Array) -> Array:
    """Return the error (b,) of levels, the least probable first, both (b, levels)."""
    total = sizes.sum(axis=1, keepdims=True)
    before = np.cumsum(sizes, axis=1) - sizes
    with np.errstate(divide="ignore", invalid="ignore"):
        place = np.where(total > 0, np.floor(BINS * before / total), 0.0)
    bins = np.clip(place, 0, BINS - 1).astype(np.int64)
    cell = np.arange(len(sizes))[:, None] * BINS + bins
    of_bin = np.bincount(cell.ravel(), gaps.ravel(), minlength=len(sizes) * BINS)
    away = np.abs(of_bin.reshape(len(sizes), BINS)).sum(axis=1)
    return np.asarray(away / np.where(total[:, 0] > 0, total[:, 0], np.nan))


FORMULAS: dict[str, Formula] = {"calibration_error": OfCalibration()}
