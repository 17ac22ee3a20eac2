"""The checks that a spec may add to the gate: what is known for them, and what they say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.science.gate.leak_check import check_leak, find_leak
from pipelines.science.gate.served_check import check_served
from pipelines.science.gate.slice_check import check_slices, find_slices

if TYPE_CHECKING:
    from pipelines.messages import CheckFindings, GateCheck
    from pipelines.science.gate.leak_check import LeakFacts
    from pipelines.science.gate.served_check import ServedFacts
    from pipelines.science.gate.slice_check import SliceFacts
    from pipelines.spec.gate import Gate


@dataclass(frozen=True)
class CheckFacts:
    """What the gate knows for its further checks; None where nothing was measured."""

    slices: SliceFacts | None = None
    leak: LeakFacts | None = None
    served: ServedFacts | None = None


def check_further(facts: CheckFacts, gate: Gate) -> list[GateCheck]:
    """Return the further checks that the gate asks for; one without facts refuses."""
    return [
        *check_slices(facts.slices, gate),
        *check_leak(facts.leak, gate),
        *check_served(facts.served, gate),
    ]


def find_further(facts: CheckFacts, gate: Gate) -> list[CheckFindings]:
    """Return what these checks looked at part by part."""
    return [*find_slices(facts.slices, gate), *find_leak(facts.leak, gate)]
