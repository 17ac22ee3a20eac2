"""The gate: one pure function from facts to a verdict.

It fails closed: what is missing, not finite or not proven refuses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipelines.messages import CheckFindings, GateCheck
from pipelines.science.gate.anomaly import check_anomalies
from pipelines.science.gate.bounds import check_bounds
from pipelines.science.gate.comparisons import check_guards, check_versus_opponent, note_incident
from pipelines.science.gate.further import check_further, find_further
from pipelines.science.gate.numbers import metrics_of
from pipelines.science.gate.rows import check_rows
from pipelines.science.gate.unseen import check_unseen
from pipelines.science.promise import check_promise

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.science.gate.facts import GateFacts
    from pipelines.spec.gate import Gate
    from pipelines.spec.own_metrics import OwnMetric


@dataclass(frozen=True)
class Verdict:
    """All checks; the failed ones are the reasons to refuse."""

    checks: list[GateCheck] = field(default_factory=list)
    findings: list[CheckFindings] = field(default_factory=list)
    """What checks looked at part by part."""

    @property
    def reasons(self) -> list[str]:
        """Why the challenger is refused; empty where it is promoted."""
        return [c.detail for c in self.checks if not c.passed] or (
            [] if self.checks else ["the gate looked at nothing"]
        )

    @property
    def is_promoted(self) -> bool:
        """Whether nothing speaks against the challenger."""
        return not self.reasons


def judge(facts: GateFacts, gate: Gate, own: Mapping[str, OwnMetric] | None = None) -> Verdict:
    """Return the verdict on the challenger.

    All checks are made, so it holds every reason, not only the first. `own` are the metrics of the
    model's own, by name.
    """
    metrics = metrics_of(gate, own or {})
    return Verdict(
        [
            _check_challenger(facts),
            check_rows(facts, gate),
            *check_bounds(facts, gate, metrics),
            check_unseen(facts),
            *check_promise(facts.promise),
            *note_incident(facts.opponent),
            *check_anomalies(facts.anomaly, gate),
            *check_versus_opponent(facts, gate, metrics),
            *check_guards(facts, gate, metrics),
            *check_further(facts.checks, gate),
        ],
        find_further(facts.checks, gate),
    )


def _check_challenger(facts: GateFacts) -> GateCheck:
    if not facts.name:
        return GateCheck(
            name="challenger",
            passed=False,
            detail="no candidate has a finite cross-validation score",
            would_pass="a candidate that can be scored in every fold",
        )
    if facts.dummy:
        return GateCheck(
            name="challenger",
            passed=False,
            detail=f"{facts.name} is a dummy: it has learnt nothing",
            would_pass="a candidate that learns",
        )
    return GateCheck(name="challenger", passed=True, detail=f"{facts.name} is the challenger")
