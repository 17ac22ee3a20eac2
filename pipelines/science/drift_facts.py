"""The facts of a window, from which the verdict on drift is made."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.science.anomaly import FlagRate
    from pipelines.science.changes.facts import Changes, FamilyChange
    from pipelines.science.live_performance import PerformanceFact

    Array = NDArray[Any]


@dataclass(frozen=True)
class ColumnFact:
    """One input (or the predictions) in the window, compared with the champion's training data.

    `score` is Evidently's distance by `method`, over all rows; None where nothing was compared, and
    then `problem` says why in words. `threshold` is the score at which the test would have said
    "changed" (see `science.changed_columns`); None where there is none. `own` is the threshold that
    the spec gives. `drifted`: the test says "changed", or the spec's own threshold is passed.
    `missing` and `missing_reference` are shares (0..1) of null or NaN.
    """

    name: str
    method: str
    threshold: float | None
    score: float | None
    drifted: bool
    missing: float
    missing_reference: float
    problem: str = ""
    p_value: float | None = None
    """Of its strongest statistic, corrected for all columns; None where nothing can be said."""
    seen_by: str = ""
    """Which statistic is the strongest: the method itself, its mean, its spread, a share."""
    own: float | None = None
    passed: bool = False
    """Whether the spec's own threshold is passed."""


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
    changes: Changes | None = None
    """What the tests say; None where none was made."""
    whole: Changes | None = None
    """What they say against the whole reference, where it was matched by season."""
    matched: str = ""
    """How the reference was matched, in words; empty where it was not."""

    @property
    def columns_with_score(self) -> list[ColumnFact]:
        """The inputs that have a score."""
        return [c for c in self.columns if c.score is not None]

    @property
    def drifted_names(self) -> list[str]:
        """The names of the inputs that have drifted."""
        return [c.name for c in self.columns if c.drifted]

    @property
    def families(self) -> list[FamilyChange]:
        """What each family of tests says."""
        return self.changes.families if self.changes else []

    def with_note(self, note: str) -> DriftFacts:
        """Return the facts with one more note."""
        return replace(self, notes=[*self.notes, note])
