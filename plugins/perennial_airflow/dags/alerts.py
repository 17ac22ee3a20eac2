"""The DAG `alerts`: tells people what has happened to all models, every few minutes."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable

from perennial_airflow.alerts_operator import TellPeople
from perennial_airflow.dag_names import ALERTS
from pipelines.settings import load_settings

SCHEDULE = "*/5 * * * *"

DOC = """
### Tell people

Every five minutes it reads from the ledger what must be told and has not been told yet,
and sends it by the routes of `PERENNIAL_ALERTS`: one message for an incident,
and one when it is over for good. It depends on no other DAG, so it tells of their failures too.

**A run is red** when a service took no message, or when the file of the routes is no good.
Nothing is lost by it: the next run sends what is left.

By hand: `perennial alert --test` shows the routes, `perennial alert --pending` what is left,
`perennial alert --deliver` sends it. See docs/alerts.md.
"""


def alerts() -> dict[str, DAG]:
    """Return the DAG by its id; nothing where no routes are set.

    The file of the routes is not read here: it is a secret, and what is wrong with it is said by
    the task.
    """
    if load_settings().alerts is None:
        return {}
    with DAG(
        dag_id=ALERTS,
        description="Tells people what has happened to the models.",
        schedule=CronTriggerTimetable(SCHEDULE, timezone="UTC", run_immediately=timedelta(0)),
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,
        auto_register=False,
        # No retries: the next run comes in five minutes, and tries by itself
        default_args={"owner": "perennial", "retries": 0},
        tags=["perennial", ALERTS],
        doc_md=DOC,
    ) as dag:
        TellPeople(task_id="tell", execution_timeout=timedelta(minutes=30))
    return {ALERTS: dag}
