"""Why pods do not come up: what the cluster says of them, in words, and what to do.

It reads objects (pods, events, a Deployment's conditions) and asks nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from pipelines.bundle.golden_answers import REFUSED
from pipelines.errors import GiveUp, PerennialError, Refused, Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipelines.deployment.kubernetes.api import Object

MOST_WORDS: Final = 900
NO_SUCH_IMAGE: Final = ("ErrImageNeverPull", "InvalidImageName")
NOT_PULLED: Final = ("ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", *NO_SUCH_IMAGE)
NOT_MADE: Final = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
GIVE_UP_CODE: Final = 65
ENDS: Final = 2
"""How often a server may end before it is called broken: once, a node may have been at fault."""

_IMAGE = (
    "push the image, or let PERENNIAL_SERVING_IMAGE (or …_NATIVE_IMAGE) name one that the nodes can"
    " pull, with PERENNIAL_KUBERNETES_SERVING_PULL_SECRET where it needs a log-in; then clear this"
    " task."
)
_MEMORY = "raise `resources.serving.memory` in model.yaml, then retrain or clear this task."
_QUOTA = (
    "raise the quota of the namespace (`kubectl describe quota`), or ask for less (`deploy` and"
    " `resources.serving` in model.yaml); then clear this task."
)
_PENDING = (
    "add nodes or free some (`kubectl describe nodes`), or ask for less (`deploy.requests`,"
    " PERENNIAL_KUBERNETES_SERVING_NODES and …_TOLERATIONS); then clear this task."
)
_NODE = "look at the node (`kubectl describe node`); then clear this task."
_CONFIG = (
    "make what is missing (a Secret or ConfigMap that the settings name), then clear this task."
)
_LOOK = "look at the pod (`kubectl describe pod`, `kubectl logs`); then clear this task."
_BUNDLE = "the release before it serves on; look at the bundle, then retrain."


class Trouble(NamedTuple):
    """One thing that keeps pods from serving."""

    words: str
    remedy: str
    kind: type[PerennialError] = Unreachable
    is_final: bool = False
    """No waiting can mend it."""

    def error(self) -> PerennialError:
        """Return it as the error that ends a deployment."""
        return self.kind(self.words[:MOST_WORDS], remedy=self.remedy)


def find_troubles(
    deployment: Object, replica_sets: Iterable[Object], pods: Iterable[Object], events: list[Object]
) -> list[Trouble]:
    """Return what keeps the new pods from serving, the worst first.

    `events` are of these objects. Empty while nothing speaks against their coming up.
    """
    found = [trouble for pod in pods for trouble in _of_pod(pod, events)]
    for owner in (deployment, *replica_sets):
        found += _of_owner(owner)
    return sorted(found, key=lambda t: (not t.is_final, t.kind is Unreachable))


def last_words(events: Iterable[Object]) -> str:
    """Return the newest warning of the events, or ""."""
    warnings = [event for event in events if event.get("type") == "Warning"]
    newest = max(warnings, key=_time_of, default=None)
    return f"{newest.get('reason')}: {_text(newest.get('message'))}" if newest else ""


def _of_owner(owner: Object) -> Iterator[Trouble]:
    """Yield why a Deployment or a ReplicaSet cannot make pods at all."""
    for condition in (owner.get("status") or {}).get("conditions") or []:
        if condition.get("type") != "ReplicaFailure" or condition.get("status") != "True":
            continue
        message = _text(condition.get("message"))
        if "exceeded quota" in message:
            yield Trouble(f"the cluster makes no pod, for the quota is used up: {message}", _QUOTA)
        else:
            yield Trouble(
                f"the cluster makes no pod: {condition.get('reason')}: {message}",
                _LOOK.replace("pod (`kubectl describe pod`", "namespace (`kubectl get events`"),
            )


def _of_pod(pod: Object, events: list[Object]) -> Iterator[Trouble]:
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    own = [e for e in events if (e.get("involvedObject") or {}).get("name") == name]
    yield from _refusals(name, own)
    if status.get("phase") == "Failed":
        reason = f"{status.get('reason') or 'Failed'}: {_text(status.get('message'))}"
        yield Trouble(f"the pod {name} was ended: {reason}", _NODE)
    for container in (
        *(status.get("initContainerStatuses") or []),
        *(status.get("containerStatuses") or []),
    ):
        yield from _of_container(name, container, own)
    yield from _of_place(name, pod, own)


def _refusals(pod: str, events: list[Object]) -> Iterator[Trouble]:
    """Yield what the proof of golden requests found: it stands in the probe's event."""
    for event in events:
        message = _text(event.get("message"))
        if event.get("reason") == "Unhealthy" and REFUSED in message:
            words = message.split(REFUSED, 1)[1]
            yield Trouble(f"the pod {pod}: {words}", _BUNDLE, Refused, is_final=True)


