"""Quantiles are compiled with proof: each estimator that learns them, corrected or not."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pipelines.bundle.predictor import OnnxPredictor
from pipelines.bundle.rows import feed_from_table, rows_from_table, schema_of
from pipelines.spec import Candidate
from pipelines.spec.quantile_problems import LEARNS_QUANTILES
from pipelines.spec.quantiles import Quantiles
from pipelines.training import estimators
from pipelines.training.fitting import fit_pipeline
from pipelines.training.onnx.answers import native_answers
from pipelines.training.onnx.export import compile_pipeline
from tests.unit.training.fits import LOG

LEVELS = [0.05, 0.25, 0.5, 0.75, 0.95]
FEW = {"Hist": {"max_iter": 6}, "Quantile": {"alpha": 0.01}}
CASES = [
    *((name, None) for name in LEARNS_QUANTILES if "Dummy" not in name),
    ("sklearn.linear_model.Ridge", True),
    ("lightgbm.LGBMRegressor", True),
]


def table(rows=300):
    rng = np.random.default_rng(2)
    price = np.where(rng.random(rows) < 0.1, np.nan, rng.normal(size=rows))
    shop = [None if s == "c" else s for s in rng.choice(["a", "b", "c"], rows)]
    return pa.table({"price": pa.array(price, from_pandas=True), "shop": shop})


@pytest.mark.parametrize(("name", "conformal"), CASES)
def test_compiled_answers_are_those_of_the_fits(name, conformal):
    rows = table()
    y = np.nan_to_num(rows["price"].to_numpy()) + np.random.default_rng(0).normal(size=300)
    leaf = name.rsplit(".", 1)[-1]
    params = next((p for stem, p in FEW.items() if leaf.startswith(stem)), {"n_estimators": 6})
    params = {} if "Ridge" in name else params
    tried = Candidate.model_validate({"name": "m", "estimator": name, "params": params})
    tried.place([tried], in_time=True, quantiles=Quantiles(levels=LEVELS, conformal=conformal))
    schema = schema_of(rows, rows.column_names, "quantiles", None, LEVELS)
    pipeline = estimators.build_pipeline(tried, schema, 0, tried.params)
    model = fit_pipeline(pipeline, estimators.frame(schema, rows), y, tried, LOG)
    feed = feed_from_table(schema.columns, rows)
    found = compile_pipeline(model, schema, feed, rows_from_table(schema.columns, rows.slice(0, 5)))
    assert found.why_not == ""
    assert found.parity < 1e-4
    answers = OnnxPredictor(schema, found.model).predict_feed(feed)
    assert answers.shape == (300, 5)
    assert (np.diff(answers, axis=1) >= 0).all()
    assert answers == pytest.approx(native_answers(model, schema, feed), rel=1e-4, abs=1e-4)
