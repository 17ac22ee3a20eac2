"""A running stack, as the end-to-end tests look at it: by REST, by its command, by its ports."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import psutil

from pipelines.ports import ConfiguredPorts
from pipelines.settings import load_settings
from pipelines.spec import load_all
from stack import control
from stack.airflow_api import AirflowApi
from stack.dags import await_dags
from stack.keys import USER, password
from stack.layout import Layout
from stack.patience import Patience
from stack.processes import cpu_seconds, stack_processes
from tests.conftest import ROOT
from tests.unit.alerts.receivers import webhook
from tests.worlds import as_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipelines.ledger import Entry
    from pipelines.settings import Settings
    from tests.unit.alerts.receivers import Received
    from tests.worlds import World

MODEL = "sales"
"""The small model that most tests run."""

RETRAIN, DRIFT, ROLLBACK = f"retrain_{MODEL}", f"drift_{MODEL}", f"rollback_{MODEL}"
DAYS = 10
"""Days of which the small model has data."""

TURNED, BACK = 3, 8
"""Days on which its world turns over, and back: in between, what spoke for a purchase speaks
against it."""

RUN_SECONDS = 900
WAIT_SECONDS = 120


@dataclass(frozen=True)
class Live:
    """A running stack: its world, its settings, Airflow's API, and short ways to what tests look
    at.

    `environ` is what its commands are started with, `webhook` what its alerts are sent to.
    """

    world: World
    settings: Settings
    environ: dict[str, str]
    layout: Layout
    api: AirflowApi
    webhook: Received

    def start(self, model: str, run_id: str, **conf: Any) -> str:
        return self.api.trigger(f"retrain_{model}", conf, run_id)

    def end(self, model: str, run_id: str) -> str:
        return self.api.wait(f"retrain_{model}", run_id, RUN_SECONDS)

    def run(self, model: str, run_id: str, **conf: Any) -> str:
        """Start a retraining, wait for its end, and return its state."""
        self.start(model, run_id, **conf)
        return self.end(model, run_id)

    def start_drift(self, run_id: str, day: int) -> None:
        """Start the drift DAG on the window of a day."""
        self.api.trigger(DRIFT, {"window_end": as_of(day + 1), "reason": "end to end"}, run_id)

    def end_drift(self, run_id: str) -> str:
        return self.api.wait(DRIFT, run_id, RUN_SECONDS)

    def drift(self, run_id: str, day: int) -> str:
        """Run the drift DAG on the window of a day, and return how it ended."""
        self.start_drift(run_id, day)
        return self.end_drift(run_id)

    def retrainings(self) -> list[str]:
        """The runs that the drift DAG has started."""
        runs = self.api._all(f"/api/v2/dags/{RETRAIN}/dagRuns", "dag_runs")
        return sorted(r["dag_run_id"] for r in runs if r["dag_run_id"].startswith("drift__"))

    def states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """The state of each task; of mapped ones, of each index."""
        return {
            t.task if t.index < 0 else f"{t.task} {t.label}": t.state
            for t in self.api.tasks(dag_id, run_id)
        }

    def tries(self, dag_id: str, run_id: str, task: str) -> int:
        """How often a task was tried; of mapped ones, the one that was tried most."""
        return max(t.tries for t in self.api.tasks(dag_id, run_id) if t.task == task)

    def result(self, model: str, run_id: str, task: str, index: int = -1) -> Any:
        return self.api.result(f"retrain_{model}", run_id, task, index)

    def last_log(self, dag_id: str, run_id: str, task: str) -> str:
        """The log of a task's last try."""
        return self.api.log(dag_id, run_id, task, attempt=self.tries(dag_id, run_id, task))

    def clear(self, dag_id: str, run_id: str, task: str) -> None:
        """Clear a task and those after it, as a person does in the UI."""
        body = {
            "dry_run": False,
            "dag_run_id": run_id,
            "task_ids": [task],
            "include_downstream": True,
            "only_failed": False,
        }
        answer = self.api._send("POST", f"/api/v2/dags/{dag_id}/clearTaskInstances", json=body)
        assert answer.status_code == 200, answer.text

    def pause(self, dag_id: str, *, paused: bool) -> None:
        answer = self.api._send("PATCH", f"/api/v2/dags/{dag_id}", json={"is_paused": paused})
        assert answer.status_code == 200, answer.text

    def ledger(self, model: str, kind: Any = None) -> list[Entry]:
        return ConfiguredPorts(self.settings).ledger.entries(model, kind)

    def champions(self) -> set[str | None]:
        """The champion's version by ledger, registry and server: one, where they agree."""
        ports = ConfiguredPorts(self.settings)
        champion = ports.ledger.champion(MODEL)
        assert champion is not None
        return {champion.version, ports.registry.alias(MODEL), self.describe(MODEL)["version"]}

    def ask(self, model: str, rows: list[dict[str, Any]]) -> httpx.Response:
        return httpx.post(
            f"{self.layout.serving_url}/models/{model}/predict", json={"rows": rows}, timeout=30
        )

    def describe(self, model: str) -> dict[str, Any]:
        """What the server says of a model."""
        body: dict[str, Any] = httpx.get(
            f"{self.layout.serving_url}/models/{model}", timeout=30
        ).json()
        return body

    def until(self, arrived: Callable[[], Any], what: str, *, pause_seconds: float = 0.3) -> Any:
        """Wait for what the stack works on, as long as it works: on a busy machine that is long.

        Return what `arrived` returns.
        """
        patience = Patience(
            WAIT_SECONDS,
            lambda: cpu_seconds(
                process.pid for process in stack_processes(str(self.settings.state))
            ),
        )
        while not (value := arrived()):
            assert not patience.is_over, f"{what}: not after {patience.seconds:.0f} s"
            time.sleep(pause_seconds)
        return value

    def pids(self) -> dict[str, int | None]:
        """The process of each program."""
        return {health.name: health.pid for health in control.status(self.layout)}

    def kill_program(self, name: str) -> None:
        pid = self.pids()[name]
        assert pid is not None, f"{name} does not run"
        psutil.Process(pid).kill()

    def is_healthy(self) -> bool:
        return all(health.is_healthy for health in control.status(self.layout))

    def is_back(self, name: str, other_than: int | None) -> bool:
        """Whether a program is well and is another process than the killed one."""
        [health] = [health for health in control.status(self.layout) if health.name == name]
        return health.is_healthy and health.pid != other_than

    def step_process(self, step: str) -> psutil.Process | None:
        """The process of a step that is at work in this stack."""
        for process in psutil.process_iter(["cmdline"]):
            command = process.info["cmdline"] or []
            if "pipelines" in command and step in command:
                with contextlib.suppress(psutil.Error):
                    if process.environ().get("PERENNIAL_STATE") == str(self.settings.state):
                        return process
        return None

    def kill_step(self, step: str) -> None:
        """Kill a step's process as soon as it is there."""
        self.await_step(step).kill()

    def await_step(self, step: str) -> psutil.Process:
        process: psutil.Process = self.until(
            lambda: self.step_process(step), f"{step} begins", pause_seconds=0.1
        )
        return process

    def stack(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command `python -m stack`."""
        return run_stack(self.environ, *arguments)

    def perennial(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command `perennial`."""
        return _run(self.environ, "pipelines", *arguments)


@contextlib.contextmanager
def running(world: World, environ: dict[str, str]) -> Iterator[Live]:
    """Start a stack on a world's home, wait for its DAGs, and end it behind the block."""
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


def run_stack(environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command `python -m stack`, as people do."""
    return _run(environ, "stack", *arguments)


def _run(environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )


def programs(stack: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    """What `python -m stack status --json` says of each program."""
    return {program["name"]: program for program in json.loads(stack.stdout)}


def stack_environ(home: str, ports: dict[str, int]) -> dict[str, str]:
    """Return the environment of a stack on ports of its own."""
    outer = {k: v for k, v in os.environ.items() if not k.startswith("PERENNIAL_")}
    return outer | {
        **{f"PERENNIAL_{name}_PORT": str(port) for name, port in ports.items()},
        "PERENNIAL_HOME": home,
        "PERENNIAL_STATE": f"{home}/var",
        "PERENNIAL_LOCK_TIMEOUT_SECONDS": "120",
        # Every retraining makes its page of candidates; what that may take is tested elsewhere,
        # and so are plots.
        "PERENNIAL_COMPARISON_SECONDS": "1",
        "PERENNIAL_PLOTS": "false",
    }


def free_ports(*names: str) -> dict[str, int]:
    """Return a free port for each name."""
    with contextlib.ExitStack() as probes:
        sockets = {name: probes.enter_context(socket.socket()) for name in names}
        for each in sockets.values():
            each.bind(("127.0.0.1", 0))
        return {name: each.getsockname()[1] for name, each in sockets.items()}
