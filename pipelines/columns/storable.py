"""The border that every table passes: the names that columns may have, and the few types in which
their values are stored.

Kept are null, bool, whole numbers, float32 and float64, decimals of up to 38 digits, texts, bytes,
times in UTC microseconds, times of a day and durations in microseconds, and lists and structs of
those. Other types are converted where that changes no value, or refused by the column's name. NaN
means null. Times finer than a microsecond are cut, so that a row keeps its interval. See
docs/decisions/0019-one-border-for-values.md.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadData

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

DIGITS = 38
"""Digits of a decimal that DuckDB and Parquet hold in 128 bits."""

YEAR_1, YEAR_9999 = -62_135_596_800_000_000, 253_402_300_799_999_999
"""The first and the last microsecond that Python's `datetime` holds, counted from 1970."""

MOST_COLUMNS = 10_000
"""Columns that a table may have; a file that names more is no table of ours."""

_CHUNK_BYTES = 2**31 - 1
"""Bytes that one chunk of texts may have: their offsets are 32 bits wide."""


@lru_cache(maxsize=10_000)
def say_once(message: str) -> None:
    """Log a warning, once in the life of a process."""
    logging.getLogger("perennial").warning("%s", message)


def check_names(names: Iterable[str], subject: str) -> None:
    """Raise BadData where a column's name cannot be kept.

    Names must be there, hold no NUL, and differ in more than case.

    DuckDB renames such columns without a word (`amount` beside `Amount` becomes `amount_1`) and
    cuts a name at its NUL.
    """
    names_by_lower: dict[str, str] = {}
    for name in names:
        if not name.strip() or "\x00" in name:
            raise BadData(
                f"{subject} has a column with the name {name!r}.",
                remedy="give each column a name of its own.",
            )
        other = names_by_lower.get(name.lower())
        names_by_lower[name.lower()] = name
        if len(names_by_lower) > MOST_COLUMNS:
            raise BadData(f"{subject} has more than {MOST_COLUMNS} columns.")
        if other == name:
            raise BadData(
                f"{subject} has two columns with the name {name!r}.", remedy="name them apart."
            )
        if other is not None:
            raise BadData(
                f"{subject} has the columns {other!r} and {name!r}, whose names differ in case"
                " only.",
                remedy="name them apart.",
            )


def storable_column(column: pa.ChunkedArray, name: str, subject: str) -> pa.ChunkedArray:
    """Return the column's values in a type that is kept.

    Raises BadData naming column and type where there is none.
    """
    import pyarrow as pa

    where = f"{subject}: the column {name!r}"
    try:
        chunks = [
            storable_array(part, where)
            for chunk in column.chunks or [pa.nulls(0, column.type)]
            for part in _halves(chunk)
        ]
        return pa.chunked_array(chunks)
    except (
        pa.ArrowInvalid,
        pa.ArrowNotImplementedError,
        pa.ArrowTypeError,
        OverflowError,
    ) as error:
        message = str(error).splitlines()[0][:200]
        raise BadData(
            f"{where} ({column.type}) cannot be kept: {message}.",
            remedy="convert the column in the source, or leave it out.",
        ) from error


def _halves(array: pa.Array) -> list[pa.Array]:
    """Return the array in parts small enough for 32-bit offsets."""
    if array.nbytes <= _CHUNK_BYTES or len(array) <= 1:
        return [array]
    middle = len(array) // 2
    return [*_halves(array.slice(0, middle)), *_halves(array.slice(middle))]


# One branch for each kind of type.
def storable_array(array: pa.Array, where: str) -> pa.Array:  # noqa: C901, PLR0911, PLR0912
    """Return the array in a type that is kept; `where` begins each message.

    Raises BadData or Arrow's own errors.
    """
    import pyarrow as pa
    from pyarrow import types

    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return storable_array(_storage(array, where), where)
    if types.is_dictionary(kind):
        return storable_array(array.dictionary_decode(), where)
    if types.is_run_end_encoded(kind):
        return storable_array(pa.compute.run_end_decode(array), where)
    if types.is_floating(kind):
        return _without_nan(array.cast(pa.float32()) if types.is_float16(kind) else array)
    if types.is_decimal(kind):
        return array.cast(_decimal(kind, where))
    if types.is_timestamp(kind) or types.is_date(kind):
        return _times(array, where)
    if types.is_time(kind):
        return in_microseconds(array, pa.time64("us"), where)
    if types.is_duration(kind):
        return in_microseconds(array, pa.duration("us"), where)
    if types.is_interval(kind):
        return _durations(array, where)
    if types.is_large_string(kind) or types.is_string_view(kind):
        return array.cast(pa.string())
    if (
        types.is_large_binary(kind)
        or types.is_binary_view(kind)
        or types.is_fixed_size_binary(kind)
    ):
        return array.cast(pa.binary())
    if types.is_struct(kind):
        return _struct(array, where)
    if types.is_nested(kind) and not types.is_union(kind):
        return _list(array, where)
    if (
        types.is_null(kind)
        or types.is_boolean(kind)
        or types.is_integer(kind)
        or types.is_string(kind)
        or types.is_binary(kind)
    ):
        return array
    raise _no_type(where, kind)


