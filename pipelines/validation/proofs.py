"""Expectations that a few sums of a column prove to be met, without Great Expectations.

Most batches are clean, and Great Expectations takes some 50 ms for one expectation on any batch,
and a frame of all rows in memory. What Arrow can prove is answered here, in its very words; what it
cannot, and whatever broke an expectation, is left to Great Expectations.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from pipelines.validation.suites import Expectation

Proof = tuple[str, int]
"""What was observed, in Great Expectations' words, and how many rows broke the expectation."""
CLEAN: Proof = ("", 0)
_SURE = 1e-6
"""How far a share must lie above `mostly` for rounding to play no part."""


def prove(table: pa.Table, expectation: Expectation, ready: Any) -> Proof | None:
    """Return what was observed where the expectation is surely met; None where that is not known.

    `ready` is Great Expectations' own object, whose literals are of the columns' types.
    """
    known = _PROOFS.get(expectation["type"])
    if known is None or not table.num_rows:
        return None
    arguments, proof = known
    kwargs = {k: v for k, v in expectation.get("kwargs", {}).items() if v is not None}
    named = [kwargs.get("column"), *(kwargs.get("column_list") or [])]
    if not set(kwargs) <= arguments or any(
        table.column_names.count(name) != 1 for name in named if name is not None
    ):
        return None
    return proof(table, kwargs, ready)


def _row_count(table: pa.Table, kwargs: dict[str, Any], _: Any) -> Proof | None:
    low, high = kwargs.get("min_value", 0), kwargs.get("max_value", table.num_rows)
    if not (type(low) is int and type(high) is int):
        return None
    return (str(table.num_rows), 0) if low <= table.num_rows <= high else None


def _not_null(table: pa.Table, kwargs: dict[str, Any], _: Any) -> Proof | None:
    import pyarrow as pa
    import pyarrow.compute as pc

    column, mostly = table[kwargs["column"]], kwargs.get("mostly", 1)
    nulls = column.null_count
    if pa.types.is_floating(column.type):
        nulls += pc.sum(pc.is_nan(column)).as_py() or 0
    if not nulls:
        return CLEAN
    share = (table.num_rows - nulls) / table.num_rows
    if isinstance(mostly, bool) or not isinstance(mostly, int | float) or share < mostly + _SURE:
        return None
    return f"{nulls} bad rows ({100 * nulls / table.num_rows:.2f} %)", nulls


def _between(table: pa.Table, kwargs: dict[str, Any], ready: Any) -> Proof | None:
    import pyarrow as pa
    import pyarrow.compute as pc

    column = table[kwargs["column"]]
    kind = column.type
    is_number = pa.types.is_integer(kind) or pa.types.is_float64(kind)
    is_time = pa.types.is_timestamp(kind) and kind.unit == "us" and kind.tz == "UTC"
    if not (is_number or is_time):
        return None
    bounds = [(ready.min_value, ready.strict_min), (ready.max_value, ready.strict_max)]
    fit = (datetime,) if is_time else (int, float)
    if any(b is not None and (isinstance(b, bool) or not isinstance(b, fit)) for b, _ in bounds):
        return None
    if is_time and any(b is not None and b.tzinfo is None for b, _ in bounds):
        return None
    ends = pc.min_max(column)
    least, greatest = ends["min"].as_py(), ends["max"].as_py()
    if least is None:
        return None
    (low, above), (high, below) = bounds
    met = (low is None or (least > low if above else least >= low)) and (
        high is None or (greatest < high if below else greatest <= high)
    )
    return CLEAN if met else None


def _in_set(table: pa.Table, kwargs: dict[str, Any], ready: Any) -> Proof | None:
    import pyarrow as pa
    import pyarrow.compute as pc

    column, values = table[kwargs["column"]], ready.value_set
    fit = str if pa.types.is_string(column.type) else int
    if not (pa.types.is_string(column.type) or pa.types.is_integer(column.type)):
        return None
    if not isinstance(values, list) or any(type(value) is not fit for value in values):
        return None
    there = set(pc.unique(column.drop_null()).to_pylist())
    return CLEAN if there and there <= set(values) else None


def _unique(table: pa.Table, kwargs: dict[str, Any], _: Any) -> Proof | None:
    return _all_differ(table.select([kwargs["column"]]))


def _unique_together(table: pa.Table, kwargs: dict[str, Any], _: Any) -> Proof | None:
    names = kwargs["column_list"]
    return _all_differ(table.select(names)) if len(set(names)) == len(names) else None


def _all_differ(columns: pa.Table) -> Proof | None:
    import pyarrow as pa

    for column in columns.columns:
        kind = column.type
        simple = pa.types.is_integer(kind) or pa.types.is_string(kind)
        if column.null_count or not (simple or pa.types.is_timestamp(kind)):
            return None
    differ = columns.group_by(columns.column_names).aggregate([]).num_rows == columns.num_rows
    return CLEAN if differ else None


_PROOFS: dict[str, tuple[set[str], Callable[[pa.Table, dict[str, Any], Any], Proof | None]]] = {
    "expect_table_row_count_to_be_between": ({"min_value", "max_value"}, _row_count),
    "expect_column_values_to_not_be_null": ({"column", "mostly"}, _not_null),
    "expect_column_values_to_be_between": (
        {"column", "min_value", "max_value", "strict_min", "strict_max", "mostly"},
        _between,
    ),
    "expect_column_values_to_be_in_set": ({"column", "value_set", "mostly"}, _in_set),
    "expect_column_values_to_be_unique": ({"column", "mostly"}, _unique),
    "expect_compound_columns_to_be_unique": ({"column_list", "mostly"}, _unique_together),
}
"""By type: the arguments under which it can be proven, and how."""
