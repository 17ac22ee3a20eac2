"""Whether the champion's answers are worse than they were on its holdout."""

from __future__ import annotations

import pytest

from pipelines.science.changes.facts import Changes, ColumnChange, FamilyChange
from pipelines.science.drift import is_worse
from pipelines.science.drift_facts import DriftFacts
from pipelines.science.live_performance import PerformanceFact


def _told(said, statistic, rule=None):
    columns = [ColumnChange("loss", "mean", statistic, 2.0, 0.001, changed=said == "changed")]
    family = FamilyChange("performance", said, 0.01, 0.001, columns)
    return DriftFacts(900, changes=Changes([family]), performance=rule)


def _rule(*, worse, tolerance):
    return PerformanceFact("mae", 3.0, 2.8, 2.0, 900, worse=worse, tolerance=tolerance)


@pytest.mark.parametrize(
    ("facts", "worse"),
    [
        (DriftFacts(900), None),
        (_told("cannot_be_said", 0.0), None),
        (_told("unchanged", 0.5), False),
        (_told("changed", 3.0), True),
        (_told("changed", -3.0), False),
        (_told("cannot_be_said", 0.0, _rule(worse=False, tolerance=None)), None),
        (_told("cannot_be_said", 0.0, _rule(worse=False, tolerance=0.1)), False),
        (_told("unchanged", 0.5, _rule(worse=True, tolerance=0.1)), True),
    ],
)
def test_answers_are_worse_by_the_test_or_by_the_owners_tolerance(facts, worse):
    assert is_worse(facts) is worse
