"""The checks of fairness: no rate may be proven to differ by more than is said."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING

from pipelines.messages import CheckFindings, Finding, GateCheck
from pipelines.plurals import how_many
from pipelines.science.enough import write_enough
from pipelines.science.gate.fairness import RATES
from pipelines.science.gate.unmeasured import refuse_unmeasured

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.science.gate.fairness import AspectFacts, Gap, GroupRate
    from pipelines.spec.gate import Gate
    from pipelines.spec.gate_checks import Aspect


@dataclass(frozen=True)
class FairnessFacts:
    """What is known of each aspect that is asked for; `error` says why nothing is."""

    aspects: Mapping[Aspect, AspectFacts] = field(default_factory=dict)
    error: str = ""


def check_fairness(facts: FairnessFacts | None, gate: Gate) -> list[GateCheck]:
    """Return a check for each aspect that the spec bounds; nothing where it bounds none."""
    if gate.fairness is None:
        return []
    return [
        _check_aspect(facts, aspect, limit, gate.fairness.confidence)
        for aspect, limit in gate.fairness.limits.items()
    ]


def find_fairness(facts: FairnessFacts | None, gate: Gate) -> list[CheckFindings]:
    """Return each group's rates; nothing where the spec asks for none."""
    if gate.fairness is None or facts is None:
        return []
    found: dict[tuple[str, str], GroupRate] = {}
    for aspect in facts.aspects.values():
        found |= {(r.rate, r.group): r for r in aspect.rates}
    by_rate: dict[str, list[GroupRate]] = {}
    for rate in found.values():
        by_rate.setdefault(rate.rate, []).append(rate)
    return [
        CheckFindings(
            check="fairness",
            value=name,
            limit=None,
            findings=[_finding_of(rate) for rate in rates],
        )
        for name, rates in by_rate.items()
    ]


def _finding_of(rate: GroupRate) -> Finding:
    return Finding(
        name=rate.group,
        passed=None,
        detail=f"{rate.rows:,} rows" + (f"; not compared: {rate.untold}" if rate.untold else ""),
        value=_finite(rate.value),
        low=_finite(rate.low),
        high=_finite(rate.high),
    )


def _check_aspect(
    facts: FairnessFacts | None, aspect: Aspect, limit: float, confidence: float
) -> GateCheck:
    name, words = f"fairness {aspect}", aspect.replace("_", " ")
    found = facts.aspects.get(aspect) if facts else None
    if facts is None or facts.error or found is None:
        failure = f"{words} could not be looked at"
        error = facts.error if facts else ""
        return refuse_unmeasured(name, failure, error, field="fairness", limit=limit)
    few = "; ".join(f"{r.group} {r.untold}" for r in found.rates if r.untold)
    rest = f"; not compared: {few}" if few else ""
    gaps = [gap for gap in found.gaps if isfinite(gap.least)]
    missing = [rate for rate in RATES[aspect] if rate not in {gap.rate for gap in gaps}]
    if missing:
        return GateCheck(
            name=name,
            passed=False,
            detail=(
                f"{words}: there are no two groups whose {' or '.join(missing)} can be"
                f" compared{rest}"
            ),
            limit=limit,
            would_pass=(
                "hold more out (train.holdout), or lower gate.fairness.min_rows or min_pieces"
            ),
        )
    worst = max(gaps, key=lambda gap: gap.least)
    proven = worst.least > limit
    shown = worst if proven else max(gaps, key=lambda gap: gap.value)
    detail = (
        f"{words}: {_say(shown)}, at least {shown.least:.3f} and at most {shown.most:.3f} with"
        f" {confidence:.0%} confidence, {'more than' if proven else 'not proven more than'} the"
        f" {limit:.3g} allowed ({how_many(len(gaps), 'pair')} of groups compared){rest}"
    )
    return GateCheck(
        name=name,
        passed=not proven,
        detail=detail,
        value=_finite(shown.value),
        limit=limit,
        would_pass=(
            f"{worst.rate}s of {worst.high} and {worst.low} nearer by"
            f" {write_enough(worst.least - limit)},"
            f" or gate.fairness.{aspect} at {write_enough(worst.least)}"
            if proven
            else ""
        ),
    )


def _say(gap: Gap) -> str:
    return f"the {gap.rate} of {gap.high} is {gap.value:.3f} above that of {gap.low}"


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None
