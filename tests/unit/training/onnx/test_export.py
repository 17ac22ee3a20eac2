"""The proof of compiled models.

It asks where one step of float32 changes the answer, and a threshold that is wrong is seen.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline

from pipelines.bundle.rows import (
    FLOAT32_MAX,
    feed_from_table,
    frame_from_feed,
    rows_from_table,
    schema_of,
)
from pipelines.spec import Candidate
from pipelines.training import estimators
from pipelines.training.onnx import questions
from pipelines.training.onnx.answers import native_answers
from pipelines.training.onnx.edges import edge_rows
from pipelines.training.onnx.export import TOLERANCE, compile_pipeline
from pipelines.training.onnx.nodes import round_down
from pipelines.training.onnx.thresholds import build_rows
from pipelines.training.onnx.tree_nodes import read_nodes, round_thresholds
from tests.unit.training.onnx.compiled import (
    KNOWN,
    TREES,
    fitted_on_grid,
    largest_difference,
    table_on_grid,
)


def compile_with_proof(pipeline, schema, table):
    whole, single = edge_rows(schema, rows_from_table(schema.columns, table))
    return compile_pipeline(
        pipeline, schema, feed_from_table(schema.columns, table.slice(0, 100)), [*whole, *single]
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
    table = table_on_grid(step, seed=seed, offset=offset)
    pipeline, schema = fitted_on_grid(
        *kind, table, step=step, offset=offset, seed=seed, encode=encode
    )
    found = compile_with_proof(pipeline, schema, table)
    assert (found.model is None) == bool(found.why_not)
    if kind in TREES:
        assert found.model is not None, found.why_not
    if found.model is None:
        return
    feed = feed_from_table(schema.columns, table_on_grid(step / 2, seed=seed + 1, offset=offset))
    for side in (None, np.float32(-np.inf), np.float32(np.inf)):
        asked = {
            n: a if side is None or a.dtype == object else np.nextafter(a, side)
            for n, a in feed.items()
        }
        assert (
            largest_difference(pipeline, schema, found.model, asked) <= 10 * TOLERANCE[schema.task]
        )


def test_the_fitted_model_is_left_as_it_is():
    table = table_on_grid(0.1)
    pipeline, _ = fitted_on_grid("binary", "sklearn.ensemble.HistGradientBoostingClassifier", table)
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
    assert compile_with_proof(pipeline, schema, table).model is not None


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
    table = table_on_grid(0.1)
    found = compile_with_proof(
        *fitted_on_grid("binary", "sklearn.neighbors.KNeighborsClassifier", table), table
    )
    assert found.model is None
    assert "equally far" in found.why_not


def test_where_thresholds_cannot_be_traced_back_rows_that_a_search_finds_tell():
    table = table_on_grid(0.1)
    pipeline, schema = fitted_on_grid("binary", "sklearn.tree.DecisionTreeClassifier", table)
    longer = Pipeline([*pipeline.steps[:1], ("turn", PCA(3)), *pipeline.steps[1:]])
    longer.fit(estimators.frame(schema, table), np.arange(table.num_rows) % 2)
    found = compile_with_proof(longer, schema, table)
    assert found.model is None
    assert "differs by" in found.why_not
    assert "two classes" in found.why_not or "answer changes" in found.why_not


def test_a_smooth_classifier_is_asked_between_two_classes():
    table = table_on_grid(0.1)
    pipeline, schema = fitted_on_grid("binary", "sklearn.linear_model.LogisticRegression", table)
    pipeline.fit(estimators.frame(schema, table), np.array(table["weight"]) > 12)
    feed = feed_from_table(schema.columns, table.slice(0, 100))
    asked = dict(questions.ask(pipeline, schema, feed, []))["a row between two classes"]
    answers = native_answers(pipeline, schema, asked)
    assert len(answers) > 100
    assert np.abs(answers - 0.5).max() < 1e-4
