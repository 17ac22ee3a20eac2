"""Compile a fitted pipeline to ONNX, with proof.

The compiled model must answer as the fitted one did, or it is not used.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.bundle.predictor import OnnxPredictor
from pipelines.bundle.rows import FLOAT32_MAX, feed_from_rows, frame_from_feed
from pipelines.training.onnx.boundaries import find_boundary
from pipelines.training.onnx.thresholds import build_rows
from pipelines.training.onnx.tree_nodes import read_nodes, round_thresholds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipelines.bundle.rows import Feed, Row, Scalar
    from pipelines.bundle.schema import Column, InputSchema

    Array = np.ndarray[Any, Any]

OPSET = 18
TOLERANCE = {"binary": 1e-5, "multiclass": 1e-5, "regression": 1e-4}
"""How far answers may differ.

Absolutely for probabilities, relatively for values (see `difference`).
"""
PER_COLUMN = 50
"""Columns that get edge rows of their own."""


@dataclass(frozen=True)
class Compilation:
    """The ONNX bytes, or None with the reason in `why_not`.

    `parity` is the greatest difference from the fitted model's answers.
    """

    model: bytes | None
    parity: float | None
    why_not: str
    rows: int = 0
    """How many rows were compared."""


def compile_pipeline(
    pipeline: Any, schema: InputSchema, held_out: Feed, edges: list[Row]
) -> Compilation:
    """Compile the pipeline and compare the answers.

    A model that does not compile, load, answer or agree is refused; `why_not` says why.

    Compared are the held-out rows, the edge rows, rows at, just below and just above the thresholds
    of its trees (see `thresholds`), and where it has none, rows between two classes (see
    `boundaries`).
    """
    if why := _why_unprovable(pipeline):
        return Compilation(None, None, f"not compiled: {why}")
    try:
        model = to_onnx(pipeline, schema)
        proof = _prove(
            pipeline, OnnxPredictor(schema, model), _ask(pipeline, schema, held_out, edges)
        )
    # Converter and runtime raise what they like; any of it means: serve natively, and say why.
    except Exception as error:  # noqa: BLE001
        return Compilation(
            None,
            None,
            f"not compiled: {type(error).__name__}: {' '.join(str(error).split())[:200]}",
        )
    why = proof.why_not or _find_known_fault(pipeline)
    return replace(proof, model=None if why else model, why_not=why)


def _why_unprovable(pipeline: Any) -> str:
    """Return why no proof can be given for this kind of model, or nothing.

    Learnt rows on a grid (prices, counts, halves) are often equally far from a request. Which of
    them count then depends on the last bit and on the order of a search, and no sample of requests
    shows all such ties.
    """
    if type(pipeline.steps[-1][1]).__name__.startswith("KNeighbors"):
        return (
            "where two rows are equally far, float32 chooses other neighbours, and nobody can ask"
            " for all such requests"
        )
    return ""


def _find_known_fault(pipeline: Any) -> str:
    """Return in words what the converter is known to compile wrong, or nothing.

    The rows of the proof might miss it.
    """
    nodes = read_nodes(pipeline.steps[-1][1])
    if nodes is not None and nodes.by_category.any():
        return (
            "not compiled: its trees ask for sets of categories (categorical_features), which the"
            " converter takes for numbers"
        )
    return ""


def _ask(
    pipeline: Any, schema: InputSchema, held_out: Feed, edges: list[Row]
) -> Iterator[tuple[str, Feed]]:
    """Yield the feeds that the proof compares, each with a name for one of its rows.

    The held-out rows come first.
    """
    yield "a held-out row", held_out
    yield "an edge row", feed_from_rows(schema.columns, edges)
    estimator = pipeline.steps[-1][1]
    if read_nodes(estimator) is not None:
        for feed in build_rows(pipeline, schema, held_out):
            yield "a row at a threshold", feed
    elif schema.task != "regression":
        yield (
            "a row between two classes",
            find_boundary(
                held_out, lambda feed: _pick_classes(native_answers(pipeline, schema, feed))
            ),
        )


def _pick_classes(answers: Array) -> Array:
    """Return the class that each answer speaks for."""
    # Half of the probability.
    return answers[:, 0] > 0.5 if answers.shape[1] == 1 else answers.argmax(axis=1)  # noqa: PLR2004


def _prove(
    pipeline: Any, predictor: OnnxPredictor, questions: Iterator[tuple[str, Feed]]
) -> Compilation:
    """Compare the answers; stop at the first feed whose difference is too great, and name it."""
    schema, worst, rows, usual = predictor.schema, 0.0, 0, None
    tolerance = TOLERANCE[schema.task]
    for where, feed in questions:
        count = len(feed[schema.columns[0].name])
        if not count:
            continue
        native, compiled = native_answers(pipeline, schema, feed), predictor.predict_feed(feed)
        usual = _usual_size(native) if usual is None else usual
        worst, rows = max(worst, difference(native, compiled, schema.task, usual)), rows + count
        if not worst <= tolerance:
            return Compilation(
                None,
                worst,
                f"the compiled model differs by {worst:.3g} on {where}, more than {tolerance:g}",
                rows,
            )
    return Compilation(None, worst, "", rows)


def to_onnx(pipeline: Any, schema: InputSchema) -> bytes:
    """Return the pipeline as ONNX.

    The same fit gives the same bytes in every process (no random names, no order of a set).
    """
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    pipeline = round_thresholds(pipeline)
    kinds = [
        (c.name, StringTensorType([None, 1]) if c.kind == "string" else FloatTensorType([None, 1]))
        for c in schema.columns
    ]
    options = {} if schema.task == "regression" else {id(pipeline): {"zipmap": False}}
    with warnings.catch_warnings():
        # of onnx's own calls, e.g. "Expected an int, got a boolean" for every tree
        warnings.simplefilter("ignore")
        model = convert_sklearn(
            pipeline, name="perennial", initial_types=kinds, options=options, target_opset=OPSET
        )
    opsets = sorted((o.domain, o.version) for o in model.opset_import)
    del model.opset_import[:]
    for domain, version in opsets:
        model.opset_import.add(domain=domain, version=version)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def native_answers(pipeline: Any, schema: InputSchema, feed: Feed) -> Array:
    """Return the fitted pipeline's answers [rows, k], as a bundle's predictor gives them."""
    frame = frame_from_feed(feed)
    with np.errstate(over="ignore", invalid="ignore"):
        # edge rows may overflow in both; `difference` compares what came of it
        if schema.task == "regression":
            return np.asarray(pipeline.predict(frame), dtype=np.float64).reshape(-1, 1)
        probabilities = np.asarray(pipeline.predict_proba(frame), dtype=np.float64)
    return probabilities[:, 1:2] if schema.task == "binary" else probabilities


def difference(native: Array, compiled: Array, task: str, usual: float | None = None) -> float:
    """Return the greatest difference between the two models' answers.

    It is absolute for probabilities, and for values relative to the value (or to `usual`, if that
    is greater).

    `usual` is the answers' usual size, by default their median one. What is not finite must be the
    same on both sides, else the difference is infinite.
    """
    if native.shape != compiled.shape:
        return float("inf")
    finite = np.isfinite(native) & np.isfinite(compiled)
    same = (native == compiled) | (np.isnan(native) & np.isnan(compiled))
    gap = np.abs(np.where(finite, native, 0.0) - np.where(finite, compiled, 0.0))
    if task == "regression":
        size = np.abs(np.where(finite, native, 0.0))
        gap = gap / np.maximum(
            np.maximum(size, _usual_size(native) if usual is None else usual),
            np.finfo(np.float64).tiny,
        )
    return float(np.where(finite, gap, np.where(same, 0.0, np.inf)).max(initial=0.0))


def _usual_size(answers: Array) -> float:
    """Return the median size of the answers; 0 stands for those that are not finite."""
    return float(np.median(np.abs(np.where(np.isfinite(answers), answers, 0.0))))


def edge_rows(schema: InputSchema, rows: list[Row]) -> tuple[list[Row], list[Row]]:
    """Return rows of extreme values, which the held-out rows may lack.

    The first have every column at an edge, the second one column each. The edges are nulls where
    the schema allows them, unseen, empty and long text, zero, minus one, and ten times the range
    that `rows` span.
    """
    base = rows[len(rows) // 2]
    single: list[Row] = []
    edges = {c.name: _edges(c, [r[c.name] for r in rows]) for c in schema.columns}
    longest = max(len(values) for values in edges.values())
    whole: list[Row] = [
        {name: values[i % len(values)] for name, values in edges.items()} for i in range(longest)
    ]
    for name in list(edges)[:PER_COLUMN]:
        single += [{**base, name: value} for value in edges[name]]
    return whole, single


def _edges(column: Column, values: list[Scalar]) -> list[Scalar]:
    nulls: list[Scalar] = [None] if column.nullable else []
    if column.kind == "string":
        return [*nulls, "", "never seen before", "ü" * 1_000, "0"]
    if column.kind == "boolean":
        return [*nulls, True, False]
    numbers = [float(v) for v in values if v is not None] or [0.0]
    most = FLOAT32_MAX / 2
    limit: Callable[[float], float] = lambda v: min(max(v, -most), most)  # noqa: E731 -- said once
    reach = [
        limit(10 * min(numbers)),
        limit(10 * max(numbers)),
        limit(-10 * max(numbers)),
        0.0,
        -1.0,
        min(numbers),
        max(numbers),
    ]
    return [*nulls, *(int(v) if column.kind == "integer" else v for v in reach)]
