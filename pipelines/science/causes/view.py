"""A window beside its reference, with what all signs of a cause look at, measured once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.causes.blocks import block_rows
from pipelines.science.causes.cells import cut
from pipelines.science.causes.shift import Shift, measure_shift

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.science.causes.blocks import Blocks
    from pipelines.science.causes.cells import Cells
    from pipelines.science.changes.facts import Sample

    Array = NDArray[Any]

TAILS = (0.0, 0.25, 0.5, 0.75)
"""A fault may begin within the window: signs are looked for from these parts of its time on."""
MOST_ROWS = 50_000
"""Rows of a side that are looked at."""


@dataclass(frozen=True)
class Tail:
    """The rows (k,) of a window from a moment on, and that moment in words ("" from the start)."""

    start: float
    rows: Array
    since: str


@dataclass(frozen=True)
class View:
    """Both sides, and what is derived of them."""

    window: Sample
    reference: Sample

    @cached_property
    def names(self) -> list[str]:
        """The columns that both sides hold in the same form."""
        there = self.reference.columns
        return [
            n
            for n, values in self.window.columns.items()
            if n in there and (values.dtype == object) == (there[n].dtype == object)
        ]

    @cached_property
    def numbers(self) -> list[str]:
        """The columns of numbers."""
        return [n for n in self.names if self.reference.columns[n].dtype != object]

    @cached_property
    def texts(self) -> list[str]:
        """The columns of texts."""
        return [n for n in self.names if self.reference.columns[n].dtype == object]

    @cached_property
    def blocks(self) -> tuple[Blocks, Blocks]:
        """The days of the window and of the reference."""
        return (
            block_rows(self.window.times, self.window.rows),
            block_rows(self.reference.times, self.reference.rows),
        )

    @cached_property
    def cells(self) -> dict[str, Cells]:
        """The cells of each column."""
        return {n: cut(self.reference.columns[n]) for n in self.names}

    @cached_property
    def codes(self) -> dict[str, tuple[Array, Array]]:
        """The cells of the window's and of the reference's rows, by column."""
        return {
            n: (
                cells.place(self.window.columns[n]),
                cells.place(self.reference.columns[n]),
            )
            for n, cells in self.cells.items()
        }

    @cached_property
    def shifts(self) -> dict[str, Shift]:
        """How far each column has moved."""
        return self.measure(None)

    @cached_property
    def shifts_by_days(self) -> dict[str, Shift]:
        """How far each column has moved, as if days were like the days before by nothing but the
        season: where the window is a stretch of days, more moves by this measure.
        """
        return self.measure(None, stretch=False) if self.blocks[0].stretch else self.shifts

    def measure(self, weights: Array | None, *, stretch: bool = True) -> dict[str, Shift]:
        """Return how far each column has moved, from a reference whose days weigh so much."""
        own_days, past_days = self.blocks
        blocks = own_days if stretch else replace(own_days, stretch=False), past_days
        return {
            n: measure_shift(
                own,
                other,
                self.cells[n].count,
                blocks=blocks,
                weights=weights,
                ordered=self.cells[n].edges is not None,
            )
            for n, (own, other) in self.codes.items()
        }

    @cached_property
    def tails(self) -> list[Tail]:
        """The window, and its ends from later moments on."""
        if self.window.times is None or not self.window.rows:
            return [Tail(0.0, np.arange(self.window.rows), "")]
        order = np.argsort(self.window.times, kind="stable")
        ordered = self.window.times[order]
        found = []
        for start in TAILS:
            first = int(np.searchsorted(ordered, ordered[int(start * len(ordered))]))
            since = str(ordered[first].astype("datetime64[m]")).replace("T", " ")
            found.append(Tail(start, order[first:], f" from {since} on" if start else ""))
        return found


def thin(sample: Sample, rows: int, seed: int) -> Sample:
    """Return so many rows of a sample at most, drawn at random, in their order."""
    if sample.rows <= rows:
        return sample
    picks = np.sort(np.random.default_rng(seed).choice(sample.rows, rows, replace=False))
    return pick(sample, picks)


def pick(sample: Sample, rows: Array) -> Sample:
    """Return the rows at these places, or where a mask (n,) holds."""
    return sample.take(rows)
