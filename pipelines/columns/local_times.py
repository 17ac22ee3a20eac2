"""Local times, as people write them, in UTC: and what a change of the clocks makes of them.

When the clocks go back, an hour is there twice; the first one is meant. When they go forward, an
hour is missing; a time in it is read with the offset from before, so 02:30 becomes 03:30. Both are
what Python's `zoneinfo` does with `fold=0` (PEP 495), and both are said. (Arrow's own conversion
knows no rules beyond 2037.)
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

MOST_SENTENCES = 10
"""The changes of the clocks of one kind that are named one by one; of others only how many."""

YEARS = range(1800, 2300)
"""Where changes of the clocks are looked for; around them the nearest offset holds."""

_SECOND = timedelta(seconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class _Change:
    """A change of the clocks: its moment in UTC, and what is added to UTC before and after it."""

    at: datetime
    before: timedelta
    after: timedelta

    @property
    def walls(self) -> tuple[datetime, datetime]:
        """What the clocks show at the change by the offset before, and by the one after."""
        wall = self.at.replace(tzinfo=None)
        return wall + self.before, wall + self.after


def to_utc(column: pa.ChunkedArray, zone: str) -> tuple[pa.ChunkedArray, list[str]]:
    """Return times without a zone as times in UTC, and what must be said of them.

    `column` holds timestamp[us] without a zone, written in the IANA zone `zone`; the answer holds
    timestamp[us, UTC], null where it was null. The sentences name each day with times that are
    there twice or do not exist, oldest first; there are none where nothing is unclear. Raises
    ZoneInfoNotFoundError for a zone that nobody knows (a spec holds none).
    """
    import pyarrow as pa

    utc = pa.timestamp("us", tz="UTC")
    if zone == "UTC" or column.null_count == len(column):
        return column.cast(utc), []
    is_null = np.asarray(column.is_null().to_numpy())
    walls = np.asarray(column.cast(pa.int64()).fill_null(0).to_numpy())
    values = walls[~is_null]
    changes = _changes(zone, _year(int(values.min())) - 1, _year(int(values.max())) + 1)
    moments = walls - _offsets(walls, zone, changes)
    array = pa.array(np.where(is_null, 0, moments), pa.int64(), mask=is_null).cast(utc)
    return pa.chunked_array([array]), _describe(values, zone, changes)


def _offsets(walls: NDArray[Any], zone: str, changes: list[_Change]) -> NDArray[Any]:
    """Return what to take from each wall time, in microseconds.

    The offset from before holds until the clocks have shown the later of both times.
    """
    if not changes:
        return np.full(len(walls), _micros(_offset_of_year(zone, _year(int(walls.max())))))
    until = np.array([_micros_of(max(c.walls)) for c in changes])
    offsets = np.array([_micros(changes[0].before), *(_micros(c.after) for c in changes)])
    return np.asarray(offsets[np.searchsorted(until, walls, side="right")])


def _offset_of_year(zone: str, year: int) -> timedelta:
    """Return what is added to UTC in a year in which the clocks do not change."""
    moment = datetime(min(max(year, YEARS[0]), YEARS[-1]), 1, 1, tzinfo=UTC)
    return moment.astimezone(ZoneInfo(zone)).utcoffset() or timedelta(0)


@lru_cache(maxsize=64)
def _changes_between(zone: str, first: int, last: int) -> tuple[_Change, ...]:
    rules = ZoneInfo(zone)

    def offset(moment: datetime) -> timedelta:
        return moment.astimezone(rules).utcoffset() or timedelta(0)

    changes = []
    day, end = datetime(first, 1, 1, tzinfo=UTC), datetime(last + 1, 1, 1, tzinfo=UTC)
    before = offset(day)
    while day < end:
        following = day + timedelta(days=1)
        after = offset(following)
        if after != before:
            low, high = day, following
            while high - low > _SECOND:
                middle = low + timedelta(seconds=(high - low) // _SECOND // 2)
                low, high = (middle, high) if offset(middle) == before else (low, middle)
            changes.append(_Change(high, before, after))
        day, before = following, after
    return tuple(changes)


def _changes(zone: str, first: int, last: int) -> list[_Change]:
    """Return the changes of the zone's clocks in these years, oldest first."""
    first, last = (min(max(year, YEARS[0]), YEARS[-1]) for year in (first, last))
    return list(_changes_between(zone, first, last))


def _describe(walls: NDArray[Any], zone: str, changes: list[_Change]) -> list[str]:
    in_order = np.sort(walls)
    twice, missing = [], []
    for change in changes:
        before, after = change.walls
        start, end = (_micros_of(wall) for wall in sorted((before, after)))
        count = int(np.searchsorted(in_order, end) - np.searchsorted(in_order, start))
        if not count:
            continue
        times = f"{count} times in it are" if count > 1 else "1 time in it is"
        if after < before:
            offset = (_EPOCH.replace(tzinfo=None) + abs(change.before)).strftime("%H:%M")
            sign = "-" if change.before < timedelta(0) else "+"
            twice.append(
                f"on {after:%Y-%m-%d} the time from {after:%H:%M} to {before:%H:%M} is there twice"
                f" in {zone}: {times} read as the first one; write the offset (such as"
                f" {after:%Y-%m-%dT%H:%M}{sign}{offset}) to tell them apart"
            )
        else:
            missing.append(
                f"on {before:%Y-%m-%d} the time from {before:%H:%M} to {after:%H:%M} does not exist"
                f" in {zone}: {times} read as {(after - before) // timedelta(minutes=1)} minutes"
                " later"
            )
    return [*_shorten(twice, "is there twice", zone), *_shorten(missing, "does not exist", zone)]


def _shorten(sentences: list[str], what: str, zone: str) -> list[str]:
    rest = len(sentences) - MOST_SENTENCES
    if rest <= 0:
        return sentences
    more = f"on {rest} more day{'' if rest == 1 else 's'} a time {what} in {zone}"
    return [*sentences[:MOST_SENTENCES], more]


def _micros(span: timedelta) -> int:
    return span // timedelta(microseconds=1)


def _micros_of(wall: datetime) -> int:
    return _micros(wall.replace(tzinfo=UTC) - _EPOCH)


def _year(micros: int) -> int:
    return int(np.datetime64(micros, "us").astype("datetime64[Y]").astype(np.int64)) + 1970
