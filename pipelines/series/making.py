"""Make the columns of a series: numbers in, numbers out, the same offline and online.

Times are microseconds since 1970 (UTC) as int64. A value is found by its exact time: where a step
is missing, stands twice (a doubled hour), or holds no value, there is NaN, never a neighbour.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np

if TYPE_CHECKING:
    from pipelines.series.columns import SeriesColumns

Array = np.ndarray[Any, Any]

SECOND = 1_000_000
"""Microseconds."""
_QUARTER = 15 * 60 * SECOND
"""Clocks change at whole quarters of an hour (UTC)."""
_CELLS = 1_000_000
"""Values that a mean looks up at once: 8 MB."""


class History:
    """The known values of some series, found by series and time."""

    def __init__(self, times: Array, series: Array, values: Array) -> None:
        """Keep the values (n,) float64 by their `times` (n,) and their `series` (n,) 0..k-1.

        What stands twice under one time of one series is no value.
        """
        self._moments = np.unique(times)
        keys = self._keys(np.searchsorted(self._moments, times), series)
        self._known, first, count = np.unique(keys, return_index=True, return_counts=True)
        self._values = np.where(count == 1, np.asarray(values, dtype=np.float64)[first], np.nan)

    def at(self, times: Array, series: Array) -> Array:
        """Return the values (m,) at these times (m,) of these series (m,); NaN where none is."""
        if not len(self._known):
            return np.full(len(times), np.nan)
        place = np.minimum(np.searchsorted(self._moments, times), len(self._moments) - 1)
        keys = self._keys(place, series)
        found = np.minimum(np.searchsorted(self._known, keys), len(self._known) - 1)
        there = (self._moments[place] == times) & (self._known[found] == keys)
        return np.where(there, self._values[found], np.nan)

    def _keys(self, places: Array, series: Array) -> Array:
        return series.astype(np.int64) * len(self._moments) + places


def make_columns(
    declared: SeriesColumns, times: Array, series: Array, history: History
) -> dict[str, Array]:
    """Return the made columns (n,) of rows by name, in the declared order.

    `times` (n,) and `series` (n,) are the rows'. Lags and means are float64 with NaN for null,
    parts of the calendar int64. Nothing later than `times - gap` is looked at.
    """
    local = local_times(times, declared.timezone)
    made: dict[str, Array] = {}
    for column in declared.columns:
        if column.kind == "lag":
            back = column.steps * declared.step * SECOND
            made[column.name] = history.at(times - back, series)
        elif column.kind == "mean":
            made[column.name] = _mean(declared, column.steps, times, series, history)
        else:
            made[column.name] = _part(local, column.kind)
    return made


def _mean(
    declared: SeriesColumns, steps: int, times: Array, series: Array, history: History
) -> Array:
    """Return the mean (n,) over the newest `steps` that may be seen, of the values that are there.

    NaN where fewer than half of them are. Summed one after another, so that one row has the same
    sum alone and among others, bit for bit.
    """
    back = np.arange(declared.gap, declared.gap + steps) * declared.step * SECOND
    means = np.empty(len(times))
    at_once = max(_CELLS // steps, 1)
    for first in range(0, len(times), at_once):
        rows = slice(first, first + at_once)
        moments = times[rows, None] - back
        values = history.at(moments.ravel(), np.repeat(series[rows], steps)).reshape(moments.shape)
        there = ~np.isnan(values)
        total = np.cumsum(np.where(there, values, 0.0), axis=1)[:, -1]
        count = there.sum(axis=1)
        means[rows] = np.where(2 * count >= steps, total / np.maximum(count, 1), np.nan)
    return means


def local_times(times: Array, timezone: str) -> Array:
    """Return what clocks in the zone show at these times (n,), as datetime64[us]."""
    quarters, place = np.unique(times // _QUARTER, return_inverse=True)
    zone = ZoneInfo(timezone)
    offsets = np.array(
        [_offset(int(quarter) * _QUARTER, zone) for quarter in quarters], dtype=np.int64
    )
    shifted = times + offsets[place] if len(times) else times
    return shifted.astype("datetime64[us]")


def _offset(moment: int, zone: ZoneInfo) -> int:
    seconds = moment // SECOND
    offset = datetime.fromtimestamp(seconds, zone).utcoffset()
    return int(offset.total_seconds()) * SECOND if offset else 0


def _part(local: Array, part: str) -> Array:
    days = local.astype("datetime64[D]")
    if part == "hour":
        return np.asarray(((local - days) // np.timedelta64(1, "h")).astype(np.int64))
    if part == "weekday":
        return (days.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday
    if part == "month":
        return local.astype("datetime64[M]").astype(np.int64) % 12 + 1
    first: Array = local.astype("datetime64[Y]").astype("datetime64[D]")
    return np.asarray((days - first).astype(np.int64) + 1)
