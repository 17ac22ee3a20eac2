"""How long everything stands still after a `kill -9`, whatever is hit, at random moments.

`python -m benchmarks.kills`.

A stack of its own runs. In each round a run is under way, some process is killed at a random
moment, and a run of another DAG is asked for at once. Measured: how long until a task of the second
run begins, until the first run has ended, and until all programs are healthy. Both runs are of no
worth: nothing was ever deployed, so their rollback has nothing to go back to and fails.
"""

from __future__ import annotations

import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from benchmarks.loop import _free_port
from benchmarks.report import Measure, is_tiny, show, write
from pipelines.errors import PerennialError
from pipelines.settings import load_settings, quiet
from pipelines.spec import load_all
from stack import control
from stack.airflow_api import AirflowApi
from stack.dags import await_dags
from stack.keys import USER, password
from stack.layout import Layout
from stack.processes import stack_processes

ROUNDS = int(os.environ.get("ROUNDS", "50"))
SEED = 17
ASKED_SECONDS = 60
"""Of a killed worker, whose lock would stop all tasks for ever."""

PATIENCE = 600
UNDER_WAY, ASKED_FOR = "rollback_bike_demand", "rollback_flight_delays"
CONF = {"reason": "a kill"}
WORKER, IDLE = "airflow worker -- LocalExecutor", "<idle>"
Find = Callable[[Layout], list[psutil.Process]]


def find_program(name: str) -> Find:
    """Return a function that finds this program of the stack."""
    return lambda layout: [
        psutil.Process(health.pid)
        for health in control.status(layout)
        if health.name == name and health.pid
    ]


def find_helpers(layout: Layout) -> list[psutil.Process]:
    """Find processes that a program started for itself.

    MLflow's and the server's workers, Airflow's forks.
    """
    heads = {health.pid for health in control.status(layout)}
    own = {"mlflow", "serving", "api-server", "dag-processor", "triggerer"}
    return [
        process
        for process, name in stack_processes(str(layout.state)).items()
        if name in own and process.pid not in heads
    ]


def find_workers(layout: Layout, *, idle: bool) -> list[psutil.Process]:
    """Find the LocalExecutor's workers that wait for a task, or those that are at work."""
    titles = {process: _title(process) for process in stack_processes(str(layout.state))}
    return [
        process
        for process, title in titles.items()
        if title.startswith(WORKER) and (IDLE in title) == idle
    ]


def find_tasks(layout: Layout) -> list[psutil.Process]:
    """Find the processes of tasks: the children of busy workers."""
    return [child for worker in find_workers(layout, idle=False) for child in _children(worker)]


def find_steps(layout: Layout) -> list[psutil.Process]:
    """Find the processes of steps: the children of tasks."""
    return [child for task in find_tasks(layout) for child in _children(task)]


