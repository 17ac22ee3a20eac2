"""A small client of Airflow's REST API.

Start a run, watch it, read what its tasks returned and why they failed.
"""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any, Self

import httpx
import tenacity

from pipelines.errors import RequestError, TryAgain, Unreachable
from pipelines.refs import Value
from stack.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Mapping

CREATED = 201
UNAUTHORIZED = 401
NOT_FOUND = 404
CONFLICT = 409
SERVER_ERROR = 500
PAGE = 100
"""Airflow's largest page."""

ENDED = frozenset({"success", "failed"})


class TaskRun(Value):
    """One task of a run (of a mapped one, one index): its last try."""

    task: str
    index: int
    label: str
    state: str | None
    tries: int
    seconds: float | None
    start: str | None
    end: str | None


class AirflowApi:
    """Speaks to one Airflow as one user; a token is fetched when one is needed.

    Answers that may come later are tried again.
    """

    def __init__(
        self, url: str, user: str, password: str, *, timeout_seconds: float = 30, tries: int = 5
    ) -> None:
        """Remember where and who; nothing is sent yet."""
        self._client = httpx.Client(base_url=url, timeout=timeout_seconds, trust_env=False)
        self._login = {"username": user, "password": password}
        self._token = ""
        self._tries = tries

    def __enter__(self) -> Self:
        """Return itself; its connections are closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._client.close()

    def trigger(
        self, dag_id: str, conf: Mapping[str, Any] | None = None, run_id: str | None = None
    ) -> str:
        """Start a run and return its id.

        The same `run_id` a second time starts nothing and is no error.

        Raises RequestError where the DAG is paused (its run would wait for ever), not there, or
        refuses the conf.
        """
        if self._get(f"/api/v2/dags/{dag_id}")["is_paused"]:
            raise RequestError(
                f"The DAG {dag_id} is paused; a run of it would wait for ever.",
                remedy=f"unpause {dag_id} in Airflow's UI.",
            )
        run_id = run_id or f"api__{uuid.uuid4()}"
        body = {"logical_date": None, "dag_run_id": run_id, "conf": dict(conf or {})}
        headers = {"content-type": "application/json"}
        answer = self._send(
            "POST", f"/api/v2/dags/{dag_id}/dagRuns", content=json.dumps(body), headers=headers
        )
        if answer.status_code != CONFLICT:
            _read_json(answer, f"starting {dag_id}")
        return run_id

    def state(self, dag_id: str, run_id: str) -> str:
        """Return the run's state: queued, running, success or failed."""
        return str(self._get(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def runs(self, dag_id: str) -> list[str]:
        """Return the ids of a DAG's runs."""
        return [
            str(run["dag_run_id"])
            for run in self._all(f"/api/v2/dags/{dag_id}/dagRuns", "dag_runs")
        ]

    def wait(self, dag_id: str, run_id: str, timeout_seconds: float) -> str:
        """Return the state in which the run ended.

        Raises TryAgain where it has not ended in time and its tasks do not get on either.
        """
        patience = Patience(
            timeout_seconds,
            lambda: tuple((task.state, task.tries) for task in self.tasks(dag_id, run_id)),
        )
        while (state := self.state(dag_id, run_id)) not in ENDED:
            if patience.is_over:
                raise TryAgain(
                    f"The run {run_id} of {dag_id} is still {state} after {patience.seconds:.0f} s."
                )
            time.sleep(0.5)
        return state

    def tasks(self, dag_id: str, run_id: str) -> list[TaskRun]:
        """Return the tasks of a run, those that began first before the others."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        tasks = [_task_run(row) for row in self._all(path, "task_instances")]
        return sorted(
            tasks, key=lambda task: (task.start is None, task.start or "", task.task, task.index)
        )

    def result(self, dag_id: str, run_id: str, task: str, index: int = -1) -> Any:
        """Return what a task returned (its XCom), or None where there is nothing."""
        path = (
            f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task}/xcomEntries/return_value"
        )
        answer = self._send("GET", path, params={"map_index": index, "deserialize": "true"})
        if answer.status_code == NOT_FOUND:
            return None
        value = _read_json(answer, f"reading the result of {task}")["value"]
        return json.loads(value) if isinstance(value, str) else value

    def log(self, dag_id: str, run_id: str, task: str, index: int = -1, attempt: int = 1) -> str:
        """Return the log of one try of a task, one event a line."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task}/logs/{attempt}"
        answer = self._send(
            "GET",
            path,
            params={"map_index": index, "full_content": "true"},
            headers={"accept": "application/json"},
        )
        content = _read_json(answer, f"reading the log of {task}")["content"]
        return "\n".join(
            _log_line(line) if isinstance(line, dict) else str(line) for line in content
        )

    def dag_ids(self) -> list[str]:
        """Return the ids of all DAGs, sorted."""
        return sorted(str(row["dag_id"]) for row in self._all("/api/v2/dags", "dags"))

    def import_errors(self) -> dict[str, str]:
        """Return what broke while DAG files were read, by file."""
        return {
            str(row["filename"]): str(row["stack_trace"])
            for row in self._all("/api/v2/importErrors", "import_errors")
        }

    def _all(self, path: str, key: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        while True:
            body = self._get(path, limit=PAGE, offset=len(rows))
            rows += body[key]
            if len(rows) >= body["total_entries"] or not body[key]:
                return rows

    def _get(self, path: str, **params: Any) -> Any:
        return _read_json(self._send("GET", path, params=params), f"reading {path}")

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send, again where the server is away or stumbles.

        Raises Unreachable naming the address.
        """
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._tries),
            wait=tenacity.wait_exponential(multiplier=0.3, max=5),
            retry=tenacity.retry_if_exception_type((httpx.TransportError, _Stumble)),
            reraise=True,
        )
        try:
            return retrying(self._send_once, method, path, options)
        except (httpx.TransportError, _Stumble) as error:
            raise Unreachable(
                f"Airflow at {self._client.base_url} does not answer: {error}",
                remedy="python -m stack status",
            ) from error

    def _send_once(self, method: str, path: str, options: Mapping[str, Any]) -> httpx.Response:
        for _ in range(2):
            if not self._token:
                self._log_in()
            answer = self._client.request(
                method,
                path,
                **{**options, "headers": {**options.get("headers", {}), **self._bearer()}},
            )
            if answer.status_code != UNAUTHORIZED:
                break
            self._token = ""
        if answer.status_code >= SERVER_ERROR:
            raise _Stumble(f"{answer.status_code} {answer.text[:200]}")
        return answer

    def _bearer(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._token}"}

    def _log_in(self) -> None:
        answer = self._client.post("/auth/token", json=self._login)
        if answer.status_code >= SERVER_ERROR:
            raise _Stumble(f"{answer.status_code} at /auth/token")
        if answer.status_code != CREATED:
            raise RequestError(
                f"Airflow does not let {self._login['username']!r} in ({answer.status_code}).",
                remedy="check user and password.",
            )
        self._token = answer.json()["access_token"]


class _Stumble(Exception):
    """The server failed by its own fault."""


def _read_json(answer: httpx.Response, doing: str) -> Any:
    """Return the answer's JSON. Raises RequestError with what Airflow said."""
    if answer.is_success:
        return answer.json()
    raise RequestError(f"Airflow refused {doing} ({answer.status_code}): {answer.text[:500]}")


def _log_line(line: Mapping[str, Any]) -> str:
    """Return a log event in one line.

    What happened, and the reason or the exceptions that came with it.
    """
    reasons = [str(line["reason"])] if line.get("reason") else []
    errors = [
        f"{error.get('exc_type')}: {error.get('exc_value')}"
        for error in line.get("error_detail") or []
    ]
    return " | ".join([str(line.get("event", "")), *reasons, *errors])


def _task_run(row: Mapping[str, Any]) -> TaskRun:
    return TaskRun(
        task=row["task_id"],
        index=row["map_index"],
        label=row.get("rendered_map_index") or "",
        state=row["state"],
        tries=row["try_number"],
        seconds=row["duration"],
        start=row["start_date"],
        end=row["end_date"],
    )
