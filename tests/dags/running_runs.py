"""Running runs in a metadata database of Airflow's, each with one task at work and one to come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from airflow.models import import_all_models
from airflow.models.base import Base
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from sqlalchemy import insert

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.orm import Session

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
RUNS = 30
"""More than the 20 that the scheduler looks at in a round."""


def make_tables(engine: Engine) -> None:
    """Make Airflow's tables in an empty database."""
    import_all_models()
    Base.metadata.create_all(engine)


def add_runs(session: Session) -> None:
    """Add thirty running runs, the last of which was looked at last."""
    session.add(DagBundleModel(name="b"))
    session.flush()
    for number in range(RUNS):
        _add_run(session, dag_of(number), NOW + timedelta(seconds=number))


def _add_run(session: Session, dag: str, looked: datetime) -> None:
    session.add(DagModel(dag_id=dag, bundle_name="b", is_paused=False, is_stale=False))
    session.flush()
    run = DagRun(
        dag_id=dag, run_id="r", run_type="manual", state="running", run_after=NOW, start_date=NOW
    )
    run.last_scheduling_decision = looked
    session.add(run)
    session.flush()
    for task, state in (("ingest", "running"), ("validate", None)):
        _add_task(session, dag, task, state, looked - timedelta(seconds=1))


def _add_task(session: Session, dag: str, task: str, state: str | None, at: datetime) -> None:
    table = TaskInstance.__table__
    session.execute(
        insert(table).values(
            id=uuid4(), dag_id=dag, run_id="r", task_id=task, map_index=-1, state=state,
            pool="default_pool", pool_slots=1, updated_at=at, try_number=1, max_tries=0,
        )
    )  # fmt: skip


def dag_of(number: int) -> str:
    """Return the DAG of the run with this number, from 0."""
    return f"retrain_{number:02d}"


def end_task(
    session: Session, number: int, state: str, at: datetime, *, task: str = "ingest"
) -> None:
    """Let a task of the run, by default the one at work, be in another state since a moment."""
    table = TaskInstance.__table__
    ended = table.c.dag_id == dag_of(number), table.c.task_id == task
    session.execute(table.update().where(*ended).values(state=state, updated_at=at))


def looked_at(session: Session) -> list[str]:
    """Return whose runs the scheduler looks at next, in its order."""
    session.expire_all()
    return [run.dag_id for run in DagRun.get_running_dag_runs_to_examine(session=session)]
