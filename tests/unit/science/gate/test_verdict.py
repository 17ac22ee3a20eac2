"""The gate refuses whatever is not proven, and says so with numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.science.bootstrap import Comparison
from pipelines.science.gate.facts import GateFacts, Opponent
from pipelines.science.gate.verdict import Verdict, judge
from tests.unit.science.gate.facts import GATE, GUARDED, span_of_months

NAN, INF = float("nan"), float("inf")
BETTER = Comparison(
    "roc_auc",
    challenger=0.7,
    opponent=0.65,
    difference=0.05,
    lower=0.02,
    p_better=0.99,
    confidence=0.95,
    blocks=30,
    unit="days",
)
GOOD = GateFacts(
    name="boosted",
    dummy=False,
    metrics={"roc_auc": 0.7, "brier": 0.2},
    rows=100,
    holdout=span_of_months(4, 5),
    fitted_on=span_of_months(2, 4),
    opponent=Opponent("champion", BETTER, fitted_on=span_of_months(1, 4)),
)


def _opponent(**changes):
    return replace(GOOD, opponent=replace(GOOD.opponent, **changes))


def _comparison(**changes):
    return _opponent(comparison=replace(BETTER, **changes))


def test_what_is_proven_is_promoted():
    verdict = judge(GOOD, GATE)
    assert verdict.is_promoted
    assert verdict.reasons == []
    assert {f.name for f in verdict.checks} == {
        "challenger",
        "rows",
        "roc_auc",
        "brier",
        "unseen",
        "versus champion",
    }


def test_the_bounds_themselves_pass():
    assert judge(replace(GOOD, metrics={"roc_auc": 0.58, "brier": 0.25}), GATE).is_promoted


BAD = {
    "no challenger": (replace(GOOD, name=""), "no candidate has a finite"),
    "a dummy": (replace(GOOD, dummy=True), "boosted is a dummy"),
    "too few rows": (replace(GOOD, rows=99), "99 held-out rows are fewer than the 100"),
    "a metric below its floor": (
        replace(GOOD, metrics={"roc_auc": 0.561, "brier": 0.2}),
        "roc_auc 0.561 is below the floor 0.580",
    ),
    "a metric just below its floor": (
        replace(GOOD, metrics={"roc_auc": 0.5799999, "brier": 0.2}),
        "roc_auc 0.5799999 is below the floor 0.580",
    ),
    "a metric above its ceiling": (
        replace(GOOD, metrics={"roc_auc": 0.7, "brier": 0.251}),
        "brier 0.251 is above the ceiling 0.250",
    ),
    "a metric that is NaN": (
        replace(GOOD, metrics={"roc_auc": NAN, "brier": 0.2}),
        "roc_auc is missing or not finite",
    ),
    "a metric that is infinite": (
        replace(GOOD, metrics={"roc_auc": INF, "brier": 0.2}),
        "roc_auc is missing or not finite",
    ),
    "a ceiling's metric that is minus infinite": (
        replace(GOOD, metrics={"roc_auc": 0.7, "brier": -INF}),
        "brier is missing or not finite",
    ),
    "a metric that is None": (
        replace(GOOD, metrics={"roc_auc": None, "brier": 0.2}),
        "roc_auc is missing or not finite",
    ),
    "a metric that is missing": (
        replace(GOOD, metrics={"brier": 0.2}),
        "roc_auc is missing or not finite",
    ),
    "held-out rows that the champion has seen": (
        _opponent(fitted_on=span_of_months(1, 5)),
        "overlap what the champion was fitted on",
    ),
    "held-out rows inside what the champion has seen": (
        _opponent(fitted_on=span_of_months(1, 12)),
        "; held-out rows from 2026-12-01T00:00:00Z on can judge it: wait for newer batches",
    ),
    "held-out rows that the champion has seen in part": (
        replace(GOOD, holdout=span_of_months(3, 5)),
        "2026-03-01T00 to 2026-05-01T00",
    ),
    "a challenger that was fitted on the held-out rows": (
        replace(GOOD, fitted_on=span_of_months(2, 5)),
        "overlap what boosted was fitted on",
    ),
    "a challenger that was fitted on later rows too": (
        replace(GOOD, fitted_on=span_of_months(1, 12)),
        "overlap what boosted was fitted on",
    ),
    "a challenger of which nobody knows what it has seen": (
        replace(GOOD, fitted_on=None),
        "not known on which rows boosted was fitted",
    ),
    "held-out rows that both have seen": (
        replace(_opponent(fitted_on=span_of_months(1, 5)), fitted_on=span_of_months(2, 5)),
        (
            "what boosted was fitted on (2026-02-01T00 to 2026-05-01T00) and what the champion was"
            " fitted on"
        ),
    ),
    "an error of the champion's": (
        _opponent(error="Corrupted: changed"),
        "the champion could not be compared: Corrupted: changed",
    ),
    "an error beside a comparison": (_opponent(error="late"), "could not be compared"),
    "no comparison": (_opponent(comparison=None), "there is no comparison with the champion"),
    "a bound of zero": (_comparison(lower=0.0), "is not proven better than the champion's"),
    "a bound below zero": (_comparison(lower=-0.001), "not proven better"),
    "a bound that is NaN": (_comparison(lower=NAN), "missing or not finite"),
    "a bound that is infinite": (_comparison(lower=INF), "missing or not finite"),
    "a difference of zero": (_comparison(difference=0.0), "not proven better"),
    "a difference that is NaN": (_comparison(difference=NAN), "missing or not finite"),
    "a challenger that is NaN": (_comparison(challenger=NAN), "missing or not finite"),
    "an opponent that is NaN": (_comparison(opponent=NAN), "missing or not finite"),
    "a comparison of another metric": (
        _comparison(metric="brier"),
        "not the one that the gate asks for",
    ),
    "a comparison with less confidence": (
        _comparison(confidence=0.9),
        "not the one that the gate asks for",
    ),
}


@pytest.mark.parametrize(("facts", "words"), BAD.values(), ids=BAD)
def test_what_is_not_proven_is_refused_for_that_reason_alone(facts, words):
    verdict = judge(facts, GATE)
    assert not verdict.is_promoted
    assert len(verdict.reasons) == 1
    assert words in verdict.reasons[0]
    (failed,) = [check for check in verdict.checks if not check.passed]
    assert failed.would_pass
    assert all(n is None or np.isfinite(n) for n in (failed.value, failed.limit))


def test_the_change_that_would_pass_is_enough():
    low = judge(replace(GOOD, metrics={"roc_auc": 0.561, "brier": 0.26}), GATE)
    found = {check.name: check for check in low.checks}
    assert found["roc_auc"].would_pass == "roc_auc higher by 0.019"
    assert (found["roc_auc"].value, found["roc_auc"].limit) == (0.561, 0.58)
    assert found["brier"].would_pass == "brier lower by 0.01"
    few = judge(replace(GOOD, rows=60), GATE).checks[1]
    assert (few.value, few.limit) == (60, 100)
    assert few.would_pass.startswith("40 held-out rows more")
    assert not any(check.would_pass for check in judge(GOOD, GATE).checks)


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        pytest.param({"at_least": {}, "at_most": {}}, "no floor and no ceiling", id="no threshold"),
        pytest.param(
            {"at_least": {"roc_auc": NAN}}, "the floor of roc_auc is not finite", id="a NaN floor"
        ),
        pytest.param(
            {"at_least": {"roc_auc": -INF}},
            "the floor of roc_auc is not finite",
            id="an infinite floor",
        ),
        pytest.param(
            {"at_most": {"roc_auc": 0.9}},
            "roc_auc cannot have a ceiling",
            id="a ceiling on what should be great",
        ),
        pytest.param(
            {"at_least": {"brier": 0.1}},
            "brier cannot have a floor",
            id="a floor under what should be small",
        ),
        pytest.param(
            {"at_least": {"magic": 0.1}}, "magic cannot have a floor", id="an unknown metric"
        ),
    ],
)
def test_a_gate_that_cannot_refuse_refuses(gate, words):
    verdict = judge(GOOD, GATE.model_copy(update=gate))
    assert any(words in reason for reason in verdict.reasons)


LOSS = replace(
    BETTER, metric="log_loss", challenger=0.44, opponent=0.46, difference=0.02, lower=0.01
)


@pytest.mark.parametrize(
    ("guard", "words"),
    [
        pytest.param(None, "no comparison with the champion in log_loss", id="no comparison"),
        pytest.param(
            {"challenger": 0.593, "difference": -0.133, "lower": -0.14},
            "beyond the 0.05",
            id="worse by far",
        ),
        pytest.param(
            {"challenger": 0.47, "difference": -0.01, "lower": -0.0231},
            "beyond the 0.05",
            id="not proven to be within",
        ),
        pytest.param(
            {"lower": NAN},
            "log_loss versus the champion is missing or not finite",
            id="a bound that is NaN",
        ),
        pytest.param({"lower": -INF}, "missing or not finite", id="no bound"),
        pytest.param(
            {"metric": "brier"}, "not the one that the gate asks for", id="another metric"
        ),
        pytest.param(
            {"confidence": 0.6}, "not the one that the gate asks for", id="less confidence"
        ),
    ],
)
def test_a_guard_refuses_what_is_worse_in_its_metric(guard, words):
    guards = {} if guard is None else {"log_loss": replace(LOSS, **guard)}
    (reason,) = judge(_opponent(guards=guards), GUARDED).reasons
    assert words in reason


@pytest.mark.parametrize("lower", [0.01, 0.0, -0.0229])
def test_within_its_share_a_guard_lets_the_challenger_through(lower):
    verdict = judge(
        _opponent(guards={"log_loss": replace(LOSS, difference=lower + 0.01, lower=lower)}), GUARDED
    )
    assert verdict.is_promoted
    assert "within the 0.05" in verdict.checks[-1].detail


def test_a_champion_that_cannot_answer_is_an_incident_that_the_verdict_names():
    constant = Opponent(
        "dummy", BETTER, incident="the champion, version 3, cannot answer (1 of its 100 answers …)"
    )
    verdict = judge(replace(GOOD, opponent=constant), GATE)
    assert verdict.is_promoted
    (said,) = [f.detail for f in verdict.checks if f.name == "champion"]
    assert said.startswith("INCIDENT: the champion, version 3, cannot answer")
    assert said.endswith("the best constant is the opponent instead")
    worse = replace(constant, comparison=replace(BETTER, lower=-0.1))
    assert not judge(replace(GOOD, opponent=worse), GATE).is_promoted


def test_all_reasons_are_told():
    facts = replace(GOOD, dummy=True, rows=1, metrics={}, opponent=Opponent("dummy", error="gone"))
    assert len(judge(facts, GATE).reasons) == 5


def test_a_verdict_without_checks_is_no_promotion():
    assert not Verdict().is_promoted


def test_adjacent_spans_do_not_overlap():
    assert judge(_opponent(fitted_on=span_of_months(5, 6)), GATE).is_promoted
