"""What each task needs, loaded once in the scheduler.

A LocalExecutor's workers are forked from the scheduler, and each task is a process forked from a
worker. What was loaded before is there in all of them; what was not, each task loads for itself:
Airflow's plugins, and the code that makes its DAG.
"""

from __future__ import annotations

from pipelines.collector import paused_collection


def load_for_tasks() -> None:
    """Load what Airflow's task runner and our DAG files load, and the plugins."""
    with paused_collection():
        from airflow.dag_processing import dagbag  # noqa: F401
        from airflow.sdk.execution_time import supervisor, task_runner  # noqa: F401
        from airflow.sdk.plugins_manager import integrate_macros_plugins

        from perennial_airflow.dags import all_models  # noqa: F401

        integrate_macros_plugins()
