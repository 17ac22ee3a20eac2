"""Steps in pods of a real cluster, which run the Python code of their request."""

from __future__ import annotations

import contextlib
import json
import time
from datetime import UTC, datetime
from types import SimpleNamespace

from perennial_airflow.places.kubernetes import KubernetesStepOperator
from perennial_airflow.places.pod_setup import pod_name

WAIT_SECONDS = 90
WHILE_AT_WORK = "say('at work')\ntime.sleep(600)"


def context(run: str = "by hand 1", conf: object = None, step: str = "features") -> dict:
    dag_run = SimpleNamespace(
        conf=conf,
        run_type="manual",
        run_after=datetime(2024, 5, 1, 12, tzinfo=UTC),
        data_interval_end=None,
    )
    ti = SimpleNamespace(
        dag_id="retrain_demo", task_id=step, run_id=run, map_index=-1, try_number=1
    )
    return {"run_id": run, "dag_run": dag_run, "ti": ti, "dag": SimpleNamespace()}


def operator(settings, code: str = "", step: str = "features", **parameters):
    request = {"code": code} if code else {}
    return KubernetesStepOperator(
        task_id=step, step=step, model="demo", settings=settings, request=request, **parameters
    )


def the_name(settings, run: str = "by hand 1", step: str = "features") -> str:
    return pod_name(settings, "demo", step, "retrain_demo", run, -1)


@contextlib.contextmanager
def started(task: KubernetesStepOperator, code: str, run: str = "by hand 1"):
    with task._place(context(run)).start(
        task.step, task.model, json.dumps({"code": code})
    ) as running:
        yield running


class Heard:
    """What a step said, line by line; `act` is called at the first line."""

    def __init__(self, act=lambda: None) -> None:
        self.lines: list[str] = []
        self._act = act

    def __call__(self, _stream: str, line: str) -> None:
        self.lines.append(line)
        if len(self.lines) == 1:
            self._act()


def await_until(condition, seconds: float = WAIT_SECONDS):
    """Return what the condition gives as soon as that is something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.2)
    raise AssertionError(f"not within {seconds} s")
