"""The Ledger port: what both implementations promise, and what happens to a file that others can touch."""

import json
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from tests.contracts.processes import HOME, finish, small_disk, start

from pipelines.errors import Conflict, Corrupted, GiveUp, RequestError, StorageFull, Unreachable
from pipelines.ledger import GENESIS, Head, MemoryLedger, entry_hash, first_break
from pipelines.ledger.sql import REVISION, SqlLedger
from pipelines.refs import sha256

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    """A clock that moves on by 1.000001 s at each look."""

    def __init__(self):
        self.moment = EPOCH

    def __call__(self):
        self.moment += timedelta(seconds=1, microseconds=1)
        return self.moment


def champion(version, release=1):
    return {"version": version, "bundle": {"uri": "objects/ab/ab.json", "sha256": sha256(version.encode())}, "release": release}


def url(folder):
    return f"sqlite:///{folder}/ledger/ledger.db"


@pytest.fixture(params=["sql", "memory"])
def ledger(request, tmp_path):
    return SqlLedger(url(tmp_path), now=Clock()) if request.param == "sql" else MemoryLedger(now=Clock())


class TestLedger:
    def test_an_empty_ledger_is_whole(self, ledger):
        assert ledger.verify() == 0
        assert ledger.entries() == []
        assert ledger.find("m", "verdict", "k") is None
        assert ledger.champion("m") is None

    def test_entries_are_chained_from_the_first_on(self, ledger):
        first = ledger.append("m", "verdict", "a", {"x": 1})
        second = ledger.append("m", "release", "a", {"x": 2})
        assert (first.seq, first.previous, second.seq, second.previous) == (1, GENESIS, 2, first.hash)
        assert first.at == EPOCH + timedelta(seconds=1, microseconds=1)
        assert ledger.verify() == 2

    def test_the_same_key_changes_nothing(self, ledger):
        first = ledger.append("m", "verdict", "a", {"x": 1})
        assert ledger.append("m", "verdict", "a", {"x": 2}) == first
        assert ledger.find("m", "verdict", "a") == first
        assert ledger.verify() == 1

    def test_a_key_counts_per_model_and_kind(self, ledger):
        for model, kind in (("m", "verdict"), ("m", "release"), ("n", "verdict")):
            ledger.append(model, kind, "a", {})
        assert ledger.verify() == 3

    def test_a_body_comes_back_as_it_reads_from_json(self, ledger):
        body = {"text": "ü\u0000\u2028'; DROP TABLE entries; --", "none": None, "float": 0.1, "big": 2**70, "list": (1, [True]), "deep": {"z": 1, "a": 2}}
        made = ledger.append("m", "verdict", "a", body)
        assert made.body == json.loads(json.dumps(body))
        assert ledger.find("m", "verdict", "a") == made
        assert ledger.verify() == 1

    def test_what_a_caller_does_to_a_returned_body_changes_nothing(self, ledger):
        ledger.append("m", "verdict", "a", {"x": [1]}).body["x"].append(2)
        ledger.find("m", "verdict", "a").body["x"].append(2)
        ledger.entries()[0].body["x"].append(2)
        assert ledger.find("m", "verdict", "a").body == {"x": [1]}
        assert ledger.verify() == 1

    @pytest.mark.parametrize(
        "body", [{"x": float("nan")}, {"x": float("inf")}, {"x": datetime.now(UTC)}, {"x": b"bytes"}, {"x": {1, 2}}, {"x": "\ud800"}, [1]]
    )
    def test_a_body_that_is_not_plain_json_is_refused(self, ledger, body):
        with pytest.raises(RequestError, match="body"):
            ledger.append("m", "verdict", "a", body)
        assert ledger.verify() == 0

    @pytest.mark.parametrize(
        ("model", "kind", "key"),
        [("../m", "verdict", "a"), ("M", "verdict", "a"), ("m", "gossip", "a"), ("m", "verdict", ""), ("m", "verdict", "a\x00"), ("m", "verdict", "x" * 513)],
    )
    def test_names_of_a_wrong_form_are_refused(self, ledger, model, kind, key):
        with pytest.raises(RequestError, match="cannot be recorded"):
            ledger.append(model, kind, key, {})
        assert ledger.verify() == 0

    def test_entries_are_filtered_and_limited_to_the_newest(self, ledger):
        for n in range(6):
            ledger.append("m" if n % 2 else "n", "verdict" if n < 4 else "release", f"k{n}", {})
        assert [e.seq for e in ledger.entries()] == [1, 2, 3, 4, 5, 6]
        assert [e.seq for e in ledger.entries("m")] == [2, 4, 6]
        assert [e.seq for e in ledger.entries(kind="release")] == [5, 6]
        assert [e.seq for e in ledger.entries("m", "verdict", limit=1)] == [4]
        assert [e.seq for e in ledger.entries(limit=2)] == [5, 6]
        assert ledger.entries(limit=0) == []
        assert len(ledger.entries(limit=100)) == 6

    def test_crowning_is_compare_and_set(self, ledger):
        entry = ledger.crown("m", expected=None, champion=champion("1"), key="first")
        crowned = ledger.champion("m")
        assert (crowned.version, crowned.release, crowned.since) == ("1", 1, entry.at)
        ledger.crown("m", expected="1", champion=champion("2"), key="second")
        assert ledger.champion("m").version == "2"
        assert ledger.champion("n") is None

    def test_a_wrong_expectation_is_a_conflict_that_names_both(self, ledger):
        ledger.crown("m", expected=None, champion=champion("1"), key="first")
        with pytest.raises(Conflict, match="is 1, not 7"):
            ledger.crown("m", expected="7", champion=champion("8"), key="second")
        with pytest.raises(Conflict, match="is 1, not nobody"):
            ledger.crown("m", expected=None, champion=champion("8"), key="second")
        with pytest.raises(Conflict, match="is nobody, not 1"):
            ledger.crown("n", expected="1", champion=champion("8"), key="second")
        assert ledger.champion("m").version == "1"
        assert ledger.verify() == 1

    def test_the_same_crowning_again_is_no_conflict(self, ledger):
        first = ledger.crown("m", expected=None, champion=champion("1"), key="first")
        ledger.crown("m", expected="1", champion=champion("2"), key="second")
        assert ledger.crown("m", expected=None, champion=champion("1"), key="first") == first
        assert ledger.champion("m").version == "2"

    @pytest.mark.parametrize("missing", ["version", "bundle", "release"])
    def test_a_champion_without_version_bundle_or_release_is_refused(self, ledger, missing):
        body = {k: v for k, v in champion("1").items() if k != missing}
        with pytest.raises(RequestError, match=missing):
            ledger.crown("m", expected=None, champion=body, key="first")

    def test_many_threads_lose_nothing(self, ledger):
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda n: ledger.append("m", "verdict", f"k{n // 2}", {"n": n}), range(80)))
        assert len({e.seq for e in made}) == 40
        assert [e.seq for e in ledger.entries()] == list(range(1, 41))
        assert ledger.verify() == 40

    def test_of_many_threads_one_crowns(self, ledger):
        def attempt(n):
            try:
                return ledger.crown("m", expected=None, champion=champion(str(n)), key=f"k{n}")
            except Conflict:
                return None

        with ThreadPoolExecutor(8) as pool:
            won = [e for e in pool.map(attempt, range(16)) if e]
        assert len(won) == 1
        assert ledger.champion("m").version == won[0].body["version"]


