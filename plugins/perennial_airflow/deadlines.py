"""The deadline of a drift run: Airflow itself shows that it was missed, and people are told.

It speaks of runs that there are. A check that never became a run, because Airflow was down or the
DAG paused, has no deadline: that one is read from the ledger (see `pipelines.alerts.incidents`),
and so is what this tells. Whoever is first tells it, once.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.definitions.callback import SyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

from pipelines.spec.schedules import grace_of

if TYPE_CHECKING:
    from pathlib import Path

MARGIN = timedelta(minutes=1)
"""After the grace, so that the check is late by the ledger too when the deadline is missed."""

_SOME_DAY = datetime(2024, 1, 1, tzinfo=UTC)


def deadline_of(schedule: str, alerts: Path | None) -> DeadlineAlert | None:
    """Return the deadline of runs by a schedule; None where nobody is told of anything.

    `alerts` is the file of routes by which people are told, as the settings name it.
    """
    if alerts is None:
        return None
    return DeadlineAlert(
        # Not when it was queued: of such deadlines Airflow 3.3 fails to clear a task (a 500).
        # A run by hand has no logical date, and so no deadline: whoever starts it looks at it.
        reference=DeadlineReference.DAGRUN_LOGICAL_DATE,
        # Of any day, since Airflow wants one length: a DAG must be the same at every parse
        interval=grace_of(schedule, _SOME_DAY) + MARGIN,
        callback=SyncCallback(tell_people),
        name="The drift check is late",
    )


def tell_people(context: Any = None) -> None:
    """Tell what has not been told yet: Airflow calls this when a run has missed its deadline."""
    from perennial_airflow.alerts_operator import deliver

    log = logging.getLogger("airflow.task")
    run = (context or {}).get("dag_run") or {}
    log.info("%s of %s missed its deadline", run.get("dag_run_id"), run.get("dag_id"))
    deliver(log)