def _of_place(name: str, pod: Object, events: list[Object]) -> Iterator[Trouble]:
    """Yield why a pod has no node, or a node that does not answer."""
    for condition in (pod.get("status") or {}).get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            reason = f"{condition.get('reason')}: {_text(condition.get('message'))}"
            yield Trouble(f"no node takes the pod {name}: {reason}", _PENDING)
    node = (pod.get("spec") or {}).get("nodeName")
    lost = [e for e in events if e.get("reason") in {"NodeNotReady", "NodeLost"}]
    if node and lost:
        words = _text(lost[-1].get("message"))
        yield Trouble(f"the node {node} of the pod {name} is gone: {words}", _NODE)
    elif node and not (pod.get("status") or {}).get("startTime"):
        yield Trouble(f"the node {node} has not begun with the pod {name}: it may be gone", _NODE)


def _of_container(pod: str, container: Object, events: list[Object]) -> Iterator[Trouble]:
    state, image = container.get("state") or {}, container.get("image")
    waiting = state.get("waiting") or {}
    reason, message = waiting.get("reason", ""), _text(waiting.get("message"))
    if reason in NOT_PULLED:
        said = [e for e in events if e.get("reason") == "Failed" and "pull" in _text(e["message"])]
        words = _text(said[-1]["message"]) if said else message
        yield Trouble(
            f"the pod {pod} cannot have its image {image}: {reason}: {words}",
            _IMAGE,
            GiveUp,
            is_final=reason in NO_SUCH_IMAGE,
        )
    elif reason in NOT_MADE:
        yield Trouble(
            f"the container {container['name']} of the pod {pod} cannot be made: {reason}:"
            f" {message}",
            _CONFIG,
            GiveUp,
        )
    ended = state.get("terminated") or (container.get("lastState") or {}).get("terminated")
    if ended and (ended.get("exitCode") or ended.get("reason") == "OOMKilled"):
        yield _of_end(pod, container, ended)


def _of_end(pod: str, container: Object, ended: Object) -> Trouble:
    name, code = container["name"], ended.get("exitCode")
    said = _text(ended.get("message")) or "(it wrote nothing)"
    if ended.get("reason") == "OOMKilled":
        return Trouble(
            f"the container {name} of the pod {pod} ran out of memory and was killed (OOMKilled)",
            _MEMORY,
            Refused,
            is_final=True,
        )
    if code == GIVE_UP_CODE:
        return Trouble(
            f"the container {name} of the pod {pod} gave up: {said}", _LOOK, GiveUp, is_final=True
        )
    is_broken = int(container.get("restartCount") or 0) >= ENDS
    return Trouble(
        f"the container {name} of the pod {pod} ended with exit code {code}"
        f" ({ended.get('reason')}). The last lines of its log:\n{said}",
        _LOOK,
        Refused if is_broken else Unreachable,
        is_final=is_broken,
    )


def _text(value: object) -> str:
    return str(value or "").strip()


def _time_of(event: Object) -> str:
    own = (
        event.get("lastTimestamp")
        or event.get("eventTime")
        or event["metadata"].get("creationTimestamp")
    )
    return str(own or "")
