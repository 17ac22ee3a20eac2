"""The environment in which every program of the stack runs.

Our settings, Airflow's and MLflow's.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from pipelines.bucket_variables import bucket_variables
from pipelines.settings import PREFIX, QUIET
from stack.celery import celery_settings, uses_celery
from stack.keys import API_SECRET, FERNET_KEY, JWT_SECRET, PASSWORDS, USER, print_command
from stack.layout import CHECKOUT, HOST, LOCK_SECONDS
from stack.signing import requires_signatures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stack.layout import Layout

MARK = "PERENNIAL_STACK"
"""In the environment of every process of a stack: the stack's state folder.

By it a stack knows its own processes, even those whose parents were killed.
"""

BROKER_URL = f"{PREFIX}BROKER_URL"
"""It may hold a password: Airflow reads it from a file, and nobody else needs it."""

BUNDLE = {
    "name": "dags-folder",  # Airflow's own name for it: what was there before stays where it is
    "classpath": "perennial_airflow.model_folders.ModelFolders",
    "kwargs": {},
}
"""Where Airflow finds the DAG files."""

AIRFLOW_CFG = """\
# Perennial's stack gives Airflow its settings in the environment (stack/environment.py).
# This file stays empty, so that Airflow does not write one with keys of its own.
# To run Airflow's command: python -m stack run airflow …
"""


def environment(layout: Layout, outer: Mapping[str, str]) -> dict[str, str]:
    """Return what the programs see.

    `outer`, without what Airflow would take for its own, and the stack's settings.
    """
    outer_variables = {
        name: value
        for name, value in outer.items()
        if not name.startswith(("AIRFLOW_", "_AIRFLOW_", "SUPERVISOR_")) and name != BROKER_URL
    }
    path = os.pathsep.join([str(CHECKOUT), *filter(None, [outer.get("PYTHONPATH")])])
    return {
        **QUIET,
        # MLflow's server shows artifacts that steps have put into the bucket.
        **bucket_variables(layout.settings),
        **outer_variables,
        "PYTHONPATH": path,
        **_perennial(layout),
        **_airflow(layout),
        **_mlflow(layout),
    }


def _perennial(layout: Layout) -> dict[str, str]:
    settings = layout.settings
    values = {
        "home": settings.home,
        "state": layout.state,
        "airflow_port": settings.airflow_port,
        "mlflow_port": settings.mlflow_port,
        "serving_port": settings.serving_port,
        "mlflow_uri": layout.mlflow_url if layout.runs_mlflow else settings.mlflow_uri,
        "serving_url": settings.serving_url,
        "require_signature": requires_signatures(settings),
    }
    return {PREFIX + name.upper(): str(value) for name, value in values.items()}


def _airflow(layout: Layout) -> dict[str, str]:
    names = (FERNET_KEY, JWT_SECRET, API_SECRET)
    secret = {name: print_command(layout.secrets / name) for name in names}
    sections: dict[str, dict[str, object]] = {
        "CORE": {
            # local: a LocalExecutor that sees when its queue is stuck
            "EXECUTOR": f"perennial_airflow.executors.{layout.settings.executor}",
            "DAGS_FOLDER": CHECKOUT / "dags",
            "PLUGINS_FOLDER": CHECKOUT / "plugins",
            "LOAD_EXAMPLES": False,
            "DAGS_ARE_PAUSED_AT_CREATION": False,
            # 800 MB; Airflow's 32 take 1.1 GB, and two cores have no use for them
            "PARALLELISM": 4,
            "EXECUTION_API_SERVER_URL": f"{layout.airflow_url}/execution/",
            "SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": layout.secrets / PASSWORDS,
            "FERNET_KEY_CMD": secret[FERNET_KEY],
        },
        "DATABASE": {"SQL_ALCHEMY_CONN": layout.airflow_database},
        "API": {
            "HOST": HOST,  # Airflow's default is 0.0.0.0
            "PORT": layout.settings.airflow_port,
            "BASE_URL": layout.airflow_url,
            "INSTANCE_NAME": "Perennial",
            "SECRET_KEY_CMD": secret[API_SECRET],
        },
        "API_AUTH": {"JWT_SECRET_CMD": secret[JWT_SECRET]},
        "SCHEDULER": {
            "SCHEDULER_IDLE_SLEEP_TIME": 0.3,  # ten chained tasks take 4 s instead of 10 s
            # Runs with news come first (Airflow's 20 make rounds long, where all others wait)
            "MAX_DAGRUNS_PER_LOOP_TO_SCHEDULE": 10,
            # A task whose worker was killed is tried again after this (Airflow's: 300 s)
            "TASK_INSTANCE_HEARTBEAT_TIMEOUT": 120,
            # What a dead scheduler queued begins again (Airflow looks every 300 s)
            "ORPHANED_TASKS_CHECK_INTERVAL": 30,
            # What a killed Celery worker had taken and not begun is handed out again after this:
            # Airflow's 10 min are long, the broker's day longer. It fails after half an hour.
            "TASK_QUEUED_TIMEOUT": 120,
            "TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": 30,
            "NUM_STUCK_IN_QUEUED_RETRIES": 14,
        },
        "WORKERS": {
            # With Airflow's 3, an API server away for 15 s kills tasks
            "MAX_FAILED_HEARTBEATS": 20,
            # A task that cannot tell the API server of its start fails, without a word in its log:
            # with Airflow's 5 s and 5 times, on a busy machine within half a minute. A server that
            # is restarted refuses at once: it takes many short waits.
            "EXECUTION_API_TIMEOUT": 60,
            "EXECUTION_API_RETRIES": 15,
            "EXECUTION_API_RETRY_WAIT_MAX": 15,  # seconds between two of them (Airflow's: 90)
        },
        "DAG_PROCESSOR": {
            # A file for each group of models; one is parsed when a folder of its models has changed
            "DAG_BUNDLE_CONFIG_LIST": json.dumps([BUNDLE]),
            "DAG_BUNDLE_STORAGE_PATH": layout.airflow / "bundles",
            "REFRESH_INTERVAL": 3,
            "BUNDLE_REFRESH_CHECK_INTERVAL": 1,
            "MIN_FILE_PROCESS_INTERVAL": 120,  # for what no folder tells of
        },
        "LOGGING": {
            "BASE_LOG_FOLDER": layout.airflow / "logs",
            "COLORED_CONSOLE_LOG": False,
            # Airflow sets modes by itself: 775 and 664
            "FILE_TASK_HANDLER_NEW_FOLDER_PERMISSIONS": "0o700",
            "FILE_TASK_HANDLER_NEW_FILE_PERMISSIONS": "0o600",
        },
        "USAGE_DATA_COLLECTION": {"ENABLED": False},
    }
    if uses_celery(layout):
        for section, options in celery_settings(layout).items():
            sections[section] = {**sections.get(section, {}), **options}
    flat = {
        f"AIRFLOW__{section}__{name}": str(value)
        for section, options in sections.items()
        for name, value in options.items()
    }
    # Airflow renames its processes; without SPT_NOENV that overwrites the environment by which the
    # stack finds them.

    return {"AIRFLOW_HOME": str(layout.airflow), "SPT_NOENV": "1", **flat}


def _mlflow(layout: Layout) -> dict[str, str]:
    # Job execution is on by default, and its endpoints have been open to everybody before.
    variables = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    if not layout.runs_mlflow:
        return variables
    # Longer than the server waits for its database, so that nobody gives up what is still done.
    patient = {"MLFLOW_HTTP_REQUEST_TIMEOUT": str(2 * LOCK_SECONDS)}
    return {**variables, **patient, "MLFLOW_TRACKING_URI": layout.mlflow_url}
