"""A PostgreSQL that lets nobody in any more, and one whose writer went silent in the middle."""

from __future__ import annotations

import contextlib

import psycopg2
import pytest
from sqlalchemy import make_url, text

from pipelines.errors import Busy
from pipelines.ledger.database import SILENT_SECONDS
from pipelines.ledger.database_errors import WAIT_SECONDS
from pipelines.ledger.sql import SqlLedger
from tests.decisions import raw

pytestmark = pytest.mark.slow


@pytest.fixture
def url(databases, tmp_path):
    return databases.shop("postgresql", tmp_path).url


def connections_in_use(url, stack):
    """Take all connections that the server has."""
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with contextlib.suppress(psycopg2.OperationalError):
        while True:
            stack.callback(psycopg2.connect(address).close)


def test_without_a_connection_left_it_says_so_and_goes_on_when_there_is_one(url):
    ledger = SqlLedger(url)
    ledger.append("m", "before", raw("verdict", {"n": 1}))
    with contextlib.ExitStack() as taken:
        connections_in_use(url, taken)
        for ask in (
            lambda: ledger.append("m", "meanwhile", raw("verdict", {"n": 2})),
            lambda: ledger.champion("m"),
            lambda: SqlLedger(url),
        ):
            with pytest.raises(Busy, match="All connections of the ledger") as caught:
                ask()
            assert "max_connections" in caught.value.remedy
            assert make_url(url).password not in str(caught.value)
    ledger.append("m", "meanwhile", raw("verdict", {"n": 2}))
    assert [entry.key for entry in ledger.entries("m")] == ["before", "meanwhile"]
    assert ledger.verify() == 2


def test_a_writer_that_goes_silent_holds_off_nobody_for_longer_than_others_wait(url):
    ledger = SqlLedger(url)
    ledger.append("m", "before", raw("verdict", {"n": 1}))
    with ledger._database.writer.connect() as silent:
        ledger._read_head(silent, lock=True)
        left = silent.execute(text("SHOW idle_in_transaction_session_timeout")).scalar_one()
        assert left == f"{SILENT_SECONDS}s"
        silent.rollback()
    assert SILENT_SECONDS < WAIT_SECONDS
    with ledger._database.reader.connect() as reader:
        query = text("SHOW idle_in_transaction_session_timeout")
        assert reader.execute(query).scalar_one() == "0"
