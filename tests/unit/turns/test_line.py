"""The line as the ledger tells it: one run's turn from its asking to its end."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pipelines.ledger import Turn
from pipelines.turns.limits import Limits
from pipelines.turns.line import LOOK_BACK, read_line
from pipelines.turns.rules import LONGEST
from tests.decisions import gate_verdict
from tests.unit.turns.fleets import Fleet, owners_of


@pytest.fixture
def fleet():
    return Fleet(owners_of(shop=3), Limits(at_once=1))


def events(fleet, model="shop_0"):
    return [e.read(Turn).event for e in fleet.ledger.entries(model, "turn")]


def test_a_turn_begins_once_and_ends_with_the_outcome(fleet):
    fleet.ask("shop_0")
    fleet.ask("shop_0")  # a triggerer that came back
    assert fleet.look() == [("shop_0", "r1")]
    fleet.ask("shop_0")
    fleet.ask("shop_1")
    assert fleet.look() == []
    fleet.end("shop_0")
    assert fleet.look() == [("shop_1", "r1")]
    assert events(fleet) == ["waits", "begins"]


def test_it_says_the_place_in_line(fleet):
    for model in fleet.owners:
        fleet.ask(model)
    fleet.look()
    said = [fleet.keeper.say(model, "r1") for model in fleet.owners]
    assert said == [
        "its turn came: r1",
        "waits for its turn: 1 of 1 retrainings are under way; 1st in line",
        "waits for its turn: 1 of 1 retrainings are under way; 2nd in line",
    ]


def test_a_turn_ends_with_the_verdict_where_a_person_is_asked(fleet):
    fleet.ask("shop_0", asks=True)
    fleet.ask("shop_1")
    fleet.look()
    fleet.ledger.append("shop_0", "r1", gate_verdict())
    assert fleet.look() == [("shop_1", "r1")]
    fleet.ledger.append("shop_1", "r1", gate_verdict())
    assert len(fleet.keeper.reader.line().under_way) == 1, "nobody is asked of shop_1"


def test_a_run_that_left_the_line_never_begins(fleet):
    fleet.ask("shop_0")
    fleet.dead.add(("shop_0", "r1"))
    assert fleet.look() == []
    assert events(fleet) == ["waits", "ends"]
    line = fleet.keeper.reader.line()
    assert not [*line.waiting, *line.under_way, *line.begun]


def test_a_run_whose_state_is_not_known_waits_on(fleet):
    fleet.ask("shop_0")
    fleet.keeper.give(set(), set())
    assert events(fleet) == ["waits"]


def test_a_run_that_is_cleared_after_its_end_waits_again(fleet):
    fleet.ask("shop_0")
    fleet.look()
    fleet.end("shop_0", outcome="failed")
    fleet.ask("shop_1")
    fleet.look()
    fleet.ask("shop_0", attempt=2)
    assert fleet.look() == []
    assert fleet.keeper.reader.last("shop_0", "r1").event == "waits"
    fleet.end("shop_1")
    assert fleet.look() == [("shop_0", "r1")]


def test_who_is_declined_may_ask_again_and_keeps_what_it_had_waited():
    fleet = Fleet(owners_of(shop=2), Limits(per_day=1))
    fleet.ask("shop_0")
    fleet.look()
    fleet.end("shop_0")
    fleet.ask("shop_1")
    assert fleet.look() == []
    assert fleet.keeper.reader.last("shop_1", "r1").event == "declined"
    fleet.ask("shop_1")
    assert events(fleet, "shop_1") == ["waits", "declined"], "the same attempt stays declined"
    fleet.second = 86_400.0
    fleet.ask("shop_0", run="r2")
    fleet.second += 60
    fleet.ask("shop_1", run="r2")
    assert fleet.look() == [("shop_1", "r2")], "it goes before whoever had a turn yesterday"


def test_a_name_that_stood_in_line_long_ago_stands_there_anew(fleet):
    fleet.ask("shop_0")
    fleet.look()
    fleet.second += (LOOK_BACK + timedelta(hours=1)).total_seconds()
    fleet.ask("shop_0")
    assert fleet.look() == [("shop_0", "r1")]
    assert events(fleet) == ["waits", "begins"] * 2


def test_who_waits_too_long_is_declined_in_the_ledger(fleet):
    fleet.ask("shop_0")
    fleet.look()
    fleet.ask("shop_1")
    fleet.second += LONGEST.total_seconds()
    fleet.look()
    [said] = [e.read(Turn) for e in fleet.ledger.entries("shop_1", "turn")][1:]
    assert (said.event, said.why) == ("declined", "its turn did not come within 24 hours")
    assert said.words == "declined: r1: its turn did not come within 24 hours"


def test_models_that_are_gone_hold_no_turn(fleet):
    fleet.ask("shop_0")
    fleet.look()
    del fleet.owners["shop_0"]
    fleet.ask("shop_1")
    assert fleet.look() == [("shop_1", "r1")]


def test_one_question_tells_the_line(fleet):
    fleet.ask("shop_0")
    fleet.ask("shop_1", first=True, why="a customer waits", priority=3)
    line = read_line(fleet.ledger, list(fleet.owners), fleet.now())
    assert [(w.model, w.first, w.priority) for w in line.waiting] == [
        ("shop_0", False, 0),
        ("shop_1", True, 3),
    ]
    assert fleet.ledger.entries("shop_1", "turn")[0].read(Turn).words == (
        "waits for its turn (goes first): r1: a customer waits"
    )
