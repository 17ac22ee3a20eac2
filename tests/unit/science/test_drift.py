"""The decision on drift.

What is broken before anything else, every reason for drift, and never "no drift" by accident.
"""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.science.changes.facts import Changes, ColumnChange, FamilyChange
from pipelines.science.drift import decide
from pipelines.science.drift_facts import ColumnFact, DriftFacts
from pipelines.science.drift_reasons import strength
from pipelines.science.live_performance import PerformanceFact, measure_performance, uncertainty
from pipelines.spec.drift import Drift, Performance

RULES = Drift(schedule="monthly")


def _column(
    name="delay",
    score=0.02,
    *,
    missing=0.0,
    reference=0.0,
    method="wasserstein",
    problem="",
    threshold=0.1,
    **more,
):
    return ColumnFact(
        name,
        method,
        threshold,
        score,
        drifted=False,
        missing=missing,
        missing_reference=reference,
        problem=problem,
        **more,
    )


def _family(family="inputs", said="unchanged", *columns, untold="", p=0.4):
    return FamilyChange(family, said, 0.01, p, list(columns), "600 draws", untold)


def _change(name, method="wasserstein", *, changed=True, statistic=0.3, p=0.001):
    return ColumnChange(name, method, statistic, 0.1, p, changed)


QUIET = (_family("missing"), _family("inputs"), _family("together"))


def _facts(*columns, rows=1_000, families=QUIET, **more):
    return DriftFacts(rows, columns=list(columns), changes=Changes(list(families)), **more)


FINE = _column()
DRIFTED = PerformanceFact("roc_auc", 0.61, 0.64, 0.72, 900, worse=True, bad_end=0.58)


def test_what_looks_as_it_did_is_no_drift_and_the_reason_says_what_was_looked_at():
    decision = decide(
        _facts(
            FINE,
            families=[*QUIET, _family("predictions", "cannot_be_said", untold="10 days only")],
            performance=PerformanceFact("mae", 2.0, 1.9, 2.1, 700, worse=False),
        ),
        RULES,
    )
    assert decision.verdict == "no_drift"
    assert "the tests see: missing values, each input, the inputs together" in decision.reasons[0]
    assert "in at most about 5% of cases" in decision.reasons[0]
    assert "nothing can be said of the predictions: 10 days only" in decision.reasons[0]
    assert "mae on 700 labelled rows is 2 where 2.1 was promised" in decision.reasons[0]


def test_what_no_test_can_tell_is_never_no_drift():
    silent = [
        _family("inputs", "cannot_be_said", untold="the past is too short"),
        _family("together", "cannot_be_said", untold="the past is too short"),
        _family("predictions", "cannot_be_said", untold="there are none"),
    ]
    decision = decide(_facts(FINE, families=silent, notes=["a note"]), RULES)
    assert decision.verdict == "not_enough_data"
    assert decision.reasons == [
        "nothing can be said of each input and the inputs together: the past is too short",
        "nothing can be said of the predictions: there are none",
        "a note",
    ]
    assert decide(DriftFacts(900, columns=[FINE]), RULES).verdict == "not_enough_data"


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        pytest.param(
            _facts(FINE, error="the look failed with ValueError: x"),
            "ValueError",
            id="an exception",
        ),
        pytest.param(
            _facts(FINE, broken=["the input night is missing"]), "night", id="a broken schema"
        ),
        pytest.param(
            _facts(FINE, rows=3, broken=["the input night is missing"]),
            "night",
            id="a broken schema in a tiny window",
        ),
        pytest.param(
            _facts(_column(score=0.9), broken=["infinite"], performance=DRIFTED),
            "infinite",
            id="broken and drifted",
        ),
        pytest.param(_facts(), "nothing could be compared", id="nothing to compare"),
        pytest.param(
            _facts(_column(score=None, problem="no value")),
            "nothing could be compared",
            id="an input without values on both sides",
        ),
    ],
)
def test_what_is_broken_is_an_alarm(facts, words):
    decision = decide(facts, RULES)
    assert decision.verdict == "alarm"
    assert words in decision.reasons[0]


