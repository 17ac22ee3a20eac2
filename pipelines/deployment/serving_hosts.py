"""The hosts that serve: each follows the store, and a release serves when all of them serve it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from pipelines.deployment.serving_client import Serves, ServingClient, read_serves
from pipelines.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.settings import Settings


class Host(Protocol):
    """A host that serves."""

    def model(self, name: str) -> dict[str, Any]:
        """Return all that it says of the model. Raises Unreachable."""
        ...


class Hosts:
    """What several hosts say together: what the one says that has come the least far."""

    def __init__(self, hosts: Sequence[Host]) -> None:
        """Remember the hosts, of which there is at least one; nothing is asked."""
        self._hosts = hosts

    def _ask(self, name: str) -> list[dict[str, Any]]:
        try:
            return [host.model(name) for host in self._hosts]
        except Unreachable as error:
            if len(self._hosts) == 1:
                raise
            raise Unreachable(
                error.message,
                remedy="start that host, or take it out of PERENNIAL_SERVING_URL, then clear this"
                " task: hosts that are up may serve the release already, and the model's next run"
                " takes back what is not crowned by then.",
            ) from error

    def model(self, name: str) -> dict[str, Any]:
        """Return all that this host says of the model.

        Raises Unreachable where one of them gives no answer that makes sense.
        """
        return min(self._ask(name), key=_reach)

    def serves(self, model: str) -> Serves:
        """Return what all of them serve at least, and the newest that one of them refused."""
        said = [read_serves(model, body) for body in self._ask(model)]
        refusals = [serves.refused for serves in said if serves.refused is not None]
        newest = max(refusals, key=lambda refusal: refusal.release, default=None)
        least = min(said, key=lambda serves: serves.release or 0)
        return least.model_copy(update={"refused": newest})


def _reach(body: dict[str, Any]) -> int:
    release = body.get("release")
    return release if isinstance(release, int) else 0


def serving_hosts(settings: Settings) -> Hosts:
    """Return the hosts that the settings name."""
    return Hosts([ServingClient(url) for url in settings.serving_urls])
