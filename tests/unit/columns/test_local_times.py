from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from pipelines.columns.local_times import MOST_SENTENCES, to_utc

ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "Australia/Lord_Howe",  # goes back by half an hour
    "Asia/Kathmandu",
    "Pacific/Apia",  # left out a whole day in 2011
    "Africa/Casablanca",
]


def naive(*texts: str) -> pa.ChunkedArray:
    moments = [datetime.fromisoformat(text) if text else None for text in texts]
    return pa.chunked_array([pa.array(moments, pa.timestamp("us"))])


def utc(column: pa.ChunkedArray) -> list[str]:
    return [m.strftime("%Y-%m-%dT%H:%M:%S.%f") if m else "" for m in column.to_pylist()]


def test_a_local_time_is_in_utc_and_a_null_stays_one() -> None:
    moments, sentences = to_utc(naive("2024-07-01T12:00:00.000001", ""), "Europe/Berlin")
    assert moments.type == pa.timestamp("us", tz="UTC")
    assert utc(moments) == ["2024-07-01T10:00:00.000001", ""]
    assert sentences == []


@pytest.fixture(scope="module")
def many_times() -> list[datetime]:
    """Local times of six years, and one of each spring that some zones leave out."""
    start = datetime(2008, 1, 1)  # noqa: DTZ001 -- a local time has no zone
    times = [start + timedelta(minutes=17 * i, microseconds=i) for i in range(200_000)]
    springs = [datetime(year, 3, 31, 2, 30) for year in range(1980, 2080)]  # noqa: DTZ001
    return times + springs


@pytest.mark.parametrize("zone", ZONES)
def test_every_time_is_what_zoneinfo_says_of_the_first_one(
    zone: str, many_times: list[datetime]
) -> None:
    moments, _ = to_utc(pa.chunked_array([pa.array(many_times, pa.timestamp("us"))]), zone)
    rules = ZoneInfo(zone)
    expected = [t.replace(tzinfo=rules).astimezone(UTC) for t in many_times]
    # Arrow compares them: to make Python's of all moments takes as long as all else together.
    assert moments.equals(pa.chunked_array([pa.array(expected, pa.timestamp("us", tz="UTC"))]))


def test_an_hour_that_is_there_twice_is_named_and_the_first_one_is_meant() -> None:
    column = naive("2024-10-27T02:00", "2024-10-27T02:59:59", "2024-10-27T03:00")
    moments, sentences = to_utc(column, "Europe/Berlin")
    assert utc(moments)[0].startswith("2024-10-27T00:00")
    assert len(sentences) == 1
    assert sentences[0] == (
        "on 2024-10-27 the time from 02:00 to 03:00 is there twice in Europe/Berlin: 2 times in it"
        " are read as the first one; write the offset (such as 2024-10-27T02:00+02:00) to tell them"
        " apart"
    )


def test_an_hour_that_is_missing_is_named_and_read_as_later() -> None:
    column = naive("2024-03-31T02:30", "2024-03-31T01:59", "2024-03-31T03:00")
    moments, sentences = to_utc(column, "Europe/Berlin")
    assert utc(moments)[0].startswith("2024-03-31T01:30")
    assert len(sentences) == 1
    assert sentences[0] == (
        "on 2024-03-31 the time from 02:00 to 03:00 does not exist in Europe/Berlin: 1 time in it"
        " is read as 60 minutes later"
    )


def test_a_day_without_a_midnight_and_half_an_hour_are_named_as_they_are() -> None:
    _, missing = to_utc(naive("2018-11-04T00:10"), "America/Sao_Paulo")
    assert "from 00:00 to 01:00 does not exist" in missing[0]
    _, twice = to_utc(naive("2024-04-07T01:40"), "Australia/Lord_Howe")
    assert "from 01:30 to 02:00 is there twice" in twice[0]


def test_utc_has_nothing_to_say() -> None:
    moments, sentences = to_utc(naive("2024-03-31T02:30"), "UTC")
    assert utc(moments) == ["2024-03-31T02:30:00.000000"]
    assert sentences == []


def test_a_column_without_rows_or_values_is_read() -> None:
    empty = pa.chunked_array([], pa.timestamp("us"))
    assert to_utc(empty, "Europe/Berlin")[0].type == pa.timestamp("us", tz="UTC")
    assert to_utc(naive("", ""), "Europe/Berlin")[0].null_count == 2


def test_many_changes_are_counted_instead_of_named() -> None:
    start = datetime(1990, 1, 1)  # noqa: DTZ001 -- a local time has no zone
    times = [start + timedelta(hours=i) for i in range(24 * 365 * 30)]
    _, sentences = to_utc(pa.chunked_array([pa.array(times, pa.timestamp("us"))]), "Europe/Berlin")
    assert len(sentences) == 2 * (MOST_SENTENCES + 1)
    assert sentences[MOST_SENTENCES] == "on 20 more days a time is there twice in Europe/Berlin"


def test_times_of_a_zone_that_never_changes_its_clocks_and_of_far_years_are_read() -> None:
    moments, sentences = to_utc(naive("2024-03-31T02:30", "0100-01-01T00:00"), "Asia/Kolkata")
    assert utc(moments)[0].startswith("2024-03-30T21:00")
    assert sentences == []
    far, _ = to_utc(naive("9999-01-01T00:00"), "Asia/Kolkata")
    assert utc(far) == ["9998-12-31T18:30:00.000000"]
