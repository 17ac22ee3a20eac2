"""A claim that fails is drift and a worse performance; one that became truer is neither."""

from __future__ import annotations

from pipelines.science.changes.facts import Changes, ColumnChange, FamilyChange
from pipelines.science.drift import decide, is_worse
from pipelines.science.drift_facts import ColumnFact, DriftFacts
from pipelines.spec.drift import Drift

RULES = Drift(schedule="monthly")
FINE = ColumnFact(
    "delay", "wasserstein", 0.1, 0.02, drifted=False, missing=0.0, missing_reference=0.0
)


def _facts(family):
    quiet = FamilyChange("inputs", "unchanged", 0.01, 0.4)
    return DriftFacts(1_000, columns=[FINE], changes=Changes([quiet, family]))


def _changed(*columns, p=0.001):
    return FamilyChange("performance", "changed", 0.01, p, list(columns), "600 draws")


def _loss(statistic, *, changed):
    return ColumnChange("loss", "mean", statistic, 0.1, 0.001, changed)


def _claim(method, now, before, name="", nominal=0.0):
    return ColumnChange(
        name,
        method,
        now - before,
        0.01,
        0.001,
        changed=True,
        now=now,
        before=before,
        nominal=nominal,
    )


def test_a_claim_that_fails_is_drift_even_where_answers_are_less_wrong():
    family = _changed(
        _loss(-0.2, changed=True),
        _claim("bias", -0.04, 0.0),
        p=0.004,
    )
    facts = _facts(family)
    decision = decide(facts, RULES)
    assert decision.verdict == "drift"
    [reason] = decision.reasons
    assert reason == (
        "the champion's answers are less wrong than on its holdout (p 0.004); probabilities are too"
        " high by 0.04 (right on average before)"
    )
    assert is_worse(facts)


def test_intervals_that_cover_less_are_drift_and_a_worse_performance():
    quiet_loss = _loss(0.02, changed=False)
    family = _changed(quiet_loss, _claim("coverage", 0.78, 0.91, "0.05 to 0.95", 0.9))
    facts = _facts(family)
    decision = decide(facts, RULES)
    assert decision.verdict == "drift"
    assert decision.reasons[0].startswith(
        "what the champion's answers claim is less true than on its holdout"
    )
    assert "90% intervals (0.05 to 0.95) cover 78.0%, they covered 91.0%" in decision.reasons[0]
    assert is_worse(facts)


def test_a_claim_that_became_truer_is_told_and_starts_nothing():
    family = _changed(_claim("bias", 0.0, -0.05))
    facts = _facts(family)
    decision = decide(facts, RULES)
    assert decision.verdict == "no_drift"
    assert "is more true than on its holdout" in decision.reasons[0]
    assert is_worse(facts) is False