def test_an_alarm_about_hundreds_of_columns_stays_short():
    reasons = decide(
        _facts(broken=[f"the input c{i} is missing" for i in range(300)]), RULES
    ).reasons
    assert len(reasons) == 13
    assert reasons[-1] == "and 288 more"


@pytest.mark.parametrize(("rows", "words"), [(0, "no rows"), (1, "1 row;"), (499, "499 rows;")])
def test_too_few_rows_are_no_verdict(rows, words):
    decision = decide(_facts(_column(score=9.0), rows=rows), RULES)
    assert decision.verdict == "not_enough_data"
    assert words in decision.reasons[0]


def test_every_reason_for_drift_is_named():
    families = [
        _family("missing", "changed", _change("c", "missing"), p=0.002),
        _family("inputs", "changed", _change("a", "mean", p=0.003), _change("b", p=0.0001)),
        _family("together", "changed", _change("inputs", "kernel"), p=0.004),
        _family("predictions", "changed", _change("predictions"), p=0.01),
        _family("performance", "changed", _change("loss", "mean"), p=0.02),
    ]
    decision = decide(_facts(_column("a"), families=families, performance=DRIFTED), RULES)
    assert decision.verdict == "drift"
    missing, inputs, together, predictions, losses, performance = decision.reasons
    assert missing == "missing values have changed: c (its missing values, p 0.001)"
    assert inputs == "inputs have changed: b (wasserstein, p below 0.001), a (its mean, p 0.003)"
    assert "how they go together (p 0.004)" in together
    assert "the predictions have changed (wasserstein, p 0.010)" in predictions
    assert "more wrong than on its holdout (p 0.020): roc_auc is 0.61" in losses
    assert (
        "roc_auc on 900 labelled rows is 0.61, at best 0.64 (one-sided 95% interval); it promised"
        " 0.72, and 0% of that" in performance
    )


def test_answers_that_got_better_are_told_and_start_nothing():
    better = _family("performance", "changed", _change("loss", "mean", statistic=-0.2))
    decision = decide(_facts(FINE, families=[*QUIET, better]), RULES)
    assert decision.verdict == "no_drift"
    assert "less wrong than on its holdout" in decision.reasons[0]


def test_thresholds_of_the_specs_own_are_rules_beside_the_test():
    """The share is of the inputs that have a threshold and a score, and is reached from below."""
    passed = _column("a", 0.5, own=0.1, passed=True)
    near = _column("b", own=0.1)
    without = [_column(f"u{i}") for i in range(8)]
    decision = decide(_facts(passed, near, *without), RULES)
    assert decision.verdict == "drift"
    [reason] = decision.reasons
    assert reason.startswith("1 of 2 inputs with a threshold of the spec's own have passed it (50%")
    assert reason.endswith(": a (wasserstein 0.5, threshold 0.1)")
    assert decide(_facts(passed, near, _column("c", own=0.1)), RULES).verdict == "no_drift"
    answers = _column("predictions", 0.2, own=0.1, passed=True)
    assert "the spec's own threshold" in decide(_facts(FINE, predictions=answers), RULES).reasons[0]


@pytest.mark.parametrize(
    ("missing", "reference", "verdict"),
    [
        pytest.param(0.11, 0.0, "drift", id="more than the spec tolerates"),
        pytest.param(0.10, 0.0, "no_drift", id="as much as is tolerated"),
        pytest.param(0.0, 0.9, "no_drift", id="values are there again"),
        pytest.param(1.0, 0.95, "drift", id="all missing where fifty values were to be expected"),
        pytest.param(1.0, 0.995, "no_drift", id="all missing where that happens by chance"),
        pytest.param(0.5, 1.0, "drift", id="values where training saw none"),
        pytest.param(0.95, 1.0, "no_drift", id="a few values where training saw none"),
    ],
)
def test_missing_values(missing, reference, verdict):
    score = None if 1.0 in (missing, reference) else 0.02
    decision = decide(
        _facts(FINE, _column("gust", score, missing=missing, reference=reference)),
        Drift(schedule="monthly", missing=0.1),
    )
    assert decision.verdict == verdict
    assert ("gust" in decision.reasons[0]) == (verdict == "drift")


