"""The proof of compiled models.

It asks where one step of float32 changes the answer, and a threshold that is wrong is seen.
"""

from __future__ import annotations

import logging

import numpy as np
import onnx
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from pipelines.bundle.predictor import OnnxPredictor
from pipelines.bundle.rows import (
    FLOAT32_MAX,
    feed_from_table,
    frame_from_feed,
    rows_from_table,
    schema_of,
)
from pipelines.spec import Candidate
from pipelines.spec.estimators import ESTIMATORS
from pipelines.training import estimators
from pipelines.training.fitting import fit_pipeline
from pipelines.training.onnx import export
from pipelines.training.onnx.export import (
    TOLERANCE,
    compile_pipeline,
    difference,
    edge_rows,
    native_answers,
    to_onnx,
)
from pipelines.training.onnx.thresholds import build_rows
from pipelines.training.onnx.tree_nodes import read_nodes, round_down, round_thresholds
from pipelines.training.threads import limit_threads

KNOWN = [
    (task, name)
    for name, known in sorted(ESTIMATORS.items())
    for task in sorted(known.tasks)
    if not known.dummy
]
TREES = [(task, name) for task, name in KNOWN if "ensemble" in name or "tree" in name]
FEW = {
    "HistGradientBoosting": {"max_iter": 10},
    "MLP": {"max_iter": 5},
    "DecisionTree": {},
    "KNeighbors": {},
}


@pytest.fixture(autouse=True)
def _one_thread():
    """As the steps hold it: OpenMP's threads spin where cores are shared."""
    with limit_threads(1):
        yield


def _table(step, rows=400, seed=0, offset=0.0):
    """Prices on a grid, whole numbers, booleans and texts, with nulls."""
    rng = np.random.default_rng(seed)
    price = rng.integers(-90, 90, rows) * step + offset
    return pa.table(
        {
            "price": pa.array(np.where(rng.random(rows) < 0.1, np.nan, price), from_pandas=True),
            "weight": rng.integers(0, 300, rows) * step,
            "count": rng.integers(-3, 30, rows),
            "gift": rng.random(rows) < 0.5,
            "shop": pa.array([None if x == "c" else x for x in rng.choice(["a", "b", "c"], rows)]),
        }
    )


def _fitted(task, name, table, *, step=0.1, offset=0.0, seed=0, **fields):
    """A fitted pipeline, as the steps build it, and its schema.

    Prices that lie side by side have answers far apart.
    """
    leaf = name.rsplit(".", 1)[-1]
    params = next(
        (p for stem, p in FEW.items() if leaf.startswith(stem)),
        {"n_estimators": 6} if "ensemble" in name else {},
    )
    candidate = Candidate.model_validate(
        {"name": "tried", "estimator": name, "params": params, **fields}
    )
    price, rng = (
        np.nan_to_num(table["price"].to_numpy(), nan=offset),
        np.random.default_rng([seed, 1]),
    )
    value = (
        (np.round((price - offset) / step) % 7 > 3)
        + 0.3 * np.array(table["gift"])
        + rng.normal(0, 0.1, len(price))
    )
    y = {
        "binary": (value > 0.6).astype(int),
        "multiclass": np.digitize(value, [0.4, 0.9]),
        "regression": np.exp(value),
    }[task]
    schema = schema_of(
        table, table.column_names, task, ["0", "1", "2"] if task == "multiclass" else None
    )
    pipeline = estimators.build_pipeline(candidate, schema, seed, params)
    return (
        fit_pipeline(
            pipeline,
            estimators.frame(schema, table),
            y,
            candidate,
            logging.getLogger("perennial.tests"),
        ),
        schema,
    )


def _proven(pipeline, schema, table):
    whole, single = edge_rows(schema, rows_from_table(schema.columns, table))
    return compile_pipeline(
        pipeline, schema, feed_from_table(schema.columns, table.slice(0, 100)), [*whole, *single]
    )


def _gap(pipeline, schema, model, feed):
    return difference(
        native_answers(pipeline, schema, feed),
        OnnxPredictor(schema, model).predict_feed(feed),
        schema.task,
    )


