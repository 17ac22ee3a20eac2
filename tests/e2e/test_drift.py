"""The living loop through a started Airflow.

Served traffic drifts, the drift DAG starts the retraining, the gate has its say.
"""

import json

import httpx
import pytest

from pipelines.errors import RequestError
from pipelines.ports import ConfiguredPorts
from tests.e2e.live import BACK, DAYS, DRIFT, MODEL, RETRAIN, ROLLBACK

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]


def of_drift(live, run_id: str, task: str):
    return live.api.result(DRIFT, run_id, task)


def test_a_retraining_that_drift_started_is_refused_and_the_champion_stays(live, first, refused):
    assert 0 < refused.labelled < refused.rows, "of the last hour nobody knows the outcome yet"
    drifted = of_drift(live, refused.drift_run, "drift")
    assert (drifted["verdict"], drifted["source"], drifted["rows"], drifted["labelled"]) == (
        "drift",
        "traffic",
        refused.rows,
        refused.labelled,
    )
    assert drifted["live"] < drifted["expected"] - 0.2
    assert refused.retrainings == [refused.run_id]
    assert live.result(MODEL, refused.run_id, "gate")["verdict"] == "refuse"
    reported = of_drift(live, refused.drift_run, "report")
    assert reported["outcome"] == "refused"
    assert "roc_auc" in reported["said"]
    assert refused.champions == {first.version}
    [ended] = [e for e in live.ledger(MODEL, "outcome") if e.key == refused.run_id]
    assert ended.body["outcome"] == "refused"


def test_a_retraining_that_drift_started_is_deployed(live, first, renewed):
    assert of_drift(live, renewed.drift_run, "report")["outcome"] == "deployed"
    version = live.result(MODEL, renewed.run_id, "deploy")["version"]
    assert renewed.champions == {version} != {first.version}
    assert "drift" in live.result(MODEL, renewed.run_id, "ingest")["reason"]
    ConfiguredPorts(live.settings).ledger.verify()


def test_the_drift_figures_are_in_prometheus_the_registry_and_the_ledger(live, renewed):
    text = httpx.get(f"{live.layout.serving_url}/metrics").text
    assert f'perennial_drift_verdict{{model="{MODEL}",verdict="drift"}} 1.0' in text
    drifted = of_drift(live, renewed.drift_run, "drift")
    registry = ConfiguredPorts(live.settings).registry
    assert registry.state(drifted["run_id"]) == "FINISHED"
    assert registry.metrics(drifted["run_id"])["live"] == pytest.approx(drifted["live"])
    mine = [e for e in live.ledger(MODEL, "drift") if e.key == renewed.drift_run]
    assert [e.body["verdict"] for e in mine] == ["drift"]


def test_a_rollback_by_its_dag_and_a_promotion_by_command(live, first, renewed):
    version = live.describe(MODEL)["version"]
    live.api.trigger(ROLLBACK, {"reason": "wrong prices"}, "back")
    assert live.api.wait(ROLLBACK, "back", 120) == "success"
    assert live.describe(MODEL)["version"] == first.version
    assert live.api.result(ROLLBACK, "back", "rollback")["previous"] == version
    assert (
        live.ledger(MODEL, "release")[-1].body["reason"] == "rolled back to release 1: wrong prices"
    )
    refusal = live.perennial("rollback", MODEL)
    assert (refusal.returncode, "is the first that serves" in refusal.stderr) == (65, True)
    done = live.perennial("promote", MODEL, version, "--reason", "the prices were right", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["version"] == version
    assert live.champions() == {version}
    ConfiguredPorts(live.settings).ledger.verify()


def test_nonsense_in_a_rollback_s_conf_changes_nothing(live, first):
    before = live.describe(MODEL)
    with pytest.raises(RequestError, match="unknown key 'image'"):
        live.api.trigger(ROLLBACK, {"to": 1, "image": "evil; rm -rf /"}, "hostile")
    live.api.trigger(ROLLBACK, {"to": 9_999_999}, "nowhere")
    assert live.api.wait(ROLLBACK, "nowhere", 120) == "failed"
    assert live.describe(MODEL) == before


def test_a_broken_batch_is_quarantined_and_retrains_nothing(live, renewed):
    day = BACK - 2
    good, before = live.world.frame(day), live.retrainings()
    live.world.rewrite(day, good.assign(pages=["many"] * len(good)))
    try:
        assert live.drift("broken", day) == "failed"
        states = live.states(DRIFT, "broken")
        assert (states["validate"], states["drift"], states["start"]) == (
            "failed",
            "upstream_failed",
            "upstream_failed",
        )
        assert live.retrainings() == before
        assert live.ledger(MODEL, "quarantine")
    finally:
        live.world.rewrite(day, good)


def test_a_paused_retraining_is_named_and_starts_once_it_may(live, mended):
    assert f"{RETRAIN} is paused" in mended.start_log
    assert mended.run_id not in mended.retrainings_while_paused
    assert live.retrainings().count(mended.run_id) == 1


def test_a_retraining_that_fails_is_named_and_goes_on_when_it_is_cleared(live, mended):
    assert mended.failed_states["validate"] == "failed"
    assert RETRAIN in mended.report_log
    assert mended.run_id in mended.report_log
    assert live.api.state(RETRAIN, mended.run_id) == "success"
    outcomes = [
        e.body["outcome"] for e in live.ledger(MODEL, "outcome") if e.body["run"] == mended.run_id
    ]
    assert outcomes == ["failed", of_drift(live, mended.drift_run, "report")["outcome"]]
    assert live.retrainings().count(mended.run_id) == 1


def test_an_alarm_retrains_nothing_ends_red_and_is_looked_at_again_when_cleared(live, mended):
    """The window is the one that has had its retraining: looked at again, it has no second one."""
    ports, before = ConfiguredPorts(live.settings), live.retrainings()
    bundle = ports.store.path(ports.ledger.champion(MODEL).bundle)
    good = bundle.read_bytes()
    bundle.write_bytes(good.replace(b"{", b"[", 1))
    try:
        assert live.drift("alarm", DAYS - 1) == "failed"
        states = live.states(DRIFT, "alarm")
        assert (states["drift"], states["start"], states["await"], states["report"]) == (
            "success",
            "skipped",
            "skipped",
            "failed",
        )
        assert of_drift(live, "alarm", "drift")["verdict"] == "alarm"
        assert "ALARM" in live.last_log(DRIFT, "alarm", "report")
        assert live.retrainings() == before
    finally:
        bundle.write_bytes(good)
    live.clear(DRIFT, "alarm", "drift")
    assert live.end_drift("alarm") == "success"
    assert of_drift(live, "alarm", "drift")["verdict"] != "alarm"
    assert live.retrainings() == before
    asked = [e.body["run_id"] for e in live.ledger(MODEL, "retrain_request")]
    assert asked == before, "one request for each window"
