"""`perennial alert`: the routes, a test of them, what is pending, and its sending."""

from __future__ import annotations

import json

import pytest

from pipelines.incidents import note_outcome
from pipelines.ledger import Outcome
from pipelines.ledger.sql import SqlLedger
from tests.cli.commands import run_here, run_process
from tests.unit.alerts.receivers import webhook
from tests.unit.alerts.worlds import SECRET


@pytest.fixture
def hook():
    with webhook() as received:
        yield received


@pytest.fixture
def file(world, hook):
    path = world.home / "alerts.yaml"
    path.write_text(f"""
airflow: https://airflow.example.org
routes:
  shop: {{to: "json://me:{SECRET}@127.0.0.1:{hook.port}/{SECRET}", owners: [shop]}}
  flights: {{to: "slack://{SECRET}/x/y", models: [flights], tell: [late]}}
""")
    path.chmod(0o600)
    return path


@pytest.fixture
def alert(world, file):
    def run(*arguments, **more):
        given = {"PERENNIAL_ALERTS": "alerts.yaml", **more}
        result = run_here(world, ("alert", *arguments), **given)
        assert SECRET not in result.stdout + result.stderr
        return result

    return run


@pytest.fixture
def ledger(world):
    return SqlLedger(f"sqlite:///{world.home}/var/ledger/ledger.db")


def test_help_teaches(alert):
    text = " ".join(alert("--help").stdout.split())
    for word in (
        "--test",
        "--send",
        "--pending",
        "--deliver",
        "PERENNIAL_ALERTS",
        "mode 600",
        "sends nothing",
        "docs/alerts.md",
    ):
        assert word in text


def test_a_test_shows_every_route_and_sends_nothing(alert, hook):
    result = alert("--test")
    assert result.returncode == 0, result.stderr
    assert f"shop: json://127.0.0.1:{hook.port}/…" in result.stdout
    assert "flights: slack://…" in result.stdout
    assert "tells of models flights: late" in result.stdout
    assert "this is a test of the route shop" in result.stdout
    assert "Nothing was sent" in result.stdout
    assert hook.bodies == []


def test_a_test_of_a_model_that_is_sent_goes_to_its_routes_alone(alert, hook):
    result = alert("--test", "sales", "--send", "--json")
    assert result.returncode == 0, result.stderr
    (row,) = json.loads(result.stdout)["routes"]
    assert (row["route"], row["taken"], row["why"]) == ("shop", True, "")
    assert hook.titles == ["[perennial] this is a test of the route shop"]


def test_a_test_that_is_not_taken_says_why_and_may_be_tried_again(alert, hook):
    hook.status = 403
    result = alert("--test", "sales", "--send")
    assert result.returncode == 75
    assert "not sent: the service answered 403" in result.stdout
    assert "Remedy: " in result.stderr


@pytest.mark.slow
def test_what_is_pending_is_shown_and_then_delivered_once(world, alert, ledger, hook):
    assert alert("--deliver").stdout == "All has been told.\n"
    outcome = Outcome(outcome="failed", version="", reasons=["no disk"])
    note_outcome(ledger, "sales", ledger.append("sales", "r1", outcome))
    pending = alert("--pending")
    assert "to shop: [sales] a retraining failed" in pending.stdout
    assert "- the run r1: no disk" in pending.stdout
    assert json.loads(alert("--pending", "sales", "--json").stdout)[0]["about"] == "failed"
    hook.status = 503
    away = alert("--deliver")
    assert (away.returncode, "the service answered 503" in away.stdout) == (75, True)
    hook.status = 200
    # As cron would call it, in a process of its own
    done = run_process(world, ("alert", "--deliver", "--json"), PERENNIAL_ALERTS="alerts.yaml")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["told"] == ["shop/incident/1/open"]
    assert SECRET not in done.stdout + done.stderr
    assert alert("--pending").stdout == alert("--deliver").stdout == "All has been told.\n"
    assert hook.titles == ["[sales] a retraining failed"]
    assert SECRET.encode() not in (world.home / "var/ledger/ledger.db").read_bytes()


@pytest.mark.parametrize(
    "arguments",
    [(), ("--test", "--pending"), ("--pending", "--send"), ("--deliver", "sales")],
    ids=str,
)
def test_it_does_one_thing_at_a_time(alert, arguments):
    result = alert(*arguments)
    assert result.returncode == 65
    assert "Remedy: `perennial alert --test" in result.stderr


def test_what_cannot_be_is_refused_with_a_remedy(alert, file):
    assert "No routes of alerts are set" in alert("--test", PERENNIAL_ALERTS="").stderr
    assert "There is no model absent" in alert("--pending", "absent").stderr
    file.write_text(file.read_text().replace("[shop]", "[others]"))
    assert "No route tells of sales (owner: shop)" in alert("--test", "sales").stderr
    file.chmod(0o640)
    refused = alert("--pending")
    assert (refused.returncode, "Remedy: chmod 600" in refused.stderr) == (65, True)


def test_the_history_says_what_was_told(world, alert, ledger, hook):
    alert("--deliver")
    shown = run_here(world, ("history", "sales"), COLUMNS="200").stdout
    assert "the route shop tells of this model from here on" in shown
