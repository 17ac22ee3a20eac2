"""The check of slices: in none may the challenger be proven worse by more than it may be."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from pipelines.messages import CheckFindings, Finding, GateCheck
from pipelines.plurals import how_many
from pipelines.science.enough import write_enough
from pipelines.science.gate.numbers import write_number
from pipelines.science.gate.unmeasured import refuse_unmeasured

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipelines.science.gate.slices import SliceFinding
    from pipelines.spec.gate import Gate

NAME = "slices"
_NAMED = 3
"""Slices that a sentence names; the page shows all."""


@dataclass(frozen=True)
class SliceFacts:
    """What the gate knows of the slices; `error` says in words why it knows nothing."""

    metric: str = ""
    opponent: str = ""
    unit: str = ""
    """What the pieces of evidence are."""
    findings: tuple[SliceFinding, ...] = ()
    error: str = ""


def check_slices(facts: SliceFacts | None, gate: Gate) -> list[GateCheck]:
    """Return the check of slices; nothing where the spec names none."""
    rule = gate.slices
    if rule is None:
        return []
    if facts is None or facts.error:
        failure = "the slices could not be looked at"
        error = facts.error if facts else ""
        return [refuse_unmeasured(NAME, failure, error, field="slices", limit=rule.worse_by)]
    judged = [f for f in facts.findings if not f.untold]
    if not judged:
        return [_say_nothing_judged(facts, rule.worse_by)]
    broken = sorted((f for f in judged if f.broken), key=lambda f: f.spare_end)
    few = [f for f in facts.findings if f.untold]
    rest = f"; not judged: {_join(f'{f.name} ({f.untold})' for f in few)}" if few else ""
    allowed = f"by more than {rule.worse_by:.3g} of it"
    worst = max((f.worse_by for f in broken or judged), default=0.0)
    if not broken:
        detail = (
            f"in none of {how_many(len(judged), 'slice')} is {facts.metric} proven worse than the"
            f" {facts.opponent}'s {allowed}{rest}"
        )
        return [_check(detail, worst, rule.worse_by, passed=True)]
    detail = (
        f"{facts.metric} is proven worse than the {facts.opponent}'s {allowed} in {len(broken)} of"
        f" {how_many(len(judged), 'slice')}: {_join(_say(f, facts.unit) for f in broken)}{rest}"
    )
    first = broken[0]
    change = (
        f"{facts.metric} in `{first.name}` better by {write_enough(-first.spare_end)}"
        f"{_also(len(broken) - 1)}, or gate.slices.worse_by above"
        f" {write_enough(rule.worse_by + _share(first))}"
    )
    return [_check(detail, worst, rule.worse_by, passed=False, would_pass=change)]


def find_slices(facts: SliceFacts | None, gate: Gate) -> list[CheckFindings]:
    """Return what was seen slice by slice; nothing where the spec names none."""
    if gate.slices is None or facts is None or not facts.findings:
        return []
    findings = [
        Finding(
            name=f.name,
            passed=None if f.untold else not f.broken,
            detail=f"{f.rows:,} rows; {f.untold}" if f.untold else _say(f, facts.unit),
            value=_finite(f.worse_by),
            low=_finite(f.ends[0]),
            high=_finite(f.ends[1]),
        )
        for f in facts.findings
    ]
    return [
        CheckFindings(
            check=NAME,
            value=f"by which share of the {facts.opponent}'s {facts.metric} it is worse",
            limit=gate.slices.worse_by,
            findings=findings,
        )
    ]


def _check(
    detail: str, worst: float, limit: float, *, passed: bool, would_pass: str = ""
) -> GateCheck:
    return GateCheck(
        name=NAME,
        passed=passed,
        detail=detail,
        value=_finite(worst),
        limit=limit,
        would_pass=would_pass,
    )


def _say_nothing_judged(facts: SliceFacts, limit: float) -> GateCheck:
    why = _join(f"{f.name} {f.untold}" for f in facts.findings) or "there is none"
    return GateCheck(
        name=NAME,
        passed=False,
        detail=f"no slice could be judged: {why}",
        limit=limit,
        would_pass=(
            "hold more out (train.holdout), or lower gate.slices.min_rows or gate.slices.min_pieces"
        ),
    )


def _say(finding: SliceFinding, unit: str) -> str:
    one = write_number(finding.challenger, finding.opponent)
    other = write_number(finding.opponent, finding.challenger)
    return (
        f"{finding.name} ({one} against {other}, {finding.rows:,} rows worth"
        f" {finding.pieces} {unit})"
    )


def _also(others: int) -> str:
    return f" (and in {how_many(others, 'other slice')} likewise)" if others else ""


def _share(finding: SliceFinding) -> float:
    return -finding.spare_end / abs(finding.opponent) if finding.opponent else float("inf")


def _join(parts: Iterable[str]) -> str:
    """Return the first few parts, and how many more there are."""
    all_parts = list(parts)
    rest = len(all_parts) - _NAMED
    return ", ".join(all_parts[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None
