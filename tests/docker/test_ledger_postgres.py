"""The ledger on a real PostgreSQL: the same contract, and what only a server can do wrong."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, text

from pipelines.errors import Corrupted, GiveUp, Unreachable
from pipelines.ledger.database import REVISION
from pipelines.ledger.sql import SqlLedger
from tests.contracts.ledgers import an_older_ledger, older_program
from tests.contracts.processes import finish, start
from tests.contracts.test_ledger import Clock
from tests.contracts.test_ledger import TestATurn as TurnContract
from tests.contracts.test_ledger import TestLedger as LedgerContract
from tests.decisions import crown, raw
from tests.docker import postgres

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def server(engine):
    with postgres.running(engine) as found:
        yield found


@pytest.fixture
def url(server):
    return server.database()


@pytest.fixture
def ledger(url):
    return SqlLedger(url, now=Clock())


class TestPostgresLedger(LedgerContract):
    """Every promise of the port."""


class TestPostgresTurn(TurnContract):
    """A turn, of an advisory lock."""


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET body = '{}' WHERE seq = 1",
        "DELETE FROM entries WHERE seq = 2",
        "TRUNCATE entries",
        (
            "INSERT INTO entries SELECT 9, at, model, kind, 'new', '{}', previous, hash FROM"
            " entries WHERE seq = 2"
        ),
        (
            "INSERT INTO entries SELECT 3, at, model, kind, 'new', '{}', previous, hash FROM"
            " entries WHERE seq = 2"
        ),
        "UPDATE head SET seq = 1",
        "UPDATE head SET seq = seq + 2",
        "DELETE FROM head",
        "TRUNCATE head",
        "INSERT INTO head VALUES (2, 0, '')",
    ],
)
def test_the_database_itself_refuses_changes(server, ledger, url, statement):
    for n in range(2):
        ledger.append("m", f"k{n}", raw("verdict", {}))
    with pytest.raises(Exception, match="only grows"):
        server.sql(statement, url=url)
    assert ledger.verify() == 2


def test_what_was_touched_behind_its_triggers_is_named(server, ledger, url):
    for n in range(3):
        ledger.append("m", f"k{n}", raw("verdict", {"n": n}))
    server.sql(
        "ALTER TABLE entries DISABLE TRIGGER ALL",
        """UPDATE entries SET body = '{"n":9}' WHERE seq = 2""",
        url=url,
    )
    with pytest.raises(Corrupted, match="Entry 2 of"):
        ledger.verify()


def test_a_check_waits_for_no_writer(url, ledger):
    ledger.append_many("m", [(f"k{n}", raw("verdict", {"n": n})) for n in range(3)])
    with create_engine(url).connect() as writer:
        writer.execute(text("SELECT seq FROM head FOR UPDATE"))
        assert ledger.verify() == 3


def test_of_two_processes_one_crowns(url, ledger):
    """Each tries to depose the other a hundred times.

    Who expects the wrong champion loses, and nothing is lost or doubled.
    """
    ledger.crown("m", expected=None, champion=crown("a-0"), key="first")
    program = (
        "import sys; from pipelines.errors import Conflict; from pipelines.ledger.sql import"
        " SqlLedger; from tests.decisions import crown\n"
        "ledger, me, won = SqlLedger(sys.argv[1]), sys.argv[2], 0\n"
        "for n in range(100):\n"
        "    champion, now = crown(f'{me}-{n}'), ledger.champion('m').version\n"
        "    try: ledger.crown('m', expected=now, champion=champion, key=f'{me}{n}')\n"
        "    except Conflict: continue\n"
        "    won += 1\n"
        "print(won)"
    )
    won = [int(line) for line in finish(start(program, url, "b"), start(program, url, "c"))]
    crowned = ledger.entries("m", "champion")
    assert len(crowned) == 1 + sum(won)
    assert ledger.verify() == len(crowned)


def test_processes_race_for_the_migration_and_lose_nothing(url):
    program = (
        "import sys; from pipelines.ledger.sql import SqlLedger\n"
        "from tests.decisions import raw\n"
        "ledger = SqlLedger(sys.argv[1])\n"
        "for n in range(25):\n"
        "    ledger.append('m', f'{sys.argv[2]}-{n}', raw('verdict', {'n': n}))\n"
        "    ledger.append('m', f'shared-{n}', raw('verdict', {}))"
    )
    finish(*(start(program, url, n) for n in range(4)))
    ledger = SqlLedger(url)
    assert [e.seq for e in ledger.entries()] == list(range(1, 126))
    assert ledger.verify() == 125


def test_a_writer_killed_in_its_transaction_leaves_a_whole_ledger(url, ledger):
    program = (
        "import os, signal, sys; from pipelines.ledger.sql import SqlLedger\n"
        "from tests.decisions import raw\n"
        "def clock(): os.kill(os.getpid(), signal.SIGKILL)\n"
        "SqlLedger(sys.argv[1], now=clock).append('m', 'killed', raw('verdict', {}))"
    )
    killed = start(program, url)
    killed.communicate(timeout=60)
    assert killed.returncode == -9
    assert ledger.append("m", "after", raw("verdict", {})).seq == 1
    assert ledger.verify() == 1


def test_the_previous_schema_is_upgraded_with_its_entries(server, url):
    before = an_older_ledger(url, "0001", entries=5)
    ledger = SqlLedger(url)
    assert ledger.revision() == REVISION
    assert ledger.entries() == before
    assert ledger.append("m", "new", raw("verdict", {})).seq == 6
    assert ledger.verify() == 6
    assert server.sql("SELECT 1 FROM pg_indexes WHERE indexname = 'entries_by_kind'", url=url)


def test_an_older_program_leaves_a_newer_ledger_alone(url, ledger, tmp_path):
    ledger.append("m", "kept", raw("verdict", {}))
    assert older_program(tmp_path, "0001", url).startswith("GiveUp")
    assert ledger.verify() == 1
    with create_engine(url).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(GiveUp, match="9999"):
        SqlLedger(url)


def test_the_index_answers_who_is_champion(server, ledger, url):
    for n in range(300):
        ledger.append("m", f"k{n}", raw("drift", {"x": "x" * 200}))
    plan = server.sql(
        "ANALYZE entries",
        "EXPLAIN SELECT * FROM entries WHERE model = 'm' AND kind = 'champion' ORDER BY seq DESC"
        " LIMIT 1",
        url=url,
    )
    assert any("entries_by_kind" in line for (line,) in plan), plan


def test_a_server_that_is_away_is_unreachable_and_the_password_is_not_shown(url):
    with pytest.raises(Unreachable) as away:
        SqlLedger("postgresql+psycopg2://perennial:geheim@127.0.0.1:1/perennial")
    assert "geheim" not in str(away.value)
