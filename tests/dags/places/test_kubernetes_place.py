"""How a pod is made and removed where answers are lost, on a cluster that lies in memory."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from kubernetes.client import ApiException
from kubernetes.client import models as k8s
from perennial_airflow.places.cluster import Cluster
from perennial_airflow.places.kubernetes_place import TRY, KubernetesPlace
from perennial_airflow.places.pod_setup import CONTAINER, OURS
from urllib3.exceptions import ProtocolError

from pipelines.errors import Busy, Conflict, GiveUp, Unreachable
from tests.dags.places.pods import ended


def refusal(status: int, message: str) -> ApiException:
    error = ApiException(status=status, reason="x")
    error.body = json.dumps({"message": message})
    return error


class Core:
    """One pod's place in a namespace: each pod ends well at once, and says nothing."""

    def __init__(self, faults=()):
        self.faults = list(faults)
        self.pods: dict[str, k8s.V1Pod] = {}
        self.made = 0
        self.removed: list[tuple[str, int | None]] = []
        self.stays = False
        self.api_client = SimpleNamespace(call_api=lambda *_, **__: Silent(), close=lambda: None)

    def put(self, pod, uid):
        pod.metadata.uid = uid
        pod.status = k8s.V1PodStatus(
            phase="Succeeded",
            container_statuses=[
                k8s.V1ContainerStatus(
                    name=CONTAINER,
                    image="x",
                    image_id="x",
                    ready=False,
                    restart_count=0,
                    state=ended(0, "Completed"),
                )
            ],
        )
        self.pods[pod.metadata.name] = pod

    def create_namespaced_pod(self, _namespace, pod, **_):
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, ApiException):
            raise fault
        if pod.metadata.name in self.pods:
            raise refusal(409, "already exists")
        self.made += 1
        self.put(pod, f"uid-{self.made}")
        if fault is not None:
            raise fault
        return pod

    def read_namespaced_pod(self, name, _namespace, **_):
        if name not in self.pods:
            raise refusal(404, f'pods "{name}" not found')
        return self.pods[name]

    def delete_namespaced_pod(self, name, _namespace, body, **_):
        self.removed.append((body["preconditions"]["uid"], body.get("gracePeriodSeconds")))
        if name not in self.pods:
            raise refusal(404, f'pods "{name}" not found')
        if not self.stays:
            del self.pods[name]


class Silent:
    def stream(self, _):
        return iter(())

    def close(self):
        pass


def pod(labels=OURS, mark="mine"):
    return k8s.V1Pod(
        metadata=k8s.V1ObjectMeta(name="p", labels=dict(labels), annotations={TRY: mark}),
        spec=k8s.V1PodSpec(containers=[k8s.V1Container(name=CONTAINER)], node_name="node1"),
    )


def run(core, pending_seconds=1.0, act=lambda _: None):
    place = KubernetesPlace(Cluster(core, "demo", 3), pod(), pending_seconds=pending_seconds)
    with place.start("train", "demo", '{"a": "$(SECRET)"}') as running:
        act(running)
        return running.follow(lambda *_: None)


def test_a_step_runs_once_and_its_pod_is_removed():
    core = Core()
    assert run(core) == 0
    assert (core.made, core.pods, core.removed) == (1, {}, [("uid-1", 0)])


def test_a_request_reaches_the_pod_with_its_dollars_doubled():
    core, seen = Core(), []
    core.stays = True
    assert run(core) == 0
    seen = core.pods["p"].spec.containers[0].args
    assert seen == ["train", "--model", "demo", "--request", '{"a": "$$(SECRET)"}']


def test_a_pod_whose_making_was_not_answered_is_taken_for_ours_and_not_made_twice():
    core = Core([ProtocolError("the answer was lost")])
    assert run(core) == 0
    assert (core.made, core.pods) == (1, {})


def test_a_pod_of_an_earlier_try_is_removed_and_another_is_made():
    core = Core()
    core.put(pod(mark="earlier"), "old")
    assert run(core) == 0
    assert core.removed == [("old", 0), ("uid-1", 0)]


def test_a_pod_of_an_earlier_try_that_stays_is_named_and_none_is_made():
    core = Core()
    core.put(pod(mark="earlier"), "old")
    core.stays = True
    with pytest.raises(Busy, match="still on its node node1 after 1 s"):
        run(core)
    assert core.made == 0


def test_a_pod_that_is_no_steps_is_left_alone():
    core = Core()
    core.put(pod(labels={"app": "other"}, mark="foreign"), "foreign")
    with pytest.raises(Conflict, match="taken by a pod that is not a step's"):
        run(core)
    assert core.removed == []


def test_a_pod_that_is_not_ours_any_more_is_not_removed_at_the_end():
    """A later try has put its own in our place: what we remove is known by its id."""
    core = Core()
    place = KubernetesPlace(Cluster(core, "demo", 3), pod(), pending_seconds=1)
    with place.start("train", "demo", "{}") as running:
        running.follow(lambda *_: None)
        core.put(pod(mark="later"), "later")
    assert core.removed == [("uid-1", 0)]


def test_a_task_that_is_killed_while_it_waits_for_room_makes_no_pod():
    core = Core([refusal(403, "exceeded quota: one")] * 10)
    assert run(core, pending_seconds=60, act=lambda running: running.stop()) == -15
    assert core.made == 0


def test_a_refusal_is_not_asked_again():
    core = Core([refusal(403, "failed quota: q: must specify limits.memory")])
    with pytest.raises(GiveUp, match="must specify"):
        run(core)
    assert core.made == 0


def test_tls_that_breaks_off_is_a_cluster_that_is_away_and_not_a_crash():
    """The client stumbles over its own error, which has no body."""

    def break_off():
        raise ApiException(status=0, reason="SSLError\nEOF occurred")

    def ask(**_):
        try:
            break_off()
        except ApiException as error:
            return error.body.decode()

    with pytest.raises(Unreachable, match="SSLError EOF occurred"):
        Cluster(Core(), "demo", 1).ask(ask)
