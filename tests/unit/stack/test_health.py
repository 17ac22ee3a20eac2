"""What is called healthy."""

from __future__ import annotations

import httpx
import pytest

from stack.health import check
from stack.programs import Program

NOW = 1_700_000_000
API = Program("api-server", ("x",), "servers", url="http://airflow")
SCHEDULER = Program("scheduler", ("x",), "workers")


def info(state: str = "RUNNING", pid: int = 7, start: int = NOW - 60) -> dict:
    return {"statename": state, "pid": pid, "start": start, "now": NOW, "stop": 0, "spawnerr": ""}


def client(status: int = 200, **heartbeats: object) -> httpx.Client:
    return httpx.Client(
        transport=httpx.MockTransport(lambda _: httpx.Response(status, json=heartbeats))
    )


def beat(seconds_ago: int, status: str = "healthy") -> dict:
    from datetime import UTC, datetime

    return {
        "status": status,
        "latest_scheduler_heartbeat": datetime.fromtimestamp(NOW - seconds_ago, UTC).isoformat(),
    }


RUNNING = {"api-server": info(), "scheduler": info()}


@pytest.mark.parametrize(
    ("known", "answer", "state"),
    [
        pytest.param(RUNNING, client(scheduler=beat(5)), "healthy", id="a fresh heartbeat"),
        pytest.param(
            RUNNING, client(scheduler=beat(5, "unhealthy")), "unhealthy", id="Airflow says so"
        ),
        pytest.param(
            RUNNING | {"scheduler": info("STARTING", start=NOW - 2)},
            client(scheduler=beat(5)),
            "starting",
            id="a predecessor's",
        ),
        pytest.param(RUNNING, client(500), "unhealthy", id="nobody tells"),
        pytest.param(
            RUNNING | {"scheduler": info("BACKOFF", pid=0)},
            client(scheduler=beat(5)),
            "down",
            id="ended",
        ),
        pytest.param({}, client(), "down", id="no supervisord"),
    ],
)
def test_a_heartbeat_counts_from_the_programs_own_start(known, answer, state):
    with answer:
        assert check(answer, [API, SCHEDULER], known)[1].state == state


def test_a_program_with_an_address_must_answer_there():
    with client(503) as answer:
        health = check(answer, [API], {"api-server": info()})[0]
    assert (health.state, health.pid, health.uptime_seconds) == ("unhealthy", 7, 60)
    assert "http://airflow/execution/health" in health.detail


def test_an_api_server_that_tasks_cannot_speak_to_yet_is_not_healthy():
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(
            503 if request.url.path.startswith("/execution") else 200, json={"scheduler": beat(5)}
        )

    with httpx.Client(transport=httpx.MockTransport(answer)) as asking:
        states = [health.state for health in check(asking, [API, SCHEDULER], RUNNING)]
    assert states == ["unhealthy", "healthy"]
