"""Where releases are deployed to. A target is a class; what is decided, and by whom, is the business of `deployment`."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Protocol

from pipelines.errors import Busy, Conflict, Refused, Unreachable
from pipelines.private import make_folder
from pipelines.steps import releases
from pipelines.steps.serving_client import Server, ServingClient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.bundle.manifest import Release
    from pipelines.ledger import Champion
    from pipelines.steps.context import Context
    from pipelines.steps.serving_client import Serves


class Target(Protocol):
    """Whatever can make a release serve. Each call may be cut off anywhere and made again."""

    def alone(self, context: Context) -> contextlib.AbstractContextManager[object]:
        """Hold off other deployments of the model, where the target needs that. Raises Busy after the time that is set for waiting."""
        ...

    def take(self, context: Context, release: Release) -> dict[str, Any]:
        """Have the published release serve, and return what to record with the crown beside version, bundle and release.

        Raises Refused with the difference in words where the release does not answer as packaged, Conflict where a newer one
        took over, Unreachable (or another TryAgain) where a retry may help. What served before serves on.
        """
        ...

    def follow(self, context: Context, champion: Champion, *, under_way: str) -> list[str]:
        """Make what serves follow the champion; return in words what had to be done.

        A release of the run `under_way` ("" for none) is left alone: its deployment goes on.
        """
        ...

    def settle(self, context: Context, champion: Champion) -> None:
        """After the crown: put to rest what the champion replaced."""
        ...


def target_for(context: Context) -> Target:
    """Return the target that the settings name."""
    if context.settings.target == "docker":
        from pipelines.steps.container_target import DockerTarget

        return DockerTarget()
    return ProcessTarget(ServingClient(context.settings.serving))


@contextlib.contextmanager
def locked(context: Context) -> Iterator[None]:
    """Hold the model's deployment lock, a file in the state folder. Raises Busy."""
    import filelock

    folder = context.settings.state_dir / "deploy"
    make_folder(folder)
    seconds = context.settings.lock_timeout_seconds
    try:
        with filelock.FileLock(folder / f"{context.spec.name}.lock", timeout=seconds, mode=0o600):
            yield
    except filelock.Timeout as error:
        words = f"Another deployment of {context.spec.name} has been at work for {seconds:g} s."
        raise Busy(words, remedy="wait for it to end; `perennial status` says what serves.") from error


class ProcessTarget:
    """The running server, which follows the store's highest release by itself."""

    def __init__(self, server: Server) -> None:
        """Ask this server what it serves."""
        self._server = server

    def alone(self, context: Context) -> contextlib.AbstractContextManager[object]:  # noqa: ARG002 -- the protocol's signature
        """Hold nobody off: numbered releases and the ledger's compare-and-set let one of two win, and the other one hears of it."""
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
        retrying(lambda: _taken(release, self._server.serves(release.model)))
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
        release = releases.published(context, kind="reconciled", key=key, version=champion.version, bundle=champion.bundle, reason=words)
        return [f"{words}; release {release.number} points back"]

    def settle(self, context: Context, champion: Champion) -> None:
        """Do nothing: the server has swapped already."""


def _taken(release: Release, says: Serves) -> None:
    """Return when the server serves the release. Raises Refused, Conflict (a newer release took over) or Unreachable."""
    if says.refused is not None and says.refused.release == release.number:
        raise Refused(says.refused.reason)
    if says.release is not None and says.release >= release.number:
        if says.version == release.version:
            return
        raise Conflict(
            f"Release {says.release} with version {says.version} took over from release {release.number}.", remedy="start a new run."
        )
    raise Unreachable(
        f"The server has not taken release {release.number} of {release.model} yet (it serves {says.release or 'nothing'}).",
        remedy="look at the server's log; the retry finds this release again.",
    )
