"""What follows from a change."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from pipelines.science.effects.alike_days import raise_by

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

    def scale(self, exponent: int) -> Expected:
        """Return it of losses that are that power of two times as great."""
        return replace(
            self,
            before=raise_by(exponent, self.before),
            now=raise_by(exponent, self.now),
            change=raise_by(exponent, self.change),
            low=raise_by(exponent, self.low),
            high=raise_by(exponent, self.high),
        )


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
    where answers are no decisions. `flips` is the least share of decisions that turn for certain:
    of an interval of 95 % of the difference of both shares the end nearest to 0, and 0 where it
    holds 0; None where it cannot be said.
    """

    follows: Follows
    words: list[str]
    columns: list[ColumnEffect] = field(default_factory=list)
    decided: tuple[float, float] | None = None
    flips: float | None = None
    expected: Expected | None = None
