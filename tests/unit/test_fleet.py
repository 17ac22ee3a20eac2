"""How the models of a fleet stand: the worst first, each with why, and with what it costs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pipelines.errors import SpecError
from pipelines.fleet import choose, fleet, say_cost, say_turn, sort_states, turns_of
from pipelines.incidents import note_check
from pipelines.ledger import Ingest, MemoryLedger, Outcome, Turn
from pipelines.settings import load_settings
from pipelines.spec import parse_spec
from tests.dags.specs import spec_text
from tests.decisions import NOTHING, crown, drift_check

NOW = datetime(2024, 1, 10, 12, tzinfo=UTC)


class World:
    def __init__(self) -> None:
        self.now = NOW - timedelta(hours=2)
        self.ledger = MemoryLedger(now=lambda: self.now)
        self.good, self.broken = {}, {}

    def add(self, name: str, more: str = "") -> None:
        text = spec_text(name, drift="daily") + more
        self.good[name] = parse_spec(text.encode(), f"models/{name}/model.yaml")

    def check(self, name: str, verdict: str) -> None:
        entry = self.ledger.append(name, f"check{self.now}", drift_check(verdict=verdict))
        note_check(self.ledger, name, entry)

    def retrain(self, name: str, run: str, took: timedelta) -> None:
        read = Ingest(run=run, purpose="retrain", plan=NOTHING, as_of=self.now, batches=1)
        self.ledger.append(name, f"{run}:1", read)
        self.now += took
        ended = Outcome(run=run, outcome="refused", version="2", reasons=["it is worse"])
        self.ledger.append(name, run, ended)

    def states(self):
        return fleet(self.ledger, self.good, self.broken, NOW)


@pytest.fixture
def world():
    made = World()
    for name in ("fine", "new", "drifting", "red", "late"):
        made.add(name)
    made.broken["broken"] = SpecError("models/broken/model.yaml:3: task: unknown.")
    for name in ("fine", "drifting", "red"):
        made.ledger.append(name, "first", crown("1"))
        made.check(name, {"fine": "no_drift", "drifting": "drift", "red": "alarm"}[name])
    made.now = NOW - timedelta(days=3)
    made.ledger.append("late", "first", crown("1"))
    made.check("late", "no_drift")
    made.now = NOW - timedelta(hours=1)
    return made


def test_the_worst_comes_first_and_each_says_why(world):
    states = world.states()
    assert [(s.model, s.state) for s in states] == [
        (name, name) for name in ("broken", "red", "late", "drifting", "new", "fine")
    ]
    why = {s.model: s.why for s in states}
    assert why["broken"] == "models/broken/model.yaml:3: task: unknown."
    assert why["red"] == "the data are broken"
    assert why["late"] == "the check that was due at 2024-01-08T00:00:00Z has not run"
    assert why["drifting"] == "3 of 4 inputs have drifted"
    assert why["new"] == "nothing serves yet"
    assert why["fine"] == ""


def test_who_serves_and_when_was_looked_is_known(world):
    found = {s.model: s for s in world.states()}
    assert (found["fine"].champion, found["new"].champion) == ("1", None)
    assert found["fine"].checked == NOW - timedelta(hours=2)
    assert found["new"].checked is None


def test_what_retrainings_took_is_added_up_and_older_ones_are_left_out(world):
    world.now = NOW - timedelta(days=40)
    world.retrain("fine", "old", timedelta(hours=9))
    world.now = NOW - timedelta(days=4)
    world.retrain("fine", "one", timedelta(minutes=50))
    world.retrain("fine", "two", timedelta(minutes=40))
    world.retrain("red", "one", timedelta(seconds=90))
    found = {s.model: s for s in world.states()}
    assert (found["fine"].retrainings, found["fine"].run_seconds) == (2, 5_400)
    assert say_cost(found["fine"]) == "1 h 30 min (2 retrainings)"
    assert say_cost(found["red"]) == "1 min 30 s (1 retraining)"
    assert say_cost(found["new"]) == ""
    assert [s.model for s in sort_states(world.states(), "cost")][:2] == ["fine", "red"]


def test_models_are_found_by_owner_tag_state_and_words(world):
    world.add("tagged", "tags: [pricing, germany]\n")
    states = world.states()
    assert [s.model for s in choose(states, tag="pricing")] == ["tagged"]
    assert [s.model for s in choose(states, words="GERM tests")] == ["tagged"]
    assert [s.model for s in choose(states, state="red")] == ["red"]
    assert len(choose(states, owner="tests-team")) == 6, "a broken one has no known owner"
    assert choose(states, owner="nobody") == []
    assert len(choose(states)) == 7


def test_an_incident_that_is_over_is_not_red(world):
    world.check("red", "no_drift")
    assert {s.model: s.state for s in world.states()}["red"] == "fine"


def test_an_empty_fleet_has_no_states():
    assert fleet(MemoryLedger(), {}, {}, NOW) == []


def test_a_model_in_line_says_since_when_and_in_which_place(world):
    world.now = NOW - timedelta(minutes=30)
    for name in ("new", "fine", "late", "red"):
        facts = {"run": "r", "owner": "shop"}
        world.ledger.append(name, "r:1:waits", Turn(event="waits", **facts))
    world.ledger.append("new", "r:1:begins", Turn(run="r", event="begins", owner="shop"))
    settings = load_settings({"PERENNIAL_RETRAININGS_AT_ONCE": "1"})
    turns = turns_of(world.ledger, [*world.good], settings, NOW)
    del world.good["red"]  # whoever may not see it sees the places of the others
    found = {s.model: s for s in fleet(world.ledger, world.good, world.broken, NOW, turns)}
    assert say_turn(found["new"]) == "under way since 2024-01-10 11:30 UTC"
    assert say_turn(found["late"]) == (
        "waits since 2024-01-10 11:30 UTC, 2nd in line, 1 of 1 retrainings are under way"
    )
    assert (found["drifting"].turn, say_turn(found["drifting"])) == (None, "")
    assert turns_of(world.ledger, [*world.good], load_settings({}), NOW) == {}
