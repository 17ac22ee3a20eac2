"""The event times of raw rows: texts as times, and the rows of an interval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.columns.storable import say_once, storable_column
from pipelines.columns.writing import to_utc_and_say
from pipelines.errors import BadData
from pipelines.plurals import how_many

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.intervals import Interval

_ZONE = r":[0-9.]+ ?(Z|[+-][0-9]{2}(:?[0-9]{2})?)[ ]*$"
_FINE = r"(\.[0-9]{6})[0-9]+"
"""The digits of a time behind its microseconds."""
_DAY = r"^(19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
_AT_ZONE = r"(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])$"
"""Times of usual writing, which Arrow reads as pandas does."""
_FIRST_LOOK = 1_000
"""Texts that are looked at first: usually one of them tells that a column holds times."""


def with_times(
    table: pa.Table, column: str | None, subject: str = "The source", zone: str = "UTC"
) -> pa.Table:
    """Return the table with `column` as times in UTC where its texts are ISO 8601.

    Those without a zone are in `zone`. What is no time becomes null, and is said.

    A table without the column, or where no text is a time, comes back as it was.
    """
    if column is None or not has_texts(table.schema, column):
        return table
    texts = table.column(column)
    if not (any_time(texts.slice(0, _FIRST_LOOK)) or any_time(texts)):
        return table
    array, losses = times_of(texts, column, subject, zone)
    say_lost(losses, column, subject)
    return table.set_column(table.column_names.index(column), column, array)


def has_texts(schema: pa.Schema, column: str) -> bool:
    """Tell whether the column is there, and holds texts."""
    import pyarrow as pa

    return column in schema.names and bool(pa.types.is_string(schema.field(column).type))


def any_time(texts: pa.ChunkedArray) -> bool:
    """Tell whether one of the texts is a time."""
    return bool(_moments(_coarse(texts)).null_count < len(texts))


def times_of(
    texts: pa.ChunkedArray, column: str, subject: str, zone: str
) -> tuple[pa.ChunkedArray, int]:
    """Return the texts as times in UTC, null for those that are none, and how many those are."""
    import pyarrow as pa
    import pyarrow.compute as pc

    coarse = _coarse(texts)
    times = _moments(coarse)
    if not coarse.equals(texts):
        say_once(
            f"{subject}: the column {column!r} has times finer than a microsecond; they are cut to"
            " microseconds."
        )
    array = storable_column(times, column, subject)
    if zone != "UTC":
        naive = to_utc_and_say(array.cast(pa.timestamp("us")), zone, f"{subject}: {column!r}")
        array = pc.if_else(pc.match_substring_regex(coarse, _ZONE), array, naive)
    return array, times.null_count - texts.null_count


def say_lost(losses: int, column: str, subject: str) -> None:
    """Say how many values of the column were no times, where some were none."""
    if losses:
        lost = how_many(losses, "value")
        say_once(f"{subject}: {lost} of {column!r} cannot be read as a time: missing from here on.")


def _coarse(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return texts of times without the digits behind their microseconds."""
    import pyarrow.compute as pc

    return pc.replace_substring_regex(texts, pattern=_FINE, replacement=r"\1")


def _moments(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the texts' times, in UTC where they say no zone; null for those that are none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    # Without this, pandas reads `now` and `today` as times too.
    dates = pc.if_else(
        pc.match_substring_regex(texts, "^[ ]*[0-9]{4}"), texts, pa.scalar(None, pa.string())
    )
    times = _plain_moments(dates)
    if times is not None:
        return times
    import pandas as pd

    read = pd.to_datetime(dates.to_pandas(), errors="coerce", utc=True, format="ISO8601")
    return pa.chunked_array([pa.Array.from_pandas(read)])


def _plain_moments(texts: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Return the times of usual writing; None where one is written otherwise, or is none.

    It needs no pandas, which a process that reads can then do without.
    """
    import pyarrow as pa

    utc = pa.timestamp("us", "UTC")
    try:
        if _all_match(texts, _DAY + _CLOCK + _AT_ZONE):
            return texts.cast(utc)
        if _all_match(texts, f"{_DAY}({_CLOCK})?$"):
            return texts.cast(pa.timestamp("us")).cast(utc)
    except pa.ArrowInvalid:  # as of the 30th of February
        return None
    return None


def _all_match(texts: pa.ChunkedArray, pattern: str) -> bool:
    """Tell whether all texts that are there match."""
    import pyarrow.compute as pc

    return bool(pc.all(pc.match_substring_regex(texts, pattern), min_count=0).as_py())


def require_times(table: pa.Table, column: str | None, batch: str) -> None:
    """Raise BadData where the column of event times holds values, and they are no times.

    Without this every batch would be the whole source.
    """
    import pyarrow as pa

    if column is None or column not in table.column_names:
        return
    values = table.column(column)
    if pa.types.is_timestamp(values.type) or values.null_count == len(values):
        return
    example = repr(values.drop_null()[0].as_py())[:80]
    remedy = (
        'say how they are written: `dates: "%d.%m.%Y"` or the like in the source'
        if pa.types.is_string(values.type)
        else "name a column of times in `event_time`, or make one in a `python` source"
    )
    raise BadData(
        f"{batch}: the event time {column!r} holds no times, but {example}.", remedy=f"{remedy}."
    )


def pick_rows(table: pa.Table, column: str | None, interval: Interval) -> pa.Table:
    """Return the rows of the interval, and those without a time; all rows of data without time.

    The latter belong nowhere, and `validate` must see them.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if column is None or column not in table.column_names:
        return table
    if not pa.types.is_timestamp(table.schema.field(column).type):
        return table
    times: Any = table.column(column)
    inside = pc.and_(
        pc.greater_equal(times, _scalar(interval.start)), pc.less(times, _scalar(interval.end))
    )
    taken = pc.or_kleene(pc.is_null(times), inside)
    return table if pc.all(taken).as_py() else table.filter(taken)


def _scalar(moment: Any) -> Any:
    import pyarrow as pa

    return pa.scalar(moment, type=pa.timestamp("us", tz="UTC"))
