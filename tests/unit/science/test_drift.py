"""The decision on drift.

What is broken before anything else, every reason for drift, and never "no drift" by accident.
"""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.science.drift import decide
from pipelines.science.drift_facts import ColumnFact, DriftFacts
from pipelines.science.drift_reasons import strength
from pipelines.science.live_performance import PerformanceFact, measure_performance
from pipelines.spec.drift import Drift, Performance

RULES = Drift(schedule="monthly")


def _column(
    name="delay",
    score=0.02,
    *,
    drifted=False,
    missing=0.0,
    reference=0.0,
    method="wasserstein",
    problem="",
):
    return ColumnFact(name, method, 0.1, score, drifted, missing, reference, problem)


def _facts(*columns, rows=1_000, **more):
    return DriftFacts(rows, columns=list(columns), **more)


FINE = _column()
DRIFTED = PerformanceFact("roc_auc", 0.61, 0.64, 0.72, 900, worse=True, bad_end=0.58)


def test_what_looks_as_it_did_is_no_drift_and_the_reason_says_what_was_looked_at():
    decision = decide(
        _facts(
            FINE,
            predictions=_column("predictions"),
            performance=PerformanceFact("mae", 2.0, 1.9, 2.1, 700, worse=False),
        ),
        RULES,
    )
    assert decision.verdict == "no_drift"
    assert "0 of 1 inputs have drifted" in decision.reasons[0]
    assert "predictions have not" in decision.reasons[0]
    assert "mae on 700 labelled rows is 2 where 2.1 was promised" in decision.reasons[0]


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
            _facts(_column(drifted=True, score=0.9), broken=["infinite"], performance=DRIFTED),
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
    decision = decide(_facts(_column(drifted=True, score=9.0), rows=rows), RULES)
    assert decision.verdict == "not_enough_data"
    assert words in decision.reasons[0]


def test_every_reason_for_drift_is_named():
    columns = (
        _column("a", 0.5, drifted=True),
        _column("b", 0.7, drifted=True),
        _column("c", missing=0.3, reference=0.1),
    )
    decision = decide(
        _facts(
            *columns, predictions=_column("predictions", 0.2, drifted=True), performance=DRIFTED
        ),
        RULES,
    )
    assert decision.verdict == "drift"
    missing, inputs, predictions, performance = decision.reasons
    assert "c (30.0% missing, 10.0% in the champion's training data)" in missing
    assert "2 of 3 inputs" in inputs
    assert inputs.index("b (wasserstein 0.7") < inputs.index("a (wasserstein 0.5")
    assert "0.2, threshold 0.1" in predictions
    assert (
        "roc_auc on 900 labelled rows is 0.61, at best 0.64 (one-sided 95% interval); it promised"
        " 0.72, and 0.02" in performance
    )


def test_the_share_is_of_the_inputs_that_could_be_compared_and_is_reached_from_below():
    uncompared = [
        _column(f"u{i}", None, problem="no value", reference=1.0, missing=1.0) for i in range(8)
    ]
    one, other = _column("a", 0.5, drifted=True), _column("b")
    assert decide(_facts(one, other, *uncompared), RULES).verdict == "drift"
    assert decide(_facts(one, other, _column("c"), *uncompared), RULES).verdict == "no_drift"


@pytest.mark.parametrize(
    ("missing", "reference", "verdict"),
    [
        pytest.param(0.11, 0.0, "drift", id="more than is tolerated"),
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
        _facts(FINE, _column("gust", score, missing=missing, reference=reference)), RULES
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
    assert not found(missed, abs(good - missed) + 1e-9).worse
    assert not found(good, 0.0).worse
    assert not found(kept, 0.5).worse
    assert not found(None, 0.0).worse
    assert found(missed, 0.02).rows == N


def test_one_class_only_has_no_performance():
    fact = measure_performance(
        "roc_auc", np.ones(N), P, event_times=TIMES, expected=0.9, rule=Performance(), seed=1
    )
    assert np.isnan(fact.live)
    assert (fact.good_end, fact.worse) == (None, False)
