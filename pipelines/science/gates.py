"""The gate: one pure function from facts to a verdict.

It fails closed: what is missing, not finite or not proven refuses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING

from pipelines.spec.metrics import METRICS, find_metric

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.intervals import Interval
    from pipelines.science.bootstrap import Comparison
    from pipelines.spec.model import Gate
    from pipelines.spec.tasks import Task


@dataclass(frozen=True)
class Opponent:
    """Whom the challenger must beat.

    The champion, or the best constant where no champion can answer.

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


@dataclass(frozen=True)
class GateFacts:
    """What the gate knows: the challenger (`name` empty where there is none), its scores on the
    `rows` held-out rows.

    `fitted_on` is the span of the rows that the challenger has learnt from; None where nobody
    knows.
    """

    name: str
    dummy: bool
    metrics: Mapping[str, float | None]
    rows: int
    holdout: Interval
    fitted_on: Interval | None
    opponent: Opponent


@dataclass(frozen=True)
class GateFinding:
    """One thing that was looked at, in words that carry the numbers."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True)
class Verdict:
    """Every finding; the failed ones are the reasons to refuse."""

    findings: list[GateFinding] = field(default_factory=list)

    @property
    def reasons(self) -> list[str]:
        """Why the challenger is refused; empty where it is promoted."""
        return [f.detail for f in self.findings if not f.passed] or (
            [] if self.findings else ["the gate looked at nothing"]
        )

    @property
    def promoted(self) -> bool:
        """Whether nothing speaks against the challenger."""
        return not self.reasons


def judge(facts: GateFacts, gate: Gate) -> Verdict:
    """Return the verdict on the challenger.

    Every finding, and so every reason, not only the first.
    """
    checks = [
        _challenger(facts),
        _rows(facts, gate),
        *_thresholds(facts, gate),
        _unseen(facts),
        *_incident(facts),
    ]
    return Verdict(
        [*checks, _better(facts, gate), *(_guard(facts, metric, gate) for metric in gate.guards)]
    )


def blind_spot(gate: Gate, task: Task) -> str:
    """Return in words what none of the gate's metrics sees, and which guard would.

    Empty where they see all that they should.
    """
    named = {*gate.at_least, *gate.at_most, *gate.guards, gate.versus_champion.metric}
    seen = {find_metric(metric).sees for metric in named}
    if task != "regression":
        if "probabilities" in seen:
            return ""
        blind = (
            "whether the probabilities are true, so a model that is far too sure, or shifted, can"
            " pass"
        )
        return f"the gate does not see {blind}: add `guards: {{log_loss: 0.05}}`"
    if "squares" not in seen:
        return (
            "the gate does not see a few great misses, so a model that makes them can pass: add"
            " `guards: {rmse: 0.05}`"
        )
    if "distances" not in seen:
        return (
            "the gate sees little but the greatest misses, so a model that is worse on most rows"
            " can pass: add `guards: {mae: 0.05}`"
        )
    return ""


def _challenger(facts: GateFacts) -> GateFinding:
    if not facts.name:
        return GateFinding(
            "challenger", passed=False, detail="no candidate has a finite cross-validation score"
        )
    if facts.dummy:
        return GateFinding(
            "challenger", passed=False, detail=f"{facts.name} is a dummy: it has learnt nothing"
        )
    return GateFinding("challenger", passed=True, detail=f"{facts.name} is the challenger")


def _rows(facts: GateFacts, gate: Gate) -> GateFinding:
    enough = facts.rows >= gate.min_rows
    words = (
        f"reach the {gate.min_rows} that" if enough else f"are fewer than the {gate.min_rows} that"
    )
    return GateFinding(
        "rows", passed=enough, detail=f"{facts.rows} held-out rows {words} gate.min_rows asks for"
    )


def _thresholds(facts: GateFacts, gate: Gate) -> list[GateFinding]:
    bounds = [(m, v, True) for m, v in gate.at_least.items()] + [
        (m, v, False) for m, v in gate.at_most.items()
    ]
    if not bounds:
        return [
            GateFinding("thresholds", passed=False, detail="the gate names no floor and no ceiling")
        ]
    return [
        _threshold(metric, facts.metrics.get(metric), bound, floor=floor)
        for metric, bound, floor in bounds
    ]


def _threshold(metric: str, value: float | None, bound: float, *, floor: bool) -> GateFinding:
    what = "floor" if floor else "ceiling"
    if not isfinite(bound):
        return GateFinding(metric, passed=False, detail=f"the {what} of {metric} is not finite")
    if metric not in METRICS or METRICS[metric].greater_is_better != floor:
        return GateFinding(metric, passed=False, detail=f"{metric} cannot have a {what}")
    if value is None or not isfinite(value):
        return GateFinding(
            metric,
            passed=False,
            detail=(
                f"{metric} is missing or not finite, so it cannot be held against the {what}"
                f" {_number(bound)}"
            ),
        )
    passed = value >= bound if floor else value <= bound
    side = (
        ("at or above" if floor else "at or below") if passed else ("below" if floor else "above")
    )
    return GateFinding(
        metric,
        passed=passed,
        detail=f"{metric} {_number(value, bound)} is {side} the {what} {_number(bound)}",
    )


def _unseen(facts: GateFacts) -> GateFinding:
    """Check that the held-out rows are new to the challenger and to the champion that it is
    compared with.
    """
    if facts.name and facts.fitted_on is None:
        detail = (
            f"it is not known on which rows {facts.name} was fitted, so it cannot be judged; clear"
            " `train` and run again"
        )
        return GateFinding("unseen", passed=False, detail=detail)
    spans = [
        (facts.name, facts.fitted_on),
        (f"the {facts.opponent.name}", facts.opponent.fitted_on),
    ]
    seen = [
        f"{who} was fitted on ({_span(span)})"
        for who, span in spans
        if span is not None and span.overlaps(facts.holdout)
    ]
    if seen:
        detail = (
            f"the held-out rows ({_span(facts.holdout)}) overlap what {' and what '.join(seen)}, so"
            " it cannot be judged fairly"
        )
        return GateFinding("unseen", passed=False, detail=detail)
    return GateFinding("unseen", passed=True, detail="the held-out rows are new to both")


def _incident(facts: GateFacts) -> list[GateFinding]:
    if not facts.opponent.incident:
        return []
    detail = f"INCIDENT: {facts.opponent.incident}; the best constant is the opponent instead"
    return [GateFinding("champion", passed=True, detail=detail)]


def _span(interval: Interval) -> str:
    return f"{interval.start:%Y-%m-%dT%H} to {interval.end:%Y-%m-%dT%H}"


def _better(facts: GateFacts, gate: Gate) -> GateFinding:
    rule, opponent, found = gate.versus_champion, facts.opponent, facts.opponent.comparison
    name = f"versus {opponent.name}"
    if opponent.error:
        return GateFinding(
            name,
            passed=False,
            detail=f"the {opponent.name} could not be compared: {opponent.error}",
        )
    if found is None:
        return GateFinding(
            name, passed=False, detail=f"there is no comparison with the {opponent.name}"
        )
    problem = _unfit(found, rule.metric, gate, opponent.name)
    if problem:
        return GateFinding(name, passed=False, detail=problem)
    proven = found.lower > 0 and found.difference > 0
    ours, theirs = (
        _number(found.challenger, found.opponent),
        _number(found.opponent, found.challenger),
    )
    draws = f"better in {found.p_better:.1%} of resamples of {found.blocks} {found.unit}"
    is_better = (
        f"is {'better' if proven else 'not proven better'} than the {opponent.name}'s {theirs}"
    )
    bound = (
        f"by {found.difference:+.4g}, at least {found.lower:+.4g} with {rule.confidence:.0%}"
        " confidence"
    )
    detail = f"{rule.metric} {ours} {is_better}: {bound}, {draws}"
    return GateFinding(name, passed=proven, detail=detail)


def _guard(facts: GateFacts, metric: str, gate: Gate) -> GateFinding:
    """Check that the challenger is proven to be worse by no more than the guard's share of the
    opponent's value.
    """
    opponent, found, share = facts.opponent, facts.opponent.guards.get(metric), gate.guards[metric]
    name = f"guard {metric}"
    if opponent.error or found is None:
        return GateFinding(
            name,
            passed=False,
            detail=f"there is no comparison with the {opponent.name} in {metric}",
        )
    problem = _unfit(found, metric, gate, opponent.name)
    if problem:
        return GateFinding(name, passed=False, detail=problem)
    allowed = share * abs(found.opponent)
    kept = found.lower >= -allowed and found.difference >= -allowed
    ours, theirs = (
        _number(found.challenger, found.opponent),
        _number(found.opponent, found.challenger),
    )
    bound = (
        f"by {found.difference:+.4g}, at least {found.lower:+.4g} with {found.confidence:.0%}"
        " confidence"
    )
    limit = (
        f"{'within' if kept else 'beyond'} the {share:.3g} of it that gate.guards allows it to be"
        " worse"
    )
    return GateFinding(
        name,
        passed=kept,
        detail=f"{metric} {ours} against the {opponent.name}'s {theirs}: {bound}, {limit}",
    )


def _unfit(found: Comparison, metric: str, gate: Gate, opponent: str) -> str:
    """Return in words why a comparison proves nothing; empty where it may be looked at."""
    if found.metric != metric or found.confidence != gate.versus_champion.confidence:
        return f"the comparison with the {opponent} is not the one that the gate asks for"
    if not all(
        isfinite(v) for v in (found.challenger, found.opponent, found.difference, found.lower)
    ):
        return f"{metric} versus the {opponent} is missing or not finite"
    return ""


def _number(value: float, other: float | None = None) -> str:
    """Return the value with three decimals, or as many (up to 17 digits) as are needed to tell it
    apart from the other one.
    """
    if abs(value) >= 1e6:  # noqa: PLR2004 -- where decimals say nothing
        return f"{value:.6g}"
    if other is None or value == other:
        return f"{value:.3f}"
    texts = ((f"{value:.{digits}f}", f"{other:.{digits}f}") for digits in range(3, 17))
    return next((ours for ours, theirs in texts if ours != theirs), repr(float(value)))
