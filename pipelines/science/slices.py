"""Is a model worse on some rows than on the others?

The rows of a slice are compared with all the others by their mean loss. Rows of one block (a day, a
group) hang together, so the standard error is that of blocks, and the quantile Student's with
blocks - 1 degrees of freedom. Of many slices the worst looks bad by chance alone, so p-values are
Holm's: what is marked at 5 % is wrong in at most 5 of 100 whole lists of slices.

Sources: Liang & Zeger (1986), "Longitudinal data analysis using generalized linear models",
Biometrika 73 (the variance of blocks); Holm (1979), "A simple sequentially rejective multiple test
procedure", Scandinavian Journal of Statistics 6.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[Any]

LEAST = 30
"""Rows that a slice and the rows beside it must have; of fewer nothing is said."""
LEAST_BLOCKS = 10
"""Blocks from which a slice's rows must come; of fewer the standard error is no guide."""


@dataclass(frozen=True)
class SliceLoss:
    """The mean loss in a slice against that of all other rows.

    `low` and `high` end the two-sided interval of the slice's mean; `difference` is positive where
    the slice is worse. `p` is two-sided, `p_holm` the same held against all slices together.
    """

    rows: int
    loss: float
    low: float
    high: float
    difference: float
    p: float
    p_holm: float


def compare_slices(
    loss: Array, masks: Sequence[Array], block: Array, confidence: float = 0.95
) -> list[SliceLoss | None]:
    """Return each slice beside the rest, in order; None where it (or the rest) is too small.

    `loss` and `block` are (n,), every mask (n,) booleans; blocks are numbered from 0.
    """
    found = [_compare(loss, mask, block, confidence) for mask in masks]
    held = holm([f.p for f in found if f is not None])
    places = iter(held)
    return [
        f and SliceLoss(f.rows, f.loss, f.low, f.high, f.difference, f.p, next(places))
        for f in found
    ]


def holm(p: Sequence[float]) -> list[float]:
    """Return the p-values adjusted for their number, in their order (Holm 1979)."""
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    raised = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(raised), 1.0)
    return [float(v) for v in adjusted]


def _compare(loss: Array, mask: Array, block: Array, confidence: float) -> SliceLoss | None:
    from scipy.special import stdtr, stdtrit

    inside, outside = int(mask.sum()), int((~mask).sum())
    touched = len(np.unique(block[mask]))
    if min(inside, outside) < LEAST or touched < LEAST_BLOCKS:
        return None
    own, own_parts = _mean(loss, mask, block)
    rest, rest_parts = _mean(loss, ~mask, block)
    count = int(block.max()) + 1
    error = _standard_error(own_parts, touched)
    of_difference = _standard_error(own_parts - rest_parts, len(np.unique(block)))
    reach = float(stdtrit(touched - 1, 0.5 + confidence / 2)) * error
    difference = own - rest
    if of_difference > 0:
        p = 2 * float(stdtr(min(count, touched) - 1, -abs(difference) / of_difference))
    else:
        p = 1.0 if difference == 0 else 0.0
    return SliceLoss(inside, own, own - reach, own + reach, difference, p, p)


def _mean(loss: Array, mask: Array, block: Array) -> tuple[float, Array]:
    """Return the mean over some rows, and how far each block (blocks,) carries it."""
    rows = int(mask.sum())
    mean = float(loss[mask].mean())
    parts = np.bincount(
        block[mask], weights=(loss[mask] - mean) / rows, minlength=int(block.max()) + 1
    )
    return mean, parts


def _standard_error(parts: Array, blocks: int) -> float:
    return float(np.sqrt(blocks / (blocks - 1) * np.sum(parts**2)))
