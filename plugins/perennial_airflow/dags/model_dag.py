"""What all DAGs of a model have in common: how they are scheduled, retried and asked."""

from __future__ import annotations

from contextlib import contextmanager
from copy import copy
from datetime import timedelta
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Param
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.definitions.timetables.simple import NullTimetable
from airflow.timetables.trigger import CronTriggerTimetable

from perennial_airflow.dag_names import dag_name
from pipelines.spec import PRESETS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow.sdk.definitions.deadline import DeadlineAlert

    from pipelines.spec import Spec

RETRIES = {
    "retries": 2,
    "retry_delay": timedelta(seconds=10),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=5),
}

FIRST_RUN_GRACE = timedelta(minutes=5)
"""A DAG that is parsed so long after its schedule was due still runs for it. A fleet of a thousand
that are due at once needs two minutes."""

MOMENT = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})?$"
"""A date and time as JSON carries it; without a zone it is UTC."""


def moment_param(title: str, description: str) -> Param:
    """Return a param for a moment that may be left out."""
    return Param(
        None,
        type=["null", "string"],
        format="date-time",
        pattern=MOMENT,  # Airflow checks a `format` only where a library for it is there
        title=title,
        description=description,
    )


def reason_param() -> Param:
    """Return the param that says why a run was started."""
    return Param(
        # The form of Airflow's UI wants a value before it lets a run start; by API, none is needed
        "by hand",
        type="string",
        maxLength=500,
        title="Reason",
        description="Why this run was started; it stands in the ledger.",
    )


@contextmanager
def model_dag(
    spec: Spec,
    kind: str,
    *,
    schedule: str | None,
    params: Mapping[str, Param],
    doc: str,
    deadline: DeadlineAlert | None = None,
) -> Iterator[DAG]:
    """Yield the model's DAG of this kind: tasks that are made within are its own.

    One run at a time, never catching up, running from the start.

    `schedule` is a spec's: a preset without its `@`, cron fields, or None. `doc` is the DAG's page
    in the UI, in Markdown; `deadline` is when a run should have ended.
    """
    with DAG(
        dag_id=dag_name(kind, spec.name),
        description=spec.description,
        schedule=timetable(schedule),
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,  # a run of a paused DAG waits for ever
        # A DAG file names those that it defines; `broken_specs.py` makes them only to see whether
        # it can
        auto_register=False,
        default_args={"owner": spec.owner, **RETRIES},
        tags=list(dict.fromkeys(["perennial", kind, spec.name, spec.task, *spec.tags])),
        doc_md=doc,
        deadline=deadline,
        **_configured(),
    ) as dag:
        yield dag
    # Set behind the tasks: each task would get a copy of every param. And set around the DAG's own
    # check of them, which takes a twelfth of a parse: they are constants, whose defaults tests hold
    # against their schemas. They are copied, because Airflow writes the values of a run into them.
    object.__setattr__(dag, "params", ParamsDict({n: copy(p) for n, p in params.items()}))


@lru_cache(maxsize=256)
def timetable(schedule: str | None) -> CronTriggerTimetable | NullTimetable:
    """Return the timetable of a spec's schedule (UTC). Its first run is the next one that is due,
    or one that was due within `FIRST_RUN_GRACE`.

    With a start date in the past, or by its defaults, Airflow would run a new DAG at once for the
    interval that has just ended. With no grace a first run would be lost where the DAG is parsed
    after it was due and before the scheduler has made it, which takes a second for ten DAGs.

    Of a schedule it is the scheduler's own class, one for all DAGs that have it: of the one for DAG
    files Airflow makes such a one at each parse of each DAG, and describes the cron fields in
    words. Without a schedule it is the one for DAG files, which is compared faster.
    """
    if schedule is None:
        return NullTimetable()
    expression = (
        f"@{schedule.removeprefix('@')}" if schedule.removeprefix("@") in PRESETS else schedule
    )
    return CronTriggerTimetable(expression, timezone="UTC", run_immediately=FIRST_RUN_GRACE)


@cache
def _configured() -> dict[str, Any]:
    """Return what Airflow takes for each DAG from its configuration, which it reads slowly."""
    dag = DAG("none", schedule=None, auto_register=False)
    names = ("max_active_tasks", "max_consecutive_failed_dag_runs", "disable_bundle_versioning")
    return {name: getattr(dag, name) for name in names}
