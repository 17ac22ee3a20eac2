"""A ledger that remembers what was checked: as fast as it is trusted, and never more trusting."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest

from pipelines.errors import Corrupted
from pipelines.ledger import entry_hash
from pipelines.ledger.checked import CheckedLedger
from pipelines.ledger.checked_index import CheckedIndex
from pipelines.ledger.sql import SqlLedger
from tests.decisions import crown, raw


class Counting(SqlLedger):
    """Counts the entries that are checked."""

    checked = 0

    def verify(self, after=None, note=None):
        def count(row):
            self.checked += 1
            if note is not None:
                note(row)

        return super().verify(after, count)


class World:
    def __init__(self, folder) -> None:
        self.file = folder / "ledger.db"
        self.remembered = folder / "checked" / "one.db"
        self.ledger = Counting(f"sqlite:///{self.file}")
        for number in range(6):
            self.ledger.append("ab"[number % 2] * 3, f"k{number}", raw("drift", {"n": number}))
        self.ledger.append("aaa", "first", crown("1"))

    def ask(self) -> CheckedLedger:
        """Return the ledger as a new command has it, after its check."""
        asked = CheckedLedger(self.ledger, self.remembered)
        asked.check()
        return asked

    def change(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.file)) as database:
            names = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            for (name,) in database.execute(names).fetchall():
                database.execute(f"DROP TRIGGER {name}")
            for statement in statements:
                database.execute(statement)
            database.commit()


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_answers_are_those_of_the_ledger(world):
    asked, plain = world.ask(), world.ledger
    assert asked.check() == 7
    for model in ("aaa", "bbb", "nobody", None):
        for kind in ("drift", "champion", "verdict", None):
            for limit in (None, 0, 1, 2, 99):
                assert asked.entries(model, kind, limit) == plain.entries(model, kind, limit)
    moment = plain.at(3).at
    for models in ([], ["aaa"], ["aaa", "bbb", "nobody"]):
        for kinds in (["drift"], ["drift", "champion"]):
            assert asked.newest(models, kinds) == plain.newest(models, kinds)
            assert asked.since(models, kinds, moment) == plain.since(models, kinds, moment)
    assert asked.champion("aaa") == plain.champion("aaa")
    assert asked.champion("bbb") is None
    assert asked.find("aaa", "drift", "k2") == plain.find("aaa", "drift", "k2")
    assert asked.find("aaa", "drift", "k1") is None
    assert [asked.at(n) for n in (1, 7, 8)] == [plain.at(n) for n in (1, 7, 8)]
    assert list(asked.walk("bbb")) == list(plain.walk("bbb"))


def test_only_what_is_new_is_checked_again(world):
    world.ask()
    assert world.ledger.checked == 7
    world.ask()
    assert world.ledger.checked == 7
    world.ledger.append("aaa", "more", raw("drift", {"n": 7}))
    assert world.ask().entries("aaa", limit=1)[0].key == "more"
    assert world.ledger.checked == 8


def test_what_another_one_writes_in_between_is_checked_and_seen(world):
    asked = world.ask()
    world.ledger.append("aaa", "more", raw("drift", {"n": 7}))
    assert asked.entries("aaa", limit=1)[0].key == "more"
    assert world.ledger.checked == 8
    assert world.remembered.stat().st_mode & 0o777 == 0o600


BEFORE = datetime(2000, 1, 1, tzinfo=UTC)
TOUCHED = [
    pytest.param("UPDATE entries SET body = '{\"n\":9}' WHERE seq = 3", 3, id="body"),
    pytest.param("UPDATE entries SET body = '{\"n\": 2}' WHERE seq = 3", 3, id="the same in JSON"),
    pytest.param("UPDATE entries SET at = '2020-01-01T00:00:00Z' WHERE seq = 3", 3, id="time"),
    pytest.param("UPDATE entries SET kind = 'champion' WHERE seq = 3", 3, id="kind"),
    pytest.param("UPDATE entries SET model = 'bbb' WHERE seq = 3", 3, id="model"),
    pytest.param("UPDATE entries SET key = 'other' WHERE seq = 3", 3, id="key"),
    pytest.param("UPDATE entries SET hash = previous WHERE seq = 3", 3, id="hash"),
    pytest.param("DELETE FROM entries WHERE seq = 3", 3, id="gone"),
    pytest.param("DELETE FROM entries WHERE seq = 7", 7, id="the newest gone"),
]
QUESTIONS = [
    pytest.param(lambda ledger: ledger.entries("aaa", "drift"), id="entries"),
    pytest.param(lambda ledger: ledger.entries("aaa"), id="history"),
    pytest.param(lambda ledger: ledger.find("aaa", "drift", "k2"), id="find"),
    pytest.param(lambda ledger: ledger.at(3), id="at"),
    pytest.param(lambda ledger: ledger.since(["aaa"], ["drift"], BEFORE), id="since"),
    pytest.param(lambda ledger: list(ledger.walk("aaa")), id="walk"),
]


@pytest.mark.parametrize(("statement", "seq"), TOUCHED)
@pytest.mark.parametrize("question", QUESTIONS)
def test_nothing_that_was_touched_is_answered_though_it_was_checked_before(
    world, statement, seq, question
):
    world.ask()
    world.change(statement)
    with pytest.raises(Corrupted, match=f"Entry {seq} of"):
        question(world.ask())


@pytest.mark.parametrize(("statement", "seq"), TOUCHED)
def test_nor_of_the_newest_of_many_models(world, statement, seq):
    world.ask()
    world.change(statement.replace("seq = 3", "seq = 5"))
    with pytest.raises(Corrupted, match=f"Entry {5 if seq == 3 else seq} of"):
        world.ask().newest(["aaa", "bbb"], ["drift", "champion"])


def test_an_entry_that_is_whole_by_its_own_hash_but_was_written_anew_is_found(world):
    """It is the one case that the entry itself cannot show."""
    world.ask()
    new = entry_hash(world.ledger.at(3).model_copy(update={"body": {"n": 9}}))
    world.change(f"UPDATE entries SET body = '{{\"n\":9}}', hash = '{new}' WHERE seq = 3")
    with pytest.raises(Corrupted, match="Entry 3 of"):
        world.ask().entries("aaa", "drift")


def test_an_entry_that_was_put_in_is_not_answered(world):
    world.ask()
    world.change(
        "INSERT INTO entries SELECT 99, at, model, kind, 'fake', body, previous, hash"
        " FROM entries WHERE seq = 7"
    )
    with pytest.raises(Corrupted):
        world.ask().champion("aaa")


def test_another_ledger_in_its_place_is_checked_whole(world, tmp_path):
    """As after a restore: what was remembered counts no more."""
    world.ask()
    world.change("DELETE FROM entries", "UPDATE head SET seq = 0, hash = hex(zeroblob(32))")
    world.ledger.append("ccc", "new", raw("drift", {"n": 1}))
    asked = world.ask()
    assert [entry.key for entry in asked.entries()] == ["new"]
    assert asked.entries("aaa") == []


@pytest.mark.parametrize("damage", [b"", b"no database at all" * 99])
def test_without_a_file_that_can_be_used_the_whole_chain_is_checked(world, damage):
    world.ask()
    world.remembered.write_bytes(damage)
    assert len(world.ask().entries("aaa")) == 4
    assert world.ledger.checked >= 14
    world.change("DELETE FROM entries WHERE seq = 3")
    with pytest.raises(Corrupted, match="Entry 3 of"):
        world.ask().entries("aaa")


def test_where_nothing_can_be_remembered_all_is_checked_each_time(tmp_path, world):
    (tmp_path / "checked").write_text("in the way")
    assert len(world.ask().entries("aaa")) == 4
    world.ask()
    assert world.ledger.checked >= 14


def test_a_check_that_fails_leaves_nothing_behind(world):
    world.change("DELETE FROM entries WHERE seq = 3")
    with pytest.raises(Corrupted):
        world.ask()
    assert CheckedIndex(world.remembered).head().seq == 0
