"""What is broken, or cannot be looked at, is an alarm that names it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from pipelines.spec.drift import Drift, Rule
from pipelines.watch.comparison import look
from pipelines.watch.sides import Rows
from tests.unit.watch.looks import INF, NAN, fact_of, look_and_decide
from tests.unit.watch.windows import (
    CHAMPION,
    ROWS,
    RULES,
    answers,
    champion,
    labelled,
    replaced,
    table,
    window,
)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        pytest.param(
            table(ROWS, 1).drop_columns(["night"]),
            "the input night is missing",
            id="a missing column",
        ),
        pytest.param(
            replaced("delay", ["1.5"] * ROWS),
            "the input delay holds numbers as text",
            id="numbers as text",
        ),
        pytest.param(
            replaced("delay", ["late"] * ROWS),
            "the input delay holds texts",
            id="text for a number",
        ),
        pytest.param(
            replaced("carrier", [7] * ROWS),
            "the input carrier holds whole numbers",
            id="numbers for text",
        ),
        pytest.param(
            replaced("night", [0, 1] * (ROWS // 2)),
            "the input night holds whole numbers",
            id="numbers for a boolean",
        ),
        pytest.param(
            replaced("weekday", [1.5, 2.0] * (ROWS // 2)),
            "400 values that are with a fraction",
            id="fractions for integers",
        ),
        pytest.param(
            replaced("weekday", pa.array([0] * ROWS, pa.timestamp("us"))),
            "timestamp[us]",
            id="times for integers",
        ),
        pytest.param(
            replaced("delay", [INF, -INF] + [1.0] * (ROWS - 2)),
            "2 values that are infinite",
            id="infinite values",
        ),
        pytest.param(
            replaced("delay", [1e300] + [1.0] * (ROWS - 1)),
            "one value that is beyond what a model",
            id="a huge value",
        ),
        pytest.param(
            table(ROWS, 1).append_column("delay", pa.array([0.0] * ROWS)),
            "delay stands there 2 times",
            id="a column twice",
        ),
    ],
)
def test_a_broken_input_is_an_alarm_even_in_a_small_window(inputs, words):
    for rows in (ROWS, 20):
        found, decision = look_and_decide(window(inputs.slice(0, rows)))
        assert decision.verdict == "alarm"
        assert words in decision.reasons[0] or rows == 20
        assert found.evidently is None


@pytest.mark.parametrize(
    ("predictions", "words"),
    [
        pytest.param(
            np.full(ROWS, NAN), "800 of 800 predictions in the window are not finite", id="NaN"
        ),
        pytest.param(
            np.r_[INF, answers(ROWS - 1, 1)],
            "1 of 800 predictions in the window are not finite",
            id="infinity",
        ),
        pytest.param(np.r_[7.0, answers(ROWS - 1, 1)], "are no probabilities", id="no probability"),
        pytest.param(answers(3, 1), "800 rows and 3 predictions", id="too few of them"),
        pytest.param(np.array(["late"] * ROWS, dtype=object), "ValueError", id="texts"),
    ],
)
def test_broken_predictions_are_an_alarm(predictions, words):
    _, decision = look_and_decide(window(predictions=predictions))
    assert decision.verdict == "alarm"
    assert words in decision.reasons[0]


def test_labels_and_their_predictions_must_be_finite():
    labels = labelled()
    for broken in (replace(labels, y=np.full(ROWS, NAN)), replace(labels, p=np.full(ROWS, INF))):
        assert look_and_decide(window(), labels=broken)[1].verdict == "alarm"


def test_a_reference_without_rows_or_with_infinite_values_is_an_alarm():
    empty = replace(CHAMPION, reference=Rows(table(0, 99), answers(9, 9)))
    assert look_and_decide(window(), against=empty)[1].verdict == "alarm"
    infinite = replace(CHAMPION, reference=Rows(replaced("delay", [INF] * ROWS), answers(9, 9)))
    assert (
        "in the champion's training data"
        in look_and_decide(window(), against=infinite)[1].reasons[0]
    )


def test_a_method_that_does_not_fit_its_input_is_an_alarm():
    rules = Drift(schedule="monthly", columns={"carrier": Rule(method="ks")})
    _, decision = look_and_decide(window(), rules)
    assert decision.verdict == "alarm"
    assert (
        "the spec compares the input carrier with ks, which does not compare texts"
        in decision.reasons
    )


def test_a_distance_that_is_not_defined_leaves_the_verdict_to_the_test():
    rules = Drift(schedule="monthly", columns={"delay": Rule(method="t_test")})
    still = champion(table(2_000, 99).set_column(0, "delay", pa.array([3.0] * 2_000)))
    found, decision = look_and_decide(window(replaced("delay", [3.0] * ROWS)), rules, against=still)
    assert decision.verdict == "no_drift"
    assert fact_of(found, "delay").problem == "one and the same value on both sides"


def test_where_evidently_fails_the_verdict_stands_and_a_note_names_the_column(monkeypatch):
    from pipelines.watch import evidently_run

    asked = evidently_run._run

    def raising(inputs, *more, **rest):
        if any(c.name == "distance" for c in inputs):
            raise RuntimeError("no bins")
        return asked(inputs, *more, **rest)

    monkeypatch.setattr(evidently_run, "_run", raising)
    found, decision = look_and_decide(window())
    assert decision.verdict == "no_drift"
    assert (
        "not on Evidently's page, which cannot compare them: distance: RuntimeError: no bins"
        in decision.reasons
    )
    assert all(c.score is not None for c in found.facts.columns)
    assert found.evidently is not None

    def broken(*_given, **_more):
        raise ValueError("gone")

    monkeypatch.setattr(evidently_run, "run", broken)
    found, decision = look_and_decide(window())
    assert (decision.verdict, found.evidently) == ("no_drift", None)
    assert "there is no page of Evidently's: gone" in decision.reasons


def test_a_metric_that_raises_is_an_alarm_and_the_rest_is_compared():
    labels = replace(labelled(), y=np.array([{}] * ROWS, dtype=object))
    found, decision = look_and_decide(
        window(), labels=replace(labelled(), event_times=labelled().event_times[:-1])
    )
    assert decision.verdict == "alarm"
    assert "roc_auc of the 800 labelled rows could not be computed" in decision.reasons[0]
    assert fact_of(found, "delay").score is not None
    assert look_and_decide(window(), labels=labels)[1].verdict == "alarm"


def test_an_exception_of_the_look_is_an_alarm_that_names_it_and_is_logged(caplog):
    broken = Rows(None, answers(5, 1))
    found, decision = look_and_decide(broken)
    assert decision.verdict == "alarm"
    assert "AttributeError" in decision.reasons[0]
    assert found.facts.error
    assert caplog.records[0].exc_info


@pytest.mark.parametrize("raised", [MemoryError, KeyboardInterrupt])
def test_what_says_nothing_of_the_data_is_raised(raised):
    class Table:
        @property
        def num_columns(self):
            raise raised

    with pytest.raises(raised):
        look(RULES, Rows(Table(), answers(5, 1)), None, CHAMPION, seed=1)
