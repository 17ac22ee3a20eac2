"""What each task needs, loaded once: in the scheduler, or in each Celery worker.

A LocalExecutor's workers are forked from the scheduler, Celery's from the worker's first process,
and each task is a process forked from one of them. What was loaded before is there in all of them;
what was not, each task loads for itself: Airflow's plugins, and the code that makes its DAG.
"""

from __future__ import annotations

from perennial_airflow.prompt_ends import see_ends_at_once
from pipelines.collector import paused_collection


def load_for_tasks() -> None:
    """Load what Airflow's task runner and our DAG files load, and the plugins."""
    with paused_collection():
        from airflow.dag_processing import dagbag  # noqa: F401
        from airflow.sdk.execution_time import supervisor, task_runner  # noqa: F401
        from airflow.sdk.plugins_manager import integrate_macros_plugins

        from perennial_airflow.dags import all_models  # noqa: F401

        integrate_macros_plugins()
    see_ends_at_once()
