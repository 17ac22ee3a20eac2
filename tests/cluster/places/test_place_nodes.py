"""Steps whose node is gone: a node that the cluster knows, and that no machine answers for."""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, datetime

import pytest
from airflow.sdk.exceptions import AirflowException

from tests.cluster.places.pods import await_until, context, operator, the_name

pytestmark = [
    pytest.mark.cluster,
]


@pytest.fixture
def gone(core, namespace):
    """A node that was Ready a moment ago, and will not be heard of again."""
    name = f"gone-{uuid.uuid4().hex[:8]}"
    taint = {"key": "gone", "value": name, "effect": "NoSchedule"}
    core.create_node(
        {"metadata": {"name": name, "labels": {"gone": name}}, "spec": {"taints": [taint]}}
    )
    now = datetime.now(UTC).isoformat()
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": now}
    room = {"cpu": "2", "memory": "4Gi", "pods": "10"}
    core.patch_node_status(
        name, {"status": {"conditions": [ready], "capacity": room, "allocatable": room}}
    )
    yield name
    for pod in core.list_namespaced_pod(namespace).items:
        core.delete_namespaced_pod(pod.metadata.name, namespace, grace_period_seconds=0)
    core.delete_node(name)


@pytest.fixture
def known(settings, gone):
    return settings.replace(
        kubernetes_steps_nodes=f"gone={gone}",
        kubernetes_steps_tolerations="gone:NoSchedule",
        kubernetes_steps_pending_seconds=5,
        kubernetes_away_seconds=5,
    )


def test_a_node_that_never_begins_is_named_and_no_second_pod_follows_the_first(known, gone):
    with pytest.raises(AirflowException, match=f"not begun within 5 s.* on {gone}"):
        operator(known).execute(context())
    with pytest.raises(
        AirflowException,
        match=f"of an earlier try is still on its node {gone}.*no second one was started.*--force",
    ) as caught:
        operator(known).execute(context())
    assert type(caught.value) is AirflowException


def test_a_node_that_goes_while_a_step_is_at_work_is_named(known, gone, core, namespace):
    name = the_name(known)

    def say_that_it_runs():
        await_until(
            lambda: [
                pod
                for pod in core.list_namespaced_pod(namespace).items
                if pod.metadata.name == name and pod.spec.node_name
            ]
        )
        status = {
            "name": "step",
            "ready": True,
            "image": "x",
            "imageID": "x",
            "restartCount": 0,
            "state": {"running": {"startedAt": datetime.now(UTC).isoformat()}},
        }
        body = {"status": {"phase": "Running", "containerStatuses": [status]}}
        core.patch_namespaced_pod_status(name, namespace, body)

    thread = threading.Thread(target=say_that_it_runs)
    thread.start()
    with pytest.raises(
        AirflowException, match=f"The node {gone} has not answered for 5 s.*kubectl get nodes"
    ) as caught:
        operator(known).execute(context())
    thread.join()
    assert type(caught.value) is AirflowException