class TestFirstBreak:
    def test_a_head_behind_the_entries_names_the_first_that_it_does_not_know(self):
        ledger = MemoryLedger(now=Clock())
        made = [ledger.append("m", "verdict", f"k{n}", {}) for n in range(3)]
        assert first_break(made, Head(seq=3, hash=made[-1].hash)) is None
        assert first_break(made, Head(seq=1, hash=made[0].hash)) == 2
        assert first_break(made[:1], Head(seq=3, hash=made[-1].hash)) == 2
        assert first_break([], Head(seq=3, hash=made[-1].hash)) == 1


def sql(folder, *statements, free=True):
    """Run statements on the ledger's file behind its back, with its triggers dropped."""
    with closing(sqlite3.connect(folder / "ledger" / "ledger.db")) as connection:
        if free:
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
        connection.commit()


@pytest.fixture
def filled(tmp_path):
    ledger = SqlLedger(url(tmp_path), now=Clock())
    for n in range(6):
        ledger.append("m", "verdict", f"k{n}", {"n": n})
    return ledger


class TestSqlLedger:
    @pytest.mark.parametrize(
        ("statement", "named"),
        [
            pytest.param("""UPDATE entries SET body = '{"n":99}' WHERE seq = 3""", 3, id="a changed body"),
            pytest.param("""UPDATE entries SET body = '{"n": 2}' WHERE seq = 3""", 3, id="a body that means the same"),
            pytest.param("UPDATE entries SET body = 'broken' WHERE seq = 3", 3, id="a body that is no JSON"),
            pytest.param("UPDATE entries SET at = '2026-01-01T00:00:00Z' WHERE seq = 3", 3, id="a changed time"),
            pytest.param("UPDATE entries SET model = 'other' WHERE seq = 1", 1, id="a changed model"),
            pytest.param("UPDATE entries SET kind = 'gossip' WHERE seq = 4", 4, id="an unknown kind"),
            pytest.param(f"UPDATE entries SET hash = '{'a' * 64}' WHERE seq = 5", 5, id="a changed hash"),
            pytest.param(f"UPDATE entries SET hash = '{'a' * 64}' WHERE seq = 6", 6, id="the last one's changed hash"),
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
        sql(tmp_path, *(f"UPDATE entries SET seq = {new} WHERE seq = {old}" for old, new in ((2, 100), (3, 2), (100, 3))))
        with pytest.raises(Corrupted, match="Entry 2 of"):
            filled.verify()

    @pytest.mark.parametrize("seq", [3, 6])
    def test_an_entry_written_anew_with_a_hash_to_match_is_named(self, filled, tmp_path, seq):
        entry = filled.entries()[seq - 1]
        own = entry_hash(seq=seq, at=entry.at, model="m", kind="verdict", key=entry.key, body={"n": 99}, previous=entry.previous)
        sql(tmp_path, f"""UPDATE entries SET body = '{{"n":99}}', hash = '{own}' WHERE seq = {seq}""")
        with pytest.raises(Corrupted, match=f"Entry {seq} of"):
            filled.verify()

    def test_a_cut_end_stays_visible_after_new_entries(self, filled, tmp_path):
        sql(tmp_path, "DELETE FROM entries WHERE seq = 6")
        filled.append("m", "verdict", "later", {})
        with pytest.raises(Corrupted, match="Entry 6 of"):
            filled.verify()

    def test_a_missing_head_is_named(self, filled, tmp_path):
        sql(tmp_path, "DELETE FROM head")
        for call in (filled.verify, lambda: filled.append("m", "verdict", "x", {})):
            with pytest.raises(Corrupted, match="head"):
                call()

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE entries SET body = '{}' WHERE seq = 3",
            "DELETE FROM entries WHERE seq = 6",
            "INSERT OR REPLACE INTO entries SELECT seq, at, model, kind, key, '{}', previous, hash FROM entries WHERE seq = 6",
            "INSERT INTO entries SELECT 9, at, model, kind, 'new', '{}', previous, hash FROM entries WHERE seq = 6",
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
        assert again.append("m", "verdict", "real clock", {}).seq == 7
        assert again.verify() == 7

    def test_the_file_is_its_owners_alone_and_journals_ahead(self, filled, tmp_path):
        file = tmp_path / "ledger" / "ledger.db"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)

    def test_an_up_to_date_ledger_opens_without_alembic(self, filled, tmp_path):
        program = "import sys; from pipelines.ledger.sql import SqlLedger; SqlLedger(sys.argv[1]).verify(); print('alembic' in sys.modules)"
        assert finish(start(program, url(tmp_path))) == ["False\n"]

    def test_the_revision_in_the_code_is_the_newest_migration(self):
        names = sorted(p.name for p in (HOME / "pipelines/ledger/alembic/versions").glob("*.py"))
        assert names[-1].startswith(f"{REVISION}_")

    def test_a_ledger_of_a_newer_version_is_left_alone(self, filled, tmp_path):
        sql(tmp_path, "UPDATE alembic_version SET version_num = '9999'", free=False)
        with pytest.raises(GiveUp, match="9999"):
            SqlLedger(url(tmp_path))

    def test_a_migration_that_was_killed_is_made_up_for(self, tmp_path):
        (tmp_path / "ledger").mkdir()
        (tmp_path / "ledger" / "ledger.db").touch(mode=0o600)
        assert SqlLedger(url(tmp_path)).verify() == 0

    def test_a_file_of_something_else_is_named(self, tmp_path):
        (tmp_path / "ledger").mkdir()
        (tmp_path / "ledger" / "ledger.db").write_bytes(b"no database" * 1000)
        with pytest.raises(Corrupted, match=r"ledger\.db"):
            SqlLedger(url(tmp_path))

    @pytest.mark.parametrize("wrong", ["sqlite://", "sqlite:///:memory:", "no url", "nosuchdatabase://host/name"])
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
            ledger.append("m", "verdict", "kept", {})
            with pytest.raises(StorageFull, match="ledger"):
                ledger.append("m", "verdict", "large", {"x": "x" * 1_000_000})
            assert ledger.verify() == 1
            assert ledger.append("m", "verdict", "small", {}).seq == 2

    def test_many_processes_lose_nothing_and_leave_no_gap(self, tmp_path):
        """All four also find no ledger at first, so that they race for its migration."""
        program = (
            "import sys; from pipelines.ledger.sql import SqlLedger\n"
            "ledger = SqlLedger(sys.argv[1])\n"
            "for n in range(25): ledger.append('m', 'verdict', f'{sys.argv[2]}-{n}', {'n': n}); ledger.append('m', 'verdict', f'shared-{n}', {})"
        )
        finish(*(start(program, url(tmp_path), n) for n in range(4)))
        ledger = SqlLedger(url(tmp_path))
        assert [e.seq for e in ledger.entries()] == list(range(1, 126))
        assert ledger.verify() == 125

    def test_a_writer_killed_in_its_transaction_leaves_a_whole_ledger(self, filled, tmp_path):
        program = (
            "import os, signal, sys; from pipelines.ledger.sql import SqlLedger\n"
            "def clock(): os.kill(os.getpid(), signal.SIGKILL)\n"
            "SqlLedger(sys.argv[1], now=clock).append('m', 'verdict', 'killed', {})"
        )
        killed = subprocess.run([sys.executable, "-c", program, url(tmp_path)], env={"PYTHONPATH": str(HOME)}, check=False)
        assert killed.returncode == -9
        assert filled.verify() == 6
        assert filled.append("m", "verdict", "after", {}).seq == 7
