"""What a cluster says of pods that do not come up, in words, with what to do."""

from __future__ import annotations

import pytest

from pipelines.deployment.kubernetes.troubles import find_troubles, last_words
from pipelines.errors import GiveUp, Refused, Unreachable

STARTED = {"startTime": "2026-01-01T00:00:00Z"}


def pod(**status):
    return {
        "metadata": {"name": "p-1"},
        "spec": {"nodeName": "node1"},
        "status": {**STARTED, **status},
    }


def container(state, **more):
    return {"name": "server", "image": "perennial/serving:7", "state": state, **more}


def event(reason, message, kind="Warning", at="2026-01-01T00:00:00Z"):
    return {
        "type": kind,
        "reason": reason,
        "message": message,
        "lastTimestamp": at,
        "metadata": {"name": "e"},
        "involvedObject": {"name": "p-1"},
    }


def troubles(*pods, deployment=None, sets=(), events=()):
    return find_troubles(deployment or {}, sets, pods, list(events))


def first(*pods, **more):
    return troubles(*pods, **more)[0]


def test_of_pods_that_come_up_nothing_is_said():
    assert troubles(pod(containerStatuses=[container({"running": {}}, ready=True)])) == []
    waiting = container({"waiting": {"reason": "PodInitializing"}})
    assert troubles(pod(containerStatuses=[waiting])) == []


@pytest.mark.parametrize(
    ("reason", "is_final"),
    [("ErrImagePull", False), ("ImagePullBackOff", False), ("ErrImageNeverPull", True)],
)
def test_an_image_that_cannot_be_pulled(reason, is_final):
    found = first(
        pod(containerStatuses=[container({"waiting": {"reason": reason, "message": "back-off"}})]),
        events=[event("Failed", 'Failed to pull image "perennial/serving:7": no such host')],
    )
    assert "perennial/serving:7" in found.words
    assert "no such host" in found.words
    assert found.kind is GiveUp
    assert found.is_final is is_final
    assert "PERENNIAL_SERVING_IMAGE" in found.remedy


def test_memory_that_does_not_suffice():
    ended = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
    waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
    found = first(pod(containerStatuses=[container(waiting, lastState=ended)]))
    assert found.kind is Refused
    assert found.is_final
    assert "resources.serving.memory" in found.remedy


def test_a_release_that_does_not_prove_itself():
    words = "Startup probe failed: refused: it does not answer as it was packaged: golden request 3"
    found = first(pod(), events=[event("Unhealthy", words)])
    assert found.kind is Refused
    assert found.is_final
    assert found.words.endswith("it does not answer as it was packaged: golden request 3")


def test_a_probe_that_only_was_too_early_is_no_trouble():
    assert troubles(pod(), events=[event("Unhealthy", "not ready: connection refused by it")]) == []


def test_what_gave_up_is_told_in_its_own_words():
    ended = {"terminated": {"reason": "Error", "exitCode": 65, "message": "objects/ab is missing"}}
    found = first(pod(initContainerStatuses=[container(ended)]))
    assert (found.kind, found.is_final) == (GiveUp, True)
    assert "objects/ab is missing" in found.words


@pytest.mark.parametrize(("restarts", "is_final"), [(0, False), (1, False), (2, True)])
def test_a_server_that_ends_again_and_again_is_broken(restarts, is_final):
    ended = {"terminated": {"reason": "Error", "exitCode": 1, "message": "Traceback"}}
    found = first(
        pod(containerStatuses=[container({"waiting": {}}, lastState=ended, restartCount=restarts)])
    )
    assert found.is_final is is_final
    assert found.kind is (Refused if is_final else Unreachable)
    assert "Traceback" in found.words


def test_a_pod_that_no_node_takes():
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/3 nodes are available: 3 Insufficient memory.",
    }
    unplaced = {**pod(conditions=[condition]), "spec": {}}
    found = first(unplaced)
    assert "3 Insufficient memory" in found.words
    assert (found.kind, found.is_final) == (Unreachable, False)
    assert "add nodes" in found.remedy


@pytest.mark.parametrize("owner", ["deployment", "set"])
def test_a_quota_that_is_used_up(owner):
    condition = {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": "FailedCreate",
        "message": 'pods "p-1" is forbidden: exceeded quota: few, requested: pods=1',
    }
    whose = {"status": {"conditions": [condition]}}
    found = first(deployment=whose) if owner == "deployment" else first(sets=[whose])
    assert "exceeded quota: few" in found.words
    assert found.kind is Unreachable
    assert "raise the quota" in found.remedy


def test_a_node_that_is_gone():
    gone = first(pod(), events=[event("NodeNotReady", "Node is not ready")])
    assert "the node node1" in gone.words
    silent = {**pod(), "status": {}}
    assert "the node node1 has not begun with the pod p-1" in first(silent).words
    evicted = first(pod(phase="Failed", reason="Evicted", message="low on memory"))
    assert "Evicted: low on memory" in evicted.words


def test_a_secret_that_is_missing():
    waiting = {"reason": "CreateContainerConfigError", "message": 'secret "key" not found'}
    found = first(pod(containerStatuses=[container({"waiting": waiting})]))
    assert 'secret "key" not found' in found.words
    assert found.kind is GiveUp


def test_what_no_waiting_mends_comes_first():
    oom = container({"terminated": {"reason": "OOMKilled", "exitCode": 137}})
    pulled = container({"waiting": {"reason": "ImagePullBackOff"}})
    found = troubles(pod(containerStatuses=[pulled, oom]))
    assert [t.is_final for t in found] == [True, False]


def test_the_last_warning_is_the_newest():
    events = [
        event("FailedMount", "the second", at="2026-01-01T00:00:09Z"),
        event("FailedMount", "the first", at="2026-01-01T00:00:01Z"),
        event("Scheduled", "well", kind="Normal", at="2026-01-01T00:00:59Z"),
    ]
    assert last_words(events) == "FailedMount: the second"
    assert last_words([]) == ""
