"""Deploy to the running server, which follows the store's highest release by itself."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pipelines.deployment import releases
from pipelines.errors import Conflict, Refused, Unreachable

if TYPE_CHECKING:
    from pipelines.bundle.manifest import Release
    from pipelines.context import Context
    from pipelines.deployment.serving_client import Server, Serves
    from pipelines.ledger import Champion


Hold = Callable[["Context"], contextlib.AbstractContextManager[object]]
"""Holds off other deployments of the context's model, from now to the end of the block."""


def hold_nobody(context: Context) -> contextlib.AbstractContextManager[object]:  # noqa: ARG001
    """Hold nobody off."""
    return contextlib.nullcontext()


class ProcessTarget:
    """The running server, which follows the store's highest release by itself."""

    def __init__(self, server: Server, hold: Hold = hold_nobody) -> None:
        """Ask this server what it serves; `hold` is the lock that holds off other deployments."""
        self._server = server
        self._hold = hold

    def alone(self, context: Context) -> contextlib.AbstractContextManager[object]:
        """Hold off other deployments of the model: of two, the second waits.

        Without the lock, numbered releases and the ledger's compare-and-set still let at most one
        of two win; but then each may take the other's release back, and neither wins.
        """
        return self._hold(context)

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
        wanted = releases.Wanted(
            kind="reconciled",
            key=key,
            version=champion.version,
            bundle=champion.bundle,
            reason=words,
        )
        release = releases.publish_release(context, wanted)
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
