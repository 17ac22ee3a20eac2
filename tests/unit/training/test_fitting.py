"""A fit goes on where its rows lack something, and the log says what was done another way."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pipelines.bundle.load import golden_differences, open_bundle
from pipelines.bundle.predictor import OnnxPredictor
from pipelines.bundle.rows import feed_from_table, frame_from_feed, rows_from_table, schema_of
from pipelines.errors import BadData, SpecError
from pipelines.messages import PackageRequest
from pipelines.spec import Candidate
from pipelines.spec.estimators import ESTIMATORS
from pipelines.steps import gate, package
from pipelines.training import estimators
from pipelines.training.fitting import fit_pipeline
from pipelines.training.onnx.export import compile_pipeline, edge_rows, native_answers
from pipelines.training.threads import limit_threads
from tests.unit.steps.learning import DAYS, ROWS, RUN, learning, rows, spec_text

LOG = logging.getLogger("perennial.tests")
KNOWN = [
    (task, name)
    for name, known in sorted(ESTIMATORS.items())
    for task in sorted(known.tasks)
    if not known.dummy
]
BOOSTED = "sklearn.ensemble.HistGradientBoostingClassifier"
FEW = {
    "HistGradientBoosting": {"max_iter": 5},
    "MLP": {"max_iter": 5},
    "GradientBoosting": {"n_estimators": 5},
}


@pytest.fixture(autouse=True)
def _one_thread():
    """As the steps hold it: OpenMP's threads spin where cores are shared."""
    with limit_threads(1):
        yield


def _candidate(name, **params):
    leaf = name.rsplit(".", 1)[-1]
    few = next(
        (p for stem, p in FEW.items() if leaf.startswith(stem)),
        {"n_estimators": 5} if "ensemble" in name else {},
    )
    return Candidate.model_validate(
        {"name": "tried", "estimator": name, "params": {**few, **params}}
    )


def _fit(candidate, table, y, task="binary"):
    schema = schema_of(
        table,
        table.column_names,
        task,
        [str(c) for c in np.unique(y)] if task == "multiclass" else None,
    )
    pipeline = estimators.build_pipeline(candidate, schema, 0, candidate.params)
    return fit_pipeline(pipeline, estimators.frame(schema, table), y, candidate, LOG), schema


def _early(count=200, *, empty=True):
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


