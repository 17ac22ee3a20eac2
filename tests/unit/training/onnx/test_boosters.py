"""Thresholds of XGBoost and LightGBM: the proof sees one that is off by a float32."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np
import onnx
import pytest
import xgboost as xgb

from pipelines.bundle.predictor import OnnxPredictor
from pipelines.training.onnx.answers import difference, native_answers
from pipelines.training.onnx.boosters import RoundedBooster
from pipelines.training.onnx.conversion import to_onnx
from pipelines.training.onnx.thresholds import build_rows, trace
from tests.unit.training.onnx.pipelines_by_hand import chain, encoder, fit

pytestmark = pytest.mark.filterwarnings("ignore")
MODELS = {
    "XGBoost": lambda: xgb.XGBClassifier(n_estimators=3, n_jobs=1),
    "LightGBM": lambda: lgb.LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=1),
}


def moved(model, at, side):
    """Return the compiled model with one of its thresholds one float32 higher or lower."""
    graph = onnx.load_from_string(model)
    (node,) = [n for n in graph.graph.node if n.op_type.startswith("TreeEnsemble")]
    held = {a.name: a for a in node.attribute}
    inner = np.flatnonzero([mode != b"LEAF" for mode in held["nodes_modes"].strings])
    values = held["nodes_values"].floats
    values[inner[at]] = np.nextafter(np.float32(values[inner[at]]), np.float32(side))
    return graph.SerializeToString()


@pytest.mark.parametrize("name", MODELS)
def test_a_threshold_that_is_one_float32_off_is_seen(name):
    pipeline, schema, feed = fit(chain(encoder("passthrough"), MODELS[name]()), "binary")
    right = to_onnx(pipeline, schema)
    rows = list(build_rows(pipeline, schema, feed))
    (traced,) = trace(pipeline, schema)
    assert len(traced.askable) == len(traced.nodes.feature) > 10
    for asked in rows:
        answers = native_answers(pipeline, schema, asked)
        given = OnnxPredictor(schema, right).predict_feed(asked)
        assert difference(answers, given, "binary") < 1e-6
    seen = []
    for at in np.random.default_rng(0).choice(len(traced.nodes.feature), 8, replace=False):
        for side in (-np.inf, np.inf):
            wrong = OnnxPredictor(schema, moved(right, at, side))
            gaps = [
                difference(native_answers(pipeline, schema, a), wrong.predict_feed(a), "binary")
                for a in rows
            ]
            seen.append(max(gaps) > 1e-5)
    # Between two codes of a text there is no other value, and some leaves are nearly alike.
    assert np.mean(seen) >= 0.6


@pytest.mark.parametrize("null", [True, False])
def test_lightgbm_takes_tiny_numbers_for_zero_and_null_for_zero_where_it_learnt_from_none(null):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 1)).astype(np.float32)
    x[::3] = 0.0
    if null:
        x[::7] = np.nan
    fitted = lgb.LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=1).fit(x, (x[:, 0] > 0) * 1)
    tiny = np.float32(1e-35)
    asked = np.array(
        [[np.nan], [0.0], [tiny], [-tiny], [np.nextafter(tiny, np.float32(1))],
         [np.nextafter(-tiny, np.float32(-1))], [1e-38], [-1e-38]], dtype=np.float32,
    )  # fmt: skip
    trees = [
        tree["tree_structure"] for tree in RoundedBooster(fitted.booster_).dump_model()["tree_info"]
    ]
    scores = [sum(_walk(tree, value) for tree in trees) for value in asked[:, 0]]
    np.testing.assert_allclose(scores, fitted.predict(asked, raw_score=True), rtol=1e-9)


def _walk(node, value):
    """Return the leaf's value, by comparisons in float32 as ONNX Runtime makes them."""
    while "left_child" in node:
        left = node["default_left"] if np.isnan(value) else value <= np.float32(node["threshold"])
        node = node["left_child" if left else "right_child"]
    return node["leaf_value"]