@settings(max_examples=20, deadline=None, derandomize=True, database=None)
@given(
    kind=st.sampled_from(KNOWN),
    step=st.sampled_from([0.1, 0.01, 0.05, 0.3, 1 / 3, 2.5, 1e-3, 1e4, 1e-40]),
    offset=st.sampled_from([0.0, 0.07, 1000.3, -1e6]),
    encode=st.sampled_from(["ordinal", "onehot"]),
    seed=st.integers(0, 50),
)
def test_on_a_grid_of_decimals_a_compiled_model_answers_as_the_fitted_one(
    kind, step, offset, encode, seed
):
    """Asked on the grid, at its halves, and one float32 beside both.

    What cannot be proven is not taken.
    """
    table = _table(step, seed=seed, offset=offset)
    pipeline, schema = _fitted(*kind, table, step=step, offset=offset, seed=seed, encode=encode)
    found = _proven(pipeline, schema, table)
    assert (found.model is None) == bool(found.why_not)
    if kind in TREES:
        assert found.model is not None, found.why_not
    if found.model is None:
        return
    feed = feed_from_table(schema.columns, _table(step / 2, seed=seed + 1, offset=offset))
    for side in (None, np.float32(-np.inf), np.float32(np.inf)):
        asked = {
            n: a if side is None or a.dtype == object else np.nextafter(a, side)
            for n, a in feed.items()
        }
        assert _gap(pipeline, schema, found.model, asked) <= 10 * TOLERANCE[schema.task]


@pytest.mark.parametrize(("task", "name"), [k for k in TREES if "Hist" in k[1]])
def test_thresholds_that_are_rounded_to_the_nearest_float32_are_refused(task, name):
    """The converter's own way with HistGradientBoosting.

    Random rows agree, rows at the thresholds do not.
    """
    table = _table(0.1, rows=2_000)
    pipeline, schema = _fitted(task, name, table)
    thresholds = read_nodes(pipeline.steps[-1][1]).threshold
    assert (round_down(thresholds) != thresholds.astype(np.float32)).mean() > 0.1
    wrong = _nearest(to_onnx(pipeline, schema), thresholds)
    feed = feed_from_table(schema.columns, table.slice(0, 100))
    assert _gap(pipeline, schema, wrong, feed) < TOLERANCE[task]
    proof = export._prove(
        pipeline, OnnxPredictor(schema, wrong), export._ask(pipeline, schema, feed, [])
    )
    assert "on a row at a threshold" in proof.why_not


def _nearest(model, thresholds):
    """Return the compiled model with the thresholds, in the order of its nodes, as the nearest
    float32."""
    return _changed(
        model,
        "nodes_values",
        lambda values, inner: values.__setitem__(inner, thresholds.astype(np.float32)),
    )


def _changed(model, field, change):
    """Return the compiled model with one attribute of its trees changed in place.

    `change(values, positions of inner nodes)`.
    """
    graph = onnx.load_from_string(model)
    (node,) = [n for n in graph.graph.node if n.op_type.startswith("TreeEnsemble")]
    held = {a.name: a for a in node.attribute}
    inner = np.flatnonzero([mode == b"BRANCH_LEQ" for mode in held["nodes_modes"].strings])
    values = held[field].floats if field == "nodes_values" else held[field].ints
    found = np.array(values)
    change(found, inner)
    del values[:]
    values.extend(found.tolist())
    return graph.SerializeToString()


@pytest.mark.parametrize(("task", "name"), TREES)
def test_a_threshold_that_is_one_float32_off_is_refused(task, name):
    """Nearly any single one, up or down (below a few nodes both ways end in the same answer).

    No other rows can tell.
    """
    table = _table(0.1, rows=300)
    pipeline, schema = _fitted(task, name, table)
    right = to_onnx(pipeline, schema)
    feed = feed_from_table(schema.columns, table.slice(0, 50))
    questions = [
        q for q in export._ask(pipeline, schema, feed, []) if q[0] == "a row at a threshold"
    ]
    assert not export._prove(pipeline, OnnxPredictor(schema, right), iter(questions)).why_not
    of_numbers = np.flatnonzero(
        read_nodes(pipeline.steps[-1][1]).feature < 4
    )  # between two codes of a text there is no other value
    refused = []
    for at in np.random.default_rng(0).choice(of_numbers, 10, replace=False):
        for side in (np.float32(-np.inf), np.float32(np.inf)):

            def move(values, inner, at=at, side=side):
                values[inner[at]] = np.nextafter(np.float32(values[inner[at]]), side)

            wrong = OnnxPredictor(schema, _changed(right, "nodes_values", move))
            refused.append(bool(export._prove(pipeline, wrong, iter(questions)).why_not))
    assert np.mean(refused) >= 0.8


