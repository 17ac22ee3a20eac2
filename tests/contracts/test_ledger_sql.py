"""The ledger in SQL: what was touched is found, and an older or newer schema is known."""

import sqlite3
import stat
from contextlib import closing

import pytest

from pipelines.errors import Corrupted, GiveUp
from pipelines.ledger import entry_hash
from pipelines.ledger.database import REVISION
from pipelines.ledger.sql import SqlLedger
from tests.contracts.ledgers import an_older_ledger, older_program
from tests.contracts.processes import HOME, finish, start
from tests.contracts.sql_files import sql, url
from tests.decisions import crown, raw


class TestTouched:
    """Whoever changes entries behind the back of the ledger is found out."""

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
    def test_what_was_touched_is_named(self, filled_ledger, tmp_path, statement, named):
        sql(tmp_path, statement)
        with pytest.raises(Corrupted, match=f"Entry {named} of"):
            filled_ledger.verify()

    def test_swapped_entries_are_named(self, filled_ledger, tmp_path):
        sql(
            tmp_path,
            *(
                f"UPDATE entries SET seq = {new} WHERE seq = {old}"
                for old, new in ((2, 100), (3, 2), (100, 3))
            ),
        )
        with pytest.raises(Corrupted, match="Entry 2 of"):
            filled_ledger.verify()

    @pytest.mark.parametrize("seq", [3, 6])
    def test_an_entry_written_anew_with_a_hash_to_match_is_named(
        self, filled_ledger, tmp_path, seq
    ):
        entry = filled_ledger.entries()[seq - 1]
        own = entry_hash(entry.model_copy(update={"body": {"n": 99}}))
        sql(
            tmp_path,
            f"""UPDATE entries SET body = '{{"n":99}}', hash = '{own}' WHERE seq = {seq}""",
        )
        with pytest.raises(Corrupted, match=f"Entry {seq} of"):
            filled_ledger.verify()

    def test_a_cut_end_stays_visible_after_new_entries(self, filled_ledger, tmp_path):
        sql(tmp_path, "DELETE FROM entries WHERE seq = 6")
        filled_ledger.append("m", "later", raw("verdict", {}))
        with pytest.raises(Corrupted, match="Entry 6 of"):
            filled_ledger.verify()

    def test_a_champion_that_is_none_is_named(self, filled_ledger, tmp_path):
        filled_ledger.crown(
            "m",
            expected=None,
            champion=crown("1"),
            key="first",
        )
        sql(tmp_path, "UPDATE entries SET body = '{}' WHERE seq = 7")
        with pytest.raises(Corrupted, match="Entry 7 of"):
            filled_ledger.champion("m")

    @pytest.mark.parametrize(
        "statement",
        ["UPDATE head SET seq = 'x'", "UPDATE head SET hash = 'x'", "UPDATE head SET hash = x'ff'"],
    )
    def test_a_head_that_is_none_is_named(self, filled_ledger, tmp_path, statement):
        sql(tmp_path, statement)
        with pytest.raises(Corrupted, match=r"head|damaged"):
            filled_ledger.verify()

    def test_a_missing_head_is_named(self, filled_ledger, tmp_path):
        sql(tmp_path, "DELETE FROM head")
        for call in (
            filled_ledger.verify,
            lambda: filled_ledger.append("m", "x", raw("verdict", {})),
        ):
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
    def test_the_database_itself_refuses_changes(self, filled_ledger, tmp_path, statement):
        with pytest.raises(sqlite3.IntegrityError, match="only grows"):
            sql(tmp_path, statement, free=False)
        assert filled_ledger.verify() == 6


class TestSchema:
    """Which schema a file has, and who may open it."""

    def test_the_ledger_stays_when_it_is_opened_again(self, filled_ledger, tmp_path):
        again = SqlLedger(url(tmp_path))
        assert again.entries() == filled_ledger.entries()
        assert again.append("m", "real clock", raw("verdict", {})).seq == 7
        assert again.verify() == 7

    @pytest.mark.usefixtures("filled_ledger")
    def test_the_file_is_its_owners_alone_and_journals_ahead(self, tmp_path):
        file = tmp_path / "ledger" / "ledger.db"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)

    @pytest.mark.usefixtures("filled_ledger")
    def test_an_up_to_date_ledger_opens_without_alembic(self, tmp_path):
        program = (
            "import sys; from pipelines.ledger.sql import SqlLedger;"
            " SqlLedger(sys.argv[1]).verify(); print('alembic' in sys.modules)"
        )
        assert finish(start(program, url(tmp_path))) == ["False\n"]

    def test_the_revision_in_the_code_is_the_newest_migration(self):
        names = sorted(p.name for p in (HOME / "pipelines/ledger/alembic/versions").glob("*.py"))
        assert names[-1].startswith(f"{REVISION}_")

    @pytest.mark.usefixtures("filled_ledger")
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

    def test_an_older_program_leaves_a_newer_ledger_alone(self, filled_ledger, tmp_path):
        said = older_program(tmp_path / "older", "0001", url(tmp_path))
        assert said.startswith("GiveUp: ")
        assert f"'{REVISION}'" in said
        assert "a newer Perennial wrote it" in said
        assert filled_ledger.verify() == 6

    def test_to_ask_for_the_revision_changes_nothing(self, tmp_path):
        assert SqlLedger(url(tmp_path), migrate=False).revision() is None
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.usefixtures("filled_ledger")
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
