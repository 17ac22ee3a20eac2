"""What is compared, and what a comparison found."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Array = NDArray[Any]

Said = Literal["changed", "unchanged", "cannot_be_said"]
Family = Literal["missing", "inputs", "together", "predictions", "performance"]
"""What is tested at a level of its own: missing values and the schema, each input, the inputs
together, the model's answers, and how right they are."""
Claimed = Literal["bias", "error", "high", "low", "surest", "confidence", "coverage", "level"]
"""What an answer claims of its outcome (see `science.claims`)."""


@dataclass(frozen=True)
class Claim:
    """What answers claim, row by row, beside what came: `values` (n,), NaN where no label is known.

    The mean of the values is compared. As people read it, it is their sum by the sum of `weights`
    (n,), which is `nominal` where the claim holds; None weighs each row 1. `name` says of what: a
    class, a level.
    """

    method: Claimed
    name: str
    values: Array
    weights: Array | None = None
    nominal: float = 0.0

    def take(self, rows: Any) -> Claim:
        """Return it of some rows, by their places or by a mask."""
        weights = None if self.weights is None else self.weights[rows]
        return replace(self, values=self.values[rows], weights=weights)

    def measure(self) -> float:
        """Return what people read; NaN where no row has a weight."""
        known = np.isfinite(self.values)
        weight = float(known.sum() if self.weights is None else self.weights[known].sum())
        return float(self.values[known].sum()) / weight if weight > 0 else float("nan")


@dataclass(frozen=True)
class Sample:
    """Rows of one side, in any order.

    `columns` holds an array (n,) by name: float64 with NaN, or an object array of texts and None.
    `times` are the rows' event times (n,), datetime64; None where the data have no time.
    `predictions` are the model's answers of the same rows (n,): floats, or an object array of
    labels; None where they are not at hand. `losses` are how wrong each answer was (n,), NaN where
    the row has no label; None where no row has one. `claims` are what answers claimed of the same
    rows; those of both sides have the same methods and names in the same order.
    """

    columns: Mapping[str, Array]
    times: Array | None = None
    predictions: Array | None = None
    losses: Array | None = None
    claims: tuple[Claim, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows there are."""
        others = (self.predictions, self.losses, self.times)
        held = [*self.columns.values(), *(values for values in others if values is not None)]
        return len(held[0]) if held else 0

    def take(self, rows: Any) -> Sample:
        """Return some rows, by their places (m,) or by a mask (n,)."""
        parts = (self.times, self.predictions, self.losses)
        times, predictions, losses = (None if part is None else part[rows] for part in parts)
        columns = {name: values[rows] for name, values in self.columns.items()}
        claims = tuple(claim.take(rows) for claim in self.claims)
        return Sample(columns, times, predictions, losses, claims)


@dataclass(frozen=True)
class ColumnChange:
    """One statistic of a column (or of a family as a whole).

    It is `changed` where the statistic is beyond `critical`, which holds for all statistics of the
    family together. `p_value` is corrected for that likewise; None where there is none. Of a claim
    `now` and `before` are what people read of both sides, and `nominal` what it claims.
    """

    name: str
    method: str
    statistic: float
    critical: float | None
    p_value: float | None
    changed: bool
    now: float | None = None
    before: float | None = None
    nominal: float | None = None


@dataclass(frozen=True)
class FamilyChange:
    """What the tests of one family say together, at their share of the level.

    `untold` says in words why nothing can be said; "" where something can. `null` says in words
    where the critical values come from: windows of the past, days that changed sides, rows.
    """

    family: Family
    said: Said
    level: float
    p_value: float | None
    columns: list[ColumnChange] = field(default_factory=list)
    null: str = ""
    untold: str = ""


@dataclass(frozen=True)
class Changes:
    """What all families say of a window."""

    families: list[FamilyChange]
    notes: list[str] = field(default_factory=list)

    @property
    def said(self) -> Said:
        """What all tests together say: one that sees a change is enough."""
        found = {family.said for family in self.families}
        if "changed" in found:
            return "changed"
        return "unchanged" if "unchanged" in found else "cannot_be_said"
