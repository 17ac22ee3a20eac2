"""How each state of a pod, and each answer of the cluster, is told in words."""

from __future__ import annotations

import json

import pytest
from kubernetes.client import ApiException
from perennial_airflow.places import pod_words
from perennial_airflow.places.cluster import as_error, is_quota

from pipelines.errors import Denied, GiveUp, TryAgain, Unreachable
from tests.dags.places.pods import ended, pod, waiting

SCHEDULED = ("PodScheduled", "True", "", "")


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            pod(
                node=None,
                conditions=(("PodScheduled", "False", "Unschedulable", "0/3 nodes: 3 no cpu."),),
            ),
            "Unschedulable: 0/3 nodes: 3 no cpu.",
        ),
        (pod(node=None), "no scheduler has looked at it"),
        (pod(conditions=(SCHEDULED,)), "Pending on node1"),
        (
            pod(conditions=(SCHEDULED,), state=waiting("ContainerCreating")),
            "ContainerCreating on node1",
        ),
        (
            pod(conditions=(SCHEDULED,), state=waiting("ImagePullBackOff", "Back-off")),
            "ImagePullBackOff: Back-off",
        ),
    ],
)
def test_why_a_pod_waits_is_told_in_the_clusters_words(found, words):
    assert pod_words.why_it_waits(found) == words
    assert not pod_words.has_begun(found)
    assert not pod_words.has_ended(found)


def test_what_a_node_complains_of_last_is_told_of_a_container_that_is_being_made():
    found = pod(conditions=(SCHEDULED,), state=waiting("ContainerCreating"))
    assert pod_words.why_it_waits(found, ["a: 1", "FailedMount: no volume"]) == (
        "FailedMount: no volume"
    )


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (waiting("InvalidImageName", "no name"), "no image perennial/steps:1. InvalidImageName"),
        (waiting("ErrImageNeverPull", "not present"), "ErrImageNeverPull: not present"),
        (waiting("ErrImagePull", "manifest for x not found"), "ErrImagePull: manifest for x"),
        (waiting("ErrImagePull", "pull access denied for x"), "ErrImagePull: pull access denied"),
        (
            waiting("CreateContainerConfigError", 'secret "x" not found'),
            'A secret of the step is not in the cluster. CreateContainerConfigError: secret "x"',
        ),
        (
            waiting("CreateContainerConfigError", "couldn't find key A in Secret x"),
            "couldn't find key A",
        ),
        (
            waiting("CreateContainerConfigError", "image will run as root"),
            "PERENNIAL_KUBERNETES_STEPS_USER",
        ),
    ],
)
def test_what_no_waiting_mends_is_given_up_at_once(state, words):
    error = pod_words.hopeless(pod(state=state))
    assert isinstance(error, GiveUp)
    assert words in str(error)


@pytest.mark.parametrize(
    "state",
    [
        None,
        waiting("ContainerCreating"),
        waiting("ErrImagePull", "connection refused"),
        waiting("ImagePullBackOff", "Back-off pulling image"),
        waiting("CreateContainerConfigError", "failed to sync secret cache: timed out"),
    ],
)
def test_what_may_still_come_right_is_waited_for(state):
    assert pod_words.hopeless(pod(state=state)) is None


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        ("0/1 nodes are available: 1 Insufficient cpu.", "lower `resources` in model.yaml"),
        ("0/1: 1 node(s) had taint {a: b}", "PERENNIAL_KUBERNETES_STEPS_TOLERATIONS"),
        ("0/1: 1 node(s) didn't match node selector", "PERENNIAL_KUBERNETES_STEPS_NODES"),
        ('persistentvolumeclaim "x" not found', "PERENNIAL_KUBERNETES_STEPS_VOLUME"),
        ("something new", "kubectl describe pod"),
    ],
)
def test_a_pod_that_waits_too_long_is_tried_again_with_a_remedy_that_fits(words, remedy):
    found = pod(node=None, conditions=(("PodScheduled", "False", "Unschedulable", words),))
    error = pod_words.waited_too_long(found, [], 30)
    assert isinstance(error, TryAgain)
    assert "not begun within 30 s (PERENNIAL_KUBERNETES_STEPS_PENDING_SECONDS). U" in str(error)
    assert words in error.message
    assert remedy in error.remedy


@pytest.mark.parametrize(
    ("state", "code"), [(ended(0), 0), (ended(65), 65), (ended(137), -9), (ended(143), -15)]
)
def test_an_exit_code_is_the_steps_own_and_beyond_128_a_signal(state, code):
    found = pod(phase="Failed", state=state)
    assert pod_words.has_ended(found)
    assert pod_words.ended(found, "1g") == code


@pytest.mark.parametrize(
    ("memory", "kind", "words"),
    [
        ("64m", GiveUp, "out of memory: the step may use 64m (resources.memory in model.yaml)"),
        (None, TryAgain, "out of memory: the node has none left"),
    ],
)
def test_too_little_memory_is_given_up_only_where_it_is_the_models_own_limit(memory, kind, words):
    with pytest.raises(kind) as caught:
        pod_words.ended(pod(phase="Failed", state=ended(137, "OOMKilled")), memory)
    assert words in str(caught.value)


