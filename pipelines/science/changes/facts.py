"""What is compared, and what a comparison found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Array = NDArray[Any]

Said = Literal["changed", "unchanged", "cannot_be_said"]
Family = Literal["missing", "inputs", "together", "predictions", "performance"]
"""What is tested at a level of its own: missing values and the schema, each input, the inputs
together, the model's answers, and how right they are."""


@dataclass(frozen=True)
class Sample:
    """Rows of one side, in any order.

    `columns` holds an array (n,) by name: float64 with NaN, or an object array of texts and None.
    `times` are the rows' event times (n,), datetime64; None where the data have no time.
    `predictions` are the model's answers of the same rows (n,): floats, or an object array of
    labels; None where they are not at hand. `losses` are how wrong each answer was (n,), NaN where
    the row has no label; None where no row has one.
    """

    columns: Mapping[str, Array]
    times: Array | None = None
    predictions: Array | None = None
    losses: Array | None = None

    @property
    def rows(self) -> int:
        """How many rows there are."""
        others = (self.predictions, self.losses, self.times)
        held = [*self.columns.values(), *(values for values in others if values is not None)]
        return len(held[0]) if held else 0


@dataclass(frozen=True)
class ColumnChange:
    """One statistic of a column (or of a family as a whole).

    It is `changed` where the statistic is beyond `critical`, which holds for all statistics of the
    family together. `p_value` is corrected for that likewise; None where there is none.
    """

    name: str
    method: str
    statistic: float
    critical: float | None
    p_value: float | None
    changed: bool


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
