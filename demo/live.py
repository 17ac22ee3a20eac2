"""A DAG run as a table that lives: tasks, durations, rows, scores."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.live import Live
from rich.markup import escape
from rich.table import Table

from pipelines.errors import TryAgain
from pipelines.plurals import how_many
from pipelines.steps.catalogue import STEPS
from pipelines.verdicts import words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console, RenderableType

    from stack.airflow_api import AirflowApi, TaskRun

POLL_SECONDS = 0.7
TIMEOUT_SECONDS = 1_200
ORDER = tuple(
    task for step in STEPS for task in (("start", "await", step) if step == "report" else (step,))
)
"""The tasks as the DAGs run them; `start` and `await` of the drift DAG are no steps."""

_ERROR = "ERROR "
"""How a step's log begins the line of what ended it."""
COLOURS = {
    "success": "green",
    "running": "yellow",
    "deferred": "yellow",
    "failed": "red",
    "upstream_failed": "red",
    "up_for_retry": "yellow",
    "skipped": "cyan",
}
FAILED = {"failed", "up_for_retry"}
DONE = {"success", "failed", "skipped", "upstream_failed"}
ENDED = {"success", "failed"}


class WatchedRun:
    """One DAG run that is asked for again and again; what its tasks returned is asked for once."""

    def __init__(self, api: AirflowApi, dag_id: str, run_id: str, metric: str) -> None:
        """Watch that run; nothing is asked yet."""
        self._api = api
        self.dag_id = dag_id
        self.run_id = run_id
        self.state = ""
        self.results: dict[tuple[str, int], Any] = {}
        self._errors: dict[tuple[str, int, int], str] = {}
        self._metric = metric
        self._tasks: list[TaskRun] = []
        self._begin = time.monotonic()

    def refresh(self) -> bool:
        """Ask Airflow once; tell whether the run and all its tasks have ended.

        Raises TryAgain where it takes far too long.
        """
        self._tasks = self._api.tasks(self.dag_id, self.run_id)
        for task in self._tasks:
            key = (task.task, task.index)
            if task.state == "success" and key not in self.results:
                self.results[key] = self._api.result(
                    self.dag_id, self.run_id, task.task, task.index
                )
            if task.state in FAILED and (*key, task.tries) not in self._errors:
                log = self._api.log(self.dag_id, self.run_id, *key, attempt=task.tries)
                self._errors[*key, task.tries] = last_error(log)
        self.state = self._api.state(self.dag_id, self.run_id)
        if time.monotonic() - self._begin > TIMEOUT_SECONDS:
            raise TryAgain(
                f"The run {self.run_id} has not ended after {TIMEOUT_SECONDS} s.",
                remedy="look at it in Airflow's UI.",
            )
        return self.state in ENDED and all(t.state in DONE for t in self._tasks)

    def result(self, task: str) -> Any:
        """Return what a task returned, or None so far."""
        return self.results.get((task, -1))

    def table(self) -> Table:
        """Return the tasks as a table."""
        title = f"{self.dag_id} · {self.run_id} · {time.monotonic() - self._begin:.0f} s"
        table = Table(title=title, title_justify="left", expand=False)
        for column in ("task", "state", "seconds", "what came of it"):
            table.add_column(column, justify="right" if column == "seconds" else "left")
        for task in sorted(
            self._tasks,
            key=lambda t: (ORDER.index(t.task) if t.task in ORDER else len(ORDER), t.index),
        ):
            state = task.state or "waiting"
            name = f"{task.task} {task.label}" if task.label else task.task
            seconds = f"{task.seconds:.1f}" if task.seconds is not None else ""
            outcome = self._outcome(task)
            table.add_row(name, f"[{COLOURS.get(state, 'dim')}]{state}[/]", seconds, outcome)
        return table

    def _outcome(self, task: TaskRun) -> str:
        """Return what came of a task in words; the candidate that the gate has chosen is marked.

        Of one that has failed it is the error in its log.
        """
        if task.state in FAILED:
            return escape(self._errors.get((task.task, task.index, task.tries), ""))
        result = self.results.get((task.task, task.index))
        words = describe_result(task.task, result, self._metric)
        winner = (self.result("gate") or {}).get("candidate")
        if task.task == "train" and winner and result and result["candidate"] == winner:
            return f"{words}  <- chosen"
        return words


@contextmanager
def display(console: Console) -> Iterator[Callable[[RenderableType], None]]:
    """Yield a function that shows something in the place of what it showed before.

    Without a terminal there is no such place: the last one alone is printed, at the end.
    """
    if console.is_terminal:
        with Live(console=console, refresh_per_second=4) as live:
            yield live.update
        return
    renderables: list[RenderableType] = []
    try:
        yield renderables.append
    finally:
        console.print(*renderables[-1:])


def watch(run: WatchedRun, console: Console) -> str:
    """Show the run until it ends and return its state: success or failed."""
    with display(console) as show:
        while not run.refresh():
            show(run.table())
            time.sleep(POLL_SECONDS)
        show(run.table())
    return run.state


def last_error(log: str) -> str:
    """Return the last error that a step has written into its log; empty where it wrote none."""
    lines = [line for line in log.splitlines() if line.startswith(_ERROR)]
    return lines[-1].removeprefix(_ERROR) if lines else ""


def describe_result(task: str, result: Any, metric: str) -> str:
    """Return what a task returned, as one would say it."""
    if not isinstance(result, dict):
        return ""
    score = _score((result.get("metrics") or {}).get(metric))
    texts = {
        "ingest": lambda: (
            f"{how_many(result['rows'], 'row')} in {how_many(result['batches'], 'batch')}"
        ),
        "validate": lambda: (
            f"{how_many(result['expectations'], 'expectation')},"
            f" {how_many(len(result['warnings']), 'warning')}"
        ),
        "features": lambda: (
            f"{how_many(result['rows'], 'row')}, revision {result['version']['revision'][:10]}"
        ),
        "train": lambda: (
            f"{metric} {_score(result['cv_score'])} in cross-validation, {score} on"
            f" {how_many(result['rows_holdout'], 'held-out row')};"
            f" {how_many(result['settings_tried'], 'setting')} tried"
        ),
        "gate": lambda: (
            f"{result['verdict']}: {words.challenger(result['candidate'], result['version'])},"
            f" chosen by cross-validation; {metric} {score} held out"
        ),
        "package": lambda: (
            f"compiled to ONNX, answers differ by {result['parity']:.1e} at most"
            if result["compiled"]
            else f"served natively: {result['why_native']}"
        ),
        "deploy": lambda: f"version {result['version']} serves (release {result['release']})",
        "close": lambda: f"MLflow run {result['state']}",
        "drift": lambda: (
            f"{words.plain(result['verdict'])} in {result['rows']:,} rows,"
            f" {result['labelled']:,} with labels"
        ),
        "decide": lambda: (
            f"start {result['run_id']}"
            if result["start"]
            else f"no retraining: {result['why']}"[:90]
        ),
        "await": lambda: f"the retraining ended: {result['state']}",
        "report": lambda: words.plain(result["outcome"]),
    }
    return texts[task]() if task in texts else ""


def _score(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.3f}"
