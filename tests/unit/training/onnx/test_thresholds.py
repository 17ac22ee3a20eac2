"""Thresholds of trees: one that float32 moved is seen, each is asked in the space of its input."""

from __future__ import annotations

import numpy as np
import onnx
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from pipelines.bundle.predictor import OnnxPredictor
from pipelines.bundle.rows import feed_from_table, frame_from_feed, schema_of
from pipelines.training.onnx import export, questions
from pipelines.training.onnx.conversion import to_onnx
from pipelines.training.onnx.export import TOLERANCE
from pipelines.training.onnx.nodes import round_down
from pipelines.training.onnx.thresholds import build_rows
from pipelines.training.onnx.tree_nodes import read_nodes
from tests.unit.training.onnx.compiled import (
    TREES,
    fitted_on_grid,
    largest_difference,
    table_on_grid,
)


@pytest.mark.parametrize(("task", "name"), [k for k in TREES if "Hist" in k[1]])
def test_thresholds_that_are_rounded_to_the_nearest_float32_are_refused(task, name):
    """The converter's own way with HistGradientBoosting.

    Random rows agree, rows at the thresholds do not.
    """
    table = table_on_grid(0.1, rows=2_000)
    pipeline, schema = fitted_on_grid(task, name, table)
    thresholds = read_nodes(pipeline.steps[-1][1]).threshold
    assert (round_down(thresholds) != thresholds.astype(np.float32)).mean() > 0.1
    wrong = _nearest(to_onnx(pipeline, schema), thresholds)
    feed = feed_from_table(schema.columns, table.slice(0, 100))
    assert largest_difference(pipeline, schema, wrong, feed) < TOLERANCE[task]
    proof = export._prove(
        pipeline, OnnxPredictor(schema, wrong), questions.ask(pipeline, schema, feed, []), None
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
    table = table_on_grid(0.1, rows=300)
    pipeline, schema = fitted_on_grid(task, name, table)
    right = to_onnx(pipeline, schema)
    feed = feed_from_table(schema.columns, table.slice(0, 50))
    asked = [q for q in questions.ask(pipeline, schema, feed, []) if q[0] == "a row at a threshold"]
    assert not export._prove(pipeline, OnnxPredictor(schema, right), iter(asked), None).why_not
    of_numbers = np.flatnonzero(
        read_nodes(pipeline.steps[-1][1]).feature < 4
    )  # between two codes of a text there is no other value
    refused = []
    for at in np.random.default_rng(0).choice(of_numbers, 10, replace=False):
        for side in (np.float32(-np.inf), np.float32(np.inf)):

            def move(values, inner, at=at, side=side):
                values[inner[at]] = np.nextafter(np.float32(values[inner[at]]), side)

            wrong = OnnxPredictor(schema, _changed(right, "nodes_values", move))
            refused.append(bool(export._prove(pipeline, wrong, iter(asked), None).why_not))
    assert np.mean(refused) >= 0.8


@pytest.mark.parametrize(("task", "name"), [k for k in TREES if "Hist" in k[1]])
def test_a_null_that_is_sent_the_other_way_is_refused(task, name):
    """At each node where null arrives; the rows at the thresholds hold one."""
    table = table_on_grid(0.1, rows=300)
    pipeline, schema = fitted_on_grid(task, name, table)
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
            pipeline, OnnxPredictor(schema, wrong), iter([("a row at a threshold", rows)]), None
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
    table = table_on_grid(0.1)
    pipeline, schema = fitted_on_grid("regression", "sklearn.ensemble.RandomForestRegressor", table)
    nodes = read_nodes(pipeline.steps[-1][1])
    distinct = len(set(zip(nodes.feature.tolist(), nodes.threshold.tolist(), strict=True)))
    assert distinct < len(nodes.feature)
    feed = feed_from_table(schema.columns, table)
    (rows,) = build_rows(pipeline, schema, feed, limit=distinct)
    assert 3 * distinct <= len(rows["price"]) <= 4 * distinct  # some also with a null
    prices = round_down(np.unique(nodes.threshold[nodes.feature == 0]))
    assert set(prices) <= set(rows["price"][:, 0])
    (again,) = build_rows(pipeline, schema, feed, limit=distinct)
    for name in rows:
        np.testing.assert_array_equal(rows[name], again[name])
