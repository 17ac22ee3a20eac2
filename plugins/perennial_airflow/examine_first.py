"""A run in which a task has ended is the next that the scheduler looks at.

Airflow's scheduler looks at some running runs a round, first at those it has not seen for longest.
Where a hundred retrainings are under way, of which nearly all wait for their turn, a task that has
ended is seen many rounds later, and only then the task after it begins. Runs without a time of
their last look come first: so the times of those in which something has happened are taken away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import exists, select, update
from sqlalchemy.exc import OperationalError

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

ENDED = ("success", "failed", "skipped", "upstream_failed", "removed")
AT_MOST = 20
"""So many runs a round: the scheduler looks at 10."""


class ExaminesFirst:
    """Makes an executor, at each of its rounds, put first those runs in which a task has ended."""

    def heartbeat(self) -> None:
        """Do what the executor does in a round; then look which tasks have ended."""
        super().heartbeat()  # type: ignore[misc]
        from airflow.utils.session import create_session

        try:
            with create_session() as session:
                examine_first(session)
        except OperationalError as error:
            # The order is for speed alone: all runs are looked at in any order.
            log: Any = self.log  # type: ignore[attr-defined]
            log.warning("Runs are examined in no special order now: %s", error)


def examine_first(session: Session) -> int:
    """Put first those running runs in which a task has ended since the scheduler's last look.

    Returns how many they are. Runs of a DAG that is paused keep their time: Airflow ends them by
    it. Runs that another scheduler looks at in this moment are not waited for.
    """
    from airflow.models.dag import DagModel
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.sqlalchemy import with_row_locks

    has_news = exists().where(
        TaskInstance.dag_id == DagRun.dag_id,
        TaskInstance.run_id == DagRun.run_id,
        TaskInstance.state.in_(ENDED),
        TaskInstance.updated_at > DagRun.last_scheduling_decision,
    )
    looked_at = DagModel.is_paused.is_(False), DagModel.is_stale.is_(False)
    wanted: Any = (
        select(DagRun.id)
        .join(DagModel, DagModel.dag_id == DagRun.dag_id)
        .where(DagRun.state == "running", *looked_at, has_news)
        .limit(AT_MOST)
    )
    locked = with_row_locks(wanted, of=DagRun, session=session, skip_locked=True)
    runs = list(session.scalars(locked))
    if runs:
        first = update(DagRun).where(DagRun.id.in_(runs)).values(last_scheduling_decision=None)
        session.execute(first.execution_options(synchronize_session=False))
    return len(runs)
