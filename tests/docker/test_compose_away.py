"""The broker or the database is away for a while in the middle of a retraining: it waits, goes on
when they are back, and does nothing twice.
"""

from __future__ import annotations

import time

import pytest

from pipelines.errors import PerennialError
from tests.docker.composed import FIRST, FIRST_RUN, RETRAIN
from tests.docker.sales import SECOND_DAY
from tests.docker.workers import await_task, containers, effects, running_workers

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(3600)]

RUN_SECONDS = 1_500


@pytest.fixture(scope="module")
def served(engine, tmp_path_factory):
    """Workers, and a model that serves."""
    with running_workers(engine, tmp_path_factory.mktemp("away")) as stack:
        stack.retrain(FIRST_RUN, **FIRST)
        yield stack


def await_log_in(stack, seconds=300):
    """Wait until Airflow lets people in again: without its database it knows nobody."""
    end = time.monotonic() + seconds
    while True:
        try:
            with stack.airflow() as api:
                api.dag_ids()
                return
        except PerennialError:
            assert time.monotonic() < end, "Airflow does not come back"
            time.sleep(2)


@pytest.mark.parametrize("seconds", [30, 300])
@pytest.mark.parametrize("service", ["broker", "postgres"])
def test_a_retraining_outlives_it_and_does_nothing_twice(engine, served, service, seconds):
    run = f"without-{service}-{seconds}"
    with served.airflow() as api:
        api.trigger(RETRAIN, {"as_of": SECOND_DAY, "reason": "away", "force": True}, run)
        await_task(api, run, "features")
        [part] = containers(engine, served, service)
        engine.stop(part["Id"])
        time.sleep(seconds)
        began = time.monotonic()
        engine.start(part["Id"])
    await_log_in(served)
    assert served.predict(run).status_code == 200
    with served.airflow() as api:
        state = api.wait(RETRAIN, run, RUN_SECONDS)
        tasks = api.tasks(RETRAIN, run)
        said = [
            api.log(RETRAIN, run, task.task, task.index, task.tries)[-3_000:]
            for task in tasks
            if task.state == "failed"
        ]
    assert state == "success", said
    found = effects(served, run)
    assert (found["verdict"], found["outcome"]) == (1, 1)
    assert max(found.values()) == 1
    tries = {task.task: task.tries for task in tasks if task.tries > 1}
    later = time.monotonic() - began
    print(f"\n{service} away {seconds} s: {later:.0f} s later, tries {tries}")  # noqa: T201
