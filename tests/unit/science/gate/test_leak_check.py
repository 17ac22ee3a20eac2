"""What is too good to be true is asked about, and passes once it is expected."""

from __future__ import annotations

from pipelines.science.gate.leak_check import ColumnSkill, LeakFacts, check_leak, find_leak
from pipelines.spec.gate_checks import Leak
from tests.unit.science.gate.facts import GATE

FACTS = LeakFacts(
    500, (ColumnSkill("age", 0.4, "its values"), ColumnSkill("paid_at", 0.97, "its time"))
)


def check(facts, **rule):
    gate = GATE.model_copy(update={"leak": Leak(**rule)})
    (found,) = check_leak(facts, gate)
    return found


def test_a_column_that_alone_nearly_decides_refuses_and_says_what_would_pass():
    found = check(FACTS)
    assert not found.passed
    assert (found.value, found.limit) == (0.97, 0.9)
    assert "paid_at: its time alone say 97% of the target" in found.detail
    assert found.would_pass.startswith("`expected: [paid_at]`")


def test_an_expected_column_passes_and_the_rest_is_told():
    found = check(FACTS, expected=["paid_at"])
    assert found.passed
    assert found.value == 0.4
    gate = GATE.model_copy(update={"leak": Leak(expected=["paid_at"])})
    (parts,) = find_leak(FACTS, gate)
    assert [(p.name, p.passed) for p in parts.findings] == [("paid_at", None), ("age", True)]


def test_a_weak_column_that_gives_the_target_away_refuses_by_its_reason():
    told = ColumnSkill("flag", 0.3, "its values", "where it is filled the target is always 1")
    found = check(LeakFacts(500, (told,)))
    assert not found.passed
    assert "flag: where it is filled the target is always 1" in found.detail


def test_what_could_not_be_measured_refuses():
    for nothing in (None, LeakFacts(), LeakFacts(error="there are 3 rows")):
        assert not check(nothing).passed
    assert check_leak(FACTS, GATE) == []
