"""Windows in which something is missing: rows, values, columns, classes, variation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from pipelines.spec.drift import NUMBER_METHODS, TEXT_METHODS, Drift, Rule
from pipelines.watch.sides import Rows
from tests.unit.watch.looks import NAN, fact_of, look_and_decide, look_without_page
from tests.unit.watch.windows import (
    CHAMPION,
    ROWS,
    answers,
    champion,
    labelled,
    replaced,
    table,
    window,
)


def test_an_empty_or_tiny_window_is_no_verdict():
    for rows in (
        window(table(0, 1)),
        Rows(pa.table({}), np.empty(0)),
        window(table(1, 1)),
        window(table(499, 1)),
    ):
        found, decision = look_and_decide(rows)
        assert decision.verdict == "not_enough_data"
        assert found.evidently is None


def test_one_row_that_is_asked_to_be_enough_is_not():
    _, decision = look_and_decide(window(table(1, 1)), Drift(schedule="monthly", min_rows=1))
    assert decision.verdict == "not_enough_data"
    assert "the window has 1 rows; at least 2 are needed" in decision.reasons[0]


@pytest.mark.parametrize("name", ["delay", "weekday", "night", "carrier"])
def test_a_constant_input_is_compared_like_any_other(name):
    first = table(ROWS, 1)[name][0].as_py()
    found, decision = look_and_decide(window(replaced(name, [first] * ROWS)))
    assert fact_of(found, name).drifted
    assert name in decision.reasons[0]


@pytest.mark.parametrize(
    "values",
    [pa.nulls(ROWS), pa.array([NAN] * ROWS), pa.array([None] * ROWS, pa.string())],
    ids=["null", "NaN", "text"],
)
def test_an_input_whose_values_are_all_missing_is_drift(values):
    name = "carrier" if pa.types.is_string(values.type) else "delay"
    found, decision = look_and_decide(window(replaced(name, values)))
    assert decision.verdict == "drift"
    assert f"{name} (100.0% missing, 0.0% in the champion's training data)" in decision.reasons[0]
    assert fact_of(found, name).problem == "no value in the window"


def test_ninety_percent_of_nan_are_drift():
    values = [NAN if i % 10 else 0.1 for i in range(ROWS)]
    _, decision = look_without_page(window(replaced("delay", values)))
    assert decision.verdict == "drift"
    assert "missing values have changed: delay (its missing values" in decision.reasons[0]


def test_an_input_that_training_saw_empty_is_named_when_it_comes_to_life():
    empty = table(2_000, 99).set_column(0, "delay", pa.nulls(2_000, pa.float64()))
    against = champion(empty)
    still = window(replaced("delay", pa.nulls(ROWS)))
    assert look_and_decide(still, against=against)[1].verdict == "no_drift"
    found, decision = look_and_decide(window(), against=against)
    assert decision.verdict == "drift"
    assert (
        "values appeared where the champion's training data hold none, in 1 input: delay"
        in decision.reasons[0]
    )
    assert fact_of(found, "delay").problem == "no value in the champion's training data"


def test_a_column_more_is_a_note():
    found, decision = look_and_decide(
        window(table(ROWS, 1).append_column("gust", pa.array([1.0] * ROWS)))
    )
    assert decision.verdict == "no_drift"
    assert "the window holds columns that the champion does not know: gust" in decision.reasons
    assert found.evidently is not None


def test_unseen_texts_are_drift_of_their_input():
    found, _ = look_and_decide(window(replaced("carrier", [f"new {i % 7}" for i in range(ROWS)])))
    assert found.facts.drifted_names == ["carrier"]
    assert fact_of(found, "carrier").score == pytest.approx(np.sqrt(np.log(2)))


def test_one_class_of_labels_leaves_the_verdict_to_the_inputs_and_says_so():
    labels = replace(labelled(), y=np.ones(ROWS, dtype=int))
    earlier = replace(CHAMPION, held=None)
    _, decision = look_without_page(window(), labels=labels, against=earlier)
    assert decision.verdict == "no_drift"
    assert (
        "roc_auc is not defined on the 800 labelled rows: the rows show one class only"
        in decision.reasons[1]
    )
    moved = window(table(ROWS, 1, shift=5.0), answers(ROWS, 1) ** 0.3)
    assert look_without_page(moved, labels=labels, against=earlier)[1].verdict == "drift"
    wrong = look_without_page(window(), labels=labels)[1]
    assert "more wrong than on its holdout" in wrong.reasons[0], "of single answers a test can tell"


@pytest.mark.parametrize(
    ("labels", "against", "words"),
    [
        pytest.param(None, CHAMPION, "0 rows have labels, 500 are needed", id="no labels"),
        pytest.param(labelled(499, skill=0.0), CHAMPION, "499 rows have labels", id="few labels"),
        pytest.param(
            labelled(), champion(expected=None), "holds no roc_auc to compare with", id="no promise"
        ),
        pytest.param(
            labelled(),
            champion(predictions=np.empty(0)),
            "holds no answers of its holdout",
            id="no reference predictions",
        ),
    ],
)
def test_what_could_not_be_looked_at_is_noted(labels, against, words):
    _, decision = look_without_page(window(), labels=labels, against=against)
    assert decision.verdict == "no_drift"
    assert any(words in r for r in decision.reasons)


def test_personal_inputs_are_not_looked_at():
    columns = [
        c.model_copy(update={"personal": "drop" if c.name == "carrier" else None})
        for c in CHAMPION.schema.columns
    ]
    against = replace(CHAMPION, schema=CHAMPION.schema.model_copy(update={"columns": columns}))
    found, decision = look_and_decide(
        window(table(ROWS, 1).drop_columns(["carrier"])), against=against
    )
    assert decision.verdict == "no_drift"
    assert [c.name for c in found.facts.columns] == ["delay", "distance", "weekday", "night"]


def test_with_personal_inputs_only_the_predictions_decide():
    columns = [c.model_copy(update={"personal": "hash"}) for c in CHAMPION.schema.columns]
    against = replace(
        CHAMPION,
        schema=CHAMPION.schema.model_copy(update={"columns": columns}),
        reference=Rows(pa.table({}), answers(2_000, 9)),
    )
    assert (
        look_without_page(Rows(pa.table({}), answers(ROWS, 1)), against=against)[1].verdict
        == "no_drift"
    )
    assert (
        look_without_page(Rows(pa.table({}), answers(ROWS, 1) ** 0.3), against=against)[1].verdict
        == "drift"
    )
    nothing = replace(against, reference=Rows(pa.table({}), np.empty(0)))
    assert (
        look_without_page(Rows(pa.table({}), answers(ROWS, 1)), against=nothing)[1].verdict
        == "alarm"
    )


@pytest.mark.parametrize("method", NUMBER_METHODS)
def test_one_constant_input_leaves_the_verdict_to_the_others(method):
    rules = Drift(
        schedule="monthly",
        columns={"still": Rule(method=method), "moved": Rule(method=method)},
    )
    learnt = pa.table(
        {"still": [3.0] * 2_000, "moved": [3.0] * 2_000, "weekday": table(2_000, 99)["weekday"]}
    )
    seen = pa.table(
        {"still": [3.0] * ROWS, "moved": [4.0] * ROWS, "weekday": table(ROWS, 1)["weekday"]}
    )
    found, decision = look_and_decide(window(seen), rules, against=champion(learnt))
    assert decision.verdict == "drift"
    fact = fact_of(found, "still")
    assert (fact.drifted, fact.problem) == (
        False,
        "one and the same value on both sides" if fact.score is None else "",
    )
    assert found.facts.drifted_names == ["moved"]
    assert fact_of(found, "weekday").score is not None


@pytest.mark.parametrize("method", TEXT_METHODS)
def test_one_constant_text_leaves_the_verdict_to_the_others(method):
    rules = Drift(schedule="monthly", texts=Rule(method=method))
    learnt = pa.table(
        {"still": ["AA"] * 2_000, "moved": ["AA"] * 2_000, "same": ["AA", "B6"] * 1_000}
    )
    seen = pa.table(
        {"still": ["AA"] * ROWS, "moved": ["B6"] * ROWS, "same": ["AA", "B6"] * (ROWS // 2)}
    )
    found, decision = look_and_decide(window(seen), rules, against=champion(learnt))
    assert (decision.verdict, found.facts.drifted_names) == ("drift", ["moved"])


@pytest.mark.parametrize(
    ("values", "learnt"),
    [
        pytest.param(
            [1.0] * (ROWS - 1) + [1 + 1e-15], [1.0], id="values that differ in their last digit"
        ),
        pytest.param([3e38] * ROWS, [-3e38], id="a huge constant"),
        pytest.param([1e17] * ROWS, [1e17, 2e17], id="a constant identifier"),
        pytest.param([5e-324] * ROWS, [0.0], id="a denormal"),
    ],
)
def test_numbers_whose_bins_evidently_cannot_draw_are_compared(values, learnt):
    against = champion(
        pa.table({"odd": learnt * (2_000 // len(learnt)), "weekday": table(2_000, 99)["weekday"]})
    )
    found, decision = look_and_decide(
        window(pa.table({"odd": values, "weekday": table(ROWS, 1)["weekday"]})), against=against
    )
    assert decision.verdict in {"no_drift", "drift"}, decision.reasons
    assert [c.score is None for c in found.facts.columns] == [False, False]
    assert found.evidently is not None
