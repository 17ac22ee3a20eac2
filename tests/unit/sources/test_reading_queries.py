"""What a database or a function returns is kept as it is, or named."""

import datetime as dt
import sqlite3
from decimal import Decimal
from uuid import UUID

import pyarrow as pa
import pytest
from psycopg2 import extensions

from pipelines.columns.contract import localise
from pipelines.columns.storable import say_once
from pipelines.errors import BadData, SpecError
from pipelines.sources.event_times import with_times
from pipelines.sources.postgres import refuse_changes
from pipelines.sources.python import Function
from pipelines.sources.sql import Sql
from pipelines.sources.sql_chunks import table_of
from pipelines.spec.sources import PythonSource, SqlSource
from pipelines.tables import normalise
from tests.unit.sources.days import DAY, FIRST

# Times


def test_event_times_are_cut_and_what_is_no_time_is_said(caplog):
    say_once.cache_clear()
    texts = [
        "2024-01-01T00:00:00.1234567Z",
        "9999-12-31T23:59:59.999999999",
        "0001-01-01",
        "now",
        "2024-01-01 01:00+01:00",
        None,
        "x",
    ]
    at = with_times(pa.table({"at": texts}), "at", "rows.csv")["at"].to_pylist()
    assert at == [
        FIRST.replace(microsecond=123_456),
        dt.datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=dt.UTC),
        dt.datetime(1, 1, 1, tzinfo=dt.UTC),
        None,
        FIRST,
        None,
        None,
    ]
    assert (
        "rows.csv: 2 values of 'at' cannot be read as a time: missing from here on."
        in caplog.messages
    )
    assert (
        "rows.csv: the column 'at' has times finer than a microsecond; they are cut to"
        " microseconds." in caplog.messages
    )


# SQL


def test_two_columns_of_one_name_are_the_querys_fault(tmp_path):
    query = "select 1 as id, 2 as {} where :start < :end"
    for name, words in {
        "id": "returns two columns with the name 'id'",
        "ID": "'id' and 'ID', whose names differ in case only",
    }.items():
        source = SqlSource(kind="sql", database="shop", query=query.format(name), first=FIRST)
        with pytest.raises(SpecError, match=words) as caught:
            Sql(source, "at", {"PERENNIAL_SQL_SHOP": "sqlite://"}).read(DAY)
        assert "source.query" in caught.value.remedy


def test_values_of_a_database_are_kept_as_they_are():
    rows = [
        (
            2**53 + 1,
            Decimal("1.10"),
            dt.date(2024, 1, 1),
            UUID(int=1),
            b"\0",
            {"a": [1]},
            [1, 2],
            True,
            None,
            float("nan"),
        ),
        (None, None, None, None, None, None, None, None, None, 0.5),
    ]
    table = normalise(table_of(list("abcdefghij"), [rows], "The database"))
    assert [str(t) for t in table.schema.types] == [
        "int64",
        "decimal128(38, 2)",
        "timestamp[us, tz=UTC]",
        "string",
        "binary",
        "string",
        "list<item: int64>",
        "bool",
        "null",
        "double",
    ]
    first = (
        2**53 + 1,
        Decimal("1.10"),
        FIRST,
        str(UUID(int=1)),
        b"\0",
        '{"a": [1]}',
        [1, 2],
        True,
        None,
        None,
    )
    assert tuple(table.to_pylist()[0].values()) == first
    assert list(table.to_pylist()[1].values()) == [None] * 9 + [0.5]


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize(
    "values",
    [
        pytest.param([None, None, 1, None, 2**62], id="nulls first"),
        pytest.param([1, 2, 0.5, None, 3], id="a fraction later"),
        pytest.param([2**53 + 1, 0.5, 1, None, 2], id="too fine for a float"),
        pytest.param([1, 2**64, None, -1, 0], id="beyond 64 bits later"),
        pytest.param([Decimal("1.1"), Decimal(2), Decimal("0.003"), None, 4], id="decimals"),
        pytest.param([10**37, Decimal("5.0"), 1, 2, 3], id="decimals without room"),
        pytest.param(["a", None, "b", "c", None], id="texts"),
        pytest.param([[1], [0.5], None, [], [2]], id="lists"),
        pytest.param([{"a": 1}, None, {"b": [1]}, {}, None], id="objects"),
        pytest.param(
            [dt.date(2024, 1, 1), dt.datetime(2024, 1, 1, 5), None, None, None],  # noqa: DTZ001
            id="days",
        ),
        pytest.param([None] * 5, id="nothing"),
    ],
)
def test_chunks_have_the_type_and_the_values_of_the_whole(values, size):
    chunks = [[(v,) for v in values[i : i + size]] for i in range(0, len(values), size)]
    whole = table_of(["x"], [[(v,) for v in values]], "The database")
    parts = table_of(["x"], chunks, "The database")
    assert normalise(localise(parts, {}, "UTC")).equals(normalise(localise(whole, {}, "UTC")))


