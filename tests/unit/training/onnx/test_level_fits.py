"""Quantiles are compiled with proof: each estimator that learns them, corrected or not."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from onnx import TensorProto
from onnx import helper as made
from skops import io

from pipelines.bundle.predictor import OnnxPredictor, load_native
from pipelines.bundle.rows import feed_from_table, rows_from_table, schema_of
from pipelines.errors import SpecError
from pipelines.spec import Candidate
from pipelines.spec.quantile_problems import LEARNS_QUANTILES
from pipelines.spec.quantiles import Quantiles
from pipelines.training import estimators
from pipelines.training.fitting import fit_pipeline
from pipelines.training.onnx.answers import native_answers
from pipelines.training.onnx.export import compile_pipeline
from tests.unit.training.fits import LOG
from tests.unit.training.onnx.finished_models import tensor

LEVELS = [0.05, 0.25, 0.5, 0.75, 0.95]
FEW = {"Hist": {"max_iter": 6}, "Quantile": {"alpha": 0.01}}
CASES = [
    *((name, None) for name in LEARNS_QUANTILES if "Dummy" not in name),
    ("sklearn.linear_model.Ridge", True),
    ("lightgbm.LGBMRegressor", True),
]
NAMES = {"linear": "sklearn.linear_model.QuantileRegressor", "trees": "lightgbm.LGBMRegressor"}


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


def test_a_vote_is_compiled_as_the_mean_of_its_members():
    rows = table()
    y = np.nan_to_num(rows["price"].to_numpy()) + np.random.default_rng(0).normal(size=300)
    few = {"linear": {"alpha": 0.01}, "trees": {"n_estimators": 6}}
    parts = [
        Candidate.model_validate({"name": name, "estimator": path, "params": few[name]})
        for name, path in NAMES.items()
    ]
    vote = Candidate.model_validate({"name": "both", "vote": {"linear": 1, "trees": 3}})
    for one in (*parts, vote):
        one.place(parts, in_time=True, quantiles=Quantiles(levels=LEVELS, conformal=True))
    schema = schema_of(rows, rows.column_names, "quantiles", None, LEVELS)
    pipeline = estimators.build_pipeline(vote, schema, 0, {})
    model = fit_pipeline(pipeline, estimators.frame(schema, rows), y, vote, LOG)
    again = load_native(io.dumps(model))
    feed = feed_from_table(schema.columns, rows)
    found = compile_pipeline(again, schema, feed, rows_from_table(schema.columns, rows.slice(0, 5)))
    assert found.why_not == ""
    assert found.asked > 0, "the thresholds of the members' trees were asked at"
    answers = OnnxPredictor(schema, found.model).predict_feed(feed)
    assert answers == pytest.approx(native_answers(model, schema, feed), rel=1e-4, abs=1e-4)


def crossing():
    """Return a finished model that answers p, -p and 0 to a price p, which is out of order."""
    nodes = [
        made.make_node("Neg", ["price"], ["less"]),
        made.make_node("Mul", ["price", "zero"], ["none"]),
        made.make_node("Concat", ["price", "less", "none"], ["answers"], axis=1),
    ]
    zero = made.make_tensor("zero", TensorProto.FLOAT, [], [0.0])
    inputs, outputs = [tensor("price", "n", 1)], [tensor("answers", "n", 3)]
    graph = made.make_graph(nodes, "net", inputs, outputs, [zero])
    opsets = [made.make_opsetid("", 18)]
    return made.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def finished(tmp_path, levels, *, conformal=None):
    (tmp_path / "net.onnx").write_bytes(crossing())
    tried = Candidate.model_validate({"name": "net", "onnx": "net.onnx"})
    tried.locate(tmp_path)
    tried.place([tried], in_time=True, quantiles=Quantiles(levels=levels, conformal=conformal))
    rows = pa.table({"price": np.random.default_rng(1).normal(size=200)})
    schema = schema_of(rows, ["price"], "quantiles", None, levels)
    pipeline = estimators.build_pipeline(tried, schema, 0, {})
    y = np.random.default_rng(0).normal(size=200)
    model = fit_pipeline(pipeline, estimators.frame(schema, rows), y, tried, LOG)
    return model, schema, feed_from_table(schema.columns, rows)


@pytest.mark.parametrize("conformal", [None, True])
def test_a_finished_models_levels_are_sorted_corrected_and_compiled(tmp_path, conformal):
    model, schema, feed = finished(tmp_path, [0.1, 0.5, 0.9], conformal=conformal)
    native = native_answers(load_native(io.dumps(model)), schema, feed)
    if conformal is None:
        price = np.abs(feed["price"].astype(np.float64))
        assert native == pytest.approx(np.hstack([-price, price * 0, price]))
    shifts = model.named_steps["estimator"].shifts_
    assert (shifts != 0).any() == bool(conformal)
    found = compile_pipeline(model, schema, feed, [{"price": None}, {"price": 1e6}])
    assert found.why_not == ""
    assert OnnxPredictor(schema, found.model).predict_feed(feed) == pytest.approx(native, rel=1e-5)


def test_a_finished_model_of_other_levels_is_refused(tmp_path):
    with pytest.raises(SpecError, match="it answers 3 numbers to a row, not 2") as error:
        finished(tmp_path, [0.1, 0.9])
    assert "one number for each level, in the order of `quantiles`" in str(error.value)
