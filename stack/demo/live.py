"""A DAG run as a table that lives: tasks, durations, rows, scores."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rich.live import Live
from rich.table import Table

from pipelines.errors import TryAgain

if TYPE_CHECKING:
    from rich.console import Console

    from stack.airflow_api import AirflowApi, TaskRun

POLL_SECONDS = 0.7
ORDER = ("ingest", "validate", "features", "train", "gate", "package", "deploy", "close")
COLOURS = {"success": "green", "running": "yellow", "failed": "red", "upstream_failed": "red", "up_for_retry": "yellow", "skipped": "cyan"}
DONE = {"success", "failed", "skipped", "upstream_failed"}


def watch(api: AirflowApi, dag_id: str, run_id: str, console: Console, *, metric: str, timeout_seconds: float = 1_200) -> str:
    """Show the run until it ends and return its state: success or failed."""
    begin = time.monotonic()
    results: dict[tuple[str, int], Any] = {}
    with Live(console=console, refresh_per_second=4) as live:
        while True:
            tasks = api.tasks(dag_id, run_id)
            for task in tasks:
                key = (task.task, task.index)
                if task.state == "success" and key not in results:
                    results[key] = api.result(dag_id, run_id, task.task, task.index)
            state = api.state(dag_id, run_id)
            live.update(_table(tasks, results, time.monotonic() - begin, metric))
            if state in {"success", "failed"} and all(t.state in DONE for t in tasks):
                return state
            if time.monotonic() - begin > timeout_seconds:
                raise TryAgain(f"The run {run_id} has not ended after {timeout_seconds:.0f} s.", remedy="look at it in Airflow's UI.")
            time.sleep(POLL_SECONDS)


def _table(tasks: list[TaskRun], results: dict[tuple[str, int], Any], seconds: float, metric: str) -> Table:
    table = Table(title=f"{seconds:5.1f} s", title_justify="right", expand=False)
    for column in ("task", "state", "seconds", "what came of it"):
        table.add_column(column, justify="right" if column == "seconds" else "left")
    for task in sorted(tasks, key=lambda t: (ORDER.index(t.task) if t.task in ORDER else len(ORDER), t.index)):
        state = task.state or "waiting"
        name = f"{task.task} {task.label}" if task.label else task.task
        took = f"{task.seconds:.1f}" if task.seconds is not None else ""
        table.add_row(
            name, f"[{COLOURS.get(state, 'dim')}]{state}[/]", took, in_words(task.task, results.get((task.task, task.index)), metric)
        )
    return table


def in_words(task: str, result: Any, metric: str) -> str:
    """Return what a task returned, as one would say it."""
    if not isinstance(result, dict):
        return ""
    score = _score((result.get("metrics") or {}).get(metric))
    said = {
        "ingest": lambda: f"{result['rows']:,} rows in {result['batches']} batches",
        "validate": lambda: f"{result['expectations']} expectations, {len(result['warnings'])} warnings",
        "features": lambda: f"{result['rows']:,} rows, revision {result['version']['revision'][:10]}",
        "train": lambda: f"{metric} {score} on {result['rows_holdout']:,} held-out rows; {result['settings_tried']} settings tried",
        "gate": lambda: f"{result['verdict']}: {result['candidate']} (version {result['version']}), {metric} {score}",
        "package": lambda: (
            f"{'compiled to ONNX' if result['compiled'] else 'native'}, answers differ by {_parity(result['parity'])} at most"
        ),
        "deploy": lambda: f"version {result['version']} serves (release {result['release']})",
        "close": lambda: f"MLflow run {result['state']}",
    }
    return said[task]() if task in said else ""


def _score(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.3f}"


def _parity(value: float | None) -> str:
    return "nothing (not compiled)" if value is None else f"{value:.1e}"
