"""What the tests of one family say together, and by which null."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from math import comb, isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.changes.facts import ColumnChange, FamilyChange
from pipelines.science.changes.likeness import (
    REACH,
    are_alike,
    choose_reach,
    correlate_neighbours,
    find_near,
    learn_from_others,
    measure_inflation,
    remove_bias,
    widen,
    worth,
)
from pipelines.science.changes.nulls import (
    draw_parts,
    judge_by_draws,
    judge_by_windows,
    least_draws,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pipelines.science.changes.facts import Family, Said
    from pipelines.science.changes.groups import Group
    from pipelines.science.changes.layout import Layout
    from pipelines.science.changes.nulls import Judged
    from pipelines.science.changes.summing import Sums

    Array = NDArray[Any]

ENOUGH_WINDOWS = 20
"""With as many windows in the past those that are longer than `REACH` are asked of them first; else
blocks come first, which see more."""
LEAST_WINDOWS = 12
LEAST_WORTH = 8.0
"""A past worth fewer independent windows does not say by how much windows differ."""
LEAST_WORTH_OF_MEAN = 4.0
"""Nor, worth fewer than these, around which mean."""
LEAST_BLOCKS = 5
MOST_DRAWS = 20_000
_TIMES_THE_DRAWS = 2
"""There must be at least so many times as many ways to draw blocks as are drawn."""


@dataclass(frozen=True)
class Question:
    """A family's statistics, whose sums are of `layout`'s pieces, and the level they share.

    `slow`: pieces may be alike for longer than can be measured, so the past's windows are asked.
    """

    family: Family
    sums: Sums
    layout: Layout
    level: float
    slow: bool
    seed: int

    def answer(self) -> FamilyChange:
        """Return what the statistics say."""
        if not self.sums.of(self.family):
            return say_nothing(self.family, self.level, "nothing in it can be compared")
        windows = self.layout.before // self.layout.within if self.layout.timed else 0
        for judge in self._nulls(windows):
            found = judge()
            if found is not None:
                return found
        return say_nothing(self.family, self.level, self._say_why(windows))

    def _nulls(self, windows: int) -> list[Callable[[], FamilyChange | None]]:
        """Return what can be asked, best first.

        Over a window of at most `REACH` pieces all likeness is added up, also one too weak to be
        seen; of a longer one what lasts longer is left out of blocks, and its past must say it.
        """
        if not self.slow or windows < LEAST_WINDOWS:
            return [self._by_blocks]
        by_windows = partial(self._by_windows, windows)
        if windows < ENOUGH_WINDOWS or self.layout.within <= REACH:
            return [self._by_blocks, by_windows]
        return [by_windows, self._by_blocks]

    def _say_why(self, windows: int) -> str:
        unit, within, before = self.layout.unit, self.layout.within, self.layout.before
        if not self.layout.timed:
            return f"{within:,} {unit} against {before:,} are too few to be drawn from"
        return (
            f"the window holds {within:,} {unit} and its past {before:,}: neighbours are alike, and"
            f" that is worth too few windows of the past ({windows:,} in a row) and too few blocks"
            " that outlast the likeness"
        )

    def _groups(self, values: Array) -> list[tuple[Group, Array]]:
        return [(group, values[:, where]) for group, where in self.sums.of(self.family)]

    def _neighbours(self, values: Array, rows: Array) -> Array:
        """Return the correlation of neighbours in what each statistic looks at (q,)."""
        return correlate_neighbours(self._series(values, rows))

    def _series(self, values: Array, rows: Array) -> list[Array]:
        """Return what each statistic (q) looks at, piece by piece (pieces, any)."""
        return [
            series for group, part in self._groups(values) for series in group.series(part, rows)
        ]

    def _statistics(self, parts: Array, values: Array, rows: Array) -> Array:
        """Return the statistics (k, q) of parts (k, pieces) against all other pieces."""
        within = parts @ rows
        return np.hstack(
            [
                group.differ(
                    found := parts @ part, part.sum(axis=0) - found, within, rows.sum() - within
                )
                for group, part in self._groups(values)
            ]
        )

    def _floors(self, rows: float) -> Array:
        """Return by how much each statistic (q,) must differ to count as one deviation."""
        return np.concatenate(
            [group.floors(max(rows, 1.0)) for group, _ in self.sums.of(self.family)]
        )

    @property
    def _labels(self) -> list[tuple[str, str]]:
        return [label for group, _ in self.sums.of(self.family) for label in group.labels]

    def _by_windows(self, windows: int) -> FamilyChange | None:
        """Return what the past's windows say; None where they are worth too little."""
        within, before = self.layout.within, self.layout.before
        starts = np.arange(before - windows * within, before + within, within)
        held = np.add.reduceat(self.sums.values, starts, axis=0)
        rows = np.add.reduceat(self.sums.rows, starts)
        own = self._neighbours(held[:-1], rows[:-1])
        of_mean, of_spread = worth(remove_bias(own, windows), windows)
        enough = (of_mean >= LEAST_WORTH_OF_MEAN) & (of_spread >= LEAST_WORTH)
        if not enough.any():
            return None
        alike = remove_bias(learn_from_others(own, windows), windows)
        near = find_near(alike[enough], windows, self.layout.apart // within)
        # What is too old to be a whole window is of the rest.
        rest = self.sums.values.sum(axis=0) - near.sum(held)
        others = self.sums.rows.sum() - near.sum(rows)
        found = np.hstack(
            [
                group.differ(held[:, where], rest[:, where], rows, others)
                for group, where in self.sums.of(self.family)
            ]
        )
        judged = judge_by_windows(
            found[:, enough], self.level, alike[enough], self._floors(rows[-1])[enough], near
        )
        if judged is None:
            return None
        null = f"{windows:,} windows of the past, each of {within:,} {self.layout.unit}"
        if windows < ENOUGH_WINDOWS:
            null += "; of so few, more than stated may be false where days are long alike"
        return self._tell(found[-1], enough, judged, null)

    def _by_blocks(self) -> FamilyChange | None:
        """Return what blocks say that change sides; None where they are too few."""
        length, values, rows, within = self._find_blocks()
        count = len(rows)
        draws = least_draws(self.level)
        few = min(within, count - within) < LEAST_BLOCKS
        if few or draws > MOST_DRAWS or comb(count, within) < _TIMES_THE_DRAWS * draws:
            return None
        parts = draw_parts(within, count, draws, self.seed)
        # Single precision holds sums of counts exactly, and means to seven digits.
        found = self._statistics(parts, values.astype(np.float32), rows.astype(np.float32))
        before = count - within
        wider = (
            self._widen(values[:before], rows[:before], within, length)
            if self.layout.timed
            else np.ones(found.shape[1])
        )
        every = np.ones(found.shape[1], dtype=bool)
        judged = judge_by_draws(found, self.level, wider, self._floors(rows[before:].sum()))
        unit = self.layout.unit if length == 1 else f"blocks of {length} {self.layout.unit}"
        null = f"{within:,} of {count:,} {unit} drawn {draws:,} times"
        return self._tell(found[0], every, judged, null)

    def _widen(self, values: Array, rows: Array, within: int, length: int) -> Array:
        """Return by how much the likeness of the past's blocks widens what chance does (q,)."""
        count = len(rows)
        reach = choose_reach(within, count, length)
        inflation = measure_inflation(self._series(values, rows), reach)
        first = widen(self._neighbours(values, rows), count)
        return np.maximum(inflation.widen(self.level), first)

    def _find_blocks(self) -> tuple[int, Array, Array, int]:
        """Return how long blocks are, their sums and rows, and how many are the window's.

        They are twice as long until neighbours are not alike by more than chance, or until they are
        too few.
        """
        length, within, before = 1, self.layout.within, self.layout.before
        while True:
            mine, other = within // length, before // length
            if min(mine, other) < 1:
                return length, np.zeros((0, 0)), np.zeros(0), 0
            starts = np.concatenate(
                [
                    before - other * length + length * np.arange(other),
                    before + within - mine * length + length * np.arange(mine),
                ]
            )
            values, rows = self._join(starts, length)
            if not self.layout.timed or min(mine, other) < LEAST_BLOCKS:
                return length, values, rows, mine
            if not are_alike(self._neighbours(values[:other], rows[:other]), other):
                return length, values, rows, mine
            length *= 2

    def _join(self, starts: Array, length: int) -> tuple[Array, Array]:
        if length == 1:
            return self.sums.values, self.sums.rows
        places = starts[:, None] + np.arange(length)
        return self.sums.values[places].sum(axis=1), self.sums.rows[places].sum(axis=1)

    def _tell(self, statistics: Array, enough: Array, judged: Judged, null: str) -> FamilyChange:
        place = np.cumsum(enough) - 1
        columns = []
        for (name, method), statistic, told, at in zip(
            self._labels, statistics, enough, place, strict=True
        ):
            p_value = float(judged.p_values[at]) if told else None
            critical = float(judged.critical[at]) if told else float("nan")
            columns.append(
                ColumnChange(
                    name,
                    method,
                    float(statistic),
                    critical if isfinite(critical) else None,
                    p_value,
                    changed=p_value is not None and p_value <= self.level,
                )
            )
        least = float(judged.p_values.min())
        said: Said = "changed" if least <= self.level else "unchanged"
        return FamilyChange(self.family, said, self.level, least, columns, null)


def with_compared(found: FamilyChange, compared: str) -> FamilyChange:
    """Return what a family says with a word on how many rows it is said of, where not of all."""
    if not compared or not found.null:
        return found
    return replace(found, null=f"{found.null}; {compared}")


def say_nothing(family: Family, level: float, untold: str) -> FamilyChange:
    """Return that nothing can be said of a family, and why."""
    return FamilyChange(family, "cannot_be_said", level, None, untold=untold)
