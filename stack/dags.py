"""Waits until Airflow has read the DAG files, and says in words what it could not read."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from stack.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipelines.spec import Spec
    from stack.airflow_api import AirflowApi

POLL_SECONDS = 0.5


def await_dags(api: AirflowApi, specs: Iterable[Spec], timeout_seconds: float) -> list[str]:
    """Wait until each model has its DAGs.

    Return sentences about what is missing or broken (none: all is well).

    The wait goes on beyond `timeout_seconds` as long as more and more of them are there.
    """
    specs = list(specs)
    kinds = ("retrain", "rollback", "prove")
    dag_names = {f"{kind}_{spec.name}" for kind in kinds for spec in specs}
    dag_names |= {f"drift_{spec.name}" for spec in specs if spec.drift}
    patience = Patience(timeout_seconds, lambda: len(dag_names & set(api.dag_ids())))
    while (absent_names := dag_names - set(api.dag_ids())) and not patience.is_over:
        time.sleep(POLL_SECONDS)
    messages = [f"warning: Airflow has no DAG {name} yet." for name in sorted(absent_names)]
    for file, trace in api.import_errors().items():
        messages.append(f"warning: Airflow cannot read {file}: {_reason(trace)}")
    return messages


def _reason(trace: str) -> str:
    """Return the exception at a traceback's end, with all its lines."""
    lines = trace.strip().splitlines()
    frames = [number for number, line in enumerate(lines) if line.startswith((" ", "Traceback"))]
    return "\n".join(lines[frames[-1] + 1 :] if frames else lines)
