"""Which rows may be taken as independent of each other, and which only as one piece of evidence.

Rows of one day are alike, so a piece is a whole calendar day (UTC) of event time, unless the spec
says that hours or single rows are independent. Rows without a time are pieces by their groups, or
each for itself. More than 512 pieces are put together, neighbours with neighbours: more would cost
much and tell nothing more.

Source: Carlstein (1986), "The use of subseries values for estimating the variance of a general
statistic from a stationary sequence", Annals of Statistics 14 (blocks that do not overlap).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

MAX_PIECES = 512
"""As many pieces are drawn at most."""
LEAST_TO_COMPARE = 5
"""Of fewer pieces nobody can tell whether one model is better than another."""
LEAST_FOR_INTERVAL = 10
"""Of fewer pieces nobody can tell between which ends a metric lies: what one model's metric does
from day to day is skewed, what two models differ by is not (benchmarks/dependence.py)."""
Span = Literal["day", "hour", "row"]
"""How long rows of a model with an event time are alike."""
Unit = Literal[
    "days",
    "hours",
    "rows",
    "groups of days",
    "groups of hours",
    "groups of rows",
    "groups",
    "sets of groups",
    "folds",
]
"""What a piece is; `groups` are those that the spec names, `folds` are no pieces (see `refits`)."""
_JOINED: dict[Unit, Unit] = {
    "days": "groups of days",
    "hours": "groups of hours",
    "rows": "groups of rows",
    "groups": "sets of groups",
}
_ONE = {
    "days": "day",
    "hours": "hour",
    "rows": "row",
    "groups": "group",
    "groups of days": "group of days",
    "groups of hours": "group of hours",
    "groups of rows": "group of rows",
    "sets of groups": "set of groups",
}
_CODES = {"day": "D", "hour": "h"}
_UNITS: dict[Span, Unit] = {"day": "days", "hour": "hours", "row": "rows"}


@dataclass(frozen=True)
class Pieces:
    """The piece (n,) of each row, 0..count-1; where `in_order`, in the order of time."""

    of_row: Array
    count: int
    unit: Unit
    in_order: bool

    @property
    def words(self) -> str:
        """How many there are, and of what."""
        return f"{self.count:,} {self.unit}" if self.count != 1 else f"1 {_ONE[self.unit]}"

    def take(self, rows: Array) -> Pieces:
        """Return the pieces of some of the rows, by their places (m,): those that hold any."""
        held, of_row = np.unique(self.of_row[rows], return_inverse=True)
        return replace(self, of_row=of_row, count=len(held))

    def join(self, count: int) -> Pieces:
        """Return at most `count` pieces, of which each holds neighbours, about equally many."""
        if count >= self.count:
            return self
        joined = self.of_row * count // self.count
        return replace(self, of_row=joined, count=count, unit=_JOINED.get(self.unit, self.unit))


def pieces_of_times(event_times: Array, span: Span = "day") -> Pieces:
    """Return the pieces of rows with these event times (n,)."""
    times = np.asarray(event_times).astype("datetime64[us]")
    if span == "row":
        place = np.empty(len(times), dtype=np.int64)
        place[np.argsort(times, kind="stable")] = np.arange(len(times))
        found, count = place, len(times)
    else:
        values, found = np.unique(times.astype(f"datetime64[{_CODES[span]}]"), return_inverse=True)
        count = len(values)
    return Pieces(found, count, _UNITS[span], in_order=True).join(MAX_PIECES)


def pieces_of_groups(groups: Array) -> Pieces:
    """Return the pieces of rows of these groups (n,), numbered from 0; each row may be its own."""
    count = len(np.unique(groups))
    unit: Unit = "rows" if count == len(groups) else "groups"
    return Pieces(np.asarray(groups), count, unit, in_order=False).join(MAX_PIECES)


def pieces_of(event_times: Array | None, groups: Array | None, span: Span = "day") -> list[Pieces]:
    """Return each way to cut rows into pieces: by their times, by their groups, or by both.

    Rows with times that are of groups besides (of one customer, say) are alike in two ways.
    """
    if event_times is None and groups is None:
        msg = "either the event times or the groups must be given"
        raise ValueError(msg)
    ways = [] if event_times is None else [pieces_of_times(event_times, span)]
    return ways + ([] if groups is None else [pieces_of_groups(groups)])
