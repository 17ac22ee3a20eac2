"""How a bundle comes to serve, whoever wants it.

Promoted by the gate, rolled back to, or promoted by hand.

The order is: intent into the ledger, release into the store, the target's proof, the crown
(compare-and-set), the alias; `promotion` says it as states. Cut off anywhere, a retry of this run
goes on where it stopped, and the next run or `reconcile` takes back what nobody finished.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.deployment import reconciling
from pipelines.deployment.promotion import Order, Progress, State, advance
from pipelines.deployment.targets import target_for
from pipelines.messages import DeployResult

if TYPE_CHECKING:
    from pipelines.context import Context
    from pipelines.deployment.targets import Target
    from pipelines.ledger import Crown

__all__ = ["Order", "carry_out", "reconcile"]


def carry_out(context: Context, order: Order, target: Target | None = None) -> DeployResult:
    """Return what serves now, once per run.

    Raises Refused with the difference when the bundle does not answer as packaged or the target
    will not take it (the old release is back then), Untrusted where a signature is required and
    none counts, Conflict when somebody else became champion meanwhile, Unreachable while the target
    is away.
    """
    to = target or target_for(context)
    with to.alone(context):
        crown = _settle(context, order, to)
    # The oldest entries do not say who served before.
    previous = crown.previous if "previous" in crown.model_fields_set else order.expected
    context.log.info(
        "%s: version %s serves as release %d (before: %s)",
        context.spec.name,
        crown.version,
        crown.release,
        previous or "nothing",
    )
    return DeployResult(release=crown.release, version=crown.version, previous=previous)


def _settle(context: Context, order: Order, target: Target) -> Crown:
    """Take a promotion step by step to its end; return the crown that it won."""
    progress = Progress()
    while progress.state != State.SETTLED:
        progress = advance(context, order, target, progress)
    if progress.crown is None:
        raise RuntimeError("A promotion settled without a crown.")
    return progress.crown


def reconcile(context: Context, target: Target | None = None) -> list[str]:
    """Make what serves and the registry's alias follow the ledger's champion.

    Return in words what had to be done.

    A deployment that is at work is waited for. Before the first champion there is nothing to go
    back to, and nothing is changed.
    """
    to = target or target_for(context)
    with to.alone(context):
        return reconciling.reconcile(context, to)
