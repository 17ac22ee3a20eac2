"""A run in which a task has ended is among the next that the scheduler looks at, and first."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from perennial_airflow import executors
from perennial_airflow.examine_first import AT_MOST, ExaminesFirst, News
from sqlalchemy import create_engine, update
from sqlalchemy.orm import Session

from tests.dags.running_runs import NOW, RUNS, add_runs, dag_of, end_task, looked_at, make_tables

LAST = RUNS - 1
LATER = NOW + timedelta(seconds=RUNS)


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


@pytest.fixture
def news():
    return News()


def look(session: Session) -> None:
    """Let the scheduler look at all that it looks at next, and set the time of it."""
    chosen = DagRun.dag_id.in_(looked_at(session))
    seen = update(DagRun).where(chosen).values(last_scheduling_decision=LATER)
    session.execute(seen)


def test_without_news_the_order_is_the_scheduler_s(session, news):
    before = looked_at(session)
    assert len(before) < RUNS
    assert news.examine_first(session) == 0
    assert looked_at(session) == before == [dag_of(n) for n in range(len(before))]


@pytest.mark.parametrize("state", ["success", "failed", "skipped"])
def test_a_run_whose_task_has_ended_is_first(session, news, state):
    end_task(session, LAST, state, LATER)
    assert dag_of(LAST) not in looked_at(session)
    assert news.examine_first(session) == 1
    assert looked_at(session)[0] == dag_of(LAST)


@pytest.mark.parametrize("hours", [-1, 1], ids=["behind", "ahead"])
def test_the_clock_of_the_api_server_does_not_matter(session, news, hours):
    end_task(session, LAST, "success", LATER + timedelta(hours=hours))
    assert news.examine_first(session) == 1
    look(session)
    assert news.examine_first(session) == 0, "it waits for its turn once"
    assert dag_of(LAST) not in looked_at(session)


def test_each_task_that_ends_is_news(session, news):
    for task in ("ingest", "validate"):
        end_task(session, LAST, "success", LATER, task=task)
        assert news.examine_first(session) == 1
        look(session)


def test_what_is_too_much_for_a_round_is_put_first_in_the_next(session, news):
    for number in range(RUNS):
        end_task(session, number, "success", LATER)
    assert [news.examine_first(session) for _ in range(3)] == [AT_MOST, RUNS - AT_MOST, 0]


def test_a_task_that_begins_is_no_news(session, news):
    end_task(session, LAST, "queued", LATER)
    assert news.examine_first(session) == 0


@pytest.mark.parametrize("state", ["is_paused", "is_stale"])
def test_a_run_of_a_dag_at_which_nobody_looks_keeps_its_time(session, news, state):
    """Airflow ends runs of paused DAGs by the time of their last look."""
    dag = session.get(DagModel, dag_of(LAST))
    setattr(dag, state, True)
    session.flush()
    end_task(session, LAST, "success", LATER)
    assert news.examine_first(session) == 0
    setattr(dag, state, False)
    session.flush()
    assert news.examine_first(session) == 1


@pytest.mark.parametrize("name", ["local", "celery", "kubernetes"])
def test_executors_of_the_stack_do_it(name):
    assert issubclass(getattr(executors, name), ExaminesFirst)
