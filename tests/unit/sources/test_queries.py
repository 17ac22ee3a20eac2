"""Sources of a query and of a function of the user."""

import contextlib
import json
import sqlite3

import pandas as pd
import pyarrow as pa
import pytest

from pipelines.errors import RequestError, SpecError, Unreachable
from pipelines.sources.python import Function
from pipelines.sources.sql import Sql
from pipelines.spec.sources import PythonSource, SqlSource
from tests.unit.sources.days import DAY, FIRST, assert_no_secret


def test_sql_reads_one_interval_with_bound_times(tmp_path):
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("create table visits (at text, x int)")
        database.executemany(
            "insert into visits values (?, ?)",
            [("2024-01-01 05:00:00.000000", 1), ("2024-01-02 05:00:00.000000", 2)],
        )
    database.close()
    source = SqlSource(
        kind="sql",
        database="shop",
        query="select * from visits where at >= :start and at < :end",
        first=FIRST,
    )
    environ = {"PERENNIAL_SQL_SHOP": f"sqlite:///{tmp_path}/shop.db"}
    table = Sql(source, "at", environ).read(DAY).tables["events"]
    assert table.column("x").to_pylist() == [1]
    assert pa.types.is_timestamp(table.schema.field("at").type)
    with pytest.raises(RequestError, match="PERENNIAL_SQL_SHOP"):
        Sql(source, "at", {}).read(DAY)
    away = {"PERENNIAL_SQL_SHOP": "sqlite:////nowhere/at/all.db"}
    with pytest.raises(Unreachable, match="'shop'"):
        Sql(source, "at", away).read(DAY)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        pytest.param(
            "select price from visits where at >= :start and at < :end",
            "'shop' refuses .*no such column: price",
            id="column",
        ),
        pytest.param(
            "select * from none where at >= :start and at < :end",
            "'shop' refuses .*no such table: none",
            id="table",
        ),
        pytest.param(
            "delete from visits where at >= :start and at < :end", "'shop' refuses", id="no rows"
        ),
    ],
)
def test_a_wrong_query_is_the_specs_fault(tmp_path, query, words):
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("create table visits (at text, x int)")
    database.close()
    source = SqlSource(kind="sql", database="shop", query=query, first=FIRST)
    with pytest.raises(SpecError, match=words):
        Sql(source, "at", {"PERENNIAL_SQL_SHOP": f"sqlite:///{tmp_path}/shop.db"}).read(DAY)


def test_a_locked_database_is_unreachable(tmp_path):
    source = SqlSource(
        kind="sql",
        database="shop",
        query="select * from visits where at >= :start and at < :end",
        first=FIRST,
    )
    path = tmp_path / "shop.db"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("create table visits (at text, x int)")
        database.execute("begin exclusive")
        with pytest.raises(Unreachable, match="locked"):
            Sql(source, "at", {"PERENNIAL_SQL_SHOP": f"sqlite:///{path}?timeout=0"}).read(DAY)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("sqlight://ann:hunter2@host/shop", id="scheme"),
        pytest.param("ann:hunter2@host", id="no URL"),
        pytest.param("postgresql://ann@host:hunter2/shop", id="port"),
        pytest.param("mysql+mysqldb://ann:hunter2@host/shop", id="driver"),
        pytest.param("sqlite:///shop.db?timeout=hunter2", id="option"),
    ],
)
def test_a_wrong_url_names_its_setting_and_is_not_shown(url, caplog):
    source = SqlSource(
        kind="sql",
        database="shop",
        query="select * from visits where at >= :start and at < :end",
        first=FIRST,
    )
    with pytest.raises(RequestError, match="PERENNIAL_SQL_SHOP") as caught:
        Sql(source, "at", {"PERENNIAL_SQL_SHOP": url}).read(DAY)
    assert_no_secret(caught.value, caplog)


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        pytest.param(
            "def read(start, end): raise OSError('away')", Unreachable, "away", id="unreachable"
        ),
        pytest.param(
            "def read(start, end): return 1 / 0", SpecError, "ZeroDivisionError", id="a bug"
        ),
        pytest.param(
            "def red(start, end): pass", SpecError, "no function 'read'", id="no function"
        ),
        pytest.param("def read(start, end:", SpecError, "SyntaxError", id="no Python"),
        pytest.param(
            "import pandas as pd\ndef read(start, end): return {'x': pd.DataFrame()}",
            SpecError,
            "the spec names",
            id="other tables",
        ),
    ],
)
def test_a_function_that_fails_is_named(tmp_path, body, error, words):
    folder = tmp_path / "models" / "m"
    folder.mkdir(parents=True)
    (folder / "source.py").write_text(body)
    with pytest.raises(error, match=words):
        Function(PythonSource(kind="python", first=FIRST), folder).read(DAY)


def test_a_function_may_return_several_tables_and_may_fail_to_parse(tmp_path):
    folder = tmp_path / "models" / "m"
    folder.mkdir(parents=True)
    (folder / "source.py").write_text(
        "import io, json\nimport pandas as pd\ndef read(start, end): return {'a':"
        " pd.DataFrame({'at': [start]}), 'b': pd.DataFrame({'x': [1]})}\ndef torn(start, end):"
        " return pd.read_csv(io.StringIO(''))\n"
    )
    read = Function(
        PythonSource(kind="python", first=FIRST, main="a", side={"b": None}), folder
    ).read(DAY)
    assert {n: t.num_rows for n, t in read.tables.items()} == {"a": 1, "b": 1}
    torn = Function(PythonSource(kind="python", first=FIRST, function="torn"), folder).read(DAY)
    assert "EmptyDataError" in torn.problem
    assert json.dumps(torn.problem)
    assert isinstance(read.tables["a"].to_pandas(), pd.DataFrame)
