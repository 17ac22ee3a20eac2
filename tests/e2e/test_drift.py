"""The living loop through a started Airflow.

Served traffic drifts, the drift DAG starts the retraining, the gate has its say.
"""

import json
import os
import subprocess
import sys

import httpx
import pytest

from demo.traffic import Client
from pipelines.context import Context
from pipelines.errors import RequestError
from pipelines.intervals import Interval
from pipelines.ports import ConfiguredPorts
from pipelines.spec import load_spec
from tests.worlds import DAYS, as_of, visits

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]

MODEL = "watched"
TURNED = 3
"""The day on which the world turns over: what spoke for a purchase speaks against it from then on.
"""


@pytest.fixture(scope="module")
def watched(live):
    """The model `watched` with its first version, learnt before the world turned over.

    And a client that has traffic for it.
    """
    world = live.watched
    for day in range(TURNED, DAYS):
        world.rewrite(day, visits(day, signal=-1.0))
    assert live.run(MODEL, "first", as_of=as_of(TURNED), reason="the first") == "success"
    spec = load_spec(live.settings.models, MODEL)
    context = Context(spec, live.settings, ConfiguredPorts(live.settings))
    return Client(context, live.layout.serving_url)


@pytest.fixture
def perennial(live):
    """The command, with the settings of the running stack."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("PERENNIAL_")}
    given = live.settings.model_dump(exclude_unset=True)
    environ |= {f"PERENNIAL_{name.upper()}": str(value) for name, value in given.items()}

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "pipelines", *arguments],
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def live_day(client, day: int):
    """Send a day's rows to the server, and tell all that is known by its end.

    Return how many rows and labels.
    """
    interval = Interval(start=as_of(day), end=as_of(day + 1))
    answers = client.predict(client.rows(interval), lambda _: None)
    return answers.rows.num_rows, client.send_labels(interval.end)


def look(live, run_id: str, day: int) -> str:
    """Run the drift DAG on the day, and return how it ended."""
    live.api.trigger(
        f"drift_{MODEL}", {"window_end": as_of(day + 1), "reason": "end to end"}, run_id
    )
    return live.api.wait(f"drift_{MODEL}", run_id, 900)


def of_drift(live, run_id: str, task: str):
    return live.api.result(f"drift_{MODEL}", run_id, task)


def retrainings(live) -> list[str]:
    runs = live.api._all(f"/api/v2/dags/retrain_{MODEL}/dagRuns", "dag_runs")
    return sorted(r["dag_run_id"] for r in runs if r["dag_run_id"].startswith("drift__"))


def test_a_retraining_that_drift_started_is_refused_and_the_champion_stays(live, watched):
    sent, told = live_day(watched, TURNED)
    assert 0 < told < sent, "of the last hour nobody knows the outcome yet"
    assert look(live, "turned", TURNED) == "success"
    drifted = of_drift(live, "turned", "drift")
    assert (drifted["verdict"], drifted["source"], drifted["rows"], drifted["labelled"]) == (
        "drift",
        "traffic",
        sent,
        told,
    )
    assert drifted["live"] < drifted["expected"] - 0.2
    run_id = f"drift__{MODEL}__{as_of(TURNED + 1)}"
    assert retrainings(live) == [run_id]
    assert live.result(MODEL, run_id, "gate")["verdict"] == "refuse"
    reported = of_drift(live, "turned", "report")
    assert reported["outcome"] == "refused"
    assert "roc_auc" in reported["said"]
    assert live.told(MODEL)["version"] == "1"
    assert live.ledger(MODEL, "outcome")[-1].body["outcome"] == "refused"


def test_the_same_window_again_starts_no_second_retraining(live, watched):
    before = retrainings(live)
    assert look(live, "again", TURNED) == "success"
    assert retrainings(live) == before
    assert len(live.ledger(MODEL, "retrain_request")) == 1


def test_a_retraining_that_drift_started_is_deployed(live, watched):
    for day in range(TURNED + 1, DAYS):
        live_day(watched, day)
    assert look(live, "by-now", DAYS - 1) == "success"
    run_id = f"drift__{MODEL}__{as_of(DAYS)}"
    assert run_id in retrainings(live)
    assert of_drift(live, "by-now", "report")["outcome"] == "deployed"
    version = live.result(MODEL, run_id, "deploy")["version"]
    assert live.told(MODEL)["version"] == version != "1"
    ports = ConfiguredPorts(live.settings)
    assert ports.ledger.champion(MODEL).version == ports.registry.alias(MODEL) == version
    assert "drift" in live.result(MODEL, run_id, "ingest")["reason"]
    ports.ledger.verify()


def test_a_rollback_by_its_dag_and_a_promotion_by_command(live, watched, perennial):
    version = live.told(MODEL)["version"]
    live.api.trigger(f"rollback_{MODEL}", {"reason": "wrong prices"}, "back")
    assert live.api.wait(f"rollback_{MODEL}", "back", 120) == "success"
    assert live.told(MODEL)["version"] == "1"
    assert live.api.result(f"rollback_{MODEL}", "back", "rollback")["previous"] == version
    assert (
        live.ledger(MODEL, "release")[-1].body["reason"] == "rolled back to release 1: wrong prices"
    )
    refused = perennial("rollback", MODEL)
    assert (refused.returncode, "is the first that serves" in refused.stderr) == (65, True)
    done = perennial("promote", MODEL, version, "--reason", "the prices were right", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["version"] == live.told(MODEL)["version"] == version
    ports = ConfiguredPorts(live.settings)
    assert ports.registry.alias(MODEL) == version
    ports.ledger.verify()


def test_nonsense_in_a_rollback_s_conf_changes_nothing(live, watched):
    before = live.told(MODEL)
    with pytest.raises(RequestError, match="unknown key 'image'"):
        live.api.trigger(f"rollback_{MODEL}", {"to": 1, "image": "evil; rm -rf /"}, "hostile")
    live.api.trigger(f"rollback_{MODEL}", {"to": 9_999_999}, "nowhere")
    assert live.api.wait(f"rollback_{MODEL}", "nowhere", 120) == "failed"
    assert live.told(MODEL) == before


def test_the_drift_figures_are_in_prometheus_the_registry_and_the_ledger(live, watched):
    text = httpx.get(f"{live.layout.serving_url}/metrics").text
    assert f'perennial_drift_verdict{{model="{MODEL}",verdict="drift"}} 1.0' in text
    drifted = of_drift(live, "by-now", "drift")
    registry = ConfiguredPorts(live.settings).registry
    assert registry.state(drifted["run_id"]) == "FINISHED"
    assert registry.metrics(drifted["run_id"])["live"] == pytest.approx(drifted["live"])
    assert [e.body["verdict"] for e in live.ledger(MODEL, "drift")] == ["drift"] * 3


def test_a_broken_batch_is_quarantined_and_retrains_nothing(live, watched):
    day = DAYS - 2
    good, before = live.watched.frame(day), retrainings(live)
    live.watched.rewrite(day, good.assign(pages=["many"] * len(good)))
    try:
        assert look(live, "broken", day) == "failed"
        states = {t.task: t.state for t in live.api.tasks(f"drift_{MODEL}", "broken")}
        assert (states["validate"], states["drift"], states["start"]) == (
            "failed",
            "upstream_failed",
            "upstream_failed",
        )
        assert retrainings(live) == before
        assert live.ledger(MODEL, "quarantine")
    finally:
        live.watched.rewrite(day, good)


def test_a_retraining_that_fails_is_named_and_goes_on_when_it_is_cleared(live, watched):
    """The world turns over again; a batch that only the retraining reads is broken by then."""
    for day in (DAYS, DAYS + 1):
        live.watched.rewrite(day, visits(day))
        live_day(watched, day)
    good, day = live.watched.frame(DAYS - 3), DAYS - 3
    live.watched.rewrite(day, good.assign(pages=["many"] * len(good)))
    run_id = f"drift__{MODEL}__{as_of(DAYS + 2)}"
    try:
        assert look(live, "failing", DAYS + 1) == "failed"
        assert live.states(MODEL, run_id)["validate"] == "failed"
        said = live.api.log(f"drift_{MODEL}", "failing", "report")
        assert f"retrain_{MODEL}" in said
        assert run_id in said
    finally:
        live.watched.rewrite(day, good)
    clear(live, f"retrain_{MODEL}", run_id, "ingest")
    assert live.end(MODEL, run_id) == "success"
    clear(live, f"drift_{MODEL}", "failing", "await")
    assert live.api.wait(f"drift_{MODEL}", "failing", 900) == "success"
    assert (
        of_drift(live, "failing", "report")["outcome"]
        == live.ledger(MODEL, "outcome")[-1].body["outcome"]
    )
    assert retrainings(live).count(run_id) == 1


def test_a_paused_retraining_is_named_and_starts_once_it_may(live, watched):
    for day in (DAYS + 2, DAYS + 3):
        live.watched.rewrite(day, visits(day))
        live_day(watched, day)
    dag, run_id = f"/api/v2/dags/retrain_{MODEL}", f"drift__{MODEL}__{as_of(DAYS + 4)}"
    pause(live, dag, paused=True)
    try:
        assert look(live, "paused", DAYS + 3) == "failed"
        assert f"retrain_{MODEL} is paused" in live.api.log(f"drift_{MODEL}", "paused", "start")
        assert run_id not in retrainings(live)
    finally:
        pause(live, dag, paused=False)
    clear(live, f"drift_{MODEL}", "paused", "start")
    assert live.api.wait(f"drift_{MODEL}", "paused", 900) == "success"
    assert retrainings(live).count(run_id) == 1


def test_an_alarm_retrains_nothing_ends_red_and_is_looked_at_again_when_cleared(live, watched):
    ports, before = ConfiguredPorts(live.settings), retrainings(live)
    bundle = ports.store.path(ports.ledger.champion(MODEL).bundle)
    good = bundle.read_bytes()
    bundle.write_bytes(good.replace(b"{", b"[", 1))
    try:
        assert look(live, "alarm", DAYS + 3) == "failed"
        states = {t.task: t.state for t in live.api.tasks(f"drift_{MODEL}", "alarm")}
        assert (states["drift"], states["start"], states["await"], states["report"]) == (
            "success",
            "skipped",
            "skipped",
            "failed",
        )
        assert of_drift(live, "alarm", "drift")["verdict"] == "alarm"
        assert "ALARM" in live.api.log(f"drift_{MODEL}", "alarm", "report")
        assert retrainings(live) == before
    finally:
        bundle.write_bytes(good)
    clear(live, f"drift_{MODEL}", "alarm", "drift")
    assert live.api.wait(f"drift_{MODEL}", "alarm", 900) == "success"
    assert of_drift(live, "alarm", "drift")["verdict"] != "alarm"
    assert retrainings(live) == before


def pause(live, dag: str, *, paused: bool) -> None:
    answer = live.api._send("PATCH", dag, json={"is_paused": paused})
    assert answer.status_code == 200, answer.text


def clear(live, dag_id: str, run_id: str, task: str) -> None:
    """Clear a task and those after it, as a person does in the UI, and wait until the run goes
    on."""
    body = {
        "dry_run": False,
        "dag_run_id": run_id,
        "task_ids": [task],
        "include_downstream": True,
        "only_failed": False,
    }
    answer = live.api._send("POST", f"/api/v2/dags/{dag_id}/clearTaskInstances", json=body)
    assert answer.status_code == 200, answer.text
