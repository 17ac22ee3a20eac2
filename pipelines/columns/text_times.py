"""Texts as times, dates, times of a day and durations: in ISO 8601, or in a stated format."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pipelines.columns.storable import say_once
from pipelines.columns.writing import (
    Misfit,
    first_failure,
    first_row,
    require,
    to_utc_and_say,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.columns.writing import Writing

ISO_TIME = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?( ?(Z|[+-][0-9]{2}(:?[0-9]{2})?))?)?$"
)
_ISO_ZONE = r":[0-9.]+ ?(Z|[+-][0-9]{2}(:?[0-9]{2})?)$"
_PLAIN_LENGTHS = {10, 16, 19, *range(21, 27)}
"""Signs of a date, of a time to the minute or second, and of one with up to 6 digits behind it."""
_ZONED_LENGTHS = {17, *range(20, 33)}
"""Signs of a time to the minute or finer with a zone, but not of an hour with one (14, 16, 18, 19).
"""

_TIME_OF_DAY = r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?$"
_FINE = r"(\.[0-9]{6})[0-9]+"
"""The digits of a time behind its microseconds."""


def times(texts: pa.ChunkedArray, writing: Writing) -> pa.ChunkedArray:
    """Return the moments in UTC. Raises Misfit."""
    if writing.dates:
        return _formatted_times(texts, writing, writing.zone)
    return _iso_times(texts, writing, writing.zone)


def dates(texts: pa.ChunkedArray, writing: Writing) -> pa.ChunkedArray:
    """Return dates as the midnights, in UTC, that stand for them."""
    import pyarrow.compute as pc

    times = (_formatted_times if writing.dates else _iso_times)(texts, writing, "UTC")
    row = first_row(pc.not_equal(pc.floor_temporal(times, unit="day"), times))
    if row is not None:
        raise Misfit(row, texts[row].as_py(), "more than a date", "write `type: time`")
    return times


def _iso_times(texts: pa.ChunkedArray, writing: Writing, zone: str) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    # Arrow writes an error for each text that it cannot read: so the likelier way is tried first.
    ways = [(_PLAIN_LENGTHS, pa.timestamp("us")), (_ZONED_LENGTHS, pa.timestamp("us", "UTC"))]
    for usual, kind in reversed(ways) if _begins_with_zone(texts) else ways:
        read = _at_once(texts, usual, kind)
        if read is not None:
            return read if kind.tz else to_utc_and_say(read, zone, writing.where)
    how = 'say how times are written: `dates: "%d.%m.%Y"` or the like in the source'
    require(texts, ISO_TIME, "no time as in ISO 8601", how)
    coarse = pc.replace_substring_regex(texts, pattern=_FINE, replacement=r"\1")
    if not coarse.equals(texts):
        say_once(
            f"{writing.where} has times finer than a microsecond; they are cut to microseconds."
        )
    coarse = pc.replace_substring_regex(coarse, pattern=r"([0-9]) (Z|[+-])", replacement=r"\1\2")
    try:
        zoned, naive = _moments(coarse)
    except pa.ArrowInvalid:
        row = first_failure(coarse, _moments)
        raise Misfit(row, texts[row].as_py(), "no time that there is", "mend the value") from None
    return pc.coalesce(zoned, to_utc_and_say(naive, zone, writing.where))


def _begins_with_zone(texts: pa.ChunkedArray) -> bool:
    """Tell whether the first text that is there has a zone."""
    there = texts.drop_null()
    return len(there) > 0 and re.search(_ISO_ZONE, there[0].as_py()) is not None


def _at_once(texts: pa.ChunkedArray, usual: set[int], kind: pa.DataType) -> Any:
    """Return times of the usual lengths, where Arrow reads them at once; None where it does not.

    `kind` says whether all of them have a zone, or none.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    lengths = pc.unique(pc.utf8_length(texts)).drop_null().to_pylist()
    if not {*lengths} <= usual:
        return None
    try:
        return texts.cast(kind)
    except pa.ArrowInvalid:
        return None


def _moments(texts: pa.ChunkedArray) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """Return the times with a zone, in UTC, and those without; null where it is the other kind."""
    import pyarrow as pa
    import pyarrow.compute as pc

    with_zone, null = pc.match_substring_regex(texts, _ISO_ZONE), pa.scalar(None, pa.string())
    return (
        pc.if_else(with_zone, texts, null).cast(pa.timestamp("us", "UTC")),
        pc.if_else(with_zone, null, texts).cast(pa.timestamp("us")),
    )


def _formatted_times(texts: pa.ChunkedArray, writing: Writing, zone: str) -> pa.ChunkedArray:
    """Return the times that are written in the column's format.

    Source of the directives: Python's `strptime`, as pandas reads them.
    """
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    has_zone = "%z" in writing.dates
    times = pd.to_datetime(
        texts.to_pandas(), format=writing.dates, errors="coerce", exact=True, utc=has_zone
    )
    row = first_row(pc.and_(pc.is_valid(texts), pa.chunked_array([times.isna().to_numpy()])))
    if row is not None:
        raise Misfit(
            row,
            texts[row].as_py(),
            f"no time as in {writing.dates!r}",
            "mend the value, or `dates` in the source",
        )
    if has_zone:
        return pa.chunked_array([pa.Array.from_pandas(times)]).cast(pa.timestamp("us", "UTC"))
    naive = pa.chunked_array([pa.Array.from_pandas(times)]).cast(pa.timestamp("us"))
    return to_utc_and_say(naive, zone, writing.where)


def times_of_day(texts: pa.ChunkedArray, writing: Writing) -> pa.ChunkedArray:
    """Return times of a day, of at most microseconds. Raises Misfit."""
    import pyarrow as pa
    import pyarrow.compute as pc

    del writing
    require(texts, _TIME_OF_DAY, "no time of a day", "write it as 23:59:59, or `type: text`")
    moments = pc.binary_join_element_wise("1970-01-01T", texts, "").cast(pa.timestamp("us"))
    return moments.cast(pa.time64("us"))


def durations(texts: pa.ChunkedArray, writing: Writing) -> pa.ChunkedArray:
    """Return durations in microseconds; a number without a unit is none. Raises Misfit."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    del writing
    how = "write it as PT2H30M, `2h` or 02:30:00; or `type: text`"
    require(texts, "[A-Za-z:]", "no duration", how)
    lengths = pd.to_timedelta(texts.to_pandas(), errors="coerce")
    row = first_row(pc.and_(pc.is_valid(texts), pa.chunked_array([lengths.isna().to_numpy()])))
    if row is not None:
        raise Misfit(row, texts[row].as_py(), "no duration", how)
    return pa.chunked_array([pa.Array.from_pandas(lengths)]).cast(pa.duration("us"))
