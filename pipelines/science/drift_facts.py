"""The facts of a window, from which the verdict on drift is made."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.science.anomaly import FlagRate
    from pipelines.science.live_performance import PerformanceFact

    Array = NDArray[Any]


@dataclass(frozen=True)
class ColumnFact:
    """One input (or the predictions) in the window, compared with the champion's training data.

    `score` is Evidently's, by `method`; None where nothing was compared, and then `problem` says
    why in words. `drifted` is Evidently's too: the score has passed the `threshold`. `missing` and
    `missing_reference` are shares (0..1) of null or NaN.
    """

    name: str
    method: str
    threshold: float
    score: float | None
    drifted: bool
    missing: float
    missing_reference: float
    problem: str = ""


@dataclass(frozen=True)
class DriftFacts:
    """All facts of a window of `rows` rows.

    `broken` says in words what makes the window unfit for any comparison; `error` names an
    exception of the look itself. `notes` are things that a reader must know and that decide
    nothing.
    """

    rows: int
    broken: list[str] = field(default_factory=list)
    columns: list[ColumnFact] = field(default_factory=list)
    predictions: ColumnFact | None = None
    performance: PerformanceFact | None = None
    error: str = ""
    notes: list[str] = field(default_factory=list)
    flags: FlagRate | None = None
    """Of an anomaly model: the share of rows that it flags, beside the one that it promises."""

    @property
    def columns_with_score(self) -> list[ColumnFact]:
        """The inputs that have a score."""
        return [c for c in self.columns if c.score is not None]

    @property
    def drifted_names(self) -> list[str]:
        """The names of the inputs that have drifted."""
        return [c.name for c in self.columns if c.drifted]

    def with_note(self, note: str) -> DriftFacts:
        """Return the facts with one more note."""
        return replace(self, notes=[*self.notes, note])
