"""A challenger must be better than a baseline by its margin, and be told by how much it is not."""

from __future__ import annotations

from pipelines.science.bootstrap import Comparison
from pipelines.science.gate.baselines import BaselineFacts, check_baselines
from pipelines.spec.gate_checks import Baselines
from tests.unit.science.gate.facts import GATE

BETTER = Comparison(
    "roc_auc",
    challenger=0.7,
    opponent=0.6,
    difference=0.1,
    lower=0.05,
    p_better=0.99,
    confidence=0.95,
    blocks=30,
    unit="days",
)


def check(facts, **margins):
    (found,) = check_baselines(facts, GATE.model_copy(update={"baselines": Baselines(**margins)}))
    return found


def test_the_margin_is_a_share_of_the_baselines_value():
    facts = BaselineFacts({"linear": BETTER})
    assert check(facts, linear=0.08).passed
    found = check(facts, linear=0.1)
    assert not found.passed
    assert (found.value, round(found.limit, 3)) == (0.05, 0.06)
    assert found.would_pass.startswith("roc_auc better by 0.01 besides")
    assert "of a linear model of the same rows" in found.detail


def test_what_cannot_be_compared_refuses():
    for facts in (None, BaselineFacts(), BaselineFacts(errors={"dummy": "it cannot be fitted"})):
        found = check(facts, dummy=0)
        assert not found.passed
        assert found.would_pass
    assert check_baselines(None, GATE) == []
