"""Causes of faults that nobody looked at while the naming was written, on data that are always at
hand: one window of each. `make bench` measures all of them, several times."""

from __future__ import annotations

import tomllib
from collections import Counter

import pytest

from benchmarks.causes import FAULTS_FILE, RETRAINS, SEEN, measure

PLAN = tomllib.loads(FAULTS_FILE.read_text(encoding="utf-8"))


def test_half_of_the_severities_and_a_data_set_are_held_out():
    severities = [s for fault in PLAN["fault"] for s in fault["severities"]]
    assert sum(s.get("held_out", False) for s in severities) * 2 == len(severities)
    assert sum(d.get("held_out", False) for d in PLAN["data"]) == 1
    assert len(PLAN["fault"]) >= 12


@pytest.mark.long
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize(("name", "least"), [("simulated", 0.9), ("flights", 0.7)])
def test_what_was_held_out_is_named_as_well_as_it_was(name, least):
    """What is asked of the benchmark is 0.9; docs/causes.md says where it falls short."""
    cases = [c for c in measure(PLAN, tiny=False, names=[name], windows=1) if c.part != SEEN]
    wrong = Counter((c.fault, c.severity, c.detail or c.kind) for c in cases if not c.is_right)
    assert wrong.total() <= (1 - least) * len(cases), (
        f"{wrong.total()} of {len(cases)} wrong: {wrong}"
    )
    broken = [c for c in cases if c.expected == "broken_upstream"]
    assert sum(c.kind in RETRAINS for c in broken) <= 0.05 * len(broken)
