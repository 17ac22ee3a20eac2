"""Airflow's queue and database when much goes wrong at once.

A killed worker takes the queue's lock, many write together.
"""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import httpx
import psutil
import pytest

from stack import control
from stack.keys import USER, password

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

AT_ONCE = 20
READING = "0"
"""The number of read(2) on this machine's Linux.

Of the workers that wait for a task, the one that reads holds the lock.
"""


def idle_workers(live) -> list[psutil.Process]:
    """The workers that wait for a task, the one that holds the queue's lock first."""
    [scheduler] = [
        health.pid for health in control.status(live.layout) if health.name == "scheduler"
    ]
    idle = [
        child
        for child in psutil.Process(scheduler).children()
        if "<idle>" in " ".join(child.cmdline())
    ]
    return sorted(
        idle, key=lambda child: Path(f"/proc/{child.pid}/syscall").read_text().split()[0] != READING
    )


def test_a_task_runs_though_the_worker_with_the_queues_lock_was_killed(live):
    workers = live.until(lambda: idle_workers(live), "a worker is idle")
    workers[0].kill()
    run = live.api.trigger("rollback_bike_demand", {"to": 99_999_999})
    assert live.api.wait("rollback_bike_demand", run, 240) == "failed", "there is no such release"
    assert (
        "was killed and may hold the lock of the task queue"
        in live.layout.log("scheduler").read_text()
    )
    live.until(live.is_healthy, "all are healthy")


@pytest.fixture
def airflow(live):
    """A client of Airflow's API.

    The two DAGs are paused, so that what is triggered is written and does not run.
    """
    user = {"username": USER, "password": password(live.layout.secrets)}
    with httpx.Client(base_url=live.layout.airflow_url, timeout=240, trust_env=False) as client:
        token = client.post("/auth/token", json=user).json()["access_token"]
        client.headers["authorization"] = f"Bearer {token}"
        for dag in ("rollback_flight_delays", "drift_bike_demand"):
            assert client.patch(f"/api/v2/dags/{dag}", json={"is_paused": True}).status_code == 200
        yield client
        for run in client.get("/api/v2/dags/rollback_flight_delays/dagRuns").json()["dag_runs"]:
            client.delete(f"/api/v2/dags/rollback_flight_delays/dagRuns/{run['dag_run_id']}")
        client.patch("/api/v2/dags/rollback_flight_delays", json={"is_paused": False})


def test_many_triggers_and_a_backfill_at_once_are_all_taken(airflow):
    codes: Counter[tuple[str, int]] = Counter()
    begin = threading.Barrier(AT_ONCE + 1)

    def post(path: str, body: dict) -> None:
        begin.wait()
        codes[path, airflow.post(path, json=body).status_code] += 1

    runs = "/api/v2/dags/rollback_flight_delays/dagRuns"
    backfill = {
        "dag_id": "drift_bike_demand",
        "from_date": "2011-02-01T00:00:00Z",
        "to_date": "2011-04-01T00:00:00Z",
    }
    work = [
        (runs, {"logical_date": None, "dag_run_id": f"many-{number}"}) for number in range(AT_ONCE)
    ]
    threads = [
        threading.Thread(target=post, args=each)
        for each in [*work, ("/api/v2/backfills", backfill)]
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == {(runs, 200): AT_ONCE, ("/api/v2/backfills", 200): 1}
    assert airflow.get(runs).json()["total_entries"] == AT_ONCE
