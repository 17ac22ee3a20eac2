"""The cluster's API server, as far as releases need it.

Objects are plain JSON. Whatever is not there is None; whatever fails is one of our errors. Nothing
here decides anything.
"""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pipelines.errors import Conflict, Denied, GiveUp, PerennialError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubernetes.client import ApiClient

Object = dict[str, Any]

TIMEOUT_SECONDS: Final = 20
ATTEMPTS: Final = 4
"""How often a question is asked that changes nothing."""
SWAPS: Final = 6
"""How often a change is made anew because somebody else changed the object meanwhile."""
_NOT_FOUND, _CONFLICT = 404, 409
_DENIED = (401, 403)
_BUSY = (408, 429, 500, 502, 503, 504)


class Kind(NamedTuple):
    """A kind of objects: under which paths the API serves it, the newest version first."""

    plural: str
    groups: tuple[str, ...]
    """Such as apps/v1; those of the core are only a version."""


DEPLOYMENT = Kind("deployments", ("apps/v1",))
REPLICA_SET = Kind("replicasets", ("apps/v1",))
POD = Kind("pods", ("v1",))
SERVICE = Kind("services", ("v1",))
EVENT = Kind("events", ("v1",))
LEASE = Kind("leases", ("coordination.k8s.io/v1",))
DISRUPTION_BUDGET = Kind("poddisruptionbudgets", ("policy/v1", "policy/v1beta1"))
AUTOSCALER = Kind(
    "horizontalpodautoscalers", ("autoscaling/v2", "autoscaling/v2beta2", "autoscaling/v1")
)


class Cluster:
    """One namespace of a cluster."""

    def __init__(self, client: ApiClient, namespace: str) -> None:
        """Remember both; nothing is asked yet."""
        self._client = client
        self.namespace = namespace

    @cached_property
    def _versions(self) -> set[str]:
        groups = self.ask("GET", "/apis")["groups"]
        return {"v1", *(v["groupVersion"] for group in groups for v in group["versions"])}

    def version_of(self, kind: Kind) -> str:
        """Return the newest version in which this cluster serves the kind. Raises GiveUp."""
        if len(kind.groups) == 1:
            return kind.groups[0]
        found = next((group for group in kind.groups if group in self._versions), None)
        if found is None:
            raise GiveUp(
                f"The cluster serves {kind.plural} in none of the versions"
                f" {', '.join(kind.groups)}.",
                remedy="use a Kubernetes from 1.20 on.",
            )
        return found

    def get(self, kind: Kind, name: str) -> Object | None:
        """Return the object, or None."""
        try:
            found: Object = self.ask("GET", self._path(kind, name))
        except _NotFoundError:
            return None
        return found

    def find(self, kind: Kind, *, labels: str = "", fields: str = "") -> list[Object]:
        """Return the objects that have these labels and fields."""
        query = [("labelSelector", labels), ("fieldSelector", fields)]
        answer = self.ask("GET", self._path(kind), query=[pair for pair in query if pair[1]])
        items: list[Object] = answer.get("items") or []
        return items

    def create(self, kind: Kind, body: Object) -> Object:
        """Return the object, made. Raises Conflict where one of its name is there."""
        made: Object = self.ask(
            "POST", self._path(kind), body={"apiVersion": self.version_of(kind), **body}
        )
        return made

    def swap(self, kind: Kind, body: Object) -> Object:
        """Replace the object that was read, unless somebody changed it meanwhile: Conflict."""
        name = body["metadata"]["name"]
        changed: Object = self.ask(
            "PUT",
            self._path(kind, name),
            body={**body, "apiVersion": self.version_of(kind)},
        )
        return changed

    def change(self, kind: Kind, name: str, edit: Callable[[Object], Object]) -> Object | None:
        """Replace the object by what `edit` makes of it, however often others change it, too.

        None where there is none.
        """
        for attempt in range(SWAPS):
            found = self.get(kind, name)
            if found is None:
                return None
            try:
                return self.swap(kind, edit(found))
            except Conflict:
                if attempt == SWAPS - 1:
                    raise
        raise AssertionError

    def remove(self, kind: Kind, name: str) -> bool:
        """Remove the object and what it owns; tell whether it was there."""
        try:
            self.ask(
                "DELETE",
                self._path(kind, name),
                body={"kind": "DeleteOptions", "propagationPolicy": "Background"},
            )
        except _NotFoundError:
            return False
        return True

    def log(self, pod: str, container: str, lines: int, *, previous: bool) -> str:
        """Return the last lines that a container wrote, or "" where there are none."""
        query = [("container", container), ("tailLines", str(lines))]
        query += [("previous", "true")] if previous else []
        try:
            return self._call("GET", f"{self._path(POD, pod)}/log", query=query).strip()
        except PerennialError:
            return ""

    def ask_service(self, name: str, port: str, path: str) -> tuple[int, str]:
        """Return status and text of a GET that the API server hands on to a service."""
        url = f"{self._path(SERVICE, name)}:{port}/proxy{path}"
        return self._send("GET", url)

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: list[tuple[str, str]] | None = None,
        body: Object | None = None,
    ) -> Any:
        """Return what the API server answers."""
        text = self._call(method, path, query=query, body=body)
        try:
            return json.loads(text)
        except ValueError as error:
            raise Unreachable(f"The cluster's API server answers {path} with no JSON.") from error

    def _path(self, kind: Kind, name: str = "") -> str:
        version = self.version_of(kind)
        root = "/api" if "/" not in version else "/apis"
        return f"{root}/{version}/namespaces/{self.namespace}/{kind.plural}" + (
            f"/{name}" if name else ""
        )

    def _call(
        self,
        method: str,
        path: str,
        *,
        query: list[tuple[str, str]] | None = None,
        body: Object | None = None,
    ) -> str:
        for attempt in range(ATTEMPTS):
            try:
                status, text = self._send(method, path, query=query, body=body)
            except Unreachable:
                # A change may have been made: whoever asked for it looks first
                if method != "GET" or attempt == ATTEMPTS - 1:
                    raise
                continue
            if status in _BUSY and method == "GET" and attempt < ATTEMPTS - 1:
                continue
            break
        if status < 300:  # noqa: PLR2004 -- HTTP's own
            return text
        raise _make_error(status, text, f"{method} {path}")

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: list[tuple[str, str]] | None = None,
        body: Object | None = None,
    ) -> tuple[int, str]:
        """Return status and text of an answer. Raises Unreachable where there is none."""
        import urllib3
        from kubernetes.client.exceptions import ApiException

        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        try:
            answer = self._client.call_api(
                path,
                method,
                query_params=query or [],
                header_params=headers,
                body=body,
                auth_settings=["BearerToken"],
                _preload_content=False,
                _return_http_data_only=True,
                _request_timeout=TIMEOUT_SECONDS,
            )
            return answer.status, answer.data.decode("utf-8", "replace")
        except ApiException as error:
            if not error.status:
                raise self._away(error.reason) from error
            text = error.body or error.reason or ""
            return error.status, text if isinstance(text, str) else text.decode("utf-8", "replace")
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._away(error) from error

    def _away(self, why: object) -> Unreachable:
        host = self._client.configuration.host
        return Unreachable(
            f"The cluster's API server does not answer at {host}: {why}.",
            remedy="see that it is reachable from here (`kubectl get --raw /readyz`).",
        )


