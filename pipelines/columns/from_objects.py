"""Python objects (of drivers, of JSON, in pandas' object columns) to Arrow columns, without
changing a value.

Arrow's own inference cuts the hours of a `datetime` behind a `date`, drops nanoseconds and zones,
and overflows at 2^63; here each column is of one kind, and what does not go together is refused by
the column's name.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import uuid
from decimal import MAX_PREC, Decimal, localcontext
from typing import TYPE_CHECKING, Any

from pipelines.columns.storable import DIGITS, say_once
from pipelines.errors import BadData

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

_EXACT = 2**53
"""Up to here each whole number is a float64 of its own."""

_INT64 = 2**63
_REMEDY = "give the column one type in the source, or leave it out."


def column_of(values: Sequence[Any], name: str, subject: str) -> pa.Array:
    """Return the values as one Arrow column.

    None, NaN, NA and NaT are null; a column without values has the type null.

    Raises BadData naming the column where its values are of several kinds, or of one that is not
    kept.
    """
    import pyarrow as pa

    where = f"{subject}: the column {name!r}"
    values = [_plain(v) for v in values]
    kinds = {_kind(v, where) for v in values if v is not None}
    make = _MAKERS.get(frozenset(kinds))
    if make is None:
        raise BadData(f"{where} mixes {' and '.join(sorted(kinds))}.", remedy=_REMEDY)
    try:
        return make(values, where)
    except (
        pa.ArrowException,
        UnicodeEncodeError,
        OverflowError,
        ValueError,
        TypeError,
        RecursionError,
    ) as error:
        message = str(error).splitlines()[0][:200]
        raise BadData(f"{where} cannot be kept: {message}.", remedy=_REMEDY) from error


def _is_missing(value: Any) -> bool:
    """Tell whether the value is None, NaN, NA or NaT."""
    if value is None:
        return True
    if isinstance(value, float):
        return value != value  # noqa: PLR0124 -- NaN alone differs from itself
    if isinstance(value, Decimal):
        return value.is_nan()
    return type(value).__name__ in {"NAType", "NaTType"}


def _plain(value: Any) -> Any:
    """Return numpy's scalars as Python's and pandas' times, and what is missing as None."""
    import numpy as np
    import pandas as pd

    if isinstance(value, np.datetime64):
        value = pd.Timestamp(value)
    elif isinstance(value, np.timedelta64):
        value = pd.Timedelta(value)
    elif isinstance(value, np.generic):
        value = value.item()
    return None if _is_missing(value) else value


def _kind(value: Any, where: str) -> str:
    for types, kind in _KINDS:
        if isinstance(value, types):
            return kind
    raise BadData(
        f"{where} holds a value of the type {type(value).__name__}, which is not kept here.",
        remedy=_REMEDY,
    )


_KINDS: tuple[tuple[Any, str], ...] = (
    (bool, "booleans"),
    (int, "whole numbers"),
    (float, "floats"),
    (Decimal, "decimals"),
    (str, "texts"),
    ((bytes, bytearray, memoryview), "bytes"),
    ((dt.datetime, dt.date), "times"),
    (dt.time, "times of a day"),
    (dt.timedelta, "durations"),
    ((uuid.UUID, ipaddress.IPv4Address, ipaddress.IPv6Address), "texts"),
    (dict, "objects"),
    ((list, tuple), "lists"),
)


def _nulls(values: Sequence[Any], where: str) -> pa.Array:  # noqa: ARG001 -- each maker takes both
    import pyarrow as pa

    return pa.nulls(len(values))


# Each maker takes both.
def _as_they_are(values: Sequence[Any], where: str) -> pa.Array:  # noqa: ARG001
    import pyarrow as pa

    return pa.array(values)


def _whole_numbers(values: Sequence[int | None], where: str) -> pa.Array:
    import pyarrow as pa

    if all(v is None or -_INT64 <= v < _INT64 for v in values):
        return pa.array(values, pa.int64())
    return _decimals(values, where)


def _numbers(values: Sequence[int | float | None], where: str) -> pa.Array:
    """Return whole numbers and floats as float64 where each of them is one, else as decimals."""
    import pyarrow as pa

    if all(not isinstance(v, int) or -_EXACT <= v <= _EXACT or int(float(v)) == v for v in values):
        return pa.array([None if v is None else float(v) for v in values], pa.float64())
    return _decimals(values, where)


