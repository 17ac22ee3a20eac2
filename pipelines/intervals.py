"""Data intervals: the hours, days, weeks and months by which raw data are cut into batches (all
times UTC).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, PlainSerializer

from pipelines.refs import Value

BatchKind = Literal["hour", "day", "week", "month"]

DECEMBER = 12


YEARS = range(1700, 2200)
"""The years of a moment.

Around them one can still count months, and nanoseconds in 64 bits (as pandas does).
"""


def _to_utc(moment: datetime) -> datetime:
    """Return the moment in UTC; a moment without a zone is taken as UTC.

    ValueError outside of YEARS.
    """
    if moment.year not in YEARS:
        msg = f"must lie between the years {YEARS[0]} and {YEARS[-1]}"
        raise ValueError(msg)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _no_numbers(value: object) -> object:
    if isinstance(value, bool | int | float):
        msg = "write a date and time such as 2013-04-01T00:00:00Z"
        raise ValueError(msg)  # noqa: TRY004 -- pydantic reports ValueError as a validation error
    return value


def iso(moment: datetime) -> str:
    """Return the moment as `2013-04-01T00:00:00Z`, the way it stands in every key."""
    text = moment.astimezone(UTC).isoformat()
    return text.removesuffix("+00:00") + "Z"


Moment = Annotated[
    datetime,
    BeforeValidator(_no_numbers),
    AfterValidator(_to_utc),
    PlainSerializer(iso, return_type=str, when_used="json"),
]
"""A moment in UTC; serialised as `2013-04-01T00:00:00Z`."""


class Interval(Value):
    """The half-open span [start, end), in UTC."""

    start: Moment
    end: Moment

    @property
    def name(self) -> str:
        """The interval as it stands in file names: its start, 2013-03-01T00; or `snapshot`."""
        return "snapshot" if self == SNAPSHOT else self.start.strftime("%Y-%m-%dT%H")

    @property
    def text(self) -> str:
        """The interval as people read it: `2013-03-01T00 to 2013-04-01T00`, or `the snapshot`."""
        if self == SNAPSHOT:
            return "the snapshot"
        return f"{self.start:%Y-%m-%dT%H} to {self.end:%Y-%m-%dT%H}"

    def __contains__(self, moment: datetime) -> bool:
        """Tell whether the moment lies in [start, end)."""
        return self.start <= moment < self.end

    def overlaps(self, other: Interval) -> bool:
        """Tell whether the two spans share a moment."""
        return self.start < other.end and other.start < self.end


SNAPSHOT = Interval(
    start=datetime(YEARS[0], 1, 1, tzinfo=UTC), end=datetime(YEARS[-1], 12, 31, tzinfo=UTC)
)
"""What stands for the interval of data without time: all of them are one batch, the snapshot."""


def floor(moment: datetime, kind: BatchKind) -> datetime:
    """Return the start of the interval that holds the moment."""
    moment = _to_utc(moment)
    hour = moment.replace(minute=0, second=0, microsecond=0)
    if kind == "hour":
        return hour
    day = hour.replace(hour=0)
    if kind == "day":
        return day
    if kind == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1)


def following(start: datetime, kind: BatchKind) -> datetime:
    """Return the start of the next interval; `start` must be one itself."""
    if kind != "month":
        return (
            start
            + {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}[
                kind
            ]
        )
    if start.month == DECEMBER:
        return start.replace(year=start.year + 1, month=1)
    return start.replace(month=start.month + 1)


def containing(moment: datetime, kind: BatchKind) -> Interval:
    """Return the interval that holds the moment."""
    start = floor(moment, kind)
    return Interval(start=start, end=following(start, kind))


def preceding(interval: Interval, kind: BatchKind) -> Interval:
    """Return the interval just before."""
    return containing(interval.start - timedelta(microseconds=1), kind)


def complete_before(
    as_of: datetime, kind: BatchKind, count: int, first: datetime
) -> list[Interval]:
    """Return up to `count` complete intervals that end by `as_of` and start at `first` or later,
    oldest first.
    """
    intervals: list[Interval] = []
    current = preceding(containing(as_of, kind), kind)
    while len(intervals) < count and current.start >= first:
        intervals.append(current)
        current = preceding(current, kind)
    return intervals[::-1]


def covering(start: datetime, end: datetime, kind: BatchKind, first: datetime) -> list[Interval]:
    """Return the intervals from `first` on that touch [start, end), oldest first."""
    intervals: list[Interval] = []
    current = containing(max(start, first), kind)
    while current.start < end:
        if current.start >= first:
            intervals.append(current)
        current = containing(current.end, kind)
    return intervals
