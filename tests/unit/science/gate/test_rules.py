"""By which rule a challenger is held against the champion, and what the finding is called."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipelines.science.bootstrap import Comparison
from pipelines.science.gate.facts import GateFacts, Judging, Opponent
from pipelines.science.gate.rules import choose_rule, confidence_of, find
from pipelines.science.gate.verdict import judge
from tests.unit.science.gate.facts import GATE, span_of_months

TENTH = 0.1 * 0.2
"""Of the champion's lead below."""


def gate(**versus):
    changes = {"metric": "roc_auc", "confidence": 0.95, **versus}
    return type(GATE).model_validate({**GATE.model_dump(), "versus_champion": changes})


def compared(lower, upper, **changes):
    middle = (lower + upper) / 2
    return Comparison(
        "roc_auc",
        challenger=0.7 + middle,
        opponent=0.7,
        difference=middle,
        lower=lower,
        p_better=0.5,
        confidence=0.95,
        blocks=30,
        unit="days",
        upper=upper,
        **changes,
    )


def facts(comparison, rule="better", **judging):
    return GateFacts(
        name="boosted",
        dummy=False,
        metrics={"roc_auc": 0.7, "brier": 0.2},
        rows=900,
        holdout=span_of_months(4, 5),
        fitted_on=span_of_months(2, 4),
        opponent=Opponent("champion", comparison, fitted_on=span_of_months(1, 4), lead=0.2),
        judging=Judging(rule, **judging),
    )


@pytest.mark.parametrize(
    ("cause", "rule", "renews"),
    [("hand", "better", False), ("schedule", "not_worse", True), ("change", "not_worse", True)],
)
def test_the_rule_is_by_what_started_the_run(cause, rule, renews):
    found = choose_rule(gate(), "binary", cause)
    assert (found.rule, found.asks_renewal) == (rule, renews)


def test_the_spec_has_the_last_word():
    strict = choose_rule(gate(rule="better"), "binary", "change")
    assert (strict.rule, strict.asks_renewal) == ("better", False)
    lenient = choose_rule(gate(rule="not_worse", renewal=True), "binary", "hand")
    assert (lenient.rule, lenient.asks_renewal) == ("not_worse", True)
    assert choose_rule(gate(renewal=False), "binary", "schedule").asks_renewal is False


def test_a_renewal_needs_less_of_a_proof_unless_the_spec_says_how_sure():
    judging = Judging("not_worse", "schedule")
    for asked, sure in ((gate(confidence=None), 0.9), (gate(confidence=0.7), 0.7)):
        assert confidence_of(asked, judging, of_champion=True) == sure
    for rule in ("better", "value"):
        assert confidence_of(gate(confidence=None), Judging(rule), of_champion=True) == 0.95
    # Who stands in for a champion must be beaten.
    assert confidence_of(gate(confidence=None), judging, of_champion=False) == 0.95


@pytest.mark.parametrize("sure", [0.9, 0.95])
def test_a_comparison_of_another_confidence_than_the_rule_asks_for_proves_nothing(sure):
    found = facts(replace(compared(0.05, 0.1), confidence=sure), "not_worse", cause="schedule")
    verdict = judge(found, gate(confidence=None))
    assert ("not the one that the gate asks for" in " ".join(verdict.reasons)) == (sure > 0.9)


@pytest.mark.parametrize(
    ("lower", "upper", "finding", "promoted_by"),
    [
        (0.03, 0.05, "better", {"better", "not_worse", "value"}),
        (0.001, 0.05, "better", {"better", "not_worse"}),
        (0.001, 0.01, "small gain", {"better", "not_worse"}),
        (-0.01, 0.01, "tie", {"not_worse"}),
        (-0.01, 0.05, "not worse", {"not_worse"}),
        (-0.05, 0.05, "undecided", set()),
        (-0.05, -0.03, "worse", set()),
    ],
)
def test_each_finding_has_a_name_and_each_rule_asks_for_its_own(lower, upper, finding, promoted_by):
    comparison = compared(lower, upper)
    assert find(comparison, TENTH) == finding
    verdicts = {r: judge(facts(comparison, r), GATE) for r in ("better", "not_worse", "value")}
    assert {rule for rule, verdict in verdicts.items() if verdict.is_promoted} == promoted_by
    for rule, verdict in verdicts.items():
        assert (verdict.judged_by.rule, verdict.judged_by.finding) == (rule, finding)
        assert verdict.judged_by.margin == pytest.approx(TENTH)


def test_too_few_rows_to_tell_is_a_refusal_with_a_name_whatever_the_rule():
    untold = compared(float("-inf"), float("inf"), untold="of 3 days nobody can tell")
    verdict = judge(facts(untold, "not_worse"), GATE)
    assert verdict.judged_by.finding == "too few rows to tell"
    assert "nobody can tell" in verdict.reasons[0]


def test_a_champion_no_better_than_a_constant_leaves_no_room_to_be_worse():
    known = facts(compared(-0.001, 0.05), "not_worse")
    assert judge(known, GATE).is_promoted
    for lead in (-0.1, 0.0, None, float("nan")):
        lost = replace(known, opponent=replace(known.opponent, lead=lead))
        assert not judge(lost, GATE).is_promoted


def test_a_stated_margin_is_in_the_metrics_own_unit():
    known = facts(compared(-0.04, 0.05), "not_worse", is_named=True)
    assert not judge(known, gate(rule="not_worse", margin=0.03)).is_promoted
    verdict = judge(known, gate(rule="not_worse", margin=0.05))
    assert verdict.is_promoted
    assert "0.050 (gate.versus_champion.margin)" in verdict.judged_by.because[0]


def test_floors_hold_whatever_the_rule():
    low = replace(facts(compared(-0.001, 0.05), "not_worse"), metrics={"roc_auc": 0.5})
    assert any("below the floor" in reason for reason in judge(low, GATE).reasons)


def test_without_a_champion_it_must_be_better():
    known = facts(compared(-0.01, 0.01), "not_worse")
    first = replace(known, opponent=Opponent("dummy", known.opponent.comparison, lead=0.2))
    verdict = judge(first, GATE)
    assert not verdict.is_promoted
    assert verdict.judged_by.rule == "better"
    assert "no champion could be compared" in verdict.judged_by.because[0]


def test_what_cannot_be_fitted_again_falls_back_to_better_and_says_so():
    asked = choose_rule(gate(), "binary", "schedule").without_renewal("it is a finished model")
    verdict = judge(replace(facts(compared(-0.01, 0.01)), judging=asked), GATE)
    assert not verdict.is_promoted
    rule, judged = verdict.judged_by.because
    assert rule.startswith("The rule is `better`, because the schedule started the run, but the")
    assert judged.endswith("(it is a finished model).")
    named = choose_rule(gate(rule="not_worse"), "binary", "schedule").without_renewal("so it is")
    assert named.rule == "not_worse"


def test_two_sentences_say_which_rule_and_what_was_judged():
    renewed = judge(facts(compared(-0.01, 0.01), "not_worse", cause="change", parts=8), GATE)
    rule, judged = renewed.judged_by.because
    assert rule == (
        "The rule is `not_worse`, because drift asked for the run: it must be proven to be worse"
        " than the champion by no more than 0.02 (a tenth of its lead of 0.2 over the best"
        " constant) in roc_auc, with 95% confidence."
    )
    assert judged == (
        "The recipe was judged: fitted again before each of 8 parts of the held-out rows on all"
        " that was known by then, and asked for that part alone, beside the champion as it is."
    )
