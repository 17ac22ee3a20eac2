"""`incidents` and `incident`: what is wrong, and a person's answer to it."""

from __future__ import annotations

import json

import pytest

from pipelines.incidents import note_check
from pipelines.ledger import DriftCheck, Quarantine
from pipelines.ledger.sql import SqlLedger
from pipelines.messages import DriftCause
from tests.cli.commands import run_here
from tests.unit.steps.verdicts import NOTHING, drifted, window


@pytest.fixture
def ledger(world):
    return SqlLedger(world.settings.ledger_url)


@pytest.fixture
def ask(world, ledger):
    """The command in a world of which two windows were alarms, with a nasty reason."""
    for day in (1, 2):
        found = drifted(day, verdict="alarm", reasons=["the column \x1b[2J is gone"])
        entry = ledger.append("sales", f"run-{day}", DriftCheck(**found.model_dump()))
        note_check(ledger, "sales", entry)
    return lambda *arguments: run_here(world, arguments, COLUMNS="200")


def said(done):
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


WHO = ("--by", "ann", "--reason", "upstream knows")


def test_what_is_wrong_is_listed_once(ask):
    text = said(ask("incidents"))
    assert text.count("alarm") == 1
    assert "seen 2 times" in text
    assert "\x1b[2J" not in text
    [incident] = json.loads(said(ask("incidents", "sales", "--json")))
    assert (incident["number"], incident["seen"], incident["state"]) == (1, 2, "open")
    assert "drift page" in incident["to_do"]


def test_an_incident_is_taken_on_rests_and_is_closed(ask):
    assert "to do" in said(ask("incident", "sales", "1"))
    taken = said(ask("incident", "sales", "1", "ack", *WHO))
    assert "state  acknowledged by ann: upstream knows" in taken
    assert "snoozed until" in said(ask("incident", "sales", "1", "snooze", "--for", "8h", *WHO))
    assert "closed" in said(ask("incident", "sales", "1", "close", *WHO))
    assert said(ask("incidents", "sales")) == "Nothing is wrong.\n"
    assert "by ann: upstream knows" in said(ask("incidents", "sales", "--all"))
    history = said(ask("history", "sales"))
    assert "incident 1, alarm, acknowledged by ann: upstream knows" in history


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("incidents", "nobody"), "There is no model"),
        (("incident", "sales", "7"), "has no incident 7"),
        (("incident", "sales", "1", "ack", "--by", "ann"), "needs a reason"),
        (("incident", "sales", "1", "ack", "--reason", "so"), "needs a person"),
        (("incident", "sales", "1", "ack", "--by", "a\x00", "--reason", "so"), "plain text"),
        (("incident", "sales", "1", "snooze", "--for", "long", *WHO), "--for: write a number"),
        (("incident", "sales", "1", "snooze", "--for", "900d", *WHO), "cannot be snoozed"),
    ],
)
def test_what_cannot_be_done_says_so(ask, ledger, arguments, complaint):
    done = ask(*arguments)
    assert done.returncode == 65
    assert complaint in done.stderr
    assert len(ledger.entries("sales", "incident")) == 1


def test_a_batch_that_is_held_is_listed_and_let_in(world, ledger):
    held = Quarantine(
        interval=window(3),
        version=1,
        batch=NOTHING,
        reasons=["A pipe is broken upstream: values in another unit", "temp: x / 1000"],
        bad_rows={},
        page=NOTHING,
        cause=DriftCause(kind="broken_upstream", detail="units", sureness="sure"),
    )
    ledger.append("sales", "held", held)

    def ask(*arguments):
        return run_here(world, ("quarantine", "sales", *arguments), COLUMNS="200")

    name = held.interval.name
    text = said(ask())
    assert name in text
    assert "values in another unit; temp: x / 1000" in text
    refused = ask(name, "admit")
    assert refused.returncode == 65
    assert "needs a person" in refused.stderr
    assert "--admit-all" in ask("--admit-all", name).stderr
    assert f"{name}: retrainings learn from it again" in said(ask(name, "admit", *WHO))
    assert said(ask()) == "No batch is held.\n"
    history = said(run_here(world, ("history", "sales"), COLUMNS="200"))
    assert f"the batch {name} is admitted by ann: upstream knows" in history
    assert json.loads(said(ask("--json"))) == []
    ledger.append("sales", "held again", held)
    assert [q["version"] for q in json.loads(said(ask("--json")))] == [1]
    status = run_here(world, ("status", "sales"), COLUMNS="200").stdout
    assert "1 batch that no retraining learns from" in status
    assert said(ask("--admit-all", *WHO)) == f"{name}: retrainings learn from it again\n"
    assert said(ask()) == "No batch is held.\n"