def _decimals(values: Sequence[int | float | Decimal | None], where: str) -> pa.Array:
    """Return the numbers as decimals; a float is the shortest decimal that is written for it."""
    import pyarrow as pa

    numbers = [
        None if v is None else Decimal(repr(v) if isinstance(v, float) else v) for v in values
    ]
    if any(n is not None and not n.is_finite() for n in numbers):
        raise BadData(
            f"{where} has infinite decimals.", remedy="mend them in the source; null is missing."
        )
    scale = _scale(numbers)
    if scale is None:  # perhaps only zeros at their ends are too many
        with localcontext(prec=MAX_PREC):  # or it would round to 28 digits
            numbers = [None if n is None else n.normalize() for n in numbers]
        scale = _scale(numbers)
    if scale is None:
        raise BadData(
            f"{where} has numbers of more than {DIGITS} digits.",
            remedy="write them as texts, or round them in the source.",
        )
    with localcontext(prec=2 * DIGITS):
        return pa.array(
            [None if n is None else n.quantize(Decimal(1).scaleb(-scale)) for n in numbers],
            pa.decimal128(DIGITS, scale),
        )


def _scale(numbers: Sequence[Decimal | None]) -> int | None:
    """Return the digits behind the point that hold all numbers.

    None where they do not fit with those before it.
    """
    values = [n for n in numbers if n is not None]
    scale = max([0, *(-int(n.as_tuple().exponent) for n in values)])
    fits = scale <= DIGITS and all(not n or n.adjusted() + 1 + scale <= DIGITS for n in values)
    return scale if fits else None


def _texts(values: Sequence[Any], where: str) -> pa.Array:  # noqa: ARG001 -- each maker takes both
    import pyarrow as pa

    return pa.array([None if v is None else str(v) for v in values], pa.string())


def _bytes(values: Sequence[Any], where: str) -> pa.Array:  # noqa: ARG001 -- each maker takes both
    import pyarrow as pa

    return pa.array([None if v is None else bytes(v) for v in values], pa.binary())


def _times(values: Sequence[dt.date | None], where: str) -> pa.Array:
    """Return times and dates in UTC; those without a zone are in UTC already."""
    import pyarrow as pa

    if any(getattr(v, "nanosecond", 0) for v in values):
        say_once(f"{where} has times finer than a microsecond; they are cut to microseconds.")
    return pa.array([None if v is None else _microseconds(v) for v in values], pa.int64()).cast(
        pa.timestamp("us", tz="UTC")
    )


_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def _microseconds(value: dt.date) -> int:
    """Return the microseconds since 1970, rounded down."""
    if hasattr(value, "to_pydatetime"):  # a Timestamp of pandas; its nanoseconds are cut
        value = value.to_pydatetime(warn=False)
    moment = (
        value
        if isinstance(value, dt.datetime)
        else dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)
    )
    since = (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)) - _EPOCH
    return since // dt.timedelta(microseconds=1)


def _times_of_a_day(values: Sequence[dt.time | None], where: str) -> pa.Array:
    import pyarrow as pa

    if any(v is not None and v.tzinfo is not None for v in values):
        raise BadData(
            f"{where} has times of a day with a zone.", remedy="give whole times, or texts."
        )
    return pa.array(values, pa.time64("us"))


def _durations(values: Sequence[dt.timedelta | None], where: str) -> pa.Array:
    import pyarrow as pa

    if any(getattr(v, "nanoseconds", 0) for v in values):
        say_once(f"{where} has durations finer than a microsecond; they are cut to microseconds.")
    return pa.array(
        [None if v is None else v // dt.timedelta(microseconds=1) for v in values], pa.int64()
    ).cast(pa.duration("us"))


_MAKERS: dict[frozenset[str], Callable[[Sequence[Any], str], pa.Array]] = {
    frozenset(): _nulls,
    frozenset({"booleans"}): _as_they_are,
    frozenset({"whole numbers"}): _whole_numbers,
    frozenset({"floats"}): _as_they_are,
    frozenset({"whole numbers", "floats"}): _numbers,
    frozenset({"decimals"}): _decimals,
    frozenset({"decimals", "whole numbers"}): _decimals,
    frozenset({"decimals", "floats"}): _decimals,
    frozenset({"decimals", "floats", "whole numbers"}): _decimals,
    frozenset({"texts"}): _texts,
    frozenset({"bytes"}): _bytes,
    frozenset({"times"}): _times,
    frozenset({"times of a day"}): _times_of_a_day,
    frozenset({"durations"}): _durations,
    frozenset({"objects"}): _as_they_are,
    frozenset({"lists"}): _as_they_are,
}


def json_text(value: Any) -> str:
    """Return an object of a database's JSON column as JSON again."""
    return json.dumps(value, ensure_ascii=False, default=str)
