"""An operator, executed as a worker does it."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

from perennial_airflow.places.process import Process
from perennial_airflow.places.step_operator import StepOperator

ECHO = "record({'request': request, 'model': model})"


def dag_run(
    conf: object = None, *, kind: str = "manual", end: datetime | None = None
) -> SimpleNamespace:
    return SimpleNamespace(
        conf=conf,
        run_type=kind,
        run_after=datetime(2024, 5, 1, 12, tzinfo=UTC),
        data_interval_end=end,
    )


def execute(
    command: tuple[str, ...],
    step: str = "features",
    *,
    run: SimpleNamespace | None = None,
    **parameters,
):
    task = StepOperator(task_id=step, step=step, model="demo", place=Process(command), **parameters)
    return task.execute({"run_id": "by hand 1", "dag_run": run or dag_run()})
