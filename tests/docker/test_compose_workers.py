"""`docker compose --profile celery up --scale worker=3`: tasks are done by workers that share no
folder; one that dies in the middle, and a broker that is started again, cost time and nothing else.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from tests.docker.composed import FIRST, FIRST_RUN, RETRAIN, ROOT, alone, composed
from tests.docker.sales import SECOND_DAY, sales_world

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(2400)]

WORKERS = 3
ONCE = ("verdict", "release", "champion", "outcome")


@pytest.fixture(scope="module")
def workers(engine, tmp_path_factory):
    folder = tmp_path_factory.mktemp("workers")
    world = sales_world(folder / "home", ROOT)
    stack = replace(composed(engine, folder).with_model(engine, world), workers=WORKERS)
    stack.backups.mkdir()
    with alone():
        try:
            stack.up()
            yield stack
        finally:
            stack.down(engine)
            for tag in stack.images.values():
                engine.remove_image(tag, force=True)


def containers(engine, stack, service):
    labels = [
        f"com.docker.compose.project={stack.project}",
        f"com.docker.compose.service={service}",
    ]
    return engine.containers(filters={"label": labels})


def await_task(api, run, name, seconds=600):
    """Wait until a task of the run is at work."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for task in api.tasks(RETRAIN, run):
            if task.task == name and task.state == "running":
                return task
        time.sleep(0.3)
    raise AssertionError(f"{name} does not begin")


def effects(stack, run):
    """How many entries of each kind the ledger holds of the run."""
    entries = json.loads(stack.perennial("history", "sales", "--limit", "1000", "--json"))
    return {kind: sum(e["kind"] == kind and e["key"] == run for e in entries) for kind in ONCE}


def test_workers_have_no_volume_that_another_part_has(engine, workers):
    found = containers(engine, workers, "worker")
    assert len(found) == WORKERS
    volumes = [{m["Name"] for m in one["Mounts"] if m["Type"] == "volume"} for one in found]
    others = {
        mount["Name"]
        for one in engine.containers(
            filters={"label": f"com.docker.compose.project={workers.project}"}
        )
        if one["Labels"]["com.docker.compose.service"] != "worker"
        for mount in one["Mounts"]
        if mount["Type"] == "volume"
    }
    assert all(len(names) == 1 for names in volumes)
    assert len(set.union(*volumes)) == WORKERS
    assert not set.union(*volumes) & others


def test_a_killed_worker_s_task_is_done_once_and_its_log_is_read_from_another(engine, workers):
    with workers.airflow() as api:
        api.trigger(RETRAIN, FIRST, FIRST_RUN)
        task = await_task(api, FIRST_RUN, "features")
        hostname = _hostname(api, task)
        [victim] = [
            one for one in containers(engine, workers, "worker") if one["Id"].startswith(hostname)
        ]
        engine.kill(victim["Id"])
        assert api.wait(RETRAIN, FIRST_RUN, 1200) == "success"
        tries = {t.task: t.tries for t in api.tasks(RETRAIN, FIRST_RUN)}
        assert tries["features"] == 2
        assert "rows" in api.log(RETRAIN, FIRST_RUN, "features", -1, 2)
    assert effects(workers, FIRST_RUN) == dict.fromkeys(ONCE, 1)
    assert workers.predict("first").status_code == 200


def test_a_broker_that_dies_loses_no_task(engine, workers):
    with workers.airflow() as api:
        api.trigger(RETRAIN, {"as_of": SECOND_DAY, "reason": "the broker dies"}, "second")
        await_task(api, "second", "features")
        [broker] = containers(engine, workers, "broker")
        engine.kill(broker["Id"])
        engine.start(broker["Id"])
        assert api.wait(RETRAIN, "second", 1200) == "success"
    found = effects(workers, "second")
    assert (found["verdict"], found["outcome"]) == (1, 1)
    assert max(found.values()) == 1


def test_the_broker_lets_nobody_in_without_the_password(engine, workers):
    [broker] = containers(engine, workers, "broker")
    made = engine.exec_create(broker["Id"], ["redis-cli", "ping"])
    assert b"NOAUTH" in engine.exec_start(made["Id"])


def _hostname(api, task):
    answer = api._send("GET", f"/api/v2/dags/{RETRAIN}/dagRuns/{FIRST_RUN}/taskInstances")
    [found] = [t for t in answer.json()["task_instances"] if t["task_id"] == task.task]
    return found["hostname"]
