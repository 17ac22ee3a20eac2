"""People are told by a started Airflow, and users' own DAGs could start from what happens in it."""

from __future__ import annotations

import pytest

from tests.e2e.live import DRIFT, MODEL, RUN_SECONDS
from tests.unit.alerts.worlds import SECRET

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]


def tell(live, run_id):
    live.api.trigger("alerts", {}, run_id)
    assert live.api.wait("alerts", run_id, RUN_SECONDS) == "success"
    return live.api.result("alerts", run_id, "tell")


def events(live, name):
    found = live.api._all("/api/v2/assets/events", "asset_events")
    return [event for event in found if event["name"] == name]


def test_a_failure_is_told_once(live, first):
    tell(live, "begin")
    told = len(live.webhook.bodies)
    live.start(MODEL, "no-such-day", as_of="1990-01-01T00:00:00Z")
    assert live.end(MODEL, "no-such-day") == "failed"
    tell(live, "failed")
    assert tell(live, "again") == {"told": 0, "left": 0}
    [message] = live.webhook.bodies[told:]
    assert message["title"] == f"[{MODEL}] a retraining failed"
    assert f"/dags/retrain_{MODEL}/runs/no-such-day" in message["message"]


def test_no_address_is_in_a_log_or_a_result(live, first):
    tell(live, "secrets")
    assert SECRET not in live.last_log("alerts", "secrets", "tell")
    for file in live.settings.state.rglob("*"):
        if file.is_file() and file.suffix in {".log", ".db", ".db-wal", ".json"}:
            assert SECRET.encode() not in file.read_bytes(), file


def test_another_champion_and_a_window_that_drifted_are_events(live, refused):
    crowned = events(live, f"{MODEL}_champion")
    assert {"version": "1", "run": "first"}.items() <= crowned[0]["extra"].items()
    drifted = events(live, f"{MODEL}_incidents")
    assert [(e["source_dag_id"], e["extra"]["verdict"]) for e in drifted[:1]] == [(DRIFT, "drift")]
