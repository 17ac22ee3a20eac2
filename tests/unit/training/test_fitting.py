"""A fit goes on where its rows lack something, and the log says what was done another way."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pipelines.bundle.predictor import OnnxPredictor
from pipelines.bundle.rows import feed_from_table, frame_from_feed, rows_from_table, schema_of
from pipelines.errors import BadData, SpecError
from pipelines.training import estimators
from pipelines.training.fitting import fit_pipeline
from pipelines.training.onnx.answers import native_answers
from pipelines.training.onnx.edges import edge_rows
from pipelines.training.onnx.export import compile_pipeline
from tests.unit.training.fits import BOOSTED, LOG, fit, small_candidate
from tests.unit.training.usual import LEARNERS

KNOWN = LEARNERS


def early_table(count=200, *, empty=True):
    """What an early fold holds.

    `later` has no value yet, `word` neither, `one` has the same everywhere.
    """
    rng = np.random.default_rng(0)
    later, word = rng.normal(1e4, 1e3, count), rng.choice(["a", "b"], count)
    return pa.table(
        {
            "later": pa.nulls(count, pa.float64()) if empty else later,
            "x": rng.normal(size=count),
            "one": np.full(count, 7) if empty else rng.integers(0, 9, count),
            "word": pa.nulls(count, pa.string()) if empty else pa.array(word),
        }
    )


def target_of(table, task):
    x = table["x"].to_numpy()
    return {
        "binary": (x > 0).astype(int),
        "multiclass": np.digitize(x, [-0.5, 0.5]),
        "regression": np.exp(x),
    }[task]


@pytest.mark.parametrize(("task", "name"), KNOWN)
def test_an_input_that_tells_nothing_is_a_constant(task, name, caplog):
    """Also when it is asked with values that come later, and compiled.

    It does not move the answers.
    """
    table = early_table()
    model, schema = fit(small_candidate(name), table, target_of(table, task), task)
    for column, why in (
        ("later", "has no value"),
        ("word", "has no value"),
        ("one", "has one value only"),
    ):
        assert (
            f"tried: {column} {why} in the 200 rows of this fit: taken as a constant" in caplog.text
        )
    asked = [
        frame_from_feed(feed_from_table(schema.columns, t))
        for t in (table, early_table(empty=False))
    ]
    answers = [estimators.answers(model, a, task, schema.classes) for a in asked]
    assert np.array_equal(*answers)
    assert len(np.unique(answers[0])) > 1
    whole, single = edge_rows(schema, rows_from_table(schema.columns, table))
    found = compile_pipeline(
        model, schema, feed_from_table(schema.columns, table), [*whole, *single]
    )
    assert found.model is not None or "KNeighbors" in name or found.parity > 0, found.why_not
    if found.model is not None:
        feed = feed_from_table(schema.columns, early_table(empty=False))
        assert np.allclose(
            OnnxPredictor(schema, found.model).predict_feed(feed),
            native_answers(model, schema, feed),
            atol=1e-4,
        )


@pytest.mark.parametrize(("task", "name"), KNOWN)
def test_where_no_input_has_a_value_the_best_constant_is_fitted(task, name, caplog):
    table = pa.table({"later": pa.nulls(60, pa.float64()), "word": pa.nulls(60, pa.string())})
    y = np.arange(60) % (3 if task == "multiclass" else 2)
    model, schema = fit(small_candidate(name), table, y, task)
    assert "the best constant takes its place" in caplog.text
    later = early_table(60, empty=False).select(["later", "word"])
    answers = estimators.answers(model, estimators.frame(schema, later), task, schema.classes)
    assert np.allclose(answers, 1 / 3 if task == "multiclass" else 0.5)


def test_null_beside_one_value_tells_something_to_those_who_learn_from_null():
    known = np.arange(200) % 2 == 0
    table = pa.table(
        {
            "x": pa.array(np.where(known, 1.0, np.nan), from_pandas=True),
            "z": np.random.default_rng(0).normal(size=200),
        }
    )
    model, schema = fit(small_candidate(BOOSTED), table, known.astype(int))
    answers = estimators.answers(model, estimators.frame(schema, table), "binary", None)
    assert answers[known].min() > answers[~known].max()


def test_there_are_no_more_neighbours_than_rows(caplog):
    x = np.arange(4.0)
    candidate = small_candidate("sklearn.neighbors.KNeighborsRegressor", n_neighbors=9)
    model, schema = fit(candidate, pa.table({"x": x}), x, "regression")
    assert "n_neighbors is 4 in this fit" in caplog.text
    assert (
        estimators.answers(
            model, estimators.frame(schema, pa.table({"x": x})), "regression", None
        ).tolist()
        == [1.5] * 4
    )


def test_a_bad_value_is_still_the_specs_fault():
    x = np.arange(40.0)
    for params, name in (
        ({"validation_fraction": "much", "early_stopping": True}, "validation_fraction"),
        ({"max_iter": -1}, "max_iter"),
    ):
        words = rf"candidates\.tried: {name} must be a .*, found ('much'|-1)\."
        with pytest.raises(SpecError, match=words) as caught:
            fit(small_candidate(BOOSTED, **params), pa.table({"x": x}), (x > 9).astype(int))
        assert caught.value.at == ("candidates", "tried", "params", name)


def test_what_a_fit_has_said_is_not_said_again(caplog):
    table, said = early_table(), set()
    schema = schema_of(table, table.column_names, "binary", None)
    for _ in range(3):
        candidate = small_candidate(BOOSTED)
        pipeline = estimators.build_pipeline(candidate, schema, 0, {"max_iter": 3})
        fit_pipeline(
            pipeline,
            estimators.frame(schema, table),
            target_of(table, "binary"),
            candidate,
            LOG,
            said,
        )
    assert caplog.text.count("later has no value") == 1


def test_a_fit_that_fails_names_the_candidate():
    table = pa.table({"x": np.arange(30.0)})
    with pytest.raises(
        BadData, match=r"tried \(sklearn.linear_model.PoissonRegressor\) could not be fitted"
    ):
        fit(
            small_candidate("sklearn.linear_model.PoissonRegressor"),
            table,
            np.full(30, -1.0) - np.arange(30),
            "regression",
        )


def test_the_frame_of_a_fit_is_not_changed():
    table = early_table()
    schema = schema_of(table, table.column_names, "binary", None)
    inputs = estimators.frame(schema, table)
    before, candidate = inputs.copy(), small_candidate(BOOSTED)
    fit_pipeline(
        estimators.build_pipeline(candidate, schema, 0, {"max_iter": 2}),
        inputs,
        target_of(table, "binary"),
        candidate,
        LOG,
    )
    pd.testing.assert_frame_equal(inputs, before)
