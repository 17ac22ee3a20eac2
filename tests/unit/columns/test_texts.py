"""Texts of a file as values of a stated type: exactly, or not at all."""

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest

from pipelines.columns.texts import values_of
from pipelines.columns.writing import Misfit, Writing
from pipelines.spec.schema import Column
from pipelines.spec.table_options import TableOptions

UTC = dt.UTC


def values(kind, texts, zone="UTC", order=None, **options):
    """Return the values of one column of texts."""
    column = Column(type=kind, order=order)
    writing = Writing("x", column, TableOptions(**options), zone)
    return values_of(pa.chunked_array([texts]), writing).to_pylist()


@pytest.mark.parametrize(
    ("kind", "texts", "options", "expected"),
    [
        ("integer", ["1", "-2", "+3", " 4 ", "NA", None, "5.0"], {}, [1, -2, 3, 4, None, None, 5]),
        ("integer", ["1.234", "5"], {"decimal": ",", "thousands": "."}, [1234, 5]),
        ("float", ["1.5", "-2e3", "+.5", "inf", "nan"], {}, [1.5, -2e3, 0.5, 1e999, None]),
        ("float", ["1.234,5", "2"], {"decimal": ",", "thousands": "."}, [1234.5, 2.0]),
        (
            "float",
            ["1 234,5", "-"],
            {"decimal": ",", "thousands": " ", "missing": ["-"]},
            [1234.5, None],
        ),
        ("decimal(5, 2)", ["1.5", "-2.25"], {}, [Decimal("1.50"), Decimal("-2.25")]),
        ("boolean", ["true", "No", "1", "t", "NA"], {}, [True, False, True, True, None]),
        ("time_of_day", ["10:00", "23:59:59.5"], {}, [dt.time(10), dt.time(23, 59, 59, 500_000)]),
        ("duration", ["PT2H30M", "2h"], {}, [dt.timedelta(hours=2.5), dt.timedelta(hours=2)]),
        ("text", ["NA", "", "007"], {}, ["NA", "", "007"]),
        ("text", ["NA", "-"], {"missing": ["-"]}, ["NA", None]),
    ],
)
def test_texts_are_the_values_that_they_write(kind, texts, options, expected):
    assert values(kind, texts, **options) == expected


@pytest.mark.parametrize(
    ("text", "options", "zone", "moment"),
    [
        ("2024-01-31", {}, "UTC", dt.datetime(2024, 1, 31, tzinfo=UTC)),
        ("2024-07-01 12:00", {}, "Europe/Berlin", dt.datetime(2024, 7, 1, 10, tzinfo=UTC)),
        ("2024-07-01T12:00:00Z", {}, "Europe/Berlin", dt.datetime(2024, 7, 1, 12, tzinfo=UTC)),
        ("2024-07-01 12:00 -05:30", {}, "UTC", dt.datetime(2024, 7, 1, 17, 30, tzinfo=UTC)),
        (
            "31.01.2024 23:30",
            {"dates": "%d.%m.%Y %H:%M"},
            "Europe/Berlin",
            dt.datetime(2024, 1, 31, 22, 30, tzinfo=UTC),
        ),
        ("01/02/2024", {"dates": {"x": "%m/%d/%Y"}}, "UTC", dt.datetime(2024, 1, 2, tzinfo=UTC)),
        ("9999-12-31T23:59:59.999999", {}, "UTC", dt.datetime.max.replace(tzinfo=UTC)),
    ],
)
def test_times_are_moments(text, options, zone, moment):
    assert values("time", [text, None], zone, **options) == [moment, None]


def test_a_date_is_a_midnight_in_utc_whatever_the_zone():
    assert values("date", ["2024-01-31"], "Asia/Tokyo") == [dt.datetime(2024, 1, 31, tzinfo=UTC)]


@pytest.mark.parametrize(
    ("kind", "texts", "options", "row", "what", "remedy"),
    [
        ("integer", ["1", "x"], {}, 1, "no whole number", "type: text"),
        ("integer", ["1.5"], {}, 0, "no whole number", "type: float"),
        ("integer", ["1,000"], {}, 0, "no whole number", 'thousands: ","'),
        ("integer", ["18446744073709551616"], {}, 0, "beyond the whole numbers", "decimal(38, 0)"),
        ("float", ["1", "1,5"], {}, 1, "no number", 'decimal: ","'),
        ("float", ["1.234,5"], {}, 0, "no number", 'thousands: "."'),
        ("float", ["1e400"], {}, 0, "beyond the floats", "mend"),
        ("decimal(5, 2)", ["1", "1.555"], {}, 1, "it has more digits", "wider decimal"),
        ("boolean", ["yes", "maybe"], {}, 1, "no boolean", "missing"),
        ("time", ["2024-01-01", "31.12.2024"], {}, 1, "no time as in ISO 8601", "dates"),
        ("time", ["2024-01-01", "2024-02-30"], {}, 1, "no time that there is", "mend"),
        ("time", ["1.1.2024", "12/31/2024"], {"dates": "%d.%m.%Y"}, 1, "no time as in", "dates"),
        ("date", ["2024-01-01 12:00"], {}, 0, "more than a date", "type: time"),
        ("time_of_day", ["25:00"], {}, 0, "no time of a day", "23:59:59"),
        ("duration", ["5"], {}, 0, "no duration", "PT2H30M"),
        ("bytes", [None, "AB"], {}, 1, "no bytes", "Parquet"),
    ],
)
def test_a_text_that_does_not_fit_is_named_with_what_would_take_it(
    kind, texts, options, row, what, remedy
):
    with pytest.raises(Misfit) as caught:
        values(kind, texts, **options)
    assert (caught.value.row, caught.value.value) == (row, texts[row])
    assert what in caught.value.what
    assert remedy in caught.value.remedy


def test_a_category_has_the_values_of_its_order():
    assert values("category", ["M", "S", None], order=["S", "M"]) == ["M", "S", None]
    with pytest.raises(Misfit, match="none of its 2 values"):
        values("category", ["M", "XL"], order=["S", "M"])


ODD = [
    "2024-02-30T10:00:00Z",
    "2024-01-01T10Z",
    "2024-01-01T10+00:00",
    "2024-01-01T10:00+0000",
    "12:00Z",
]
ODD += ["2024-01-01t10:00:00Z", "2024-01-01T10:00:00z", "2024-01-01T10:00:00 +01", "2024-01-01Z"]
ODD += ["2024-01-01T10:00:00.1234567Z", "2024-01-01T24:00:00Z", "2024-1-01T10:00:00+00", None]
ODD += ["2024-01-01 10:00+01", "2024-01-01T10:00:00.5-0230", "2024-01-01T10:00:00+99", "20240101"]
ODD += ["2024-01-01T10:00:00,5Z", "+024-01-01T10:00:00Z", "2024-01-01T10:00:00.Z", "9999-12-31T23Z"]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("kind", ["time", "date"])
def test_times_with_a_zone_are_read_at_once_as_they_are_one_by_one(kind, odd):
    """A time without a zone beside them keeps all from being read at once."""

    def outcome(texts):
        try:
            return values(kind, texts, zone="Europe/Oslo")[1:]
        except Misfit as misfit:
            return (misfit.row, misfit.value, misfit.what, misfit.remedy)

    first, zoned = "2024-01-01T00:00:00.000000Z", ["2024-01-02 00:00:00+00", odd]
    assert outcome([first, *zoned]) == outcome(["2024-01-01T00:00:00", *zoned])
