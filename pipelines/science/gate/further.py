"""The checks that a spec may add to the gate: what is known for them, and what they say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.science.gate.baselines import check_baselines
from pipelines.science.gate.fairness_check import check_fairness, find_fairness
from pipelines.science.gate.flips import check_flips, find_flips
from pipelines.science.gate.leak_check import check_leak, find_leak
from pipelines.science.gate.robustness import check_robustness, find_robustness
from pipelines.science.gate.served_check import check_served
from pipelines.science.gate.slice_check import check_slices, find_slices

if TYPE_CHECKING:
    from pipelines.messages import CheckFindings, GateCheck
    from pipelines.science.gate.baselines import BaselineFacts
    from pipelines.science.gate.fairness_check import FairnessFacts
    from pipelines.science.gate.flips import FlipFacts
    from pipelines.science.gate.leak_check import LeakFacts
    from pipelines.science.gate.robustness import RobustnessFacts
    from pipelines.science.gate.served_check import ServedFacts
    from pipelines.science.gate.slice_check import SliceFacts
    from pipelines.spec.gate import Gate


@dataclass(frozen=True)
class CheckFacts:
    """What the gate knows for its further checks; None where nothing was measured."""

    slices: SliceFacts | None = None
    leak: LeakFacts | None = None
    served: ServedFacts | None = None
    fairness: FairnessFacts | None = None
    flips: FlipFacts | None = None
    baselines: BaselineFacts | None = None
    robustness: RobustnessFacts | None = None


def check_further(facts: CheckFacts, gate: Gate) -> list[GateCheck]:
    """Return the further checks that the gate asks for; one without facts refuses."""
    return [
        *check_slices(facts.slices, gate),
        *check_leak(facts.leak, gate),
        *check_served(facts.served, gate),
        *check_fairness(facts.fairness, gate),
        *check_flips(facts.flips, gate),
        *check_baselines(facts.baselines, gate),
        *check_robustness(facts.robustness, gate),
    ]


def find_further(facts: CheckFacts, gate: Gate) -> list[CheckFindings]:
    """Return what these checks looked at part by part."""
    return [
        *find_slices(facts.slices, gate),
        *find_leak(facts.leak, gate),
        *find_fairness(facts.fairness, gate),
        *find_flips(facts.flips, gate),
        *find_robustness(facts.robustness, gate),
    ]