def test_a_step_that_survives_the_end_of_a_child_says_itself_how_it_ended():
    assert pod_words.ended(pod(phase="Failed", state=ended(65, "OOMKilled")), "1g") == 65


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            pod(phase="Failed", reason="Evicted", message="The node was low on resource: memory."),
            "ended the pod on node1. Evicted: The node was low on resource: memory. Remedy: name",
        ),
        (
            pod(phase="Failed", reason="Evicted", message='Usage of EmptyDir volume "tmp" …'),
            "wrote more than a pod's /tmp holds",
        ),
        (
            pod(phase="Failed", reason="NodeLost", message="Node x is gone"),
            "NodeLost: Node x is gone Remedy: see `kubectl get nodes`",
        ),
        (
            pod(phase="Failed", reason="OutOfcpu", message="Node didn't have enough resource"),
            "OutOfcpu: Node didn't have enough",
        ),
        (pod(phase="Failed", reason="DeadlineExceeded"), "because it ran longer than 60 s"),
        (
            pod(phase="Failed", state=ended(137, "ContainerStatusUnknown")),
            "The cluster has ended the pod on node1. Failed: no more",
        ),
        (pod(phase="Running", state=ended(143), is_going=True), "removed while it was at work"),
        (
            pod(
                phase="Failed",
                state=ended(143),
                is_going=True,
                conditions=(("DisruptionTarget", "True", "PreemptionByScheduler", "by x"),),
            ),
            "while it was at work (PreemptionByScheduler: by x)",
        ),
    ],
)
def test_what_the_cluster_ended_is_tried_again_in_its_words(found, words):
    with pytest.raises(TryAgain) as caught:
        pod_words.ended(found, "1g")
    assert words in str(caught.value)


def test_a_step_that_had_ended_well_has_ended_well_whatever_came_after():
    assert pod_words.ended(pod(phase="Running", state=ended(0), is_going=True), None) == 0
    assert pod_words.ended(pod(phase="Failed", reason="Evicted", state=ended(0)), None) == 0


def test_an_image_whose_command_cannot_start_is_given_up():
    state = ended(128, "ContainerCannotRun", "exec: python: not found")
    with pytest.raises(GiveUp, match=r"cannot start\. ContainerCannotRun: exec: python"):
        pod_words.ended(pod(phase="Failed", state=state), None)


def answered(status: int, message: str) -> ApiException:
    error = ApiException(status=status, reason="x")
    error.body = json.dumps({"message": message})
    return error


@pytest.mark.parametrize(
    ("status", "message", "kind", "words"),
    [
        (401, "Unauthorized", Denied, "does not know who asks"),
        (403, 'pods is forbidden: User "x" cannot create resource "pods"', Denied, "that right"),
        (403, "exceeded quota: q, requested: pods=1, used: pods=1", TryAgain, "raise the Resource"),
        (403, "failed quota: q: must specify limits.memory", GiveUp, "name `resources.memory`"),
        (403, "maximum memory usage per Container is 1Gi, but limit is 2Gi", GiveUp, "lower"),
        (403, "minimum cpu usage per Container is 1, but request is 1m", GiveUp, "raise"),
        (403, 'error looking up service account a/b: serviceaccount "b" not found', GiveUp, "make"),
        (403, 'violates PodSecurity "restricted:latest": hostPath volumes', GiveUp, "Persistent"),
        (403, "unable to create new content in namespace x because it is being terminated", GiveUp,
         "another namespace"),
        (404, 'namespaces "demo" not found', GiveUp, "kubectl create namespace demo"),
        (422, 'Pod "x" is invalid: spec.tolerations', GiveUp, "refuses (422)"),
        (429, "too many requests", TryAgain, "failed (429)"),
        (500, "etcdserver: request timed out", TryAgain, "/readyz"),
        (0, "SSLError EOF", Unreachable, "does not answer"),
        (0, "SSLError CERTIFICATE_VERIFY_FAILED", GiveUp, "certificate is no good"),
    ],
)  # fmt: skip
def test_each_answer_of_the_cluster_is_an_error_of_ours_with_a_remedy(status, message, kind, words):
    error = as_error(answered(status, message), "demo")
    assert type(error) is kind
    assert words in str(error)
    assert error.remedy


def test_a_quota_that_is_used_up_is_known_from_one_that_asks_for_limits():
    for message, found in (("exceeded quota: q", True), ("failed quota: q: must specify", False)):
        cause = answered(403, message)
        error = as_error(cause, "demo")
        error.__cause__ = cause
        assert is_quota(error) is found


def test_an_answer_that_is_no_json_is_told_as_it_is():
    error = ApiException(status=502, reason="Bad Gateway")
    error.body = b"<html>\n  no upstream</html>"
    assert "502): <html> no upstream</html>" in as_error(error, "demo").message