def test_chunks_that_do_not_go_together_are_named():
    chunks = [[(1,), (2,)], [("x",)]]
    with pytest.raises(BadData, match="the column 'n' mixes texts and whole numbers"):
        table_of(["n"], chunks, "The database")


def test_times_of_a_database_without_a_zone_are_of_the_sources_or_of_their_columns(tmp_path):
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("create table visits (at text)")
        database.execute("insert into visits values ('2024-01-01 01:30:00')")
    database.close()
    query = "select * from visits where at >= :start and at < :end"
    source = SqlSource(
        kind="sql", database="shop", query=query, first=FIRST, timezone="Europe/Berlin"
    )
    table = Sql(source, "at", {"PERENNIAL_SQL_SHOP": f"sqlite:///{tmp_path}/shop.db"}).read(DAY)
    assert table.tables["events"]["at"].to_pylist() == [FIRST.replace(minute=30)]


def test_a_column_of_a_database_that_cannot_be_kept_is_a_problem_that_names_it():
    source = SqlSource(
        kind="sql",
        database="shop",
        query="select 1 as x where :start < :end union all select 'a' where :start < :end",
        first=FIRST,
    )
    raw = Sql(source, "at", {"PERENNIAL_SQL_SHOP": "sqlite://"}).read(DAY)
    assert "The database 'shop': the column 'x' mixes texts and whole numbers" in raw.problem


def test_what_psycopg2_would_change_in_silence_is_refused():
    interval, date = refuse_changes(extensions.PYINTERVAL), refuse_changes(extensions.PYDATE)
    assert interval("1 day 02:00:00", None) == dt.timedelta(days=1, hours=2)
    assert date("9999-12-31", None) == dt.date(9999, 12, 31)
    assert interval(None, None) is None
    for read_value, text in (
        (interval, "1 mon"),
        (interval, "2 years"),
        (date, "infinity"),
        (date, "-infinity"),
    ):
        with pytest.raises(ValueError, match="no length"):
            read_value(text, None)


# A function of the model


def test_a_table_of_a_function_that_cannot_be_kept_is_a_problem_that_names_it(tmp_path):
    folder = tmp_path / "models" / "m"
    folder.mkdir(parents=True)
    (folder / "source.py").write_text(
        "import pandas as pd\n"
        "def twice(start, end): return pd.DataFrame([[1, 2]], columns=['id', 'ID'])\n"
        "def large(start, end): return pd.DataFrame({'x': range(1000)})\n"
    )
    twice = Function(PythonSource(kind="python", first=FIRST, function="twice"), folder).read(DAY)
    assert "models/m/source.py: the table 'events' has the columns 'id' and 'ID'" in twice.problem
    large = Function(
        PythonSource(kind="python", first=FIRST, function="large"), folder, most=1_000
    ).read(DAY)
    assert "8000 bytes, more than 1000" in large.problem
