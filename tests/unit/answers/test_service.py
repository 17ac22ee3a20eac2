"""Who served at a moment: against a slow look that is obviously right."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from benchmarks.ledger import is_answered_as_by_a_walk, random_history
from pipelines.answers.service import expect_known, parse_moment, turns, who_served
from pipelines.answers.words import say_served
from pipelines.errors import RequestError
from pipelines.ledger import Crown, MemoryLedger, Reconciliation
from pipelines.refs import Ref

START = datetime(2026, 1, 1, tzinfo=UTC)
BUNDLE = Ref(uri="objects/aa/" + "a" * 64 + ".json", sha256="a" * 64)


def ledger_of(*minutes_and_versions):
    """Return a ledger whose champions took over at these minutes, in this order."""
    moments = iter([START + timedelta(minutes=m) for m, _ in minutes_and_versions])
    ledger = MemoryLedger(now=lambda: next(moments))
    for number, (_, version) in enumerate(minutes_and_versions, 1):
        crown = Crown(version=version, bundle=BUNDLE, release=number)
        ledger.append("sales", f"run{number}", crown)
    return ledger


def served(ledger, minute):
    turn = who_served(ledger, "sales", START + timedelta(minutes=minute)).turn
    return (turn.version, turn.release) if turn else None


def test_equal_to_brute_force_on_random_histories():
    """As the benchmark does it ten thousand times: crowns, repairs, a clock that goes back."""
    rng = random.Random(0)
    histories = [random_history(rng) for _ in range(200)]
    assert all(is_answered_as_by_a_walk(entries) for entries in histories)
    assert any(t.written < t.since for entries in histories for t in turns(entries))


def test_before_everything_nothing_served():
    ledger = ledger_of((5, "1"))
    assert served(ledger, 4) is None
    answer = who_served(ledger, "sales", START)
    assert say_served(answer, START) == [("asked", "2026-01-01T00:00:00Z"), ("served", "nothing")]


def test_a_moment_that_is_yet_to_come_says_so():
    answer = who_served(ledger_of((0, "1")), "sales", START + timedelta(minutes=9))
    assert "yet to come" in say_served(answer, START)[0][1]


def test_a_rollback_serves_the_earlier_version_under_its_own_release():
    ledger = ledger_of((0, "1"), (10, "2"), (20, "1"))
    assert [served(ledger, m) for m in (0, 10, 19, 20)] == [("1", 1), ("2", 2), ("2", 2), ("1", 3)]


def test_a_clock_that_went_backwards_changes_no_order():
    ledger = ledger_of((10, "1"), (5, "2"), (20, "3"))
    assert served(ledger, 7) is None
    assert served(ledger, 12) == ("2", 2)
    answer = who_served(ledger, "sales", START + timedelta(minutes=12))
    assert answer.clock_went_back
    assert "the order is the chain's" in say_served(answer, START)[-1][1]


def test_a_reconciled_release_takes_a_turn_and_an_alias_alone_does_not():
    moments = iter([START + timedelta(minutes=m) for m in range(3)])
    ledger = MemoryLedger(now=lambda: next(moments))
    ledger.append("sales", "run", Crown(version="1", bundle=BUNDLE, release=1))
    again = Reconciliation(reason="went back", number=3, version="1", bundle=BUNDLE)
    ledger.append("sales", "a", again)
    ledger.append("sales", "b", Reconciliation(reason="the alias followed"))
    assert served(ledger, 2) == ("1", 3)


@pytest.mark.parametrize("text", ["", "yesterday", "0001-01-01", "9" * 500, "\x00", "<script>"])
def test_what_is_no_moment_is_named(text):
    with pytest.raises(RequestError, match="is no moment"):
        parse_moment(text)


def test_a_model_without_a_folder_is_known_by_its_entries(tmp_path):
    ledger = ledger_of((0, "1"))
    (tmp_path / "cabs").mkdir()
    for model in ("sales", "cabs"):
        expect_known(ledger, tmp_path, model)
    for model in ("", "other", "../cabs", "\x00", "x" * 9_000, "$(id)"):
        with pytest.raises(RequestError, match="There is no model"):
            expect_known(ledger, tmp_path, model)
