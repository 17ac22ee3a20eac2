"""What the state of a pod means: why it has not begun, and how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perennial_airflow.places.pod_setup import CONTAINER
from pipelines.errors import GiveUp, TryAgain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kubernetes.client import (
        V1ContainerStateTerminated,
        V1ContainerStatus,
        V1Pod,
        V1PodCondition,
    )

    from pipelines.errors import PerennialError

KILL, SIGNALLED = 137, 128
"""The code of what was killed; a code beyond `SIGNALLED` says which signal ended the step."""

IMAGE = (
    "push or load the image where the node finds it, or set PERENNIAL_STEPS_IMAGE"
    " (PERENNIAL_KUBERNETES_STEPS_PULL_POLICY and _PULL_SECRETS say how it is pulled)."
)
SECRET = (
    "put it into the Secret of PERENNIAL_KUBERNETES_STEPS_SECRET under that name"  # noqa: S105
    " (docs/kubernetes.md), then clear this task."
)
NODE = "see `kubectl get nodes`; where that node is gone for good, `kubectl delete node` it."
LABELS = "label a node as PERENNIAL_KUBERNETES_STEPS_NODES says, or change that."
HOPELESS = {"InvalidImageName", "ErrImageNeverPull"}
PULLING = {"ErrImagePull", "ImagePullBackOff", "ImageInspectError", "RegistryUnavailable"}
NO_IMAGE = ("not found", "manifest unknown", "denied", "unauthorized", "does not exist")
"""What a registry says that will not say otherwise in a minute."""

CANNOT_START = {"ContainerCannotRun", "StartError", "RunContainerError"}
LOST = {"ContainerStatusUnknown", "NodeLost"}


def step_status(pod: V1Pod) -> V1ContainerStatus | None:
    """Return the status of the step's container, None where it has none yet."""
    statuses = pod.status.container_statuses or []
    return next((status for status in statuses if status.name == CONTAINER), None)


def terminated(pod: V1Pod) -> V1ContainerStateTerminated | None:
    """Return how the step's container ended, None where it has not, or nobody knows."""
    status = step_status(pod)
    return status.state.terminated if status is not None and status.state is not None else None


def has_begun(pod: V1Pod) -> bool:
    """Tell whether the step is, or was, at work."""
    status = step_status(pod)
    state = status.state if status is not None else None
    return state is not None and (state.running is not None or state.terminated is not None)


def has_ended(pod: V1Pod) -> bool:
    """Tell whether nothing of the pod will run any more."""
    return terminated(pod) is not None or pod.status.phase in {"Failed", "Succeeded"}


def why_it_waits(pod: V1Pod, warnings: Sequence[str] = ()) -> str:
    """Return in words why a pod has not begun, as the cluster's own parts say it."""
    status = step_status(pod)
    waiting = status.state.waiting if status is not None and status.state is not None else None
    scheduled = _condition(pod, "PodScheduled")
    if scheduled is not None and scheduled.status == "False":
        return f"{scheduled.reason}: {scheduled.message}"
    if scheduled is None and pod.spec.node_name is None:
        return "no scheduler has looked at it"
    text = f"{waiting.reason}: {waiting.message}" if waiting and waiting.message else ""
    if not text or warnings:
        # The kubelet's last complaint: a waiting container has but the word ContainerCreating
        text = "; ".join(filter(None, [text, *warnings[-1:]]))
    return text or f"{waiting.reason if waiting else pod.status.phase} on {pod.spec.node_name}"


def hopeless(pod: V1Pod) -> PerennialError | None:
    """Return why a pod that has not begun never will, None where it still may."""
    status = step_status(pod)
    waiting = status.state.waiting if status is not None and status.state is not None else None
    if waiting is None:
        return None
    reason, message = waiting.reason or "", waiting.message or ""
    text = f"{reason}: {message or 'the cluster says no more'}"
    if reason in HOPELESS or (
        reason in PULLING and any(words in message.lower() for words in NO_IMAGE)
    ):
        return GiveUp(f"The node has no image {pod.spec.containers[0].image}. {text}", remedy=IMAGE)
    if reason == "CreateContainerConfigError" and "root" in message:
        return GiveUp(
            f"The node does not make the container. {text}",
            remedy="set PERENNIAL_KUBERNETES_STEPS_USER to a number that is not root's.",
        )
    if reason == "CreateContainerConfigError" and (
        "not found" in message or "couldn't find key" in message
    ):
        return GiveUp(f"A secret of the step is not in the cluster. {text}", remedy=SECRET)
    return None


def waited_too_long(pod: V1Pod, warnings: Sequence[str], seconds: float) -> TryAgain:
    """Return the error of a pod that has not begun within the time that it may take."""
    words = why_it_waits(pod, warnings)
    return TryAgain(
        f"The pod has not begun within {seconds:g} s"
        f" (PERENNIAL_KUBERNETES_STEPS_PENDING_SECONDS). {words}",
        remedy=_remedy(words),
    )


