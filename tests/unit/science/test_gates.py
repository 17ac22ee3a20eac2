"""The gate refuses whatever is not proven, and says so with numbers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression

from pipelines.intervals import Interval
from pipelines.science.bootstrap import Comparison, compare
from pipelines.science.gates import Facts, Opponent, Verdict, judge
from pipelines.science.metrics import scores
from pipelines.spec import Gate

NAN, INF = float("nan"), float("inf")


def _span(first, last):
    return Interval(start=datetime(2026, first, 1, tzinfo=UTC), end=datetime(2026, last, 1, tzinfo=UTC))


GATE = Gate.model_validate(
    {
        "at_least": {"roc_auc": 0.58},
        "at_most": {"brier": 0.25},
        "versus_champion": {"metric": "roc_auc", "confidence": 0.95},
        "min_rows": 100,
    }
)
BETTER = Comparison(
    "roc_auc", challenger=0.7, opponent=0.65, difference=0.05, lower=0.02, p_better=0.99, confidence=0.95, blocks=30, unit="days"
)
GOOD = Facts(
    name="boosted",
    dummy=False,
    metrics={"roc_auc": 0.7, "brier": 0.2},
    rows=100,
    holdout=_span(4, 5),
    opponent=Opponent("champion", BETTER, fitted_on=_span(1, 4)),
)


def _opponent(**changes):
    return replace(GOOD, opponent=replace(GOOD.opponent, **changes))


def _comparison(**changes):
    return _opponent(comparison=replace(BETTER, **changes))


def test_what_is_proven_is_promoted():
    verdict = judge(GOOD, GATE)
    assert verdict.promoted
    assert verdict.reasons == []
    assert {f.name for f in verdict.findings} == {"challenger", "rows", "roc_auc", "brier", "unseen", "versus champion"}


def test_the_bounds_themselves_pass():
    assert judge(replace(GOOD, metrics={"roc_auc": 0.58, "brier": 0.25}), GATE).promoted


BAD = {
    "no challenger": (replace(GOOD, name=""), "no candidate has a finite"),
    "a dummy": (replace(GOOD, dummy=True), "boosted is a dummy"),
    "too few rows": (replace(GOOD, rows=99), "99 held-out rows are fewer than the 100"),
    "a metric below its floor": (replace(GOOD, metrics={"roc_auc": 0.561, "brier": 0.2}), "roc_auc 0.561 is below the floor 0.580"),
    "a metric just below its floor": (
        replace(GOOD, metrics={"roc_auc": 0.5799999, "brier": 0.2}),
        "roc_auc 0.5799999 is below the floor 0.580",
    ),
    "a metric above its ceiling": (replace(GOOD, metrics={"roc_auc": 0.7, "brier": 0.251}), "brier 0.251 is above the ceiling 0.250"),
    "a metric that is NaN": (replace(GOOD, metrics={"roc_auc": NAN, "brier": 0.2}), "roc_auc is missing or not finite"),
    "a metric that is infinite": (replace(GOOD, metrics={"roc_auc": INF, "brier": 0.2}), "roc_auc is missing or not finite"),
    "a ceiling's metric that is minus infinite": (replace(GOOD, metrics={"roc_auc": 0.7, "brier": -INF}), "brier is missing or not finite"),
    "a metric that is None": (replace(GOOD, metrics={"roc_auc": None, "brier": 0.2}), "roc_auc is missing or not finite"),
    "a metric that is missing": (replace(GOOD, metrics={"brier": 0.2}), "roc_auc is missing or not finite"),
    "held-out rows that the champion has seen": (_opponent(fitted_on=_span(1, 5)), "overlap what the champion was fitted on"),
    "held-out rows inside what the champion has seen": (_opponent(fitted_on=_span(1, 12)), "overlap"),
    "held-out rows that the champion has seen in part": (replace(GOOD, holdout=_span(3, 5)), "2026-03-01T00 to 2026-05-01T00"),
    "an error of the champion's": (_opponent(error="Corrupted: changed"), "the champion could not be compared: Corrupted: changed"),
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
    "a comparison of another metric": (_comparison(metric="brier"), "not the one that the gate asks for"),
    "a comparison with less confidence": (_comparison(confidence=0.9), "not the one that the gate asks for"),
}


@pytest.mark.parametrize(("facts", "words"), BAD.values(), ids=BAD)
def test_what_is_not_proven_is_refused_for_that_reason_alone(facts, words):
    verdict = judge(facts, GATE)
    assert not verdict.promoted
    assert len(verdict.reasons) == 1
    assert words in verdict.reasons[0]


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        pytest.param({"at_least": {}, "at_most": {}}, "no floor and no ceiling", id="no threshold"),
        pytest.param({"at_least": {"roc_auc": NAN}}, "the floor of roc_auc is not finite", id="a NaN floor"),
        pytest.param({"at_least": {"roc_auc": -INF}}, "the floor of roc_auc is not finite", id="an infinite floor"),
        pytest.param({"at_most": {"roc_auc": 0.9}}, "roc_auc cannot have a ceiling", id="a ceiling on what should be great"),
        pytest.param({"at_least": {"brier": 0.1}}, "brier cannot have a floor", id="a floor under what should be small"),
        pytest.param({"at_least": {"magic": 0.1}}, "magic cannot have a floor", id="an unknown metric"),
    ],
)
def test_a_gate_that_cannot_refuse_refuses(gate, words):
    verdict = judge(GOOD, GATE.model_copy(update=gate))
    assert any(words in reason for reason in verdict.reasons)


def test_all_reasons_are_told():
    facts = replace(GOOD, dummy=True, rows=1, metrics={}, opponent=Opponent("dummy", error="gone"))
    assert len(judge(facts, GATE).reasons) == 5


def test_a_verdict_without_findings_is_no_promotion():
    assert not Verdict().promoted


def test_adjacent_spans_do_not_overlap():
    assert judge(_opponent(fitted_on=_span(5, 6)), GATE).promoted


# Real models, good and known to be bad, on rows they have not seen.

RNG = np.random.default_rng(5)
X = RNG.normal(size=(1_200, 3))
TARGET = (X[:, 0] + 0.5 * X[:, 1] + RNG.normal(0, 1, 1_200) > 0).astype(int)
FIT, HELD = slice(0, 600), slice(600, 1_200)
EVENTS = np.datetime64("2026-04-01", "us") + np.arange(600) * np.timedelta64(3_600_000_000, "us")
LEARNT = LogisticRegression().fit(X[FIT], TARGET[FIT])
WEAK = LogisticRegression().fit(X[FIT][:, 1:], TARGET[FIT])
P = LEARNT.predict_proba(X[HELD])[:, 1]
WEAKER = WEAK.predict_proba(X[HELD][:, 1:])[:, 1]
RATE = np.full(600, TARGET[FIT].mean())
SHUFFLED = LogisticRegression().fit(X[FIT], RNG.permutation(TARGET[FIT])).predict_proba(X[HELD])[:, 1]


def _judged(predicted, opponent, name="champion"):
    y = TARGET[HELD]
    found = compare("roc_auc", y, challenger=predicted, opponent=opponent, event_times=EVENTS, confidence=0.95, seed=0)
    facts = Facts(
        "model",
        dummy=False,
        metrics=scores("binary", y, predicted),
        rows=600,
        holdout=_span(4, 5),
        opponent=Opponent(name, found, fitted_on=_span(1, 4)),
    )
    return judge(facts, GATE)


@pytest.mark.parametrize("opponent", [pytest.param(WEAKER, id="a champion"), pytest.param(RATE, id="the dummy")])
def test_a_model_that_learnt_is_promoted(opponent):
    assert _judged(P, opponent).promoted


MUTANTS = {
    "inverted": 1 - P,
    "constant": np.full(600, 0.5),
    "the base rate": RATE,
    "trained dummy": DummyClassifier(strategy="stratified", random_state=0).fit(X[FIT], TARGET[FIT]).predict_proba(X[HELD])[:, 1],
    "its answers shuffled": RNG.permutation(P),
    "learnt from shuffled labels": SHUFFLED,
    "one answer NaN": np.where(np.arange(600) == 7, np.nan, P),
    "all answers NaN": np.full(600, np.nan),
    "one answer infinite": np.where(np.arange(600) == 7, np.inf, P),
    "logits for probabilities": LEARNT.decision_function(X[HELD]),
    "rows off by one": np.roll(P, 1),
    "the champion itself": WEAKER,
    "the champion with a little noise": np.clip(WEAKER + RNG.normal(0, 0.01, 600), 0, 1),
}


@pytest.mark.parametrize("predicted", MUTANTS.values(), ids=MUTANTS)
def test_a_model_known_to_be_bad_is_refused(predicted):
    assert not _judged(predicted, WEAKER).promoted


@pytest.mark.parametrize("mutant", [m for m in MUTANTS if "champion" not in m])
def test_a_first_model_known_to_be_bad_does_not_pass_as_better_than_the_dummy(mutant):
    assert not _judged(MUTANTS[mutant], RATE, "dummy").promoted
