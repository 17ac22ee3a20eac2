"""The gate judges real models, good and known to be bad, on rows they have not seen."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression

from pipelines.science.bootstrap import compare
from pipelines.science.gate.blind_spots import find_blind_spot
from pipelines.science.gate.facts import GateFacts, Opponent
from pipelines.science.gate.verdict import judge
from pipelines.science.metrics import scores
from pipelines.spec import Gate
from tests.unit.science.gate.facts import GUARDED, span_of_months

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
SHUFFLED = (
    LogisticRegression().fit(X[FIT], RNG.permutation(TARGET[FIT])).predict_proba(X[HELD])[:, 1]
)


def _judged(predicted, opponent, name="champion"):
    y = TARGET[HELD]

    def by(metric):
        return compare(
            metric,
            y,
            challenger=predicted,
            opponent=opponent,
            event_times=EVENTS,
            confidence=0.95,
            seed=0,
        )

    facts = GateFacts(
        "model",
        dummy=False,
        metrics=scores("binary", y, predicted),
        rows=600,
        holdout=span_of_months(4, 5),
        fitted_on=span_of_months(1, 4),
        opponent=Opponent(
            name, by("roc_auc"), guards={"log_loss": by("log_loss")}, fitted_on=span_of_months(1, 4)
        ),
    )
    return judge(facts, GUARDED)


@pytest.mark.parametrize(
    "opponent", [pytest.param(WEAKER, id="a champion"), pytest.param(RATE, id="the dummy")]
)
def test_a_model_that_learnt_is_promoted(opponent):
    assert _judged(P, opponent).is_promoted


MUTANTS = {
    "inverted": 1 - P,
    "constant": np.full(600, 0.5),
    "the base rate": RATE,
    "trained dummy": (
        DummyClassifier(strategy="stratified", random_state=0)
        .fit(X[FIT], TARGET[FIT])
        .predict_proba(X[HELD])[:, 1]
    ),
    "its answers shuffled": RNG.permutation(P),
    "learnt from shuffled labels": SHUFFLED,
    "one answer NaN": np.where(np.arange(600) == 7, np.nan, P),
    "all answers NaN": np.full(600, np.nan),
    "one answer infinite": np.where(np.arange(600) == 7, np.inf, P),
    "logits for probabilities": LEARNT.decision_function(X[HELD]),
    "rows off by one": np.roll(P, 1),
    "over-confident by a factor of three": expit(3 * logit(P)),
    "too high by a constant": expit(logit(P) + 3),
    "too low by a constant": expit(logit(P) - 3),
    "nearly certain": np.where(P > 0.5, 1 - 1e-9, 1e-9),
    "the champion itself": WEAKER,
    "the champion with a little noise": np.clip(WEAKER + RNG.normal(0, 0.01, 600), 0, 1),
}


@pytest.mark.parametrize("predicted", MUTANTS.values(), ids=MUTANTS)
def test_a_model_known_to_be_bad_is_refused(predicted):
    assert not _judged(predicted, WEAKER).is_promoted


@pytest.mark.parametrize("mutant", [m for m in MUTANTS if "champion" not in m])
def test_a_first_model_known_to_be_bad_does_not_pass_as_better_than_the_dummy(mutant):
    assert not _judged(MUTANTS[mutant], RATE, "dummy").is_promoted


@pytest.mark.parametrize(
    ("task", "gate", "advice"),
    [
        ("binary", {"at_least": {"roc_auc": 0.6}}, "log_loss"),
        ("binary", {"at_least": {"roc_auc": 0.6, "accuracy": 0.6}}, "log_loss"),
        ("binary", {"at_least": {"roc_auc": 0.6}, "guards": {"brier": 0.1}}, ""),
        ("binary", {"at_most": {"log_loss": 0.6}}, ""),
        (
            "multiclass",
            {"at_least": {"accuracy": 0.6}, "versus_champion": {"metric": "accuracy"}},
            "log_loss",
        ),
        ("regression", {"at_most": {"wape": 0.5}, "versus_champion": {"metric": "mae"}}, "rmse"),
        ("regression", {"at_most": {"rmse": 5}, "versus_champion": {"metric": "rmse"}}, "mae"),
        ("regression", {"at_most": {"wape": 5}, "versus_champion": {"metric": "rmse"}}, ""),
    ],
)
def test_what_a_gate_does_not_see_is_said_with_the_guard_that_would(task, gate, advice):
    said = find_blind_spot(
        Gate.model_validate({"versus_champion": {"metric": "roc_auc"}, **gate}), task
    )
    assert (f"guards: {{{advice}: 0.05}}" in said) if advice else not said
