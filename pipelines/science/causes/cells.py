"""The cells into which the values of a column fall, cut by the reference's values."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

CELLS = 10
"""Cells of about equal reference rows into which numbers are cut."""
NAMED = 20
"""Texts that have a cell of their own; rarer ones share one."""
_RARE = 0.005
MISSING = 0
"""The cell of missing values."""


@dataclass(frozen=True)
class Cells:
    """Cell 0 holds the missing values.

    Of numbers follow the cells between the `edges`: the first below all that the reference holds,
    the last above. Of texts follow those of `names`, one for the rarer known ones (`rare`), and the
    last for texts that the reference has not.
    """

    edges: Array | None
    names: list[str] = field(default_factory=list)
    rare: frozenset[str] = frozenset()

    @property
    def count(self) -> int:
        """How many cells there are."""
        return len(self.names) + 3 if self.edges is None else len(self.edges) + 2

    @property
    def unseen(self) -> int:
        """The cell of texts that the reference has not."""
        return self.count - 1

    def place(self, values: Array) -> Array:
        """Return the cell (n,) of each value."""
        if self.edges is not None:
            numbers = values.astype(np.float64)
            return np.where(np.isnan(numbers), MISSING, np.searchsorted(self.edges, numbers) + 1)
        known = {name: i + 1 for i, name in enumerate(self.names)}
        rare = len(self.names) + 1
        known.update(dict.fromkeys(self.rare, rare))
        unseen = self.unseen
        return np.array(
            [MISSING if v is None else known.get(v, unseen) for v in values], dtype=np.int64
        )


def cut(values: Array) -> Cells:
    """Return the cells of a reference column (n,): numbers with NaN, or texts with None."""
    if values.dtype == object:
        counts = Counter(v for v in values if v is not None)
        frequent = [n for n, c in counts.most_common(NAMED) if c >= _RARE * len(values)]
        return Cells(None, frequent, frozenset(set(counts) - set(frequent)))
    known = values[np.isfinite(values)]
    if not len(known):
        return Cells(np.array([0.0]))
    distinct, often = np.unique(known, return_counts=True)
    middle = (np.cumsum(often) - often / 2) / len(known)
    # A value that many rows share gets a cell of its own, because its middle lies far from others'.
    cell = np.minimum((middle * CELLS).astype(int), CELLS - 1)
    steps = np.flatnonzero(np.diff(cell))
    between = (distinct[steps] + distinct[steps + 1]) / 2
    reach = max(float(distinct[-1] - distinct[0]), abs(float(distinct[-1])), 1e-12) * 1e-6
    return Cells(np.concatenate([[distinct[0] - reach], between, [distinct[-1] + reach]]))


def shares(codes: Array, count: int) -> Array:
    """Return the share of the rows (count,) that each cell holds."""
    return np.bincount(codes, minlength=count) / max(len(codes), 1)


def distance(first: Array, second: Array) -> float:
    """Return the total variation between two lists of shares: the share of rows that must move."""
    return float(np.abs(first - second).sum() / 2)
