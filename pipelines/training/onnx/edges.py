"""Rows of extreme values, which held-out rows may lack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.bundle.rows import FLOAT32_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.bundle.rows import Row, Scalar
    from pipelines.bundle.schema import Column, InputSchema

PER_COLUMN = 50
"""Columns that get edge rows of their own."""


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
