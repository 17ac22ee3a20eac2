"""What follows from a change."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Follows = Literal["matters", "nothing_follows", "cannot_be_said"]


@dataclass(frozen=True)
class Expected:
    """What the metric (a mean loss: less is better) is on the window's rows, as measured, or as
    expected by what was measured before.

    `before` is its mean on the reference's rows, `now` the window's own, or that of the reference
    weighted to the window's; `low` and `high`
    are the ends of the interval of `change`. Where `untold` is not "", the interval says nothing,
    and it says why.
    """

    before: float
    now: float
    change: float
    low: float
    high: float
    rows: float
    """As how many rows of equal weight the weighted ones tell (Kish)."""
    untold: str = ""


@dataclass(frozen=True)
class ColumnEffect:
    """How much a column's shift may matter: `weight` is importance times shift.

    Where the importance is not known (None) it is the shift alone.
    `flips` is the share of decisions that turn when only this column is set back to values of the
    reference; None where nobody could be asked or a column is no decision's.
    """

    name: str
    shift: float
    importance: float | None
    weight: float
    flips: float | None = None


@dataclass(frozen=True)
class Effect:
    """What follows from a change.

    `decided` are the shares of rows that are decided for the positive class, before and now; None
    where answers are no decisions. `flips` is the share of decisions that turn when the rows are
    answered as the reference's would be; None where it cannot be said.
    """

    follows: Follows
    words: list[str]
    columns: list[ColumnEffect] = field(default_factory=list)
    decided: tuple[float, float] | None = None
    flips: float | None = None
    expected: Expected | None = None
