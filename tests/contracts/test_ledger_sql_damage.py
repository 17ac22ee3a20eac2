"""The ledger's file: damaged, emptied, on a full disk, among processes."""

import random
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from pipelines.errors import Busy, Corrupted, RequestError, StorageFull, Unreachable
from pipelines.ledger.sql import SqlLedger
from tests.contracts.processes import HOME, finish, small_disk, start
from tests.contracts.sql_files import sql, url
from tests.decisions import raw


class TestDamage:
    """A file that is damaged, gone or another program's is no new ledger."""

    def test_a_first_migration_that_was_killed_leaves_no_ledger(self, tmp_path):
        program = (
            "import os, signal, sys; from pipelines.ledger.database import LedgerDatabase\n"
            "LedgerDatabase._migrate = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
            "from pipelines.ledger.sql import SqlLedger; SqlLedger(sys.argv[1])"
        )
        killed = subprocess.run(
            [sys.executable, "-c", program, url(tmp_path)],
            env={"PYTHONPATH": str(HOME)},
            check=False,
        )
        assert killed.returncode == -9
        assert not (tmp_path / "ledger" / "ledger.db").exists()
        assert SqlLedger(url(tmp_path)).verify() == 0

    @pytest.mark.usefixtures("filled_ledger")
    def test_an_emptied_file_is_no_new_ledger(self, tmp_path):
        (tmp_path / "ledger" / "ledger.db").write_bytes(b"")
        for call in (
            lambda: SqlLedger(url(tmp_path)),
            SqlLedger(url(tmp_path), migrate=False).revision,
        ):
            with pytest.raises(Corrupted, match="is empty"):
                call()
        assert (tmp_path / "ledger" / "ledger.db").stat().st_size == 0

    def test_a_journal_without_its_file_is_no_new_ledger(self, tmp_path):
        (tmp_path / "ledger").mkdir()
        (tmp_path / "ledger" / "ledger.db-wal").write_bytes(b"x")
        with pytest.raises(Corrupted, match="is gone"):
            SqlLedger(url(tmp_path))

    @pytest.mark.usefixtures("filled_ledger")
    @pytest.mark.parametrize("table", ["entries", "head", "alembic_version", "all"])
    def test_missing_tables_are_damage_and_not_a_database_that_is_away(self, tmp_path, table):
        opened = SqlLedger(url(tmp_path))
        sql(
            tmp_path,
            *(
                f"DROP TABLE {name}"
                for name in (("entries", "head", "alembic_version") if table == "all" else (table,))
            ),
        )
        for call in (
            lambda: SqlLedger(url(tmp_path)),
            SqlLedger(url(tmp_path), migrate=False).revision,
        ):
            with pytest.raises(Corrupted):
                call()
        if table != "alembic_version":
            with pytest.raises(Corrupted):
                opened.verify()

    def test_another_programs_database_is_no_ledger(self, tmp_path):
        (tmp_path / "ledger").mkdir()
        with closing(sqlite3.connect(tmp_path / "ledger" / "ledger.db")) as connection:
            connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
            connection.execute("INSERT INTO alembic_version VALUES ('0002')")
            connection.commit()
        with pytest.raises(Corrupted, match="no table entries, head"):
            SqlLedger(url(tmp_path))

    def test_whatever_byte_is_damaged_it_is_corruption_or_the_ledger_is_whole(
        self, filled_ledger, tmp_path
    ):
        """Never «does not answer», which would be tried again for ever, and never another error."""
        file, before = tmp_path / "ledger" / "ledger.db", filled_ledger.entries()
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        whole = file.read_bytes()
        chances = random.Random(7)
        places = [*range(100), *(chances.randrange(len(whole)) for _ in range(150))]
        damaged = [whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :] for at in places]
        damaged += [
            whole[:size]
            for size in (
                1,
                15,
                16,
                99,
                100,
                4_095,
                4_096,
                5_000,
                len(whole) // 2,
                len(whole) - 4_096,
            )
        ]
        corrupted = 0
        for data in damaged:
            for journal in ("-wal", "-shm"):
                file.with_name(file.name + journal).unlink(missing_ok=True)
            file.write_bytes(data)
            try:
                ledger = SqlLedger(url(tmp_path))
                ledger.verify()
                assert ledger.entries() == before
            except Corrupted:
                corrupted += 1
        assert corrupted > 50

    def test_a_database_in_use_is_no_damage(self, filled_ledger, tmp_path, monkeypatch):
        monkeypatch.setattr("pipelines.ledger.database.WAIT_SECONDS", 0.1)
        ledger = SqlLedger(url(tmp_path))
        with closing(sqlite3.connect(tmp_path / "ledger" / "ledger.db")) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Busy):
                ledger.append("m", "later", raw("verdict", {}))
        assert filled_ledger.verify() == 6

    def test_a_file_of_something_else_is_named(self, tmp_path):
        (tmp_path / "ledger").mkdir()
        (tmp_path / "ledger" / "ledger.db").write_bytes(b"no database" * 1000)
        with pytest.raises(Corrupted, match=r"ledger\.db"):
            SqlLedger(url(tmp_path))

    @pytest.mark.parametrize(
        "wrong", ["sqlite://", "sqlite:///:memory:", "no url", "nosuchdatabase://host/name"]
    )
    def test_an_impossible_url_is_refused(self, wrong):
        with pytest.raises(RequestError):
            SqlLedger(wrong)

    def test_a_folder_that_cannot_be_made_is_named(self, tmp_path):
        (tmp_path / "ledger").write_text("a file in the way")
        with pytest.raises(Unreachable, match="ledger"):
            SqlLedger(url(tmp_path))


