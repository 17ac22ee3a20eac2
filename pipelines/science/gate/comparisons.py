"""The challenger against its opponent: better in what decides, and hardly worse in what guards."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from pipelines.messages import GateCheck
from pipelines.science.enough import write_enough
from pipelines.science.gate.clusters import check_succession
from pipelines.science.gate.rules import confidence_of, holds, margin_of
from pipelines.spec.anomaly import needs_truth
from pipelines.tasks import STAND_INS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.science.bootstrap import Comparison
    from pipelines.science.gate.facts import GateFacts, Opponent
    from pipelines.science.gate.numbers import GateMetric
    from pipelines.spec.gate import Gate
    from pipelines.spec.rules import Rule


def note_incident(opponent: Opponent) -> list[GateCheck]:
    """Return why the champion is not the opponent, where it should be; else nothing."""
    if not opponent.incident:
        return []
    stand_in = STAND_INS.get(opponent.name, STAND_INS["dummy"])
    detail = f"INCIDENT: {opponent.incident}; {stand_in} is the opponent instead"
    return [GateCheck(name="champion", passed=True, detail=detail)]


def check_versus_opponent(
    facts: GateFacts, gate: Gate, metrics: Mapping[str, GateMetric]
) -> list[GateCheck]:
    """Check that the challenger is proven to be what the rule asks: better than its opponent, or
    not worse than the champion.

    A clustering may be the same as the champion's instead. Without a truth to look at nothing is
    better, and nothing is checked here: a promise is kept or it is not.
    """
    decides, opponent = gate.versus_champion.metric, facts.opponent
    if not needs_truth(decides):
        return []
    better = _check_rule(facts, gate, metrics[decides])
    if facts.succession is not None and opponent.is_champion:
        return check_succession(better, facts.succession, opponent.comparison, gate)
    return [better]


def check_guards(
    facts: GateFacts, gate: Gate, metrics: Mapping[str, GateMetric]
) -> list[GateCheck]:
    """Check that the challenger is proven to be worse by no more than each guard's share of the
    opponent's value.
    """
    return [_check_guard(facts, gate, metrics[name], share) for name, share in gate.guards.items()]


def _check_rule(facts: GateFacts, gate: Gate, metric: GateMetric) -> GateCheck:
    opponent = facts.opponent
    name, comparison = f"versus {opponent.name}", opponent.comparison
    if opponent.error:
        detail = f"the {opponent.name} could not be compared: {opponent.error}"
        return _refuse(name, detail, opponent)
    if comparison is None:
        detail = f"there is no comparison with the {opponent.name}"
        return _refuse(name, detail, opponent)
    fault = _find_fault(comparison, metric.name, facts, gate)
    if fault:
        return _refuse(name, fault, opponent)
    rule = facts.judging.rule if opponent.is_champion else "better"
    margin = margin_of(gate, opponent) if opponent.is_champion else None
    passed = holds(rule, comparison, margin)
    detail = (
        f"{metric.name} {metric.write(comparison.challenger, comparison.opponent)}"
        f" is {_say_found(rule, metric, margin, passed=passed)} the {opponent.name}'s"
        f" {metric.write(comparison.opponent, comparison.challenger)}:"
        f" {metric.write_gain(comparison)}, {_write_draws(comparison)}"
    )
    limit = {"better": 0.0, "not_worse": -(margin or 0.0), "value": margin or 0.0}[rule]
    return GateCheck(
        name=name,
        passed=passed,
        detail=detail,
        value=comparison.lower,
        limit=limit,
        would_pass=(
            ""
            if passed
            else f"{metric.name} better by more than"
            f" {write_enough(max(limit - comparison.lower, 0.0))}"
            " besides, or held-out rows of more days if it is as much better there"
        ),
    )


def _say_found(rule: Rule, metric: GateMetric, margin: float | None, *, passed: bool) -> str:
    """Return what the rule asks, and whether that is proven."""
    proven = "" if passed else "not proven "
    if rule == "better":
        return f"{proven}better than"
    by = f"{margin or 0.0:.3g}{f' {metric.unit}' if metric.unit else ''}"
    if rule == "value":
        return f"{proven}better by {by} or more than"
    return f"{'proven not' if passed else 'perhaps'} worse by more than {by} than"


def _check_guard(facts: GateFacts, gate: Gate, metric: GateMetric, share: float) -> GateCheck:
    opponent = facts.opponent
    name, comparison = f"guard {metric.name}", opponent.guards.get(metric.name)
    if opponent.error or comparison is None:
        detail = f"there is no comparison with the {opponent.name} in {metric.name}"
        return _refuse(name, detail, opponent)
    fault = _find_fault(comparison, metric.name, facts, gate)
    if fault:
        return _refuse(name, fault, opponent)
    allowance = share * abs(comparison.opponent)
    is_within = comparison.lower >= -allowance and comparison.difference >= -allowance
    detail = (
        f"{metric.name} {metric.write(comparison.challenger, comparison.opponent)} against the"
        f" {opponent.name}'s {metric.write(comparison.opponent, comparison.challenger)}:"
        f" {metric.write_gain(comparison)}, {'within' if is_within else 'beyond'} the {share:.3g}"
        " of it that gate.guards allows it to be worse"
    )
    return GateCheck(
        name=name,
        passed=is_within,
        detail=detail,
        value=comparison.lower,
        limit=-allowance,
        would_pass=(
            ""
            if is_within
            else f"{metric.name} better by {write_enough(-allowance - comparison.lower)}, or a"
            f" greater share at gate.guards.{metric.name}"
        ),
    )


def _refuse(name: str, detail: str, opponent: Opponent) -> GateCheck:
    way = f"a comparison with the {opponent.name} that can be made"
    return GateCheck(name=name, passed=False, detail=detail, would_pass=way)


def _find_fault(comparison: Comparison, metric: str, facts: GateFacts, gate: Gate) -> str:
    """Return in words why a comparison proves nothing; empty where it may be looked at."""
    opponent = facts.opponent.name
    asked = confidence_of(gate, facts.judging, of_champion=facts.opponent.is_champion)
    if comparison.metric != metric or comparison.confidence != asked:
        return f"the comparison with the {opponent} is not the one that the gate asks for"
    if comparison.untold:
        return (
            f"it cannot be told whether {metric} is better than the {opponent}'s:"
            f" {comparison.untold}; hold more out (train.holdout)"
        )
    numbers = (
        comparison.challenger,
        comparison.opponent,
        comparison.difference,
        comparison.lower,
    )
    if not all(isfinite(number) for number in numbers):
        return f"{metric} versus the {opponent} is missing or not finite"
    return ""


def _write_draws(comparison: Comparison) -> str:
    """Return in how many of what was drawn the challenger is better."""
    pieces = f"{comparison.blocks} {comparison.unit}"
    if comparison.as_many:
        pieces += (
            f", which are like their neighbours and say as much as {comparison.as_many}"
            " independent ones"
        )
    if comparison.unit != "folds" and not comparison.is_drawn:
        return f"better with {comparison.p_better:.1%} by Student's t of {pieces}"
    drawn = (
        f"the {comparison.blocks} folds" if comparison.unit == "folds" else f"resamples of {pieces}"
    )
    return f"better in {comparison.p_better:.1%} of {drawn}"
