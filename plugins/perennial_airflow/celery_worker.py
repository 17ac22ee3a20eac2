"""What a Celery worker loads before it forks the processes in which tasks are done.

Celery imports this module where its setting `imports` names it.
"""

from __future__ import annotations

from typing import Any

from celery.signals import celeryd_init

from perennial_airflow.before_tasks import load_for_tasks


@celeryd_init.connect  # type: ignore[untyped-decorator]  # celery has no types
def load(**_: Any) -> None:
    """Load what tasks need: once in a worker, not in each task."""
    load_for_tasks()
