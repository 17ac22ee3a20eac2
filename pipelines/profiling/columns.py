"""One column of one batch: what is counted of it, and its values as numbers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pipelines.columns.contract import type_of
from pipelines.science.associations import Values

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    Array = NDArray[Any]

Kind = Literal["number", "time", "text", "boolean", "other"]

SAMPLE = 20_000
"""Rows of a batch from which distributions and associations are made; the rest is counted only."""

MOST_GROUPS = 50
"""Different texts that a column may have to count as groups; with more it has no association."""

LONGEST_VALUE = 80


@dataclass(frozen=True)
class ColumnFigures:
    """What is counted of a column in a batch.

    `missing` is the share of null or NaN, 0..1. `unique` counts different values; None for nested
    ones. `quantiles` are those of 0, 10, 50, 90 and 100 %, as numbers (of times seconds since
    1970). `common` holds the most frequent texts with their rows.
    """

    rows: int
    missing: float
    unique: int | None
    quantiles: list[float] | None = None
    mean: float | None = None
    common: dict[str, int] = field(default_factory=dict)


def kind_of(column: pa.ChunkedArray) -> Kind:
    """Return what a column is looked at as."""
    from pyarrow import types

    kind = column.type
    if types.is_boolean(kind):
        return "boolean"
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return "number"
    if types.is_timestamp(kind) or types.is_date(kind) or types.is_duration(kind):
        return "time"
    if types.is_string(kind) or types.is_large_string(kind) or types.is_dictionary(kind):
        return "text"
    return "other"


def type_word(kind: pa.DataType) -> str:
    """Return a type in the words of `schema.yaml`; of a column without values that it has none."""
    from pyarrow import types

    for word, fits in (
        ("no value", types.is_null),
        ("category", types.is_dictionary),
        ("date", types.is_date),
    ):
        if fits(kind):
            return word
    return type_of(kind)


def sample_rows(table: pa.Table, most: int = SAMPLE) -> pa.Table:
    """Return at most so many rows, evenly spread over the table."""
    import pyarrow as pa

    if table.num_rows <= most:
        return table
    return table.take(pa.array(sample_places(table.num_rows, most)))


def sample_places(rows: int, most: int = SAMPLE) -> Array:
    """Return the places of so many of more rows, evenly spread."""
    return np.linspace(0, rows - 1, most).astype(np.int64)


def as_numbers(column: pa.ChunkedArray) -> Array:
    """Return numbers, booleans and times (as seconds) as floats, (n,), NaN where missing."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_date(kind):
        column = column.cast(pa.timestamp("us"))
    if pa.types.is_timestamp(column.type) or pa.types.is_duration(column.type):
        unit = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}[column.type.unit]
        return np.asarray(column.cast(pa.int64()).cast(pa.float64(), safe=False)) * unit
    if pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    numbers: Array = np.asarray(column.cast(pa.float64(), safe=False), dtype=float)
    return numbers


def figures_of(column: pa.ChunkedArray, sample: pa.ChunkedArray) -> ColumnFigures:
    """Return the figures: rows, missing and unique of all rows, the others of the sample."""
    import pyarrow as pa
    import pyarrow.compute as pc

    rows, kind = len(column), kind_of(column)
    plain = _decode(column)
    if pa.types.is_floating(plain.type):
        plain = pc.if_else(pc.is_nan(plain), None, plain)
    missing = int(plain.null_count)
    unique = None if kind == "other" else _unique(plain)
    return with_sample(ColumnFigures(rows, missing / rows if rows else 0.0, unique), sample)


def with_sample(figures: ColumnFigures, sample: pa.ChunkedArray) -> ColumnFigures:
    """Return the figures with those that are of a sample."""
    kind = kind_of(sample)
    if kind in {"number", "time"}:
        values = as_numbers(sample)
        values = values[np.isfinite(values)]
        if len(values):
            quantiles = [float(q) for q in np.percentile(values, [0, 10, 50, 90, 100])]
            return replace(figures, quantiles=quantiles, mean=float(values.mean()))
    if kind in {"text", "boolean"}:
        return replace(figures, common=dict(common_values(sample)))
    return figures


def _decode(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the texts of a category."""
    import pyarrow as pa

    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _unique(column: pa.ChunkedArray) -> int:
    """Return how many different values there are, null not among them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values, kind = column.drop_null(), column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_timestamp(kind):
        return len(np.unique(values.to_numpy()))  # ten times as fast as Arrow's own
    return int(pc.count_distinct(values).as_py())


def common_values(column: pa.ChunkedArray, most: int = MOST_GROUPS) -> list[tuple[str, int]]:
    """Return the most frequent values as texts with their rows, the most frequent first."""
    import pyarrow.compute as pc

    counts = pc.value_counts(_decode(column).combine_chunks().drop_null())
    pairs = zip(counts.field(0).to_pylist(), counts.field(1).to_pylist(), strict=True)
    ordered = sorted(((_text(v), n) for v, n in pairs), key=lambda pair: (-pair[1], pair[0]))
    return ordered[:most]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def as_values(column: pa.ChunkedArray, *, groups: bool = False) -> Values | None:
    """Return a column for its associations; None where it has none: times, too many texts.

    `groups`: numbers are numbers of groups (a target of classes).
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = kind_of(column)
    if kind == "number" and not groups:
        return Values(as_numbers(column), groups=False)
    if kind in {"number", "text", "boolean"}:
        encoded = _decode(column).combine_chunks().dictionary_encode()
        if len(encoded.dictionary) > MOST_GROUPS:
            return None
        codes: Array = np.asarray(pc.cast(encoded.indices, pa.float64()), dtype=float)
        return Values(codes, groups=True)
    return None
