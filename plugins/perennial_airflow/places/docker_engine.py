"""The Docker engine that steps run on. What it refuses, and what fails, is a named error."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any, TypeVar

from docker import APIClient
from docker.errors import APIError, DockerException
from requests import RequestException

from pipelines.errors import GiveUp, StorageFull, TryAgain, Unreachable
from pipelines.full_disk import is_full
from pipelines.settings import without_password

if TYPE_CHECKING:
    from collections.abc import Callable


HURRY_SECONDS = 2
"""The longest that the engine is waited for inside a signal's handler."""

SERVER_ERROR = 500

REMEDIES = {
    "network": (
        "make the network (`docker network create NAME`; compose makes its own), or name another"
        " one: `resources.network` in model.yaml, or PERENNIAL_DOCKER_NETWORK."
    ),
    "bind source": (
        "set PERENNIAL_DOCKER_STATE to the volume, or to the folder of the engine's host, that"
        " holds the state."
    ),
    "cpus": "lower `resources.cpus` in model.yaml to what the engine's host has.",
    "memory": "raise `resources.memory` in model.yaml.",
}
"""By a word of what the engine says, how to mend it."""

Answer = TypeVar("Answer")
_log = logging.getLogger("perennial")


class StepEngine:
    """A Docker engine. `ask` makes one call of its client; what fails is a named error."""

    def __init__(self, client: APIClient, url: str) -> None:
        """Speak to the engine at `url` through `client`."""
        self.client = client
        self._url = url

    def ask(self, call: Callable[..., Answer], *arguments: Any, **options: Any) -> Answer:
        """Return what the engine answers to a call of its client.

        Raises GiveUp where it refuses, StorageFull where its disk is full, Unreachable where it is
        away, TryAgain where it fails.
        """
        try:
            return call(*arguments, **options)
        except APIError as error:
            raise _as_error(error) from error
        except (DockerException, RequestException) as error:
            raise make_unreachable(self._url, error) from error

    def close(self) -> None:
        """Close the client's connections."""
        self.client.close()

    def signal(self, container: str, name: str) -> None:
        """Send a signal to a container, from a signal's handler too.

        The client may be busy there, so another one is used.
        """
        try:
            with contextlib.closing(
                APIClient(self._url, version=self.client.api_version, timeout=HURRY_SECONDS)
            ) as client:
                client.kill(container, name)
        except (DockerException, RequestException) as error:
            _log.warning("The container %s could not be sent %s: %s", container[:12], name, error)


def make_unreachable(url: str, error: Exception) -> Unreachable:
    """Return the error that says that the engine does not answer."""
    return Unreachable(
        f"The Docker engine at {without_password(url)} does not answer: {error}.",
        remedy="start it, or set PERENNIAL_DOCKER_HOST to where it (or the door to it) listens.",
    )


def _as_error(error: APIError) -> GiveUp | TryAgain:
    message = str(error.explanation or error).strip()
    if is_full(message):
        return StorageFull(
            f"The Docker engine's disk is full: {message}",
            remedy="free space (`perennial prune`), then clear this task.",
        )
    if error.status_code is None or error.status_code >= SERVER_ERROR:
        return TryAgain(f"The Docker engine failed: {message}")
    remedy = next(
        (remedy for word, remedy in REMEDIES.items() if word in message.lower()),
        "see docs/settings.md, PERENNIAL_DOCKER_*.",
    )
    return GiveUp(f"The Docker engine refuses: {message}.", remedy=remedy)
