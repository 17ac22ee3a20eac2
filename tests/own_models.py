"""Models of own code for tests: a transformer of the folder's own, and bundles of it."""

from __future__ import annotations

import numpy as np

from pipelines.bundle.load import write_bundle
from pipelines.bundle.manifest import BundleManifest, Golden
from pipelines.bundle.rows import frame_from_table, rows_from_table, schema_of
from pipelines.fence.own_code import OwnCode, load_code
from pipelines.refs import canonical
from tests.serving.bundles import MARCH, small_table

MODEL = """
import os
import time

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.tree import DecisionTreeClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder


class Clip(TransformerMixin, BaseEstimator):
    def __init__(self, low=0.01):
        self.low = low

    def fit(self, x, y=None):
        self.low_ = np.quantile(x, self.low, axis=0)
        self.high_ = np.quantile(x, 1 - self.low, axis=0)
        return self

    def transform(self, x):
        x = np.asarray(x)
        if (x == 666_000).any():
            time.sleep(60)
        if (x == 667_000).any():
            os._exit(3)
        if (x == 668_000).any():
            raise RuntimeError("no such distance")
        return np.clip(x, self.low_, self.high_)


def make(numbers, texts):
    number = Pipeline([("impute", SimpleImputer()), ("clip", Clip())])
    code = OneHotEncoder(handle_unknown="ignore")
    columns = ColumnTransformer([("numbers", number, numbers), ("texts", code, texts)])
    tree = DecisionTreeClassifier(max_depth=4, random_state=0)
    return Pipeline([("columns", columns), ("model", tree)])
"""
HANG, EXIT, RAISE = 666_000.0, 667_000.0, 668_000.0
"""Distances on which the model hangs, ends its process and raises."""


def own_code(source=MODEL, model="flights"):
    return OwnCode(model=model, files={"model.py": source})


def fitted(code, table=None):
    """The model fitted in this process: schema, skops bytes, and golden requests."""
    from skops import io

    table = small_table() if table is None else table
    schema = schema_of(table, table.column_names, "binary", None)
    frame = frame_from_table(schema.columns, table)
    first = frame[frame.columns[0]].to_numpy()
    y = (np.nan_to_num(first) > np.nanmedian(first)).astype(int)
    texts = [c.name for c in schema.columns if c.kind == "string"]
    model = load_code(code).make([c for c in table.column_names if c not in texts], texts)
    model.fit(frame, y)
    rows = rows_from_table(schema.columns, table.slice(0, 4))
    answers = [[float(model.predict_proba(frame.iloc[i : i + 1])[0, 1])] for i in range(len(rows))]
    return schema, io.dumps(model), Golden(rows=rows, answers=answers)


def put_own_bundle(store, code=None, version="1", golden=None, table=None):
    code = code or own_code()
    schema, native, true_golden = fitted(code, table)
    manifest = BundleManifest(
        model="flights",
        version=version,
        run="run-1",
        candidate="own",
        features_revision="abc123",
        fitted_on=MARCH,
        rows=400,
        metrics={"roc_auc": 0.75},
        inputs=schema,
        compiled=False,
        parity=None,
        why_native="a transformer of its own",
        native=store.put(native, ".skops"),
        onnx=None,
        golden=store.put(canonical(golden or true_golden), ".json"),
        code=store.put(canonical(code), ".json"),
    )
    return write_bundle(store, manifest)
