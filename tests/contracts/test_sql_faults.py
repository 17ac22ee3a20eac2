"""The `sql` source on real databases: a query that is wrong, writes or never ends, and a database
that is away.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from pipelines.errors import SpecError, Unreachable
from tests.contracts.databases import WHERE, problem, read

pytestmark = pytest.mark.slow

# Bad queries


def test_a_name_that_comes_twice_is_the_querys_fault(shop):
    for name, words in {
        "id": "returns two columns with the name 'id'",
        "ID": "'id' and 'ID', whose names differ in case only",
    }.items():
        quoted = f"`{name}`" if shop.kind == "mysql" else f'"{name}"'
        with pytest.raises(SpecError, match=words) as caught:
            read(shop, f"select 1 as id, 2 as {quoted} where :start < :end")
        assert "source.query" in caught.value.remedy


def test_a_query_that_writes_is_refused_and_changes_nothing(shop):
    shop.run("create table visits (seen int)", "insert into visits values (1), (2)")
    statements = [
        "delete from visits where :start < :end",
        "insert into visits select 3 where :start < :end",
        "drop table visits -- :start :end",
        "create table stolen as select * from visits where :start < :end",
    ]
    if shop.kind in {"postgresql", "sqlite", "duckdb"}:
        statements.append("delete from visits where :start < :end returning seen")
    if shop.kind == "postgresql":
        statements.append("select 1 where :start < :end; commit; delete from visits")
        shop.run(
            "create function wipe() returns int language sql as 'delete from visits; select 1'"
        )
        statements.append("select wipe() as seen where :start < :end")
    for statement in statements:
        with pytest.raises(SpecError, match="'shop' refuses the query"):
            read(shop, statement)
    assert sorted(shop.run("select seen from visits")) == [(1,), (2,)]


def test_duckdb_writes_no_file_either(databases, tmp_path):
    shop = databases.shop("duckdb", tmp_path)
    for query in (
        f"copy (select 1 where :start < :end) to '{tmp_path}/stolen.csv'",
        f"attach '{tmp_path}/other.db' -- :start :end",
        "select 1 where :start < :end; select 2",
    ):
        with pytest.raises(SpecError, match="only one SELECT"):
            read(shop, query)
    assert [p.name for p in tmp_path.iterdir()] == ["shop.duckdb"]


ENDLESS = {
    "postgresql": "select cast(pg_sleep(60) as text) as seen where :start < :end",
    "mysql": "select sleep(60) as seen where :start < :end",
    "sqlite": (
        "with recursive t(i) as (select 1 union all select i + 1 from t)"
        " select count(*) as seen from t where :start < :end"
    ),
    "duckdb": "select sum(a.range * b.range) as seen from range(100000000) a, range(100000000) b"
    " where :start < :end",
}


def test_a_query_that_never_ends_is_ended(shop):
    with pytest.raises(Unreachable, match=r"took longer than 0\.5 s") as caught:
        read(shop, ENDLESS[shop.kind], seconds=0.5)
    assert "source.timeout" in caught.value.remedy
    if shop.kind in {"postgresql", "mysql"}:  # the server works no longer
        running = {
            "postgresql": "select count(*) from pg_stat_activity where query like '%pg_sleep(60)%'"
            " and state = 'active' and pid <> pg_backend_pid()",
            "mysql": "select count(*) from information_schema.processlist where info like"
            " 'select sleep(60)%'",
        }[shop.kind]
        assert shop.run(running) == [(0,)]


# Away


def test_a_database_that_is_away_may_be_tried_again(shop):
    login, _, rest = shop.url.rpartition("@")
    shop.url = f"{login}@127.0.0.1:1/none" if login else rest.replace("shop.", "none/shop.")
    with pytest.raises(Unreachable, match="'shop' cannot be reached") as caught:
        read(shop, f"select * from visits {WHERE}")
    assert caught.value.exit_code == 75
    assert "check" in caught.value.remedy


def test_a_connection_that_is_lost_may_be_tried_again(databases, tmp_path):
    shop = databases.shop("postgresql", tmp_path)
    with pytest.raises(Unreachable, match="'shop' cannot be read"):
        read(shop, "select pg_terminate_backend(pg_backend_pid()) where :start < :end")


def test_a_duckdb_that_another_process_writes_to_may_be_tried_again(databases, tmp_path):
    shop = databases.shop("duckdb", tmp_path)
    program = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "shop.duckdb")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as writer:
        writer.stdout.readline()
        with pytest.raises(Unreachable, match="lock"):
            read(shop, f"select * from made {WHERE}")
        writer.communicate(b"\n")


# Named refusals of MySQL


@pytest.fixture
def mysql(databases, tmp_path):
    return databases.shop("mysql", tmp_path)


def test_a_tinyint_that_counts_and_a_date_that_does_not_exist_are_named(mysql):
    mysql.run(
        "set sql_mode = ''",
        "create table visits (seen date, n tinyint(1), b bit(1))",
        "insert into visits values ('0000-00-00', 2, b'1')",
    )
    found = problem(mysql, "select n from visits where :start < :end")
    assert "the column 'n' is a tinyint(1)" in found
    assert "cast(… as signed)" in found
    assert "'0000-00-00', which is no date" in problem(
        mysql, "select seen from visits where :start < :end"
    )
    query = "select cast(n as signed) as n, b from visits where :start < :end"
    assert read(mysql, query).to_pydict() == {"n": [2], "b": [True]}
