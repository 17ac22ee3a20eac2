"""The rows of a query as Arrow columns, chunk by chunk, so that few of them are Python objects.

A column has the type that it would have, had all rows been looked at at once.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from pipelines.columns.from_objects import column_of, json_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pyarrow as pa

    Rows = Sequence[Sequence[Any]]
    Change = Callable[[list[Any]], list[Any]]

MOST_ROWS, MOST_VALUES = 20_000, 400_000
"""Of one chunk: what is held as Python objects at a time takes some tens of MiB."""


def rows_of_chunk(columns: int) -> int:
    """Return how many rows of so many columns are read at a time."""
    return max(1, min(MOST_ROWS, MOST_VALUES // max(1, columns)))


def table_of(
    names: Sequence[str],
    chunks: Iterable[Rows],
    subject: str,
    changes: dict[int, Change] | None = None,
) -> pa.Table:
    """Return the rows as columns; an object of a JSON column is JSON again.

    Times without a zone stay so. `changes` gives the values of a
    column (by its place) the type that the database means.

    Raises BadData naming the column whose values are of several kinds, or of one that is not kept.
    """
    import pyarrow as pa

    parts: list[list[pa.Array]] = [[] for _ in names]
    for rows in chunks:
        for place, name in enumerate(names):
            values = [row[place] for row in rows]
            if changes and place in changes:
                values = changes[place](values)
            parts[place].append(_array_of(values, name, subject))
    columns = [_in_one_type(parts.pop(0), name, subject) for name in names]
    return pa.table(columns, names=list(names))


def _in_one_type(parts: list[pa.Array], name: str, subject: str) -> pa.ChunkedArray:
    """Return the parts of a column in the one type that all its values have together."""
    import pyarrow as pa

    with_values = [p.type for p in parts if not pa.types.is_null(p.type)]
    kinds = set(with_values)
    if not kinds:
        return pa.chunked_array([pa.nulls(sum(map(len, parts)))])
    if len(kinds) == 1:
        return pa.chunked_array([p.cast(with_values[0]) for p in parts])
    if all(map(pa.types.is_decimal, kinds)):
        widest = max(kinds, key=lambda kind: kind.scale)
        try:
            return pa.chunked_array([p.cast(widest) for p in parts])
        except pa.ArrowInvalid:  # the digits before the point leave no room for so many behind it
            pass
    # A database without types of columns (SQLite) mixes whole numbers with others: rare, and only
    # the values themselves tell the type.
    return pa.chunked_array([column_of([v for p in parts for v in p.to_pylist()], name, subject)])


def _array_of(values: list[Any], name: str, subject: str) -> pa.Array:
    """Return values as `column_of` does; faster, where all are of one plain type of Python."""
    import pyarrow as pa

    kinds = set(map(type, values)) - {type(None)}
    kind = kinds.pop() if len(kinds) == 1 else None
    types: dict[Any, Any] = {
        bool: pa.bool_(),
        int: pa.int64(),
        float: pa.float64(),
        str: pa.string(),
        bytes: pa.binary(),
        dt.datetime: pa.timestamp("us"),
    }
    zoned = kind is dt.datetime and any(v is not None and v.tzinfo is not None for v in values)
    if kind in types and not zoned:
        try:
            return pa.array(values, types[kind], from_pandas=True)
        except (pa.ArrowException, OverflowError, ValueError):  # it is named below, or a decimal
            pass
    return column_of([_json(v) for v in values], name, subject)


def _json(value: Any) -> Any:
    if isinstance(value, dict) or (isinstance(value, list) and _has_objects(value)):
        return json_text(value)
    return value


def _has_objects(values: list[Any]) -> bool:
    return any(isinstance(v, dict) or (isinstance(v, list) and _has_objects(v)) for v in values)
