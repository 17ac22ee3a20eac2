"""Checks of what pods see of the state, and of the cluster where steps are pods.

Does it answer, may steps be started there, is what they name there, was any left behind.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from pipelines.container_paths import expect_state_in_pods, expect_store_in_pods
from pipelines.deployment.servers import target_of
from pipelines.errors import Denied, GiveUp, Unreachable
from pipelines.kubernetes_client import api_client
from pipelines.ops.findings import Finding, ok, problem, warning
from pipelines.spec import model_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubernetes.client import ApiClient

    from pipelines.settings import Settings

TIMEOUT = (5, 15)
RIGHTS = (
    ("pods", "", "create"),
    ("pods", "", "get"),
    ("pods", "", "list"),
    ("pods", "", "delete"),
    ("pods", "log", "get"),
    ("events", "", "list"),
)
"""What whoever starts steps must be allowed in the namespace: resource, part, verb."""

STEPS = "perennial=1,perennial.kind=step"
OLD_SECONDS = 600
"""How long the pod of a step that has ended may be there: its task removes it at once."""


def check_state(settings: Settings) -> Iterator[Finding]:
    """Pods of steps see the state. Raises GiveUp where they do not."""
    if settings.place == "kubernetes":
        expect_state_in_pods(settings)
        yield ok("state of steps' pods", settings.kubernetes_steps_volume or settings.store)


def check_store(settings: Settings) -> Iterator[Finding]:
    """Pods of releases see the store. Raises GiveUp where they do not."""
    models = model_names(settings.models)
    found = [model for model in models if target_of(settings, model) == "kubernetes"]
    if found or settings.target == "kubernetes":
        expect_store_in_pods(settings)
        yield ok("store of releases' pods", settings.kubernetes_serving_volume or settings.store)


def check_step_pods(settings: Settings, now: float | None = None) -> Iterator[Finding]:
    """Look at the cluster, where steps are pods; `now` is in seconds since 1970.

    Raises GiveUp where nothing says how to reach it, Unreachable where it does not answer.
    """
    if settings.place != "kubernetes":
        return
    client = api_client(settings)
    try:
        yield from _check(settings, client, time.time() if now is None else now)
    finally:
        client.close()


def _check(settings: Settings, client: ApiClient, now: float) -> Iterator[Finding]:
    from kubernetes.client import CoreV1Api, VersionApi

    version = _ask(VersionApi(client).get_code).git_version
    yield ok("cluster of steps", f"answers, Kubernetes {version}")
    core, namespace = CoreV1Api(client), settings.kubernetes_namespace
    missing = [right for right in RIGHTS if not _may(client, namespace, *right)]
    if missing:
        words = ", ".join(
            f"{verb} {kind}{'/' if part else ''}{part}" for kind, part, verb in missing
        )
        yield problem(
            "rights of steps",
            f"In the namespace {namespace} we may not: {words}.",
            "give the service account the role of docs/kubernetes.md.",
        )
        return
    yield ok("rights of steps", f"all that steps need in {namespace}")
    yield from _check_named(settings, core)
    yield from _check_left(core, namespace, now)


def _check_named(settings: Settings, core: Any) -> Iterator[Finding]:
    """Look for what the settings name in the cluster, as far as we may read it."""
    namespace, volume = settings.kubernetes_namespace, settings.kubernetes_steps_volume or ""
    named = (
        ("namespace", namespace, core.read_namespace, ()),
        ("claim", "" if "/" in volume else volume, _claim(core), (namespace,)),
        ("Secret", settings.kubernetes_steps_secret, core.read_namespaced_secret, (namespace,)),
        (
            "ConfigMap",
            settings.kubernetes_steps_trust,
            core.read_namespaced_config_map,
            (namespace,),
        ),
        (
            "service account",
            settings.kubernetes_steps_account,
            core.read_namespaced_service_account,
            (namespace,),
        ),
    )
    for kind, name, read, where in named:
        if not name:
            continue
        what = f"{kind} {name}"
        try:
            _ask(read, name, *where)
        except Denied:
            yield ok(what, "may not be looked at from here; pods say whether it is there")
        except GiveUp as error:
            yield problem(what, error.message, f"make it in {namespace}, or mend the setting.")
        else:
            yield ok(what, "is there")


def _claim(core: Any) -> Any:
    return core.read_namespaced_persistent_volume_claim


def _check_left(core: Any, namespace: str, now: float) -> Iterator[Finding]:
    """Pods of steps that nobody removed: their worker was killed, and no retry followed."""
    pods = _ask(core.list_namespaced_pod, namespace, label_selector=STEPS).items
    left = [pod for pod in pods if _has_ended_long_ago(pod, now)]
    for pod in left:
        yield warning(
            f"pod {pod.metadata.name}",
            "Its step has ended, and nobody has removed it.",
            f"kubectl -n {namespace} delete pod {pod.metadata.name}",
        )
    if not left:
        yield ok("pods of steps", f"{len(pods)} there, none was left behind")


def _has_ended_long_ago(pod: Any, now: float) -> bool:
    ends = [
        status.state.terminated.finished_at.timestamp()
        for status in pod.status.container_statuses or []
        if status.state.terminated is not None and status.state.terminated.finished_at is not None
    ]
    begin = pod.metadata.creation_timestamp.timestamp()
    is_over = pod.status.phase in {"Succeeded", "Failed"}
    return is_over and now - max([begin, *ends]) > OLD_SECONDS


def _may(client: ApiClient, namespace: str, resource: str, part: str, verb: str) -> bool:
    """Ask the cluster whether we have a right."""
    from kubernetes.client import AuthorizationV1Api

    attributes = {"namespace": namespace, "resource": resource, "subresource": part, "verb": verb}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    ask = AuthorizationV1Api(client).create_self_subject_access_review
    return bool(_ask(ask, review).status.allowed)


def _ask(call: Any, *arguments: Any, **options: Any) -> Any:
    """Return the cluster's answer. Raises Denied, GiveUp, or Unreachable where there is none."""
    from kubernetes.client import ApiException
    from urllib3.exceptions import HTTPError

    try:
        return call(*arguments, _request_timeout=TIMEOUT, **options)
    except ApiException as error:
        words = f"The cluster answers {error.status}: {error.reason}."
        if error.status in {401, 403}:
            raise Denied(words) from error
        raise GiveUp(words) from error
    except (HTTPError, AttributeError) as error:  # the client stumbles where TLS fails
        raise Unreachable(
            f"The cluster does not answer: {error}.",
            remedy="see whether `kubectl version` reaches it (PERENNIAL_KUBERNETES_CONFIG).",
        ) from error
