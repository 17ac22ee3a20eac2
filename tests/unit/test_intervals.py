from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import ValidationError

from pipelines.intervals import (
    Interval,
    complete_before,
    containing,
    covering,
    floor,
    iso,
    preceding,
)


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "start", "end"),
    [
        ("hour", "2013-12-31T23:00", "2014-01-01T00:00"),
        ("day", "2013-12-31", "2014-01-01"),
        ("week", "2013-12-30", "2014-01-06"),
        ("month", "2013-12-01", "2014-01-01"),
    ],
)
def test_a_moment_lies_in_exactly_one_interval(kind, start, end):
    interval = containing(at("2013-12-31T23:59:59"), kind)
    assert interval == Interval(start=at(start), end=at(end))
    assert interval.end not in interval
    assert preceding(interval, kind).end == interval.start


def test_only_complete_intervals_before_as_of_count_and_none_before_the_data():
    intervals = complete_before(at("2013-04-15"), "month", 7, at("2013-01-01"))
    assert [i.name for i in intervals] == ["2013-01-01T00", "2013-02-01T00", "2013-03-01T00"]
    assert complete_before(at("2013-04-01"), "month", 1, at("2013-01-01"))[0].end == at(
        "2013-04-01"
    )


def test_the_lookback_is_covered_from_the_first_data_on():
    intervals = covering(at("2013-02-24"), at("2013-03-01"), "month", at("2013-01-01"))
    assert [i.name for i in intervals] == ["2013-02-01T00"]
    assert covering(at("2012-12-24"), at("2013-01-01"), "month", at("2013-01-01")) == []


def test_other_zones_become_utc():
    moment = datetime(2013, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=2)))
    assert floor(moment, "day") == at("2012-12-31")
    assert iso(moment) == "2012-12-31T22:30:00Z"


@pytest.mark.parametrize("wrong", [0, True, 1.5e9, "yesterday"])
def test_a_moment_is_a_date_never_a_number(wrong):
    with pytest.raises(ValidationError):
        Interval(start=wrong, end=at("2014-01-01"))
