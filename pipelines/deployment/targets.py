"""Where releases are deployed to.

A target is a class; what is decided, and by whom, is the business of `deployment`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from pipelines.deployment.lock import hold_deployment
from pipelines.deployment.serving_hosts import serving_hosts

if TYPE_CHECKING:
    import contextlib

    from pipelines.bundle.manifest import Release
    from pipelines.context import Context
    from pipelines.ledger import Champion


class Target(Protocol):
    """Whatever can make a release serve. Each call may be cut off anywhere and made again."""

    def alone(self, context: Context) -> contextlib.AbstractContextManager[object]:
        """Hold off other deployments of the model, where the target needs that.

        Raises Busy after the time that is set for waiting.
        """
        ...

    def take(self, context: Context, release: Release) -> dict[str, Any]:
        """Have the published release serve, and return what to record of it with the crown: fields
        of `ledger.Crown` that are this target's own.

        Raises Refused with the difference in words where the release does not answer as packaged,
        Conflict where a newer one took over, Unreachable (or another TryAgain) where a retry may
        help. What served before serves on.
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
    """Return the target that the model's spec names, else the settings."""
    from pipelines.deployment.docker_target import DockerTarget
    from pipelines.deployment.kubernetes_target import KubernetesTarget
    from pipelines.deployment.process_target import ProcessTarget

    target = context.spec.deploy.target or context.settings.target
    if target == "kubernetes":
        return KubernetesTarget()
    if target == "docker":
        return DockerTarget()
    return ProcessTarget(serving_hosts(context.settings), hold_deployment)
