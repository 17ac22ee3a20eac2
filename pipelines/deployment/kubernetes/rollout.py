"""A Deployment brought to a pod template, and watched until all its pods are of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pipelines.deployment.kubernetes import names
from pipelines.deployment.kubernetes.api import DEPLOYMENT, EVENT, POD, REPLICA_SET
from pipelines.deployment.kubernetes.objects import laid_over, replicas_within
from pipelines.deployment.kubernetes.pod import SERVER
from pipelines.deployment.kubernetes.troubles import Trouble, find_troubles, last_words
from pipelines.errors import Conflict, PerennialError, Unreachable

if TYPE_CHECKING:
    from pipelines.bundle.manifest import Release
    from pipelines.deployment.kubernetes.api import Cluster, Kind, Object
    from pipelines.settings import Settings
    from pipelines.spec import Spec

POLL_SECONDS: Final = 1.0
HASH: Final = "pod-template-hash"
"""The label by which Kubernetes tells the pods of two templates apart."""
RESTARTED: Final = "kubectl.kubernetes.io/restartedAt"


class Applied(NamedTuple):
    """What applying an object did to it."""

    was: Object | None
    """The object as it was before; None where it was not there."""
    now: Object

    @property
    def is_changed(self) -> bool:
        """Tell whether it was made, or its spec became another one."""
        if self.was is None:
            return True
        if "generation" in self.now["metadata"]:
            return bool(self.now["metadata"]["generation"] != self.was["metadata"]["generation"])
        return bool(self.now["spec"] != self.was["spec"])


def read_own(cluster: Cluster, settings: Settings, kind: Kind, model: str) -> Object | None:
    """Return the model's object of this kind, or None.

    Raises Conflict where one that is not the model's has its name.
    """
    found = cluster.get(kind, names.object_name(model))
    if found is not None and not names.is_of_model(found, model, settings):
        raise Conflict(
            f"The {found.get('kind') or kind.plural} {names.object_name(model)} in the namespace"
            f" {cluster.namespace} is not of {model} of this installation.",
            remedy=(
                f"look what it is (`kubectl -n {cluster.namespace} get {kind.plural}"
                f" {names.object_name(model)} -o yaml`); rename or remove it, or give releases a"
                " namespace of their own (PERENNIAL_KUBERNETES_NAMESPACE); then clear this task."
            ),
        )
    return found


def apply(cluster: Cluster, settings: Settings, kind: Kind, model: str, wanted: Object) -> Applied:
    """Make the object, or lay our part over what is there; of two who do, the second begins anew.

    Raises Conflict where one that is not the model's has its name.
    """
    was = read_own(cluster, settings, kind, model)
    if was is None:
        try:
            return Applied(None, cluster.create(kind, wanted))
        except Conflict:
            was = read_own(cluster, settings, kind, model)
            if was is None:
                raise
    now = cluster.change(
        kind, names.object_name(model), lambda found: laid_over(found, wanted)
    ) or cluster.create(kind, wanted)
    return Applied(was, now)


def apply_deployment(cluster: Cluster, settings: Settings, spec: Spec, wanted: Object) -> Applied:
    """Apply a Deployment; how many pods there are is left to the autoscaler, within its bounds."""
    was = read_own(cluster, settings, DEPLOYMENT, spec.name)
    if was is not None:
        wanted = {**wanted, "spec": {**wanted["spec"]}}
        wanted["spec"]["replicas"] = replicas_within(spec, was["spec"].get("replicas", 1))
        del wanted["spec"]["selector"]  # it cannot be changed, and is what tells the model's own
        restarted = (_annotations(was["spec"]["template"])).get(RESTARTED)
        if restarted:
            wanted["spec"]["template"] = _with_annotation(
                wanted["spec"]["template"], RESTARTED, restarted
            )
    return apply(cluster, settings, DEPLOYMENT, spec.name, wanted)


def template_of(cluster: Cluster, settings: Settings, release: Release) -> Object | None:
    """Return the pod template by which a release served before, as it was; None where it is gone.

    So what is gone back to are the very pods that served, whatever the settings say by now.
    """
    chosen = names.selector(names.of_model(release.model, settings))
    for found in sorted(
        cluster.find(REPLICA_SET, labels=chosen),
        key=lambda one: str(one["metadata"].get("creationTimestamp")),
        reverse=True,
    ):
        template: Object = found["spec"]["template"]
        if names.is_of_release(template, release):
            return without_hash(template)
    return None


def without_hash(template: Object) -> Object:
    """Return a ReplicaSet's template as a Deployment has it."""
    metadata = template["metadata"]
    labels = {key: value for key, value in metadata["labels"].items() if key != HASH}
    return {**template, "metadata": {**metadata, "labels": labels}}


