"""What is compiled of an anomaly model answers as it was fitted: greater is stranger."""

import warnings

import numpy as np
import pyarrow as pa
import pytest
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import KernelDensity, LocalOutlierFactor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from pipelines.bundle.predictor import OnnxPredictor
from pipelines.bundle.rows import feed_from_table, frame_from_feed, schema_of
from pipelines.bundle.strangeness import strangeness
from pipelines.training.onnx.export import compile_pipeline

RNG = np.random.default_rng(3)
NAMES = ["a", "b", "c"]
TABLE = pa.table({n: RNG.normal(size=300).astype(np.float32) for n in NAMES})
SCHEMA = schema_of(TABLE, NAMES, "anomaly", None)
FEED = feed_from_table(SCHEMA.columns, TABLE)


def fitted(estimator):
    from sklearn.compose import ColumnTransformer

    # As they are encoded in training: trees take numbers as they are.
    scale = "passthrough" if hasattr(estimator, "max_samples") else StandardScaler()
    encode = ColumnTransformer([("numbers", scale, NAMES)])
    return Pipeline([("encode", encode), ("estimator", estimator)]).fit(frame_from_feed(FEED))


@pytest.mark.parametrize(
    "estimator",
    [
        IsolationForest(n_estimators=8, random_state=0),
        IsolationForest(n_estimators=8, random_state=0, contamination=0.1),
        OneClassSVM(nu=0.1),
    ],
    ids=lambda e: type(e).__name__,
)
def test_compiled_scores_are_the_fitted_models(estimator):
    model = fitted(estimator)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = compile_pipeline(model, SCHEMA, FEED, [])
    assert found.why_not == ""
    assert found.parity <= 1e-5
    ours = strangeness(model, frame_from_feed(FEED))
    theirs = OnnxPredictor(SCHEMA, found.model).predict_feed(FEED)[:, 0]
    np.testing.assert_allclose(theirs, ours, rtol=1e-5, atol=1e-6)
    far = {n: np.full((1, 1), 8, dtype=np.float32) for n in NAMES}
    assert OnnxPredictor(SCHEMA, found.model).predict_feed(far)[0, 0] > np.median(ours)


@pytest.mark.parametrize(
    ("estimator", "why"),
    [
        (LocalOutlierFactor(novelty=True), "where two rows are equally far"),
        (PCA(2), "the converter gives no scores of this estimator"),
        (KernelDensity(), "no converter"),
        (IsolationForest(n_estimators=3, max_features=2, random_state=0), "_max_features"),
    ],
    ids=lambda e: type(e).__name__,
)
def test_what_is_not_compiled_says_why(estimator, why):
    found = compile_pipeline(fitted(estimator), SCHEMA, FEED, [])
    assert found.model is None
    assert why in found.why_not


def test_a_vector_machines_score_does_not_grow_with_its_rows():
    rows = RNG.normal(size=(1_200, 3))
    small, large = OneClassSVM(nu=0.2).fit(rows[:300]), OneClassSVM(nu=0.2).fit(rows)
    asked = RNG.normal(size=(200, 3))
    ratio = np.median(strangeness(large, asked)) / np.median(strangeness(small, asked))
    assert ratio == pytest.approx(1, abs=0.2)
