"""Steps that are pods deploy releases that are pods, in an Airflow that the chart installed.

State is in a bucket and in servers: no two pods share a volume.
"""

from __future__ import annotations

import json

import httpx
import pytest

from pipelines.deployment.kubernetes.names import object_name
from tests.cluster.installation import LONG, MARKS, MODEL, ONCE, RETRAIN, RUN_SECONDS, installed
from tests.cluster.reaching import kubectl, until
from tests.docker.sales import FIRST_DAY, ROW, SECOND_DAY

pytestmark = MARKS


@pytest.fixture(scope="module")
def system(endpoint, tmp_path_factory):
    with installed(tmp_path_factory.mktemp("loop") / "home", endpoint) as system:
        yield system


def serving_pods(system):
    return system.pods(f"perennial/model={MODEL},perennial/kind=release")


def step_pods(system):
    return system.pods("perennial.kind=step")


@pytest.fixture(scope="module")
def first(system):
    """The first retraining, from ingest to close."""
    assert system.retrain("first", as_of=FIRST_DAY) == "success", system.why(RETRAIN, "first")
    return "first"


@pytest.fixture(scope="module")
def second(system, first):
    """The second retraining, on later days, from which more is to be learnt."""
    run = "second"
    assert system.retrain(run, as_of=SECOND_DAY) == "success", system.why(RETRAIN, run)
    return run


def test_a_model_is_retrained_by_pods_and_served_by_pods(system, first):
    assert set(system.states(RETRAIN, first).values()) == {"success"}
    assert system.effects(first) == dict.fromkeys(ONCE, 1)
    assert system.champion == "1"
    answer = system.answer([ROW])
    assert answer.status_code == 200
    assert (answer.json()["version"], answer.json()["release"]) == ("1", 1)
    assert step_pods(system) == {}


def test_the_pages_tell_what_a_step_said_and_who_serves(system, first):
    log = system.api.log(RETRAIN, first, "gate")
    assert "made the pod perennial-step-sales-gate-" in log
    assert "Verdict on linear (version 1): PROMOTE" in log
    assert "s3://" in log, "the log of a task that has ended is read from the bucket"
    page = system.api._send("GET", "/perennial/")
    assert page.status_code == 200
    assert MODEL in page.text


def test_no_pod_has_a_volume_that_another_one_sees(system, first):
    """Kept for one look: the state of all of them is the bucket, the database and MLflow."""
    claims = json.loads(kubectl("-n", system.namespace, "get", "pvc", "-o", "json"))
    assert claims["items"] == []
    pods = json.loads(kubectl("-n", system.namespace, "get", "pods", "-o", "json"))["items"]
    kinds = {
        kind
        for pod in pods
        for volume in pod["spec"]["volumes"]
        for kind in volume
        if kind != "name"
    }
    assert kinds <= {"emptyDir", "configMap", "secret", "projected", "downwardAPI"}
    for prefix in ("objects", "keys", "history", "dvc", "mlflow", "logs"):
        assert system.listing(prefix), f"nothing of {prefix} is in the bucket"


ODD = ("b_2", "a__b", "ends_", "x" * 36, "x" * 37, "x" * 48, "a_" * 24, f"{'x' * 23}_y{'z' * 20}")
"""Names of models that Services are called after in other ways."""


def test_the_gateway_leads_to_the_model_s_pods_and_nowhere_else(system, first):
    url = f"http://{system.address('perennial-gateway')}:8000"
    with httpx.Client(base_url=url, timeout=30) as client:
        answer = client.post(f"/models/{MODEL}/predict", json={"rows": [ROW]})
        assert (answer.status_code, answer.json()["model"]) == (200, MODEL)
        foreign = {"host": "evil.example"}
        assert client.get(f"/models/{MODEL}", headers=foreign).status_code == 403
        for host in ("perennial-gateway", f"perennial-gateway.{system.namespace}"):
            assert client.get(f"/models/{MODEL}", headers={"host": host}).status_code == 200
        assert client.get("/metrics").status_code == 404
        for model in ODD:
            assert client.get(f"/models/{model}").status_code == 503
    said = kubectl("-n", system.namespace, "logs", "deployment/perennial-gateway")
    for model in ODD:
        assert f'"service":"{object_name(model)}.{system.namespace}.svc.cluster.local"' in said


