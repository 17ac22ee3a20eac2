"""Checks of the cluster: does it answer, may we do there what we must, do the pods serve."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.deployment.kubernetes import names
from pipelines.deployment.kubernetes.api import (
    AUTOSCALER,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    SERVICE,
)
from pipelines.deployment.kubernetes.rollout import is_complete
from pipelines.ops.findings import Finding, ok, problem, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.deployment.kubernetes.api import Cluster
    from pipelines.ledger import Champion
    from pipelines.settings import Settings

WRITTEN = (
    ("apps", "deployments"),
    ("", "services"),
    ("policy", "poddisruptionbudgets"),
    ("autoscaling", "horizontalpodautoscalers"),
    ("coordination.k8s.io", "leases"),
)
RIGHTS = (
    *((group, kind, verb) for group, kind in WRITTEN for verb in ("get", "create", "update")),
    ("apps", "replicasets", "list"),
    ("", "pods", "list"),
    ("", "events", "list"),
    ("", "services/proxy", "get"),
)
"""What whoever deploys must be allowed in the namespace."""


def check_cluster(cluster: Cluster) -> Iterator[Finding]:
    """It answers, serves our kinds, and lets us do what a deployment does."""
    version = cluster.ask("GET", "/version")
    yield ok("cluster", f"answers, Kubernetes {version.get('gitVersion')}")
    served = [cluster.version_of(kind) for kind in (DISRUPTION_BUDGET, AUTOSCALER)]
    yield ok("cluster's API", f"{', '.join(served)}, apps/v1")
    missing = [right for right in RIGHTS if not _may(cluster, *right)]
    if missing:
        words = ", ".join(f"{verb} {kind}" for _, kind, verb in missing)
        yield problem(
            "cluster's rights",
            f"In the namespace {cluster.namespace} we may not: {words}.",
            "give the service account these rights (docs/kubernetes.md; the chart does).",
        )
    else:
        yield ok("cluster's rights", f"all that a deployment needs in {cluster.namespace}")


def check_pods(
    settings: Settings, cluster: Cluster, model: str, champion: Champion
) -> Iterator[Finding]:
    """The Deployment is of the champion's release, and all of its pods answer."""
    what, name = f"{model}: pods", names.object_name(model)
    remedy = f"`perennial reconcile {model}`."
    found = cluster.get(DEPLOYMENT, name)
    if found is None:
        yield problem(what, f"There is no Deployment {name} in {cluster.namespace}.", remedy)
        return
    if not names.is_of_model(found, model, settings):
        yield problem(
            what,
            f"The Deployment {name} is not of {model} of this installation.",
            "give releases a namespace of their own (PERENNIAL_KUBERNETES_NAMESPACE).",
        )
        return
    number = names.release_number(found["spec"]["template"])
    status, wanted = found.get("status") or {}, found["spec"].get("replicas", 0)
    counts = f"{status.get('availableReplicas', 0)} of {wanted} pods answer"
    if number != champion.release:
        yield problem(
            what, f"They are of release {number}, the champion's is {champion.release}.", remedy
        )
    elif not is_complete(found):
        yield warning(
            what, f"{counts}.", f"`kubectl -n {cluster.namespace} describe deployment {name}`."
        )
    else:
        yield ok(what, f"{counts}, release {number}")
    for kind in (SERVICE, DISRUPTION_BUDGET, AUTOSCALER):
        if cluster.get(kind, name) is None:
            yield problem(f"{model}: {kind.plural}", f"There is none called {name}.", remedy)


def check_strangers(settings: Settings, cluster: Cluster, models: set[str]) -> Iterator[Finding]:
    """Deployments of models that have no folder here any more, which serve on."""
    chosen = {names.KIND: "release", names.INSTALLATION: names.installation(settings)}
    for found in cluster.find(DEPLOYMENT, labels=names.selector(chosen)):
        model = (found["metadata"].get("annotations") or {}).get(names.MODEL, "")
        if model in models:
            continue
        label = f"{names.MODEL}={found['metadata']['labels'][names.MODEL]}"
        yield warning(
            f"Deployment {found['metadata']['name']}",
            f"It serves {model}, which has no folder here.",
            f"if it shall serve no more: `kubectl -n {cluster.namespace} delete"
            f" deploy,svc,pdb,hpa,lease -l {label}`.",
        )


def _may(cluster: Cluster, group: str, kind: str, verb: str) -> bool:
    resource, _, part = kind.partition("/")
    attributes = {"namespace": cluster.namespace, "verb": verb, "group": group}
    attributes |= {"resource": resource, **({"subresource": part} if part else {})}
    answer = cluster.ask(
        "POST",
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        body={
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        },
    )
    return bool((answer.get("status") or {}).get("allowed"))
