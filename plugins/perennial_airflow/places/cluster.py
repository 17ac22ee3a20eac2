"""The Kubernetes cluster that steps run on. What it refuses, and what fails, is a named error."""

from __future__ import annotations

import contextlib
import json
import logging
import time
from typing import TYPE_CHECKING, Any, TypeVar

from kubernetes.client import ApiException, CoreV1Api
from urllib3.exceptions import HTTPError

from pipelines.errors import Denied, GiveUp, PerennialError, TryAgain, Unreachable
from pipelines.kubernetes_client import api_client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kubernetes.client import V1Pod

    from pipelines.settings import Settings

CONNECT_SECONDS, ANSWER_SECONDS = 5, 30
HURRY_SECONDS = 2
"""The longest that the cluster is waited for inside a signal's handler, or after it."""

PAUSE_SECONDS = 1.0
"""Between two tries of one question."""

FORBIDDEN, NOT_FOUND, CONFLICT, INVALID = 403, 404, 409, 422
PASSING = frozenset({408, 429})
SERVER_ERROR = 500

REFUSALS = (
    ("failed quota", GiveUp, "name `resources.memory` and `resources.cpus` in model.yaml."),
    (
        "service account",
        GiveUp,
        "make it, or name another in PERENNIAL_KUBERNETES_STEPS_ACCOUNT.",
    ),
    ("serviceaccount", GiveUp, "make it, or name another in PERENNIAL_KUBERNETES_STEPS_ACCOUNT."),
    (
        "podsecurity",
        GiveUp,
        (
            "a folder of the node needs a namespace that allows it; name a PersistentVolumeClaim in"
            " PERENNIAL_KUBERNETES_STEPS_VOLUME instead."
        ),
    ),
    ("maximum ", GiveUp, "lower `resources` in model.yaml, or raise the namespace's LimitRange."),
    ("minimum ", GiveUp, "raise `resources` in model.yaml, or lower the namespace's LimitRange."),
    ("being terminated", GiveUp, "name another namespace in PERENNIAL_KUBERNETES_NAMESPACE."),
)
"""By words of a refusal (403), which error it is and how to mend it."""

Answer = TypeVar("Answer")
_log = logging.getLogger("perennial")


class Cluster:
    """A namespace of a cluster. `ask` puts one question; what fails is a named error."""

    def __init__(
        self,
        core: CoreV1Api,
        namespace: str,
        away_seconds: float,
        hurried: Callable[[], Cluster] | None = None,
    ) -> None:
        """Ask through `core`; `hurried` makes a cluster that may be asked in a signal's handler."""
        self.core = core
        self.namespace = namespace
        self.away_seconds = away_seconds
        self._hurried = hurried

    @classmethod
    def of(cls, settings: Settings) -> Cluster:
        """Return the cluster of the settings. Raises GiveUp where nothing says how to reach it."""

        def make(away_seconds: float) -> Cluster:
            client = api_client(settings)
            # What is tried again, and for how long, is said here.
            client.rest_client.pool_manager.connection_pool_kw["retries"] = False
            return cls(
                CoreV1Api(client),
                settings.kubernetes_namespace,
                away_seconds,
                hurried=lambda: make(HURRY_SECONDS),
            )

        return make(settings.kubernetes_away_seconds)

    def hurried(self) -> Cluster:
        """Return the same with a client of its own, which does not wait long."""
        return self if self._hurried is None else self._hurried()

    def close(self) -> None:
        """Close the client's connections."""
        self.core.api_client.close()

    def hurry(self) -> None:
        """Wait no longer than a moment from now on: the task is being ended."""
        self.away_seconds = min(self.away_seconds, HURRY_SECONDS)

    def ask(self, call: Callable[..., Answer], *arguments: Any, **options: Any) -> Answer:
        """Return what the cluster answers; ask again while it is away, for `away_seconds`.

        Raises GiveUp where it refuses, Denied where a right is missing, TryAgain where it fails or
        stays away. The cause is the ApiException, where there is one (`status_of`).
        """
        begin, is_told = time.monotonic(), False
        while True:
            try:
                return self.ask_once(call, *arguments, **options)
            except TryAgain as error:
                if is_quota(error) or time.monotonic() - begin >= self.away_seconds:
                    raise
                if not is_told:
                    _log.warning("%s Asking again, for %g s.", error.message, self.away_seconds)
                is_told = True
            time.sleep(min(PAUSE_SECONDS, self.away_seconds))

    def ask_once(self, call: Callable[..., Answer], *arguments: Any, **options: Any) -> Answer:
        """Return what the cluster answers to one question. Raises as `ask`."""
        answer = min(ANSWER_SECONDS, max(self.away_seconds, HURRY_SECONDS))
        timeout = (min(CONNECT_SECONDS, answer), answer)
        with named_errors(self.namespace):
            return call(*arguments, _request_timeout=timeout, **options)

    def read(self, name: str) -> V1Pod | None:
        """Return the pod of that name, None where there is none."""
        try:
            return self.ask(self.core.read_namespaced_pod, name, self.namespace)
        except GiveUp as error:
            if status_of(error) == NOT_FOUND:
                return None
            raise

    def delete(self, name: str, uid: str, grace_seconds: int | None = None) -> None:
        """Have the pod ended and removed, where it is still that one."""
        options: dict[str, Any] = {"preconditions": {"uid": uid}}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        try:
            self.ask(self.core.delete_namespaced_pod, name, self.namespace, body=options)
        except GiveUp as error:
            if status_of(error) not in {NOT_FOUND, CONFLICT}:
                raise

    def warnings(self, uid: str) -> list[str]:
        """Return what the cluster's parts complain of about a pod, the newest last.

        Nothing where they cannot be asked: they only explain.
        """
        try:
            found = self.ask_once(
                self.core.list_namespaced_event,
                self.namespace,
                field_selector=f"involvedObject.uid={uid}",
                limit=100,
            )
        except PerennialError as error:
            _log.debug("The events of the pod cannot be read: %s", error)
            return []
        events = [event for event in found.items if event.type == "Warning"]
        events.sort(key=lambda event: str(event.last_timestamp or event.event_time or ""))
        return [f"{event.reason}: {' '.join((event.message or '').split())}" for event in events]


