"""Labels of a window as the champion's classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.classes import class_names, class_of
from pipelines.inference_log.format import earlier_key_text, key_text
from pipelines.training.targets import targets

if TYPE_CHECKING:
    from pipelines.bundle.schema import InputSchema
    from pipelines.spec import Spec

    Array = np.ndarray[Any, Any]


def truth_of(rows: pa.Table, spec: Spec, schema: InputSchema) -> Array:
    """Return the targets of labelled rows (n,), a class by its place among those of the champion,
    whatever it calls them.
    """
    if not spec.has_target:
        return targets(rows, spec, schema.classes)
    column = spec.target.column
    if schema.binary_classes:
        truth: Array = as_binary(rows[column], schema.binary_classes).to_numpy()
        return truth.astype(np.int64)
    if schema.classes:
        rows = rows.set_column(
            rows.column_names.index(column),
            column,
            as_classes(class_names(rows[column]), schema.classes),
        )
    return targets(rows, spec, schema.classes)


def source_labels(target: pa.ChunkedArray, schema: InputSchema) -> pa.ChunkedArray:
    """Return what the source says of events, as the log holds labels; null where it says nothing
    that the champion knows.
    """
    if schema.binary_classes:
        return as_binary(target, schema.binary_classes)
    if schema.classes:
        return as_classes(class_names(target), schema.classes)
    return target.cast(pa.float64())


def as_binary(labels: pa.ChunkedArray, classes: tuple[str, str]) -> pa.ChunkedArray:
    """Return 0.0 and 1.0 for the champion's two classes, null for any other label."""
    names = class_names(labels)
    distinct = names.unique()
    places = {name: float(place) for place, name in enumerate(classes)}
    values = pa.array(
        [
            None if n is None or (own := class_of(n, classes)) is None else places[own]
            for n in distinct.to_pylist()
        ],
        pa.float64(),
    )
    found = values.take(pc.index_in(names.combine_chunks(), value_set=distinct))
    return pa.chunked_array([found], pa.float64())


def as_classes(names: pa.ChunkedArray, classes: list[str]) -> pa.ChunkedArray:
    """Return labels by the names that a model has for their classes.

    Those that it does not know keep their own.
    """
    distinct = names.unique()
    own = pa.array(
        [None if n is None else class_of(n, classes) or n for n in distinct.to_pylist()],
        pa.string(),
    )
    return pa.chunked_array(
        [own.take(pc.index_in(names.combine_chunks(), value_set=distinct))], pa.string()
    )


def of_known_class(rows: pa.Table, spec: Spec, schema: InputSchema) -> Array:
    """Return (n,) booleans: whether the label is one of the champion's two classes.

    True everywhere for a champion whose classes have no names.
    """
    if not schema.binary_classes:
        return np.full(rows.num_rows, fill_value=True)
    values = as_binary(rows[spec.target.column], schema.binary_classes)
    return np.asarray(pc.is_valid(values).to_numpy(), dtype=bool)


def keys_of(table: pa.Table, spec: Spec) -> list[list[str]]:
    """Return the keys of the rows in each spelling that the log may hold them in, the newest
    spelling last.
    """
    rows = list(zip(*(table[c].to_pylist() for c in spec.key), strict=True))
    now = [key_text(values) for values in rows]
    if not any(pa.types.is_timestamp(table.schema.field(c).type) for c in spec.key):
        return [now]
    return [[earlier_key_text(values) for values in rows], now]
