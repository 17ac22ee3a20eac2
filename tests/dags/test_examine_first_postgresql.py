"""Two schedulers on one PostgreSQL put runs first at the same time; neither waits for the other."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.models.dagrun import DagRun
from perennial_airflow.examine_first import AT_MOST, News
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import Session

from tests.contracts.databases import postgresql
from tests.dags.running_runs import NOW, RUNS, add_runs, end_task, looked_at, make_tables


@pytest.fixture(scope="module")
def engine():
    """Airflow's database with thirty running runs; in each a task ended after the last look."""
    with postgresql() as url:
        engine = create_engine(url)
        make_tables(engine)
        with Session(engine) as session:
            add_runs(session)
            for number in range(RUNS):
                end_task(session, number, "success", NOW + timedelta(seconds=RUNS))
            session.commit()
        yield engine
        engine.dispose()


@pytest.fixture
def schedulers(engine):
    """The sessions of two schedulers, which keep nothing. One that waits for a lock is refused."""
    with Session(engine) as first, Session(engine) as second:
        for session in (first, second):
            session.execute(text("set lock_timeout = '2s'"))
        yield first, second


def put_first(session: Session) -> set[str]:
    """Return whose runs are put first, as the session sees them."""
    runs = select(DagRun.dag_id).where(DagRun.last_scheduling_decision.is_(None))
    return set(session.scalars(runs))


def test_two_put_different_runs_first_and_neither_waits(schedulers):
    first, second = schedulers
    assert News().examine_first(first) == AT_MOST
    assert News().examine_first(second) == RUNS - AT_MOST
    assert put_first(first).isdisjoint(put_first(second))
    assert len(put_first(first) | put_first(second)) == RUNS


def test_runs_that_another_one_looks_at_are_left_to_it(schedulers):
    first, second = schedulers
    theirs = set(looked_at(first))
    News().examine_first(second)
    assert theirs
    assert put_first(second)
    assert theirs.isdisjoint(put_first(second))
