"""The ledger in SQL: what happens to a file that others can touch, and among processes."""

import random
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime

import pytest

from pipelines.errors import Busy, Corrupted, GiveUp, RequestError, StorageFull, Unreachable
from pipelines.ledger import entry_hash
from pipelines.ledger.database import REVISION
from pipelines.ledger.sql import SqlLedger
from tests.contracts.ledgers import an_older_ledger, older_program
from tests.contracts.processes import HOME, finish, small_disk, start
from tests.decisions import crown, raw


def clock():
    return datetime(2026, 1, 1, 12, 30, 1, 5, tzinfo=UTC)


def url(folder):
    return f"sqlite:///{folder}/ledger/ledger.db"


def sql(folder, *statements, free=True):
    """Run statements on the ledger's file behind its back, with its triggers dropped."""
    with closing(sqlite3.connect(folder / "ledger" / "ledger.db")) as connection:
        if free:
            for (name,) in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            ).fetchall():
                connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
        connection.commit()


@pytest.fixture
def filled(tmp_path):
    ledger = SqlLedger(url(tmp_path), now=clock)
    for n in range(6):
        ledger.append("m", f"k{n}", raw("verdict", {"n": n}))
    return ledger


class TestSqlLedger:
    @pytest.mark.parametrize(
        ("statement", "named"),
        [
            pytest.param(
                """UPDATE entries SET body = '{"n":99}' WHERE seq = 3""", 3, id="a changed body"
            ),
            pytest.param(
                """UPDATE entries SET body = '{"n": 2}' WHERE seq = 3""",
                3,
                id="a body that means the same",
            ),
            pytest.param(
                "UPDATE entries SET body = 'broken' WHERE seq = 3", 3, id="a body that is no JSON"
            ),
            pytest.param(
                "UPDATE entries SET at = '2026-01-01T00:00:00Z' WHERE seq = 3",
                3,
                id="a changed time",
            ),
            pytest.param(
                "UPDATE entries SET model = 'other' WHERE seq = 1", 1, id="a changed model"
            ),
            pytest.param(
                "UPDATE entries SET kind = 'gossip' WHERE seq = 4", 4, id="an unknown kind"
            ),
            pytest.param(
                f"UPDATE entries SET hash = '{'a' * 64}' WHERE seq = 5", 5, id="a changed hash"
            ),
            pytest.param(
                f"UPDATE entries SET hash = '{'a' * 64}' WHERE seq = 6",
                6,
                id="the last one's changed hash",
            ),
            pytest.param("DELETE FROM entries WHERE seq = 1", 1, id="the first one deleted"),
            pytest.param("DELETE FROM entries WHERE seq = 3", 3, id="one in the middle deleted"),
            pytest.param("DELETE FROM entries WHERE seq > 4", 5, id="the newest ones deleted"),
            pytest.param("DELETE FROM entries", 1, id="all deleted"),
            pytest.param("UPDATE entries SET seq = -3 WHERE seq = 3", 1, id="a number below 1"),
        ],
    )
    def test_what_was_touched_is_named(self, filled, tmp_path, statement, named):
        sql(tmp_path, statement)
        with pytest.raises(Corrupted, match=f"Entry {named} of"):
            filled.verify()

    def test_swapped_entries_are_named(self, filled, tmp_path):
        sql(
            tmp_path,
            *(
                f"UPDATE entries SET seq = {new} WHERE seq = {old}"
                for old, new in ((2, 100), (3, 2), (100, 3))
            ),
        )
        with pytest.raises(Corrupted, match="Entry 2 of"):
            filled.verify()

    @pytest.mark.parametrize("seq", [3, 6])
    def test_an_entry_written_anew_with_a_hash_to_match_is_named(self, filled, tmp_path, seq):
        entry = filled.entries()[seq - 1]
        own = entry_hash(entry.model_copy(update={"body": {"n": 99}}))
        sql(
            tmp_path,
            f"""UPDATE entries SET body = '{{"n":99}}', hash = '{own}' WHERE seq = {seq}""",
        )
        with pytest.raises(Corrupted, match=f"Entry {seq} of"):
            filled.verify()

    def test_a_cut_end_stays_visible_after_new_entries(self, filled, tmp_path):
        sql(tmp_path, "DELETE FROM entries WHERE seq = 6")
        filled.append("m", "later", raw("verdict", {}))
        with pytest.raises(Corrupted, match="Entry 6 of"):
            filled.verify()

    def test_a_champion_that_is_none_is_named(self, filled, tmp_path):
        filled.crown(
            "m",
            expected=None,
            champion=crown("1"),
            key="first",
        )
        sql(tmp_path, "UPDATE entries SET body = '{}' WHERE seq = 7")
        with pytest.raises(Corrupted, match="Entry 7 of"):
            filled.champion("m")

    @pytest.mark.parametrize(
        "statement",
        ["UPDATE head SET seq = 'x'", "UPDATE head SET hash = 'x'", "UPDATE head SET hash = x'ff'"],
    )
    def test_a_head_that_is_none_is_named(self, filled, tmp_path, statement):
        sql(tmp_path, statement)
        with pytest.raises(Corrupted, match=r"head|damaged"):
            filled.verify()

    def test_a_missing_head_is_named(self, filled, tmp_path):
        sql(tmp_path, "DELETE FROM head")
        for call in (filled.verify, lambda: filled.append("m", "x", raw("verdict", {}))):
            with pytest.raises(Corrupted, match="head"):
                call()

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE entries SET body = '{}' WHERE seq = 3",
            "DELETE FROM entries WHERE seq = 6",
            (
                "INSERT OR REPLACE INTO entries SELECT seq, at, model, kind, key, '{}', previous,"
                " hash FROM entries WHERE seq = 6"
            ),
            (
                "INSERT INTO entries SELECT 9, at, model, kind, 'new', '{}', previous, hash FROM"
                " entries WHERE seq = 6"
            ),
            "UPDATE head SET seq = 3",
            "DELETE FROM head",
            "INSERT OR REPLACE INTO head VALUES (1, 0, '')",
        ],
    )
    def test_the_database_itself_refuses_changes(self, filled, tmp_path, statement):
        with pytest.raises(sqlite3.IntegrityError, match="only grows"):
            sql(tmp_path, statement, free=False)
        assert filled.verify() == 6

    def test_the_ledger_stays_when_it_is_opened_again(self, filled, tmp_path):
        again = SqlLedger(url(tmp_path))
        assert again.entries() == filled.entries()
        assert again.append("m", "real clock", raw("verdict", {})).seq == 7
        assert again.verify() == 7

    @pytest.mark.usefixtures("filled")
    def test_the_file_is_its_owners_alone_and_journals_ahead(self, tmp_path):
        file = tmp_path / "ledger" / "ledger.db"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)

    @pytest.mark.usefixtures("filled")
    def test_an_up_to_date_ledger_opens_without_alembic(self, tmp_path):
        program = (
            "import sys; from pipelines.ledger.sql import SqlLedger;"
            " SqlLedger(sys.argv[1]).verify(); print('alembic' in sys.modules)"
        )
        assert finish(start(program, url(tmp_path))) == ["False\n"]

    def test_the_revision_in_the_code_is_the_newest_migration(self):
        names = sorted(p.name for p in (HOME / "pipelines/ledger/alembic/versions").glob("*.py"))
        assert names[-1].startswith(f"{REVISION}_")

    @pytest.mark.usefixtures("filled")
    def test_a_ledger_of_a_newer_version_is_left_alone(self, tmp_path):
        sql(tmp_path, "UPDATE alembic_version SET version_num = '9999'", free=False)
        with pytest.raises(GiveUp, match="9999"):
            SqlLedger(url(tmp_path))

    def test_the_previous_schema_is_upgraded_with_its_entries(self, tmp_path):
        (tmp_path / "ledger").mkdir()
        before = an_older_ledger(url(tmp_path), "0001", entries=5)
        assert SqlLedger(url(tmp_path), migrate=False).revision() == "0001"
        ledger = SqlLedger(url(tmp_path))
        assert (ledger.revision(), ledger.entries()) == (REVISION, before)
        assert ledger.append("m", "new", raw("verdict", {})).seq == 6
        assert ledger.verify() == 6

    def test_an_older_program_leaves_a_newer_ledger_alone(self, filled, tmp_path):
        said = older_program(tmp_path / "older", "0001", url(tmp_path))
        assert said.startswith("GiveUp: ")
        assert f"'{REVISION}'" in said
        assert "a newer Perennial wrote it" in said
        assert filled.verify() == 6

    def test_to_ask_for_the_revision_changes_nothing(self, tmp_path):
        assert SqlLedger(url(tmp_path), migrate=False).revision() is None
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.usefixtures("filled")
    def test_the_index_answers_who_is_champion(self, tmp_path):
        with closing(sqlite3.connect(tmp_path / "ledger" / "ledger.db")) as connection:
            question = (
                "SELECT * FROM entries WHERE model = 'm' AND kind = 'champion' ORDER BY seq DESC"
                " LIMIT 1"
            )
            plan = connection.execute(f"EXPLAIN QUERY PLAN {question}").fetchall()
        assert [row[3] for row in plan] == [
            "SEARCH entries USING INDEX entries_by_kind (model=? AND kind=?)"
        ]

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

    @pytest.mark.usefixtures("filled")
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

    @pytest.mark.usefixtures("filled")
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
        self, filled, tmp_path
    ):
        """Never «does not answer», which would be tried again for ever, and never another error."""
        file, before = tmp_path / "ledger" / "ledger.db", filled.entries()
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

    def test_a_database_in_use_is_no_damage(self, filled, tmp_path, monkeypatch):
        monkeypatch.setattr("pipelines.ledger.database.WAIT_SECONDS", 0.1)
        ledger = SqlLedger(url(tmp_path))
        with closing(sqlite3.connect(tmp_path / "ledger" / "ledger.db")) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Busy):
                ledger.append("m", "later", raw("verdict", {}))
        assert filled.verify() == 6

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

    def test_a_writer_killed_in_its_transaction_leaves_a_whole_ledger(self, filled, tmp_path):
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
        assert filled.verify() == 6
        assert filled.append("m", "after", raw("verdict", {})).seq == 7
