"""How a fitted model is stored, compiled and proven: of own code in the process where it lives."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.bundle.feed_tables import bytes_of_table, table_of_bytes, table_of_feed
from pipelines.bundle.predictor import NativePredictor, OnnxPredictor, Predictor
from pipelines.errors import SpecError
from pipelines.training.estimators import ESTIMATOR
from pipelines.training.onnx.answers import native_answers
from pipelines.training.onnx.export import Compilation, compile_pipeline

if TYPE_CHECKING:
    from pipelines.bundle.rows import Feed, Row
    from pipelines.bundle.schema import InputSchema
    from pipelines.fence.own_code import OwnCode
    from pipelines.training.own.estimator import OwnEstimator

    Array = np.ndarray[Any, Any]

PROVEN_ROWS = 50
UNSEEN = "a text that no row has"


def own_estimator(model: Any) -> OwnEstimator | None:
    """Return the own estimator of a fitted pipeline; None where it has none."""
    last = model.named_steps.get(ESTIMATOR)
    return last if hasattr(last, "number") and hasattr(last, "process") else None


def code_of(model: Any) -> OwnCode | None:
    """Return the code that a fitted pipeline is of; None where it has none of its own."""
    own = own_estimator(model)
    return own.process.code if own is not None else None


def dump(model: Any) -> bytes:
    """Return a fitted pipeline as skops stores it. Raises SpecError where it cannot be."""
    from skops import io

    own = own_estimator(model)
    if own is None:
        data: bytes = io.dumps(model)
        return data
    _, tables = own.ask({"what": "dump"}, {})
    return bytes_of_table(tables["model"])


def compile_model(model: Any, schema: InputSchema, held_out: Feed, edges: list[Row]) -> Compilation:
    """Compile a fitted pipeline with proof (see `onnx.export`)."""
    own = own_estimator(model)
    if own is None:
        return compile_pipeline(model, schema, held_out, edges)
    request = {"what": "compile", "schema": schema.model_dump(mode="json")}
    tables = {
        "held_out": table_of_feed(held_out),
        "edges": table_of_bytes(json.dumps(edges).encode()),
    }
    header, values = own.ask(request, tables)
    return Compilation(
        bytes_of_table(values["onnx"]) if "onnx" in values else None,
        header["parity"],
        header["why_not"],
        header["rows"],
        header["thresholds"],
        header["asked"],
    )


def open_predictor(
    model: Any, schema: InputSchema, native: bytes, compiled: bytes | None = None
) -> Predictor:
    """Return the predictor of a model that was stored, as a bundle's is opened."""
    own = own_estimator(model)
    if compiled is not None:
        return OnnxPredictor(schema, compiled)
    if own is None:
        return NativePredictor(schema, native)
    from pipelines.bundle.process_predictor import ProcessPredictor

    process = own.process
    return ProcessPredictor(
        schema,
        native,
        process.code,
        memory=process.limits.memory,
        seconds=process.seconds,
        paths=process.limits.paths,
    )


def _ask_unseen(predictor: Predictor, schema: InputSchema, feed: Feed, code: OwnCode) -> None:
    """Ask for a text that no row has. Raises SpecError where the model fails on it."""
    for column in schema.columns:
        if column.kind != "string" or not len(feed[column.name]):
            continue
        row = {name: values[:1] for name, values in feed.items()}
        row[column.name] = np.array([[UNSEEN]], dtype=object)
        try:
            predictor.predict_feed(row)
        except (ValueError, SpecError) as error:
            raise SpecError(
                f"{code.subject}: the model fails on a text of {column.name} that it has not"
                f" seen: {error}",
                remedy="callers will send one: give the encoder handle_unknown='ignore' or an"
                " unknown_value.",
            ) from error


def prove_stored(model: Any, schema: InputSchema, native: bytes, feed: Feed) -> None:
    """Load a stored model of own code as serving does, and compare its answers with the fitted
    model's.

    Raises SpecError where it cannot be loaded, or answers otherwise.
    """
    own = own_estimator(model)
    if own is None:
        return
    few = {name: values[:PROVEN_ROWS] for name, values in feed.items()}
    predictor = open_predictor(model, schema, native)
    try:
        theirs = predictor.predict_feed(few)
        _ask_unseen(predictor, schema, few, own.process.code)
    except ValueError as error:
        raise SpecError(
            f"{own.process.code.subject}: the model refuses rows to answer: {error}",
            remedy="it must answer every row that `build` may give.",
        ) from error
    finally:
        getattr(predictor, "close", lambda: None)()
    ours = native_answers(model, schema, few)
    if not np.array_equal(ours, theirs, equal_nan=True):
        raise SpecError(
            f"{own.process.code.subject}: the stored model answers the same"
            f" {len(ours)} rows otherwise than the fitted one (by up to"
            f" {np.abs(ours - theirs).max():.3g}).",
            remedy="what `fit` learns belongs into attributes of the estimator, and `predict` must"
            " not draw at random.",
        )
