"""The programs of the stack: what is run, where it answers, in which order they stop."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stack.celery import broker_command, runs_broker, socket_of, uses_celery, worker_command
from stack.layout import HOST

if TYPE_CHECKING:
    from stack.layout import Layout

SERVERS = "servers"
WORKERS = "workers"
GUARD = "guard"


@dataclass(frozen=True)
class Program:
    """One program.

    `group` "workers" stops first, all at once, then "servers". `port_setting` names its port's
    setting.
    """

    name: str
    command: tuple[str, ...]
    group: str
    url: str = ""
    port: int | None = None
    port_setting: str = ""

    @property
    def needs_airflow_database(self) -> bool:
        """Tell whether Airflow's database must be migrated first."""
        return "airflow" in self.command


def programs(layout: Layout) -> list[Program]:
    """Return the programs that this stack runs, servers first."""
    own = (_mlflow, _broker, _server_programs, _airflow, _workers)
    return [*[program for part in own for program in part(layout)], guard(layout)]


def guard(layout: Layout) -> Program:
    """Return the program that ends the others when supervisord dies."""
    return Program(
        GUARD,
        (sys.executable, "-m", "stack.guard", str(layout.state), str(layout.pidfile)),
        WORKERS,
    )


def _airflow(layout: Layout) -> list[Program]:
    airflow = (sys.executable, "-m", "airflow")
    return [
        Program(
            "api-server",
            (*airflow, "api-server"),
            SERVERS,
            url=layout.airflow_url,
            port=layout.settings.airflow_port,
            port_setting="PERENNIAL_AIRFLOW_PORT",
        ),
        # Logs are read from the disk; the two log servers would listen on fixed ports of all
        # interfaces.
        Program("scheduler", (*airflow, "scheduler", "--skip-serve-logs"), WORKERS),
        Program("dag-processor", (*airflow, "dag-processor"), WORKERS),
        Program("triggerer", (*airflow, "triggerer", "--skip-serve-logs"), WORKERS),
    ]


def _broker(layout: Layout) -> list[Program]:
    if not runs_broker(layout):
        return []
    url = f"unix://{socket_of(layout)}"
    return [Program("broker", broker_command(layout), SERVERS, url=url)]


def _workers(layout: Layout) -> list[Program]:
    if not uses_celery(layout):
        return []
    names = [f"worker-{number}" for number in range(1, layout.settings.celery_workers + 1)]
    return [Program(name, worker_command(layout, name), WORKERS) for name in names]


def _mlflow(layout: Layout) -> list[Program]:
    if not layout.runs_mlflow:
        return []
    port = layout.settings.mlflow_port
    options = {
        "--backend-store-uri": layout.mlflow_database,
        "--artifacts-destination": str(layout.mlflow / "artifacts"),
        "--host": HOST,
        "--port": str(port),
        "--workers": "1",
    }
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        *[part for option in options.items() for part in option],
    ]
    return [
        Program(
            "mlflow",
            tuple(command),
            SERVERS,
            url=layout.mlflow_url,
            port=port,
            port_setting="PERENNIAL_MLFLOW_PORT",
        )
    ]


def _server_programs(layout: Layout) -> list[Program]:
    if not layout.runs_serving:
        return []
    port = layout.settings.serving_port
    command = (sys.executable, "-m", "serving")
    return [
        Program(
            "serving",
            command,
            SERVERS,
            url=layout.serving_url,
            port=port,
            port_setting="PERENNIAL_SERVING_PORT",
        )
    ]
