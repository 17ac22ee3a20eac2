"""The task queue in the composed stack.

A worker that is killed takes its lock, and tasks begin again all the same.
"""

from __future__ import annotations

import pytest

from pipelines.errors import TryAgain

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(1800)]

KILL_IDLE_WORKERS = (
    'n=0; for p in /proc/[0-9]*; do grep -qs "[L]ocalExecutor: <idle>" $p/cmdline && kill -9'
    " ${p#/proc/} && n=$((n+1)); done; echo $n"
)


def scheduler(engine, stack):
    labels = [f"com.docker.compose.project={stack.project}", "com.docker.compose.service=scheduler"]
    [found] = engine.containers(filters={"label": labels})
    return found["Id"]


def test_a_task_runs_though_idle_workers_were_killed(engine, up):
    """Which of the idle workers holds the lock is not seen from outside: all of them are killed."""
    container = scheduler(engine, up)
    started = engine.inspect_container(container)["State"]["StartedAt"]
    said = engine.exec_start(engine.exec_create(container, ["bash", "-c", KILL_IDLE_WORKERS])["Id"])
    assert int(said) > 0, said
    with up.airflow() as api:
        run = api.trigger("rollback_sales", {"to": 99_999_999})
        try:
            ended = api.wait("rollback_sales", run, 300)
        except TryAgain as error:
            tasks = api.tasks("rollback_sales", run)
            log = up.compose("logs", "--tail", "200", "scheduler").stdout
            pytest.fail(f"{error}\n{tasks}\n{log}")
        [(name, tries)] = [
            (task.task, task.tries)
            for task in api.tasks("rollback_sales", run)
            if task.state == "failed"
        ]
        said = api.log("rollback_sales", run, name, attempt=tries)
    assert (ended, "99999999" in said) == (
        "failed",
        True,
    ), "the task ran, and found no such release"
    assert engine.inspect_container(container)["State"]["StartedAt"] == started, (
        "what else is at work there goes on"
    )
