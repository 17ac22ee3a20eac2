"""What the gate says of an anomaly model: its promise, what labels can tell, and agreement."""

from dataclasses import replace

import numpy as np
import pytest

from pipelines.science.anomaly import Agreement, flag_rate
from pipelines.science.gate.anomaly import check_anomalies
from pipelines.science.gate.facts import AnomalyFacts
from pipelines.spec.gate import Gate

BLIND = Gate.model_validate(
    {
        "at_most": {"flag_rate_error_at_5_percent": 0.02},
        "versus_champion": {"metric": "flag_rate_error_at_5_percent"},
    }
)
LABELLED = Gate.model_validate(
    {"at_least": {"roc_auc": 0.7}, "versus_champion": {"metric": "roc_auc"}}
)
AGREED = Agreement(rows=400, ours=20, theirs=22, both=14, correlation=0.8)


def flags(share, rows=400):
    flagged = np.arange(rows) < share * rows
    return flag_rate(flagged, 0.05, calibrated_on=2_000, confidence=0.95, seed=0)


def said(facts, gate=BLIND):
    return {c.name: (c.passed, c.detail) for c in check_anomalies(facts, gate)}


def test_a_kept_promise_passes_and_a_broken_one_is_refused():
    assert said(AnomalyFacts(flags(0.05)))["flag rate"][0]
    passed, words = said(AnomalyFacts(flags(0.2)))["flag rate"]
    assert not passed
    assert "80 of 400 rows (20.00%) are flagged" in words
    assert "it is broken" in words


def test_a_gate_that_knows_nothing_of_the_promise_refuses():
    assert said(AnomalyFacts())["flag rate"][0] is False
    assert said(AnomalyFacts(), LABELLED) == {}


def test_without_truth_the_verdict_says_that_nothing_is_proven_better():
    alone = said(AnomalyFacts(flags(0.05)))["unproven"]
    assert alone[0]
    assert "nothing is proven of what it finds" in alone[1]
    other = said(AnomalyFacts(flags(0.05), agreement=AGREED, versus_champion=True))
    assert "not proven better than the champion, and cannot be" in other["unproven"][1]
    assert "unproven" not in said(AnomalyFacts(flags(0.05), labelled=90), LABELLED)


def test_a_champion_that_could_not_be_compared_is_not_replaced_unseen():
    facts = AnomalyFacts(flags(0.05), versus_champion=True, error="it is away")
    assert said(facts)["unproven"] == (False, "the champion could not be compared: it is away")


@pytest.mark.parametrize(("least", "passes"), [(None, True), (0.5, True), (0.6, False)])
def test_agreement_is_told_and_guarded_where_the_spec_asks(least, passes):
    gate = BLIND.model_copy(update={"overlap": least})
    passed, words = said(AnomalyFacts(flags(0.05), agreement=AGREED, versus_champion=True), gate)[
        "agreement"
    ]
    assert passed is passes
    assert "the challenger flags 20, the champion 22, both 14 (an overlap of 50%)" in words
    assert "their ranks correlate by 0.800" in words


def test_rows_without_a_label_are_counted():
    facts = replace(AnomalyFacts(flags(0.05)), labelled=90)
    assert "90 of the 400 held-out rows have a label; the other 310" in said(facts)["labels"][1]
