"""Tasks on workers that take them from a broker (PERENNIAL_EXECUTOR=celery).

Workers and the broker are killed in the middle: each run ends, and each effect is there once.
"""

import psutil
import pytest

from pipelines.ports import ConfiguredPorts
from pipelines.settings import load_settings
from pipelines.spec import load_all
from stack.airflow_api import AirflowApi
from stack.dags import await_dags
from stack.keys import USER, password
from stack.layout import Layout
from stack.processes import stack_processes
from tests.e2e.live import MODEL, RETRAIN, Live, free_ports, run_stack, stack_environ
from tests.unit.alerts.receivers import webhook
from tests.worlds import as_of, make_world

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(1_800)]

ONCE = ("verdict", "release", "champion", "outcome")


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """A stack of its own with a broker and two workers; `package` waits in a queue of its own."""
    home = tmp_path_factory.mktemp("celery") / "home"
    world = make_world(home)
    world.respec("alike:", "resources: {queues: {package: narrow}}\nalike:")
    environ = stack_environ(str(home), free_ports("AIRFLOW", "MLFLOW", "SERVING")) | {
        "PERENNIAL_EXECUTOR": "celery",
        "PERENNIAL_QUEUES": "default,narrow",
    }
    settings = load_settings(environ)
    layout = Layout(settings)
    up = run_stack(environ, "up")
    try:
        assert up.returncode == 0, up.stdout + up.stderr
        with (
            AirflowApi(layout.airflow_url, USER, password(layout.secrets)) as api,
            webhook() as received,
        ):
            assert await_dags(api, load_all(settings.models)[0].values(), timeout_seconds=120) == []
            yield Live(world, settings, environ, layout, api, received)
    finally:
        down = run_stack(environ, "down")
        assert down.returncode == 0, down.stdout + down.stderr
    assert stack_processes(str(settings.state)) == {}


def worker_of(live, step):
    """The name of the worker that has the step at work."""
    family = {process.pid for process in live.await_step(step).parents()}
    [name] = [name for name, pid in live.pids().items() if pid in family and "worker" in name]
    return name


def effects(live, run_id):
    entries = live.ledger(MODEL)
    return {kind: sum(e.kind == kind and e.key == run_id for e in entries) for kind in ONCE}


def test_a_killed_worker_s_task_is_done_by_another_try_and_once(live):
    live.start(MODEL, "first", as_of=as_of(3))
    name = worker_of(live, "train")
    before = live.pids()
    live.kill_program(name)
    live.until(lambda: live.is_back(name, before[name]), f"{name} is back")
    assert live.end(MODEL, "first") == "success"
    assert live.tries(RETRAIN, "first", "train") == 2
    assert effects(live, "first") == dict.fromkeys(ONCE, 1)
    ConfiguredPorts(live.settings).ledger.verify()


def test_a_broker_that_is_killed_loses_nothing_that_was_queued(live):
    live.start(MODEL, "second", as_of=as_of(8))
    live.await_step("features")
    before = live.pids()["broker"]
    psutil.Process(before).kill()
    live.until(lambda: live.is_back("broker", before), "the broker is back")
    assert live.end(MODEL, "second") == "success"
    found = effects(live, "second")
    assert (found["verdict"], found["outcome"]) == (1, 1)
    assert max(found.values()) == 1
    assert live.is_healthy()


def test_a_step_waits_in_the_queue_that_the_spec_names(live):
    answer = live.api._send(
        "GET", f"/api/v2/dags/{RETRAIN}/dagRuns/first/taskInstances", params={"limit": 100}
    )
    queues = {task["task_id"]: task["queue"] for task in answer.json()["task_instances"]}
    assert (queues["package"], queues["gate"]) == ("narrow", "default")


def test_nobody_else_may_ask_the_broker(live):
    socket = live.layout.run / "broker.sock"
    assert oct(socket.stat().st_mode)[-3:] == "700"
    broker = psutil.Process(live.pids()["broker"])
    assert [c for c in broker.net_connections("inet") if c.status == "LISTEN"] == []