def _target(table, task):
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
    table = _early()
    model, schema = _fit(_candidate(name), table, _target(table, task), task)
    for column, why in (
        ("later", "has no value"),
        ("word", "has no value"),
        ("one", "has one value only"),
    ):
        assert (
            f"tried: {column} {why} in the 200 rows of this fit: taken as a constant" in caplog.text
        )
    asked = [
        frame_from_feed(feed_from_table(schema.columns, t)) for t in (table, _early(empty=False))
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
        feed = feed_from_table(schema.columns, _early(empty=False))
        assert np.allclose(
            OnnxPredictor(schema, found.model).predict_feed(feed),
            native_answers(model, schema, feed),
            atol=1e-4,
        )


@pytest.mark.parametrize(("task", "name"), KNOWN)
def test_where_no_input_has_a_value_the_best_constant_is_fitted(task, name, caplog):
    table = pa.table({"later": pa.nulls(60, pa.float64()), "word": pa.nulls(60, pa.string())})
    y = np.arange(60) % (3 if task == "multiclass" else 2)
    model, schema = _fit(_candidate(name), table, y, task)
    assert "the best constant takes its place" in caplog.text
    later = _early(60, empty=False).select(["later", "word"])
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
    model, schema = _fit(_candidate(BOOSTED), table, known.astype(int))
    answers = estimators.answers(model, estimators.frame(schema, table), "binary", None)
    assert answers[known].min() > answers[~known].max()


@pytest.mark.parametrize(
    ("name", "params", "rows_"),
    [
        pytest.param(BOOSTED, {}, 10_050, id="by itself above 10,000 rows"),
        pytest.param(BOOSTED, {"early_stopping": True}, 300, id="asked for"),
        pytest.param(
            "sklearn.neural_network.MLPClassifier", {"early_stopping": True}, 300, id="MLP"
        ),
        pytest.param(
            "sklearn.ensemble.GradientBoostingClassifier",
            {"n_iter_no_change": 2},
            300,
            id="GradientBoosting",
        ),
    ],
)
def test_a_class_with_one_row_turns_early_stopping_off(name, params, rows_, caplog):
    x = np.random.default_rng(0).normal(size=rows_)
    y = (x > 0).astype(int)
    y[0] = 2
    model, schema = _fit(_candidate(name, **params), pa.table({"x": x}), y, "multiclass")
    assert (
        "early stopping is off in this fit: the rarest of 3 classes has one row only" in caplog.text
    )
    assert estimators.answers(
        model, estimators.frame(schema, pa.table({"x": x})), "multiclass", schema.classes
    ).shape == (rows_, 3)


def test_early_stopping_stays_where_each_class_can_be_held_back(caplog):
    x = np.random.default_rng(0).normal(size=400)
    model, _ = _fit(
        _candidate(BOOSTED, early_stopping=True, max_iter=50),
        pa.table({"x": x}),
        (x > 0).astype(int),
    )
    assert "early stopping is off" not in caplog.text
    assert model.named_steps["estimator"].do_early_stopping_


@pytest.mark.parametrize(
    "name",
    ["sklearn.neural_network.MLPRegressor", "sklearn.ensemble.HistGradientBoostingRegressor"],
)
def test_too_few_rows_to_hold_back_turn_early_stopping_off(name, caplog):
    x = np.arange(9.0)
    _fit(_candidate(name, early_stopping=True), pa.table({"x": x}), x, "regression")
    assert "early stopping is off in this fit: 1 of 9 rows held back are too few" in caplog.text


def test_values_that_early_stopping_may_all_hold_back_are_too_few(caplog):
    """Were all of them held back, there would be none to bin, and the fit would end."""
    x, rare = np.random.default_rng(0).normal(size=400), np.full(400, np.nan)
    rare[:3] = [1.0, 2.0, 3.0]
    table = pa.table({"x": x, "rare": pa.array(rare, from_pandas=True)})
    for seed in range(12):
        candidate = _candidate(
            BOOSTED, early_stopping=True, validation_fraction=0.8, random_state=seed
        )
        _fit(candidate, table, (x > 0).astype(int))
    assert "rare has 3 values only, too few to be binned" in caplog.text


def test_there_are_no_more_neighbours_than_rows(caplog):
    x = np.arange(4.0)
    candidate = _candidate("sklearn.neighbors.KNeighborsRegressor", n_neighbors=9)
    model, schema = _fit(candidate, pa.table({"x": x}), x, "regression")
    assert "n_neighbors is 4 in this fit" in caplog.text
    assert (
        estimators.answers(
            model, estimators.frame(schema, pa.table({"x": x})), "regression", None
        ).tolist()
        == [1.5] * 4
    )


def test_a_bad_value_is_still_the_specs_fault():
    x = np.arange(40.0)
    for params in ({"validation_fraction": "much", "early_stopping": True}, {"max_iter": -1}):
        with pytest.raises(SpecError, match=r"candidates\.tried: The '"):
            _fit(_candidate(BOOSTED, **params), pa.table({"x": x}), (x > 9).astype(int))


def test_what_a_fit_has_said_is_not_said_again(caplog):
    table, said = _early(), set()
    schema = schema_of(table, table.column_names, "binary", None)
    for _ in range(3):
        candidate = _candidate(BOOSTED)
        pipeline = estimators.build_pipeline(candidate, schema, 0, {"max_iter": 3})
        fit_pipeline(
            pipeline,
            estimators.frame(schema, table),
            _target(table, "binary"),
            candidate,
            LOG,
            said,
        )
    assert caplog.text.count("later has no value") == 1


def _late(day, column="b", task="binary"):
    """A day's features in which the column has values from the fourth day on."""
    table = rows(day, task)
    if day >= 3:
        return table
    at = table.column_names.index(column)
    return table.set_column(at, column, pa.nulls(ROWS, table.schema.field(column).type))


def _tried(task="binary", name="HistGradientBoosting", params="{max_iter: 5}"):
    leaf = f"{name}{'Regressor' if task == 'regression' else 'Classifier'}"
    return spec_text(
        task,
        candidates=f"  - {{name: tried, estimator: sklearn.ensemble.{leaf}, params: {params}}}",
    )


@pytest.mark.parametrize(
    ("task", "column"), [("binary", "b"), ("multiclass", "place"), ("regression", "b")]
)
def test_a_run_goes_on_with_an_input_that_begins_late(tmp_path, caplog, column, task):
    world = learning(tmp_path, _tried(task), tables=[_late(d, column, task) for d in range(DAYS)])
    assert world.train("tried").cv_score is not None
    assert f"tried: {column} has no value in the" in caplog.text


@pytest.mark.parametrize("kind", [pa.string(), pa.null(), pa.bool_()], ids=str)
def test_an_input_that_never_has_a_value_is_packaged_as_a_constant(tmp_path, kind):
    tables = [rows(d).set_column(3, "b", pa.nulls(ROWS, kind)) for d in range(DAYS)]
    world = learning(tmp_path, _tried(), tables=tables)
    trained = world.train_all()
    judged = gate.run(world.context, world.gate_request(trained))
    found = package.run(
        world.context, PackageRequest(run=RUN, features=world.built, train=trained, gate=judged)
    )
    bundle = open_bundle(world.context.ports.store, found.bundle)
    assert found.compiled, found.why_native
    assert golden_differences(bundle) == []
    row = bundle.golden.rows[0]
    value = {"string": "x", "boolean": True}.get(bundle.manifest.inputs.columns[1].kind, 1)
    assert (
        bundle.predictor.predict([{**row, "b": value}]).tolist()
        == bundle.predictor.predict([{**row, "b": None}]).tolist()
    )


@pytest.mark.parametrize("kind", [pa.string(), pa.float64()], ids=str)
def test_an_input_without_a_type_has_that_of_the_held_out_rows(tmp_path, kind):
    later = (
        pa.array(["u", "v"] * (ROWS // 2)) if kind == pa.string() else pa.array(np.arange(ROWS) / 2)
    )
    tables = [
        rows(d).set_column(3, "b", later if d >= DAYS - 2 else pa.nulls(ROWS)) for d in range(DAYS)
    ]
    world = learning(tmp_path, _tried(), tables=tables)
    trained = world.train_all()
    judged = gate.run(world.context, world.gate_request(trained))
    found = package.run(
        world.context, PackageRequest(run=RUN, features=world.built, train=trained, gate=judged)
    )
    inputs = open_bundle(world.context.ports.store, found.bundle).manifest.inputs.columns
    assert inputs[1].kind == ("string" if kind == pa.string() else "number")


def test_a_class_that_an_early_fold_lacks_is_learnt_later(tmp_path):
    tables = [rows(d, "multiclass") for d in range(DAYS)]
    only = [
        pa.array(["high" if v == "middle" else v for v in t["y"].to_pylist()]) for t in tables[:2]
    ]
    tables[:2] = [t.set_column(8, "y", y) for t, y in zip(tables[:2], only, strict=True)]
    assert (
        learning(tmp_path, _tried("multiclass"), tables=tables).train("tried").cv_score is not None
    )


@pytest.mark.parametrize("metric", ["r2", "wape"])
def test_a_fold_on_which_the_metric_is_not_defined_is_left_out(tmp_path, caplog, metric):
    """A metric that is NaN in one fold would leave the candidate without a score."""
    tables = [rows(d, "regression") for d in range(DAYS)]
    text = (
        _tried("regression")
        .replace("metric: rmse, seed", f"metric: {metric}, seed")
        .replace("folds: 2", "folds: 3")
    )
    for day, first in (
        (0, ROWS - 10),
        (1, 0),
    ):  # the second span of four begins before the first day ends
        y = np.where(np.arange(ROWS) < first, tables[day]["y"].to_numpy(), 0.0)
        tables[day] = tables[day].set_column(8, "y", pa.array(y))
    found = learning(tmp_path, text, tables=tables).train("tried")
    assert found.cv_score is not None
    assert "1 of 3 folds" in caplog.text


def test_where_no_fold_can_judge_it_is_said_in_words(tmp_path):
    tables = [rows(d).set_column(8, "y", pa.array([d >= 3] * ROWS)) for d in range(DAYS)]
    with pytest.raises(BadData, match="In every fold y has one value only"):
        learning(tmp_path, _tried(), tables=tables).train("tried")


def test_a_fit_that_fails_names_the_candidate():
    table = pa.table({"x": np.arange(30.0)})
    with pytest.raises(
        BadData, match=r"tried \(sklearn.linear_model.PoissonRegressor\) could not be fitted"
    ):
        _fit(
            _candidate("sklearn.linear_model.PoissonRegressor"),
            table,
            np.full(30, -1.0) - np.arange(30),
            "regression",
        )


def test_the_frame_of_a_fit_is_not_changed():
    table = _early()
    schema = schema_of(table, table.column_names, "binary", None)
    inputs = estimators.frame(schema, table)
    before, candidate = inputs.copy(), _candidate(BOOSTED)
    fit_pipeline(
        estimators.build_pipeline(candidate, schema, 0, {"max_iter": 2}),
        inputs,
        _target(table, "binary"),
        candidate,
        LOG,
    )
    pd.testing.assert_frame_equal(inputs, before)