class TestWriters:
    """Writers on a full disk, writers beside each other, and one that is killed."""

    def test_a_full_disk_is_named_and_nothing_is_half_recorded(self, tmp_path):
        with small_disk(tmp_path / "ledger", "512k"):
            ledger = SqlLedger(url(tmp_path))
            ledger.append("m", "kept", raw("verdict", {}))
            with pytest.raises(StorageFull, match="ledger"):
                ledger.append("m", "large", raw("verdict", {"x": "x" * 1_000_000}))
            assert ledger.verify() == 1
            assert ledger.append("m", "small", raw("verdict", {})).seq == 2

    def test_many_processes_lose_nothing_and_leave_no_gap(self, tmp_path):
        """All four also find no ledger at first, so that they race for its migration."""
        program = (
            "import sys; from pipelines.ledger.sql import SqlLedger\n"
            "from tests.decisions import raw\n"
            "ledger = SqlLedger(sys.argv[1])\n"
            "for n in range(25):\n"
            "    ledger.append('m', f'{sys.argv[2]}-{n}', raw('verdict', {'n': n}))\n"
            "    ledger.append('m', f'shared-{n}', raw('verdict', {}))"
        )
        finish(*(start(program, url(tmp_path), n) for n in range(4)))
        ledger = SqlLedger(url(tmp_path))
        assert [e.seq for e in ledger.entries()] == list(range(1, 126))
        assert ledger.verify() == 125

    def test_a_writer_killed_in_its_transaction_leaves_a_whole_ledger(
        self, filled_ledger, tmp_path
    ):
        program = (
            "import os, signal, sys; from pipelines.ledger.sql import SqlLedger\n"
            "from tests.decisions import raw\n"
            "def clock(): os.kill(os.getpid(), signal.SIGKILL)\n"
            "SqlLedger(sys.argv[1], now=clock).append('m', 'killed', raw('verdict', {}))"
        )
        killed = subprocess.run(
            [sys.executable, "-c", program, url(tmp_path)],
            env={"PYTHONPATH": str(HOME)},
            check=False,
        )
        assert killed.returncode == -9
        assert filled_ledger.verify() == 6
        assert filled_ledger.append("m", "after", raw("verdict", {})).seq == 7
