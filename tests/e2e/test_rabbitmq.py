"""Tasks on workers that take them from RabbitMQ (PERENNIAL_BROKER_URL), which is away for a while.

The stack does not run it: it is named by its address, and its password is seen nowhere.
"""

from __future__ import annotations

import contextlib
import time

import psutil
import pytest

from pipelines.ports import ConfiguredPorts
from stack.processes import stack_processes
from tests.e2e.live import MODEL, RETRAIN, free_ports, run_stack, running, stack_environ
from tests.rabbitmq import needs_rabbitmq, rabbitmq
from tests.worlds import as_of, make_world

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(1_800), needs_rabbitmq]

ONCE = ("verdict", "release", "champion", "outcome")
AWAY_SECONDS = 30


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with rabbitmq(tmp_path_factory.mktemp("rabbit")) as server:
        yield server


@pytest.fixture(scope="module")
def live(tmp_path_factory, broker):
    """A stack with two workers, and none of its own brokers."""
    home = tmp_path_factory.mktemp("celery") / "home"
    world = make_world(home)
    environ = stack_environ(str(home), free_ports("AIRFLOW", "MLFLOW", "SERVING")) | {
        "PERENNIAL_EXECUTOR": "celery",
        "PERENNIAL_BROKER_URL": broker.url,
    }
    with running(world, environ) as live:
        yield live
    assert stack_processes(str(live.settings.state)) == {}


def effects(live, run_id):
    entries = live.ledger(MODEL)
    return {kind: sum(e.kind == kind and e.key == run_id for e in entries) for kind in ONCE}


def tries(live, run_id):
    return {t.task: t.tries for t in live.api.tasks(RETRAIN, run_id) if t.state == "success"}


def test_a_retraining_goes_over_it(live):
    assert {"worker-1", "worker-2"} <= set(live.pids())
    assert "broker" not in live.pids()
    assert live.run(MODEL, "first", as_of=as_of(3)) == "success"
    assert effects(live, "first") == dict.fromkeys(ONCE, 1)
    assert set(tries(live, "first").values()) == {1}


def test_while_it_is_away_what_is_due_waits_and_nothing_is_done_twice(live, broker):
    """It is killed while a step is at work, and is there again half a minute later."""
    live.start(MODEL, "second", as_of=as_of(8))
    live.await_step("features")
    broker.kill()
    time.sleep(AWAY_SECONDS)
    assert live.api.state(RETRAIN, "second") == "running"
    broker.start()
    assert live.end(MODEL, "second") == "success"
    found = effects(live, "second")
    assert (found["verdict"], found["outcome"]) == (1, 1)
    assert max(found.values()) == 1
    assert set(tries(live, "second").values()) == {1}
    ConfiguredPorts(live.settings).ledger.verify()
    live.until(live.is_healthy, "all are healthy")


def test_a_task_waits_in_the_broker_and_not_in_a_worker_s_hands(live, broker):
    """Each worker asks for as many as it does at a time, and says that it has one when it ends."""
    from kombu import Connection

    with Connection(broker.url) as connection, connection.channel() as channel:
        found = channel.queue_declare("default", passive=True)
        assert (found.message_count, found.consumer_count) == (0, 2)


def test_a_worker_that_is_killed_gives_its_task_back(live):
    live.start(MODEL, "third", as_of=as_of(8), force=True, reason="a worker is killed")
    family = {process.pid for process in live.await_step("train").parents()}
    [name] = [name for name, pid in live.pids().items() if pid in family and "worker" in name]
    before = live.pids()
    psutil.Process(before[name]).kill()
    live.until(lambda: live.is_back(name, before[name]), f"{name} is back")
    assert live.end(MODEL, "third") == "success"
    assert live.tries(RETRAIN, "third", "train") == 2
    found = effects(live, "third")
    assert (found["verdict"], found["outcome"]) == (1, 1)
    assert max(found.values()) == 1


def test_the_password_stands_in_one_file_alone(live, broker):
    holding = [
        str(path.relative_to(live.layout.state))
        for path in live.layout.state.rglob("*")
        if path.is_file() and broker.password.encode() in path.read_bytes()
    ]
    assert holding == ["secrets/broker_url"]
    shown = run_stack(live.environ, "status")
    assert broker.password not in shown.stdout + shown.stderr
    for process in stack_processes(str(live.settings.state)):
        with contextlib.suppress(psutil.Error):  # it ended meanwhile
            assert broker.password not in str(process.environ())


def test_an_address_that_the_broker_does_not_take_is_named_before_anything_starts(tmp_path, broker):
    make_world(tmp_path / "home")
    environ = stack_environ(str(tmp_path / "home"), free_ports("AIRFLOW", "MLFLOW", "SERVING"))
    for part, other, words in (
        (broker.password, "wrong-hunter2", "does not take the user or its password"),
        (f"/{broker.vhost}", "/elsewhere", "has no such virtual host"),
    ):
        url = broker.url.replace(part, other)
        given = {"PERENNIAL_EXECUTOR": "celery", "PERENNIAL_BROKER_URL": url}
        up = run_stack(environ | given, "up")
        assert up.returncode != 0
        assert words in up.stdout + up.stderr
        assert "PERENNIAL_BROKER_URL" in up.stdout + up.stderr
        assert "hunter2" not in up.stdout + up.stderr
        assert broker.password not in up.stdout + up.stderr
