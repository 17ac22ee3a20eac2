"""A compiled model is proven to answer as the fitted one, or is not compiled."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder

from pipelines.bundle.rows import FLOAT32_MAX, feed_from_table, frame_from_table, rows_from_table
from pipelines.training.onnx.answers import difference
from pipelines.training.onnx.conversion import to_onnx
from pipelines.training.onnx.edges import edge_rows
from pipelines.training.onnx.export import TOLERANCE, compile_pipeline
from tests.unit.steps.packaging import fitted_pipeline
from tests.unit.training.usual import LEARNERS

pytestmark = pytest.mark.usefixtures("one_thread")

HOME = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("encode", ["onehot", "ordinal"])
@pytest.mark.parametrize(
    ("task", "estimator"),
    LEARNERS,
)
def test_every_estimator_of_the_catalogue_compiles_with_proof(estimator, task, encode):
    """Nulls, unseen text and extremes among the rows.

    An estimator that stops compiling truly is seen here.

    Neighbours are the one that never does: nobody can prove how ties are decided.
    """
    few = {"n_estimators": 8} if "ensemble" in estimator and "Hist" not in estimator else {}
    few = {"max_iter": 8} if "MLP" in estimator or "Hist" in estimator else few
    model, schema, split = fitted_pipeline(task, estimator, params=few, encode=encode)
    whole, single = edge_rows(schema, rows_from_table(schema.columns, split.holdout))
    found = compile_pipeline(
        model, schema, feed_from_table(schema.columns, split.holdout), [*whole, *single]
    )
    if (
        "GaussianNB" in estimator and found.model is None
    ):  # its exponents amplify float32's rounding: close, but not always close enough
        assert TOLERANCE[task] < found.parity < 1e-4
        return
    if "KNeighbors" in estimator:
        assert "equally far" in found.why_not
        return
    assert found.model is not None, found.why_not
    assert found.parity <= TOLERANCE[task]


def test_native_categoricals_are_caught():
    """skl2onnx converts them without a word, and wrong.

    The proof refuses (FACTS of skl2onnx 1.20).
    """
    _, schema, split = fitted_pipeline()
    frame = frame_from_table(schema.columns, split.train)
    encode = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=np.nan, dtype=np.float32
    )
    numbers = ["a", "b", "count", "flag"]
    columns = ColumnTransformer(
        [("n", "passthrough", numbers), ("t", encode, ["channel", "place"])]
    )
    model = Pipeline(
        [
            ("encode", columns),
            ("estimator", HistGradientBoostingClassifier(categorical_features=[4, 5])),
        ]
    )
    rng = np.random.default_rng(0)
    y = (frame["place"].isin(["p1", "p3"]) ^ (rng.random(len(frame)) < 0.1)).astype(int)
    model.fit(frame, y)
    found = compile_pipeline(
        model,
        schema,
        feed_from_table(schema.columns, split.holdout),
        rows_from_table(schema.columns, split.holdout)[:3],
    )
    assert found.model is None
    assert "sets of categories" in found.why_not


def test_a_forest_that_learnt_from_nan_is_caught():
    """The reason why numbers are imputed for every estimator but HistGradientBoosting."""
    model, schema, split = fitted_pipeline(candidate="sklearn.ensemble.RandomForestClassifier")
    frame, y = (
        frame_from_table(schema.columns, split.train),
        np.asarray(split.train["y"].to_pylist()),
    )
    columns = ColumnTransformer([("n", "passthrough", ["a", "b", "count", "flag"])])
    model = Pipeline([("encode", columns), ("estimator", model.named_steps["estimator"])]).fit(
        frame, y
    )
    found = compile_pipeline(
        model,
        schema,
        feed_from_table(schema.columns, split.holdout),
        rows_from_table(schema.columns, split.holdout)[:3],
    )
    assert found.model is None
    assert "differs by" in found.why_not


COMPILED = (
    "sklearn.ensemble.HistGradientBoostingClassifier",
    "sklearn.linear_model.LogisticRegression",
)


def test_the_same_fit_compiles_to_the_same_bytes_in_every_process():
    """In this one too, whose texts have other hashes."""
    code = (
        "import hashlib; from tests.unit.steps.packaging import fitted_pipeline;"
        " from pipelines.training.threads import limit_threads;"
        " from pipelines.training.onnx.conversion import to_onnx;limit_threads(1).__enter__();"
        " [print(hashlib.sha256(to_onnx(*fitted_pipeline(candidate=c)[:2])).hexdigest()) for c in"
        f" {COMPILED}]"
    )
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(HOME)},
        capture_output=True,
        text=True,
        check=True,
        cwd=HOME,
    )
    ours = [to_onnx(*fitted_pipeline(candidate=name)[:2]) for name in COMPILED]
    assert done.stdout.split() == [hashlib.sha256(model).hexdigest() for model in ours]


def test_edge_rows_are_what_the_schema_allows():
    _, schema, split = fitted_pipeline()
    whole, single = edge_rows(schema, rows_from_table(schema.columns, split.holdout))
    nullable = {c.name for c in schema.columns if c.nullable}
    assert nullable == {"a", "channel"}
    assert {
        name for row in [*whole, *single] for name, value in row.items() if value is None
    } == nullable
    assert whole[0] == {**whole[0], "a": None, "channel": None}
    assert {row["channel"] for row in whole} >= {"", "never seen before"}
    assert all(
        isinstance(row["count"], int) and isinstance(row["flag"], bool) for row in [*whole, *single]
    )
    assert max(row["count"] for row in whole) == 80
    assert all(list(row) == [c.name for c in schema.columns] for row in [*whole, *single])


def test_edges_stay_within_float32():
    _, schema, split = fitted_pipeline()
    row = {**rows_from_table(schema.columns, split.holdout)[0], "b": FLOAT32_MAX / 3}
    whole, _ = edge_rows(schema, [row])
    assert max(abs(r["b"]) for r in whole) <= FLOAT32_MAX


@pytest.mark.parametrize(
    ("expected", "got", "task", "worst"),
    [
        pytest.param([[0.5]], [[0.50001]], "binary", 1e-5, id="absolute for probabilities"),
        pytest.param(
            [[1000.0], [1000.0]], [[1000.1], [1000.0]], "regression", 1e-4, id="relative for values"
        ),
        pytest.param(
            [[0.001], [10.0], [10.0]],
            [[0.002], [10.0], [10.0]],
            "regression",
            1e-4,
            id="near zero relative to the usual size",
        ),
        pytest.param([[0.0]], [[0.0]], "regression", 0.0, id="zero"),
        pytest.param([[np.inf]], [[np.inf]], "regression", 0.0, id="the same infinity"),
        pytest.param([[np.nan]], [[np.nan]], "regression", 0.0, id="both NaN"),
        pytest.param([[np.nan]], [[0.5]], "binary", np.inf, id="NaN on one side"),
        pytest.param([[np.inf]], [[-np.inf]], "regression", np.inf, id="opposite infinities"),
        pytest.param([[0.5]], [[0.5], [0.5]], "binary", np.inf, id="another shape"),
    ],
)
def test_the_difference_of_answers(expected, got, task, worst):
    assert difference(np.array(expected), np.array(got), task) == pytest.approx(worst, rel=1e-6)
