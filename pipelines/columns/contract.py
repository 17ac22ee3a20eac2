"""A table held against `schema.yaml`: each column in the type that the schema states, or an error
that names place, column and value.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from pipelines.columns.storable import in_microseconds
from pipelines.columns.texts import values_of
from pipelines.columns.widening import describe_type, widen, without_values
from pipelines.columns.writing import Misfit, Writing, first_failure, first_row, to_utc_and_say
from pipelines.errors import BadData
from pipelines.plurals import how_many
from pipelines.spec.column_types import decimal_digits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa

    from pipelines.spec.schema import Column
    from pipelines.spec.table_options import TableOptions

_LONGEST = 80
"""Signs of a value that an error shows."""

_SIMILAR = 0.6
"""How alike two names must be for one to be taken for the other's new spelling (see difflib)."""


def arrow_type(kind: str) -> pa.DataType | None:
    """Return the type in which values of a schema's type are kept; None for nested ones."""
    import pyarrow as pa

    digits = decimal_digits(kind)
    if digits:
        return pa.decimal128(*digits)
    moment = pa.timestamp("us", tz="UTC")
    kinds = {
        "boolean": pa.bool_(),
        "integer": pa.int64(),
        "float": pa.float64(),
        "text": pa.string(),
        "category": pa.string(),
        "time": moment,
        "date": moment,
        "time_of_day": pa.time64("us"),
        "duration": pa.duration("us"),
        "bytes": pa.binary(),
    }
    return kinds.get(kind)


def localise(table: pa.Table, columns: Mapping[str, Column], zone: str) -> pa.Table:
    """Return the table with its times that have no zone in UTC.

    They are in the zone of their column, else in `zone`. Dates are midnights: of that zone where
    the schema says `time`, else of UTC.
    """
    import pyarrow as pa

    for place, field in enumerate(table.schema):
        column = columns.get(field.name)
        is_date = pa.types.is_date(field.type)
        if not is_date and not (pa.types.is_timestamp(field.type) and field.type.tz is None):
            continue
        own = (column.timezone if column else None) or zone
        if (is_date and (column is None or column.type != "time")) or (
            column is not None and column.type == "date"
        ):
            own = "UTC"
        where = f"the column {field.name!r}"
        naive = pa.chunked_array(
            [
                in_microseconds(chunk, pa.timestamp("us"), where)
                for chunk in table.column(place).chunks
            ],
            type=pa.timestamp("us"),
        )
        table = table.set_column(place, field.name, to_utc_and_say(naive, own, where))
    return table


def in_schema(
    table: pa.Table,
    columns: Mapping[str, Column],
    options: TableOptions,
    zone: str,
    locate: Callable[[int], str],
) -> pa.Table:
    """Return the table with each column that the schema names in its type.

    Its values are as `normalise` leaves them. Other columns stay as they are. `locate` says where
    a row stands, such as "sales.csv, line 12". Raises BadData for the first value that does not
    fit.
    """
    import pyarrow as pa

    for name, column in columns.items():
        if name not in table.column_names:
            continue
        place = table.column_names.index(name)
        try:
            values = in_type(table.column(place), column, Writing(name, column, options, zone))
        except Misfit as misfit:
            raise _bad_data(misfit, name, column, locate) from misfit
        table = table.set_column(place, pa.field(name, values.type), values)
    return table


def in_type(values: pa.ChunkedArray, column: Column, writing: Writing) -> pa.ChunkedArray:
    """Return the values in the column's type. Raises Misfit for the first that is not of it."""
    import pyarrow as pa

    kind = arrow_type(column.type)
    if pa.types.is_null(values.type) or (without_values(values) and kind is not None):
        return pa.chunked_array([pa.nulls(len(values), kind)]) if kind is not None else values
    if pa.types.is_string(values.type):
        return values_of(values, writing)
    if kind is None:
        if pa.types.is_nested(values.type):
            return values
        raise _wrong_kind(values, "not nested")
    if column.type == "date" and values.type == kind:
        return _midnights(values)
    if values.type == kind:
        return values
    if pa.types.is_string(kind):
        raise _wrong_kind(values, "no text")
    wide = widen(values, kind)
    if wide is None:
        row = first_failure(values, lambda part: widen(part, kind))
        raise Misfit(
            row,
            values[row].as_py(),
            f"no {column.type} (the values are {describe_type(values.type)})",
            f"write `type: {type_of(values.type)}`",
        )
    return wide


