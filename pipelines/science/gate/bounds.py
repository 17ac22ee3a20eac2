"""The floors and ceilings of a gate, which hold whatever the opponent does."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Literal

from pipelines.messages import GateCheck
from pipelines.science.enough import write_enough

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.science.gate.facts import GateFacts
    from pipelines.science.gate.numbers import GateMetric
    from pipelines.spec.gate import Gate


def check_bounds(
    facts: GateFacts, gate: Gate, metrics: Mapping[str, GateMetric]
) -> list[GateCheck]:
    """Check every floor and every ceiling; a gate without any refuses."""
    if not gate.at_least and not gate.at_most:
        detail = "the gate names no floor and no ceiling"
        way = "a floor (gate.at_least) or a ceiling (gate.at_most)"
        return [GateCheck(name="thresholds", passed=False, detail=detail, would_pass=way)]
    bounds = [
        *(_Bound(metrics[name], limit, "floor") for name, limit in gate.at_least.items()),
        *(_Bound(metrics[name], limit, "ceiling") for name, limit in gate.at_most.items()),
    ]
    return [_check_bound(facts, bound) for bound in bounds]


def _check_bound(facts: GateFacts, bound: _Bound) -> GateCheck:
    name, value = bound.metric.name, facts.metrics.get(bound.metric.name)
    fault = bound.fault
    if not fault and (value is None or not isfinite(value)):
        why = facts.undefined.get(name)
        fault = (
            f"{name} is missing or not finite{f' ({why})' if why else ''}, so it cannot be held"
            f" against the {bound.text}"
        )
    if fault or value is None:
        return GateCheck(
            name=name,
            passed=False,
            detail=fault,
            limit=bound.limit if isfinite(bound.limit) else None,
            would_pass=f"a value of {name} that can be held against the {bound.text}",
        )
    detail = (
        f"{name} {bound.metric.write(value, bound.limit)} is {bound.side_of(value)} the"
        f" {bound.text}"
    )
    kept = bound.is_kept(value)
    way = "higher" if bound.kind == "floor" else "lower"
    return GateCheck(
        name=name,
        passed=kept,
        detail=detail,
        value=value,
        limit=bound.limit,
        would_pass="" if kept else f"{name} {way} by {write_enough(abs(value - bound.limit))}",
    )


@dataclass(frozen=True)
class _Bound:
    """What a metric must not fall below, or rise above."""

    metric: GateMetric
    limit: float
    kind: Literal["floor", "ceiling"]

    @property
    def text(self) -> str:
        """The bound in words."""
        return f"{self.kind} {self.metric.write(self.limit)}"

    @property
    def fault(self) -> str:
        """Why no value can be held against it, in words; empty where one can."""
        if not isfinite(self.limit):
            return f"the {self.kind} of {self.metric.name} is not finite"
        # Of a metric that nobody knows no side is the good one.
        if self.metric.greater_is_better is not (self.kind == "floor"):
            return f"{self.metric.name} cannot have a {self.kind}"
        return ""

    def is_kept(self, value: float) -> bool:
        """Tell whether a value is on the good side, or at the limit itself."""
        return value >= self.limit if self.kind == "floor" else value <= self.limit

    def side_of(self, value: float) -> str:
        """Return in words on which side of the limit a value is."""
        if self.is_kept(value):
            return "at or above" if self.kind == "floor" else "at or below"
        return "below" if self.kind == "floor" else "above"
