"""Models fitted on a grid of decimals, compiled, and how far their answers differ."""

from __future__ import annotations

import logging

import numpy as np
import pyarrow as pa

from pipelines.bundle.predictor import OnnxPredictor
from pipelines.bundle.rows import schema_of
from pipelines.spec import Candidate
from pipelines.training import estimators
from pipelines.training.fitting import fit_pipeline
from pipelines.training.onnx.answers import difference, native_answers
from tests.unit.training.usual import LEARNERS

KNOWN = LEARNERS
TREES = [(task, name) for task, name in KNOWN if "ensemble" in name or "tree" in name]
FEW = {
    "HistGradientBoosting": {"max_iter": 10},
    "MLP": {"max_iter": 5},
    "DecisionTree": {},
    "KNeighbors": {},
}


def table_on_grid(step, rows=400, seed=0, offset=0.0):
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


def fitted_on_grid(task, name, table, *, step=0.1, offset=0.0, seed=0, **fields):
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


def largest_difference(pipeline, schema, model, feed):
    return difference(
        native_answers(pipeline, schema, feed),
        OnnxPredictor(schema, model).predict_feed(feed),
        schema.task,
    )
