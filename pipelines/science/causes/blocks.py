"""Days as the unit of evidence: rows of a day are alike, so days are counted and not rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

_WITHOUT_TIMES = 200
"""Groups of rows that stand for days where the data have no time."""
_GAPS = 1.5
"""How much longer than its days a window may last and still be called one stretch."""


@dataclass(frozen=True)
class Blocks:
    """Which block each row belongs to (n,), in the order of time, and how many there are."""

    ids: Array
    days: Array
    stretch: bool

    @property
    def count(self) -> int:
        """How many blocks there are."""
        return len(self.days)

    def sums(self, values: Array) -> Array:
        """Return the sum of values (n,) in each block (count,)."""
        return np.asarray(np.bincount(self.ids, weights=values, minlength=self.count))

    def tally(self, codes: Array, cells: int) -> Array:
        """Return how many rows of each block fall into each cell (count, cells)."""
        flat = np.bincount(self.ids * cells + codes, minlength=self.count * cells)
        return np.asarray(flat.reshape(self.count, cells), dtype=np.float64)


def block_rows(times: Array | None, rows: int) -> Blocks:
    """Return the days of the rows; without times rows in turn, as each stands for itself."""
    if times is None:
        groups = max(1, min(_WITHOUT_TIMES, rows))
        return Blocks(np.arange(rows) % groups, np.arange(groups), stretch=False)
    days, ids = np.unique(times.astype("datetime64[D]"), return_inverse=True)
    lasts = int((days[-1] - days[0]).astype(np.int64)) + 1 if len(days) else 0
    return Blocks(ids.reshape(-1), days, stretch=lasts <= _GAPS * len(days) + 1)


def draw_like(window: Blocks, past: Blocks, draws: int, seed: int) -> list[Array]:
    """Return rows (m,) of the past on as many days as the window has, drawn several times: days in
    turn where the window is a stretch of them.
    """
    rng = np.random.default_rng(seed)
    count = min(window.count, past.count)
    drawn = []
    for _ in range(draws):
        first = int(rng.integers(past.count - count + 1))
        days = (
            np.arange(first, first + count)
            if window.stretch
            else rng.choice(past.count, count, replace=False)
        )
        drawn.append(np.isin(past.ids, days))
    return drawn


def spread_of_means(residuals: Array, length: int, *, stretch: bool, weights: Array) -> Array:
    """Return the variance (cells,) of the mean of `length` blocks, from residuals (blocks, cells).

    Of a stretch of days it is seen at the stretches of the same length in the past, because days
    are like the days before; the variance of days that are alike by nothing is the least it can be.
    """
    mean = weights / weights.sum()
    alone: Array = np.asarray(mean @ residuals**2 / length)
    if not stretch or length < 2 or len(residuals) < 2 * length:  # noqa: PLR2004 -- two stretches
        return alone
    total = np.cumsum(np.vstack([np.zeros(residuals.shape[1]), residuals]), axis=0)
    slid = (total[length:] - total[:-length]) / length
    return np.asarray(np.maximum(alone, (slid**2).mean(axis=0)))
