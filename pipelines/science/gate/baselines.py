"""Is the challenger proven better than a constant, and than a linear model, by a margin?"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING

from pipelines.messages import GateCheck
from pipelines.science.enough import write_enough
from pipelines.science.gate.numbers import write_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.science.bootstrap import Comparison
    from pipelines.spec.gate import Gate

NAMES = {"dummy": "the best constant", "linear": "a linear model of the same rows"}


@dataclass(frozen=True)
class BaselineFacts:
    """The comparison with each baseline on the held-out rows; `errors` say why one is missing."""

    comparisons: Mapping[str, Comparison] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)


def check_baselines(facts: BaselineFacts | None, gate: Gate) -> list[GateCheck]:
    """Return a check for each baseline that the spec names."""
    if gate.baselines is None:
        return []
    found = facts or BaselineFacts()
    return [_check(found, name, margin) for name, margin in gate.baselines.margins.items()]


def _check(facts: BaselineFacts, name: str, margin: float) -> GateCheck:
    comparison = facts.comparisons.get(name)
    why = facts.errors.get(name, "")
    if comparison is not None and comparison.untold:
        why = comparison.untold
    if comparison is None or why or not isfinite(comparison.lower):
        return GateCheck(
            name=f"baseline {name}",
            passed=False,
            detail=f"it cannot be told whether it is better than {NAMES[name]}:"
            f" {why or 'there is no comparison'}",
            would_pass="held-out rows of more days, or another metric than the gate's",
        )
    needed = margin * abs(comparison.opponent)
    passed = comparison.lower > needed or (comparison.lower >= needed > 0)
    one = write_number(comparison.challenger, comparison.opponent)
    other = write_number(comparison.opponent, comparison.challenger)
    return GateCheck(
        name=f"baseline {name}",
        passed=passed,
        detail=(
            f"{comparison.metric} {one} against the {other} of {NAMES[name]}: better by"
            f" {comparison.difference:+.4g}, at least {comparison.lower:+.4g} with"
            f" {comparison.confidence:.0%} confidence, and {needed:.4g} is asked for"
            f" ({margin:.3g} of it)"
        ),
        value=comparison.lower,
        limit=needed,
        would_pass=(
            ""
            if passed
            else f"{comparison.metric} better by {write_enough(needed - comparison.lower)} besides,"
            f" or a smaller gate.baselines.{name}"
        ),
    )
