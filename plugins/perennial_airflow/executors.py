"""Airflow's executors by the values of PERENNIAL_EXECUTOR, as the composed stack names them:
`perennial_airflow.executors.celery`. The chart names `kubernetes`, too.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

EXECUTORS = {
    "local": ("perennial_airflow.executor", "VigilantExecutor"),
    "celery": ("perennial_airflow.celery_executor", "PatientCeleryExecutor"),
    "kubernetes": ("perennial_airflow.pod_executor", "PodExecutor"),
}
"""Module and class. Each is imported where it is asked for: the other one costs half a second."""


def __getattr__(name: str) -> Any:
    """Return the executor of this name. Raises AttributeError naming those that there are."""
    if name not in EXECUTORS:
        raise AttributeError(f"PERENNIAL_EXECUTOR is {name!r}; it may be {' or '.join(EXECUTORS)}.")
    module, executor = EXECUTORS[name]
    return getattr(import_module(module), executor)
