"""Expectations that a few sums of a column prove to be met, without Great Expectations.

Most batches are clean, and Great Expectations takes some 50 ms for one expectation on any batch,
and a frame of all rows in memory. What Arrow can prove is answered here, in its very words; what it
cannot, and whatever broke an expectation, is left to Great Expectations.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from pipelines.validation.suites import Expectation

Proof = tuple[str, int]
"""What was observed, in Great Expectations' words, and how many rows broke the expectation."""
CLEAN: Proof = ("", 0)
_SURE = 1e-6
"""How far a share must lie above `mostly` for rounding to play no part."""


class Figures(Protocol):
    """What is asked of a table's columns: names that it has once."""

    @property
    def schema(self) -> pa.Schema:
        """The columns and their types."""
        ...

    @property
    def rows(self) -> int:
        """How many rows there are."""
        ...

    def missing(self, column: str) -> int:
        """Return how many values are null, or not a number."""
        ...

    def ends(self, column: str) -> tuple[Any, Any]:
        """Return the least and the greatest value, None where there is none."""
        ...

    def holds_only(self, column: str, values: set[Any]) -> bool:
        """Tell whether there are values, and all of them are among these."""
        ...

    def all_differ(self, columns: list[str]) -> bool:
        """Tell whether no two rows are equal in these columns, which hold no null."""
        ...


class TableFigures:
    """The figures of a table in memory."""

    def __init__(self, table: pa.Table) -> None:
        """Remember the table."""
        self._table = table

    @property
    def schema(self) -> pa.Schema:
        """The columns and their types."""
        return self._table.schema

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return int(self._table.num_rows)

    def missing(self, column: str) -> int:
        """Return how many values are null, or not a number."""
        return missing_in(self._table[column])

    def ends(self, column: str) -> tuple[Any, Any]:
        """Return the least and the greatest value, None where there is none."""
        return ends_of(self._table[column])

    def holds_only(self, column: str, values: set[Any]) -> bool:
        """Tell whether there are values, and all of them are among these."""
        there = distinct_in(self._table[column])
        return bool(there) and there <= values

    def all_differ(self, columns: list[str]) -> bool:
        """Tell whether no two rows are equal in these columns."""
        selected = self._table.select(columns)
        return bool(selected.group_by(columns).aggregate([]).num_rows == selected.num_rows)


def missing_in(column: pa.ChunkedArray) -> int:
    """Return how many values of a column are null, or not a number."""
    import pyarrow as pa
    import pyarrow.compute as pc

    count = int(column.null_count)
    if pa.types.is_floating(column.type):
        count += pc.sum(pc.is_nan(column)).as_py() or 0
    return count


def ends_of(column: pa.ChunkedArray) -> tuple[Any, Any]:
    """Return a column's least and greatest value, None where there is none."""
    import pyarrow.compute as pc

    ends = pc.min_max(column)
    return ends["min"].as_py(), ends["max"].as_py()


def distinct_in(column: pa.ChunkedArray) -> set[Any]:
    """Return the values of a column."""
    import pyarrow.compute as pc

    return set(pc.unique(column.drop_null()).to_pylist())


def prove(figures: Figures, expectation: Expectation, ready: Any) -> Proof | None:
    """Return what was observed where the expectation is surely met; None where that is not known.

    `ready` is Great Expectations' own object, whose literals are of the columns' types.
    """
    known = _PROOFS.get(expectation["type"])
    if known is None or not figures.rows:
        return None
    arguments, proof = known
    kwargs = {k: v for k, v in expectation.get("kwargs", {}).items() if v is not None}
    named = [kwargs.get("column"), *(kwargs.get("column_list") or [])]
    if not set(kwargs) <= arguments or any(
        figures.schema.names.count(name) != 1 for name in named if name is not None
    ):
        return None
    return proof(figures, kwargs, ready)


def asked_to_differ(figures: Figures, expectations: list[Expectation]) -> list[list[str]]:
    """Return the lists of columns of which `prove` asks whether no two rows are equal in them."""
    asked = []
    for expectation in expectations:
        arguments, proof = _PROOFS.get(expectation["type"], (set(), None))
        kwargs = {k: v for k, v in expectation.get("kwargs", {}).items() if v is not None}
        names = [kwargs["column"]] if "column" in kwargs else kwargs.get("column_list")
        if (
            proof in {_unique, _unique_together}
            and set(kwargs) <= arguments
            and isinstance(names, list)
            and all(figures.schema.names.count(name) == 1 for name in names)
            and _may_differ(figures, names)
        ):
            asked.append(names)
    return asked


def _row_count(figures: Figures, kwargs: dict[str, Any], _: Any) -> Proof | None:
    low, high = kwargs.get("min_value", 0), kwargs.get("max_value", figures.rows)
    if not (type(low) is int and type(high) is int):
        return None
    return (str(figures.rows), 0) if low <= figures.rows <= high else None


def _not_null(figures: Figures, kwargs: dict[str, Any], _: Any) -> Proof | None:
    mostly = kwargs.get("mostly", 1)
    nulls = figures.missing(kwargs["column"])
    if not nulls:
        return CLEAN
    share = (figures.rows - nulls) / figures.rows
    if isinstance(mostly, bool) or not isinstance(mostly, int | float) or share < mostly + _SURE:
        return None
    return f"{nulls} bad rows ({100 * nulls / figures.rows:.2f} %)", nulls


def _between(figures: Figures, kwargs: dict[str, Any], ready: Any) -> Proof | None:
    import pyarrow as pa

    kind = figures.schema.field(kwargs["column"]).type
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
    least, greatest = figures.ends(kwargs["column"])
    if least is None:
        return None
    (low, above), (high, below) = bounds
    met = (low is None or (least > low if above else least >= low)) and (
        high is None or (greatest < high if below else greatest <= high)
    )
    return CLEAN if met else None


def _in_set(figures: Figures, kwargs: dict[str, Any], ready: Any) -> Proof | None:
    import pyarrow as pa

    column, values = kwargs["column"], ready.value_set
    kind = figures.schema.field(column).type
    fit = str if pa.types.is_string(kind) else int
    if not (pa.types.is_string(kind) or pa.types.is_integer(kind)):
        return None
    if not isinstance(values, list) or any(type(value) is not fit for value in values):
        return None
    return CLEAN if figures.holds_only(column, set(values)) else None


def _unique(figures: Figures, kwargs: dict[str, Any], _: Any) -> Proof | None:
    return _all_differ(figures, [kwargs["column"]])


def _unique_together(figures: Figures, kwargs: dict[str, Any], _: Any) -> Proof | None:
    names = kwargs["column_list"]
    return _all_differ(figures, names) if len(set(names)) == len(names) else None


def _all_differ(figures: Figures, columns: list[str]) -> Proof | None:
    return CLEAN if _may_differ(figures, columns) and figures.all_differ(columns) else None


def _may_differ(figures: Figures, columns: list[str]) -> bool:
    """Tell whether rows that are equal to one engine are so to every other, and none is null."""
    return all(is_comparable(figures.schema.field(c).type) for c in columns) and not any(
        figures.missing(column) for column in columns
    )


def is_comparable(kind: pa.DataType) -> bool:
    """Tell whether values of this type are equal to every engine where they are to one."""
    import pyarrow as pa

    return bool(
        pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_timestamp(kind)
    )


_PROOFS: dict[str, tuple[set[str], Callable[[Figures, dict[str, Any], Any], Proof | None]]] = {
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
