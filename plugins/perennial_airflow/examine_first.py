"""A run in which a task has ended is the next that the scheduler looks at.

Airflow's scheduler looks at some running runs a round, first at those it has not seen for longest.
Where a hundred retrainings are under way, of which nearly all wait for their turn, a task that has
ended is seen many rounds later, and only then the task after it begins. Runs without a time of
their last look come first: so the times of those in which something has happened are taken away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, update
from sqlalchemy.exc import OperationalError

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

ENDED = ("success", "failed", "skipped", "upstream_failed", "removed")
AT_MOST = 20
"""So many runs a round: the scheduler looks at 10."""


class ExaminesFirst:
    """Makes an executor, at each of its rounds, put first those runs in which a task has ended."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Know of no run yet."""
        super().__init__(*arguments, **options)
        self.news = News()

    def heartbeat(self) -> None:
        """Do what the executor does in a round; then look which tasks have ended."""
        super().heartbeat()  # type: ignore[misc]
        from airflow.utils.session import create_session

        try:
            with create_session() as session:
                self.news.examine_first(session)
        except OperationalError as error:
            # The order is for speed alone: all runs are looked at in any order.
            log: Any = self.log  # type: ignore[attr-defined]
            log.warning("Runs are examined in no special order now: %s", error)


class News:
    """What one scheduler knows of the running runs: how many tasks of each have ended.

    Times are not compared: that of a task's end is by the clock of an API server, that of a run's
    last look by a scheduler's.
    """

    def __init__(self) -> None:
        """Know of no run: each in which a task has ended is news, once."""
        self._ended: dict[int, int] = {}

    def examine_first(self, session: Session) -> int:
        """Put first those running runs of which more or fewer tasks have ended than was known.

        Returns how many they are. Runs of a DAG that is paused keep their time: Airflow ends them
        by it. Runs that another scheduler looks at in this moment are not waited for.
        """
        from airflow.models.dagrun import DagRun
        from airflow.utils.sqlalchemy import with_row_locks

        ended = _ended_tasks(session)
        self._ended = {run: self._ended[run] for run in ended if run in self._ended}
        news = [run for run in ended if self._ended.get(run, 0) != ended[run]]
        if not news:
            return 0
        wanted = select(DagRun.id).where(DagRun.id.in_(news)).limit(AT_MOST)
        locked = with_row_locks(wanted, of=DagRun, session=session, skip_locked=True)
        runs = list(session.scalars(locked))
        first = update(DagRun).where(DagRun.id.in_(runs)).values(last_scheduling_decision=None)
        session.execute(first.execution_options(synchronize_session=False))
        self._ended |= {run: ended[run] for run in runs}
        return len(runs)


def _ended_tasks(session: Session) -> dict[int, int]:
    """Return of each running run at which the scheduler looks how many tasks have ended."""
    from airflow.models.dag import DagModel
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance

    # Run by run, by an index: joined, PostgreSQL may read the tasks of all runs that ever were.
    its_own = TaskInstance.dag_id == DagRun.dag_id, TaskInstance.run_id == DagRun.run_id
    has_ended = TaskInstance.state.in_(ENDED)
    number = select(func.count()).where(*its_own, has_ended).scalar_subquery()
    looked_at = DagModel.is_paused.is_(False), DagModel.is_stale.is_(False)
    counted: Any = (
        select(DagRun.id, number)
        .join(DagModel, DagModel.dag_id == DagRun.dag_id)
        .where(DagRun.state == "running", *looked_at)
    )
    return dict(session.execute(counted).all())