VICTIMS: dict[str, Find] = {
    "scheduler": find_program("scheduler"),
    "idle worker": lambda layout: find_workers(layout, idle=True),
    "busy worker": lambda layout: find_workers(layout, idle=False),
    "task": find_tasks,
    "step": find_steps,
    "API server": find_program("api-server"),
    "DAG processor": find_program("dag-processor"),
    "triggerer": find_program("triggerer"),
    "MLflow": find_program("mlflow"),
    "server": find_program("serving"),
    "helper of a program": find_helpers,
    "guard": find_program("guard"),
}


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children()
    except psutil.Error:
        return []


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where a killed worker stopped all tasks for longer than asked."""
    tiny = is_tiny(__doc__, argv)
    quiet()
    chance = random.Random(SEED)
    order = (
        ["idle worker", "scheduler"]
        if tiny
        else [list(VICTIMS)[number % len(VICTIMS)] for number in range(ROUNDS)]
    )
    chance.shuffle(order)
    with tempfile.TemporaryDirectory(prefix="pb-") as folder:
        ports = {
            f"PERENNIAL_{name}_PORT": str(_free_port()) for name in ("AIRFLOW", "MLFLOW", "SERVING")
        }
        environ = {**os.environ, **ports, "PERENNIAL_STATE": str(Path(folder) / "v")}
        layout = Layout(load_settings(environ))
        control.up(layout, environ, say=lambda _: None, timeout_seconds=240)
        try:
            with AirflowApi(layout.airflow_url, USER, password(layout.secrets), tries=20) as api:
                await_dags(api, load_all(layout.settings.models)[0].values(), timeout_seconds=120)
                took: list[tuple[str, float, float, float]] = []
                for victim in order:
                    took.append((victim, *run_round(layout, api, victim, chance)))
                    if not tiny:
                        # It takes long: what was measured before somebody stops it stays.
                        write("kills", measures(took))
        finally:
            control.down(layout, say=lambda _: None)
    rows = measures(took)
    show(f"{len(took)} kills", rows)
    return 0 if tiny or all(row["value"] <= ASKED_SECONDS for row in rows if row["asked"]) else 1


def run_round(
    layout: Layout, api: AirflowApi, victim: str, chance: random.Random
) -> tuple[float, float, float]:
    """Kill one; return the seconds until a task began, the run under way had ended, and all was
    healthy.
    """
    run = api.trigger(UNDER_WAY, CONF)
    time.sleep(chance.uniform(0, 5))
    while not (targets := VICTIMS[victim](layout)):
        if api.state(UNDER_WAY, run) in {"success", "failed"}:
            run = api.trigger(UNDER_WAY, CONF)
        time.sleep(0.05)
    killed_at = time.monotonic()
    try:
        chance.choice(sorted(targets, key=lambda process: process.pid)).kill()
    except psutil.NoSuchProcess:
        return run_round(layout, api, victim, chance)
    second = f"kill-{time.time_ns()}"
    _wait_until(killed_at, lambda: bool(api.trigger(ASKED_FOR, CONF, second)))
    began = _wait_until(killed_at, lambda: any(task.start for task in api.tasks(ASKED_FOR, second)))
    end_seconds = _wait_until(killed_at, lambda: api.state(UNDER_WAY, run) in {"success", "failed"})
    _wait_until(killed_at, lambda: api.state(ASKED_FOR, second) in {"success", "failed"})
    healthy = _wait_until(
        killed_at, lambda: all(health.is_healthy for health in control.status(layout))
    )
    print(
        f"{victim}: a task began after {began:.0f} s, the run ended after {end_seconds:.0f} s,"
        f" healthy after {healthy:.0f} s",
        flush=True,
    )
    return began, end_seconds, healthy


def _wait_until(since: float, is_over: Callable[[], bool]) -> float:
    while not _ask(is_over):
        if time.monotonic() - since > PATIENCE:
            raise SystemExit(f"Nothing moved for {PATIENCE} s.")
        time.sleep(0.3)
    return time.monotonic() - since


def _ask(is_over: Callable[[], bool]) -> bool:
    try:
        return is_over()
    except PerennialError:  # Airflow's API is away: that is what is measured
        return False


def measures(took: list[tuple[str, float, float, float]]) -> list[Measure]:
    """Return the longest of all first, then by victim."""
    rows: list[Measure] = [
        {
            "measure": f"longest stand-still after {len(took)} kills",
            "value": _most(took, 1),
            "unit": "s",
            "asked": "",
        },
        {
            "measure": "its median",
            "value": round(statistics.median(row[1] for row in took), 1),
            "unit": "s",
            "asked": "",
        },
        {
            "measure": "longest until the run under way had ended",
            "value": _most(took, 2),
            "unit": "s",
            "asked": "",
        },
        {
            "measure": "longest until all programs were healthy",
            "value": _most(took, 3),
            "unit": "s",
            "asked": "",
        },
    ]
    for victim in VICTIMS:
        rounds = [row for row in took if row[0] == victim]
        if rounds:
            name = f"longest stand-still, {victim} killed ({len(rounds)} times)"
            target = f"<= {ASKED_SECONDS}" if victim.endswith("worker") else ""
            rows.append({"measure": name, "value": _most(rounds, 1), "unit": "s", "asked": target})
    return rows


def _most(took: list[tuple[str, float, float, float]], column: int) -> float:
    return round(max(float(row[column]) for row in took), 1)


if __name__ == "__main__":
    raise SystemExit(main())
