"""A run in which a task has ended is among the next that the scheduler looks at, and first."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.models.dag import DagModel
from perennial_airflow import executors
from perennial_airflow.examine_first import ExaminesFirst, examine_first
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from tests.dags.running_runs import NOW, RUNS, add_runs, dag_of, end_task, looked_at, make_tables


@pytest.fixture(scope="module")
def engine():
    engine = create_engine("sqlite://")
    make_tables(engine)
    return engine


@pytest.fixture
def session(engine):
    """Thirty running runs, the last of which was looked at last, each with a task at work."""
    with engine.connect() as connection, connection.begin() as transaction:
        session = Session(connection)
        add_runs(session)
        yield session
        transaction.rollback()


def test_without_news_the_order_is_the_scheduler_s(session):
    before = looked_at(session)
    assert len(before) < RUNS
    assert examine_first(session) == 0
    assert looked_at(session) == before == [dag_of(n) for n in range(len(before))]


@pytest.mark.parametrize("state", ["success", "failed", "skipped"])
def test_a_run_whose_task_has_ended_is_first(session, state):
    end_task(session, RUNS - 1, state, NOW + timedelta(seconds=RUNS))
    assert dag_of(RUNS - 1) not in looked_at(session)
    assert examine_first(session) == 1
    assert looked_at(session)[0] == dag_of(RUNS - 1)
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
    dag = session.get(DagModel, dag_of(RUNS - 1))
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
