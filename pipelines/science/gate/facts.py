"""What the gate knows of a challenger, its opponent and the rows on which they are judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipelines.science.gate.further import CheckFacts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipelines.intervals import Interval
    from pipelines.science.anomaly import Agreement, FlagRate
    from pipelines.science.bootstrap import Comparison, Spread
    from pipelines.science.promise import Promise
    from pipelines.spec.gate import Gate


@dataclass(frozen=True)
class Opponent:
    """Whom the challenger must beat: the champion, or the best constant where no champion can
    answer.

    `comparison` is by the metric of `gate.versus_champion`, `guards` by each metric of
    `gate.guards`. `error` says in words why it could not be compared; `fitted_on` is what a
    champion has seen. `incident` says in words why the champion, which should be the opponent,
    could not be.
    """

    name: str
    comparison: Comparison | None = None
    guards: Mapping[str, Comparison] = field(default_factory=dict)
    error: str = ""
    fitted_on: Interval | None = None
    incident: str = ""
    agreement: Agreement | None = None
    """Of anomaly models: how far both flag the same rows; None where there is no champion."""

    @property
    def is_champion(self) -> bool:
        """Whether it is the champion, and no constant that stands in."""
        return self.name == "champion"


def compare_by(gate: Gate, name: str, compare: Callable[[str], Comparison]) -> Opponent:
    """Return the opponent of that name, compared by every metric by which the gate compares."""
    return Opponent(
        name,
        comparison=compare(gate.versus_champion.metric),
        guards={metric: compare(metric) for metric in gate.guards},
    )


@dataclass(frozen=True)
class SnapshotFacts:
    """What is known of the rows of a snapshot, which have no time.

    `held` of them are held out; `fair` of these are new to the champion too. `challenger_sides`
    and `champion_sides` tell whether it is known which rows each was not fitted on (true of a
    constant). `folds` says in words how the models are fitted again where the fair rows prove
    nothing, and `why_folds` why they do not; else both are empty.
    """

    held: int
    fair: int
    challenger_sides: bool
    champion_sides: bool
    folds: str = ""
    why_folds: str = ""
    groups: int | None = None
    """How many groups all rows are of; None where each row is for itself."""


@dataclass(frozen=True)
class Succession:
    """How a challenger's clusters lie upon the champion's, on the same rows.

    `kept` is the share of rows that keep their cluster once the names are matched; `new` clusters
    have no counterpart, `gone` are names of the champion's that have none.
    """

    stability: Spread
    kept: float
    new: int
    gone: tuple[str, ...]


@dataclass(frozen=True)
class AnomalyFacts:
    """What the gate knows of an anomaly model beside its metrics.

    `flags` is what it flags of the held-out rows, of which `labelled` have a label (None where the
    model has no target). `agreement` is that with the champion; None where there is none.
    `versus_champion` tells whether a champion is the opponent, and `error` why it could not be
    compared.
    """

    flags: FlagRate | None = None
    labelled: int | None = None
    agreement: Agreement | None = None
    versus_champion: bool = False
    error: str = ""


@dataclass(frozen=True)
class GateFacts:
    """What the gate knows: the challenger (`name` empty where there is none), its scores on the
    `rows` held-out rows.

    `fitted_on` is the span of the rows that the challenger has learnt from; None where nobody
    knows. Of a snapshot `snapshot` says what that span cannot; where it is judged over folds,
    `rows` are all rows and `metrics` are means over the folds.
    """

    name: str
    dummy: bool
    metrics: Mapping[str, float | None]
    rows: int
    holdout: Interval
    fitted_on: Interval | None
    opponent: Opponent
    snapshot: SnapshotFacts | None = None
    undefined: Mapping[str, str] = field(default_factory=dict)
    """Why a metric has no value on the held-out rows, in words."""
    succession: Succession | None = None
    """Of a clustering: how its clusters lie upon the champion's; None where there is none."""
    flags: FlagRate | None = None
    """Of an anomaly model: the share of the held-out rows that it flags."""
    labelled: int | None = None
    """Of an anomaly model with a target: how many held-out rows have a label."""
    promise: Promise | None = None
    """What a model of quantiles promises of its coverage; None where it promises nothing."""
    checks: CheckFacts = field(default_factory=CheckFacts)
    """What is known for the further checks that the gate asks for."""

    @property
    def anomaly(self) -> AnomalyFacts:
        """What is known of an anomaly model beside its metrics."""
        return AnomalyFacts(
            flags=self.flags,
            labelled=self.labelled,
            agreement=self.opponent.agreement,
            versus_champion=self.opponent.is_champion,
            error=self.opponent.error,
        )
