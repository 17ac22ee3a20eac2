"""A run in which a task has ended is among the next that the scheduler looks at, and first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from airflow.models import import_all_models
from airflow.models.base import Base
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from perennial_airflow import executors
from perennial_airflow.examine_first import ExaminesFirst, examine_first
from sqlalchemy import create_engine, insert
from sqlalchemy.orm import Session

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
RUNS = 30
"""More than the 20 that the scheduler looks at in a round."""


@pytest.fixture(scope="module")
def engine():
    import_all_models()
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    return engine


@pytest.fixture
def session(engine):
    """Thirty running runs, the last of which was looked at last, each with a task at work."""
    with engine.connect() as connection, connection.begin() as transaction:
        session = Session(connection)
        bundle = session.get(DagBundleModel, "b") or DagBundleModel(name="b")
        session.add(bundle)
        session.flush()
        for number in range(RUNS):
            add_run(session, number)
        yield session
        transaction.rollback()


def add_run(session: Session, number: int) -> None:
    dag = f"retrain_{number:02d}"
    session.add(DagModel(dag_id=dag, bundle_name="b", is_paused=False, is_stale=False))
    session.flush()
    looked = NOW + timedelta(seconds=number)
    run = DagRun(
        dag_id=dag, run_id="r", run_type="manual", state="running", run_after=NOW, start_date=NOW
    )
    run.last_scheduling_decision = looked
    session.add(run)
    session.flush()
    for task, state in (("ingest", "running"), ("validate", None)):
        add_task(session, dag, task, state, looked - timedelta(seconds=1))


def add_task(session: Session, dag: str, task: str, state: str | None, at: datetime) -> None:
    table = TaskInstance.__table__
    session.execute(
        insert(table).values(
            id=uuid4(), dag_id=dag, run_id="r", task_id=task, map_index=-1, state=state,
            pool="default_pool", pool_slots=1, updated_at=at, try_number=1, max_tries=0,
        )
    )  # fmt: skip


def end_task(session: Session, number: int, state: str, at: datetime) -> None:
    dag = f"retrain_{number:02d}"
    table = TaskInstance.__table__
    ended = table.c.dag_id == dag, table.c.task_id == "ingest"
    session.execute(table.update().where(*ended).values(state=state, updated_at=at))


def looked_at(session: Session) -> list[str]:
    session.expire_all()
    return [run.dag_id for run in DagRun.get_running_dag_runs_to_examine(session=session)]


def test_without_news_the_order_is_the_scheduler_s(session):
    before = looked_at(session)
    assert len(before) < RUNS
    assert examine_first(session) == 0
    assert looked_at(session) == before == [f"retrain_{n:02d}" for n in range(len(before))]


@pytest.mark.parametrize("state", ["success", "failed", "skipped"])
def test_a_run_whose_task_has_ended_is_first(session, state):
    end_task(session, RUNS - 1, state, NOW + timedelta(seconds=RUNS))
    assert f"retrain_{RUNS - 1}" not in looked_at(session)
    assert examine_first(session) == 1
    assert looked_at(session)[0] == f"retrain_{RUNS - 1}"
    assert examine_first(session) == 0, "it waits for its turn once"


def test_what_ended_before_the_last_look_is_no_news(session):
    end_task(session, RUNS - 1, "success", NOW)
    assert examine_first(session) == 0


def test_a_task_that_begins_is_no_news(session):
    end_task(session, RUNS - 1, "queued", NOW + timedelta(seconds=RUNS))
    assert examine_first(session) == 0


@pytest.mark.parametrize("state", ["is_paused", "is_stale"])
def test_a_run_of_a_dag_at_which_nobody_looks_keeps_its_time(session, state):
    """Airflow ends runs of paused DAGs by the time of their last look."""
    dag = session.get(DagModel, f"retrain_{RUNS - 1}")
    setattr(dag, state, True)
    session.flush()
    end_task(session, RUNS - 1, "success", NOW + timedelta(seconds=RUNS))
    assert examine_first(session) == 0
    setattr(dag, state, False)
    session.flush()
    assert examine_first(session) == 1


@pytest.mark.parametrize("name", ["local", "celery"])
def test_executors_of_the_stack_do_it(name):
    assert issubclass(getattr(executors, name), ExaminesFirst)
