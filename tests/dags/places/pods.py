"""Pods as the cluster tells of them, and the tasks that ask for one."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from kubernetes.client import models as k8s
from perennial_airflow.places.pod_setup import CONTAINER

from tests.dags.places.worker_settings import settings


def known(**given: str):
    """The settings of a worker whose steps' state is a claim."""
    return settings(**{"kubernetes_steps_volume": "state", **given})


def values(found) -> dict[str, str]:
    """What stands in a pod's environment, of secrets where they are."""
    return {
        each.name: each.value
        if each.value_from is None
        else f"{each.value_from.secret_key_ref.name}/{each.value_from.secret_key_ref.key}"
        for each in found
    }


def context(run: str = "by hand 1", step: str = "train", **changes: Any) -> dict[str, Any]:
    facts = {"dag_id": "retrain_demo", "task_id": step, "run_id": run, "map_index": -1}
    ti = SimpleNamespace(**{**facts, "try_number": 1, **changes})
    return {"run_id": run, "ti": ti, "dag": SimpleNamespace()}


def pod(
    *,
    phase: str = "Pending",
    node: str | None = "node1",
    conditions: tuple[tuple[str, str, str, str], ...] = (),
    state: k8s.V1ContainerState | None = None,
    reason: str | None = None,
    message: str | None = None,
    is_going: bool = False,
) -> k8s.V1Pod:
    """Return a pod; `conditions` are type, status, reason and message."""
    status = k8s.V1ContainerStatus(
        name=CONTAINER, image="x", image_id="x", ready=False, restart_count=0, state=state
    )
    return k8s.V1Pod(
        metadata=k8s.V1ObjectMeta(
            name="p", uid="1", deletion_timestamp=datetime.now(UTC) if is_going else None
        ),
        spec=k8s.V1PodSpec(
            containers=[k8s.V1Container(name=CONTAINER, image="perennial/steps:1")],
            node_name=node,
            active_deadline_seconds=60,
        ),
        status=k8s.V1PodStatus(
            phase=phase,
            reason=reason,
            message=message,
            conditions=[
                k8s.V1PodCondition(type=kind, status=is_so, reason=why, message=words)
                for kind, is_so, why, words in conditions
            ],
            container_statuses=None if state is None else [status],
        ),
    )


def waiting(reason: str, message: str | None = None) -> k8s.V1ContainerState:
    return k8s.V1ContainerState(waiting=k8s.V1ContainerStateWaiting(reason=reason, message=message))


def ended(code: int, reason: str = "Error", message: str | None = None) -> k8s.V1ContainerState:
    end = k8s.V1ContainerStateTerminated(exit_code=code, reason=reason, message=message)
    return k8s.V1ContainerState(terminated=end)