class _NotFoundError(GiveUp):
    """There is no such object."""


def _make_error(status: int, text: str, asked: str) -> PerennialError:
    """Return the error for what the API server said with this HTTP status."""
    words = _message(text) or f"HTTP {status} to {asked}"
    words = words if words.endswith(".") else f"{words}."
    if "exceeded quota" in words:
        return Unreachable(
            f"The cluster refuses: {words}",
            remedy=(
                "raise the quota of the namespace (`kubectl describe quota`), or ask for less"
                " (`deploy` and `resources.serving` in model.yaml); then clear this task."
            ),
        )
    if status == _NOT_FOUND:
        return _NotFoundError(
            f"The cluster says: {words}",
            remedy="make the namespace of PERENNIAL_KUBERNETES_NAMESPACE (`kubectl create ns`).",
        )
    if status in _DENIED:
        return Denied(
            f"The cluster refuses: {words}",
            remedy=(
                "give the service account of the deploying pods the rights in docs/kubernetes.md"
                " (the chart does)."
            ),
        )
    if status == _CONFLICT:
        return Conflict(f"The cluster says: {words}", remedy="look who else changes it; try again.")
    if status in _BUSY:
        return Unreachable(f"The cluster's API server is busy: {words}")
    return GiveUp(
        f"The cluster refuses: {words}",
        remedy="look at the settings PERENNIAL_KUBERNETES_… (docs/kubernetes.md).",
    )


def _message(text: str) -> str:
    try:
        body = json.loads(text)
    except ValueError:
        return text.strip()[:500]
    return str(body.get("message") or "") if isinstance(body, dict) else ""