def _no_type(where: str, kind: Any) -> BadData:
    return BadData(
        f"{where} has the type {kind}, which is not kept here.",
        remedy="convert it in the source, or leave it out.",
    )


def _storage(array: pa.Array, where: str) -> pa.Array:
    """Return an extension array's values in a plain type.

    Only those whose meaning a plain type keeps.
    """
    import uuid

    import pyarrow as pa

    name = getattr(array.type, "extension_name", "")
    if name == "arrow.uuid":
        return pa.array(
            [None if v is None else str(uuid.UUID(bytes=v)) for v in array.storage.to_pylist()],
            pa.string(),
        )
    if name == "arrow.bool8":
        return array.storage.cast(pa.bool_())
    if name in {"arrow.json", "arrow.fixed_shape_tensor", "pandas.interval"}:
        return array.storage
    raise _no_type(where, name or array.type)


def _without_nan(array: pa.Array) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    is_nan = pc.is_nan(array)
    if not pc.any(is_nan).as_py():
        return array
    return pc.if_else(is_nan, pa.scalar(None, array.type), array)


def _decimal(kind: Any, where: str) -> Any:
    import pyarrow as pa

    digits, scale = (
        (kind.precision, kind.scale) if kind.scale >= 0 else (kind.precision - kind.scale, 0)
    )
    if scale > DIGITS:
        raise _no_type(where, kind)
    return pa.decimal128(min(digits, DIGITS), scale)


def _times(array: pa.Array, where: str) -> pa.Array:
    """Return times in UTC; those without a zone, and dates, are in UTC already."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = pa.timestamp("us", tz="UTC")
    times = in_microseconds(array, kind, where)
    ends = pc.min_max(times.cast(pa.int64()))
    if (
        ends["min"].is_valid
        and not YEAR_1 <= ends["min"].as_py() <= ends["max"].as_py() <= YEAR_9999
    ):
        raise BadData(
            f"{where} has times before the year 1 or after the year 9999.",
            remedy="mend them in the source; null is missing.",
        )
    return times


def in_microseconds(array: pa.Array, kind: Any, where: str) -> pa.Array:
    """Return times, times of a day or durations in microseconds.

    Finer ones are cut, towards the past, and that is said.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if getattr(array.type, "unit", None) != "ns":
        return array.cast(kind)
    nanoseconds = array.view(pa.int64())
    whole = pc.divide(nanoseconds, 1_000)
    rest = pc.subtract(nanoseconds, pc.multiply(whole, 1_000))
    if pc.any(pc.not_equal(rest, 0)).as_py():
        say_once(f"{where} has times finer than a microsecond; they are cut to microseconds.")
    return pc.subtract(whole, pc.less(rest, 0).cast(pa.int64())).cast(kind)


def _durations(array: pa.Array, where: str) -> pa.Array:
    """Return intervals as durations.

    A month has no length, so that intervals of months are refused.
    """
    import pyarrow as pa

    lengths: list[int | None] = []
    for value in array.to_pylist():
        if value is not None and value.months:
            raise BadData(
                f"{where} has intervals of months, which have no length.",
                remedy="use days, or subtract two times.",
            )
        lengths.append(
            None if value is None else value.days * 86_400_000_000_000 + value.nanoseconds
        )
    return in_microseconds(
        pa.array(lengths, pa.int64()).cast(pa.duration("ns")), pa.duration("us"), where
    )


def _struct(array: pa.Array, where: str) -> pa.Array:
    import pyarrow as pa

    names = [field.name for field in array.type]
    if not names:
        raise BadData(
            f"{where} holds structs without any field, which Parquet cannot hold.",
            remedy="leave the column out.",
        )
    check_names(names, where)
    fields = [
        storable_array(part, f"{where}, field {name!r}")
        for name, part in zip(names, array.flatten(), strict=True)
    ]
    return pa.StructArray.from_arrays(fields, names, mask=array.is_null())


def _list(array: pa.Array, where: str) -> pa.Array:
    """Return any kind of list, and a map as its list of pairs, as a plain list."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_map(array.type):
        array = array.cast(pa.list_(pa.struct([array.type.key_field, array.type.item_field])))
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    return pa.ListArray.from_arrays(
        offsets, storable_array(array.flatten(), f"{where}, its lists"), mask=array.is_null()
    )
