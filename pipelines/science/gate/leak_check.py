"""Too good to be true: does one input alone nearly decide the target on held-out rows?

Such a column is mostly one that is written after the event. No statistic can tell it from a very
good input, so the gate asks: it refuses unless the spec lists the column as expected.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.messages import CheckFindings, Finding, GateCheck
from pipelines.plurals import how_many
from pipelines.science.gate.unmeasured import refuse_unmeasured
from pipelines.science.leaks import find_leaks
from pipelines.science.single_columns import best_view, folds_of, ranks_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from pipelines.spec.gate import Gate

NAME = "leak"


@dataclass(frozen=True)
class ColumnSkill:
    """How much a column alone says of the target: `skill` from 0 to 1 (see `single_columns`).

    `why` says what else gives it away (see `leaks`); empty where nothing does.
    """

    column: str
    skill: float
    view: str
    why: str = ""


@dataclass(frozen=True)
class LeakFacts:
    """What the gate knows of each input; `error` says in words why it knows nothing."""

    rows: int = 0
    columns: tuple[ColumnSkill, ...] = ()
    error: str = ""


def measure_columns(
    columns: Mapping[str, pd.Series[Any]],
    target: pd.Series[Any],
    *,
    classes: bool,
    event: pd.Series[Any] | None = None,
) -> list[ColumnSkill]:
    """Return how much each column alone says of the target; rows as in `leaks.find_leaks`."""
    leaks = find_leaks(columns, target, classes=classes, event=event)
    reasons = {leak.column: leak.reason for leak in leaks}
    outcomes, folds = ranks_of(target, classes=classes), folds_of(len(target))
    found = []
    for name, column in columns.items():
        skill, view = best_view(column, outcomes, folds, classes=classes, event=event)
        found.append(ColumnSkill(name, skill, view, reasons.get(name, "")))
    return found


def check_leak(facts: LeakFacts | None, gate: Gate) -> list[GateCheck]:
    """Return the check of what is too good to be true; nothing where the spec asks for none."""
    rule = gate.leak
    if rule is None:
        return []
    if facts is None or facts.error or not facts.columns:
        failure = "it could not be looked at whether an input gives the target away"
        error = facts.error if facts else ""
        return [refuse_unmeasured(NAME, failure, error, field="leak", limit=rule.alone)]
    asked = [c for c in facts.columns if c.column not in rule.expected]
    suspects = sorted((c for c in asked if c.skill >= rule.alone or c.why), key=lambda c: -c.skill)
    most = max((c.skill for c in suspects or asked), default=0.0)
    if not suspects:
        detail = (
            f"none of {how_many(len(asked), 'input')} alone says {rule.alone:.0%} of the target"
            f" (the most is {most:.0%})"
        )
        return [GateCheck(name=NAME, passed=True, detail=detail, value=most, limit=rule.alone)]
    names = ", ".join(c.column for c in suspects[:5])
    detail = (
        f"too good to be true: {'; '.join(_say(c) for c in suspects[:3])}"
        f" ({facts.rows:,} held-out rows); was it known before the event?"
    )
    return [
        GateCheck(
            name=NAME,
            passed=False,
            detail=detail,
            value=most,
            limit=rule.alone,
            would_pass=(
                f"`expected: [{names}]` in gate.leak if that was known before the event; else take"
                " it out of features.inputs"
            ),
        )
    ]


def find_leak(facts: LeakFacts | None, gate: Gate) -> list[CheckFindings]:
    """Return what each input says alone; nothing where the spec asks for no such check."""
    if gate.leak is None or facts is None or not facts.columns:
        return []
    rule = gate.leak
    columns = sorted(facts.columns, key=lambda c: -c.skill)
    findings = [
        Finding(
            name=c.column,
            passed=None if c.column in rule.expected else not (c.skill >= rule.alone or c.why),
            detail=_say(c) + ("; expected" if c.column in rule.expected else ""),
            value=c.skill,
        )
        for c in columns
    ]
    return [
        CheckFindings(
            check=NAME, value="how much the input says alone", limit=rule.alone, findings=findings
        )
    ]


def _say(found: ColumnSkill) -> str:
    alone = f"{found.view or 'its values'} alone say {found.skill:.0%} of the target"
    return f"{found.column}: {found.why or alone}"
