"""Two clusterings of the same rows against each other: how many rows went from which to which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.bootstrap import spread
from pipelines.science.cluster_metrics import stability
from pipelines.science.formulas.clusters import contingency

if TYPE_CHECKING:
    from pipelines.science.bootstrap import Spread

    Array = np.ndarray[Any, Any]

_SHOWN = 12
"""Clusters of a version that a table shows."""


@dataclass(frozen=True)
class Contingency:
    """Rows by their cluster before (down) and after (across); `stability` is of the two."""

    before: list[str]
    after: list[str]
    counts: list[list[int]]
    stability: Spread

    @property
    def words(self) -> str:
        """How alike the two are, in words."""
        found = self.stability
        ends = sorted((found.bad_end, found.good_end))
        text = f"stability {found.value:.3f}"
        return f"{text} ({ends[0]:.3f} to {ends[1]:.3f})" if all(np.isfinite(ends)) else text

    @property
    def titles(self) -> list[str]:
        """The head of the table."""
        return ["before \\ after", *self.after[:_SHOWN]]

    @property
    def lines(self) -> list[list[str]]:
        """The lines of the table; clusters beyond the first dozen are left out."""
        return [
            [name, *(f"{count:,}" for count in row[:_SHOWN])]
            for name, row in list(zip(self.before, self.counts, strict=True))[:_SHOWN]
        ]


def count_moves(
    one: Array, other: Array, classes: list[str], chance: dict[str, Any]
) -> Contingency:
    """Return how rows moved between the clusters of two versions, (n, k) by `classes` each.

    `chance` says by which blocks the interval is drawn (see `spread`).
    """
    before, after = one.argmax(axis=1), other.argmax(axis=1)
    table = contingency(before, after, (len(classes), len(classes)))
    rows, columns = (np.flatnonzero(table.any(axis=axis)) for axis in (1, 0))
    found = spread(stability(before), np.zeros(len(before)), other, **chance)
    return Contingency(
        [classes[place] for place in rows],
        [classes[place] for place in columns],
        table[np.ix_(rows, columns)].tolist(),
        found,
    )
