"""What the inference log holds of a champion's answers, as metrics and the look take it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.classes import class_of
from pipelines.inference_log.decode import INPUT
from pipelines.tasks import finds_classes, has_named_classes
from pipelines.watch.sides import Labelled
from pipelines.watch.window_rows import ARROW

if TYPE_CHECKING:
    from pipelines.bundle.schema import InputSchema

    Array = np.ndarray[Any, Any]


def logged_inputs(rows: pa.Table, schema: InputSchema) -> pa.Table:
    """Return the logged inputs by name, without personal ones."""
    personal = {c.name for c in schema.columns if c.personal}
    names = [n.removeprefix(INPUT) for n in rows.column_names if n.startswith(INPUT)]
    return pa.table({n: rows[INPUT + n] for n in names if n not in personal})


def as_learnt(own: pa.Table, schema: InputSchema) -> pa.Table:
    """Return the champion's inputs of its own rows in the types that it logged.

    Other releases' may have made texts of them.
    """
    columns = {}
    for column in schema.columns:
        if column.personal is None and INPUT + column.name in own.column_names:
            values = own[INPUT + column.name]
            with contextlib.suppress(
                pa.ArrowInvalid
            ):  # what does not fit is seen by the look, which names it
                values = values.cast(ARROW[column.kind])
            columns[column.name] = values
    return pa.table(columns)


def logged_predictions(rows: pa.Table, schema: InputSchema) -> Array:
    """Return the predictions (n,): values, or names of classes."""
    column = rows["prediction"]
    if has_named_classes(schema.task):
        return np.array(column.to_pylist(), dtype=object)
    values: Array = column.cast(pa.float64()).to_numpy()
    return values


def logged_chances(rows: pa.Table, schema: InputSchema, classes: list[str]) -> Array | None:
    """Return the logged probabilities (n, k) in the order of the champion's classes.

    `classes` are those of all the log's versions. None for a task without named classes, and where
    one of the champion's is not among them.
    """
    own = schema.classes or []
    if not has_named_classes(schema.task) or not own or not set(own) <= set(classes):
        return None
    values: Array = _by_class(rows, classes)[:, [classes.index(name) for name in own]]
    return values


def _numbers(rows: pa.Table, schema: InputSchema, names: list[str]) -> Array:
    """Return the logged answers that are values: (n,), or (n, k) at the champion's levels.

    `names` are those of all the log's numbers, of which other versions may have had others.
    """
    if not schema.levels:
        values: Array = rows["prediction"].cast(pa.float64()).to_numpy()
        return values
    wide = np.array(rows["probabilities"].to_pylist(), dtype=np.float64)
    own = [names.index(name) for name in schema.answer_names if name in names]
    return wide.reshape(rows.num_rows, len(names))[:, own]


def labelled_answers(rows: pa.Table, schema: InputSchema, classes: list[str]) -> Labelled:
    """Return the labelled rows of the log as metrics take them; of clusters all rows."""
    if not finds_classes(schema.task):
        rows = rows.filter(pc.is_valid(rows["label"]))
    times = rows["event_time"].to_numpy().astype("datetime64[us]")
    if not has_named_classes(schema.task):
        return Labelled(
            rows["label"].cast(pa.float64()).to_numpy(),
            _numbers(rows, schema, classes),
            times,
            as_learnt(rows, schema),
        )
    if finds_classes(schema.task):
        return Labelled(
            np.zeros(len(times)), _by_class(rows, classes), times, as_learnt(rows, schema), classes
        )
    position = {name: i for i, name in enumerate(classes)}
    own = (
        schema.classes or []
    )  # a label may be told in the name that an earlier version had for its class
    y = np.array(
        [position.get(class_of(label, own) or label, -1) for label in rows["label"].to_pylist()],
        dtype=np.int64,
    )
    return Labelled(
        y,
        _by_class(rows, classes),
        times,
        as_learnt(rows, schema),
        classes,
    )


def _by_class(rows: pa.Table, classes: list[str]) -> Array:
    """Return the logged probabilities (n, k)."""
    values = np.array(rows["probabilities"].to_pylist(), dtype=np.float64)
    return values.reshape(rows.num_rows, len(classes))
