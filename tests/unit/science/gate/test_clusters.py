"""Who may take over: what is proven better, or what is the same clustering and no worse."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipelines.messages import GateCheck
from pipelines.science.bootstrap import Comparison, Spread
from pipelines.science.gate.clusters import check_succession
from pipelines.science.gate.facts import Succession
from pipelines.spec.gate import Gate

GATE = Gate.model_validate(
    {"at_least": {"silhouette": 0.2}, "versus_champion": {"metric": "silhouette"}}
)
COMPARISON = Comparison("silhouette", 0.5, 0.5, 0.0, -0.01, 0.5, 0.95, 30, "days")
NOT_BETTER = GateCheck(name="versus champion", passed=False, detail="not proven better")
BETTER = GateCheck(name="versus champion", passed=True, detail="proven better")


def stable(value, least, kept=0.99, new=0, gone=()):
    spread = Spread("stability", value, least, 1.0, 0.95, 30, "days")
    return Succession(spread, kept, new, gone)


def check(better, succession, comparison=COMPARISON, gate=GATE):
    return check_succession(better, succession, comparison, gate)


def test_the_same_clustering_takes_over_though_it_is_not_better():
    versus, names = check(NOT_BETTER, stable(0.95, 0.9))
    assert versus.passed
    assert "the same ones: stability 0.950, at least 0.900" in versus.detail
    assert "99.0% of the held-out rows keep their cluster" in names.detail


def test_another_clustering_that_is_not_better_is_refused():
    versus, names = check(NOT_BETTER, stable(0.6, 0.5, kept=0.7))
    assert not versus.passed
    assert "others: stability 0.600" in versus.detail
    assert "WEAK MATCH: only 70.0%" in names.detail


def test_the_lower_end_counts_and_not_the_value():
    assert not check(NOT_BETTER, stable(0.85, 0.75))[0].passed


def test_another_clustering_that_is_proven_better_takes_over_and_its_names_are_told():
    versus, names = check(BETTER, stable(0.1, 0.0, kept=0.4, new=2, gone=("1",)))
    assert versus.passed
    assert names.passed
    assert "2 clusters are new; 1 is gone" in names.detail


def test_the_same_clustering_that_may_be_much_worse_is_refused():
    worse = replace(COMPARISON, difference=-0.02, lower=-0.03)
    versus, _ = check(NOT_BETTER, stable(0.95, 0.9), worse)
    assert not versus.passed
    assert "may be worse by more than 5%" in versus.detail


@pytest.mark.parametrize(("floor", "passes"), [(0.9, False), (0.6, True)])
def test_the_spec_says_what_is_the_same(floor, passes):
    versus = GATE.versus_champion.model_copy(update={"stability": floor})
    gate = GATE.model_copy(update={"versus_champion": versus})
    assert check(NOT_BETTER, stable(0.85, 0.8), gate=gate)[0].passed is passes


@pytest.mark.parametrize("least", [float("nan"), float("-inf")])
def test_a_stability_that_is_not_known_is_none(least):
    versus, _ = check(NOT_BETTER, stable(0.9, least))
    assert not versus.passed
    assert "is not known" in versus.detail
    assert not check(NOT_BETTER, stable(0.9, 0.9), comparison=None)[0].passed
