"""The one encoding from a caller's rows, or a table's columns, to what a model is fed.

Online, in training and offline.

Numbers, integers and booleans become float32 (null becomes NaN), strings stay str (null becomes
""). A *feed* holds one array of shape [rows, 1] per column: float32 or object. Every way in ends in
a feed, and the frame that scikit-learn sees is made of a feed; so what was learnt from and what is
asked are the same values, bit for bit. Integers go through float64 on every way, because JSON's
numbers do. pandas and pyarrow are imported only where a table is encoded.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.bundle.schema import Column, InputSchema, Kind
from pipelines.errors import BadData

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    import pyarrow as pa

    from pipelines.tasks import Task

Scalar = float | int | bool | str | None
Row = dict[str, Scalar]
Feed = dict[str, "np.ndarray[Any, Any]"]

FLOAT32_MAX = float(np.finfo(np.float32).max)
"""The largest number that a caller may send; beyond it float32 is infinite."""


def feed_from_values(columns: Sequence[Column], rows: Sequence[Sequence[Any]]) -> Feed:
    """Return the feed of rows given as values in the columns' order, each of its column's kind (or
    None).
    """
    if not rows:
        return {
            c.name: np.empty((0, 1), dtype=object if c.kind == "string" else np.float32)
            for c in columns
        }
    feed: Feed = {}
    for column, values in zip(columns, zip(*rows, strict=True), strict=True):
        if column.kind == "string":
            array = np.array(["" if v is None else v for v in values], dtype=object)
        else:
            array = np.array(values, dtype=np.float32)
        feed[column.name] = array.reshape(-1, 1)
    return feed


def feed_from_rows(columns: Sequence[Column], rows: Sequence[Mapping[str, Scalar]]) -> Feed:
    """Return the feed of rows as a caller sends them.

    Raises BadData naming a column that a row lacks.
    """
    try:
        return feed_from_values(columns, [[row[c.name] for c in columns] for row in rows])
    except KeyError as error:
        raise BadData(f"A row lacks the column {error.args[0]}.") from error


def feed_from_table(columns: Sequence[Column], table: pa.Table | pd.DataFrame) -> Feed:
    """Return the feed of an Arrow table or a pandas frame.

    Raises BadData naming a column that is missing or does not fit.
    """
    table = _as_table(table, [c.name for c in columns])
    return {
        c.name: (
            _texts(c.name, table[c.name]) if c.kind == "string" else _numbers(c.name, table[c.name])
        )
        for c in columns
    }


def frame_from_feed(feed: Feed) -> pd.DataFrame:
    """Return the pandas frame of a feed.

    Float32 columns, and text as object (pandas would infer a dtype of its own).
    """
    import pandas as pd

    return pd.DataFrame(
        {name: pd.Series(array[:, 0], dtype=array.dtype) for name, array in feed.items()}
    )


def frame_from_table(columns: Sequence[Column], table: pa.Table | pd.DataFrame) -> pd.DataFrame:
    """Return the frame that the scikit-learn pipeline is fitted on and asked with.

    Raises BadData naming a column.
    """
    return frame_from_feed(feed_from_table(columns, table))


def rows_from_table(columns: Sequence[Column], table: pa.Table | pd.DataFrame) -> list[Row]:
    """Return the table's rows as a caller would send them in JSON.

    NaN is null, an integer stays one. Raises BadData.
    """
    table = _as_table(table, [c.name for c in columns])
    by_column = [_plain_values(c.kind, table[c.name]) for c in columns]
    return [
        dict(zip([c.name for c in columns], row, strict=True))
        for row in zip(*by_column, strict=True)
    ]


def schema_of(
    table: pa.Table | pd.DataFrame,
    inputs: Sequence[str],
    task: Task,
    classes: list[str] | None,
) -> InputSchema:
    """Return the input schema of a table's columns.

    Kind by Arrow type, nullable, the first value as example, and the range.

    `classes` are the labels of a multiclass model in the order of its probabilities. Raises BadData
    naming a column that is missing or is neither a number, a boolean nor text.
    """
    table = _as_table(table, inputs)
    columns = []
    for name in inputs:
        kind = _kind(name, table[name].type)
        values = _plain_values(kind, table[name])
        example = next((v for v in values if v is not None), None)
        low, high = _range(kind, values)
        columns.append(
            Column(
                name=name, kind=kind, nullable=None in values, example=example, low=low, high=high
            )
        )
    return InputSchema(task=task, columns=columns, classes=classes)


def _as_table(table: pa.Table | pd.DataFrame, names: Sequence[str]) -> pa.Table:
    import pyarrow as pa

    present = table.column_names if isinstance(table, pa.Table) else [str(c) for c in table.columns]
    for name in names:
        if present.count(name) != 1:
            raise BadData(
                f"The table has no column {name}."
                if name not in present
                else f"The table has the column {name} twice."
            )
    if isinstance(table, pa.Table):
        return table.select(list(names))
    try:
        return pa.Table.from_pandas(table[list(names)], preserve_index=False)
    except pa.ArrowException as error:
        raise BadData(
            f"A column mixes types: {error}", remedy="give every column one type."
        ) from error


def _value_type(kind: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _kind(name: str, arrow: pa.DataType) -> Kind:
    from pyarrow import types

    from pipelines.columns.widening import type_in_words

    arrow = _value_type(arrow)
    if types.is_boolean(arrow):
        return "boolean"
    if types.is_integer(arrow):
        return "integer"
    if types.is_floating(arrow) or types.is_decimal(arrow):
        return "number"
    if types.is_string(arrow) or types.is_large_string(arrow) or types.is_string_view(arrow):
        return "string"
    raise BadData(
        f"The column {name} holds {type_in_words(arrow)}, which are no input.",
        remedy="build a number, a boolean or text of it in features.py.",
        at=("features", "inputs", name),
    )


def _numbers(name: str, column: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    import pyarrow as pa

    if _kind(name, column.type) == "string" and column.null_count < len(column):
        raise BadData(f"The column {name} holds text where numbers were learnt from.")
    wide = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    with np.errstate(over="ignore"):
        narrow: np.ndarray[Any, Any] = wide.astype(np.float32)
    if np.isinf(narrow).any():
        raise BadData(
            f"The column {name} holds numbers beyond float32's range.",
            remedy="clip or rescale it in features.py.",
            at=("features", "inputs", name),
        )
    return narrow.reshape(-1, 1)


def _texts(name: str, column: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    import pyarrow as pa

    if _kind(name, column.type) != "string" and column.null_count < len(column):
        raise BadData(f"The column {name} holds {column.type} where text was learnt from.")
    values = column.cast(pa.string()).fill_null("").to_pylist()
    return np.array(values, dtype=object).reshape(-1, 1)


def _range(kind: Kind, values: list[Scalar]) -> tuple[float | None, float | None]:
    """Return the least and the greatest number; two Nones where there are no numbers."""
    numbers = [float(v) for v in values if v is not None] if kind in {"number", "integer"} else []
    return (min(numbers), max(numbers)) if numbers else (None, None)


def _plain_values(kind: Kind, column: pa.ChunkedArray) -> list[Scalar]:
    """Return a column's values as JSON has them for this kind, whatever type this table holds them
    in; NaN is null.
    """
    import pyarrow as pa

    arrow = _value_type(column.type)
    if (
        kind == "string"
        or (kind == "integer" and pa.types.is_integer(arrow))
        or (kind == "boolean" and pa.types.is_boolean(arrow))
    ):
        return list(column.to_pylist())
    values = [
        None if v is None or math.isnan(v) else v
        for v in column.cast(pa.float64(), safe=False).to_pylist()
    ]
    if kind == "integer":
        return [int(v) if v is not None and v.is_integer() else v for v in values]
    if kind == "boolean":
        return [bool(v) if v in {0, 1} else v for v in values]
    return list(values)
