"""A distance has the threshold that says of it what the test says."""

from __future__ import annotations

import pytest

from pipelines.science.changed_columns import strongest, threshold_of, times_beyond, with_test
from pipelines.science.changes.facts import ColumnChange, FamilyChange
from pipelines.science.drift_facts import ColumnFact

BLANK = ColumnFact(
    "delay", "wasserstein", None, 0.3, drifted=False, missing=0.0, missing_reference=0.0
)


def change(method, statistic, critical, p):
    return ColumnChange("delay", method, statistic, critical, p, p < 0.01)


def family(*found, said="changed"):
    return FamilyChange("inputs", said, 0.01, 0.002, list(found))


def test_the_strongest_statistic_sets_the_threshold_and_is_named():
    found = [change("wasserstein", 0.1, 0.2, 0.4), change("mean", -0.6, 0.2, 0.002)]
    told = with_test(BLANK, found, family(*found))
    assert strongest(found).method == "mean"
    assert (told.drifted, told.seen_by, told.p_value) == (True, "mean", 0.002)
    assert told.threshold == pytest.approx(0.1)


def test_an_unchanged_column_stays_below_its_threshold():
    found = [change("wasserstein", 0.1, 0.2, 0.4)]
    told = with_test(BLANK, found, family(*found, said="unchanged"))
    assert (told.drifted, told.threshold) == (False, pytest.approx(0.6))


def test_where_nothing_can_be_said_there_is_no_threshold():
    silent = FamilyChange("inputs", "cannot_be_said", 0.01, None, untold="too few days")
    for told in (with_test(BLANK, [], silent), with_test(BLANK, [], None)):
        assert (told.drifted, told.threshold, told.p_value) == (False, None, None)


@pytest.mark.parametrize(
    ("method", "score"),
    [("wasserstein", 0.0), ("wasserstein", 0.02), ("wasserstein", 9.0), ("ks", 1e-99), ("ks", 0.4)],
)
@pytest.mark.parametrize(
    "found",
    [
        change("x", 3.0, 0.2, 0.001),
        change("x", 0.1999999, 0.2, 0.5),
        ColumnChange("delay", "x", 0.2, 0.2, 0.009, changed=True),
    ],
)
def test_the_score_is_on_the_side_that_the_test_says(method, score, found):
    threshold = threshold_of(score, method, times_beyond([found]))
    beyond = score < threshold if method == "ks" else score >= threshold
    assert beyond == found.changed
