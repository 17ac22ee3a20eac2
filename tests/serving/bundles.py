"""Real bundles for tests and benchmarks.

A scikit-learn pipeline is fitted, compiled, proven and stored, as packaging does it.
"""

from __future__ import annotations

import functools
import warnings
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from pipelines.bundle.load import write_bundle
from pipelines.bundle.manifest import BundleManifest, Golden, Release, release_key, served_key
from pipelines.bundle.predictor import NativePredictor, OnnxPredictor
from pipelines.bundle.quantile_fits import QuantileFits
from pipelines.bundle.rows import frame_from_table, rows_from_table, schema_of
from pipelines.intervals import Interval
from pipelines.refs import Ref, canonical
from pipelines.training.onnx.conversion import to_onnx

if TYPE_CHECKING:
    from pipelines.bundle.schema import InputSchema
    from pipelines.store.port import Store

MARCH = Interval(start=datetime(2013, 3, 1, tzinfo=UTC), end=datetime(2013, 4, 1, tzinfo=UTC))
NUMBERS = [f"x{i}" for i in range(8)]

LEVELS = (0.1, 0.5, 0.9)
"""What a model of quantiles answers with."""


def small_table(rows: int = 400, seed: int = 1) -> pa.Table:
    """Every kind of input, some of them null."""
    draw = np.random.default_rng(seed)
    distance = [
        None if i % 17 == 3 else float(v) for i, v in enumerate(draw.normal(500, 200, rows))
    ]
    carrier = [
        None if i % 23 == 5 else str(v)
        for i, v in enumerate(draw.choice(["AA", "B6", "UA", "Ünïted ✈"], rows))
    ]
    columns = {
        "distance": pa.array(distance, pa.float64()),
        "seats": pa.array(draw.integers(20, 400, rows), pa.int64()),
        "weekend": pa.array(draw.random(rows) < 0.3),
        "carrier": pa.array(carrier),
    }
    return pa.table(columns)


def short_table() -> pa.Table:
    """The small table with distances in thousands.

    A scaler multiplies them, so that large numbers overflow float32.
    """
    import pyarrow.compute as pc

    table = small_table()
    return table.set_column(0, "distance", pc.divide(table["distance"], 1_000))


def wide_table(rows: int = 4_000, seed: int = 1) -> pa.Table:
    """Twelve inputs, as a real model has them: numbers, an hour, a flag, two texts."""
    draw = np.random.default_rng(seed)
    columns: dict[str, Any] = {name: draw.normal(size=rows) for name in NUMBERS}
    columns |= {"hour": draw.integers(0, 24, rows), "weekend": draw.random(rows) < 0.3}
    columns |= {
        "carrier": draw.choice(list("ABCDEFG"), rows),
        "origin": draw.choice([f"k{i}" for i in range(100)], rows),
    }
    return pa.table(columns)


def _target(table: pa.Table, task: str, seed: int) -> np.ndarray[Any, Any]:
    draw = np.random.default_rng(seed)
    numeric = [
        np.nan_to_num(table[c].cast(pa.float64()).to_numpy())
        for c in table.column_names
        if not pa.types.is_string(table[c].type)
    ]
    score = (
        sum(draw.normal() * (v - v.mean()) / (v.std() or 1) for v in numeric)
        + draw.normal(size=table.num_rows) / 2
    )
    if task in {"regression", "quantiles"}:
        return np.asarray(score)
    if task == "binary":
        return np.asarray(score > 0)
    return np.array(["early", "late", "on time"])[np.digitize(score, [-0.7, 0.7])]


def _linear(table: pa.Table) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    texts = [c for c in table.column_names if pa.types.is_string(table[c].type)]
    numbers = Pipeline([("impute", SimpleImputer()), ("scale", StandardScaler())])
    codes = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = ColumnTransformer(
        [
            ("numbers", numbers, [c for c in table.column_names if c not in texts]),
            ("texts", codes, texts),
        ]
    )
    return Pipeline([("columns", columns), ("model", Ridge())])


