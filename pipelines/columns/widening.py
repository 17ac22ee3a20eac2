"""One type for one column, where batches hold it in several: the narrowest that holds all values.

Each batch is read by itself, so its types are what its own values suggest: a month without a value
has no type at all, and one null makes floats of whole numbers. Null goes with any type. Whole
numbers, floats and decimals meet where no value is changed by it, and booleans meet numbers that
are 0 and 1. Texts meet texts only: "007" is no 7.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadData

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import pyarrow as pa

MOST_DIGITS = 38
"""What a decimal may have at most: DuckDB knows none that are wider."""


def without_values(column: pa.ChunkedArray) -> bool:
    """Tell whether a column holds nulls alone, or nothing."""
    return int(column.null_count) == len(column)


def describe_type(kind: pa.DataType) -> str:
    """Return a type as a person would call it, with its own name beside."""
    return f"{type_in_words(kind)} ({kind})"


def type_in_words(kind: pa.DataType) -> str:
    """Return a type as a person would call it."""
    from pyarrow import types

    tests = (
        ("true and false", types.is_boolean),
        ("whole numbers", types.is_integer),
        ("floating numbers", types.is_floating),
        ("decimals", types.is_decimal),
        ("texts", _textual),
        ("times", lambda t: types.is_timestamp(t) or types.is_date(t)),
    )
    return next((words for words, test in tests if test(kind)), "values")


def common_type(columns: Sequence[pa.ChunkedArray], *, whole: bool = False) -> pa.DataType | None:
    """Return the type that holds every value of all the columns; None where there is none.

    Columns without values ask for nothing (all of them without: the first one's type, or null).
    With `whole`, whole numbers stay whole where the floats beside them are whole too: a key 10001
    must not become 10001.0.
    """
    import pyarrow as pa

    with_values = [c for c in columns if not without_values(c)]
    kinds = list(dict.fromkeys(c.type for c in with_values))
    if not kinds:
        return next((c.type for c in columns if not pa.types.is_null(c.type)), pa.null())
    if len(kinds) == 1:
        return kinds[0]
    if pa.bool_() in kinds and not all(_zero_or_one(c) for c in with_values):
        return None
    fits = (
        k
        for k in _candidates(kinds, whole=whole)
        if all(widen(c, k) is not None for c in with_values)
    )
    return next(fits, None)


def widen(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray | None:
    """Return the column in another type with the same values; None where a value would change."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.type == kind:
        return column
    if without_values(column):
        return pa.chunked_array([pa.nulls(len(column), kind)])
    if pa.types.is_boolean(kind) and not _zero_or_one(column):
        return None
    through = pa.int8() if pa.types.is_boolean(column.type) else column.type
    try:
        wide = column.cast(through).cast(kind)
        # Arrow sees whole numbers beyond 2^53 and fractions, but not what a decimal loses in a
        # float, nor the digits of a float that a decimal has no place for.

        is_unchanged = (
            not (
                pa.types.is_decimal(column.type)
                or (pa.types.is_decimal(kind) and pa.types.is_floating(column.type))
            )
            or pc.all(pc.equal(wide.cast(column.type), column)).as_py()
        )
    except pa.ArrowException:
        return None
    return wide if is_unchanged is not False else None


def _candidates(kinds: list[pa.DataType], *, whole: bool) -> list[pa.DataType]:
    """Return the types that may hold values of all these types, the narrowest first."""
    import pyarrow as pa
    from pyarrow import types

    numbers = [k for k in kinds if not types.is_boolean(k)]
    if all(map(_textual, kinds)):
        return [pa.string()]
    if all(types.is_timestamp(k) or types.is_date(k) for k in kinds):
        return [pa.timestamp("us", tz="UTC")]
    if all(map(types.is_integer, numbers)):
        return [pa.int64(), pa.uint64()]
    if all(types.is_integer(k) or types.is_floating(k) for k in numbers):
        return (
            [pa.int64(), pa.float64()]
            if whole and any(map(types.is_integer, numbers))
            else [pa.float64()]
        )
    if all(types.is_integer(k) or types.is_floating(k) or types.is_decimal(k) for k in numbers):
        return [pa.float64()] if any(map(types.is_floating, numbers)) else _decimals(numbers)
    return _unify(kinds)


def _decimals(kinds: list[pa.DataType]) -> list[pa.DataType]:
    """Return the decimal type that holds all digits of these decimals and whole numbers."""
    import pyarrow as pa

    shapes = [
        (k.precision - k.scale, k.scale) if pa.types.is_decimal(k) else (20, 0) for k in kinds
    ]
    scale = max(s for _, s in shapes)
    digits = min(max(before for before, _ in shapes) + scale, MOST_DIGITS)
    return [pa.decimal128(digits, scale)] if scale <= digits else []


def _unify(kinds: list[pa.DataType]) -> list[pa.DataType]:
    """Return what Arrow makes of types that are none of numbers, texts and times.

    Lists, structures.
    """
    import pyarrow as pa

    if any(_textual(k) or pa.types.is_primitive(k) for k in kinds):
        return []
    try:
        schema = pa.unify_schemas(
            [pa.schema([("column", k)]) for k in kinds], promote_options="permissive"
        )
    except pa.ArrowException:
        return []
    return [schema.field("column").type]


def _textual(kind: pa.DataType) -> bool:
    from pyarrow import types

    kind = kind.value_type if types.is_dictionary(kind) else kind
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _zero_or_one(column: pa.ChunkedArray) -> bool:
    """Tell whether a column is boolean, or its numbers are 0 and 1."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_boolean(column.type):
        return True
    try:
        values: Any = column.cast(pa.float64(), safe=False) if not _textual(column.type) else None
    except pa.ArrowException:
        return False
    return (
        values is not None
        and pc.all(pc.is_in(values.drop_null(), pa.array([0.0, 1.0, float("nan")]))).as_py()
        is not False
    )


@dataclass(frozen=True)
class Agreement:
    """What the columns of one name can have together.

    `kind` is the type for all, `most` the one that most of them hold. `faults` says by batch what
    is wrong with those that cannot have it.
    """

    kind: pa.DataType
    most: pa.DataType
    faults: dict[str, str]


def agree(columns: Mapping[str, pa.ChunkedArray], *, whole: bool = False) -> Agreement:
    """Return the type that most of the columns can share, and what is wrong with the others.

    Columns are named by batch.

    The type that most batches hold goes first, of equals the one that is held first. `whole` as in
    `common_type`.
    """
    import pyarrow as pa

    with_values = {name: c for name, c in columns.items() if not without_values(c)}
    if not with_values:
        kind = common_type(list(columns.values())) or pa.null()
        return Agreement(kind, kind, {})
    counts = Counter(c.type for c in with_values.values())
    agreeing: list[pa.ChunkedArray] = []
    others: dict[str, pa.ChunkedArray] = {}
    for kind, _ in counts.most_common():  # of equals the first
        group = {name: c for name, c in with_values.items() if c.type == kind}
        if common_type([*agreeing, *group.values()], whole=whole) is not None:
            agreeing += group.values()
            continue
        for name, column in group.items():
            if common_type([*agreeing, column], whole=whole) is not None:
                agreeing.append(column)
            else:
                others[name] = column
    most = counts.most_common(1)[0][0]
    kind = common_type(agreeing, whole=whole) or most
    return Agreement(kind, most, {name: _why(c, most) for name, c in others.items()})


def _why(column: pa.ChunkedArray, most: pa.DataType) -> str:
    from pyarrow import types

    mixture = f"holds {describe_type(column.type)}, other batches hold {describe_type(most)}"
    numbers = [
        types.is_integer(k) or types.is_floating(k) or types.is_decimal(k)
        for k in (column.type, most)
    ]
    if all(numbers):
        return f"{mixture}: some of the numbers are too large or too fine to be held in one type"
    if types.is_boolean(column.type) or types.is_boolean(most):
        return f"{mixture}: only 0 and 1 go with true and false"
    return f"{mixture}: these do not go together"


def together(tables: Mapping[str, pa.Table], what: str, *, whole: Collection[str] = ()) -> pa.Table:
    """Return tables, named by batch, as one; each column in the one type that holds all its values.

    A column that a table lacks is null there. `whole` names the columns whose whole numbers stay
    whole (keys). Raises BadData naming batch and column where there is no such type; `what` is the
    subject of that sentence.
    """
    import pyarrow as pa

    first = next(iter(tables.values())).schema
    if all(t.schema == first for t in tables.values()):
        return pa.concat_tables(tables.values())
    types: dict[str, pa.DataType] = {}
    for column in dict.fromkeys(c for t in tables.values() for c in t.column_names):
        columns = {name: t[column] for name, t in tables.items() if column in t.column_names}
        agreement = agree(columns, whole=column in whole)
        for name, why in agreement.faults.items():
            raise BadData(
                f"{what} do not fit together: in {name}, {column} {why}.",
                remedy="give the column one type in every batch.",
            )
        types[column] = agreement.kind
    return pa.concat_tables([in_types(t, types).select(list(types)) for t in tables.values()])


def in_types(table: pa.Table, types: Mapping[str, pa.DataType]) -> pa.Table:
    """Return the table with its columns in these types.

    A column that it lacks becomes one of nulls.

    Columns that `types` does not name stay as they are. Raises BadData naming a column whose values
    would change.
    """
    import pyarrow as pa

    for name, kind in types.items():
        if name not in table.column_names:
            table = table.append_column(pa.field(name, kind), pa.nulls(table.num_rows, kind))
            continue
        wide = widen(table[name], kind)
        if wide is None:
            raise BadData(
                f"The column {name} holds {describe_type(table[name].type)} that are no"
                f" {describe_type(kind)}."
            )
        table = table.set_column(table.column_names.index(name), pa.field(name, kind), wide)
    return table


def with_types(table: pa.Table) -> pa.Table:
    """Return the table with its columns of no type as numbers.

    A model may be fed them, though nothing tells what they hold.
    """
    import pyarrow as pa

    return in_types(table, {f.name: pa.float64() for f in table.schema if pa.types.is_null(f.type)})