@pytest.mark.parametrize(("task", "name"), [k for k in TREES if "Hist" in k[1]])
def test_a_null_that_is_sent_the_other_way_is_refused(task, name):
    """At each node where null arrives; the rows at the thresholds hold one."""
    table = _table(0.1, rows=300)
    pipeline, schema = _fitted(task, name, table)
    right, nodes = to_onnx(pipeline, schema), read_nodes(pipeline.steps[-1][1])
    feed = feed_from_table(
        schema.columns, table.filter(pa.compute.is_valid(table["price"])).slice(0, 50)
    )
    (rows,) = build_rows(pipeline, schema, feed)
    assert np.isnan(rows["price"]).sum() > 0
    assert not np.isnan(rows["weight"]).any()  # a caller may not send one
    roots = np.flatnonzero((nodes.feature == 0) & (nodes.parent < 0))
    for at in roots[:4]:
        wrong = _changed(
            right,
            "nodes_missing_value_tracks_true",
            lambda v, inner, at=at: v.__setitem__(inner[at], 1 - v[inner[at]]),
        )
        proof = export._prove(
            pipeline, OnnxPredictor(schema, wrong), iter([("a row at a threshold", rows)])
        )
        assert proof.why_not


@given(
    st.floats(allow_nan=False, min_value=-3e38, max_value=3e38)
    | st.floats(-1e-37, 1e-37)
    | st.just(float("inf"))
    | st.just(float("-inf")),
    st.integers(-3, 3),
)
def test_a_threshold_that_is_rounded_down_means_the_same_for_every_float32(threshold, steps):
    """Among them zeros of both signs, denormals, and what lies between two float32."""
    rounded = round_down(np.array([threshold]))[0]
    assert float(rounded) <= threshold  # as floats: NumPy would compare in float32
    asked = rounded
    for _ in range(abs(steps)):
        asked = np.nextafter(asked, np.float32(np.copysign(np.inf, steps)))
    for value in (asked, np.float32(0.0), np.float32(-0.0)):
        assert (float(value) <= threshold) == (value <= rounded)


def test_the_fitted_model_is_left_as_it_is():
    table = _table(0.1)
    pipeline, _ = _fitted("binary", "sklearn.ensemble.HistGradientBoostingClassifier", table)
    before = read_nodes(pipeline.steps[-1][1]).threshold
    twin = round_thresholds(pipeline)
    assert (read_nodes(twin.steps[-1][1]).threshold == round_down(before)).all()
    assert (read_nodes(pipeline.steps[-1][1]).threshold == before).all()
    assert (round_down(before) != before).any()


def test_a_column_that_is_split_by_null_alone_is_asked_for():
    """Its threshold is infinite: every number goes left, null goes right."""
    rng = np.random.default_rng(0)
    known = rng.random(400) < 0.5
    table = pa.table(
        {"x": pa.array(np.where(known, 1.5, np.nan), from_pandas=True), "z": rng.normal(size=400)}
    )
    candidate = Candidate.model_validate(
        {"name": "tried", "estimator": "sklearn.ensemble.HistGradientBoostingClassifier"}
    )
    schema = schema_of(table, table.column_names, "binary", None)
    pipeline = estimators.build_pipeline(candidate, schema, 0, {}).fit(
        estimators.frame(schema, table), known ^ (rng.random(400) < 0.1)
    )
    (rows,) = build_rows(pipeline, schema, feed_from_table(schema.columns, table))
    assert np.isinf(read_nodes(pipeline.steps[-1][1]).threshold).any()
    assert np.isnan(rows["x"]).any()
    assert np.nanmax(np.abs(rows["x"])) <= FLOAT32_MAX
    assert _proven(pipeline, schema, table).model is not None


