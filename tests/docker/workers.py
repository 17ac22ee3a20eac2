"""A composed stack whose tasks are done by workers, and what tests see of its tasks."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.docker.composed import RETRAIN, ROOT, Composed, alone, composed
from tests.docker.sales import sales_world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stack.airflow_api import AirflowApi, TaskRun

WORKERS = 3
ONCE = ("verdict", "release", "champion", "outcome")


@contextlib.contextmanager
def running_workers(
    engine: Any, folder: Path, variables: dict[str, str] | None = None
) -> Iterator[Composed]:
    """Yield such a stack with a small model; it is gone afterwards.

    `variables` are what else its operator has set.
    """
    world = sales_world(folder / "home", ROOT)
    stack = replace(
        composed(engine, folder).with_model(engine, world),
        workers=WORKERS,
        variables=variables or {},
    )
    stack.backups.mkdir()
    with alone():
        try:
            stack.up()
            _await_dag(stack)
            yield stack
        finally:
            stack.down(engine)
            for tag in stack.images.values():
                engine.remove_image(tag, force=True)


def _await_dag(stack: Composed, seconds: float = 60) -> None:
    """Wait until the DAG can be read: Airflow lists it a moment before."""
    end = time.monotonic() + seconds
    with stack.airflow() as api:
        while not api._send("GET", f"/api/v2/dags/{RETRAIN}").is_success:
            assert time.monotonic() < end, f"{RETRAIN} cannot be read"
            time.sleep(0.5)


def containers(engine: Any, stack: Composed, service: str) -> list[dict[str, Any]]:
    labels = [
        f"com.docker.compose.project={stack.project}",
        f"com.docker.compose.service={service}",
    ]
    found: list[dict[str, Any]] = engine.containers(all=True, filters={"label": labels})
    return found


def await_task(api: AirflowApi, run: str, name: str, seconds: float = 600) -> TaskRun:
    """Wait until a task of the run is at work."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for task in api.tasks(RETRAIN, run):
            if task.task == name and task.state == "running":
                return task
        time.sleep(0.3)
    raise AssertionError(f"{name} does not begin")


def worker_of(engine: Any, stack: Composed, run: str, task: str) -> dict[str, Any]:
    """Return the container of the worker that does a task of the run."""
    with stack.airflow() as api:
        answer = api._send("GET", f"/api/v2/dags/{RETRAIN}/dagRuns/{run}/taskInstances")
    [hostname] = [t["hostname"] for t in answer.json()["task_instances"] if t["task_id"] == task]
    [found] = [one for one in containers(engine, stack, "worker") if one["Id"].startswith(hostname)]
    return found


def effects(stack: Composed, run: str) -> dict[str, int]:
    """How many entries of each kind the ledger holds of the run."""
    entries = json.loads(stack.perennial("history", "sales", "--limit", "1000", "--json"))
    return {kind: sum(e["kind"] == kind and e["key"] == run for e in entries) for kind in ONCE}
