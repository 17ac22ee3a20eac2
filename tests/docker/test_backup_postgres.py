"""Backup and restore where the ledger's and Airflow's databases are in PostgreSQL, by its own
programs."""

from __future__ import annotations

import os
import shutil

import pytest

from pipelines.errors import PerennialError, RequestError, Unreachable
from pipelines.ledger.sql import SqlLedger
from pipelines.ops.backup.creation import backup
from pipelines.ops.backup.databases import Database, databases, dump
from pipelines.ops.backup.restoration import restore
from pipelines.settings import local_path
from pipelines.store.local import LocalStore
from tests.decisions import crown, raw
from tests.docker import postgres

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def server(engine):
    if shutil.which("pg_dump") is None:
        complaint = "pg_dump is not on PATH here (Debian: postgresql-client)"
        (
            pytest.fail(complaint)
            if os.environ.get("PERENNIAL_REQUIRE_ENGINE") == "1"
            else pytest.skip(complaint)
        )
    with postgres.running(engine) as found:
        yield found


def settings_of(world, server, folder):
    """Settings whose databases are new and empty ones of the server."""
    changes = {
        "state": world.home / folder,
        "ledger_url": server.database(),
        "mlflow_database": server.database(),
    }
    return world.settings.replace(**changes)


@pytest.fixture
def filled(world, server):
    settings = settings_of(world, server, "old")
    ledger = SqlLedger(settings.ledger_url)
    for n in range(5):
        ledger.append("m", f"k{n}", raw("verdict", {"n": n, "text": "grün'; --"}))
    ledger.crown("m", expected=None, champion=crown("1"), key="first")
    LocalStore(local_path(settings.store)).put(b"something")
    where = settings.mlflow_artifacts.as_uri()
    server.sql(
        "CREATE TABLE experiments (id int, artifact_location varchar(256))",
        f"INSERT INTO experiments VALUES (1, '{where}/m'), (2, '{where}-else/m'), (3,"
        " 'mlflow-artifacts:/m')",
        url=settings.mlflow_database,
    )
    return settings


def test_the_restored_ledger_is_the_same_and_grows_on(world, server, filled, tmp_path):
    manifest = backup(filled, tmp_path / "b.tar", lambda _: None)
    assert manifest.databases == {"ledger": "postgresql", "mlflow": "postgresql"}
    target = settings_of(world, server, "new")
    assert restore(target, tmp_path / "b.tar", lambda _: None) == 6
    before, after = SqlLedger(filled.ledger_url), SqlLedger(target.ledger_url)
    assert after.entries() == before.entries()
    assert after.champion("m") == before.champion("m")
    assert after.append("m", "new", raw("verdict", {})).seq == 7
    assert after.verify() == 7
    with pytest.raises(Exception, match="only grows"):
        server.sql("DELETE FROM entries", url=target.ledger_url)
    moved = server.sql(
        "SELECT artifact_location FROM experiments ORDER BY id", url=target.mlflow_database
    )
    here, there = target.mlflow_artifacts.as_uri(), filled.mlflow_artifacts.as_uri()
    assert [place for (place,) in moved] == [f"{here}/m", f"{there}-else/m", "mlflow-artifacts:/m"]


def test_a_database_that_is_not_empty_is_never_touched(world, server, filled, tmp_path):
    backup(filled, tmp_path / "b.tar", lambda _: None)
    target = settings_of(world, server, "other")
    server.sql("CREATE TABLE mine (x int)", url=target.ledger_url)
    with pytest.raises(RequestError, match=r"ledger's database .* is not empty"):
        restore(target, tmp_path / "b.tar", lambda _: None)
    assert not list(local_path(target.store).rglob("*"))
    assert server.sql(
        "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", url=target.ledger_url
    ) == [(1,)]


def test_a_load_that_fails_says_what_is_there_and_it_is_begun_again(
    world, server, filled, tmp_path
):
    """A function in the way lets the ledger's load fail; it leaves nothing of the ledger."""
    backup(filled, tmp_path / "b.tar", lambda _: None)
    target = settings_of(world, server, "half")
    (name,) = server.sql(
        "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace LIMIT 1",
        url=filled.ledger_url,
    )[0]
    server.sql(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        url=target.ledger_url,
    )
    mlflow = target.mlflow_database.rsplit("/", 1)[-1]
    there = (
        rf"did not end; there already: mlflow's database [^ ]*/{mlflow}\. .*drop the database"
        rf" {mlflow} and make it anew; then restore"
    )
    with pytest.raises(PerennialError, match=there) as failed:
        restore(target, tmp_path / "b.tar", lambda _: None)
    assert "pg_restore failed for ledger's database" in str(failed.value)
    assert server.sql(
        "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", url=target.ledger_url
    ) == [(0,)]
    assert [p for p in local_path(target.store).rglob("*") if p.is_file()] == []
    with pytest.raises(
        RequestError, match=rf"did not end\. mlflow's database .* drop the database {mlflow} "
    ):
        restore(target, tmp_path / "b.tar", lambda _: None)
    server.sql(f"DROP DATABASE {mlflow}", f"CREATE DATABASE {mlflow}")
    server.sql(f"DROP FUNCTION {name}", url=target.ledger_url)
    assert restore(target, tmp_path / "b.tar", lambda _: None) == 6


def test_what_fails_is_named_and_no_password_is_shown(filled, tmp_path, monkeypatch):
    ledger = databases(filled)[0]
    wrong = Database("ledger", ledger.url.set(password="geheim"))
    with pytest.raises(Unreachable) as failed:
        dump(wrong, tmp_path / "x")
    assert "geheim" not in str(failed.value)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        PerennialError, match=r"pg_dump is not there.* Remedy: put PostgreSQL's client"
    ):
        dump(ledger, tmp_path / "y")
