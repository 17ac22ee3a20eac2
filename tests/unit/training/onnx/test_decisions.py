"""A compiled model decides as the fitted one did, or says how near to the threshold it does not."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from pipelines.bundle.rows import feed_from_table, schema_of
from pipelines.training.onnx.answers import decide_apart, native_answers
from pipelines.training.onnx.export import compile_pipeline
from pipelines.training.onnx.questions import ask
from tests.unit.training.onnx.pipelines_by_hand import chain

A = np.arange(1_000) / 8
TABLE = pa.table({"a": A})
SCHEMA = schema_of(TABLE, ["a"], "binary", None)
FEED = feed_from_table(SCHEMA.columns, TABLE)
# Three of ten rows are positive on the left side of the tree's cut, which float32 calls 0.30000001.
LEAF = np.where(A < 60, np.arange(1_000) % 10 < 3, 1).astype(int)


def compiled_at(threshold, estimator, y):
    import pandas as pd

    pipeline = chain(estimator).fit(pd.DataFrame({"a": A.astype(np.float32)}), y)
    return pipeline, compile_pipeline(pipeline, SCHEMA, FEED, [], threshold)


def test_a_leaf_that_lies_on_the_threshold_is_served_natively_with_the_way_out():
    _, found = compiled_at(0.3, DecisionTreeClassifier(max_depth=1), LEAF)
    assert found.model is None
    assert "480 of 1,000 held-out rows otherwise" in found.why_not
    assert "threshold 0.3; one a little beside it" in found.why_not


@pytest.mark.parametrize("threshold", [0.300001, 0.5, None])
def test_beside_the_leaf_or_without_a_decision_it_is_compiled(threshold):
    _, found = compiled_at(threshold, DecisionTreeClassifier(max_depth=1), LEAF)
    assert found.model is not None, found.why_not
    assert (found.apart, found.decision_gap) == (0, 0.0)


def test_the_neighbours_of_the_threshold_are_asked_and_the_gap_is_stated():
    rng = np.random.default_rng(0)
    y = (rng.random(1_000) < 1 / (1 + np.exp(4 - A / 15))).astype(int)
    pipeline, found = compiled_at(0.4, LogisticRegression(), y)
    assert found.model is not None, found.why_not
    near = {
        where: np.abs(native_answers(pipeline, SCHEMA, feed)[:, 0] - 0.4)
        for where, feed in ask(pipeline, SCHEMA, FEED, [], 0.4)
        if len(feed["a"])
    }["a row at the threshold of the decision"]
    assert len(near) > 100
    assert near.max() < 1e-6
    assert found.decision_gap < 1e-6
    assert (found.apart > 0) == (found.decision_gap > 0)


def test_decisions_of_two_and_of_several_classes_are_compared():
    native, compiled = np.array([[0.3], [0.4], [0.9]]), np.array([[0.3000001], [0.4], [0.9]])
    assert decide_apart(native, compiled, "binary", 0.3) == (1, 0.0)
    assert decide_apart(native, compiled, "binary", 0.35) == (0, 0.0)
    assert decide_apart(native, compiled, "binary", None) == (0, 0.0)
    native, compiled = np.array([[0.4, 0.4 - 1e-8, 0.2]]), np.array([[0.4, 0.4 + 1e-7, 0.2]])
    apart, gap = decide_apart(native, compiled, "multiclass", None)
    assert (apart, gap) == (1, pytest.approx(1e-8))
    assert decide_apart(native, compiled, "regression", None) == (0, 0.0)
    scores = np.array([[4.5], [5.0]])
    assert decide_apart(scores, scores + 1e-7, "anomaly", 5.0) == (1, 0.0)
