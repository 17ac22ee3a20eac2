"""The gate: one pure function from facts to a verdict. It fails closed: what is missing, not finite or not proven refuses."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING

from pipelines.spec.catalogue import METRICS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.intervals import Interval
    from pipelines.science.bootstrap import Comparison
    from pipelines.spec.model import Gate


@dataclass(frozen=True)
class Opponent:
    """Whom the challenger must beat: the champion, or the best constant where there is no champion yet.

    `error` says in words why it could not be compared; `fitted_on` is what a champion has seen.
    """

    name: str
    comparison: Comparison | None = None
    error: str = ""
    fitted_on: Interval | None = None


@dataclass(frozen=True)
class Facts:
    """What the gate knows: the challenger (`name` empty where there is none), its scores on the `rows` held-out rows."""

    name: str
    dummy: bool
    metrics: Mapping[str, float | None]
    rows: int
    holdout: Interval
    opponent: Opponent


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, in words that carry the numbers."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True)
class Verdict:
    """Every finding; the failed ones are the reasons to refuse."""

    findings: list[Finding] = field(default_factory=list)

    @property
    def reasons(self) -> list[str]:
        """Why the challenger is refused; empty where it is promoted."""
        return [f.detail for f in self.findings if not f.passed] or ([] if self.findings else ["the gate looked at nothing"])

    @property
    def promoted(self) -> bool:
        """Whether nothing speaks against the challenger."""
        return not self.reasons


def judge(facts: Facts, gate: Gate) -> Verdict:
    """Return the verdict on the challenger: every finding, and so every reason, not only the first."""
    return Verdict([_challenger(facts), _rows(facts, gate), *_thresholds(facts, gate), _unseen(facts), _better(facts, gate)])


def _challenger(facts: Facts) -> Finding:
    if not facts.name:
        return Finding("challenger", passed=False, detail="no candidate has a finite cross-validation score")
    if facts.dummy:
        return Finding("challenger", passed=False, detail=f"{facts.name} is a dummy: it has learnt nothing")
    return Finding("challenger", passed=True, detail=f"{facts.name} is the challenger")


def _rows(facts: Facts, gate: Gate) -> Finding:
    enough = facts.rows >= gate.min_rows
    words = f"reach the {gate.min_rows} that" if enough else f"are fewer than the {gate.min_rows} that"
    return Finding("rows", passed=enough, detail=f"{facts.rows} held-out rows {words} gate.min_rows asks for")


def _thresholds(facts: Facts, gate: Gate) -> list[Finding]:
    bounds = [(m, v, True) for m, v in gate.at_least.items()] + [(m, v, False) for m, v in gate.at_most.items()]
    if not bounds:
        return [Finding("thresholds", passed=False, detail="the gate names no floor and no ceiling")]
    return [_threshold(metric, facts.metrics.get(metric), bound, floor=floor) for metric, bound, floor in bounds]


def _threshold(metric: str, value: float | None, bound: float, *, floor: bool) -> Finding:
    what = "floor" if floor else "ceiling"
    if not isfinite(bound):
        return Finding(metric, passed=False, detail=f"the {what} of {metric} is not finite")
    if metric not in METRICS or METRICS[metric].greater_is_better != floor:
        return Finding(metric, passed=False, detail=f"{metric} cannot have a {what}")
    if value is None or not isfinite(value):
        return Finding(
            metric, passed=False, detail=f"{metric} is missing or not finite, so it cannot be held against the {what} {_number(bound)}"
        )
    passed = value >= bound if floor else value <= bound
    side = ("at or above" if floor else "at or below") if passed else ("below" if floor else "above")
    return Finding(metric, passed=passed, detail=f"{metric} {_number(value, bound)} is {side} the {what} {_number(bound)}")


def _unseen(facts: Facts) -> Finding:
    fitted = facts.opponent.fitted_on
    if fitted is not None and fitted.overlaps(facts.holdout):
        spans = f"({_span(facts.holdout)}) overlap what the {facts.opponent.name} was fitted on ({_span(fitted)})"
        detail = f"the held-out rows {spans}, so it cannot be judged fairly"
        return Finding("unseen", passed=False, detail=detail)
    return Finding("unseen", passed=True, detail="the held-out rows are new to both")


def _span(interval: Interval) -> str:
    return f"{interval.start:%Y-%m-%dT%H} to {interval.end:%Y-%m-%dT%H}"


def _better(facts: Facts, gate: Gate) -> Finding:
    rule, opponent, found = gate.versus_champion, facts.opponent, facts.opponent.comparison
    name = f"versus {opponent.name}"
    if opponent.error:
        return Finding(name, passed=False, detail=f"the {opponent.name} could not be compared: {opponent.error}")
    if found is None:
        return Finding(name, passed=False, detail=f"there is no comparison with the {opponent.name}")
    if found.metric != rule.metric or found.confidence != rule.confidence:
        return Finding(name, passed=False, detail=f"the comparison with the {opponent.name} is not the one that the gate asks for")
    if not all(isfinite(v) for v in (found.challenger, found.opponent, found.difference, found.lower)):
        return Finding(name, passed=False, detail=f"{rule.metric} versus the {opponent.name} is missing or not finite")
    proven = found.lower > 0 and found.difference > 0
    ours, theirs = _number(found.challenger, found.opponent), _number(found.opponent, found.challenger)
    draws = f"better in {found.p_better:.1%} of resamples of {found.blocks} {found.unit}"
    is_better = f"is {'better' if proven else 'not proven better'} than the {opponent.name}'s {theirs}"
    bound = f"by {found.difference:+.4g}, at least {found.lower:+.4g} with {rule.confidence:.0%} confidence"
    detail = f"{rule.metric} {ours} {is_better}: {bound}, {draws}"
    return Finding(name, passed=proven, detail=detail)


def _number(value: float, other: float | None = None) -> str:
    """Return the value with three decimals, or as many (up to 17 digits) as are needed to tell it apart from the other one."""
    if abs(value) >= 1e6:  # noqa: PLR2004 -- where decimals say nothing
        return f"{value:.6g}"
    if other is None or value == other:
        return f"{value:.3f}"
    texts = ((f"{value:.{digits}f}", f"{other:.{digits}f}") for digits in range(3, 17))
    return next((ours for ours, theirs in texts if ours != theirs), repr(float(value)))
