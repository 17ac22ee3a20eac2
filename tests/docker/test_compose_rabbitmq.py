"""`docker compose --profile workers up --scale worker=3` with a RabbitMQ of one's own
(PERENNIAL_BROKER_URL): a worker that dies in the middle, and a broker that is away, cost time and
nothing else.
"""

from __future__ import annotations

import time

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
from tests.rabbitmq import needs_rabbitmq, rabbitmq

pytestmark = [
    pytest.mark.engine,
    pytest.mark.slow,
    pytest.mark.long,
    pytest.mark.timeout(2400),
    needs_rabbitmq,
]
AWAY_SECONDS = 30


@pytest.fixture(scope="module")
def broker(engine, tmp_path_factory):
    """A server that containers can reach: on the bridge of the engine."""
    bridge = engine.inspect_network("bridge")["IPAM"]["Config"][0]["Gateway"]
    with rabbitmq(tmp_path_factory.mktemp("rabbit"), host=bridge) as server:
        yield server


@pytest.fixture(scope="module")
def workers(engine, broker, tmp_path_factory):
    given = {"PERENNIAL_BROKER_URL": broker.url}
    with running_workers(engine, tmp_path_factory.mktemp("workers"), given) as stack:
        yield stack


def test_three_workers_take_their_tasks_from_it_and_no_other_broker_runs(engine, workers, broker):
    from kombu import Connection

    assert containers(engine, workers, "broker") == []
    assert len(containers(engine, workers, "worker")) == WORKERS
    with Connection(broker.url) as connection, connection.channel() as channel:
        found = channel.queue_declare("default", passive=True)
        assert (found.message_count, found.consumer_count) == (0, WORKERS)


def test_a_killed_worker_s_task_is_done_once(engine, workers):
    with workers.airflow() as api:
        api.trigger(RETRAIN, FIRST, FIRST_RUN)
        await_task(api, FIRST_RUN, "features")
        engine.kill(worker_of(engine, workers, FIRST_RUN, "features")["Id"])
        began = time.monotonic()
        assert api.wait(RETRAIN, FIRST_RUN, 1200) == "success"
        tries = {t.task: t.tries for t in api.tasks(RETRAIN, FIRST_RUN)}
    print(f"\na worker killed: ended {time.monotonic() - began:.0f} s later, {tries}")  # noqa: T201
    assert tries["features"] == 2
    assert effects(workers, FIRST_RUN) == dict.fromkeys(ONCE, 1)
    assert workers.predict("first").status_code == 200


def test_while_it_is_away_what_is_due_waits_and_nothing_is_done_twice(workers, broker):
    """It is killed while a step is at work, and is there again half a minute later."""
    with workers.airflow() as api:
        api.trigger(RETRAIN, {"as_of": SECOND_DAY, "reason": "the broker is away"}, "second")
        await_task(api, "second", "features")
        broker.kill()
        time.sleep(AWAY_SECONDS)
        assert api.state(RETRAIN, "second") == "running"
        broker.start()
        began = time.monotonic()
        assert api.wait(RETRAIN, "second", 1200) == "success"
        tries = {t.task: t.tries for t in api.tasks(RETRAIN, "second") if t.state == "success"}
    print(f"\nthe broker away: ended {time.monotonic() - began:.0f} s later, {tries}")  # noqa: T201
    assert set(tries.values()) == {1}
    found = effects(workers, "second")
    assert (found["verdict"], found["outcome"]) == (1, 1)
    assert max(found.values()) == 1


def test_no_log_shows_the_password(workers, broker):
    assert broker.password not in workers.compose("logs", "--no-color").stdout
