"""`docker compose --profile celery up --scale worker=3`: tasks are done by workers that share no
folder; one that dies in the middle, and a broker that is started again, cost time and nothing else.
"""

from __future__ import annotations

import pytest

from tests.docker.composed import FIRST, FIRST_RUN, RETRAIN
from tests.docker.sales import SECOND_DAY
from tests.docker.workers import (
    ONCE,
    WORKERS,
    await_task,
    containers,
    effects,
    running_workers,
    worker_of,
)

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(2400)]


@pytest.fixture(scope="module")
def workers(engine, tmp_path_factory):
    with running_workers(engine, tmp_path_factory.mktemp("workers")) as stack:
        yield stack


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
        await_task(api, FIRST_RUN, "features")
        engine.kill(worker_of(engine, workers, FIRST_RUN, "features")["Id"])
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