@pytest.mark.parametrize("mean", [0.0, 1e6])
def test_thresholds_of_a_scaled_input_are_asked_for_in_the_inputs_own_space(mean):
    rng = np.random.default_rng(0)
    table = pa.table({"a": rng.normal(mean, 3.0, 500), "b": rng.normal(size=500)})
    schema = schema_of(table, ["a", "b"], "binary", None)
    frame = frame_from_feed(feed_from_table(schema.columns, table))
    scaled = ColumnTransformer([("numbers", StandardScaler(), ["a", "b"])])
    pipeline = Pipeline(
        [("encode", scaled), ("estimator", DecisionTreeClassifier(max_depth=4, random_state=0))]
    )
    pipeline.fit(frame, (frame["a"] - mean + frame["b"] > 1) ^ (rng.random(500) < 0.1))
    (rows,) = build_rows(pipeline, schema, feed_from_table(schema.columns, table))
    nodes = read_nodes(pipeline.steps[-1][1])
    count = len(nodes.feature)
    encoded = scaled.transform(frame_from_feed(rows)).reshape(3, -1, count, 2)[:, 0]
    below, at, above = (encoded[side][np.arange(count), nodes.feature] for side in range(3))
    assert (below <= at).all()
    assert (at <= nodes.threshold).all()
    assert (above > nodes.threshold).all()


def test_of_a_large_model_a_sample_is_asked_with_each_threshold_first():
    table = _table(0.1)
    pipeline, schema = _fitted("regression", "sklearn.ensemble.RandomForestRegressor", table)
    nodes = read_nodes(pipeline.steps[-1][1])
    distinct = len(set(zip(nodes.feature.tolist(), nodes.threshold.tolist(), strict=True)))
    assert distinct < len(nodes.feature)
    feed = feed_from_table(schema.columns, table)
    (rows,) = build_rows(pipeline, schema, feed, limit=distinct)
    assert len(rows["price"]) == 3 * distinct
    prices = round_down(np.unique(nodes.threshold[nodes.feature == 0]))
    assert set(prices) <= set(rows["price"][:, 0])
    (again,) = build_rows(pipeline, schema, feed, limit=distinct)
    for name in rows:
        np.testing.assert_array_equal(rows[name], again[name])


def test_sets_of_categories_are_refused_even_where_no_row_shows_the_difference():
    rng = np.random.default_rng(0)
    table = pa.table({"code": rng.integers(0, 6, 500)})
    schema = schema_of(table, ["code"], "binary", None)
    frame = frame_from_feed(feed_from_table(schema.columns, table))
    columns = ColumnTransformer([("numbers", "passthrough", ["code"])])
    pipeline = Pipeline(
        [
            ("encode", columns),
            ("estimator", HistGradientBoostingClassifier(categorical_features=[0], max_iter=3)),
        ]
    )
    pipeline.fit(frame, frame["code"].isin([1, 4]) ^ (rng.random(500) < 0.1))
    one = {"code": np.array([[1.0]], dtype=np.float32)}
    found = compile_pipeline(pipeline, schema, one, [{"code": 1}])
    assert found.model is None
    assert "differs by" in found.why_not or "sets of categories" in found.why_not


def test_neighbours_are_served_natively_and_it_says_why():
    table = _table(0.1)
    found = _proven(*_fitted("binary", "sklearn.neighbors.KNeighborsClassifier", table), table)
    assert found.model is None
    assert "equally far" in found.why_not


def test_what_cannot_be_traced_back_to_the_inputs_is_served_natively():
    table = _table(0.1)
    pipeline, schema = _fitted("binary", "sklearn.tree.DecisionTreeClassifier", table)
    longer = Pipeline([*pipeline.steps[:1], ("scale", StandardScaler()), *pipeline.steps[1:]])
    longer.fit(estimators.frame(schema, table), np.arange(table.num_rows) % 2)
    found = _proven(longer, schema, table)
    assert found.model is None
    assert "traced back" in found.why_not


def test_a_smooth_classifier_is_asked_between_two_classes():
    table = _table(0.1)
    pipeline, schema = _fitted("binary", "sklearn.linear_model.LogisticRegression", table)
    pipeline.fit(estimators.frame(schema, table), np.array(table["weight"]) > 12)
    feed = feed_from_table(schema.columns, table.slice(0, 100))
    asked = dict(export._ask(pipeline, schema, feed, []))["a row between two classes"]
    answers = native_answers(pipeline, schema, asked)
    assert len(answers) > 100
    assert np.abs(answers - 0.5).max() < 1e-4
