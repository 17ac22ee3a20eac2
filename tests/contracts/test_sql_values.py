"""The `sql` source on real databases: the same values come back from each."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from uuid import UUID

import pyarrow as pa
import pytest

from pipelines.errors import RequestError
from pipelines.sources.reader_process import ReaderProcess
from pipelines.spec.sources import SqlSource
from tests.contracts.databases import DAY, FIRST, WHERE, problem, read

pytestmark = pytest.mark.slow

TYPES = {
    "postgresql": {"seen": "timestamptz", "bin": "bytea", "note": "text", "flag": "boolean"},
    "mysql": {"seen": "datetime(6)", "bin": "varbinary(20)", "note": "text", "flag": "tinyint(1)"},
    "sqlite": {"seen": "text", "bin": "blob", "note": "text", "flag": "boolean"},
    "duckdb": {"seen": "timestamptz", "bin": "blob", "note": "text", "flag": "boolean"},
}
HEX = {"postgresql": r"'\x00ff'", "mysql": "x'00ff'", "sqlite": "x'00ff'", "duckdb": r"'\x00\xff'"}
EXPECTED = {
    "id": [1, 2, 3],
    "seen": [
        FIRST,
        FIRST.replace(hour=5, microsecond=123_456),
        FIRST.replace(hour=23, minute=59, second=59, microsecond=999_999),
    ],
    "large": [2**63 - 1, -(2**63), None],
    "exact": [Decimal("1.10"), Decimal("-12345678901234.56"), None],
    "share": [0.1, -2.5e300, None],
    "note": ["01234", "NA; 'é€\U0001f600'", None],
    "flag": [True, False, None],
    "bin": [b"\x00\xff", b"", None],
    "none": [None, None, None],
}


def make_every_type(shop):
    t = TYPES[shop.kind]
    zone = "" if shop.kind in {"mysql", "sqlite"} else "+00"
    names = ("id", "seen", "large", "exact", "share", "note", "flag", "bin", "none")
    quote = "`" if shop.kind == "mysql" else '"'
    q = [f"{quote}{name}{quote}" for name in names]
    empty = "x''" if shop.kind == "sqlite" else "''"
    decimal = "text" if shop.kind == "sqlite" else "decimal(16, 2)"
    kinds = (
        "int",
        t["seen"],
        "bigint",
        decimal,
        "double precision",
        t["note"],
        t["flag"],
        t["bin"],
    )
    kinds = [k.replace(" precision", "") if shop.kind == "duckdb" else k for k in (*kinds, "int")]
    shop.run(
        f"create table visits ({', '.join(map(' '.join, zip(q, kinds, strict=True)))})"
        + (" character set utf8mb4" if shop.kind == "mysql" else ""),
        f"insert into visits values (1, '2024-01-01 00:00:00.000000{zone}', 9223372036854775807,"
        f" '1.10', 0.1, '01234', {_true(shop)}, {HEX[shop.kind]}, null)",
        f"insert into visits values (2, '2024-01-01 05:00:00.123456{zone}', -9223372036854775808,"
        f" '-12345678901234.56', -2.5e300, 'NA; ''é€\U0001f600''', {_true(shop, no=True)},"
        f" {empty}, null)",
        f"insert into visits values (3, '2024-01-01 23:59:59.999999{zone}', null, null, null,"
        " null, null, null, null)",
        f"insert into visits values (4, '2024-01-02 00:00:00.000000{zone}', null, null, null,"
        " null, null, null, null)",
    )


def _true(shop, *, no=False):
    if shop.kind in {"mysql", "sqlite"}:
        return "0" if no else "1"
    return "false" if no else "true"


def test_one_table_of_every_type_comes_back_with_equal_values(shop):
    make_every_type(shop)
    table = read(shop, f"select * from visits {WHERE} order by id")
    expected = dict(EXPECTED)
    if shop.kind == "sqlite":  # it has neither booleans nor decimals; docs/add-a-model.md says so
        expected["flag"] = [1, 0, None]
        expected["exact"] = ["1.10", "-12345678901234.56", None]
    assert table.to_pydict() == expected
    kinds = {f.name: f.type for f in table.schema}
    assert pa.types.is_int64(kinds["large"])
    assert kinds["seen"] == pa.timestamp("us", tz="UTC")
    if shop.kind != "sqlite":
        assert pa.types.is_decimal(kinds["exact"])
        assert pa.types.is_boolean(kinds["flag"])


def test_whole_numbers_beyond_64_bits_stay_exact(shop):
    cast = {"postgresql": "numeric(20)", "mysql": "unsigned", "duckdb": "uhugeint"}
    if shop.kind == "sqlite":
        query = f"select 1 as seen, '{2**64 - 1}' as n where :start < :end"
        assert read(shop, query)["n"].to_pylist() == [str(2**64 - 1)]
        return
    query = f"select 1 as seen, cast({2**64 - 1} as {cast[shop.kind]}) as n where :start < :end"
    assert read(shop, query)["n"].to_pylist() == [2**64 - 1]


def test_more_rows_than_a_chunk_have_one_type_and_all_values(shop):
    many = {
        "postgresql": "select i from generate_series(1, 50000) as t(i)",
        "mysql": "select seq as i from seq_1_to_50000",
        "sqlite": (
            "with recursive t(i) as (select 1 union all select i + 1 from t where i < 50000)"
            " select i from t"
        ),
        "duckdb": "select i from range(1, 50001) as t(i)",
    }[shop.kind]
    query = (
        "select '2024-01-01' as seen, i, case when i > 30000 then i end as late,"
        f" case when i = 49999 then 'x' end as rare from ({many}) as s where :start < :end"
    )
    table = read(shop, query).sort_by("i")
    assert table["i"].to_pylist() == list(range(1, 50_001))
    assert table["late"].to_pylist() == [None] * 30_000 + list(range(30_001, 50_001))
    assert table["rare"].to_pylist() == [None] * 49_998 + ["x", None]
    assert [str(table.schema.field(n).type) for n in ("late", "rare")] == ["int64", "string"]


def test_times_without_a_zone_are_of_the_sources_zone(shop):
    zones = {"postgresql": "timestamp", "mysql": "datetime(6)", "sqlite": "text"}
    shop.run(
        f"create table visits (seen {zones.get(shop.kind, 'timestamp')}, id int)",
        "insert into visits values ('2024-01-01 00:30:00', 1), ('2024-01-01 01:30:00', 2),"
        " ('2024-01-02 00:30:00', 3), ('2024-01-02 01:30:00', 4)",
    )
    query = f"select * from visits {WHERE} order by id"
    if shop.kind == "mysql":  # a server without tables of zones says so
        with pytest.raises(RequestError, match="does not know the time zone 'Europe/Berlin'"):
            read(shop, query, timezone="Europe/Berlin")
        return
    table = read(shop, query, timezone="Europe/Berlin")
    assert table.to_pydict() == {
        "seen": [FIRST.replace(minute=30), FIRST.replace(hour=23, minute=30)],
        "id": [2, 3],
    }


@pytest.mark.parametrize(
    ("kind", "expression", "value"),
    [
        ("postgresql", "interval '1 day 2 hours'", dt.timedelta(days=1, hours=2)),
        ("postgresql", "time '01:02:03.5'", dt.time(1, 2, 3, 500_000)),
        ("postgresql", """'{"a": 1.10}'::jsonb""", '{"a": 1.10}'),
        ("postgresql", "'00000000-0000-0000-0000-000000000001'::uuid", str(UUID(int=1))),
        ("postgresql", "array[1, 2]", [1, 2]),
        ("postgresql", "'NaN'::numeric", None),
        ("mysql", "time '26:02:03'", dt.timedelta(hours=26, minutes=2, seconds=3)),
        ("mysql", """json_compact('{"a": 1.10}')""", '{"a":1.10}'),
        ("mysql", "date '2024-01-01'", FIRST),
        ("duckdb", "interval '1 day 2 hours'", dt.timedelta(days=1, hours=2)),
        ("duckdb", "time '01:02:03.5'", dt.time(1, 2, 3, 500_000)),
        ("duckdb", "'00000000-0000-0000-0000-000000000001'::uuid", str(UUID(int=1))),
        ("duckdb", "[1, 2]", [1, 2]),
        ("duckdb", "'north'::enum('north', 'south')", "north"),
        ("sqlite", "true", 1),
    ],
)
def test_other_types_are_kept_as_the_documentation_says(
    databases, tmp_path, kind, expression, value
):
    shop = databases.shop(kind, tmp_path)
    query = f"select {expression.replace(':', chr(92) + ':')} as x where :start < :end"
    assert read(shop, query)["x"].to_pylist() == [value]


@pytest.mark.parametrize(
    ("kind", "expression", "words"),
    [
        ("postgresql", "interval '1 month'", "has no length in days"),
        ("postgresql", "'infinity'::timestamp", "no end"),
        ("postgresql", "time with time zone '01:02+02'", "times of a day with a zone"),
        ("postgresql", "int4range(1, 3)", "the type NumericRange"),
        ("duckdb", "interval '1 month'", "intervals of months"),
        ("duckdb", "'01:02:03+02'::timetz", "TIME WITH TIME ZONE"),
        ("duckdb", "'101'::bit", "the type BIT"),
        ("duckdb", f"{2**127 - 1}::hugeint", "more than 38 digits"),
    ],
)
def test_what_would_lose_something_is_named(databases, tmp_path, kind, expression, words):
    shop = databases.shop(kind, tmp_path)
    query = f"select {expression.replace(':', chr(92) + ':')} as x where :start < :end"
    assert words in problem(shop, query)


def test_postgresql_gives_the_rows_by_a_cursor_of_its_own(databases, tmp_path):
    shop = databases.shop("postgresql", tmp_path)
    found = read(shop, "select is_scrollable, name from pg_cursors where :start < :end")
    assert found.num_rows == 1


def test_the_process_of_a_source_reads_each_database(shop, tmp_path, monkeypatch):
    make_every_type(shop)
    monkeypatch.setenv("PERENNIAL_SQL_SHOP", shop.url)
    query = f"select id, seen from visits {WHERE} order by id"
    source = SqlSource(kind="sql", database="shop", query=query, first=FIRST)
    process = ReaderProcess(source, "seen", tmp_path, tmp_path, seconds=60, most=2**28)
    assert process.read(DAY).tables["events"].to_pydict() == {
        name: EXPECTED[name] for name in ("id", "seen")
    }