@contextlib.contextmanager
def named_errors(namespace: str) -> Iterator[None]:
    """Turn what the client raises into a named error, whose cause it is."""
    try:
        yield
    except ApiException as error:
        raise as_error(error, namespace) from error
    except AttributeError as error:
        # The client stumbles over its own error, which has no body, where TLS fails
        if not isinstance(error.__context__, ApiException):
            raise
        raise as_error(error.__context__, namespace) from error.__context__
    except HTTPError as error:
        raise unreachable(error) from error


def status_of(error: PerennialError) -> int | None:
    """Return the status of the cluster's answer that is the error's cause."""
    cause = error.__cause__
    return cause.status if isinstance(cause, ApiException) else None


def is_quota(error: PerennialError) -> bool:
    """Tell whether the namespace's quota is used up, so that others have to end first."""
    return status_of(error) == FORBIDDEN and "exceeded quota" in error.message


def unreachable(error: object) -> Unreachable:
    """Return the error that says that the cluster does not answer."""
    return Unreachable(
        f"The Kubernetes API does not answer: {error}.",
        remedy=(
            "see whether `kubectl version` reaches it; PERENNIAL_KUBERNETES_CONFIG says where it"
            " is, PERENNIAL_KUBERNETES_AWAY_SECONDS how long it may be away."
        ),
    )


def as_error(error: ApiException, namespace: str) -> PerennialError:
    """Return in words what the API answered."""
    message, status = _message(error), error.status or 0
    return _without_answer(message) if not status else _answer(status, message, namespace)


def _without_answer(message: str) -> PerennialError:
    """Return the error of a connection that did not come about."""
    if "CERTIFICATE_VERIFY_FAILED" in message:
        return GiveUp(
            f"The cluster's certificate is no good: {message}.",
            remedy="name its authority in the kubeconfig (PERENNIAL_KUBERNETES_CONFIG).",
        )
    return unreachable(message)


def _answer(status: int, message: str, namespace: str) -> PerennialError:
    if status == 401:  # noqa: PLR2004
        return Denied(
            f"The cluster does not know who asks: {message}.",
            remedy="renew the kubeconfig of PERENNIAL_KUBERNETES_CONFIG, or the service account.",
        )
    if status == FORBIDDEN:
        return _refusal(message)
    if status >= SERVER_ERROR or status in PASSING:
        return TryAgain(
            f"The Kubernetes API failed ({status}): {message}.",
            remedy="see whether `kubectl get --raw /readyz` answers `ok`.",
        )
    if status == NOT_FOUND and "namespaces " in message:
        return GiveUp(
            f"The cluster has no namespace {namespace}.",
            remedy=(
                f"make it (`kubectl create namespace {namespace}`), or set"
                " PERENNIAL_KUBERNETES_NAMESPACE."
            ),
        )
    return GiveUp(
        f"The cluster refuses ({status}): {message}.",
        remedy="see docs/settings.md, PERENNIAL_KUBERNETES_*.",
    )


def _refusal(message: str) -> PerennialError:
    lower = message.lower()
    if "exceeded quota" in lower:
        return TryAgain(
            f"The namespace's quota is used up: {message}.",
            remedy=(
                "wait until other pods have ended, lower `resources` in model.yaml, or raise the"
                " ResourceQuota."
            ),
        )
    for words, kind, remedy in REFUSALS:
        if words in lower and "user " not in lower:
            return kind(f"The cluster takes no such pod: {message}.", remedy=remedy)
    return Denied(
        f"The cluster denies: {message}.",
        remedy="give that right; docs/kubernetes.md has the role of who starts steps.",
    )


def _message(error: ApiException) -> str:
    """Return what the API says, which is JSON where it comes from the API itself."""
    try:
        text = json.loads(error.body)["message"]
    except (ValueError, TypeError, KeyError):
        text = error.body or error.reason or "it said nothing"
    if isinstance(text, bytes):
        text = text.decode(errors="replace")
    return " ".join(str(text).split())[:2_000].rstrip(".")