def _remedy(words: str) -> str:
    lower = words.lower()
    remedies = {
        "insufficient": "lower `resources` in model.yaml, or add or empty nodes.",
        "affinity": LABELS,
        "selector": LABELS,
        "taint": (
            "name the taint in PERENNIAL_KUBERNETES_STEPS_TOLERATIONS, or add nodes without it."
        ),
        "persistentvolumeclaim": (
            "make the claim that PERENNIAL_KUBERNETES_STEPS_VOLUME names; see `kubectl get pvc`."
        ),
        "hostpath": (
            "make the folder of PERENNIAL_KUBERNETES_STEPS_VOLUME on the node, or name a claim"
            " there."
        ),
        "secret": SECRET,
        "image": IMAGE,
        "no scheduler": "see whether the cluster's scheduler runs.",
    }
    found = (remedy for word, remedy in remedies.items() if word in lower)
    return next(found, "see `kubectl describe pod` while a step waits, and `kubectl get nodes`.")


def removed(pod: V1Pod | None) -> TryAgain:
    """Return the error of a pod that somebody else had deleted while it was at work."""
    target = _condition(pod, "DisruptionTarget") if pod is not None else None
    told = f" ({target.reason}: {target.message})" if target is not None else ""
    return TryAgain(
        f"The step's pod was removed while it was at work{told}: evicted, preempted or drained from"
        " its node, or removed by a later try of this task or by hand.",
        remedy="none is needed where a retry follows; else clear this task.",
    )


def ended(pod: V1Pod, memory: str | None) -> int:
    """Return a step's exit code, negative for a signal.

    Raises GiveUp where it had less memory than it needed or could not start, TryAgain where the
    cluster ended it.
    """
    end, reason = terminated(pod), pod.status.reason or ""
    if end is not None and end.reason == "OOMKilled" and end.exit_code == KILL:
        raise _out_of_memory(memory)
    if reason == "DeadlineExceeded":
        raise TryAgain(
            f"The pod was ended because it ran longer than {pod.spec.active_deadline_seconds} s.",
            remedy="see why nobody has ended the task before: its worker, or the API, was away.",
        )
    if end is None or reason or end.reason in LOST:
        if end is not None and end.exit_code == 0:
            return 0
        raise _ended_by_cluster(pod)
    if end.reason in CANNOT_START:
        raise GiveUp(
            f"The pod's container cannot start. {end.reason}: {end.message}",
            remedy="see PERENNIAL_STEPS_IMAGE and PERENNIAL_KUBERNETES_STEPS_VOLUME.",
        )
    if pod.metadata.deletion_timestamp is not None and end.exit_code != 0:
        raise removed(pod)
    code = int(end.exit_code)
    return SIGNALLED - code if code > SIGNALLED else code


def _ended_by_cluster(pod: V1Pod) -> TryAgain:
    status = pod.status
    words = f"{status.reason or status.phase}: {' '.join((status.message or 'no more').split())}"
    if "emptydir" in words.lower():
        remedy = (
            "the step wrote more than a pod's /tmp holds (1 GiB); what is large is the state's."
        )
    elif status.reason == "Evicted":
        remedy = (
            "name `resources.memory` in model.yaml, so that the scheduler reserves it, or give the"
            " node more room."
        )
    else:
        remedy = NODE
    return TryAgain(
        f"The cluster has ended the pod on {pod.spec.node_name}. {words}", remedy=remedy
    )


def _out_of_memory(memory: str | None) -> PerennialError:
    if memory is None:
        return TryAgain(
            "out of memory: the node has none left.",
            remedy="give the step a limit (resources.memory in model.yaml).",
        )
    return GiveUp(
        f"out of memory: the step may use {memory} (resources.memory in model.yaml).",
        remedy="raise that, then clear this task.",
    )


def node_away(pod: V1Pod, seconds: float, words: str) -> TryAgain:
    """Return the error of a pod whose node has not answered for so long."""
    return TryAgain(
        f"The node {pod.spec.node_name} has not answered for {seconds:g} s"
        f" (PERENNIAL_KUBERNETES_AWAY_SECONDS): {words}",
        remedy=NODE,
    )


def still_there(pod: V1Pod, seconds: float) -> str:
    """Return in words that the pod of an earlier try is not gone, so that none follows it."""
    return (
        f"The pod {pod.metadata.name} of an earlier try is still on its node {pod.spec.node_name}"
        f" after {seconds:g} s, and may be at work; so no second one was started."
    )


def _condition(pod: V1Pod, kind: str) -> V1PodCondition | None:
    conditions = pod.status.conditions or []
    return next((each for each in conditions if each.type == kind), None)
