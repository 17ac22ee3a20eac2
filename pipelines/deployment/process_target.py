"""Deploy to the running server, which follows the store's highest release by itself."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from pipelines.deployment import releases
from pipelines.errors import Conflict, Refused, Unreachable

if TYPE_CHECKING:
    from pipelines.bundle.manifest import Release
    from pipelines.context import Context
    from pipelines.deployment.serving_client import Server, Serves
    from pipelines.ledger import Champion


class ProcessTarget:
    """The running server, which follows the store's highest release by itself."""

    def __init__(self, server: Server) -> None:
        """Ask this server what it serves."""
        self._server = server

    # The protocol's signature.
    def alone(self, context: Context) -> contextlib.AbstractContextManager[object]:  # noqa: ARG002
        """Hold nobody off: numbered releases and the ledger's compare-and-set let one of two win,
        and the other one hears of it.
        """
        return contextlib.nullcontext()

    def take(self, context: Context, release: Release) -> dict[str, Any]:
        """Wait until the server serves the release."""
        import tenacity

        settings = context.settings
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_delay(settings.deploy_timeout_seconds),
            wait=tenacity.wait_fixed(min(settings.serving_poll_seconds, 1.0)),
            retry=tenacity.retry_if_exception_type(Unreachable),
            reraise=True,
        )
        retrying(lambda: _expect_served(release, self._server.serves(release.model)))
        return {}

    def follow(self, context: Context, champion: Champion, *, under_way: str) -> list[str]:
        """Publish a release that points back to the champion where the highest one does not."""
        top = releases.highest(context)
        if top is not None and (top.version, top.bundle) == (champion.version, champion.bundle):
            return []
        if top is not None and under_way and releases.belongs_to(context, top, under_way):
            return []
        was = f"{top.version} (release {top.number})" if top else "nothing"
        words = f"served was {was}, the champion is {champion.version}"
        key = f"release~{top.number if top else 0}"
        release = releases.publish_release(
            context,
            kind="reconciled",
            key=key,
            version=champion.version,
            bundle=champion.bundle,
            reason=words,
        )
        return [f"{words}; release {release.number} points back"]

    def settle(self, context: Context, champion: Champion) -> None:
        """Do nothing: the server has swapped already."""


def _expect_served(release: Release, says: Serves) -> None:
    """Return when the server serves the release.

    Raises Refused, Conflict (a newer release took over) or Unreachable.
    """
    if says.refused is not None and says.refused.release == release.number:
        raise Refused(says.refused.reason)
    if says.release is not None and says.release >= release.number:
        if says.version == release.version:
            return
        raise Conflict(
            f"Release {says.release} with version {says.version} took over from release"
            f" {release.number}.",
            remedy="start a new run.",
        )
    raise Unreachable(
        f"The server has not taken release {release.number} of {release.model} yet (it serves"
        f" {says.release or 'nothing'}).",
        remedy="look at the server's log; the retry finds this release again.",
    )
