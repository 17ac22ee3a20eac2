"""Is a program well?

Asked at its own address; Airflow's API server answers for the three that have none. Of a worker
is known that it runs: the next task shows the rest.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import httpx

from stack.supervisor import RUNNING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stack.programs import Program

HEALTH_PATHS = {"api-server": "/execution/health", "mlflow": "/health", "serving": "/health"}
"""Of Airflow's API server, the part that tasks speak to.

It makes itself ready at its first request, for seconds.
"""

HEARTBEATS_PATH = "/api/v2/monitor/health"
HEARTBEATS = {"scheduler": "scheduler", "dag-processor": "dag_processor", "triggerer": "triggerer"}
"""The name under which Airflow reports each program's heartbeat."""

SOCKET = "unix://"
"""How the address of a program begins that listens on a socket in a folder."""

PROBE_SECONDS = 3.0


@dataclass(frozen=True)
class Health:
    """One program: its state in one word (healthy, starting, unhealthy, down), and why it is not
    healthy.
    """

    name: str
    state: str
    detail: str = ""
    pid: int | None = None
    uptime_seconds: int | None = None
    url: str = ""

    @property
    def is_healthy(self) -> bool:
        """Tell whether the program is well."""
        return self.state == "healthy"


def make_client() -> httpx.Client:
    """Return the client to ask with; making one costs more than asking."""
    return httpx.Client(timeout=PROBE_SECONDS, trust_env=False)


def check(
    client: httpx.Client,
    programs_to_run: Sequence[Program],
    states_by_program: Mapping[str, Mapping[str, Any]],
) -> list[Health]:
    """Return the health of each program.

    `states_by_program` is what supervisord says (empty where it is away).
    """
    reachable = [
        program
        for program in programs_to_run
        if program.url and _pid(states_by_program.get(program.name))
    ]
    answers = {
        program.name: _ping(program.url.removeprefix(SOCKET))
        if program.url.startswith(SOCKET)
        else _ask(client, program.url + HEALTH_PATHS[program.name])
        for program in reachable
    }
    reports = [
        _ask(client, program.url + HEARTBEATS_PATH)
        for program in reachable
        if program.name == "api-server"
    ]
    heartbeats = next(iter(reports), None) or {}
    return [
        _health(program, states_by_program.get(program.name), answers, heartbeats)
        for program in programs_to_run
    ]


def _ask(client: httpx.Client, url: str) -> dict[str, Any] | None:
    """Return what a healthy program answers (empty where that is no JSON object), or None."""
    try:
        answer = client.get(url)
    except httpx.HTTPError:
        return None
    if not answer.is_success:
        return None
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _ping(path: str) -> dict[str, Any] | None:
    """Return an empty answer where a Redis server says at its socket that it is well, or None."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(PROBE_SECONDS)
        try:
            connection.connect(path)
            connection.sendall(b"PING\r\n")
            return {} if connection.recv(64).startswith(b"+PONG") else None
        except OSError:
            return None


def _pid(info: Mapping[str, Any] | None) -> int | None:
    return int(info["pid"]) or None if info else None


def _health(
    program: Program,
    info: Mapping[str, Any] | None,
    answers: Mapping[str, Any],
    heartbeats: Mapping[str, Any],
) -> Health:
    pid = _pid(info)
    if info is None or pid is None:
        why = f"{str(info['statename']).lower()} {info['spawnerr']}".strip() if info else ""
        return Health(program.name, "down", why, url=program.url)
    uptime = max(0, int(info["now"]) - int(info["start"]))
    if program.name in HEARTBEATS:
        well, why = _beats(HEARTBEATS[program.name], heartbeats, since=int(info["start"]))
    elif not program.url:
        well, why = True, ""
    else:
        well, why = (
            answers.get(program.name) is not None,
            f"no answer at {program.url}{HEALTH_PATHS.get(program.name, '')}",
        )
    if (
        info["statename"] != RUNNING
    ):  # what answers in a program's first seconds may be what its killed predecessor left
        return Health(program.name, "starting", why, pid, uptime, program.url)
    return Health(
        program.name,
        "healthy" if well else "unhealthy",
        "" if well else why,
        pid,
        uptime,
        program.url,
    )


def _beats(name: str, heartbeats: Mapping[str, Any], since: int) -> tuple[bool, str]:
    """Tell whether a heartbeat came since the program's start (an older one is its predecessor's),
    and if not, why not.
    """
    report = heartbeats.get(name) or {}
    latest = report.get(f"latest_{name}_heartbeat")
    if latest is None or datetime.fromisoformat(latest).timestamp() < since:
        return False, "no heartbeat in Airflow yet"
    return report.get("status") == "healthy", f"Airflow calls it {report.get('status')}"