def test_notes_stand_beside_no_drift():
    assert (
        decide(_facts(FINE, notes=["no verdict on performance: …"]), RULES).reasons[1]
        == "no verdict on performance: …"
    )


def test_a_p_value_is_further_off_the_smaller_it_is():
    far = [strength(_column(method="ks", score=score)) for score in (1.0, 0.1, 0.01, 0.0)]
    assert far[:3] == pytest.approx([0, 1, 2])
    assert np.isfinite(far[3])
    assert strength(_column(score=0.25)) == 2.5
    assert strength(_column(score=None)) == 0
    assert strength(_column(threshold=None)) == 0


N = 2_000
RNG = np.random.default_rng(5)
TIMES = np.datetime64("2026-01-01", "us") + (np.arange(N) * (30 * 86_400_000_000 // N)).astype(
    "timedelta64[us]"
)
P = RNG.random(N)
Y = (RNG.random(N) < P).astype(int)
VALUE = RNG.normal(100, 30, N)
NEAR = VALUE + RNG.normal(0, 10, N)
CLASS = RNG.integers(0, 3, N)
SHARP = np.full((N, 3), 0.2) + 0.4 * np.eye(3)[CLASS]


@pytest.mark.parametrize(
    ("metric", "y", "p", "kept", "missed"),
    [
        pytest.param("roc_auc", Y, P, 0.83, 0.95, id="more is better"),
        pytest.param("mae", VALUE, NEAR, 8.0, 4.0, id="less is better"),
        pytest.param("log_loss", CLASS, SHARP, 0.51, 0.2, id="several classes"),
    ],
)
def test_a_promise_is_missed_only_where_even_the_good_end_misses_it_by_more_than_is_tolerated(
    metric, y, p, kept, missed
):
    def found(expected, tolerance):
        rule = Performance(tolerance=tolerance)
        return measure_performance(
            metric, y, p, event_times=TIMES, expected=expected, rule=rule, seed=1
        )

    good = found(missed, 0.02).good_end
    assert found(missed, 0.02).worse
    assert not found(missed, abs(good - missed) / missed + 1e-9).worse
    assert not found(missed, None).worse
    assert not found(good, 0.0).worse
    assert not found(kept, 0.5).worse
    assert not found(None, 0.0).worse
    assert found(missed, 0.02).rows == N


def test_a_promise_is_a_samples_score_too_and_its_error_counts():
    rows = {"event_times": TIMES, "span": "day", "seed": 1, "threshold": 0.5}
    too_good, too_bad = uncertainty("mae", VALUE, NEAR, confidence=0.95, **rows)
    assert 0 < too_good < 0.5
    assert too_bad == pytest.approx(too_good, rel=0.5)
    rule = Performance(tolerance=0.0)

    def found(uncertain):
        return measure_performance(
            "mae",
            VALUE,
            NEAR,
            event_times=TIMES,
            expected=7.7,
            rule=rule,
            seed=1,
            uncertain=uncertain,
        )

    alone, both = found((0.0, 0.0)), found((too_good, too_bad))
    width, wider = alone.live - alone.good_end, both.live - both.good_end
    assert wider == pytest.approx(np.hypot(width, too_good))
    assert both.bad_end > alone.bad_end


def test_one_class_only_has_no_performance():
    fact = measure_performance(
        "roc_auc", np.ones(N), P, event_times=TIMES, expected=0.9, rule=Performance(), seed=1
    )
    assert np.isnan(fact.live)
    assert (fact.good_end, fact.worse) == (None, False)