def _midnights(values: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow.compute as pc

    row = first_row(pc.not_equal(pc.floor_temporal(values, unit="day"), values))
    if row is not None:
        raise Misfit(row, str(values[row].as_py()), "more than a date", "write `type: time`")
    return values


def _wrong_kind(values: pa.ChunkedArray, what: str) -> Misfit:
    import pyarrow.compute as pc

    row = first_row(pc.is_valid(values)) or 0
    return Misfit(
        row,
        values[row].as_py(),
        f"{what} (the values are {describe_type(values.type)})",
        f"write `type: {type_of(values.type)}`, or make texts of them in the source",
    )


def _bad_data(misfit: Misfit, name: str, column: Column, locate: Callable[[int], str]) -> BadData:
    shown = repr(misfit.value)
    shown = shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"
    return BadData(
        f"{locate(misfit.row)}: the column {name!r} ({column.type}) holds {shown}, which is"
        f" {misfit.what}.",
        remedy=f"{misfit.remedy}.",
    )


def type_of(kind: pa.DataType) -> str:
    """Return the schema's type for values that are kept in an Arrow type."""
    import pyarrow as pa
    from pyarrow import types

    if types.is_decimal(kind):
        return f"decimal({kind.precision}, {kind.scale})"
    if kind == pa.uint64():
        return "decimal(20, 0)"
    tests: tuple[tuple[str, Any], ...] = (
        ("boolean", types.is_boolean),
        ("integer", types.is_integer),
        # A column without any value may hold numbers later.
        ("float", lambda k: types.is_floating(k) or types.is_null(k)),
        ("text", types.is_string),
        ("time", types.is_timestamp),
        ("time_of_day", types.is_time),
        ("duration", types.is_duration),
        ("bytes", types.is_binary),
    )
    return next((word for word, test in tests if test(kind)), "nested")


def hold(table: pa.Table, columns: Mapping[str, Column], where: str) -> tuple[pa.Table, list[str]]:
    """Return the columns that the schema names, in its order, and what is new, in sentences.

    `where` names batch and table. Raises BadData where a column is gone that is not `optional`, or
    holds null where it must not.
    """
    if table.num_rows:  # what holds nothing may lack the columns
        refuse_gone(table.column_names, columns, where)
    refuse_nulls(nulls_of(table, columns), where)
    return select_known(table, columns), news_of(table.schema, columns, where)


def refuse_gone(names: Sequence[str], columns: Mapping[str, Column], where: str) -> None:
    """Raise BadData where a column is not among the names that is not `optional`."""
    new = [name for name in names if name not in columns]
    needed = [n for n, column in columns.items() if n not in names and not column.optional]
    if needed:
        raise BadData(
            f"{where}: {_names(needed)} {_is(needed)} gone ({_types(needed, columns)} in"
            f" schema.yaml){_perhaps_renamed(needed, new)}.",
            remedy=(
                "mend the source; or write `optional: true` in schema.yaml; after a wanted change:"
                " perennial check MODEL --accept."
            ),
        )


def nulls_of(table: pa.Table, columns: Mapping[str, Column]) -> dict[str, int]:
    """Return how many nulls there are in each column that must not hold any."""
    return {
        name: table[name].null_count
        for name, column in columns.items()
        if not column.nullable and name in table.column_names
    }


def refuse_nulls(nulls: Mapping[str, int], where: str) -> None:
    """Raise BadData for the first column that holds null."""
    for name, count in nulls.items():
        if count:
            raise BadData(
                f"{where}: the column {name!r} has"
                f" {how_many(count, 'row')} without a value,"
                " and schema.yaml says `nullable: false`.",
                remedy="mend the source, or the schema.",
            )


def select_known(table: pa.Table, columns: Mapping[str, Column]) -> pa.Table:
    """Return the columns that the schema names, in its order; those that are gone hold null."""
    import pyarrow as pa

    for name in columns:
        if name not in table.column_names:
            kind = arrow_type(columns[name].type) or pa.null()
            table = table.append_column(pa.field(name, kind), pa.nulls(table.num_rows, kind))
    return table.select(list(columns))


def news_of(schema: pa.Schema, columns: Mapping[str, Column], where: str) -> list[str]:
    """Return what is new, in sentences."""
    new = [name for name in schema.names if name not in columns]
    if not new:
        return []
    kinds = ", ".join(f"{n!r} ({type_of(schema.field(n).type)})" for n in new)
    sentence = (
        f"{where}: schema.yaml does not know {kinds}; left out. To take it:"
        " perennial check MODEL --accept"
    )
    return [sentence]


def _names(names: list[str]) -> str:
    return ("the column " if len(names) == 1 else "the columns ") + ", ".join(map(repr, names))


def _is(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _types(names: list[str], columns: Mapping[str, Column]) -> str:
    return ", ".join(columns[name].type for name in names)


def _perhaps_renamed(gone: list[str], new: list[str]) -> str:
    pairs = []
    for name in gone:
        close = difflib.get_close_matches(name.lower(), [n.lower() for n in new], 1, _SIMILAR)
        pairs += [f"{name!r} may be called {n!r} now" for n in new if [n.lower()] == close]
    if pairs:
        return "; " + ", ".join(pairs)
    return f"; new here: {', '.join(map(repr, new))}" if new else ""
