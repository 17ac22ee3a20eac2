"""Sums over pieces of what the statistics read."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.changes.groups import Histogram, Kernel, Means

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from pipelines.science.changes.coding import Coded
    from pipelines.science.changes.facts import Family
    from pipelines.science.changes.groups import Group
    from pipelines.spec.drift import Method

    Array = NDArray[Any]

WAVES = 64
"""Random cosines of all columns together."""
PAIRED = 50
"""Columns of which each two are looked at for their correlation; of more, the first ones."""
_CHUNK = 50_000
"""Rows whose scores are in memory at once."""


@dataclass(frozen=True)
class Sums:
    """Sums of features over pieces (pieces, features), the pieces' rows (pieces,), and who reads
    which features.
    """

    values: Array
    rows: Array
    groups: list[tuple[Group, slice]]

    def of(self, family: Family) -> list[tuple[Group, slice]]:
        """Return the groups of a family."""
        return [(group, where) for group, where in self.groups if group.family == family]


class Summing:
    """Sums features over the pieces (n,) of rows, group by group; pieces are 0..count-1."""

    def __init__(self, pieces: Array, count: int) -> None:
        """Begin without features."""
        self._pieces, self._count = pieces, count
        self._parts: list[Array] = []
        self._groups: list[tuple[Group, slice]] = []
        self._width = 0
        self._order = np.argsort(pieces, kind="stable")
        self._starts = np.searchsorted(pieces[self._order], np.arange(count + 1))

    def end(self) -> Sums:
        """Return all sums."""
        values = np.hstack(self._parts) if self._parts else np.zeros((self._count, 0))
        return Sums(values, np.diff(self._starts).astype(float), self._groups)

    def _add(self, group: Group, sums: Array) -> None:
        self._groups.append((group, slice(self._width, self._width + sums.shape[1])))
        self._parts.append(sums)
        self._width += sums.shape[1]

    def add_means(self, family: Family, method: str, values: Mapping[str, Array]) -> None:
        """Add the means of features (n,) by name."""
        if values:
            sums = [np.bincount(self._pieces, v, self._count) for v in values.values()]
            self._add(Means(family, list(values), method), np.column_stack(sums))

    def add_column(self, family: Family, column: Coded, method: Method) -> None:
        """Add a column's distribution."""
        known = column.codes >= 0
        place = self._pieces[known] * column.count + column.codes[known]
        counts = np.bincount(place, minlength=self._count * column.count)
        group = Histogram(family, column.name, column.kind, method, column.scores)
        self._add(group, counts.reshape(self._count, column.count).astype(float))

    def add_together(self, columns: Sequence[Coded], seed: int) -> None:
        """Add what columns do together: each two of them, and all."""
        columns = [column for column in columns if column.scores.any()]
        if len(columns) < 2:  # noqa: PLR2004 -- together are two at least
            return
        first = min(len(columns), PAIRED)
        rng = np.random.default_rng(seed)
        # The bandwidth is the usual distance of two rows, whose scores differ by √2 per column.
        turns = rng.normal(size=(len(columns), WAVES)) / (2 * len(columns)) ** 0.5
        shifts = rng.uniform(0, 2 * np.pi, WAVES)
        upper = np.triu_indices(first, 1)
        pairs = np.zeros((self._count, len(upper[0])))
        waves = np.zeros((self._count, WAVES))
        for low, high in self._chunks():
            rows = self._order[self._starts[low] : self._starts[high]]
            scores = np.column_stack([_scores(column, rows) for column in columns])
            bounds = self._starts[low : high + 1] - self._starts[low]
            held = np.flatnonzero(np.diff(bounds))
            if not len(held):
                continue
            cosines = np.cos(scores @ turns + shifts)
            waves[low + held] = np.add.reduceat(cosines, bounds[held], axis=0)
            for piece in held:
                some = scores[bounds[piece] : bounds[piece + 1], :first]
                pairs[low + piece] = (some.T @ some)[upper]
        names = [f"{a.name}, {b.name}" for a, b in combinations(columns[:first], 2)]
        self._add(Means("together", names, "correlation"), pairs)
        self._add(Kernel("together", "all inputs"), waves)

    def _chunks(self) -> Iterator[tuple[int, int]]:
        """Return runs of pieces that hold about `_CHUNK` rows each."""
        low = 0
        while low < self._count:
            most = self._starts[low] + _CHUNK
            high = max(low + 1, int(np.searchsorted(self._starts, most, side="right")) - 1)
            yield low, high
            low = high


def _scores(column: Coded, rows: Array) -> Array:
    codes = column.codes[rows]
    return np.where(codes >= 0, column.scores[codes], 0.0)