def await_pods(cluster: Cluster, settings: Settings, model: str) -> str:
    """Return when all pods are of the Deployment's template and answer; return their image's id.

    Raises the error of what keeps them from it: at once where waiting cannot mend it, else after
    `kubernetes_deploy_seconds`.
    """
    end = time.monotonic() + settings.kubernetes_deploy_seconds
    while True:
        found = cluster.get(DEPLOYMENT, names.object_name(model))
        if found is None:
            raise Unreachable(
                f"The Deployment {names.object_name(model)} was removed while its pods came up.",
                remedy="a retry makes it anew.",
            )
        if is_complete(found):
            return _image_id(cluster, found)
        is_over = time.monotonic() > end
        troubles, words = _look(cluster, found)
        if troubles and (troubles[0].is_final or is_over):
            raise _give_up_error(found, troubles[0], settings.kubernetes_deploy_seconds)
        if is_over:
            raise _give_up_error(
                found,
                Trouble(
                    f"its new pods are not ready ({_counts(found)})"
                    f"{f'; the last event: {words}' if words else ''}",
                    "look at them (`kubectl describe pod`), or give them longer"
                    " (PERENNIAL_KUBERNETES_DEPLOY_SECONDS); then clear this task.",
                ),
                settings.kubernetes_deploy_seconds,
            )
        time.sleep(POLL_SECONDS)


def is_complete(deployment: Object) -> bool:
    """Tell whether all pods are of the newest template and available, and none is of another."""
    status, wanted = deployment.get("status") or {}, deployment["spec"].get("replicas", 1)
    return bool(
        status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
        and status.get("updatedReplicas", 0) >= wanted
        and status.get("replicas", 0) == status.get("updatedReplicas", 0)
        and status.get("availableReplicas", 0) >= wanted
    )


def _look(cluster: Cluster, deployment: Object) -> tuple[list[Trouble], str]:
    """Return what keeps the newest pods from serving, and the last warning about them."""
    uid = deployment["metadata"]["uid"]
    chosen = names.selector(deployment["spec"]["selector"]["matchLabels"])
    template = deployment["spec"]["template"]
    sets = [
        found
        for found in cluster.find(REPLICA_SET, labels=chosen)
        if any(o.get("uid") == uid for o in found["metadata"].get("ownerReferences") or [])
        and _is_same(found["spec"]["template"], template)
    ]
    hashes = {found["metadata"]["labels"].get(HASH) for found in sets}
    pods = [
        pod
        for pod in cluster.find(POD, labels=chosen)
        if pod["metadata"]["labels"].get(HASH) in hashes
        and not pod["metadata"].get("deletionTimestamp")
    ]
    subjects = {found["metadata"]["name"] for found in (*sets, *pods)}
    events = [
        event
        for event in cluster.find(EVENT)
        if (event.get("involvedObject") or {}).get("name") in subjects
    ]
    return find_troubles(deployment, sets, pods, events), last_words(events)


def _is_same(one: Object, other: Object) -> bool:
    return without_hash(one) == without_hash(other)


def _give_up_error(deployment: Object, trouble: Trouble, seconds: float) -> PerennialError:
    """Return the trouble's error, which says of what it speaks and when it was given up."""
    name = deployment["metadata"]["name"]
    after = "" if trouble.is_final else f" (given up after {seconds:g} s)"
    return trouble._replace(
        words=f"The Deployment {name} does not come up{after}: {trouble.words}"
    ).error()


def _counts(deployment: Object) -> str:
    status = deployment.get("status") or {}
    return (
        f"{status.get('updatedReplicas', 0)} of {deployment['spec'].get('replicas', 1)} made,"
        f" {status.get('availableReplicas', 0)} of all available"
    )


def _image_id(cluster: Cluster, deployment: Object) -> str:
    """Return the id of the image that the pods run, as their nodes tell it; "" where none does."""
    chosen = names.selector(deployment["spec"]["template"]["metadata"]["labels"])
    for pod in cluster.find(POD, labels=chosen):
        for status in (pod.get("status") or {}).get("containerStatuses") or []:
            if status["name"] == SERVER and status.get("imageID"):
                return str(status["imageID"])
    return ""


def _annotations(template: Object) -> dict[str, Any]:
    return template["metadata"].get("annotations") or {}


def _with_annotation(template: Object, key: str, value: str) -> Object:
    metadata = template["metadata"]
    return {
        **template,
        "metadata": {**metadata, "annotations": {**_annotations(template), key: value}},
    }
