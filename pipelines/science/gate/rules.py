"""By which rule a challenger is held against the champion, and the name of what was found.

A person who retrains asks whether the new model is better. A schedule and drift ask something else:
whether the recipe, fitted again on what is known by now, may take over from a champion that grows
old. Nobody can prove it better where nothing has changed, so it must be proven to be hardly worse.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Literal

from pipelines.messages import JudgedBy
from pipelines.science.gate.facts import Judging
from pipelines.spec.rule_problems import why_only_better

if TYPE_CHECKING:
    from pipelines.science.bootstrap import Comparison
    from pipelines.science.gate.facts import Opponent
    from pipelines.science.gate.numbers import GateMetric
    from pipelines.spec.gate import Gate
    from pipelines.spec.rules import Cause, Rule
    from pipelines.tasks import Task

SHARE = 0.1
"""The margin is this share of the champion's lead over the best constant, where the spec has none.

`benchmarks/renewal.py` measures what it costs and what it gives.
"""
Finding = Literal[
    "better", "small gain", "tie", "not worse", "worse", "undecided", "too few rows to tell"
]
_STARTED = {
    "hand": "a person started the run",
    "schedule": "the schedule started the run",
    "change": "drift asked for the run",
}
_ONE_FIT = (
    "The model was judged: fitted on what lies before the held-out rows, and asked for all of them"
)


def choose_rule(gate: Gate, task: Task, cause: Cause) -> Judging:
    """Return by which rule a run's challenger is to be judged, before its recipe is fitted again.

    Where the spec names none, a person's challenger must be better; one of the schedule's or of
    drift's must not be worse.
    """
    versus = gate.versus_champion
    started = cause != "hand"
    named = versus.rule is not None or bool(why_only_better(versus.metric, task))
    rule = versus.rule or ("not_worse" if started and not named else "better")
    asks = (started and rule != "better") if versus.renewal is None else versus.renewal
    return Judging(rule, cause, is_named=versus.rule is not None, asks_renewal=asks)


def margin_of(gate: Gate, opponent: Opponent) -> float | None:
    """Return by how much a challenger may be worse, or must be better, in the metric's own unit.

    A champion that is no better than a constant leaves no room; None where its lead is not known.
    """
    stated = gate.versus_champion.margin
    if stated is not None:
        return stated
    if opponent.lead is None or not isfinite(opponent.lead):
        return None
    return SHARE * max(opponent.lead, 0.0)


def confidence_of(gate: Gate, judging: Judging, *, of_champion: bool) -> float:
    """Return how sure the comparison with an opponent must be; one that stands in for a champion
    must be beaten.
    """
    return gate.versus_champion.confidence_by(judging.rule if of_champion else "better")


def find(comparison: Comparison, margin: float | None) -> Finding:
    """Return the name of what a comparison shows, with a margin or without one."""
    lower, upper, margin = comparison.lower, comparison.upper, margin or 0.0
    if comparison.untold or not isfinite(lower):
        return "too few rows to tell" if comparison.untold else "undecided"
    if lower > 0 and comparison.difference > 0:
        return "small gain" if upper < margin else "better"
    if margin and lower >= -margin:
        return "tie" if upper <= margin else "not worse"
    return "worse" if upper < 0 else "undecided"


def holds(rule: Rule, comparison: Comparison, margin: float | None) -> bool:
    """Tell whether the comparison shows what the rule asks for."""
    lower, margin = comparison.lower, margin or 0.0
    if rule == "not_worse" and margin:
        return lower >= -margin
    is_better = lower > 0 and comparison.difference > 0
    return is_better and (rule != "value" or lower >= margin)


def judged_by(
    judging: Judging, opponent: Opponent, gate: Gate, metric: GateMetric
) -> JudgedBy | None:
    """Return by which rule the opponent was met, and why, in two sentences; None without one."""
    if opponent.comparison is None:
        return None
    rule = judging.rule if opponent.is_champion else "better"
    margin = margin_of(gate, opponent) if opponent.is_champion else None
    return JudgedBy(
        rule=rule,
        cause=judging.cause,
        finding=find(opponent.comparison, margin),
        metric=metric.name,
        margin=margin,
        parts=judging.parts,
        because=[
            _say_rule(judging, opponent, gate, metric, margin),
            _say_judged(judging),
        ],
    )


def _say_rule(
    judging: Judging, opponent: Opponent, gate: Gate, metric: GateMetric, margin: float | None
) -> str:
    """Return which rule it was, what it asks and why."""
    if not opponent.is_champion:
        return (
            "The rule is `better`, because no champion could be compared: it must be proven better"
            f" in {metric.name} than what stands in for one."
        )
    why = "the spec names it" if judging.is_named else _STARTED[judging.cause]
    if judging.why_not and not judging.is_named:
        why = f"{why}, but the recipe cannot be judged"
    asks = {
        "better": "proven better than the champion",
        "not_worse": "proven to be worse than the champion by no more than",
        "value": "proven better than the champion by at least",
    }[judging.rule]
    sure = f"with {confidence_of(gate, judging, of_champion=True):.0%} confidence"
    if judging.rule == "better":
        return f"The rule is `better`, because {why}: it must be {asks} in {metric.name}, {sure}."
    return (
        f"The rule is `{judging.rule}`, because {why}: it must be {asks}"
        f" {_say_margin(gate, opponent, metric, margin)} in {metric.name}, {sure}."
    )


def _say_margin(gate: Gate, opponent: Opponent, metric: GateMetric, margin: float | None) -> str:
    if gate.versus_champion.margin is not None:
        return f"{metric.write(margin or 0.0)} (gate.versus_champion.margin)"
    if margin is None:
        return "nothing (its lead over the best constant is not known; state a margin)"
    if not margin:
        return "nothing (it is no better than the best constant, so that no margin is left)"
    return f"{margin:.3g} (a tenth of its lead of {opponent.lead:.3g} over the best constant)"


def _say_judged(judging: Judging) -> str:
    """Return what was judged: the recipe, or one fit and why."""
    if judging.parts:
        return (
            f"The recipe was judged: fitted again before each of {judging.parts} parts of the"
            " held-out rows on all that was known by then, and asked for that part alone, beside"
            " the champion as it is."
        )
    return f"{_ONE_FIT}{f' ({judging.why_not})' if judging.why_not else ''}."