def _pipeline(table: pa.Table, task: str, iterations: int) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OrdinalEncoder

    texts = [c for c in table.column_names if pa.types.is_string(table[c].type)]
    numbers = [c for c in table.column_names if c not in texts]
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    values = task in {"regression", "quantiles"}
    kind = HistGradientBoostingRegressor if values else HistGradientBoostingClassifier
    columns = ColumnTransformer([("numbers", "passthrough", numbers), ("texts", codes, texts)])
    model = kind(max_iter=iterations, random_state=0)
    if task == "quantiles":
        model = QuantileFits(model.set_params(loss="quantile"), LEVELS, "quantile")
    return Pipeline([("columns", columns), ("model", model)])


def _compiled(pipeline: Any, schema: Any) -> bytes:
    if schema.levels:
        return to_onnx(pipeline, schema)
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    types = [
        (c.name, (StringTensorType if c.kind == "string" else FloatTensorType)([None, 1]))
        for c in schema.columns
    ]
    options = {id(pipeline): {"zipmap": False}} if schema.task != "regression" else None
    with warnings.catch_warnings():
        # Skl2onnx 1.20 hands booleans to an integer field of HistGradientBoosting's trees; protobuf
        # 7 will refuse, 6 warns.

        warnings.filterwarnings(
            "ignore",
            "Field onnx.AttributeProto.ints: Expected an int, got a boolean",
            DeprecationWarning,
        )
        return convert_sklearn(
            pipeline, initial_types=types, options=options, target_opset=18
        ).SerializeToString()


def put_bundle(
    store: Store,
    *,
    model: str = "flights",
    version: str = "1",
    task: Any = "binary",
    seed: int = 1,
    table: pa.Table | None = None,
    iterations: int = 5,
    compiled: bool = True,
    linear: bool = False,
    golden: Golden | None = None,
) -> Ref:
    """Fit, compile, prove and store one version: boosted trees, or a `linear` regression.

    `golden` replaces the true ones.
    """
    options: dict[str, Any] = {
        "task": task,
        "seed": seed,
        "iterations": iterations,
        "compiled": compiled,
        "linear": linear,
    }
    fitted = _fitted_on_the_small_table(**options) if table is None else _fit(table, **options)
    manifest = BundleManifest(
        model=model,
        version=version,
        run="run-1",
        candidate="boosted",
        features_revision="abc123",
        fitted_on=MARCH,
        rows=fitted.rows,
        metrics={"roc_auc": 0.75, "log_loss": None},
        inputs=fitted.inputs,
        compiled=compiled,
        parity=1e-7 if compiled else None,
        why_native="" if compiled else "asked for",
        native=store.put(fitted.native, ".skops"),
        onnx=store.put(fitted.onnx, ".onnx") if fitted.onnx else None,
        golden=store.put(canonical(golden or fitted.golden), ".json"),
    )
    return write_bundle(store, manifest)


class Fitted(NamedTuple):
    """A fitted pipeline as it is stored, with what it answers to eight rows."""

    rows: int
    inputs: InputSchema
    native: bytes
    onnx: bytes | None
    golden: Golden


def _fit(
    table: pa.Table, *, task: str, seed: int, iterations: int, compiled: bool, linear: bool
) -> Fitted:
    from skops import io

    target = _target(table, task, seed)
    classes = sorted(set(target)) if task == "multiclass" else None
    levels = LEVELS if task == "quantiles" else ()
    schema = schema_of(table, table.column_names, task, classes, levels)
    pipeline = (_linear(table) if linear else _pipeline(table, task, iterations)).fit(
        frame_from_table(schema.columns, table), target
    )
    native, onnx = io.dumps(pipeline), _compiled(pipeline, schema) if compiled else None
    predictor = OnnxPredictor(schema, onnx) if onnx else NativePredictor(schema, native)
    rows = rows_from_table(schema.columns, table.slice(0, 8))
    golden = Golden(rows=rows, answers=[predictor.predict([row])[0].tolist() for row in rows])
    return Fitted(table.num_rows, schema, native, onnx, golden)


@functools.cache
def _fitted_on_the_small_table(**options: Any) -> Fitted:
    """Fit once in each process: many tests want the same model under another name."""
    return _fit(small_table(), **options)


def put_release(
    store: Store, number: int, bundle: Ref, *, model: str = "flights", version: str = "1"
) -> None:
    """Publish a release as `deploy` does: the index first."""
    store.publish(served_key(model), b"1")
    release = Release(model=model, number=number, version=version, bundle=bundle, reason="a test")
    assert store.publish(release_key(model, number), canonical(release))