def test_a_second_retraining_replaces_the_pods_and_a_rollback_brings_them_back(system, second):
    assert system.effects(second) == dict.fromkeys(ONCE, 1)
    assert (system.champion, system.answer([ROW]).json()["version"]) == ("2", "2")
    rolled = f"rollback_{MODEL}"
    assert system.run(rolled, "back", reason="a test") == "success", system.why(rolled, "back")
    assert system.champion == "1"
    answer = system.answer([ROW]).json()
    assert (answer["version"], answer["release"]) == ("1", 3)
    system.ports.ledger.verify()


def await_pod(system, step):
    """Return the one pod of a step, once its container is at work."""
    found = []

    def is_at_work():
        pods = system.pods(f"perennial.kind=step,perennial.step={step}")
        found[:] = [pod for pod in pods.values() if pod["status"]["phase"] == "Running"]
        return bool(found)

    until(is_at_work, LONG)
    (pod,) = found
    return pod["metadata"]


def is_gone(system, uid):
    """Tell whether a pod is gone: not going, gone."""
    found = json.loads(kubectl("-n", system.namespace, "get", "pods", "-o", "json"))
    return uid not in {pod["metadata"]["uid"] for pod in found["items"]}


def test_a_task_that_is_cleared_at_work_has_its_pod_ended_and_is_done_again_once(system, second):
    system.api.trigger(RETRAIN, {"as_of": SECOND_DAY, "force": True}, "cleared")
    before = await_pod(system, "features")
    body = {
        "dry_run": False,
        "dag_run_id": "cleared",
        "task_ids": ["features"],
        "include_downstream": True,
        "only_failed": False,
    }
    answer = system.api._send("POST", f"/api/v2/dags/{RETRAIN}/clearTaskInstances", json=body)
    assert answer.status_code == 200, answer.text
    until(lambda: is_gone(system, before["uid"]), LONG)
    again = await_pod(system, "features")
    assert (again["name"], again["uid"] == before["uid"]) == (before["name"], False)
    assert system.api.wait(RETRAIN, "cleared", RUN_SECONDS) == "success"
    assert system.tries(RETRAIN, "cleared", "features") == 2
    counts = system.effects("cleared")
    assert counts["features"] == counts["verdict"] == counts["outcome"] == 1
    assert max(counts.values()) == 1
    assert step_pods(system) == {}
    system.ports.ledger.verify()


def test_a_task_that_is_marked_failed_has_its_pod_ended_and_changes_nothing(system, second):
    champion = system.champion
    system.api.trigger(RETRAIN, {"as_of": SECOND_DAY, "force": True}, "failed")
    pod = await_pod(system, "features")
    path = f"/api/v2/dags/{RETRAIN}/dagRuns/failed/taskInstances/features"
    answer = system.api._send("PATCH", path, json={"new_state": "failed"})
    assert answer.status_code == 200, answer.text
    until(lambda: is_gone(system, pod["uid"]), LONG)
    assert system.api.wait(RETRAIN, "failed", RUN_SECONDS) == "failed"
    assert system.tries(RETRAIN, "failed", "features") == 1
    counts = system.effects("failed")
    assert [counts[kind] for kind in ("verdict", "release", "champion")] == [0, 0, 0]
    (outcome,) = [entry for entry in system.entries("outcome") if entry.run == "failed"]
    assert outcome.decision.outcome == "failed"
    assert (system.champion, system.answer([ROW]).json()["version"]) == (champion, champion)
    assert step_pods(system) == {}
    system.ports.ledger.verify()
